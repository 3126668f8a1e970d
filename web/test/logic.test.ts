import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkCharacter, readIdCard } from '../src/logic/idcard.ts';
import { ageOf, clockOf, dateTimeOf, setZone, shortTime, spanText, timeText } from '../src/logic/clock.ts';
import { issueText, linkIdOf, refusalOf, sortIssues } from '../src/logic/outcome.ts';
import { likenessOf, wantedOf } from '../src/logic/search.ts';
import { mediaKindOf, mediaOf, mediaTypeOf, samplesPath } from '../src/logic/media.ts';
import { EMPTY_REGISTRATION, faultsOf, patientOf, splitName } from '../src/logic/register.ts';
import { entriesOf, episodesOf } from '../src/logic/timeline.ts';
import { heldMedia, heldReferences } from '../src/logic/held.ts';
import { isMasked, localReference, nameText, type Task } from '../src/logic/fhir.ts';
import { actionsOf, pathwaysOf } from '../src/api/pathways.ts';
import { workBody } from '../src/case/work.ts';
import { parseRoute, routeText } from '../src/app/route.ts';
import { numbersOf, recordingOf } from '../src/viewers/samples.ts';

const TODAY = '2026-03-02';
/** Numbers are made here, of a region that GB/T 2260 does not assign, so that none can be a living person's. */
const card = (first17: string) => first17 + checkCharacter(first17);

test('an ID card: check character, date, region and sex', () => {
  const good = readIdCard(card('13999919520304002'), TODAY);
  assert.equal(good.fault, undefined);
  assert.equal(good.birthDate, '1952-03-04');
  assert.equal(good.gender, 'female');
  assert.equal(readIdCard(card('13999919520304001'), TODAY).gender, 'male');
});

test('an ID card that is wrong says how', () => {
  const number = card('13999919520304002');
  const other = number.endsWith('0') ? '1' : '0';
  assert.equal(readIdCard(number.slice(0, 17) + other, TODAY).fault, 'check');
  assert.equal(readIdCard(number.slice(0, 17), TODAY).fault, 'length');
  assert.equal(readIdCard(card('13999919520230002'), TODAY).fault, 'date');
  assert.equal(readIdCard(card('13999920991231002'), TODAY).fault, 'future');
  assert.equal(readIdCard(card('99999919520304002'), TODAY).fault, 'region');
  assert.equal(readIdCard('1399A', TODAY).fault, 'characters');
});

test('full-width digits, spaces and a small x are read', () => {
  const withX = Array.from({ length: 1000 }, (_, n) => card(`13999919520304${String(n).padStart(3, '0')}`)).find((c) => c.endsWith('X'))!;
  assert.equal(readIdCard(withX.toLowerCase(), TODAY).fault, undefined);
  const wide = [...withX].map((c) => String.fromCharCode(c.charCodeAt(0) + 0xfee0)).join('');
  assert.equal(readIdCard(` ${wide} `, TODAY).number, withX);
});

test('times are the county\'s, wherever the browser stands', () => {
  setZone('+08:00');
  assert.equal(timeText('2026-08-22T06:05:00Z'), '2026-08-22 14:05');
  assert.equal(timeText('2026-08-22'), '2026-08-22');
  assert.equal(dateTimeOf(Date.parse('2026-08-22T06:05:09Z')), '2026-08-22T14:05:09+08:00');
  const now = Date.parse('2026-08-22T15:00:00+08:00');
  assert.equal(shortTime('2026-08-22T06:05:00Z', now), '14:05');
  assert.equal(shortTime('2026-08-21T17:30:00Z', now), '01:30');
  assert.equal(shortTime('2026-01-05T06:05:00Z', now), '01-05 14:05');
});

const UNITS = { day: '天', hour: '小时' };

test('the clock: calm, near, over', () => {
  const at = (s: string) => Date.parse(`2026-03-02T${s}+08:00`);
  const end = '2026-03-02T09:00:00+08:00';
  const from = '2026-03-02T08:30:00+08:00';
  assert.deepEqual(clockOf(end, from, at('08:40:00'), UNITS), { level: 'calm', text: '20:00', ms: 1_200_000 });
  assert.equal(clockOf(end, from, at('08:54:30'), UNITS).level, 'near');
  assert.deepEqual(clockOf(end, from, at('09:01:05'), UNITS), { level: 'over', text: '01:05', ms: -65_000 });
  assert.equal(clockOf(undefined, from, at('09:00:00'), UNITS).level, 'none');
  assert.equal(spanText(90_061_000, UNITS), '1天1小时');
  assert.equal(spanText(86_461_000, UNITS), '1天');
  assert.equal(spanText(90_061_000, { day: 'd ', hour: 'h' }), '1d 1h');
  assert.equal(clockOf('2026-04-10T23:59:59+08:00', from, at('08:00:00'), UNITS).text, '39天 · 04-10');
  assert.equal(clockOf('2027-04-10T23:59:59+08:00', from, at('08:00:00'), UNITS).text, '404天 · 2027-04-10');
  assert.equal(clockOf('2026-02-20T09:00:00+08:00', from, at('09:00:00'), UNITS).text, '10天');
  assert.equal(spanText(3_661_000, UNITS), '1:01:01');
});

test('ages: days, months, years', () => {
  assert.deepEqual(ageOf('2026-02-20', TODAY), { count: 10, unit: 'days' });
  assert.deepEqual(ageOf('2025-03-03', TODAY), { count: 11, unit: 'months' });
  assert.deepEqual(ageOf('1952-03-04', TODAY), { count: 73, unit: 'years' });
  assert.deepEqual(ageOf('1952', TODAY), { count: 74, unit: 'years' });
  assert.equal(ageOf('2027-01-01', TODAY), undefined);
});

test('refusals go to the field they name, the rest above the form', () => {
  const body = { resourceType: 'OperationOutcome', issue: [
    { severity: 'error', code: 'invariant', details: { text: '太高', coding: [{ code: 'too-high' }] }, expression: ['aa'] },
    { severity: 'error', code: 'conflict', diagnostics: '时段已占' },
    { severity: 'error', code: 'value', details: { text: '缺少' }, expression: ["QuestionnaireResponse.item.where(linkId='bb').answer"] }] };
  const refusal = refusalOf(422, body, '3');
  assert.equal(refusal.rule, 'too-high');
  assert.equal(refusal.retryAfterS, 3);
  const sorted = sortIssues(refusal.issues, new Set(['aa', 'bb']));
  assert.deepEqual(sorted.fields.get('aa'), ['太高']);
  assert.deepEqual(sorted.fields.get('bb'), ['缺少']);
  assert.deepEqual(sorted.general, ['时段已占']);
  assert.equal(linkIdOf('QuestionnaireResponse.item[0].zz', new Set(['zz'])), 'zz');
  assert.equal(issueText({ severity: 'error', code: 'throttled' }), 'throttled');
  assert.deepEqual(refusalOf(500, undefined).issues, []);
});

test('what is typed decides how a resident is looked for', () => {
  assert.equal(wantedOf('lgz').kind, 'pinyin');
  assert.deepEqual(wantedOf(" Liu gui'zhi "), { kind: 'pinyin', value: 'liuguizhi', query: 'pinyin=liuguizhi' });
  assert.equal(wantedOf('刘桂').kind, 'name');
  assert.equal(wantedOf('13900001234').kind, 'phone');
  const found = wantedOf(card('13999919520304002'));
  assert.equal(found.kind, 'card');
  assert.equal(wantedOf('1399').kind, 'partial');
  assert.equal(wantedOf('  ').kind, 'nothing');
  assert.equal(likenessOf(wantedOf('lgz')), undefined);
  assert.equal(likenessOf(wantedOf('刘桂芝'))?.name?.[0].text, '刘桂芝');
});

test('a recording of several files is one drawing, its header first', () => {
  const files = [{ url: 'Binary/2', title: 's1.dat' }, { url: 'Binary/1', title: 's1.hea' }, { url: 'Binary/3', title: 'x.jpg', contentType: 'image/jpeg' }];
  const media = mediaOf(files);
  assert.deepEqual(media.map((m) => m.kind), ['image', 'ecg']);
  assert.equal(samplesPath(media[1]), '/fhir/Binary/1/$ecg?file=s1.hea%3DBinary%2F1&file=s1.dat%3DBinary%2F2');
  assert.equal(mediaKindOf({ contentType: 'application/octet-stream', title: 'a.bin' }), 'unknown');
  assert.equal(mediaKindOf({ contentType: 'application/octet-stream', title: 'a.bin' }, 'ecg'), 'ecg');
  assert.equal(mediaTypeOf('A.SCP', ''), 'application/x-scp-ecg');
});

test('samples come with gaps where the recorder had no value', () => {
  assert.deepEqual(numbersOf('1 -2 E 3'), [1, -2, NaN, 3]);
  const recording = recordingOf({ resourceType: 'Parameters', parameter: [
    { name: 'start', valueDateTime: '2026-03-02T08:00:00+08:00' },
    { name: 'leads', part: [{ name: 'name', valueString: 'II' }, { name: 'gain', valueDecimal: 0.005 }, { name: 'rate', valueDecimal: 500 }, { name: 'samples', valueSampledData: { data: '1 2' } }] }] });
  assert.deepEqual(recording.leads, [{ name: 'II', unit: 'mV', gain: 0.005, zero: 0, rate: 500, samples: [1, 2], first: 0, total: undefined }]);
  assert.equal(recording.notForDiagnosis, true);
});

test('a registration becomes a Patient with a typed identifier', () => {
  const r = { ...EMPTY_REGISTRATION, number: card('13999919520304002'), name: '尉迟敬明', gender: 'female', birthDate: '1952-03-04' };
  assert.deepEqual(faultsOf(r), []);
  const patient = patientOf(r, 'Organization/1');
  assert.equal(patient.identifier![0].system, 'urn:oid:2.16.156.10011.1.3');
  assert.deepEqual(splitName('尉迟敬明'), { family: '尉迟', given: ['敬明'] });
  assert.deepEqual(splitName('单雄'), { family: '单', given: ['雄'] });
  assert.deepEqual(splitName('John Smith'), {});
  const nobody = patientOf({ ...EMPTY_REGISTRATION, kind: 'unknown', name: '无名氏', gender: 'male', birthDate: '1980-01-01', estimated: true }, undefined);
  assert.equal(nobody.identifier, undefined);
  assert.equal(nobody.birthDate, '1980');
  assert.deepEqual(faultsOf({ ...EMPTY_REGISTRATION, kind: 'newborn', phone: '123' }), ['name', 'gender', 'birthDate', 'phone']);
});

test('the line of time: newest first, by episode, each thing in the case that holds it', () => {
  const task = (id: string, group: string, held: string[]): Task => ({ resourceType: 'Task', id, authoredOn: `2026-03-0${id}`, groupIdentifier: { value: group }, output: held.map((reference) => ({ valueReference: { reference } })) });
  const tasks = [task('1', 'e', ['DiagnosticReport/r']), task('2', 'e', []), task('3', 'f', [])];
  const others = [
    { resourceType: 'DiagnosticReport', id: 'r', issued: '2026-03-02T08:00:00+08:00', conclusion: 'ok' },
    { resourceType: 'Provenance', id: 'p', occurredDateTime: '2026-03-02T09:00:00+08:00', target: [{ reference: 'Task/2/_history/1' }], activity: { text: '送出' } },
    { resourceType: 'Observation', id: 'o', effectiveDateTime: '2026-03-03T09:00:00+08:00', code: { text: 'BP' } },
  ];
  const entries = entriesOf(tasks, others);
  assert.deepEqual(entries.map((e) => e.key), ['Observation/o', 'Provenance/p', 'DiagnosticReport/r']);
  const episodes = episodesOf(tasks, entries);
  const e = episodes.find((x) => x.key === 'e')!;
  assert.deepEqual([e.tasks.length, e.entries.length], [2, 2]);
  assert.equal(episodes.find((x) => x.key === '')!.entries.length, 1);
});

test('what a case holds, and the files in it', () => {
  const task: Task = { resourceType: 'Task', id: '1', input: [{ valueReference: { reference: 'QuestionnaireResponse/q' } }], output: [{ valueReference: { reference: 'DiagnosticReport/d' } }, { valueReference: { reference: 'Patient/p' } }] };
  assert.deepEqual(heldReferences(task), ['QuestionnaireResponse/q', 'DiagnosticReport/d']);
  const media = heldMedia(task, [{ resourceType: 'QuestionnaireResponse', id: 'q', authored: '2026-03-02', item: [{ linkId: 'x', answer: [{ valueAttachment: { url: 'Binary/1', title: 'a.scp' } }] }] }]);
  assert.deepEqual(media.map((m) => [m.kind, m.key]), [['ecg', 'Binary/1']]);
});

test('names, references and masks', () => {
  assert.equal(nameText([{ family: '刘', given: ['桂芝'] }]), '刘桂芝');
  assert.equal(nameText([{ family: 'Smith', given: ['John'] }]), 'John Smith');
  assert.equal(localReference('http://h/fhir/Patient/1/_history/2'), 'Patient/1');
  assert.equal(isMasked({ resourceType: 'Patient', name: [{ text: '刘*芝' }] }), true);
});

test('pathways and actions are read from Parameters', () => {
  const part = (name: string, value: object) => ({ name, ...value });
  const [p] = pathwaysOf({ resourceType: 'Parameters', parameter: [{ name: 'pathway', part: [
    part('code', { valueCode: 'z' }), part('start', { valueBoolean: true }),
    { name: 'state', part: [part('code', { valueCode: 's' }), part('title', { valueString: 'S' }), part('open', { valueBoolean: true })] },
    { name: 'lists', part: [{ name: 'list', part: [part('code', { valueCode: 'l' }), part('query', { valueString: 'a=b' }), part('alert', { valueBoolean: true })] }] },
    { name: 'print', part: [part('code', { valueCode: 'k' }), part('state', { valueCode: 's' })] }] }] });
  assert.deepEqual([p.start, p.states[0].open, p.lists[0].alert, p.lists[0].pathway, p.prints[0].states], [true, true, true, 'z', ['s']]);
  const [a] = actionsOf({ resourceType: 'Parameters', parameter: [{ name: 'action', part: [part('code', { valueCode: 'c' }), part('receipt', { valueBoolean: true })] }] }, 'en');
  assert.deepEqual([a.code, a.title, a.receipt, a.questionnaire], ['c', 'c', true, undefined]);
});

test('an address survives the way there and back', () => {
  for (const hash of ['#/', '#/find?text=%E5%88%98', '#/list/a-b/c', '#/patient/1/case/2?from=a%2Fb', '#/mine']) {
    assert.equal(routeText(parseRoute(hash)), hash);
  }
});

test('what signs says so, and the password goes out with that one request', () => {
  const flag = (name: string) => ({ name, valueBoolean: true });
  const list = (...flags: object[]) => actionsOf({ resourceType: 'Parameters', parameter: [{ name: 'action', part: [{ name: 'code', valueCode: 'x' }, ...flags] }] } as never, 'zh');
  const [plain] = list(), [optional] = list(flag('sign')), [compulsory] = list(flag('sign'), flag('signPassword'));
  assert.deepEqual([plain, optional, compulsory].map((a) => [a.sign, a.signPassword]), [[false, false], [true, false], [true, true]]);
  const work = { kind: 'move', task: { resourceType: 'Task', id: 't' } as Task, action: compulsory } as const;
  assert.deepEqual(workBody(work, undefined).parameter?.map((p) => p.name), ['action']);
  assert.deepEqual(workBody(work, undefined, { by: 'password', value: 'secret' }).parameter?.[1], { name: 'password', valueString: 'secret' });
  assert.deepEqual(workBody(work, undefined, { by: 'otp', value: '123456' }).parameter?.[1], { name: 'otp', valueString: '123456' });
});
