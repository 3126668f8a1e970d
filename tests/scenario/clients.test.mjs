// Clients of others, unchanged: what programs written for any FHIR server do through them. They stand in tests/clients
// (npm ci; ./dev test installs them) and are no part of the program.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Server, patient, root } from '../support/menkou.mjs';

const folder = join(root, 'tests', 'clients');
const skip = existsSync(join(folder, 'node_modules', 'fhir-kit-client')) ? false : 'SKIPPED the clients: tests/clients has no node_modules (npm ci)';
if (skip) console.log(skip);
const load = skip ? undefined : createRequire(join(folder, 'package.json'));

let server, bench, base;
before(async () => {
    server = await Server.start();
    bench = await server.login();
    base = `${server.url}/fhir`;
});
after(() => server?.stop());

let marks = 0;
const mark = () => `clients-${++marks}`;
const marked = (value, more) => patient({ identifier: [{ system: 'urn:test:clients', value }], ...more });
const condition = (value) => `identifier=urn:test:clients|${value}`;
const bundle = (type, ...resources) => ({
    resourceType: 'Bundle', type,
    entry: resources.map((resource) => ({ resource, request: { method: 'POST', url: resource.resourceType } })),
});
const observation = (id) => ({ resourceType: 'Observation', status: 'final', code: { text: 'x' }, subject: { reference: `Patient/${id}` } });
const refused = async (promise) => promise.then(() => assert.fail('it was not refused'), (e) => e);

describe('fhir-kit-client', { skip }, () => {
    let client;
    before(() => {
        const Client = load('fhir-kit-client');
        client = new (Client.default ?? Client)({ baseUrl: base, bearerToken: bench.token });
    });
    it('lives through a resource', async () => {
        const made = await client.create({ resourceType: 'Patient', body: patient() });
        assert.ok(made.id);
        const where = { resourceType: 'Patient', id: made.id };
        assert.deepEqual(await client.read(where), made);
        const changed = await client.update({ ...where, body: { ...made, active: true } });
        assert.equal(changed.meta.versionId, '2');
        const patched = await client.patch({ ...where, JSONPatch: [{ op: 'replace', path: '/active', value: false }] });
        assert.equal(patched.active, false);
        assert.equal((await client.vread({ ...where, version: '2' })).active, true);
        assert.deepEqual((await client.history(where)).entry.map((e) => e.response.etag), ['W/"3"', 'W/"2"', 'W/"1"']);
        assert.ok((await client.typeHistory({ resourceType: 'Patient' })).entry.length > 0);
        assert.ok((await client.systemHistory()).entry.length > 0);
        await client.delete(where);
        const gone = await refused(client.read(where));
        assert.equal(gone.response.status, 410);
        assert.equal(gone.response.data.resourceType, 'OperationOutcome');
    });
    it('searches page by page, also by POST and in a compartment', async () => {
        const value = mark();
        const made = [];
        for (let i = 0; i < 5; i++) made.push(await client.create({ resourceType: 'Patient', body: marked(value) }));
        const seen = [];
        let page = await client.search({ resourceType: 'Patient', searchParams: { identifier: `urn:test:clients|${value}`, _count: 2, _total: 'accurate' } });
        assert.equal(page.total, 5);
        for (; page; page = await client.nextPage({ bundle: page })) seen.push(...page.entry.map((e) => e.resource.id));
        assert.deepEqual(seen.sort(), made.map((p) => p.id).sort());
        const posted = await client.resourceSearch({ resourceType: 'Patient', searchParams: { identifier: `urn:test:clients|${value}` }, options: { postSearch: true } });
        assert.equal(posted.entry.length, 5);
        const wrong = await refused(client.search({ resourceType: 'Patient', searchParams: { nosuch: 1 } }));
        assert.equal(wrong.response.status, 400);
    });
    it('conditional update and patch, transactions, batches, operations, the capability statement', async () => {
        const value = mark();
        const made = await client.update({ resourceType: 'Patient', searchParams: { identifier: `urn:test:clients|${value}` }, body: marked(value) });
        assert.ok(made.id);
        const answer = await client.transaction({ body: bundle('transaction', patient(), observation(made.id)) });
        assert.deepEqual(answer.entry.map((e) => e.response.status), ['201 Created', '201 Created']);
        assert.equal((await client.batch({ body: bundle('batch', patient()) })).type, 'batch-response');
        const all = await client.operation({ name: 'everything', resourceType: 'Patient', id: made.id, method: 'GET' });
        assert.deepEqual(all.entry.map((e) => e.resource.resourceType).sort(), ['Observation', 'Patient']);
        assert.equal((await client.capabilityStatement()).fhirVersion, '4.0.1');
        const conflict = await refused(client.update({ resourceType: 'Patient', id: made.id, body: { ...made, active: true }, options: { headers: { 'If-Match': 'W/"7"' } } }));
        assert.equal(conflict.response.status, 412);
    });
});

describe('@medplum/core', { skip }, () => {
    let client;
    before(() => {
        const { MedplumClient } = load('@medplum/core');
        // Its own log-in is its own server's; the session's token goes into each request.
        const send = (url, options = {}) => fetch(url, { ...options, headers: { ...options.headers, Authorization: `Bearer ${bench.token}` } });
        client = new MedplumClient({ baseUrl: `${server.url}/`, fhirUrlPath: 'fhir', fetch: send, cacheTime: 0 });
    });
    it('lives through a resource', async () => {
        const made = await client.createResource(patient());
        assert.deepEqual(await client.readResource('Patient', made.id), made);
        const changed = await client.updateResource({ ...made, active: true });
        assert.equal(changed.meta.versionId, '2');
        const same = await client.updateResource(changed);
        assert.equal(same.meta.versionId, '2');
        const patched = await client.patchResource('Patient', made.id, [{ op: 'replace', path: '/active', value: false }]);
        assert.equal(patched.active, false);
        assert.equal((await client.readVersion('Patient', made.id, '2')).active, true);
        assert.equal((await client.readHistory('Patient', made.id)).entry.length, 3);
        assert.equal((await client.readReference({ reference: `Patient/${made.id}` })).id, made.id);
        await client.deleteResource('Patient', made.id);
        const gone = await refused(client.readResource('Patient', made.id));
        assert.equal(gone.outcome.resourceType, 'OperationOutcome');
    });
    it('searches, pages, creates where none is, upserts', async () => {
        const value = mark();
        const query = condition(value);
        const first = await client.createResourceIfNoneExist(marked(value), query);
        const again = await client.createResourceIfNoneExist(marked(value), query);
        assert.equal(again.id, first.id);
        const put = await client.upsertResource(marked(value, { active: true }), query);
        assert.equal(put.id, first.id);
        for (let i = 0; i < 3; i++) await client.createResource(marked(value));
        assert.equal((await client.searchResources('Patient', `${query}&_count=10`)).length, 4);
        const seen = [];
        for await (const page of client.searchResourcePages('Patient', `${query}&_count=3`)) seen.push(...page.map((p) => p.id));
        assert.equal(new Set(seen).size, 4);
        assert.equal((await client.searchOne('Patient', `_id=${first.id}`)).id, first.id);
    });
    it('batches, validates, reads everything, and is told what is wrong', async () => {
        const made = await client.createResource(patient());
        const answer = await client.executeBatch(bundle('transaction', observation(made.id)));
        assert.equal(answer.entry[0].response.status, '201 Created');
        assert.equal((await client.readPatientEverything(made.id)).entry.length, 2);
        assert.equal((await client.validateResource(patient())).resourceType, 'OperationOutcome');
        const wrong = await refused(client.createResource({ ...patient(), gender: 'x' }));
        assert.match(JSON.stringify(wrong.outcome.issue[0].expression), /Patient\.gender/);
        const binary = await client.createBinary({ data: 'hello', contentType: 'text/plain' });
        assert.equal(binary.resourceType, 'Binary');
    });
});

describe('fhirclient', { skip }, () => {
    let client;
    before(() => {
        const smart = load('fhirclient');
        client = smart({ headers: {}, url: '/' }, {}).client({ serverUrl: base, tokenResponse: { access_token: bench.token, token_type: 'Bearer' } });
    });
    it('lives through a resource', async () => {
        const made = await client.create(patient());
        assert.deepEqual(await client.request(`Patient/${made.id}`), made);
        const changed = await client.update({ ...made, active: true });
        assert.equal(changed.meta.versionId, '2');
        const patched = await client.patch(`Patient/${made.id}`, [{ op: 'replace', path: '/active', value: false }]);
        assert.equal(patched.active, false);
        assert.equal((await client.request(`Patient/${made.id}/_history`)).entry.length, 3);
        await client.delete(`Patient/${made.id}`);
        const gone = await refused(client.request(`Patient/${made.id}`));
        assert.equal(gone.status ?? gone.statusCode, 410);
    });
    it('walks pages, resolves references, sends transactions', async () => {
        const value = mark();
        const made = [];
        for (let i = 0; i < 5; i++) made.push(await client.create(marked(value)));
        const all = await client.request(`Patient?${condition(value)}&_count=2`, { pageLimit: 0, flat: true });
        assert.deepEqual(all.map((p) => p.id).sort(), made.map((p) => p.id).sort());
        const kept = await client.create(observation(made[0].id));
        const resolved = await client.request(`Observation/${kept.id}`, { resolveReferences: 'subject' });
        assert.equal(resolved.subject.id, made[0].id);
        const answer = await client.request({
            url: base, method: 'POST', body: JSON.stringify(bundle('transaction', observation(made[1].id))),
            headers: { 'content-type': 'application/fhir+json' },
        });
        assert.equal(answer.type, 'transaction-response');
        const wrong = await refused(client.create({ ...patient(), gender: 'x' }));
        assert.match(wrong.message, /422|gender/);
        assert.equal(await client.getFhirVersion(), '4.0.1');
    });
});
