// Contracts 3.3: many clients at once, and exactly one of them is first.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe, it } from 'node:test';
import { Server, idCard, patient } from '../support/menkou.mjs';

const CLIENTS = 64;
const ROUNDS = process.env.MENKOU_LONG ? 100 : 5;
let server, bench, agent;
before(async () => {
    server = await Server.start();
    bench = await server.login();
    agent = new http.Agent({ keepAlive: true, maxSockets: CLIENTS });
});
after(() => {
    agent.destroy();
    return server?.stop();
});

const all = (send) => Promise.all(Array.from({ length: CLIENTS }, (_, i) => send(i)));
const counts = (answers) => answers.reduce((n, r) => ({ ...n, [r.status]: (n[r.status] ?? 0) + 1 }), {});

describe('races', () => {
    it('one ID card is registered once', async () => {
        for (let round = 0; round < ROUNDS; round++) {
            const card = idCard(450 - round);
            const body = patient({ card });
            const answers = await all(() => bench.send('POST', '/fhir/Patient', { body, agent }));
            assert.deepEqual(counts(answers), { 201: 1, 409: CLIENTS - 1 });
            const found = await bench.get(`/fhir/Patient?identifier=urn:oid:2.16.156.10011.1.3|${card}`);
            assert.equal(found.json.entry.length, 1);
        }
    });
    it('If-None-Exist makes one', async () => {
        for (let round = 0; round < ROUNDS; round++) {
            const q = `identifier=urn:test:race|${round}`;
            const body = patient({ identifier: [{ system: 'urn:test:race', value: `${round}` }] });
            const answers = await all(() => bench.send('POST', '/fhir/Patient', { body, agent, headers: { 'If-None-Exist': q } }));
            assert.deepEqual(counts(answers), { 200: CLIENTS - 1, 201: 1 });
            assert.equal(new Set(answers.map((r) => r.json.id)).size, 1);
        }
    });
    it('one Idempotency-Key makes one, and all hear of it', async () => {
        for (let round = 0; round < ROUNDS; round++) {
            const headers = { 'Idempotency-Key': `race-${round}` };
            const body = patient({ family: `键${round}` });
            const answers = await all(() => bench.send('POST', '/fhir/Patient', { body, agent, headers }));
            assert.deepEqual(counts(answers), { 201: CLIENTS });
            assert.equal(new Set(answers.map((r) => r.text)).size, 1);
        }
    });
    it('one If-Match wins', async () => {
        const made = await bench.create(patient());
        for (let round = 1; round <= ROUNDS; round++) {
            const headers = { 'If-Match': `W/"${round}"` };
            const body = patient({ id: made.id, multipleBirthInteger: round });
            const answers = await all(() => bench.send('PUT', `/fhir/Patient/${made.id}`, { body, agent, headers }));
            assert.deepEqual(counts(answers), { 200: 1, 412: CLIENTS - 1 });
        }
    });
    it('writes without If-Match all count', async () => {
        const made = await bench.create(patient());
        const body = patient({ id: made.id });
        const answers = await all(() => bench.send('PUT', `/fhir/Patient/${made.id}`, { body, agent }));
        assert.deepEqual(counts(answers), { 200: CLIENTS });
        assert.equal((await bench.get(`/fhir/Patient/${made.id}`)).headers.etag, `W/"${CLIENTS + 1}"`);
    });
});
