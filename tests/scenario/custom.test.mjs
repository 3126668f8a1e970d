// Search parameters that an administrator posts: judged, built beside the requests, unusable until they are ready,
// then searched, sorted, chained and included by; changed, withdrawn, and there again after a kill.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { county as smallCounty, patient as resident } from '../support/county.mjs';
import { Server } from '../support/menkou.mjs';
import { until } from '../support/server.mjs';

let server, bench;
before(async () => {
    server = await Server.start();
    bench = await server.login();
});
after(() => server?.stop());

const parameter = (code, type, expression, more = {}) => ({ resourceType: 'SearchParameter', id: code, url: `urn:test:${code}`,
    name: code, status: 'active', description: code, code, base: ['Device'], type, expression, ...more });
const put = (p, who = bench) => who.put(`/fhir/${p.resourceType}/${p.id}`, p);
const device = (n) => ({ resourceType: 'Device', status: 'active', lotNumber: `Lot ${n % 5}`,
    expirationDate: `2030-0${n % 9 + 1}-01`, safety: [{ coding: [{ system: 'urn:test:s', code: `s${n % 3}`, display: `Safe ${n % 3}` }] }],
    property: [{ type: { coding: [{ code: n % 2 ? 'odd' : 'even' }] }, valueQuantity: [{ value: n % 10, system: 'http://unitsofmeasure.org', code: 'kg' }] }],
    owner: { reference: `Organization/${n % 2 ? 'odd' : 'even'}` }, url: `urn:part:${n % 4}`,
    version: [{ value: String(n % 7) }] });

const total = async (query, type = 'Device', who = bench) => {
    const r = await who.get(`/fhir/${type}?${query}&_summary=count`);
    assert.equal(r.status, 200, r.text);
    return r.json.total;
};
const part = (p, name) => Object.entries(p.part.find((x) => x.name === name) ?? {}).find(([k]) => k.startsWith('value'))?.[1];
const standing = async (who = bench) => new Map(((await who.get('/fhir/SearchParameter/$status')).json.parameter ?? [])
    .map((p) => [part(p, 'code'), p]));
const ready = (code, who = bench) => until(`${code} is ready`, async () => {
    const p = (await standing(who)).get(code);
    assert.ok(p, `${code} is known`);
    assert.notEqual(part(p, 'status'), 'faulty', part(p, 'reason'));
    return part(p, 'status') === 'ready';
}, 120_000);
const offered = async (type, who = bench) => ((await who.get('/fhir/metadata')).json.rest[0].resource
    .find((r) => r.type === type).searchParam ?? []);

describe('search parameters of our own', () => {
    it('are refused where they cannot be, with the place and how to mend it', async () => {
        const bad = [
            [parameter('status', 'token', 'Device.status'), 'SearchParameter.code'],
            [parameter('_x', 'token', 'Device.status', { id: 'x' }), 'SearchParameter.code'],
            [parameter('lot', 'string', 'Device.('), 'SearchParameter.expression'],
            [parameter('lot', 'string', undefined), 'SearchParameter.expression'],
            [parameter('lot', 'string', 'Device.nothing'), 'SearchParameter.expression'],
            [parameter('lot', 'date', 'Device.lotNumber'), 'SearchParameter.expression'],
            [parameter('lot', 'quantity', 'Device.safety'), 'SearchParameter.expression'],
            [parameter('lot', 'string', 'Device.lotNumber', { target: ['Patient'] }), 'SearchParameter.target'],
            [parameter('lot', 'string', 'Device.lotNumber', { modifier: ['in'] }), 'SearchParameter.modifier'],
            [parameter('lot', 'string', 'Device.lotNumber', { comparator: ['gt'] }), 'SearchParameter.comparator'],
            [parameter('lot', 'special', 'Device.lotNumber'), 'SearchParameter.type'],
            [parameter('lot', 'composite', 'Device', { component: [{ definition: 'urn:nobody', expression: 'id' },
                { definition: 'urn:nobody', expression: 'id' }] }), 'SearchParameter.component.definition'],
        ];
        for (const [p, where] of bad) {
            const r = await put(p);
            assert.equal(r.status, 422, `${p.type} ${p.expression}: ${r.text}`);
            assert.ok(r.json.issue.some((i) => i.expression?.[0]?.startsWith(where)), r.text);
        }
    });

    it('are built for what is there and usable when that is done', async () => {
        for (const o of ['odd', 'even']) await bench.put(`/fhir/Organization/${o}`, { resourceType: 'Organization', id: o, name: o });
        const entry = Array.from({ length: 420 }, (_, n) => ({ resource: device(n), request: { method: 'POST', url: 'Device' } }));
        assert.equal((await bench.post('/fhir', { resourceType: 'Bundle', type: 'transaction', entry })).status, 200);
        const all = [parameter('lot', 'string', 'Device.lotNumber'), parameter('expires', 'date', 'Device.expirationDate'),
            parameter('safety', 'token', 'Device.safety'), parameter('weight', 'quantity', 'Device.property.valueQuantity'),
            parameter('keeper', 'reference', 'Device.owner', { target: ['Organization'] }),
            parameter('edition', 'number', 'Device.version.value.toInteger()'),
            parameter('part', 'uri', 'Device.url')];
        for (const p of all) assert.ok([200, 201].includes((await put(p)).status), p.code);
        assert.ok([200, 201].includes((await put(parameter('weighed', 'composite', 'Device.property', { component: [
            { definition: 'urn:test:weight', expression: 'valueQuantity' },
            { definition: 'http://hl7.org/fhir/SearchParameter/clinical-code', expression: 'type' }] }))).status));
        for (const p of all) await ready(p.code);
        await ready('weighed');
        assert.equal(await total('lot=lot 3'), 84);
        assert.equal(await total('lot:exact=lot 3'), 0);
        assert.equal(await total('expires=2030-04'), 47);
        assert.equal(await total('safety=urn:test:s|s1'), 140);
        assert.equal(await total('safety:text=safe'), 420);
        assert.equal(await total('weight=lt3000||g'), 126);
        assert.equal(await total('keeper=Organization/odd'), 210);
        assert.equal(await total('keeper.name=even&safety=s0'), 70);
        assert.equal(await total('_has:Device:keeper:safety=s1', 'Organization'), 2);
        assert.equal(await total('edition=gt4'), 120);
        assert.equal(await total('part=urn:part:3'), 105);
        assert.equal(await total('weighed=3$odd'), 42);
        assert.equal(await total('weighed=3$even'), 0);
        const sorted = (await bench.get('/fhir/Device?_sort=-weight,lot&_count=5&_include=Device:keeper')).json.entry;
        assert.equal(sorted[0].resource.property[0].valueQuantity[0].value, 9);
        assert.ok(sorted.some((e) => e.search.mode === 'include' && e.resource.resourceType === 'Organization'));
        const names = await offered('Device');
        assert.equal(names.find((p) => p.name === 'lot')?.definition, 'urn:test:lot');
        const plan = await bench.get('/fhir/Device?safety=s1&_explain=true');
        assert.match(plan.text, /safety/);
    });

    it('only as their definition allows', async () => {
        const p = parameter('tag-lot', 'string', 'Device.lotNumber', { modifier: ['exact'], multipleOr: false });
        assert.equal((await put(p)).status, 201);
        await ready('tag-lot');
        assert.equal(await total('tag-lot:exact=Lot%203'), 84);
        for (const q of ['tag-lot:contains=3', 'tag-lot=a,b']) assert.equal((await bench.get(`/fhir/Device?${q}`)).status, 400, q);
    });

    it('are withdrawn with their definition, changed with it, and no drafts', async () => {
        assert.equal((await put(parameter('lot', 'string', 'Device.lotNumber', { status: 'retired' }))).status, 200);
        assert.equal((await bench.get('/fhir/Device?lot=lot')).status, 400);
        assert.ok(!(await offered('Device')).some((p) => p.name === 'lot'));
        assert.equal((await put(parameter('lot', 'string', 'Device.version.value'))).status, 200);
        await ready('lot');
        assert.equal(await total('lot=3'), 60);
        assert.equal((await put(parameter('later', 'string', 'Device.lotNumber', { status: 'draft' }))).status, 201);
        assert.equal((await bench.get('/fhir/Device?later=lot')).status, 400);
        const lenient = await bench.get('/fhir/Device?later=lot&_summary=count', { Prefer: 'handling=lenient' });
        assert.equal(lenient.status, 200);
        assert.doesNotMatch(lenient.json.link[0].url, /later/);
    });

    it('survive kill -9 in the middle', async () => {
        assert.equal((await put(parameter('again', 'string', 'Device.lotNumber'))).status, 201);
        await server.restart('SIGKILL');
        bench = await server.login();
        await ready('again');
        assert.equal(await total('again=lot 3'), 84);
        assert.equal(await total('lot=3'), 60);
    });
});

describe('$reindex', () => {
    const asking = { Prefer: 'respond-async' };
    async function finished(r) {
        assert.equal(r.status, 202, r.text);
        const place = new URL(r.headers['content-location']).pathname;
        return until('the index is made anew', async () => {
            const now = await bench.get(place);
            return now.status !== 202 && now;
        }, 120_000);
    }
    it('builds the index anew while others write, or waits for one parameter', async () => {
        assert.equal((await bench.post('/fhir/$reindex', null)).status, 400);
        const begun = await bench.post('/fhir/$reindex', null, asking);
        await bench.create(device(3));
        assert.equal((await finished(begun)).status, 200);
        assert.equal(await total('again=lot 3'), 85);
        assert.equal((await finished(await bench.post('/fhir/SearchParameter/again/$reindex', null, asking))).status, 200);
        assert.equal((await bench.post('/fhir/SearchParameter/nobody/$reindex', null, asking)).status, 404);
    });
});

describe('to somebody else', () => {
    let county;
    before(async () => { county = await smallCounty(); });
    after(() => county?.close());
    it('a parameter shows nothing that is out of sight, nor how far it is', async () => {
        const { village1: own, village2: stranger } = county.people;
        const made = await own.post('/fhir/Patient', resident('隐', '名'));
        assert.equal(made.status, 201, made.text);
        const subject = { reference: `Patient/${made.json().id}` };
        const seen = { resourceType: 'Observation', status: 'final', code: { text: 'c' }, subject, note: [{ text: 'geheim' }] };
        assert.equal((await county.machine.post('/fhir/Observation', seen)).status, 201);
        const remarked = { ...parameter('remarked', 'string', 'Observation.note.text'), base: ['Observation'] };
        const whose = { ...parameter('whose', 'reference', 'Observation.subject', { target: ['Patient'] }), base: ['Observation'] };
        for (const p of [remarked, whose]) assert.equal((await county.machine.put(`/fhir/SearchParameter/${p.id}`, p)).status, 201);
        const machine = { get: async (path) => { const r = await county.machine.get(path); return { ...r, json: r.json() }; } };
        for (const code of ['remarked', 'whose']) await ready(code, machine);
        const count = async (who, path) => { const r = await who.get(path); return r.status === 200 ? r.json().total : r.status; };
        const doors = ['Observation?remarked=geheim', `Observation?whose=${subject.reference}`, 'Observation?whose.name=隐',
            'Observation?remarked:missing=false', 'Patient?_has:Observation:whose:remarked=geheim'];
        for (const door of doors) {
            assert.equal(await count(own, `/fhir/${encodeURI(door)}&_total=accurate`), 1, door);
            assert.equal(await count(stranger, `/fhir/${encodeURI(door)}&_total=accurate`), 0, door);
        }
        for (const who of [own, stranger]) {
            assert.equal((await who.get('/fhir/SearchParameter/$status')).status, 403);
            assert.equal((await who.post('/fhir/$reindex', null, { Prefer: 'respond-async' })).status, 403);
            assert.equal((await who.put('/fhir/SearchParameter/remarked', remarked)).status, 403);
        }
    });
});
