// POST /fhir: transactions stand or fall whole, batches entry by entry.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Server, patient } from '../support/menkou.mjs';

let server, bench;
before(async () => {
    server = await Server.start();
    bench = await server.login();
});
after(() => server?.stop());

const bundle = (type, ...entry) => ({ resourceType: 'Bundle', type, entry });
const post = (resource, fullUrl) => ({ fullUrl, resource, request: { method: 'POST', url: resource.resourceType } });
const observation = (reference, more = {}) => ({
    resourceType: 'Observation', status: 'final', code: { text: 'x' }, subject: { reference }, ...more,
});
const count = async (query) => (await bench.get(`/fhir/${query}&_summary=count`)).json.total;

describe('transaction', () => {
    it('urn:uuid references become Type/id', async () => {
        const p = 'urn:uuid:11111111-1111-4111-8111-111111111111';
        const r = await bench.post('/fhir', bundle('transaction', post(observation(p)), post(patient(), p)));
        assert.equal(r.status, 200, r.text);
        assert.equal(r.json.type, 'transaction-response');
        const [o, who] = r.json.entry;
        assert.match(o.response.status, /^201/);
        assert.equal(o.resource.subject.reference, `Patient/${who.resource.id}`);
        assert.equal(o.response.etag, 'W/"1"');
        assert.ok(o.response.location.endsWith(`Observation/${o.resource.id}/_history/1`));
    });
    it('one bad entry refuses all and names its index', async () => {
        const mark = 'urn:test:atomic';
        const good = patient({ identifier: [{ system: mark, value: '1' }] });
        const r = await bench.post('/fhir', bundle('transaction', post(good), post({ resourceType: 'Patient', gender: 'x' })));
        assert.equal(r.status, 422, r.text);
        assert.match(r.json.issue[0].expression[0], /^Bundle\.entry\[1\]\.resource\.gender/);
        assert.equal(await count(`Patient?identifier=${mark}|`), 0);
    });
    it('a failed If-Match refuses all', async () => {
        const mark = 'urn:test:if-match';
        const made = await bench.create(patient());
        const entry = {
            resource: patient({ id: made.id }), request: { method: 'PUT', url: `Patient/${made.id}`, ifMatch: 'W/"7"' },
        };
        const r = await bench.post('/fhir', bundle('transaction', post(patient({ identifier: [{ system: mark, value: '1' }] })), entry));
        assert.equal(r.status, 412, r.text);
        assert.equal(await count(`Patient?identifier=${mark}|`), 0);
    });
    it('all methods in one, in R4’s order', async () => {
        const [a, b] = [await bench.create(patient()), await bench.create(patient())];
        const r = await bench.post('/fhir', bundle('transaction',
            { request: { method: 'GET', url: `Patient/${b.id}` } },
            { resource: patient({ id: b.id, active: true }), request: { method: 'PUT', url: `Patient/${b.id}` } },
            post(patient()),
            { request: { method: 'DELETE', url: `Patient/${a.id}` } },
        ));
        assert.equal(r.status, 200, r.text);
        assert.deepEqual(r.json.entry.map((e) => e.response.status.slice(0, 3)), ['200', '200', '201', '204']);
        assert.equal(r.json.entry[0].resource.active, true);
    });
    it('conditional references and creates are resolved', async () => {
        const made = await bench.create(patient({ identifier: [{ system: 'urn:test:cond', value: '1' }] }));
        const r = await bench.post('/fhir', bundle('transaction',
            post(observation('Patient?identifier=urn:test:cond|1')),
            { ...post(patient(), 'urn:uuid:22222222-2222-4222-8222-222222222222'),
                request: { method: 'POST', url: 'Patient', ifNoneExist: 'identifier=urn:test:cond|1' } },
            post(observation('urn:uuid:22222222-2222-4222-8222-222222222222')),
        ));
        assert.equal(r.status, 200, r.text);
        assert.equal(r.json.entry[0].resource.subject.reference, `Patient/${made.id}`);
        assert.match(r.json.entry[1].response.status, /^200/);
        assert.equal(r.json.entry[2].resource.subject.reference, `Patient/${made.id}`);
    });
    it('an unknown urn:uuid and a broken shape are 400', async () => {
        const r = await bench.post('/fhir', bundle('transaction', post(observation('urn:uuid:33333333-3333-4333-8333-333333333333'))));
        assert.equal(r.status, 400, r.text);
        assert.match(r.json.issue[0].expression[0], /^Bundle\.entry\[0\]/);
        assert.equal((await bench.post('/fhir', bundle('transaction', { resource: patient() }))).status, 400);
        assert.equal((await bench.post('/fhir', patient())).status, 400);
    });
    it('the same key gives the same answer', async () => {
        const mark = 'urn:test:once';
        const body = bundle('transaction', post(patient({ identifier: [{ system: mark, value: '1' }] })));
        const key = { 'Idempotency-Key': 'bundle-1' };
        const [a, b] = [await bench.post('/fhir', body, key), await bench.post('/fhir', body, key)];
        assert.equal(a.status, 200, a.text);
        assert.deepEqual(b.json.entry.map((e) => e.response), a.json.entry.map((e) => e.response));
        assert.equal(await count(`Patient?identifier=${mark}|`), 1);
    });
});

describe('batch', () => {
    it('each entry stands alone', async () => {
        const made = await bench.create(patient());
        const r = await bench.post('/fhir', bundle('batch',
            post(patient()), post({ resourceType: 'Patient', gender: 'x' }),
            { request: { method: 'GET', url: `Patient/${made.id}` } },
            { request: { method: 'GET', url: 'Patient/none' } },
            { request: { method: 'GET', url: 'Patient?_count=1' } },
        ));
        assert.equal(r.status, 200, r.text);
        assert.equal(r.json.type, 'batch-response');
        assert.deepEqual(r.json.entry.map((e) => e.response.status.slice(0, 3)), ['201', '422', '200', '404', '200']);
        assert.equal(r.json.entry[1].response.outcome.resourceType, 'OperationOutcome');
        assert.equal(r.json.entry[4].resource.type, 'searchset');
    });
    it('an address may repeat the base, a condition may hold an address, another server is refused', async () => {
        const system = 'http://example.org/Patient/ids';
        const named = patient({ identifier: [{ system, value: '7' }] });
        const asks = [
            { resource: named, request: { method: 'PUT', url: `Patient?identifier=${system}|7` } },
            { request: { method: 'GET', url: `/fhir/Patient?identifier=${system}|7` } },
            { request: { method: 'GET', url: `${server.url}/fhir/Patient?identifier=${system}|7` } },
            { request: { method: 'GET', url: `/Patient?identifier=${system}|7` } },
        ];
        const r = await bench.post('/fhir', bundle('transaction', ...asks));
        assert.equal(r.status, 200, r.text);
        assert.deepEqual(r.json.entry.map((e) => e.response.status.slice(0, 3)), ['201', '200', '200', '200']);
        for (const e of r.json.entry.slice(1)) assert.equal(e.resource.entry?.length, 1, JSON.stringify(e));
        const other = { request: { method: 'GET', url: 'http://example.org/fhir/Patient/1' } };
        const b = await bench.post('/fhir', bundle('batch', asks[1], other));
        assert.deepEqual(b.json.entry.map((e) => e.response.status.slice(0, 3)), ['200', '400']);
        assert.deepEqual(b.json.entry[1].response.outcome.issue[0].expression, ['Bundle.entry[1].request.url']);
        assert.equal((await bench.post('/fhir', bundle('transaction', asks[1], other))).status, 400);
    });
});
