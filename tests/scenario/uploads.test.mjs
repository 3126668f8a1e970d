// An upload that nothing names within a day is removed, and the removal is on record (contracts 1.5).
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Server, menkou, patient } from '../support/menkou.mjs';

const at = (hours) => ['--now', new Date(Date.parse('2026-11-22T00:00:00Z') + hours * 3600_000).toISOString()];

let server, bench;
before(async () => {
    server = await Server.start({ args: at(0) });
    bench = await server.login();
});
after(() => server?.stop());

const upload = async (text, headers = {}) => {
    const r = await bench.send('POST', '/fhir/Binary', { body: Buffer.from(text), type: 'application/octet-stream', headers });
    assert.equal(r.status, 201, r.text);
    return r.json.id;
};
const blob = (text) => {
    const sha = createHash('sha256').update(text).digest('hex');
    return join(server.dir, 'blobs', sha.slice(0, 2), sha);
};
const status = async (id) => (await bench.get(`/fhir/Binary/${id}`)).status;
const restartAt = async (hours) => {
    server.args = at(hours);
    await server.restart();
    bench = await server.login();
};
const until = async (what, holds) => {
    for (let i = 0; i < 20000; i++) if (await holds()) return;
    assert.fail(what);
};

describe('uploads that nothing names', () => {
    const id = {};
    it('stay for a day', async () => {
        const { id: who } = await bench.create(patient());
        id.lost = await upload('lost');
        id.theirs = await upload('lost, with a patient', { 'X-Security-Context': `Patient/${who}` });
        id.named = await upload('named');
        id.twin = await upload('the same twice');
        id.other = await upload('the same twice');
        for (const url of [`Binary/${id.named}`, `Binary/${id.other}`]) {
            await bench.create({
                resourceType: 'DocumentReference', status: 'current', subject: { reference: `Patient/${who}` },
                content: [{ attachment: { url } }],
            });
        }
        await bench.create({
            resourceType: 'DocumentReference', status: 'current', subject: { reference: `Patient/${who}` },
            content: [{ attachment: { url: 'Binary/awaited' } }],
        });
        for (const [name, text, code] of [['chosen', 'chosen', 201], ['chosen', 'chosen anew', 200], ['awaited', 'awaited', 201]]) {
            const r = await bench.send('PUT', `/fhir/Binary/${name}`, { body: Buffer.from(text), type: 'application/octet-stream' });
            assert.equal(r.status, code, r.text);
            id[name] = name;
        }
        await restartAt(23.9);
        const late = await upload('a day later');
        for (const one of Object.values(id)) assert.equal(await status(one), 200);
        id.late = late;
    });

    it('are removed then, with their bytes; what is named stays, and so do bytes that another has', async () => {
        await restartAt(24.1);
        const feed = await bench.events(0);
        const gone = new Set();
        while (gone.size < 4) gone.add((await feed.next((e) => e.data.type === 'Binary' && e.data.op === 'delete')).data.id);
        feed.close();
        assert.deepEqual([...gone].sort(), [id.lost, id.theirs, id.twin, id.chosen].sort());
        for (const name of ['lost', 'theirs', 'twin', 'chosen']) assert.equal(await status(id[name]), 410, name);
        for (const name of ['named', 'other', 'awaited', 'late']) assert.equal(await status(id[name]), 200, name);
        await until('the bytes to go', () => ['lost', 'lost, with a patient', 'chosen', 'chosen anew'].every((text) => !existsSync(blob(text))));
        assert.ok(existsSync(blob('awaited')));
        assert.ok(existsSync(blob('named')) && existsSync(blob('the same twice')));
    });

    it('are on record in the audit, and the directory is whole', async () => {
        const folder = join(server.dir, 'audit');
        const records = () => readdirSync(folder).map((f) => readFileSync(join(folder, f), 'utf8')).join('');
        await until('the audit', () => [id.lost, id.theirs, id.twin, id.chosen].every((x) => records().split('\n')
            .some((line) => line.includes(`Binary/${x}`) && line.includes('"system"') && line.includes('"D"'))));
        assert.match(server.stderr, new RegExp(`removed Binary/${id.lost}`));
        const r = menkou('check', '--data', server.dir);
        assert.equal(r.status, 0, r.out + r.err);
    });
});
