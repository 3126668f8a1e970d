// Contracts 1.6, row by row: which answer each kind of request gets.
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import { Server, patient } from '../support/menkou.mjs';

let server, bench;
before(async () => {
    server = await Server.start();
    bench = await server.login();
});
after(() => server?.stop());

function outcome(r, status) {
    assert.equal(r.status, status, r.text);
    assert.equal(r.json.resourceType, 'OperationOutcome');
    assert.match(r.headers['content-type'], /^application\/fhir\+json/);
    return r.json.issue[0];
}

/** The whole answer to these bytes, until the server ends the connection. */
const raw = (bytes) =>
    new Promise((resolve, reject) => {
        const url = new URL(server.url);
        const socket = net.connect(url.port, url.hostname, () => socket.write(bytes));
        let text = '';
        socket.on('data', (b) => (text += b));
        socket.on('end', () => socket.end());
        socket.on('close', () => resolve(text));
        socket.on('error', reject);
    });

describe('what is no request of HTTP', () => {
    const head = 'GET /fhir/metadata HTTP/1.1\r\n';
    const host = 'Host: a\r\n';
    for (const [what, bytes, status, code] of [
        ['an address that is too long', `GET /fhir/Patient?name=${'a'.repeat(40_000)} HTTP/1.1\r\n${host}\r\n`, 414, 'too-long'],
        ['a header that is too long', `${head}${host}X-A: ${'a'.repeat(40_000)}\r\n\r\n`, 431, 'too-long'],
        ['a line without a version', `GET /fhir/metadata\r\n${host}\r\n`, 400, 'invalid'],
        ['another HTTP', `GET /fhir/metadata HTTP/9.9\r\n${host}\r\n`, 505, 'not-supported'],
        ['a header without a colon', `${head}${host}abc\r\n\r\n`, 400, 'invalid'],
        ['a blank before the colon', `${head}${host}X-A : b\r\n\r\n`, 400, 'invalid'],
        ['no Host', `${head}\r\n`, 400, 'invalid'],
        ['two Hosts', `${head}${host}${host}\r\n`, 400, 'invalid'],
        ['two lengths', `POST /fhir HTTP/1.1\r\n${host}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`, 400, 'invalid'],
        ['an unknown coding', `POST /fhir HTTP/1.1\r\n${host}Transfer-Encoding: abc\r\n\r\n{}`, 400, 'invalid'],
        ['a broken chunk', `POST /fhir HTTP/1.1\r\n${host}Authorization: Bearer TOKEN\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n`, 400, 'invalid'],
    ]) {
        it(`${what} is ${status}, an outcome, and the end of the connection`, async () => {
            const answer = await raw(bytes.replace('TOKEN', bench.token));
            assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `));
            const [headers, body] = answer.split('\r\n\r\n');
            assert.match(headers, /Content-Type: application\/fhir\+json/);
            const { resourceType, issue } = JSON.parse(body);
            assert.equal(resourceType, 'OperationOutcome');
            assert.equal(issue[0].code, code, body);
            assert.ok(issue[0].details.text && issue[0].diagnostics);
        });
    }
    it('a length beside a coding: the coding counts, and the connection ends', async () =>
        assert.match(
            await raw(`POST /fhir HTTP/1.1\r\n${host}Authorization: Bearer ${bench.token}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`),
            /^HTTP\/1.1 415 [^]*Connection: close/i,
        ));
    it('the form for proxies is served', async () =>
        assert.match(await raw(`GET ${server.url}/fhir/metadata HTTP/1.1\r\n${host}Connection: close\r\n\r\n`), /"CapabilityStatement"/));
});

describe('bodies', () => {
    const post = (body) => bench.post('/fhir/Patient', body);

    it('not JSON is 400', async () => outcome(await post('{"resourceType":'), 400));
    it('bad UTF-8 is 400', async () => outcome(await post(Buffer.from([0x22, 0xc3, 0x28, 0x22])), 400));
    it('deeper than 100 is 400', async () => outcome(await post('['.repeat(101) + ']'.repeat(101)), 400));
    it('duplicate keys are 400, with the place', async () => {
        const issue = outcome(await post('{"resourceType":"Patient","active":true,"active":false}'), 400);
        assert.deepEqual(issue.expression, ['Patient.active']);
    });
    it('a lone surrogate is 400, with the place', async () => {
        const issue = outcome(await post('{"resourceType":"Patient","language":"\\ud800"}'), 400);
        assert.deepEqual(issue.expression, ['Patient.language']);
    });
    it('U+0000 is 400', async () =>
        outcome(await post('{"resourceType":"Patient","name":[{"text":"a\\u0000b"}]}'), 400));
    it('an unknown element is 422 with its FHIRPath', async () => {
        const issue = outcome(await post({ resourceType: 'Patient', nme: [] }), 422);
        assert.deepEqual(issue.expression, ['Patient.nme']);
    });
    it('every fault of a body is an issue', async () => {
        const r = await post({ resourceType: 'Patient', gender: 'x', birthDate: '1980-13-01', active: 'yes' });
        assert.equal(r.status, 422);
        assert.ok(r.json.issue.length >= 3, r.text);
    });
    it('another type than the address says is 400', async () =>
        outcome(await post({ resourceType: 'Observation' }), 400));
    it('another media type is 415', async () =>
        outcome(await bench.send('POST', '/fhir/Patient', { body: 'a: b', type: 'text/yaml' }), 415));
    it('a format that is not served is 406', async () => {
        outcome(await bench.get('/fhir/Patient', { Accept: 'text/turtle' }), 406);
        outcome(await bench.get('/fhir/Patient?_format=ttl'), 406);
    });
    it('_format=json and _pretty are served', async () => {
        const r = await bench.get('/fhir/Patient?_format=json&_pretty=true');
        assert.equal(r.status, 200, r.text);
        assert.match(r.text, /\n {2}"/);
    });
});

describe('sizes', () => {
    const declare = (path, bytes) =>
        raw(
            `POST ${path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${bench.token}\r\n` +
                `Content-Type: application/fhir+json\r\nContent-Length: ${bytes}\r\n\r\n`,
        );

    it('more than 32 MiB is 413 before it is sent', async () =>
        assert.match(await declare('/fhir/Patient', 33 << 20), /^HTTP\/1.1 413/));
    it('a Binary may have 64 MiB, not more', async () =>
        assert.match(await declare('/fhir/Binary', (64 << 20) + 1), /^HTTP\/1.1 413/));
    it('a client that sends it all finds the answer', async () =>
        outcome(await bench.post('/fhir/Patient', Buffer.alloc(33 << 20, 0x20)), 413));
    it('without a declared length too', async () => {
        const r = await bench.send('POST', '/fhir/Patient', {
            body: Buffer.alloc(33 << 20, 0x20),
            headers: { 'Transfer-Encoding': 'chunked', 'Content-Length': undefined },
        }).catch((e) => ({ status: e.code }));
        assert.equal(r.status, 413);
    });
});

describe('what is not there', () => {
    it('an unknown type is 404', async () => {
        outcome(await bench.get('/fhir/Nothing'), 404);
        outcome(await bench.get('/fhir/Nothing/1'), 404);
        outcome(await bench.get('/fhir/DomainResource/1'), 404);
        outcome(await bench.post('/fhir/Nothing', { resourceType: 'Nothing' }), 404);
    });
    it('an unknown id is 404', async () => {
        outcome(await bench.get('/fhir/Patient/none'), 404);
        outcome(await bench.get('/fhir/Patient/none/_history/1'), 404);
        outcome(await bench.get('/fhir/Patient/none/_history'), 404);
        outcome(await bench.delete('/fhir/Patient/none'), 404);
    });
    it('an unknown address is 404', async () => {
        outcome(await bench.get('/fhir/Patient/1/2/3/4'), 404);
        outcome(await bench.get('/fhir/Patient/$unheard'), 404);
    });
    it('deleted is 410 on read and 204 on deleting again', async () => {
        const made = await bench.create(patient());
        const place = `/fhir/Patient/${made.id}`;
        assert.equal((await bench.delete(place)).status, 204);
        outcome(await bench.get(place), 410);
        outcome(await bench.get(`${place}/_history/2`), 410);
        assert.equal((await bench.get(`${place}/_history/1`)).status, 200);
        assert.equal((await bench.delete(place)).status, 204);
        const again = await bench.put(place, patient({ id: made.id }));
        assert.equal(again.status, 201);
        assert.equal(again.headers.etag, 'W/"3"');
    });
});

describe('search parameters', () => {
    for (const query of ['nosuch=1', 'birthdate=yesterday', 'name:nosuch=a', 'birthdate=xx2020', '_nosuch=1', 'active=maybe', 'active:not=1', '_text:missing=true']) {
        it(`${query} is 400 that names it`, async () => {
            const issue = outcome(await bench.get(`/fhir/Patient?${query}`), 400);
            const name = query.split(/[:=]/)[0];
            assert.ok(JSON.stringify(issue).includes(name), JSON.stringify(issue));
        });
    }
    it('lenient: ignored, named in an outcome, absent from self', async () => {
        const r = await bench.get('/fhir/Patient?nosuch=1&gender=female', { Prefer: 'handling=lenient' });
        assert.equal(r.status, 200, r.text);
        const self = r.json.link.find((l) => l.relation === 'self').url;
        assert.ok(!self.includes('nosuch') && self.includes('gender'), self);
        const note = r.json.entry.find((e) => e.search.mode === 'outcome');
        assert.ok(JSON.stringify(note.resource).includes('nosuch'));
    });
});

describe('PUT', () => {
    it('without an id in the body, or with another, is 400', async () => {
        outcome(await bench.put('/fhir/Patient/p1', patient()), 400);
        outcome(await bench.put('/fhir/Patient/p1', patient({ id: 'p2' })), 400);
    });
    it('an unknown id is created', async () => {
        const r = await bench.put('/fhir/Patient/put-new', patient({ id: 'put-new' }));
        assert.equal(r.status, 201, r.text);
        assert.equal(r.headers.location, '/fhir/Patient/put-new/_history/1');
        assert.equal(r.headers.etag, 'W/"1"');
    });
    it('If-Match that is not current is 412, the last write wins without', async () => {
        const made = await bench.create(patient());
        const place = `/fhir/Patient/${made.id}`;
        const first = await bench.put(place, patient({ id: made.id, active: true }), { 'If-Match': 'W/"1"' });
        assert.equal(first.status, 200, first.text);
        assert.equal(first.headers.etag, 'W/"2"');
        outcome(await bench.put(place, patient({ id: made.id }), { 'If-Match': 'W/"1"' }), 412);
        outcome(await bench.put(place, patient({ id: made.id }), { 'If-Match': 'W/"half' }), 400);
        assert.equal((await bench.put(place, patient({ id: made.id }))).headers.etag, 'W/"3"');
        outcome(await bench.put('/fhir/Patient/never', patient({ id: 'never' }), { 'If-Match': 'W/"1"' }), 412);
    });
    it('an id that cannot be one is 400', async () =>
        outcome(await bench.put('/fhir/Patient/a_b', patient({ id: 'a_b' })), 400));
});

describe('methods', () => {
    for (const [method, path, allow] of [
        ['PUT', '/fhir/_history', 'GET, HEAD'],
        ['PATCH', '/fhir/Patient/1/_history', 'GET, HEAD'],
        ['DELETE', '/fhir', 'GET, HEAD, POST'],
        ['GET', '/fhir/Patient/_search', 'POST'],
        ['DELETE', '/fhir/metadata', 'GET, HEAD'],
        ['GET', '/fhir/$start', 'POST'],
    ]) {
        it(`${method} ${path} is 405`, async () => {
            const r = await bench.send(method, path);
            outcome(r, 405);
            assert.equal(r.headers.allow, allow);
        });
    }
    it('HEAD is GET without the body', async () => {
        const made = await bench.create(patient());
        const r = await bench.send('HEAD', `/fhir/Patient/${made.id}`);
        assert.equal(r.status, 200);
        assert.equal(r.headers.etag, 'W/"1"');
        assert.equal(r.bytes.length, 0);
    });
});

describe('who calls', () => {
    it('no token or a wrong one is 401 with WWW-Authenticate', async () => {
        for (const token of [undefined, 'x'.repeat(43)]) {
            const c = server.anonymous();
            c.token = token;
            const r = await c.get('/fhir/Patient/1');
            outcome(r, 401);
            assert.match(r.headers['www-authenticate'], /^Bearer/);
        }
    });
    it('a wrong name and a wrong password are told in the same words', async () => {
        const c = server.anonymous();
        const type = 'application/json';
        const say = (username, password) => c.send('POST', '/auth/login', { body: { username, password }, type });
        const [a, b] = [await say('nobody', 'x'), await say('sysadmin', 'x')];
        assert.equal(a.status, 401);
        assert.equal(b.status, 401);
        assert.equal(a.text, b.text);
    });
    it('five failures are 429 with Retry-After', async () => {
        const c = server.anonymous();
        let r;
        for (let i = 0; i < 6; i++) {
            r = await c.send('POST', '/auth/login', {
                body: { username: 'secadmin', password: 'x' },
                type: 'application/json',
            });
        }
        outcome(r, 429);
        assert.ok(Number(r.headers['retry-after']) > 0);
    });
    it('a cookie alone never authorises a write', async () => {
        const c = server.anonymous();
        const cookie = { Cookie: `menkou=${bench.token}` };
        assert.equal((await c.get('/auth/me', cookie)).status, 200);
        outcome(await c.post('/fhir/Patient', patient(), cookie), 403);
        const r = await c.post('/fhir/Patient', patient(), { ...cookie, 'X-Menkou': '1' });
        assert.equal(r.status, 201, r.text);
    });
    it('the three administrators read no clinical data', async () => {
        const admin = await server.login('sysadmin');
        outcome(await admin.get('/fhir/Patient'), 403);
    });
    it('an integrator may not start or act', async () => {
        outcome(
            await bench.post('/fhir/$start', {
                resourceType: 'Parameters',
                parameter: [
                    { name: 'pathway', valueCode: 'follow-up' },
                    { name: 'patient', valueReference: { reference: 'Patient/1' } },
                ],
            }),
            403,
        );
    });
    it('logging out ends the session', async () => {
        const c = await server.login('auditadmin');
        assert.equal((await c.get('/auth/me')).status, 200);
        assert.equal((await c.post('/auth/logout')).status, 204);
        assert.equal((await c.get('/auth/me')).status, 401);
    });
    it('errors are told in the caller’s language', async () => {
        const zh = outcome(await bench.get('/fhir/Patient/none', { 'Accept-Language': 'zh-CN,zh;q=0.9,en;q=0.8' }), 404);
        const en = outcome(await bench.get('/fhir/Patient/none', { 'Accept-Language': 'en-US,en;q=0.9' }), 404);
        assert.match(zh.details.text, /没有找到/);
        assert.match(en.details.text, /not known/);
    });
});
