// What was written in a form, for a reader of another language.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { inLanguage } from '../src/logic/translate.ts';

const en = (content: string) => ({ extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/translation', extension: [{ url: 'lang', valueCode: 'en' }, { url: 'content', valueString: content }] }] });
const FORM = {
  item: [{
    linkId: 'g', text: '体格检查', _text: en('Examination'), item: [
      { linkId: 'a', text: '部位', _text: en('Place'), answerOption: [{ valueCoding: { code: 'l', display: '左', _display: en('Left') } }] },
      { linkId: 'b', text: '备注' },
    ],
  }],
};
const WRITTEN = [{ linkId: 'g', text: '体格检查', item: [
  { linkId: 'a', text: '部位', answer: [{ valueCoding: { code: 'l', display: '左' } }] },
  { linkId: 'b', text: '备注', answer: [{ valueString: '左' }] },
] }];

test('questions and options are the form’s own words in that language; what a person wrote stays', () => {
  assert.deepEqual(inLanguage(WRITTEN, FORM, 'en'), [{ linkId: 'g', text: 'Examination', item: [
    { linkId: 'a', text: 'Place', answer: [{ valueCoding: { code: 'l', display: 'Left' } }] },
    { linkId: 'b', text: '备注', answer: [{ valueString: '左' }] },
  ] }]);
  assert.equal(inLanguage(WRITTEN, undefined, 'en'), WRITTEN);
  assert.equal(inLanguage(undefined, FORM, 'en'), undefined);
});
