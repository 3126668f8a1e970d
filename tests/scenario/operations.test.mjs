// Operations on single resources: labels ($meta …), documents, all of an encounter.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Server, patient } from '../support/menkou.mjs';

let server, bench, doctor;
before(async () => {
    server = await Server.start({ accounts: [['bench', 'integrator'], ['doctor', 'village-doctor', 'Organization/o1']] });
    bench = await server.login();
    await bench.put('/fhir/Organization/o1', { resourceType: 'Organization', id: 'o1', name: 'o' });
    doctor = await server.login('doctor');
});
after(() => server?.stop());

const HIV = { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'HIV' };
const meta = (valueMeta) => ({ resourceType: 'Parameters', parameter: [{ name: 'meta', valueMeta }] });
const metaOf = (r) => r.json.parameter[0].valueMeta;

describe('$meta, $meta-add, $meta-delete', () => {
    it('reads, adds and takes away; each change is a version, none is none', async () => {
        const { id } = await bench.create(patient());
        const place = `/fhir/Patient/${id}`;
        const tag = { system: 'urn:t', code: 'a' };
        const added = await bench.post(`${place}/$meta-add`, meta({ tag: [tag, { system: 'urn:t', code: 'b' }], security: [HIV], profile: ['http://example.org/p'] }));
        assert.equal(added.status, 200, added.text);
        assert.equal(added.headers.etag, 'W/"2"');
        assert.deepEqual(metaOf(added).tag, [tag, { system: 'urn:t', code: 'b' }]);
        assert.equal((await bench.post(`${place}/$meta-add`, meta({ tag: [{ ...tag, display: 'again' }] }))).headers.etag, 'W/"2"');
        const r = await bench.get(`${place}/$meta`);
        assert.deepEqual(metaOf(r), (await bench.get(place)).json.meta);
        assert.equal(metaOf(await bench.get(`${place}/_history/1/$meta`)).tag, undefined);
        const less = await bench.post(`${place}/$meta-delete`, meta({ tag: [{ system: 'urn:t', code: 'b' }], profile: ['http://example.org/p', 'urn:none'] }));
        assert.equal(less.headers.etag, 'W/"3"');
        assert.deepEqual([metaOf(less).tag, metaOf(less).profile, metaOf(less).security], [[tag], undefined, [HIV]]);
        assert.equal((await bench.post(`${place}/$meta-add`, meta({ tag: [{ code: 'x' }] }), { 'If-Match': 'W/"1"' })).status, 412);
        assert.equal((await bench.get(place)).json.name[0].family, '测');
    });
    it('refuses what is no meta', async () => {
        const { id } = await bench.create(patient());
        const place = `/fhir/Patient/${id}`;
        assert.equal((await bench.post(`${place}/$meta-add`, { resourceType: 'Parameters' })).status, 400);
        assert.equal((await bench.post(`${place}/$meta-add`, meta({ nothing: 1 }))).status, 422);
        assert.equal((await bench.post('/fhir/Patient/nobody/$meta-add', meta({ tag: [{ code: 'a' }] }))).status, 404);
        assert.equal((await bench.get('/fhir/Patient/nobody/$meta')).status, 404);
    });
    it('gives no label whose class one does not see, and a stranger nothing', async () => {
        const mine = await doctor.create(patient());
        const place = `/fhir/Patient/${mine.id}`;
        assert.equal((await doctor.post(`${place}/$meta-add`, meta({ tag: [{ system: 'urn:t', code: 'mine' }] }))).status, 200);
        const r = await doctor.post(`${place}/$meta-add`, meta({ security: [HIV] }));
        assert.equal(r.status, 403, r.text);
        assert.equal((await doctor.get(`${place}/$meta`)).status, 200);
        await bench.post(`${place}/$meta-add`, meta({ security: [HIV] }));
        for (const path of ['$meta', '_history/3/$meta']) assert.equal((await doctor.get(`${place}/${path}`)).status, 404, path);
        assert.equal((await doctor.post(`${place}/$meta-delete`, meta({ security: [HIV] }))).status, 404);
        const other = await bench.create(patient());
        assert.equal((await doctor.get(`/fhir/Patient/${other.id}/$meta`)).status, 404);
        assert.equal((await doctor.post(`/fhir/Patient/${other.id}/$meta-add`, meta({ tag: [{ code: 'a' }] }))).status, 404);
    });
});

describe('Composition/$document', () => {
    const composition = (subject, author, more) => ({
        resourceType: 'Composition', status: 'final', type: { text: 't' }, date: '2026-01-01', title: 't',
        subject: { reference: subject }, author: [{ reference: author }], ...more,
    });
    it('holds the composition and what it refers to, each once', async () => {
        const who = await bench.create(patient());
        const author = await bench.create({ resourceType: 'Practitioner', name: [{ text: 'a' }] });
        const o = await bench.create({ resourceType: 'Observation', status: 'final', code: { text: 'x' }, subject: { reference: `Patient/${who.id}` } });
        const made = await bench.create(composition(`Patient/${who.id}`, `Practitioner/${author.id}`, {
            section: [{ title: 's', entry: [{ reference: `Observation/${o.id}` }], section: [{ title: 'in', entry: [{ reference: `Observation/${o.id}` }] }] }],
        }));
        const r = await bench.get(`/fhir/Composition/${made.id}/$document`);
        assert.equal(r.status, 200, r.text);
        assert.equal(r.json.type, 'document');
        assert.equal(r.json.meta, undefined);
        assert.deepEqual(r.json.entry.map((e) => e.resource.id), [made.id, who.id, author.id, o.id]);
        assert.ok(r.json.entry.every((e) => e.fullUrl.startsWith(`${server.url}/fhir/`)));
        assert.ok(r.json.timestamp && r.json.identifier.value.startsWith('urn:uuid:'));
        const kept = await bench.post(`/fhir/Composition/${made.id}/$document?persist=true`);
        assert.equal(kept.status, 201, kept.text);
        assert.equal((await bench.get(kept.headers.location)).json.entry.length, 4);
        assert.equal((await bench.get(`/fhir/Composition/${made.id}/$document?persist=true`)).status, 400);
        assert.equal((await bench.get(`/fhir/Composition/${made.id}/$document?nosuch=1`)).status, 400);
        assert.equal((await bench.get('/fhir/Composition/none/$document')).status, 404);
        assert.equal((await doctor.get(`/fhir/Composition/${made.id}/$document`)).status, 404);
    });
    it('what is missing or out of sight is told, and nothing incomplete is kept', async () => {
        const mine = await doctor.create(patient());
        const hidden = await bench.create({
            resourceType: 'Observation', status: 'final', code: { text: 'x' }, subject: { reference: `Patient/${mine.id}` }, meta: { security: [HIV] },
        });
        const made = await bench.create(composition(`Patient/${mine.id}`, 'Practitioner/none', { section: [{ entry: [{ reference: `Observation/${hidden.id}` }] }] }));
        const r = await doctor.get(`/fhir/Composition/${made.id}/$document`);
        assert.equal(r.status, 200, r.text);
        assert.deepEqual(r.json.entry.map((e) => e.resource.id), [made.id, mine.id]);
        assert.equal(r.json.meta.tag[0].code, 'SUBSETTED');
        const kept = await bench.post(`/fhir/Composition/${made.id}/$document?persist=true`);
        assert.equal(kept.status, 422, kept.text);
    });
});

describe('Encounter/$everything', () => {
    let who, encounter, made;
    before(async () => {
        who = await bench.create(patient());
        encounter = await bench.create({ resourceType: 'Encounter', status: 'finished', class: { code: 'AMB' }, subject: { reference: `Patient/${who.id}` } });
        const at = { subject: { reference: `Patient/${who.id}` }, encounter: { reference: `Encounter/${encounter.id}` } };
        made = [];
        for (let i = 0; i < 7; i++) made.push(await bench.create({ resourceType: 'Observation', status: 'final', code: { text: 'x' }, ...at }));
        made.push(await bench.create({ resourceType: 'Condition', code: { text: 'c' }, ...at }));
        made.push(await bench.create({ resourceType: 'MedicationRequest', status: 'active', intent: 'order', medicationCodeableConcept: { text: 'm' }, ...at }));
        await bench.create({ resourceType: 'Observation', status: 'final', code: { text: 'other' }, subject: at.subject });
    });
    const ids = (entries) => entries.map((e) => e.resource.id).sort();
    it('is the encounter, what it refers to, and its compartment, also page by page', async () => {
        const want = [encounter.id, who.id, ...made.map((r) => r.id)].sort();
        const whole = await bench.get(`/fhir/Encounter/${encounter.id}/$everything`);
        assert.equal(whole.status, 200, whole.text);
        assert.deepEqual(ids(whole.json.entry), want);
        for (const n of [1, 2, 3, 5]) {
            const paged = await bench.searchAll(`/fhir/Encounter/${encounter.id}/$everything?_count=${n}`);
            assert.deepEqual(ids(paged), want, `_count=${n}`);
        }
    });
    it('_type, _since, POST; refusals; a stranger sees nothing', async () => {
        const place = `/fhir/Encounter/${encounter.id}/$everything`;
        const some = await bench.get(`${place}?_type=Condition,Patient`);
        assert.deepEqual(some.json.entry.map((e) => e.resource.resourceType).sort(), ['Condition', 'Patient']);
        assert.equal((await bench.get(`${place}?_since=2999-01-01T00:00:00Z`)).json.entry, undefined);
        const posted = await bench.post(place, { resourceType: 'Parameters', parameter: [{ name: '_type', valueCode: 'Condition' }] });
        assert.equal(posted.json.entry.length, 1, posted.text);
        for (const query of ['nosuch=1', '_type=Nothing', '_count=x', '_since=x', '_cursor=x', '_cursor=99']) {
            assert.equal((await bench.get(`${place}?${query}`)).status, 400, query);
        }
        assert.equal((await bench.get('/fhir/Encounter/none/$everything')).status, 404);
        assert.equal((await doctor.get(place)).status, 404);
    });
});
