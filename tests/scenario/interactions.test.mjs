// R4's RESTful interactions as a strict client asks for them: conditional ones, histories, what headers say.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Server, patient } from '../support/menkou.mjs';

let server, bench;
before(async () => {
    server = await Server.start({ accounts: [['bench', 'integrator'], ['doctor', 'village-doctor', 'Organization/o1']] });
    bench = await server.login();
});
after(() => server?.stop());

let marks = 0;
/** A condition of its own, and a Patient that meets it. */
const marked = (more = {}) => {
    const value = `m${++marks}`;
    return { query: `identifier=urn:test:mark|${value}`, value, body: patient({ identifier: [{ system: 'urn:test:mark', value }], ...more }) };
};
const count = async (query, type = 'Patient') => (await bench.get(`/fhir/${type}?${query}&_summary=count`)).json.total;
const issue = (r) => r.json.issue[0];
const bundle = (type, ...entry) => ({ resourceType: 'Bundle', type, entry });
const by = (method, url, resource, more) => ({ resource, request: { method, url, ...more } });

describe('conditional create', () => {
    it('none creates, one is answered, several are 412', async () => {
        const m = marked();
        const header = { 'If-None-Exist': m.query };
        const first = await bench.post('/fhir/Patient', m.body, header);
        assert.equal(first.status, 201, first.text);
        const again = await bench.post('/fhir/Patient', m.body, { 'If-None-Exist': `Patient?${m.query}` });
        assert.equal(again.status, 200, again.text);
        assert.equal(again.json.id, first.json.id);
        assert.equal(again.headers.etag, 'W/"1"');
        await bench.create(m.body);
        const third = await bench.create(m.body);
        const refused = await bench.post('/fhir/Patient', m.body, header);
        assert.equal(refused.status, 412, refused.text);
        assert.equal(issue(refused).code, 'multiple-matches');
        assert.equal(await count(m.query), 3);
        assert.ok(third.id);
    });
    it('a condition that chooses nothing or is malformed is 400', async () => {
        for (const query of ['_count=1', 'nosuch=1', 'identifier=', '']) {
            const r = await bench.post('/fhir/Patient', patient(), { 'If-None-Exist': query });
            assert.equal(r.status, 400, `${query}: ${r.text}`);
        }
    });
    it('of many at once one creates', async () => {
        const m = marked();
        const all = await Promise.all(Array.from({ length: 16 }, () =>
            bench.post('/fhir/Patient', m.body, { 'If-None-Exist': m.query })));
        assert.deepEqual(all.map((r) => r.status).sort(), [...Array(15).fill(200), 201]);
        assert.equal(await count(m.query), 1);
    });
    it('whatever kind of condition it is, and alone, in a batch or in a transaction', async () => {
        const mother = (await bench.create(patient())).id;
        const kinds = [
            ['family=Einmal', { name: [{ family: 'Einmal' }] }],
            ['birthdate=1931-02-03&gender=other', { birthDate: '1931-02-03', gender: 'other' }],
            [`link=Patient/${mother}`, { link: [{ other: { reference: `Patient/${mother}` }, type: 'seealso' }] }],
        ];
        for (const [query, more] of kinds) {
            const body = patient(more), turned = query.split('&').reverse().join('&');
            const statuses = (await Promise.all(Array.from({ length: 16 }, async (_, i) => {
                if (i % 4 === 0) return (await bench.post('/fhir/Patient', body, { 'If-None-Exist': turned })).status;
                if (i % 4 === 1) return (await bench.put(`/fhir/Patient?${query}`, { ...body, multipleBirthInteger: i })).status;
                const r = await bench.post('/fhir', bundle(i % 4 === 2 ? 'batch' : 'transaction', by('POST', 'Patient', body, { ifNoneExist: query })));
                return Number(r.json.entry[0].response.status.slice(0, 3));
            }))).sort();
            assert.deepEqual(statuses, [...Array(15).fill(200), 201], query);
            assert.equal(await count(query), 1, query);
        }
    });
    it('of many transactions at once: what refers to it refers to the one there is', async () => {
        const body = patient({ name: [{ family: 'Zugleich' }] });
        const all = await Promise.all(Array.from({ length: 12 }, (_, i) => bench.post('/fhir', {
            resourceType: 'Bundle', type: 'transaction', entry: [
                { fullUrl: 'urn:uuid:5f1b0a1c-7b1d-4b6e-9c46-000000000001', resource: body, request: { method: 'POST', url: 'Patient', ifNoneExist: 'family=Zugleich' } },
                { resource: { resourceType: 'Observation', status: 'final', code: { text: `${i}` }, subject: { reference: 'urn:uuid:5f1b0a1c-7b1d-4b6e-9c46-000000000001' } }, request: { method: 'POST', url: 'Observation' } },
            ] })));
        assert.deepEqual(all.map((r) => r.status), Array(12).fill(200), all.find((r) => r.status !== 200)?.text);
        assert.equal(await count('family=Zugleich'), 1);
        assert.equal(await count('subject:Patient.family=Zugleich', 'Observation'), 12);
    });
});

describe('conditional update', () => {
    it('none creates under a new id, or under the body’s', async () => {
        const m = marked();
        const made = await bench.put(`/fhir/Patient?${m.query}`, m.body);
        assert.equal(made.status, 201, made.text);
        assert.ok(made.json.id);
        assert.equal(made.headers.location, `/fhir/Patient/${made.json.id}/_history/1`);
        const n = marked();
        const named = await bench.put(`/fhir/Patient?${n.query}`, { ...n.body, id: `id-${n.value}` });
        assert.equal(named.status, 201, named.text);
        assert.equal(named.json.id, `id-${n.value}`);
        const other = marked();
        const taken = await bench.put(`/fhir/Patient?${other.query}`, { ...other.body, id: named.json.id });
        assert.equal(taken.status, 409, taken.text);
    });
    it('one is updated; another id in the body is 400; several are 412', async () => {
        const m = marked();
        const made = await bench.create(m.body);
        const url = `/fhir/Patient?${m.query}`;
        const r = await bench.put(url, { ...m.body, active: true });
        assert.equal(r.status, 200, r.text);
        assert.equal(r.json.id, made.id);
        assert.equal(r.headers.etag, 'W/"2"');
        assert.equal((await bench.put(url, { ...m.body, id: made.id, active: false })).headers.etag, 'W/"3"');
        const wrong = await bench.put(url, { ...m.body, id: 'other' });
        assert.equal(wrong.status, 400, wrong.text);
        assert.equal((await bench.put(url, m.body, { 'If-Match': 'W/"1"' })).status, 412);
        await bench.create(m.body);
        await bench.create(m.body);
        const many = await bench.put(url, m.body);
        assert.equal(many.status, 412, many.text);
    });
    it('without a condition is 400', async () => {
        assert.equal((await bench.put('/fhir/Patient', patient())).status, 400);
        assert.equal((await bench.put('/fhir/Patient?_count=1', patient())).status, 400);
        assert.equal((await bench.put('/fhir/Patient?nosuch=1', patient())).status, 400);
    });
    it('of many at once one creates', async () => {
        const m = marked();
        const all = await Promise.all(Array.from({ length: 12 }, () => bench.put(`/fhir/Patient?${m.query}`, m.body)));
        assert.deepEqual(all.map((r) => r.status).sort(), [...Array(11).fill(200), 201]);
        assert.equal(await count(m.query), 1);
    });
});

describe('conditional delete', () => {
    it('none, one and several', async () => {
        const m = marked();
        const url = `/fhir/Patient?${m.query}`;
        assert.equal((await bench.delete(url)).status, 204);
        for (let i = 0; i < 3; i++) await bench.create(m.body);
        const r = await bench.delete(`${url}&_count=1`);
        assert.equal(r.status, 204, r.text);
        assert.equal(await count(m.query), 2);
        const told = await bench.delete(url, { Prefer: 'return=OperationOutcome' });
        assert.equal(told.status, 200);
        assert.match(issue(told).diagnostics ?? issue(told).details.text, /2/);
        assert.equal(await count(m.query), 0);
    });
    it('several are one transaction: one that is held keeps all', async () => {
        const m = marked();
        await bench.create(m.body);
        const held = await bench.create(m.body);
        await bench.create({ resourceType: 'Observation', status: 'final', code: { text: 'x' }, subject: { reference: `Patient/${held.id}` } });
        const r = await bench.delete(`/fhir/Patient?${m.query}`);
        assert.equal(r.status, 409, r.text);
        assert.equal(await count(m.query), 2);
    });
    it('without a condition is 400 and deletes nothing', async () => {
        const before = await count('_id:missing=false').catch(() => undefined);
        for (const query of ['', '?_count=5', '?nosuch=1', '?identifier=']) {
            assert.equal((await bench.delete(`/fhir/Patient${query}`)).status, 400, query);
        }
        assert.equal(await count('_id:missing=false').catch(() => undefined), before);
    });
});

describe('conditional patch', () => {
    it('one is patched, none is 404, several are 412', async () => {
        const m = marked();
        const patch = [{ op: 'add', path: '/active', value: true }];
        const url = `/fhir/Patient?${m.query}`;
        assert.equal((await bench.patch(url, patch)).status, 404);
        await bench.create(m.body);
        const r = await bench.patch(url, patch);
        assert.equal(r.status, 200, r.text);
        assert.equal(r.json.active, true);
        await bench.create(m.body);
        await bench.create(m.body);
        assert.equal((await bench.patch(url, patch)).status, 412);
        assert.equal((await bench.patch('/fhir/Patient', patch)).status, 400);
    });
});

describe('conditional read', () => {
    it('304 by ETag or date; the ETag goes first', async () => {
        const made = await bench.create(patient());
        const place = `/fhir/Patient/${made.id}`;
        const r = await bench.get(place);
        const date = r.headers['last-modified'];
        assert.match(date, /^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/);
        const status = async (headers, path = place) => (await bench.get(path, headers)).status;
        assert.equal(await status({ 'If-Modified-Since': date }), 304);
        assert.equal(await status({ 'If-Modified-Since': 'Sun, 06 Nov 1994 08:49:37 GMT' }), 200);
        assert.equal(await status({ 'If-Modified-Since': 'soon' }), 200);
        assert.equal(await status({ 'If-None-Match': 'W/"9"', 'If-Modified-Since': date }), 200);
        assert.equal(await status({ 'If-None-Match': '"1"' }), 304);
        assert.equal(await status({ 'If-None-Match': 'W/"8", W/"1"' }), 304);
        assert.equal(await status({ 'If-None-Match': 'W/"1"' }, `${place}/_history/1`), 304);
    });
});

describe('parameters of a read', () => {
    it('that it does not have are refused by name, or left aside when that is wanted', async () => {
        const { id } = await bench.create(patient());
        for (const path of [`/fhir/Patient/${id}`, `/fhir/Patient/${id}/_history/1`, `/fhir/Patient/${id}/_history`]) {
            const r = await bench.get(`${path}?name=x`);
            assert.deepEqual([r.status, issue(r).code, issue(r).expression], [400, 'not-supported', ['name']], path);
            assert.equal((await bench.get(`${path}?name=x`, { Prefer: 'handling=lenient' })).status, 200, path);
            assert.equal((await bench.get(`${path}?_format=json&_pretty=true`)).status, 200, path);
        }
    });
    it('nor do writes, $validate and metadata take what they do not have', async () => {
        const { id } = await bench.create(patient());
        const body = patient({ id });
        for (const [method, path, sent] of [
            ['POST', '/fhir/Patient', patient()], ['PUT', `/fhir/Patient/${id}`, body], ['PATCH', `/fhir/Patient/${id}`, []],
            ['DELETE', `/fhir/Patient/${id}`], ['POST', '/fhir', bundle('batch')], ['POST', '/fhir/Patient/$validate', patient()],
            ['GET', `/fhir/Patient/${id}/$validate`], ['GET', '/fhir/metadata'], ['GET', `/fhir/Patient/${id}/$meta`],
        ]) {
            const send = (query, headers) => bench.send(method, `${path}?${query}`, {
                body: sent, headers, type: Array.isArray(sent) ? 'application/json-patch+json' : undefined });
            const r = await send('nosuch=1');
            assert.deepEqual([r.status, issue(r).code, issue(r).expression], [400, 'not-supported', ['nosuch']], `${method} ${path}`);
            assert.equal((await bench.get(`/fhir/Patient/${id}`)).status, 200, `${method} ${path}`);
            if (method === 'PUT' || method === 'GET') {
                const lenient = await send('nosuch=1', { Prefer: 'handling=lenient' });
                assert.deepEqual([lenient.status, lenient.headers['x-menkou-ignored']], [200, 'nosuch'], `${method} ${path}`);
            }
        }
    });
    it('what is left aside is named in the answer, and stands in no self link', async () => {
        const { id } = await bench.create(patient());
        const lenient = (path) => bench.get(`/fhir/${path}`, { Prefer: 'handling=lenient' });
        for (const path of [`Patient/${id}?nosuch=1`, `Patient/${id}/_history/1?nosuch=1`, `Patient/${id}/_history?nosuch=1&_count=3`,
            `Patient?_id=${id}&nosuch=1`, `Patient/${id}/$everything?nosuch=1&_count=3`, `Patient/${id}/*?nosuch=1`,
            `Observation/$lastn?patient=${id}&category=x&nosuch=1`]) {
            const r = await lenient(path);
            assert.equal(r.status, 200, `${path} ${r.text}`);
            assert.deepEqual([r.headers['preference-applied'], r.headers['x-menkou-ignored']], ['handling=lenient', 'nosuch'], path);
            if (r.json.resourceType !== 'Bundle') continue;
            assert.ok(!r.json.link.find((l) => l.relation === 'self').url.includes('nosuch'), path);
            if (r.json.type !== 'searchset') continue;
            const outcome = r.json.entry.find((e) => e.search?.mode === 'outcome');
            assert.match(JSON.stringify(outcome?.resource), /nosuch/, path);
        }
        const known = await lenient(`Patient/${id}?_format=json`);
        assert.equal(known.headers['x-menkou-ignored'], undefined);
        const batch = await bench.post('/fhir', bundle('batch', by('GET', `Patient/${id}?_elements=gender`), by('GET', `Patient/${id}?nosuch=1`), by('GET', `Patient?_id=${id}`)));
        const [cut, refused, found] = batch.json.entry;
        assert.equal(cut.resource.name, undefined, 'a read in a batch is the same read');
        assert.equal(refused.response.status, '400 Bad Request');
        assert.equal(found.resource.entry.length, 1);
    });
});

describe('If-Match and If-None-Match on writes', () => {
    it('current, weak, strong and bare; another is 412; * needs it there', async () => {
        const made = await bench.create(patient());
        const place = `/fhir/Patient/${made.id}`;
        let v = 1;
        for (const tag of [(n) => `W/"${n}"`, (n) => `"${n}"`, (n) => `${n}`, () => '*']) {
            const r = await bench.put(place, patient({ id: made.id, active: v % 2 === 1 }), { 'If-Match': tag(v) });
            assert.equal(r.status, 200, r.text);
            assert.equal(r.headers.etag, `W/"${++v}"`);
        }
        const body = patient({ id: made.id, gender: 'male' });
        const stale = await bench.put(place, body, { 'If-Match': 'W/"1"' });
        assert.equal(stale.status, 412, stale.text);
        assert.equal(stale.json.resourceType, 'OperationOutcome');
        assert.equal((await bench.delete(place, { 'If-Match': 'W/"1"' })).status, 412);
        for (const tag of ['W/"', '']) assert.equal((await bench.put(place, body, { 'If-Match': tag })).status, 400, tag);
        assert.equal((await bench.put(place, body, { 'If-None-Match': '*' })).status, 412);
        assert.equal((await bench.get(place)).headers.etag, `W/"${v}"`);
        const fresh = `fresh-${++marks}`;
        assert.equal((await bench.put(`/fhir/Patient/${fresh}`, patient({ id: fresh }), { 'If-Match': '*' })).status, 412);
        assert.equal((await bench.put(`/fhir/Patient/${fresh}`, patient({ id: fresh }), { 'If-None-Match': '*' })).status, 201);
    });
});

describe('an update that changes nothing', () => {
    it('makes no version, whatever the layout; a tag or a narrative is a change', async () => {
        const made = await bench.create(patient());
        const place = `/fhir/Patient/${made.id}`;
        const same = await bench.put(place, JSON.stringify(patient({ id: made.id }), null, 4));
        assert.equal(same.status, 200, same.text);
        assert.equal(same.headers.etag, 'W/"1"');
        assert.equal((await bench.put(place, made)).headers.etag, 'W/"1"');
        assert.equal((await bench.patch(place, [{ op: 'replace', path: '/gender', value: 'female' }])).headers.etag, 'W/"1"');
        assert.equal((await bench.get(`${place}/_history`)).json.entry.length, 1);
        const tagged = await bench.put(place, patient({ id: made.id, meta: { tag: [{ system: 'urn:t', code: 'a' }] } }));
        assert.equal(tagged.headers.etag, 'W/"2"');
        const text = { status: 'generated', div: '<div xmlns="http://www.w3.org/1999/xhtml">a</div>' };
        assert.equal((await bench.put(place, patient({ id: made.id, text }))).headers.etag, 'W/"3"');
    });
    it('in a transaction beside one that does', async () => {
        const [a, b] = [await bench.create(patient()), await bench.create(patient())];
        const entry = (p, more) => ({ resource: patient({ id: p.id, ...more }), request: { method: 'PUT', url: `Patient/${p.id}` } });
        const r = await bench.post('/fhir', { resourceType: 'Bundle', type: 'transaction', entry: [entry(a), entry(b, { active: true })] });
        assert.equal(r.status, 200, r.text);
        assert.deepEqual(r.json.entry.map((e) => e.response.etag), ['W/"1"', 'W/"2"']);
    });
});

describe('deleted and unknown', () => {
    it('410 on read and on its version, 204 again, created again with the next version', async () => {
        const made = await bench.create(patient());
        const place = `/fhir/Patient/${made.id}`;
        const gone = await bench.delete(place);
        assert.equal(gone.status, 204);
        assert.equal(gone.bytes.length, 0);
        assert.equal((await bench.get(place)).status, 410);
        assert.equal((await bench.get(`${place}/_history/2`)).status, 410);
        assert.equal((await bench.get(`${place}/_history/1`)).status, 200);
        const never = await bench.get(`${place}/_history/9`);
        assert.equal(never.status, 404);
        assert.match(never.text, /版本 9/);
        assert.equal((await bench.delete(place)).status, 204);
        const back = await bench.put(place, patient({ id: made.id }));
        assert.equal(back.status, 201);
        assert.equal(back.headers.etag, 'W/"3"');
        assert.equal((await bench.get('/fhir/Patient/nobody')).status, 404);
        assert.equal((await bench.get('/fhir/Nothing/1')).status, 404);
        assert.equal((await bench.delete('/fhir/Patient/nobody')).status, 404);
    });
    it('ids: 64 of [A-Za-z0-9-.], in the body as in the address', async () => {
        const put = async (id, body = id) => (await bench.put(`/fhir/Patient/${id}`, patient({ id: body }))).status;
        assert.equal(await put('a'.repeat(64)), 201);
        assert.equal(await put('a'.repeat(65)), 400);
        assert.equal(await put('a_b'), 400);
        assert.equal(await put('a1', 'a2'), 400);
        assert.equal((await bench.put('/fhir/Patient/a1', { ...patient() })).status, 400);
        const own = await bench.post('/fhir/Patient', patient({ id: 'mine' }));
        assert.equal(own.status, 201);
        assert.notEqual(own.json.id, 'mine');
    });
});

describe('history', () => {
    it('_at: what was current then', async () => {
        const made = await bench.create(patient());
        const place = `/fhir/Patient/${made.id}`;
        const changed = (await bench.put(place, patient({ id: made.id, active: true }))).json;
        await bench.put(place, patient({ id: made.id, active: false }));
        const at = async (when, where = place) => (await bench.get(`${where}/_history?_at=${encodeURIComponent(when)}`)).json;
        const tags = (b) => (b.entry ?? []).map((e) => e.response.etag);
        assert.ok(tags(await at(changed.meta.lastUpdated)).includes('W/"2"'));
        assert.deepEqual(tags(await at('2001-01-01T00:00:00Z')), []);
        assert.deepEqual(tags(await at('2999-01-01')), ['W/"3"']);
        assert.equal(tags(await at(changed.meta.lastUpdated.slice(0, 4))).length, 3);
        const type = await at('2999-01-01', '/fhir/Patient');
        assert.ok(type.entry.some((e) => e.resource?.id === made.id && e.response.etag === 'W/"3"'));
        assert.ok(!type.entry.some((e) => e.resource?.id === made.id && e.response.etag === 'W/"1"'));
        for (const query of ['_at=x', '_since=x', '_at=2020&_since=2020-01-01', '_count=x', 'nosuch=1']) {
            assert.equal((await bench.get(`${place}/_history?${query}`)).status, 400, query);
        }
        assert.equal((await bench.get(`${place}/_history?nosuch=1`, { Prefer: 'handling=lenient' })).status, 200);
        assert.equal((await bench.get('/fhir/Patient/nobody/_history')).status, 404);
    });
    it('_list: only what a List refers to, in any version or in one', async () => {
        const [one, two, other] = [await bench.create(patient()), await bench.create(patient()), await bench.create(patient())];
        for (const p of [one, two]) await bench.put(`/fhir/Patient/${p.id}`, patient({ id: p.id, active: false }));
        const item = (reference, more) => ({ item: { reference }, ...more });
        const list = await bench.create({ resourceType: 'List', status: 'current', mode: 'changes',
            entry: [item(`Patient/${one.id}`), item(`Patient/${two.id}/_history/1`), item(`Patient/${other.id}`, { deleted: true })] });
        const tags = async (query) => ((await bench.get(`/fhir/Patient/_history?_list=${list.id}${query}`)).json.entry ?? []).map((e) => `${e.resource.id} ${e.resource.meta.versionId}`);
        const all = [`${one.id} 2`, `${two.id} 1`, `${one.id} 1`];
        assert.deepEqual(await tags(''), all);
        const pages = [];
        for (let url = `/fhir/Patient/_history?_list=${list.id}&_count=1`; url;) {
            const page = (await bench.get(url)).json;
            pages.push(...page.entry.map((e) => `${e.resource.id} ${e.resource.meta.versionId}`));
            url = page.link.find((l) => l.relation === 'next')?.url;
        }
        assert.deepEqual(pages, all);
        assert.equal((await bench.get(`/fhir/_history?_list=List/${list.id}`)).json.entry.length, 3);
        assert.equal((await bench.get('/fhir/Patient/_history?_list=nobody')).json.entry, undefined);
        assert.equal((await bench.get('/fhir/Patient/_history?_list=$current-problems')).status, 400);
        const doctor = await server.login('doctor');
        assert.equal((await doctor.get(`/fhir/Patient/_history?_list=${list.id}`)).json.entry, undefined, 'nothing for a stranger');
    });
    it('says how many there are where it holds all, and whom it is not for', async () => {
        const { id } = await bench.create(patient());
        await bench.put(`/fhir/Patient/${id}`, patient({ id, active: true }));
        assert.equal((await bench.get(`/fhir/Patient/${id}/_history`)).json.total, 2);
        assert.equal((await bench.get(`/fhir/Patient/${id}/_history?_count=1`)).json.total, undefined);
        const administrator = await server.login('sysadmin');
        const r = await administrator.get('/fhir/_history', { 'Accept-Language': 'en' });
        assert.equal(r.status, 403);
        assert.match(r.text, /history of everything/);
        assert.doesNotMatch(r.text, /Basic/);
    });
    it('a page of it says how to go on and what became of each', async () => {
        const made = await bench.create(patient());
        const place = `/fhir/Patient/${made.id}`;
        await bench.delete(place);
        const h = (await bench.get(`${place}/_history?_count=1`)).json;
        assert.equal(h.entry[0].request.method, 'DELETE');
        assert.equal(h.entry[0].resource, undefined);
        const next = h.link.find((l) => l.relation === 'next').url;
        assert.equal((await bench.get(next)).json.entry[0].resource.id, made.id);
        assert.equal((await bench.get(`${place}/_history?_count=0`)).json.entry, undefined);
        const id = `own-${++marks}`;
        await bench.put(`/fhir/Patient/${id}`, patient({ id }));
        const [first] = (await bench.get(`/fhir/Patient/${id}/_history`)).json.entry;
        assert.deepEqual([first.request, first.response.status], [{ method: 'PUT', url: `Patient/${id}` }, '201 Created']);
    });
    it('a stranger learns nothing from any of them', async () => {
        await bench.put('/fhir/Organization/o1', { resourceType: 'Organization', id: 'o1', name: 'o' });
        const made = await bench.create(patient());
        const doctor = await server.login('doctor');
        const place = `/fhir/Patient/${made.id}`;
        for (const query of ['', '?_since=2999-01-01', '?_at=2999-01-01', '?_at=2001']) {
            assert.equal((await doctor.get(`${place}/_history${query}`)).status, 404, query);
        }
        assert.ok(!(await doctor.get('/fhir/Patient/_history?_at=2999')).text.includes(made.id));
    });
});

describe('Prefer', () => {
    it('minimal, representation, OperationOutcome, on each kind of write', async () => {
        const made = await bench.create(patient());
        const place = `/fhir/Patient/${made.id}`;
        let flip = false;
        const put = (value) => bench.put(place, patient({ id: made.id, active: (flip = !flip) }), value ? { Prefer: value } : {});
        assert.equal((await put('return=minimal')).bytes.length, 0);
        assert.equal((await put('return=representation')).json.resourceType, 'Patient');
        assert.equal((await put('return=OperationOutcome')).json.resourceType, 'OperationOutcome');
        assert.equal((await put()).json.resourceType, 'Patient');
        const r = await put('return=minimal, handling=strict');
        assert.ok(r.headers.etag && r.headers['last-modified']);
        assert.equal((await bench.delete(place, { Prefer: 'return=OperationOutcome' })).json.resourceType, 'OperationOutcome');
    });
});

describe('methods, media and forms', () => {
    it('405 names what is allowed; OPTIONS says so without asking', async () => {
        const made = await bench.create(patient());
        const r = await bench.send('POST', `/fhir/Patient/${made.id}`, { body: made });
        assert.equal(r.status, 405);
        assert.deepEqual(r.headers.allow.split(', ').sort(), ['DELETE', 'GET', 'HEAD', 'PATCH', 'PUT']);
        assert.equal(r.json.resourceType, 'OperationOutcome');
        const options = await bench.send('OPTIONS', '/fhir/Patient');
        assert.equal(options.status, 204);
        assert.ok(options.headers.allow.includes('POST'));
    });
    it('a PUT to a type says what its address lacks', async () => {
        for (const place of ['/fhir/Patient', '/fhir/Patient?']) {
            const r = await bench.put(place, patient());
            assert.equal(r.status, 400);
            assert.match(r.text, /地址须含 id/);
        }
    });
    it('HEAD answers as GET without the body', async () => {
        const made = await bench.create(patient());
        const [get, head] = [await bench.get(`/fhir/Patient/${made.id}`), await bench.send('HEAD', `/fhir/Patient/${made.id}`)];
        assert.equal(head.status, 200);
        assert.equal(head.bytes.length, 0);
        for (const name of ['etag', 'last-modified', 'content-type', 'content-length']) {
            assert.equal(head.headers[name], get.headers[name], name);
        }
        assert.equal((await bench.send('HEAD', '/fhir/Patient/nobody')).status, 404);
        const events = await bench.send('HEAD', '/events');
        assert.deepEqual([events.status, events.headers['transfer-encoding']], [200, undefined], 'no stream begins');
    });
    it('415 and 406 say what is served', async () => {
        for (const type of ['text/plain', 'application/pdf', 'text/html']) {
            const r = await bench.send('POST', '/fhir/Patient', { body: '{}', type });
            assert.equal(r.status, 415, type);
            assert.match(JSON.stringify(issue(r)), /fhir\+json/);
        }
        const gbk = await bench.send('POST', '/fhir/Patient', { body: patient(), type: 'application/fhir+json; charset=GBK' });
        assert.equal(gbk.status, 415);
        assert.match(JSON.stringify(issue(gbk)), /UTF-8/);
        assert.equal((await bench.send('POST', '/fhir/Patient', { body: patient(), type: 'application/fhir+json; charset="UTF-8"' })).status, 201);
        const r = await bench.get('/fhir/Patient', { Accept: 'text/turtle' });
        assert.equal(r.status, 406);
        assert.match(JSON.stringify(issue(r)), /fhir\+json/);
        assert.equal((await bench.get('/fhir/Patient?_format=ttl')).status, 406);
        const { id } = await bench.create(patient());
        const version = async (v) => (await bench.get(`/fhir/Patient/${id}`, { Accept: `application/fhir+json; fhirVersion=${v}` })).status;
        assert.deepEqual([await version('4.0'), await version('"4.0"'), await version('5.0')], [200, 200, 406]);
        assert.equal((await bench.send('POST', '/fhir/Patient', { body: patient(), type: 'application/fhir+json; fhirVersion=3.0' })).status, 415);
        assert.equal((await bench.get('/fhir/metadata?mode=full')).status, 200);
        assert.equal((await bench.get('/fhir/metadata?mode=other')).status, 400);
        assert.deepEqual(Object.keys((await bench.get('/fhir/metadata?_elements=url')).json).includes('rest'), false);
    });
    it('_format, _pretty, _summary, _elements on a read', async () => {
        const made = await bench.create(patient());
        const place = `/fhir/Patient/${made.id}`;
        for (const format of ['json', 'application/json', 'application/fhir%2Bjson', 'application/fhir+json', 'text/json']) {
            const r = await bench.get(`${place}?_format=${format}`, { Accept: 'text/turtle' });
            assert.equal(r.status, 200, format);
            assert.match(r.headers['content-type'], /^application\/fhir\+json/);
        }
        assert.match((await bench.get(`${place}?_pretty=true`)).text, /\n {2}"/);
        for (const asked of [place, '/fhir/Patient']) assert.equal((await bench.get(`${asked}?_pretty=maybe`)).status, 400, asked);
        assert.deepEqual((await bench.get(`${place}?_elements=gender`)).json.gender, 'female');
        assert.equal((await bench.get(`${place}?_elements=gender`)).json.name, undefined);
        assert.equal((await bench.get(`${place}?_summary=text`)).json.name, undefined);
    });
});

describe('bundles', () => {
    it('conditional update, patch and delete in a transaction, with references to what they find', async () => {
        const [m, n, gone] = [marked(), marked(), marked()];
        const there = await bench.create(m.body);
        for (let i = 0; i < 2; i++) await bench.create(gone.body);
        const [u, v] = ['urn:uuid:41111111-1111-4111-8111-111111111111', 'urn:uuid:42222222-1111-4111-8111-111111111111'];
        const observation = (reference) => ({ resourceType: 'Observation', status: 'final', code: { text: 'x' }, subject: { reference } });
        const r = await bench.post('/fhir', bundle('transaction',
            { fullUrl: u, ...by('PUT', `Patient?${m.query}`, { ...m.body, active: true }) },
            { fullUrl: v, ...by('PUT', `Patient?${n.query}`, n.body) },
            by('DELETE', `Patient?${gone.query}`),
            by('POST', 'Observation', observation(u)),
            by('POST', 'Observation', observation(v)),
        ));
        assert.equal(r.status, 200, r.text);
        const e = r.json.entry;
        assert.deepEqual(e.map((x) => x.response.status.slice(0, 3)), ['200', '201', '204', '201', '201']);
        assert.equal(e[0].resource.id, there.id);
        assert.equal(e[3].resource.subject.reference, `Patient/${there.id}`);
        assert.equal(e[4].resource.subject.reference, `Patient/${e[1].resource.id}`);
        assert.equal(await count(gone.query), 0);
    });
    it('two entries that meet in one resource are refused', async () => {
        const m = marked();
        const made = await bench.create(m.body);
        for (const second of [
            by('PUT', `Patient/${made.id}`, { ...m.body, id: made.id, gender: 'male' }),
            by('DELETE', `Patient/${made.id}`), by('DELETE', `Patient?${m.query}`),
        ]) {
            const r = await bench.post('/fhir', bundle('transaction', by('PUT', `Patient?${m.query}`, { ...m.body, active: true }), second));
            assert.equal(r.status, 400, r.text);
        }
        assert.equal((await bench.get(`/fhir/Patient/${made.id}`)).headers.etag, 'W/"1"');
    });
    it('several matches refuse a transaction whole, and only their entry of a batch', async () => {
        const [m, n] = [marked(), marked()];
        for (let i = 0; i < 2; i++) await bench.create(m.body);
        const entries = [by('POST', 'Patient', n.body), by('PUT', `Patient?${m.query}`, m.body)];
        const whole = await bench.post('/fhir', bundle('transaction', ...entries));
        assert.equal(whole.status, 412, whole.text);
        assert.match(issue(whole).expression[0], /^Bundle\.entry\[1\]/);
        assert.equal(await count(n.query), 0);
        const each = await bench.post('/fhir', bundle('batch', ...entries));
        assert.deepEqual(each.json.entry.map((x) => x.response.status.slice(0, 3)), ['201', '412']);
        assert.equal(each.json.entry[1].response.outcome.resourceType, 'OperationOutcome');
    });
    it('conditions of a batch', async () => {
        const [m, n, p] = [marked(), marked(), marked()];
        const there = await bench.create(m.body);
        await bench.create(p.body);
        const when = there.meta.lastUpdated;
        const r = await bench.post('/fhir', bundle('batch',
            by('GET', `Patient/${there.id}`, undefined, { ifNoneMatch: 'W/"1"' }),
            by('GET', `Patient/${there.id}`, undefined, { ifModifiedSince: when }),
            by('PUT', `Patient?${n.query}`, n.body),
            by('DELETE', `Patient?${p.query}`),
            by('PUT', `Patient/${there.id}`, { ...m.body, id: there.id, active: true }, { ifMatch: 'W/"7"' }),
            by('POST', 'Patient', m.body, { ifNoneExist: m.query }),
        ));
        assert.deepEqual(r.json.entry.map((x) => x.response.status.slice(0, 3)), ['304', '304', '201', '204', '412', '200']);
        assert.equal(await count(p.query), 0);
    });
    it('histories, metadata, searches by POST and operations that read, as the request alone', async () => {
        const made = await bench.create(patient());
        const place = `Patient/${made.id}`;
        const r = await bench.post('/fhir', bundle('batch',
            by('GET', `${place}/_history`), by('GET', 'metadata'), by('GET', `${place}/$everything?_count=5`), by('POST', 'Patient/$validate', patient()),
            by('GET', 'Patient/_history?_count=1'), by('GET', `${place}/$meta`), by('POST', 'Patient/$validate', { ...patient(), gender: 'x' }),
            by('GET', '$nothing'), by('POST', '$start', { resourceType: 'Parameters' }), by('GET', `Patient/none/_history`),
        ));
        assert.deepEqual(r.json.entry.map((x) => x.response.status.slice(0, 3)), ['200', '200', '200', '200', '200', '200', '200', '400', '400', '404'], r.text.slice(0, 2000));
        assert.deepEqual(r.json.entry.slice(0, 7).map((x) => x.resource.resourceType),
            ['Bundle', 'CapabilityStatement', 'Bundle', 'OperationOutcome', 'Bundle', 'Parameters', 'OperationOutcome']);
        assert.equal(r.json.entry[0].resource.link[0].url, `${server.url}/fhir/${place}/_history?_count=20`);
        assert.equal(r.json.entry[6].resource.issue[0].severity, 'error');
        const doctor = await server.login('doctor');
        const hidden = await doctor.post('/fhir', bundle('batch', by('GET', `${place}/_history`), by('GET', `${place}/$everything`), by('GET', `${place}/$meta`)));
        assert.deepEqual(hidden.json.entry.map((x) => x.response.status.slice(0, 3)), ['404', '404', '404']);
    });
    it('the same key gives the same answer, also of entries that changed nothing', async () => {
        const [m, n] = [marked(), marked()];
        const there = await bench.create(m.body);
        for (let i = 0; i < 2; i++) await bench.create(n.body);
        const body = bundle('transaction',
            by('POST', 'Patient', m.body, { ifNoneExist: m.query }),
            by('PUT', `Patient/${there.id}`, { ...m.body, id: there.id }),
            by('DELETE', `Patient?${n.query}`),
            by('POST', 'Patient', patient({ active: true })),
        );
        const key = { 'Idempotency-Key': `key-${m.value}` };
        const [a, b] = [await bench.post('/fhir', body, key), await bench.post('/fhir', body, key)];
        assert.equal(a.status, 200, a.text);
        const said = (r) => r.json.entry.map((e) => [e.response.status, e.resource?.id, e.resource?.active]);
        assert.deepEqual(said(b), said(a));
        assert.deepEqual(said(a).map(([status]) => status.slice(0, 3)), ['200', '200', '204', '201']);
    });
    it('links of narratives follow their entry; an empty bundle is answered without a list', async () => {
        const u = 'urn:uuid:61111111-1111-4111-8111-111111111111';
        const div = `<div xmlns="http://www.w3.org/1999/xhtml"><a href="${u}">a</a><img alt='' src='${u}'/><p title="${u}">${u}</p></div>`;
        const r = await bench.post('/fhir', bundle('transaction', { fullUrl: u, ...by('POST', 'Patient', patient({ text: { status: 'generated', div } })) }));
        assert.equal(r.status, 200, r.text);
        const { id, text } = r.json.entry[0].resource;
        assert.equal(text.div, `<div xmlns="http://www.w3.org/1999/xhtml"><a href="Patient/${id}">a</a><img alt='' src='Patient/${id}'/><p title="${u}">${u}</p></div>`);
        for (const type of ['transaction', 'batch']) {
            const empty = await bench.post('/fhir', { resourceType: 'Bundle', type });
            assert.deepEqual(empty.json, { resourceType: 'Bundle', type: `${type}-response` });
        }
    });
});
