// Apps that act for a person (SMART App Launch): registration, the page, codes, what a token may, and how it ends.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { Server, patient } from '../support/menkou.mjs';

const BACK = 'https://app.test/back';
const FORM = 'application/x-www-form-urlencoded';
let server, bench, admin, doctor, mine, other;

const form = (o) => new URLSearchParams(o).toString();
const anyone = () => server.anonymous();
const register = (...apps) => admin.send('PUT', '/auth/apps', { body: { apps }, type: 'application/json' });
const app = (client_id, scope, more) => ({ client_id, name: `App ${client_id}`, redirect_uris: [BACK], scope, ...more });

before(async () => {
    server = await Server.start({ accounts: [['bench', 'integrator']] });
    bench = await server.login();
    for (const id of ['a', 'b']) await bench.put(`/fhir/Organization/${id}`, { resourceType: 'Organization', id, name: id });
    server.addUser('doc', 'village-doctor', 'Organization/a');
    doctor = await server.login('doc');
    admin = await server.login('sysadmin');
    mine = await doctor.create(patient());
    other = await doctor.create(patient());
    for (const { id } of [mine, other]) {
        await bench.create({ resourceType: 'Observation', status: 'final', code: { text: 'x' }, subject: { reference: `Patient/${id}` } });
    }
    const r = await register(app('reader', 'launch/patient patient/*.rs'), app('full', 'user/*.cruds', { confidential: true }));
    assert.equal(r.status, 200, r.text);
    server.secret = r.json.apps[1].client_secret;
    assert.equal(r.json.apps[0].client_secret, undefined);
});
after(() => server?.stop());

/** What an app asks, with its secret word. */
function ask(more) {
    const verifier = randomBytes(32).toString('base64url');
    const challenge = createHash('sha256').update(verifier).digest('base64url');
    return { verifier, fields: { response_type: 'code', client_id: 'reader', redirect_uri: BACK, scope: 'launch/patient patient/*.rs', state: 's&1',
        code_challenge: challenge, code_challenge_method: 'S256', ...more } };
}

const person = (more) => ({ username: 'doc', password: server.passwords.doc, decision: 'allow', ...more });
const answer = (fields) => anyone().send('POST', '/auth/authorize', { body: form(fields), type: FORM });
const token = (fields, headers) => anyone().send('POST', '/auth/token', { body: form(fields), type: FORM, headers });

async function code(fields, more) {
    const r = await answer({ ...fields, ...person(more) });
    assert.equal(r.status, 303, r.text);
    const url = new URL(r.headers.location);
    assert.equal(url.searchParams.get('state'), 's&1');
    return url.searchParams.get('code');
}

async function lent(askMore, more, headers) {
    const { verifier, fields } = ask(askMore);
    const r = await token({ grant_type: 'authorization_code', code: await code(fields, more), redirect_uri: BACK, client_id: fields.client_id, code_verifier: verifier }, headers);
    assert.equal(r.status, 200, r.text);
    const client = anyone();
    client.token = r.json.access_token;
    return { client, json: r.json };
}

const basic = (name, secret) => ({ Authorization: `Basic ${Buffer.from(`${name}:${secret}`).toString('base64')}` });

describe('registration', () => {
    it('is the system administrator\'s', async () => {
        assert.equal((await doctor.get('/auth/apps')).status, 403);
        assert.equal((await bench.get('/auth/apps')).status, 403);
        const r = await admin.get('/auth/apps');
        assert.deepEqual(r.json.apps.map((a) => [a.client_id, a.confidential, a.client_secret]), [['reader', false, undefined], ['full', true, undefined]]);
    });
    it('wants names, addresses and scopes that are good', async () => {
        for (const bad of [app('x y', 'user/*.rs'), app('x', 'system/*.cruds'), app('x', 'wonder'), app('x', 'user/*.rs', { redirect_uris: ['http://app.test/'] }),
            app('x', 'user/*.rs', { redirect_uris: ['https://app.test/#a'] }), app('x', 'user/*.rs', { redirect_uris: ['http://localhost.evil.test/'] }), app('x', 'user/*.rs', { redirect_uris: [] })]) {
            assert.equal((await register(bad)).status, 400, JSON.stringify(bad));
        }
        assert.equal((await register(app('x', 'user/*.rs'), app('x', 'user/*.rs'))).status, 400);
        assert.equal((await admin.get('/auth/apps')).json.apps.length, 2);
    });
});

describe('the page', () => {
    it('names the app and what it asks, and asks who one is', async () => {
        const r = await anyone().get(`/auth/authorize?${form(ask({ state: '"><script>' }).fields)}`, { 'Accept-Language': 'en' });
        assert.equal(r.status, 200);
        assert.match(r.headers['content-type'], /text\/html/);
        assert.match(r.headers['content-security-policy'], /frame-ancestors 'none'; form-action 'self' https:\/\/app\.test$/);
        assert.match(r.text, /App reader/);
        assert.ok(!r.text.includes('<script'));
    });
    it('sends nobody to an address that is not registered', async () => {
        for (const more of [{ client_id: 'nobody' }, { redirect_uri: 'https://evil.test/back' }]) {
            const r = await anyone().get(`/auth/authorize?${form(ask(more).fields)}`);
            assert.deepEqual([r.status, r.headers.location], [400, undefined]);
        }
    });
    it('tells the app what it asked wrongly', async () => {
        const told = async (more) => new URL((await anyone().get(`/auth/authorize?${form(ask(more).fields)}`)).headers.location).searchParams.get('error');
        assert.equal(await told({ response_type: 'token' }), 'unsupported_response_type');
        assert.equal(await told({ code_challenge_method: 'plain' }), 'invalid_request');
        assert.equal(await told({ scope: 'user/*.cruds' }), 'invalid_scope');
        assert.equal(await told({ aud: 'https://other.test/fhir' }), 'invalid_request');
    });
    it('asks again after a wrong password or patient, and takes no for an answer', async () => {
        const { fields } = ask();
        assert.equal((await answer({ ...fields, ...person({ password: 'Wrong-Word-1', patient: mine.id }) })).status, 401);
        assert.equal((await answer({ ...fields, ...person({ patient: 'nobody' }) })).status, 404);
        const r = await answer({ ...fields, ...person({ decision: 'deny' }) });
        assert.equal(new URL(r.headers.location).searchParams.get('error'), 'access_denied');
    });
});

describe('a code', () => {
    it('is good once, for its app, its address and its verifier', async () => {
        const { verifier, fields } = ask();
        const good = { grant_type: 'authorization_code', redirect_uri: BACK, client_id: 'reader', code_verifier: verifier };
        const wrong = async (more) => (await token({ ...good, code: await code(fields, { patient: mine.id }), ...more })).json.error;
        assert.equal(await wrong({ code_verifier: 'x'.repeat(43) }), 'invalid_grant');
        assert.equal(await wrong({ redirect_uri: 'https://app.test/other' }), 'invalid_grant');
        assert.equal(await wrong({ client_id: 'full', client_secret: server.secret }), 'invalid_grant');
        const once = await code(fields, { patient: mine.id });
        const all = await Promise.all(Array.from({ length: 8 }, () => token({ ...good, code: once })));
        assert.deepEqual(all.map((r) => r.status).sort(), [200, 400, 400, 400, 400, 400, 400, 400]);
        const opener = anyone();
        opener.token = await code(fields, { patient: mine.id });
        assert.equal((await opener.get(`/fhir/Patient/${mine.id}`)).status, 401, 'it opens nothing by itself');
    });
    it('of a confidential app needs the secret', async () => {
        const { verifier, fields } = ask({ client_id: 'full', scope: 'user/*.cruds' });
        const r = await token({ grant_type: 'authorization_code', code: await code(fields), redirect_uri: BACK, client_id: 'full', code_verifier: verifier });
        assert.deepEqual([r.status, r.json.error], [401, 'invalid_client']);
    });
});

describe('a token for one patient', () => {
    it('sees that one, by every way, and changes nothing', async () => {
        const { client, json } = await lent({}, { patient: mine.id });
        assert.deepEqual([json.token_type, json.patient, json.scope], ['Bearer', mine.id, 'launch/patient patient/*.rs']);
        const ids = async (path) => (await client.get(path)).json.entry?.map((e) => e.resource.id) ?? [];
        assert.equal((await client.get(`/fhir/Patient/${mine.id}`)).status, 200);
        assert.deepEqual(await ids('/fhir/Patient'), [mine.id]);
        assert.equal((await client.get('/fhir/Observation?_total=accurate')).json.total, 1);
        assert.equal((await client.get(`/fhir/Patient/${mine.id}/$everything`)).status, 200);
        for (const path of [`/fhir/Patient/${other.id}`, `/fhir/Patient/${other.id}/_history`, `/fhir/Patient/${other.id}/$everything`]) {
            assert.equal((await client.get(path)).status, 404, path);
        }
        assert.deepEqual(await ids(`/fhir/Observation?patient=${other.id}`), []);
        assert.deepEqual(await ids(`/fhir/Patient?_has:Observation:patient:_id=x`), []);
        assert.equal((await client.post('/fhir/Patient', patient())).status, 403);
        assert.equal((await client.delete(`/fhir/Patient/${mine.id}`)).status, 403);
        for (const path of ['/auth/me', '/events', '/drafts', '/fhir/$actions?pathway=x', '/fhir/$pathways']) {
            assert.equal((await client.get(path)).status, 403, path);
        }
        assert.equal((await client.post('/fhir/Patient/$match', { resourceType: 'Parameters' })).status, 403);
        const inside = await client.post('/fhir', { resourceType: 'Bundle', type: 'batch', entry: ['$pathways', '$actions?pathway=x', `Patient/${mine.id}`]
            .map((url) => ({ request: { method: 'GET', url } })) });
        assert.deepEqual(inside.json.entry.map((e) => e.response.status.slice(0, 3)), ['400', '400', '200'], 'nor in a batch');
        assert.equal((await client.send('POST', '/auth/password', { body: {}, type: 'application/json' })).status, 403);
    });
    it('ends when the app logs out', async () => {
        const { client } = await lent({}, { patient: mine.id });
        assert.equal((await client.send('POST', '/auth/logout', {})).status, 204);
        assert.equal((await client.get(`/fhir/Patient/${mine.id}`)).status, 401);
    });
});

describe('a token for what the person may', () => {
    it('reads and writes in the name of the person, and goes with the app', async () => {
        const { client } = await lent({ client_id: 'full', scope: 'user/*.cruds' }, {}, basic('full', server.secret));
        const made = await client.create(patient());
        const version = (await bench.get(`/fhir/Patient/${made.id}/_history`)).json.entry[0];
        assert.ok(version);
        assert.equal((await client.get('/fhir/Patient?_total=accurate')).json.total, 3);
        assert.equal((await register(app('reader', 'launch/patient patient/*.rs'))).status, 200);
        assert.equal((await client.get(`/fhir/Patient/${made.id}`)).status, 401);
    });
    it('is no more than was asked', async () => {
        const r = await register(app('reader', 'launch/patient patient/*.rs'), app('full', 'user/*.cruds'));
        assert.equal(r.status, 200);
        const { client, json } = await lent({ client_id: 'full', scope: 'user/*.rs openid' });
        assert.equal(json.scope, 'user/*.rs');
        assert.equal((await client.get(`/fhir/Patient/${other.id}`)).status, 200);
        assert.equal((await client.post('/fhir/Patient', patient())).status, 403);
    });
});

describe('other systems', () => {
    it('get a token by their name and password', async () => {
        const r = await token({ grant_type: 'client_credentials' }, basic('bench', server.passwords.bench));
        assert.deepEqual([r.status, r.json.scope, r.headers['cache-control']], [200, 'system/*.cruds', 'no-store']);
        const client = anyone();
        client.token = r.json.access_token;
        assert.ok((await client.create(patient())).id);
        const less = await token({ grant_type: 'client_credentials', scope: 'system/*.read', client_id: 'bench', client_secret: server.passwords.bench });
        assert.equal(less.json.scope, 'system/*.rs');
        client.token = less.json.access_token;
        assert.equal((await client.get('/fhir/Patient')).status, 200);
        assert.equal((await client.post('/fhir/Patient', patient())).status, 403);
    });
    it('are refused in the words of OAuth, and locked out as any other', async () => {
        const refused = async (fields, headers) => { const r = await token(fields, headers); return [r.status, r.json.error]; };
        assert.deepEqual(await refused({ grant_type: 'password' }), [400, 'unsupported_grant_type']);
        assert.deepEqual(await refused({}), [400, 'invalid_request']);
        assert.deepEqual(await refused({ grant_type: 'client_credentials' }, basic('doc', server.passwords.doc)), [400, 'unauthorized_client']);
        assert.deepEqual(await refused({ grant_type: 'client_credentials', scope: 'user/*.rs' }, basic('bench', server.passwords.bench)), [400, 'invalid_scope']);
        let last;
        for (let i = 0; i < 6; i++) last = await token({ grant_type: 'client_credentials' }, basic('ghost', 'Wrong-Word-1'));
        assert.equal(last.status, 429);
        assert.ok(last.headers['retry-after']);
    });
});
