// Two townships under one county: what one sees of the other's patient is nothing.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Server, patient } from '../support/menkou.mjs';

let server, bench, east, west, clinic, person, observation;
before(async () => {
    server = await Server.start();
    bench = await server.login();
    for (const [id, parent] of [['county'], ['east', 'county'], ['clinic', 'east'], ['west', 'county']]) {
        await bench.put(`/fhir/Organization/${id}`, {
            resourceType: 'Organization', id, name: id, type: id === 'east' ? [{ coding: [{ system: 'urn:menkou:institution', code: 'township-hospital' }] }] : undefined, partOf: parent && { reference: `Organization/${parent}` },
        });
    }
    server.addUser('east', 'township-doctor', 'Organization/east');
    server.addUser('west', 'township-doctor', 'Organization/west');
    server.addUser('clinic', 'village-doctor', 'Organization/clinic');
    [east, west, clinic] = [await server.login('east'), await server.login('west'), await server.login('clinic')];
    person = await clinic.create(patient({ family: '刘', given: '桂芝', card: true, managingOrganization: { reference: 'Organization/clinic' } }));
    observation = await clinic.create({
        resourceType: 'Observation', status: 'final', code: { text: 'a' }, subject: { reference: `Patient/${person.id}` },
    });
});
after(() => server?.stop());

describe('the hospital above the clinic', () => {
    it('sees the clinic’s patient and what is of the patient', async () => {
        assert.equal((await east.get(`/fhir/Patient/${person.id}`)).status, 200);
        assert.equal((await east.get(`/fhir/Observation?patient=${person.id}`)).json.entry.length, 1);
    });
});

describe('the township beside it', () => {
    it('reads nothing: 404', async () => {
        for (const path of [
            `Patient/${person.id}`, `Patient/${person.id}/_history/1`, `Patient/${person.id}/_history`,
            `Observation/${observation.id}`, `Observation/${observation.id}/_history/1`,
        ]) {
            assert.equal((await west.get(`/fhir/${path}`)).status, 404, path);
        }
    });
    it('finds nothing, counts nothing', async () => {
        for (const query of [
            'Patient?name=%E5%88%98', `Patient?_id=${person.id}`, 'Patient?pinyin=lgz',
            `Observation?patient=${person.id}`, `Observation?subject=Patient/${person.id}`,
            'Observation?patient.name=%E5%88%98', `Observation?_id=${observation.id}&_include=Observation:subject`,
        ]) {
            const r = await west.get(`/fhir/${query}&_total=accurate`);
            assert.equal(r.status, 200, `${query} ${r.text}`);
            assert.equal(r.json.total, 0, query);
            assert.equal(r.json.entry, undefined, query);
        }
        assert.ok(!(await west.get('/fhir/Patient/_history')).text.includes(person.id));
        assert.ok(!(await west.get('/fhir/_history')).text.includes(person.id));
    });
    it('is told the township of whom it seeks, not the clinic', async () => {
        const { name, birthDate, gender } = person;
        const r = await west.post('/fhir/Patient/$match', { resourceType: 'Parameters', parameter: [
            { name: 'resource', resource: { resourceType: 'Patient', name, birthDate, gender } }] });
        assert.equal(r.json.entry?.length, 1, r.text);
        const [{ resource }] = r.json.entry;
        assert.deepEqual(resource.managingOrganization, { display: 'east' });
        assert.ok(!r.text.includes(name[0].text ?? name[0].given[0]));
    });
    it('writes nothing', async () => {
        const mine = { resourceType: 'Observation', status: 'final', code: { text: 'b' }, subject: { reference: `Patient/${person.id}` } };
        assert.equal((await west.post('/fhir/Observation', mine)).status, 404);
        assert.equal((await west.put(`/fhir/Patient/${person.id}`, patient({ id: person.id }))).status, 404);
        assert.equal((await west.put(`/fhir/Observation/${observation.id}`, { ...mine, id: observation.id })).status, 404);
        const r = await west.post('/fhir', {
            resourceType: 'Bundle', type: 'transaction',
            entry: [
                { resource: patient(), request: { method: 'POST', url: 'Patient' } },
                { resource: mine, request: { method: 'POST', url: 'Observation' } },
            ],
        });
        assert.equal(r.status, 404, r.text);
        assert.match(r.json.issue[0].expression[0], /^Bundle\.entry\[1\]/);
    });
    it('may not register the ID card a second time', async () => {
        const r = await west.post('/fhir/Patient', patient({ card: person.identifier[0].value }));
        assert.equal(r.status, 409, r.text);
    });
    it('registering a visit opens the record', async () => {
        const visitor = await clinic.create(patient({ family: '访' }));
        const place = `/fhir/Patient/${visitor.id}`;
        assert.equal((await west.get(place)).status, 404);
        const visit = {
            resourceType: 'Encounter', status: 'in-progress', subject: { reference: `Patient/${visitor.id}` },
            class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'AMB' },
            serviceProvider: { reference: 'Organization/east' },
        };
        assert.equal((await west.post('/fhir/Encounter', visit)).status, 404, 'not in another’s name');
        visit.serviceProvider.reference = 'Organization/west';
        assert.equal((await west.post('/fhir/Encounter', visit)).status, 201);
        assert.equal((await west.get(place)).status, 200);
    });
});

describe('recordings', () => {
    const bytes = Buffer.from('not a recording \u0000\u0001\u0002');
    const upload = (c, headers = {}) =>
        c.send('POST', '/fhir/Binary', { body: bytes, type: 'application/octet-stream', headers });

    it('come back byte for byte, and as a resource when asked for', async () => {
        const r = await upload(east, { 'X-Security-Context': `Patient/${person.id}` });
        assert.equal(r.status, 201, r.text);
        const place = `/fhir/Binary/${r.json.id}`;
        const raw = await east.get(place);
        assert.equal(raw.headers['content-type'], 'application/octet-stream');
        assert.deepEqual(raw.bytes, bytes);
        const resource = await east.get(place, { Accept: 'application/fhir+json' });
        assert.deepEqual(Buffer.from(resource.json.data, 'base64'), bytes);
        assert.equal((await clinic.get(place)).status, 200);
        assert.equal((await west.get(place)).status, 404);
        assert.equal((await west.get(`${place}/$ecg`)).status, 404);
        assert.equal((await east.get(`${place}/$ecg`)).status, 422);
    });
    it('without a context are their uploader’s alone', async () => {
        const r = await upload(clinic);
        assert.equal(r.status, 201, r.text);
        assert.equal((await clinic.get(`/fhir/Binary/${r.json.id}`)).status, 200);
        assert.equal((await west.get(`/fhir/Binary/${r.json.id}`)).status, 404);
        assert.equal((await east.get(`/fhir/Binary/${r.json.id}`)).status, 404);
    });
    it('may not be given to a patient out of sight', async () => {
        assert.equal((await upload(west, { 'X-Security-Context': `Patient/${person.id}` })).status, 404);
        assert.equal((await upload(east, { 'X-Security-Context': 'nonsense' })).status, 400);
    });
    it('as FHIR JSON say themselves whose they are', async () => {
        const binary = { resourceType: 'Binary', contentType: 'text/plain', data: 'eA==' };
        const context = { 'X-Security-Context': `Patient/${person.id}` };
        const silent = await east.post('/fhir/Binary', binary, context);
        assert.equal(silent.status, 400, silent.text);
        assert.deepEqual(silent.json.issue[0].expression, ['X-Security-Context']);
        assert.equal((await east.post('/fhir/Binary', { ...binary, securityContext: { reference: `Patient/${person.id}` } }, context)).status, 201);
    });
    it('as FHIR JSON keep their data in the resource', async () => {
        const made = await east.create({
            resourceType: 'Binary', contentType: 'text/plain', data: Buffer.from('词').toString('base64'),
            securityContext: { reference: `Patient/${person.id}` },
        });
        const raw = await east.get(`/fhir/Binary/${made.id}`);
        assert.equal(raw.headers['content-type'], 'text/plain');
        assert.equal(raw.text, '词');
        assert.equal((await east.post('/fhir/Binary', {
            resourceType: 'Binary', contentType: 'text/plain', meta: { tag: [{ system: 'urn:menkou:blob', code: 'a' }] },
        })).status, 422);
    });
});
