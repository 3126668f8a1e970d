// Responses against their questionnaires: from a file beside them, contained, or stored on the server.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Server, menkou } from '../support/menkou.mjs';

const URL_ = 'http://m.test/Questionnaire/q';
const R4X = 'http://hl7.org/fhir/StructureDefinition';
const scratch = mkdtempSync(join(tmpdir(), 'menkou-form-'));
after(() => rmSync(scratch, { recursive: true }));

const coding = (code) => ({ valueCoding: { system: 'http://m.test/cs', code } });
const limit = (name, value) => ({ url: `${R4X}/${name}`, ...value });
const QUESTIONNAIRE = {
    resourceType: 'Questionnaire', id: 'q', url: URL_, status: 'active',
    contained: [{ resourceType: 'ValueSet', id: 'colours', status: 'active',
        compose: { include: [{ system: 'http://m.test/cs', concept: [{ code: 'red' }, { code: 'blue' }] }] } }],
    item: [
        { linkId: 'smokes', type: 'boolean', required: true },
        { linkId: 'packs', type: 'decimal', enableWhen: [{ question: 'smokes', operator: '=', answerBoolean: true }],
            extension: [limit('minValue', { valueDecimal: 0.5 }), limit('maxValue', { valueDecimal: 9 }),
                limit('maxDecimalPlaces', { valueInteger: 1 })] },
        { linkId: 'drinks', type: 'choice', repeats: true, answerOption: [{ ...coding('tea') }, { ...coding('wine') },
            { ...coding('none'), extension: [limit('questionnaire-optionExclusive', { valueBoolean: true })] }] },
        { linkId: 'colour', type: 'open-choice', answerValueSet: '#colours' },
        { linkId: 'home', type: 'group', item: [
            { linkId: 'phone', type: 'string', maxLength: 5, extension: [limit('regex', { valueString: '[0-9]+' })] },
            { linkId: 'rooms', type: 'integer', repeats: true, extension: [limit('questionnaire-maxOccurs', { valueInteger: 2 })] }] },
        { linkId: 'weight', type: 'quantity', extension: [limit('maxValue', { valueQuantity:
            { value: 200, system: 'http://unitsofmeasure.org', code: 'kg' } })] },
        { linkId: 'pain', type: 'boolean', item: [{ linkId: 'where', type: 'string', required: true }] },
    ],
};
const answered = (linkId, ...answer) => ({ linkId, answer });
const yes = { valueBoolean: true }, no = { valueBoolean: false };
const smokes = answered('smokes', yes);
const response = (item, more = {}) => ({ resourceType: 'QuestionnaireResponse', questionnaire: URL_, status: 'completed', item, ...more });
const kilograms = (value, code = 'kg') => ({ valueQuantity: { value, system: 'http://unitsofmeasure.org', code } });
const at = 'QuestionnaireResponse';

// [what, items, where the faults are]
const CASES = [
    ['all in order', [smokes, answered('packs', { valueDecimal: 1.5 }), answered('drinks', coding('tea'), coding('wine')),
        answered('colour', coding('red')), { linkId: 'home', item: [answered('phone', { valueString: '12345' })] },
        answered('weight', kilograms(80)), { linkId: 'pain', answer: [{ ...yes, item: [answered('where', { valueString: 'knee' })] }] }], []],
    ['a required item is missing', [answered('drinks', coding('tea'))], [at]],
    ['a required item is empty', [{ linkId: 'smokes' }], [`${at}.item[0]`]],
    ['an unknown linkId', [smokes, answered('nothing', yes)], [`${at}.item[1]`]],
    ['a linkId in the wrong place', [smokes, answered('phone', { valueString: '1' })], [`${at}.item[1]`]],
    ['out of order', [answered('drinks', coding('tea')), smokes], [`${at}.item[1]`]],
    ['not enabled', [answered('smokes', no), answered('packs', { valueDecimal: 1 })], [`${at}.item[1]`]],
    ['the wrong type', [smokes, answered('packs', { valueString: '1' })], [`${at}.item[1].answer[0].value.ofType(string)`]],
    ['too little', [smokes, answered('packs', { valueDecimal: 0.4 })], [`${at}.item[1].answer[0].value.ofType(decimal)`]],
    ['too many decimal places', [smokes, answered('packs', { valueDecimal: 1.25 })], [`${at}.item[1].answer[0].value.ofType(decimal)`]],
    ['no option', [smokes, answered('drinks', coding('beer'))], [`${at}.item[1].answer[0]`]],
    ['an exclusive option with another', [smokes, answered('drinks', coding('tea'), coding('none'))], [`${at}.item[1].answer[1]`]],
    ['not in the contained value set', [smokes, answered('colour', coding('grey'))], [`${at}.item[1].answer[0]`]],
    ['free text of an open choice', [smokes, answered('colour', { valueString: 'grey' })], []],
    ['two answers to one question', [answered('smokes', yes, no)], [`${at}.item[0]`]],
    ['too many answers', [smokes, { linkId: 'home', item: [answered('rooms', { valueInteger: 1 }, { valueInteger: 2 }, { valueInteger: 3 })] }],
        [`${at}.item[1].item[0]`]],
    ['text too long and of the wrong form', [smokes, { linkId: 'home', item: [answered('phone', { valueString: 'abcdef' })] }],
        [`${at}.item[1].item[0].answer[0].value.ofType(string)`, `${at}.item[1].item[0].answer[0].value.ofType(string)`]],
    ['a group that is answered', [smokes, answered('home', yes)], [`${at}.item[1]`]],
    ['too heavy, in other units', [smokes, answered('weight', kilograms(200001, 'g'))], [`${at}.item[1].answer[0].value.ofType(Quantity)`]],
    ['light enough, in other units', [smokes, answered('weight', kilograms(199999, 'g'))], []],
    ['what is required below an answer', [smokes, answered('pain', yes)], [`${at}.item[1].answer[0]`]],
    ['below a question instead of its answer', [smokes, { linkId: 'pain', item: [answered('where', { valueString: 'knee' })] }], [`${at}.item[1]`]],
];
const faults = (outcome) => outcome.issue.filter((i) => i.severity === 'error').map((i) => i.expression?.[0]);

describe('menkou validate --package', () => {
    const questionnaire = join(scratch, 'q.json');
    before(() => writeFileSync(questionnaire, JSON.stringify(QUESTIONNAIRE)));
    const run = (...resources) => {
        const file = join(scratch, 'r.ndjson');
        writeFileSync(file, resources.map((r) => JSON.stringify(r)).join('\n'));
        return menkou('validate', '--package', questionnaire, file).out.split('\n').filter(Boolean).map((l) => JSON.parse(l));
    };
    it('finds each fault where it is', () => {
        const outcomes = run(...CASES.map(([, items]) => response(items)));
        CASES.forEach(([what, , expected], i) => assert.deepEqual(faults(outcomes[i]), expected, what));
    });
    it('asks nothing of a response in progress that is not there yet', () => {
        const [draft] = run(response([answered('drinks', coding('tea'))], { status: 'in-progress' }));
        assert.deepEqual(faults(draft), []);
    });
    it('looks for a condition in the same repetition of a group', () => {
        const q = { ...QUESTIONNAIRE, id: 'inner', url: undefined, contained: undefined, item: [{ linkId: 'g', type: 'group', repeats: true,
            item: [{ linkId: 'a', type: 'boolean' }, { linkId: 'b', type: 'string', enableWhen: [{ question: 'a', operator: '=', answerBoolean: true }] }] }] };
        const group = (a) => ({ linkId: 'g', item: [answered('a', a), answered('b', { valueString: 'x' })] });
        const [one] = run(response([group(yes), group(no)], { questionnaire: '#inner', contained: [q] }));
        assert.deepEqual(faults(one), [`${at}.item[1].item[1]`]);
    });
    it('reads both in XML, too', () => {
        writeFileSync(join(scratch, 'q.xml'), `\uFEFF<?xml version="1.0"?><Questionnaire xmlns="http://hl7.org/fhir"><url value="${URL_}"/>` +
            '<status value="active"/><item><linkId value="n"/><type value="integer"/></item></Questionnaire>');
        const text = (value) => `<QuestionnaireResponse xmlns="http://hl7.org/fhir"><questionnaire value="${URL_}"/><status value="completed"/>` +
            `<item><linkId value="n"/><answer>${value}</answer></item></QuestionnaireResponse>`;
        writeFileSync(join(scratch, 'good.xml'), text('<valueInteger value="3"/>'));
        writeFileSync(join(scratch, 'bad.xml'), text('<valueString value="3"/>'));
        writeFileSync(join(scratch, 'broken.xml'), text('<valueFloat value="3"/>'));
        const one = (name) => menkou('validate', '--package', join(scratch, 'q.xml'), join(scratch, name));
        assert.equal(one('good.xml').status, 0);
        assert.deepEqual(faults(JSON.parse(one('bad.xml').out)), [`${at}.item[0].answer[0].value.ofType(string)`]);
        assert.equal(one('broken.xml').status, 1);
    });
});

describe('$validate', () => {
    let server, bench;
    before(async () => {
        server = await Server.start();
        bench = await server.login();
    });
    after(() => server?.stop());
    it('knows the questionnaires that are stored, a write is not refused for them', async () => {
        const post = (items) => bench.post('/fhir/QuestionnaireResponse/$validate', response(items));
        assert.deepEqual(faults((await post([answered('nothing', yes)])).json), []);
        assert.equal((await bench.put('/fhir/Questionnaire/q', QUESTIONNAIRE)).status, 201);
        assert.deepEqual(faults((await post([answered('nothing', yes)])).json), [`${at}.item[0]`, at]);
        assert.deepEqual(faults((await post([smokes])).json), []);
        assert.equal((await bench.post('/fhir/QuestionnaireResponse', response([answered('nothing', yes)]))).status, 201);
    });
});
