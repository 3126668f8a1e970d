// _summary and _elements: parts of a resource, with what is mandatory, tagged SUBSETTED.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Server, patient } from '../support/menkou.mjs';

let server, bench, who;
before(async () => {
    server = await Server.start();
    bench = await server.login();
    who = await bench.create(patient({
        text: { status: 'generated', div: '<div xmlns="http://www.w3.org/1999/xhtml">测试</div>' },
        meta: { tag: [{ system: 'urn:test', code: 'kept' }] },
        telecom: [{ system: 'phone', value: '13800000000' }],
        photo: [{ contentType: 'image/png' }],
        _birthDate: { extension: [{ url: 'urn:test', valueString: 'x' }] },
    }));
    await bench.create({
        resourceType: 'Observation', status: 'final', code: { text: '体温' }, subject: { reference: `Patient/${who.id}` },
        valueQuantity: { value: 36.6, unit: 'Cel' }, note: [{ text: '备注' }],
    });
});
after(() => server?.stop());

const keys = (resource) => Object.keys(resource).sort();
const one = async (query) => {
    const r = await bench.get(`/fhir/${query}`);
    assert.equal(r.status, 200, r.text);
    assert.equal(r.json.entry.length, 1);
    return r.json.entry[0].resource;
};
const codes = (resource) => resource.meta.tag?.map((t) => t.code) ?? [];

describe('_elements', () => {
    it('keeps what is named, id and meta, and says so beside the tags that were there', async () => {
        const found = await one(`Patient?_id=${who.id}&_elements=name`);
        assert.deepEqual(keys(found), ['id', 'meta', 'name', 'resourceType']);
        assert.deepEqual(codes(found), ['kept', 'SUBSETTED']);
        assert.equal(found.meta.versionId, '1');
        assert.ok(found.meta.lastUpdated);
        assert.deepEqual(found.name, who.name);
    });
    it('keeps the mandatory ones, an element with a type to choose, and the sibling of a primitive', async () => {
        assert.deepEqual(keys(await one('Observation?_elements=value')), ['code', 'id', 'meta', 'resourceType', 'status', 'valueQuantity']);
        assert.deepEqual(keys(await one('Patient?_elements=birthDate,gender')), ['_birthDate', 'birthDate', 'gender', 'id', 'meta', 'resourceType']);
    });
    it('is of the type searched: what is included comes whole', async () => {
        const r = await bench.get('/fhir/Observation?_elements=subject&_include=Observation:subject');
        const [observation, subject] = r.json.entry.map((e) => e.resource);
        assert.deepEqual(keys(observation), ['code', 'id', 'meta', 'resourceType', 'status', 'subject']);
        assert.deepEqual(subject, who);
    });
    it('refuses an element that the type does not have, and stays in the self link', async () => {
        const r = await bench.get('/fhir/Patient?_elements=name,colour');
        assert.equal(r.status, 400);
        assert.match(r.text, /_elements/);
        const self = (await bench.get('/fhir/Patient?_elements=name')).json.link[0].url;
        assert.match(self, /_elements=name/);
    });
});

describe('_summary', () => {
    it('true: the elements that R4 marks', async () => {
        const found = await one('Patient?_summary=true');
        assert.ok(found.name && found.gender && found.telecom);
        assert.ok(!found.text && !found.photo);
        assert.deepEqual(codes(found), ['kept', 'SUBSETTED']);
    });
    it('text, data, false, count', async () => {
        assert.deepEqual(keys(await one('Patient?_summary=text')), ['id', 'meta', 'resourceType', 'text']);
        const data = await one('Patient?_summary=data');
        assert.ok(!data.text && data.photo && codes(data).includes('SUBSETTED'));
        assert.deepEqual(await one('Patient?_summary=false'), who);
        const count = await bench.get('/fhir/Patient?_summary=count');
        assert.equal(count.json.total, 1);
        assert.equal(count.json.entry, undefined);
    });
    it('of a read, too', async () => {
        const url = `/fhir/Patient/${who.id}`;
        assert.deepEqual(keys((await bench.get(`${url}?_elements=gender`)).json), ['gender', 'id', 'meta', 'resourceType']);
        assert.ok(!(await bench.get(`${url}/_history/1?_summary=true`)).json.photo);
        assert.deepEqual((await bench.get(url)).json, who);
        for (const bad of ['_summary=count', '_elements=colour']) assert.equal((await bench.get(`${url}?${bad}`)).status, 400, bad);
    });
    it('refuses elements without a name, however many, also across types', async () => {
        const r = await bench.get(`/fhir?_type=Patient,Observation&_elements=${','.repeat(6000)}`);
        assert.equal(r.status, 400);
        assert.deepEqual(r.json.issue[0].expression, ['_elements']);
    });
    it('a form of the search by POST is the same', async () => {
        const r = await bench.send('POST', '/fhir/Patient/_search', { body: '_elements=name', type: 'application/x-www-form-urlencoded' });
        assert.deepEqual(keys(r.json.entry[0].resource), ['id', 'meta', 'name', 'resourceType']);
    });
});
