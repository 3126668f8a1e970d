import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkForm } from '../src/logic/faults.ts';
import {
  addGroup, answerOf, fillLookup, isEnabled, linkIdsOf,
  needsDryRun, phrasesOf, removeGroup, setAnswers, type Item, type Questionnaire,
} from '../src/logic/questionnaire.ts';
import { assembleResponse, colorsOf, mergeServerFilled, openForm, proposalsOf, takeProposals, withoutProposals, type Response } from '../src/logic/response.ts';
import { translate } from '../src/logic/translate.ts';

const authored = '2026-03-02T08:00:00+08:00';
const form = (...item: Item[]): Questionnaire => ({ resourceType: 'Questionnaire', url: 'urn:test', version: '1', item });
const coding = (code: string) => ({ system: 'urn:c', code, display: code });

const sample = form(
  { linkId: 'a', type: 'boolean', text: 'A' },
  { linkId: 'b', type: 'choice', required: true, enableWhen: [{ question: 'a', operator: '=', answerBoolean: true }], answerOption: [{ valueCoding: coding('x') }] },
  { linkId: 'g', type: 'group', repeats: true, text: 'G', item: [
    { linkId: 'n', type: 'integer', extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/minValue', valueInteger: 5 }] },
    { linkId: 'm', type: 'string', required: true, enableWhen: [{ question: 'n', operator: '>', answerInteger: 10 }] },
  ] },
);

test('an item that enableWhen disables is neither required nor sent', () => {
  let state = openForm(sample);
  assert.equal(isEnabled(sample.item![1], 'b', state), false);
  assert.equal(checkForm(sample, state).size, 0);
  state = setAnswers(state, 'b', [answerOf('choice', coding('x'))]);
  assert.equal(assembleResponse(sample, state, { authored }).item, undefined);
  state = setAnswers(state, 'a', [answerOf('boolean', true)]);
  const sent = assembleResponse(sample, state, { authored });
  assert.deepEqual(sent.item!.map((i) => i.linkId), ['a', 'b']);
  assert.equal(sent.status, 'completed');
  assert.equal(sent.questionnaire, 'urn:test|1');
});

test('a required question that is shown and empty is a fault at its path', () => {
  const state = setAnswers(openForm(sample), 'a', [answerOf('boolean', true)]);
  assert.deepEqual(checkForm(sample, state).get('b'), { code: 'required' });
});

test('enableWhen inside a repeating group looks at its own instance', () => {
  let state = addGroup(openForm(sample), '', sample.item![2]);
  state = setAnswers(state, 'g:0/n', [answerOf('integer', 12)]);
  state = setAnswers(state, 'g:1/n', [answerOf('integer', 7)]);
  const faults = checkForm(sample, state);
  assert.deepEqual([...faults.keys()], ['g:0/m']);
});

test('taking one instance of a group away moves the others up', () => {
  let state = addGroup(openForm(sample), '', sample.item![2]);
  state = setAnswers(state, 'g:0/n', [answerOf('integer', 6)]);
  state = setAnswers(state, 'g:1/n', [answerOf('integer', 9)]);
  state = removeGroup(state, '', sample.item![2], 0);
  const sent = assembleResponse(sample, state, { authored });
  assert.deepEqual(sent.item, [{ linkId: 'g', text: 'G', item: [{ linkId: 'n', answer: [{ valueInteger: 9 }] }] }]);
});

test('limits, lengths, patterns and decimals are told with their limit', () => {
  const f = form(
    { linkId: 'i', type: 'integer', extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/maxValue', valueInteger: 300 }] },
    { linkId: 's', type: 'string', maxLength: 3, extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/regex', valueString: '[a-z]+' }] },
    { linkId: 'd', type: 'decimal', extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/maxDecimalPlaces', valueInteger: 1 }] },
  );
  let state = setAnswers(openForm(f), 'i', [answerOf('integer', 301)]);
  state = setAnswers(state, 's', [answerOf('string', 'abcd')]);
  state = setAnswers(state, 'd', [answerOf('decimal', 1.25)]);
  const faults = checkForm(f, state);
  assert.deepEqual(faults.get('i'), { code: 'max', limit: 300 });
  assert.deepEqual(faults.get('s'), { code: 'too-long', limit: 3 });
  assert.deepEqual(faults.get('d'), { code: 'decimals', limit: 1 });
  assert.deepEqual(checkForm(f, setAnswers(state, 's', [answerOf('string', 'A1')])).get('s'), { code: 'pattern' });
  assert.deepEqual(checkForm(f, setAnswers(state, 'i', [answerOf('integer', 1.5)])).get('i'), { code: 'whole' });
});

test('operators: exists, !=, order, any and all', () => {
  const item: Item = { linkId: 't', type: 'string', enableBehavior: 'any', enableWhen: [
    { question: 'q', operator: '>=', answerInteger: 3 }, { question: 'r', operator: 'exists', answerBoolean: true }] };
  const state = openForm(form());
  assert.equal(isEnabled(item, 't', state), false);
  assert.equal(isEnabled(item, 't', setAnswers(state, 'q', [{ valueInteger: 3 }])), true);
  assert.equal(isEnabled(item, 't', setAnswers(state, 'r', [{ valueString: 'x' }])), true);
  assert.equal(isEnabled({ ...item, enableBehavior: 'all' }, 't', setAnswers(state, 'r', [{ valueString: 'x' }])), false);
  const not: Item = { linkId: 'u', type: 'string', enableWhen: [{ question: 'q', operator: '!=', answerCoding: coding('x') }] };
  assert.equal(isEnabled(not, 'u', setAnswers(state, 'q', [{ valueCoding: coding('x') }])), false);
  assert.equal(isEnabled(not, 'u', setAnswers(state, 'q', [{ valueCoding: coding('y') }])), true);
});

test('a form opens with its initial values, then with what the response holds, nested answers too', () => {
  const f = form({ linkId: 'p', type: 'string', initial: [{ valueString: 'first' }], item: [{ linkId: 'c', type: 'string' }] });
  assert.deepEqual(openForm(f).answers.p, [{ valueString: 'first' }]);
  const response: Response = { resourceType: 'QuestionnaireResponse', item: [{ linkId: 'p', answer: [{ valueString: 'given', item: [{ linkId: 'c', answer: [{ valueString: 'inner' }] }] }] }] };
  const state = openForm(f, response);
  assert.deepEqual(state.answers, { p: [{ valueString: 'given' }], 'p/c': [{ valueString: 'inner' }] });
  assert.deepEqual(assembleResponse(f, state, { authored }).item, response.item);
});

test('a dry run fills what the server computes and leaves what was typed; colours are not sent back', () => {
  const f = form({ linkId: 'x', type: 'integer' }, { linkId: 'y', type: 'string', readOnly: true });
  assert.equal(needsDryRun(f), true);
  const state = setAnswers(openForm(f), 'x', [{ valueInteger: 162 }]);
  const color = [{ url: 'urn:menkou:color', valueCode: 'red' }];
  const filled: Response = { resourceType: 'QuestionnaireResponse', item: [
    { linkId: 'x', extension: color, answer: [{ valueInteger: 1 }] }, { linkId: 'y', answer: [{ valueString: 'high', extension: color }] }] };
  const merged = mergeServerFilled(f, state, filled);
  assert.deepEqual(merged.answers.x, [{ valueInteger: 162 }]);
  assert.deepEqual(colorsOf(f, filled), { x: 'red', y: 'red' });
  assert.deepEqual(assembleResponse(f, merged, { authored }).item!.map((i) => i.answer), [[{ valueInteger: 162 }], [{ valueString: 'high' }]]);
  const gone = mergeServerFilled(f, merged, { resourceType: 'QuestionnaireResponse' });
  assert.equal(gone.answers.y, undefined);
});

test('a proposal follows the answers until the person changes or clears it', () => {
  const initial = { url: 'http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-initialExpression', valueExpression: { language: 'text/fhirpath', expression: '%today + iif(%answers.x > 5, 2 weeks, 3 months)' } };
  const f = form({ linkId: 'x', type: 'integer' }, { linkId: 'd', type: 'date', extension: [initial] } as Item);
  assert.equal(needsDryRun(f), true);
  const date = (value: string) => [{ valueDate: value }];
  const opened = openForm(f, { resourceType: 'QuestionnaireResponse', item: [{ linkId: 'd', answer: date('2026-06-02') }] });
  const before = proposalsOf(f, opened);
  assert.deepEqual(before, { d: date('2026-06-02') });
  const now = { d: date('2026-03-16') };
  const high = setAnswers(opened, 'x', [answerOf('integer', 9)]);
  assert.deepEqual(withoutProposals(high, before).answers, { x: [{ valueInteger: 9 }] });
  const followed = takeProposals(high, before, now);
  assert.deepEqual(followed.answers.d, now.d);
  for (const own of [date('2026-04-01'), []]) {
    const typed = setAnswers(followed, 'd', own);
    assert.deepEqual(withoutProposals(typed, now).answers.d ?? [], own);
    assert.deepEqual(takeProposals(typed, now, before).answers.d ?? [], own);
  }
});

test('a lookup takes its placeholders from the answers and names what is missing', () => {
  const lookup = 'Slot?status=free&schedule.actor={d}&_sort=start';
  const state = openForm(form());
  assert.deepEqual(fillLookup(lookup, 's', state), { missing: ['d'] });
  const filled = fillLookup(lookup, 's', setAnswers(state, 'd', [{ valueReference: { reference: 'HealthcareService/7' } }]));
  assert.equal(filled.query, 'Slot?status=free&schedule.actor=HealthcareService%2F7&_sort=start');
});

test('texts are translated where the form has them, phrases included', () => {
  const tr = (content: string) => ({ extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/translation', extension: [{ url: 'lang', valueCode: 'en' }, { url: 'content', valueString: content }] }] });
  const f = form({ linkId: 'q', type: 'text', text: '所见', _text: tr('Findings'), extension: [{ url: 'urn:menkou:phrases', valueString: '正常', _valueString: tr('Normal') }] } as Item);
  const en = translate(f, 'en');
  assert.equal(en.item![0].text, 'Findings');
  assert.deepEqual(phrasesOf(en.item![0]), [{ title: 'Normal', text: 'Normal' }]);
  assert.equal(translate(f, 'zh-CN').item![0].text, '所见');
  assert.deepEqual([...linkIdsOf(f)], ['q']);
});
