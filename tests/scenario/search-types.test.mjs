// Searches across types, within compartments, by what terminology says, in full text; order by what a reference leads to;
// totals; the plan; and that a stranger sees nothing through any of these doors.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Server, patient } from '../support/menkou.mjs';

let server, bench, anna, bob, first;
const observation = (who, code, value, more = {}) => ({
    resourceType: 'Observation', status: 'final', code: { coding: [{ system: 'urn:c', code, display: `Test ${code}` }] },
    subject: { reference: `Patient/${who.id}` }, effectiveDateTime: `2026-01-0${value}`, valueQuantity: { value, unit: 'x' }, ...more,
});
before(async () => {
    server = await Server.start({ accounts: [['bench', 'integrator'], ['stranger', 'county-doctor', 'Organization/elsewhere']] });
    bench = await server.login();
    anna = await bench.create(patient({ family: 'Anna', given: '甲', birthDate: '1950-01-01' }));
    bob = await bench.create(patient({ family: 'Bob', given: '乙', birthDate: '1980-01-01' }));
    first = await bench.create(observation(anna, 'a', 1));
    await bench.create(observation(bob, 'b', 2));
    await bench.create(observation(anna, 'b', 3, { note: [{ text: '夜间头痛' }] }));
    await bench.create({ resourceType: 'Condition', subject: { reference: `Patient/${anna.id}` }, code: { text: '高血压' } });
    await bench.create({ resourceType: 'CodeSystem', url: 'urn:c', status: 'active', content: 'complete', hierarchyMeaning: 'is-a',
        concept: [{ code: 'top', concept: [{ code: 'a' }, { code: 'b' }] }] });
    await bench.create({ resourceType: 'ValueSet', url: 'urn:vs', status: 'active', compose: { include: [{ system: 'urn:c', concept: [{ code: 'b' }] }] } });
});
after(() => server?.stop());

const page = async (query, who = bench) => {
    const r = await who.get(`/fhir${query}`);
    assert.equal(r.status, 200, `${query}: ${r.text}`);
    return r.json;
};
const names = (bundle) => (bundle.entry ?? []).map((e) => `${e.resource.resourceType}/${e.resource.id}`);
const types = (bundle) => (bundle.entry ?? []).map((e) => e.resource.resourceType);
const refused = async (query, status, words) => {
    const r = await bench.get(`/fhir${query}`);
    assert.equal(r.status, status, `${query}: ${r.text}`);
    assert.match(r.text, words);
};

describe('across types', () => {
    it('asks each of the types that _type names, page by page', async () => {
        assert.deepEqual(types(await page('?_type=Condition,Observation')), ['Condition', 'Observation', 'Observation', 'Observation']);
        const seen = [];
        for (let next = '/fhir?_type=Condition,Observation&_count=3&_total=accurate'; next;) {
            const r = await bench.get(next);
            assert.equal(r.json.total, 4);
            seen.push(...names(r.json));
            next = r.json.link.find((l) => l.relation === 'next')?.url.replace(/^http:\/\/[^/]+/, '');
        }
        assert.equal(new Set(seen).size, 4);
        assert.equal(seen.length, 4);
    });
    it('asks all types where none is named, also by POST', async () => {
        const found = await page('?_lastUpdated=gt2000-01-01&_summary=count');
        assert.ok(found.total >= 8);
        const r = await bench.send('POST', '/fhir/_search', { body: `_type=Patient&_id=${anna.id}`, type: 'application/x-www-form-urlencoded' });
        assert.deepEqual(names(r.json), [`Patient/${anna.id}`]);
    });
    it('sorts over all of them by the time of the change', async () => {
        const found = await page('?_type=Observation,Patient&_sort=_lastUpdated&_count=3');
        assert.equal(types(found).filter((t) => t === 'Patient').length, 2);
        assert.equal(names(found)[2], `Observation/${first.id}`);
    });
    it('refuses what one of the types does not know', async () => {
        await refused('?_type=Patient,Observation&birthdate=1950', 400, /birthdate/);
        await refused('?_type=Patient,Nonsense', 404, /Nonsense/);
        await refused('?_type=Patient,Observation&_sort=birthdate', 400, /_sort/);
    });
});

describe('refusals', () => {
    it('say how a value is written and which key is not known', async () => {
        await refused('/Patient?birthdate=soon', 400, /ge2026-11-22/);
        await refused('/Observation?value-quantity=much', 400, /mmol/);
        await refused('/Patient?_sort=-birthdate,colour', 400, /colour/);
    });
    it('hold for a query of very many parameters, which is answered', async () => {
        assert.equal((await page(`/Patient?${'gender=female&'.repeat(400)}_id=${anna.id}`)).entry?.length, 1);
        await refused(`/Patient?${'a=b&'.repeat(1500)}c=d`, 400, /OperationOutcome/);
    });
});

describe('compartments', () => {
    it('hold what any of their parameters leads to', async () => {
        assert.equal(names(await page(`/Patient/${anna.id}/Observation`)).length, 2);
        assert.equal(names(await page(`/Patient/${anna.id}/Observation?code=b`)).length, 1);
        assert.deepEqual(types(await page(`/Patient/${anna.id}/*`)).sort(), ['Condition', 'Observation', 'Observation', 'Patient']);
        assert.deepEqual(types(await page(`/Patient/${anna.id}/*?_type=Condition`)), ['Condition']);
    });
    it('are those of R4', async () => {
        await refused(`/Observation/1/Patient`, 404, /Observation/);
        await refused(`/Patient/${anna.id}/Medication`, 400, /Medication/);
    });
});

describe('a reference', () => {
    it('is found by the address that answers give, on every page', async () => {
        const [entry] = (await page(`/Patient?_id=${anna.id}`)).entry;
        const all = names(await page(`/Observation?subject=Patient/${anna.id}`));
        assert.ok(all.length > 1);
        const found = [];
        for (let path = `/Observation?_count=1&subject=${encodeURIComponent(entry.fullUrl)}`; path;) {
            const one = await page(path);
            found.push(...names(one));
            path = one.link.find((l) => l.relation === 'next')?.url.split('/fhir').slice(1).join('/fhir');
        }
        assert.deepEqual(found.sort(), all.sort());
        assert.deepEqual(names(await page(`/Observation?subject=http://elsewhere.test/fhir/Patient/${anna.id}`)), []);
    });
});

describe('what terminology says', () => {
    it('a value set, what stands below and above a code', async () => {
        assert.equal(names(await page('/Observation?code:in=urn:vs')).length, 2);
        assert.deepEqual(names(await page('/Observation?code:not-in=urn:vs')), [`Observation/${first.id}`]);
        assert.equal(names(await page('/Observation?code:below=urn:c%7Ctop')).length, 3);
        assert.equal(names(await page('/Observation?code:below=urn:c%7Ca')).length, 1);
        assert.equal(names(await page('/Observation?code:above=urn:c%7Ca')).length, 1);
        await refused('/Observation?code:in=urn:nowhere', 400, /code/);
        // One that lists its codes needs no code system; to expand it does.
        await bench.create({ resourceType: 'ValueSet', url: 'urn:listed', status: 'active', compose: { include: [{ system: 'http://loinc.org', concept: [{ code: '8480-6' }] }] } });
        const made = await bench.create({ resourceType: 'Observation', status: 'final', code: { coding: [{ system: 'http://loinc.org', code: '8480-6' }] } });
        assert.equal(names(await page('/Observation?code:in=urn:listed')).length, 1);
        await refused('/ValueSet/$expand?url=urn:listed', 422, /loinc/);
        await bench.delete(`/fhir/Observation/${made.id}`);
    });
});

describe('texts', () => {
    it('in Chinese, also of two characters and one', async () => {
        assert.equal(names(await page(`/Observation?_content=${encodeURIComponent('头痛')}`)).length, 1);
        assert.equal(names(await page(`/Condition?_content=${encodeURIComponent('压')}`)).length, 1);
        assert.equal(names(await page(`/Condition?code:text=${encodeURIComponent('高血')}`)).length, 1);
        assert.equal(names(await page(`/Observation?_text=${encodeURIComponent('头痛')}`)).length, 0);
    });
});

describe('order and totals', () => {
    it('by what a reference leads to', async () => {
        const found = await page('/Observation?_sort=-patient.birthdate,date&_include=Observation:subject');
        const subjects = found.entry.filter((e) => e.search.mode === 'match').map((e) => e.resource.subject.reference.split('/')[1]);
        assert.deepEqual(subjects, [bob.id, anna.id, anna.id]);
        await refused('/Observation?_sort=subject.name', 400, /_sort/);
    });
    it('a token is counted by its list, changes at once included', async () => {
        const total = async () => (await page('/Observation?code=urn:c%7Cb&_total=accurate&_count=1')).total;
        assert.equal(await total(), 2);
        const more = await bench.create(observation(bob, 'b', 4));
        assert.equal(await total(), 3);
        await bench.put(`/fhir/Observation/${more.id}`, { ...more, code: { text: 'none' } });
        assert.equal(await total(), 2);
        await bench.delete(`/fhir/Observation/${more.id}`);
        assert.equal(await total(), 2);
    });
    it('everything that is referred to and refers', async () => {
        const found = await page(`/Patient?_id=${bob.id}&_revinclude=*`);
        assert.deepEqual(types(found), ['Patient', 'Observation']);
    });
});

describe('the plan', () => {
    it('is shown to those who administer, without what was found', async () => {
        const plan = await page('/Observation?code=b&subject.name=bob&_explain=true');
        assert.equal(plan.resourceType, 'Parameters');
        const value = (name) => plan.parameter.filter((p) => p.name === name);
        assert.match(value('plan').map((p) => p.valueString).join('\n'), /begins with/);
        assert.ok(value('rows')[0].valueInteger > 0);
        await refused('/Observation?_explain=maybe', 400, /_explain/);
    });
});

describe('functional lists', () => {
    it('stand for what is current, without a List that somebody keeps', async () => {
        const status = (code, system = 'condition-clinical') => ({ coding: [{ system: `http://terminology.hl7.org/CodeSystem/${system}`, code }] });
        const subject = { reference: `Patient/${anna.id}` };
        for (const [id, clinical, verified] of [['now', 'active', 'confirmed'], ['again', 'relapse', 'provisional'], ['over', 'resolved', 'confirmed'], ['wrong', 'active', 'refuted']]) {
            await bench.put(`/fhir/Condition/list-${id}`, { resourceType: 'Condition', id: `list-${id}`, subject, code: { text: 'x' }, clinicalStatus: status(clinical), verificationStatus: status(verified, 'condition-ver-status') });
        }
        for (const [id, state] of [['taken', 'active'], ['stopped', 'stopped']]) {
            await bench.put(`/fhir/MedicationRequest/list-${id}`, { resourceType: 'MedicationRequest', id: `list-${id}`, subject, status: state, intent: 'order', medicationCodeableConcept: { text: 'x' } });
        }
        const ids = async (query) => ((await page(query)).entry ?? []).map((e) => e.resource.id).filter((id) => id.startsWith('list-')).sort();
        assert.deepEqual(await ids(`/Condition?patient=${anna.id}&_list=$current-problems`), ['list-again', 'list-now']);
        assert.deepEqual(await ids(`/MedicationRequest?patient=${anna.id}&_list=%24current-medications`), ['list-taken']);
        assert.deepEqual(names(await page(`/AllergyIntolerance?patient=${anna.id}&_list=$current-allergies`)), []);
        await refused('/Patient?_list=$current-problems', 400, /_list/);
        await refused('/Condition?_list=$current-nonsense', 400, /current-problems/);
    });
});

describe('a stranger', () => {
    it('sees nothing through any of these doors, and no number', async () => {
        const stranger = await server.login('stranger');
        for (const query of ['?_type=Patient,Observation,Condition', `/Patient/${anna.id}/*`, `/Patient/${anna.id}/Observation`,
            '/Observation?code=b', '/Observation?code:in=urn:vs', '/Observation?code:below=urn:c%7Ctop', '/Observation?code:text=test',
            `/Observation?_content=${encodeURIComponent('头痛')}`, `/Condition?_content=${encodeURIComponent('压')}`, '/Patient?name:contains=nn',
            '/Patient?_has:Observation:patient:code=b', '/Observation?patient.birthdate=1950', '/Observation?_sort=patient.birthdate',
            '/Observation?code-value-quantity=b$2', '/Observation?value-quantity=2', '/Condition?_list=$current-problems']) {
            const found = await page(`${query}${query.includes('?') ? '&' : '?'}_total=accurate`, stranger);
            assert.deepEqual(names(found), [], query);
            assert.equal(found.total, 0, query);
        }
        const included = await page('/CodeSystem?url=urn:c&_revinclude=*&_include=*', stranger);
        assert.deepEqual(types(included), ['CodeSystem']);
        assert.equal((await stranger.get('/fhir/Observation?code=b&_explain=true')).status, 403);
    });
});
