// Registering a visit opens the record for the configured time, and the audit says so.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Server, patient } from '../support/menkou.mjs';

const day = (n) => ['--now', new Date(Date.parse('2026-11-22T00:00:00Z') + n * 86400_000).toISOString()];
const audit = () => readdirSync(join(server.dir, 'audit')).sort()
    .flatMap((f) => readFileSync(join(server.dir, 'audit', f), 'utf8').trim().split('\n').map((line) => JSON.parse(line)));

let server, bench, west;
const restartOn = async (n) => {
    server.args = day(n);
    await server.restart();
    bench = await server.login();
    west = await server.login('west');
};
before(async () => {
    server = await Server.start({ args: day(0) });
    bench = await server.login();
    for (const id of ['east', 'west']) await bench.put(`/fhir/Organization/${id}`, { resourceType: 'Organization', id, name: id });
    server.addUser('west', 'township-doctor', 'Organization/west');
    west = await server.login('west');
});
after(() => server?.stop());

const visit = (id, more) => ({
    resourceType: 'Encounter', status: 'in-progress', subject: { reference: `Patient/${id}` },
    class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'AMB' },
    serviceProvider: { reference: 'Organization/west' }, ...more,
});

describe('a visit', () => {
    let first, second;
    it('opens the record, with a record of its own in the audit', async () => {
        [first, second] = [(await bench.create(patient())).id, (await bench.create(patient())).id];
        assert.equal((await west.get(`/fhir/Patient/${first}`)).status, 404);
        const r = await west.post('/fhir/Encounter', visit(first));
        assert.equal(r.status, 201, r.text);
        assert.equal((await west.get(`/fhir/Patient/${first}`)).status, 200);
        const [record, ...more] = audit().filter((x) => x.do === 'visit');
        assert.deepEqual(more, []);
        assert.equal(record.what, `Encounter/${r.json.id}`);
        assert.deepEqual(record.patients, [first]);
        assert.equal(record.user, 'west');
    });
    it('that was refused is none', async () => {
        const r = await west.post('/fhir/Encounter', visit(second, { serviceProvider: { reference: 'Organization/east' } }));
        assert.equal(r.status, 404);
        const batch = await west.post('/fhir', {
            resourceType: 'Bundle', type: 'batch',
            entry: [
                { resource: visit(second, { serviceProvider: { reference: 'Organization/east' } }), request: { method: 'POST', url: 'Encounter' } },
                { resource: visit(first), request: { method: 'POST', url: 'Encounter' } },
            ],
        });
        assert.deepEqual(batch.json.entry.map((e) => e.response.status.slice(0, 3)), ['404', '201']);
        const visits = audit().filter((x) => x.do === 'visit');
        assert.deepEqual(visits.map((x) => x.patients), [[first], [first]]);
        assert.equal((await west.get(`/fhir/Patient/${second}`)).status, 404);
    });
    it('is over after its time', async () => {
        await restartOn(89);
        assert.equal((await west.get(`/fhir/Patient/${first}`)).status, 200);
        assert.equal((await west.get('/fhir/Encounter')).json.entry.length, 2);
        await restartOn(91);
        assert.equal((await west.get(`/fhir/Patient/${first}`)).status, 404);
        assert.equal((await west.get(`/fhir/Encounter?subject=Patient/${first}`)).json.entry, undefined);
        assert.equal((await bench.get(`/fhir/Patient/${first}`)).status, 200);
        assert.equal((await west.post('/fhir/Encounter', visit(first))).status, 201);
        assert.equal((await west.get(`/fhir/Patient/${first}`)).status, 200, 'the next visit opens it again');
    });
});
