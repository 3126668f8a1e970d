// A resource's life: create, read, versions, history, search, paging, Prefer, conditions.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Server, patient } from '../support/menkou.mjs';

let server, bench;
before(async () => {
    server = await Server.start();
    bench = await server.login();
});
after(() => server?.stop());

describe('create and read', () => {
    it('keeps the bytes as received but for id and meta', async () => {
        const sent = '{"resourceType":"Observation","status":"final","extension":[{"url":"urn:x","valueDecimal":1.00}],' +
            ' "code":{"text":"a"},"valueQuantity":{"value":10.50,"unit":"mmol/L"}}';
        const r = await bench.post('/fhir/Observation', sent);
        assert.equal(r.status, 201, r.text);
        for (const part of ['"valueDecimal":1.00', '"value":10.50', '"code":{"text":"a"}']) {
            assert.ok(r.text.includes(part), r.text);
        }
        const read = await bench.get(`/fhir/Observation/${r.json.id}`);
        assert.equal(read.text, r.text);
        assert.equal(read.json.meta.versionId, '1');
        assert.equal(read.headers.etag, 'W/"1"');
        assert.ok(read.headers['last-modified']);
        assert.equal(r.headers.location, `/fhir/Observation/${r.json.id}/_history/1`);
    });
    it('304 when the caller has it', async () => {
        const made = await bench.create(patient());
        const place = `/fhir/Patient/${made.id}`;
        const r = await bench.get(place, { 'If-None-Match': 'W/"1"' });
        assert.equal(r.status, 304);
        assert.equal(r.bytes.length, 0);
        assert.equal((await bench.get(place, { 'If-None-Match': 'W/"9"' })).status, 200);
    });
    it('Prefer: minimal and OperationOutcome', async () => {
        const minimal = await bench.post('/fhir/Patient', patient(), { Prefer: 'return=minimal' });
        assert.equal(minimal.status, 201);
        assert.equal(minimal.bytes.length, 0);
        assert.ok(minimal.headers.location);
        const outcome = await bench.post('/fhir/Patient', patient(), { Prefer: 'return=OperationOutcome' });
        assert.equal(outcome.json.resourceType, 'OperationOutcome');
    });
    it('survives a restart and a kill', async () => {
        const made = await bench.create(patient({ family: '赵' }));
        await server.restart('SIGKILL');
        const again = await bench.get(`/fhir/Patient/${made.id}`);
        assert.deepEqual(again.json, made);
    });
});

describe('versions', () => {
    it('vread and history at three levels', async () => {
        const made = await bench.create(patient());
        const place = `/fhir/Patient/${made.id}`;
        await bench.put(place, patient({ id: made.id, active: true }));
        await bench.delete(place);
        assert.equal((await bench.get(`${place}/_history/1`)).json.active, undefined);
        assert.equal((await bench.get(`${place}/_history/2`)).json.active, true);
        const history = (await bench.get(`${place}/_history`)).json;
        assert.equal(history.type, 'history');
        assert.deepEqual(history.entry.map((e) => e.request.method), ['DELETE', 'PUT', 'POST']);
        assert.deepEqual(history.entry.map((e) => e.response.etag), ['W/"3"', 'W/"2"', 'W/"1"']);
        const type = (await bench.get('/fhir/Patient/_history?_count=2')).json;
        assert.equal(type.entry.length, 2);
        const system = (await bench.get('/fhir/_history?_count=1')).json;
        assert.equal(system.entry.length, 1);
    });
    it('pages through all of a history once', async () => {
        const made = await bench.create(patient());
        for (let i = 0; i < 6; i++) await bench.put(`/fhir/Patient/${made.id}`, patient({ id: made.id, active: i % 2 === 0 }));
        const all = await bench.searchAll(`/fhir/Patient/${made.id}/_history?_count=2`);
        assert.deepEqual(all.map((e) => e.resource.meta.versionId), ['7', '6', '5', '4', '3', '2', '1']);
    });
    it('_since', async () => {
        const made = await bench.create(patient());
        const changed = (await bench.put(`/fhir/Patient/${made.id}`, patient({ id: made.id, active: true }))).json;
        const since = encodeURIComponent(changed.meta.lastUpdated);
        const r = await bench.get(`/fhir/Patient/${made.id}/_history?_since=${since}`);
        assert.equal(r.json.entry[0].response.etag, 'W/"2"');
        assert.equal((await bench.get('/fhir/Patient/_history?_since=soon')).status, 400);
        assert.equal((await bench.get('/fhir/Patient/_history?nosuch=1')).status, 400);
    });
});

describe('search', () => {
    let people;
    before(async () => {
        people = [];
        for (const [family, given, year] of [['刘', '桂芝', 1950], ['刘', '国强', 1962], ['单', '雄信', 1971]]) {
            people.push(await bench.create(patient({
                family, given, card: true, birthDate: `${year}-05-06`,
                telecom: [{ system: 'phone', value: `1200000${year}` }],
            })));
        }
    });
    const ids = (r) => (r.json.entry ?? []).map((e) => e.resource.id);

    it('by token, string, date, reference and pinyin', async () => {
        const card = people[0].identifier[0];
        const find = async (q) => ids(await bench.get(`/fhir/Patient?${q}`));
        assert.deepEqual(await find(`identifier=${card.system}|${card.value}`), [people[0].id]);
        assert.deepEqual(await find('name=%E5%88%98%E6%A1%82'), [people[0].id]);
        assert.deepEqual(await find('birthdate=1962-05-06'), [people[1].id]);
        assert.deepEqual(await find('birthdate=ge1971&birthdate=lt1972'), [people[2].id]);
        assert.deepEqual(await find('phone=12000001971'), [people[2].id]);
        assert.deepEqual(await find('pinyin=lgz'), [people[0].id]);
        assert.deepEqual(await find('pinyin=shanx'), [people[2].id]);
        assert.deepEqual(await find('pinyin=Liu%20Gui%27zhi'), [people[0].id]);
        const observation = await bench.create({
            resourceType: 'Observation', status: 'final', code: { coding: [{ system: 'http://loinc.org', code: '8480-6' }] },
            subject: { reference: `Patient/${people[0].id}` }, effectiveDateTime: '2026-01-02T03:04:05+08:00',
        });
        assert.deepEqual(ids(await bench.get(`/fhir/Observation?subject=Patient/${people[0].id}`)), [observation.id]);
        assert.deepEqual(ids(await bench.get(`/fhir/Observation?patient=${people[0].id}&code=8480-6`)), [observation.id]);
        const included = await bench.get(`/fhir/Observation?_id=${observation.id}&_include=Observation:subject`);
        assert.deepEqual(included.json.entry.map((e) => e.search.mode).sort(), ['include', 'match']);
        const back = await bench.get(`/fhir/Patient?_id=${people[0].id}&_revinclude=Observation:subject`);
        assert.ok(ids(back).includes(observation.id));
    });
    it('POST _search answers the same', async () => {
        const r = await bench.send('POST', '/fhir/Patient/_search', {
            body: 'birthdate=1962-05-06', type: 'application/x-www-form-urlencoded',
        });
        assert.deepEqual(ids(r), [people[1].id]);
        assert.equal((await bench.post('/fhir/Patient/_search', {})).status, 415);
        const form = (body) => bench.send('POST', '/fhir/Patient/_search', { body, type: 'application/x-www-form-urlencoded' });
        assert.match((await form('_format=xml&_count=1')).headers['content-type'], /xml/);
        assert.deepEqual([(await form('_format=ttl')).status, (await form('_pretty=maybe')).status], [406, 400]);
    });
    it('pages are stable: each once, none that came later', async () => {
        const mark = 'urn:test:paging';
        for (let i = 0; i < 25; i++) await bench.create(patient({ identifier: [{ system: mark, value: `p${i}` }] }));
        const first = await bench.get(`/fhir/Patient?identifier=${mark}|&_count=10`);
        assert.equal(first.json.entry.length, 10);
        assert.ok(first.json.link.find((l) => l.relation === 'self').url.includes('_count=10'));
        await bench.create(patient({ identifier: [{ system: mark, value: 'late' }] }));
        const rest = await bench.searchAll(first.json.link.find((l) => l.relation === 'next').url);
        const all = [...first.json.entry, ...rest].map((e) => e.resource.identifier[0].value);
        assert.equal(new Set(all).size, all.length);
        assert.equal(all.length, 25);
        assert.ok(!all.includes('late'));
    });
    it('_total and _summary=count', async () => {
        const r = await bench.get('/fhir/Patient?family=%E5%88%98&_total=accurate&_count=1');
        assert.equal(r.json.total, 2);
        assert.equal((await bench.get('/fhir/Patient?family=%E5%88%98')).json.total, undefined);
        const count = await bench.get('/fhir/Patient?family=%E5%88%98&_summary=count');
        assert.equal(count.json.total, 2);
        assert.equal(count.json.entry, undefined);
    });
    it('a _count above 1,000 is lowered and self shows it', async () => {
        const r = await bench.get('/fhir/Patient?_count=50000000000000000000');
        assert.ok(r.json.link.find((l) => l.relation === 'self').url.includes('_count=1000'));
    });
    it('a cursor of another query or a made-up one is refused', async () => {
        const r = await bench.get('/fhir/Patient?_count=1');
        const cursor = new URL(r.json.link.find((l) => l.relation === 'next').url).searchParams.get('_cursor');
        assert.equal((await bench.get(`/fhir/Patient?_count=1&gender=male&_cursor=${cursor}`)).status, 400);
        assert.equal((await bench.get('/fhir/Patient?_cursor=abc')).status, 400);
    });
});

describe('conditions', () => {
    it('If-None-Exist: none creates, one is the answer, many is 412', async () => {
        const twin = (v) => patient({ identifier: [{ system: 'urn:test:twin', value: v }] });
        const make = (v) => bench.post('/fhir/Patient', twin(v), { 'If-None-Exist': `identifier=urn:test:twin|${v}` });
        const [a, b] = [await make('a'), await make('a')];
        assert.equal(a.status, 201, a.text);
        assert.equal(b.status, 200);
        assert.equal(b.json.id, a.json.id);
        await bench.create(twin('b'));
        await bench.create(twin('b'));
        assert.equal((await make('b')).status, 412);
    });
    it('a Patient that others refer to is not deleted', async () => {
        const made = await bench.create(patient());
        const o = await bench.create({
            resourceType: 'Observation', status: 'final', code: { text: 'a' }, subject: { reference: `Patient/${made.id}` },
        });
        assert.equal((await bench.delete(`/fhir/Patient/${made.id}`)).status, 409);
        assert.equal((await bench.delete(`/fhir/Observation/${o.id}`)).status, 204);
        assert.equal((await bench.delete(`/fhir/Patient/${made.id}`)).status, 204);
    });
    it('one Idempotency-Key, one resource', async () => {
        const key = { 'Idempotency-Key': 'scenario-1' };
        const body = patient({ family: '钱' });
        const [a, b] = [await bench.post('/fhir/Patient', body, key), await bench.post('/fhir/Patient', body, key)];
        assert.equal(a.status, 201);
        assert.equal(b.status, 201);
        assert.equal(b.text, a.text);
        assert.equal((await bench.post('/fhir/Patient', patient({ family: '孙' }), key)).status, 422);
        assert.equal((await bench.post('/fhir/Patient', body, { 'Idempotency-Key': 'x'.repeat(65) })).status, 400);
    });
    it('one ID card, one resident', async () => {
        const body = patient({ card: true });
        assert.equal((await bench.post('/fhir/Patient', body)).status, 201);
        const r = await bench.post('/fhir/Patient', body);
        assert.equal(r.status, 409, r.text);
        assert.equal(r.json.issue[0].details.coding[0].code, 'duplicate-id-card');
    });
});
