// The trail as AuditEvents: for the audit administrator alone, valid, complete, paged, and itself on the trail.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Server, idCard, menkou, patient } from '../support/menkou.mjs';
import { filesOnly } from '../support/database.mjs';
import { folder } from '../support/server.mjs';

const ID_CARD = 'urn:oid:2.16.156.10011.1.3';
const START = Date.parse('2026-11-20T00:00:00Z');
const day = (n) => ['--now', new Date(START + n * 86400_000).toISOString()];
const segments = () => readdirSync(join(server.dir, 'audit')).sort();

let server, bench, auditor, seen, other, card;
const events = async (query) => (await auditor.searchAll(`/fhir/AuditEvent?${query}`)).map((e) => e.resource);
/** A read's record is on disk within a second: asked until it is there. */
const until = async (query, enough) => {
    for (const end = Date.now() + 10_000; ; ) {
        const found = await events(query);
        if (enough(found)) return found;
        assert.ok(Date.now() < end, `${query}: ${found.length} found`);
    }
};
before(async () => {
    server = await Server.start({ args: day(0) });
    bench = await server.login();
    card = idCard();
    seen = (await bench.create(patient({ card }))).id;
    other = (await bench.create(patient())).id;
    auditor = await server.login('auditadmin');
});
after(() => server?.stop());

describe('who saw this patient', () => {
    it('is answered with every read and write of the record', async () => {
        await bench.get(`/fhir/Patient/${seen}`);
        await bench.get(`/fhir/Patient/${other}`);
        const found = await until(`patient=${seen}`, (all) => all.some((e) => e.action === 'R' && e.agent[0].altId === 'bench'));
        assert.ok(found.some((e) => e.action === 'C'));
        for (const e of found) assert.ok(e.entity.some((x) => x.what?.reference === `Patient/${seen}`), JSON.stringify(e));
        const read = found.find((e) => e.action === 'R' && e.agent[0].altId === 'bench');
        assert.equal(read.agent[0].requestor, true);
        assert.equal(read.agent[0].role[0].coding[0].code, 'integrator');
        assert.equal(read.agent[0].network.address, '127.0.0.1');
        assert.equal(read.outcome, '0');
        assert.equal(read.subtype[0].code, 'read');
    });
    it('can be asked by the number on the card, exactly', async () => {
        const by = await events(`patient.identifier=${ID_CARD}%7C${card}`);
        assert.ok(by.length >= 2);
        assert.deepEqual(await events(`patient.identifier=${ID_CARD}%7C${card.slice(0, 17)}`), []);
    });
    it('that it was asked is itself on the trail', async () => {
        const mine = await until(`patient=${seen}&altid=auditadmin`, (all) => all.length > 0);
        assert.match(Buffer.from(mine[0].entity[0].query, 'base64').toString(), /^AuditEvent\?patient/);
    });
    it('names every patient of a wide page', async () => {
        const bundle = { resourceType: 'Bundle', type: 'transaction', entry: Array.from({ length: 700 }, () => ({ resource: patient(), request: { method: 'POST', url: 'Patient' } })) };
        const made = (await bench.post('/fhir', bundle)).json.entry.map((e) => e.response.location.match(/Patient\/([^/]+)/)[1]);
        const page = await bench.get('/fhir/Patient?_count=1000');
        assert.equal(page.json.entry.length, 702);
        for (const id of [made[0], made[350], made[699]]) {
            await until(`patient=${id}&action=R&altid=bench`, (all) => all.length === 1);
        }
    });
});

describe('what did this person see', () => {
    it('is answered newest first, page by page, each record once', async () => {
        for (let i = 0; i < 25; i++) await bench.get(`/fhir/Patient/${other}`);
        await until(`altid=bench&patient=${other}&action=R&_count=10`, (all) => all.filter((e) => e.subtype[0].code === 'read').length >= 26);
        const first = await auditor.get(`/fhir/AuditEvent?altid=bench&patient=${other}&_count=10`);
        assert.equal(first.json.entry.length, 10);
        const all = await events(`altid=bench&patient=${other}&_count=10`);
        const numbers = all.map((e) => Number(e.id.slice(4)));
        assert.deepEqual(numbers, [...new Set(numbers)].sort((a, b) => b - a));
        assert.ok(all.every((e) => e.agent[0].altId === 'bench'));
    });
    it('by person, outcome, address and action', async () => {
        await bench.get('/fhir/Patient/nobody');
        const failed = await until('altid=bench&outcome=4', (all) => all.length > 0);
        assert.ok(failed.every((e) => e.outcome === '4'));
        assert.deepEqual(await events('altid=nobody'), []);
        assert.deepEqual(await events('altid=bench&address=10.0.0.1'), []);
        assert.ok((await events('altid=bench&action=C')).every((e) => e.action === 'C'));
        assert.ok((await events('altid=bench&action=E')).every((e) => e.action === 'E'));
    });
});

describe('an AuditEvent', () => {
    it('is read by its id, and valid', async () => {
        const kinds = new Map();
        for (const e of await events('_count=1000')) kinds.set(`${e.action} ${e.subtype[0].code} ${e.outcome} ${e.type.code}`, e);
        assert.ok(kinds.size >= 4, [...kinds.keys()].join());
        for (const [kind, e] of kinds) {
            const one = await auditor.get(`/fhir/AuditEvent/${e.id}`);
            assert.equal(one.status, 200, kind);
            assert.deepEqual(one.json, e);
            const r = await bench.post('/fhir/AuditEvent/$validate', e);
            assert.equal(r.status, 200);
            assert.deepEqual(r.json.issue.filter((i) => i.severity === 'error'), [], `${kind}: ${JSON.stringify(e)}`);
        }
        assert.equal((await auditor.get('/fhir/AuditEvent/log.999999')).status, 404);
        assert.equal((await auditor.get('/fhir/AuditEvent/other')).status, 404);
    });
    it('is for the audit administrator alone', async () => {
        server.addUser('wang', 'township-doctor');
        for (const who of ['sysadmin', 'secadmin', 'wang']) {
            const c = await server.login(who);
            assert.equal((await c.get('/fhir/AuditEvent')).status, 403, who);
            assert.equal((await c.get('/fhir/AuditEvent/log.1')).status, 403, who);
            assert.equal((await c.get(`/fhir/AuditEvent?patient=${seen}`)).status, 403, who);
        }
        assert.equal((await server.anonymous().get('/fhir/AuditEvent')).status, 401);
        for (const r of [await auditor.post('/fhir/AuditEvent', {}), await auditor.delete('/fhir/AuditEvent/log.1')]) assert.equal(r.status, 403);
        assert.equal((await auditor.get(`/fhir/Patient/${seen}`)).status, 403, 'and sees no patient');
    });
    it('of another system is kept apart', async () => {
        const [mine] = await events('_count=1');
        const { id, ...foreign } = mine;
        const stored = await bench.create({ ...foreign, outcomeDesc: 'of another system' });
        assert.equal((await bench.get(`/fhir/AuditEvent/${stored.id}`)).json.outcomeDesc, 'of another system');
        assert.equal((await auditor.get(`/fhir/AuditEvent/${stored.id}`)).status, 404);
        assert.equal((await bench.get(`/fhir/AuditEvent/${id}`)).status, 404);
        assert.ok(!(await events('_count=1000')).some((e) => e.outcomeDesc === 'of another system'));
    });
});

describe('a question that is not understood', () => {
    for (const query of ['entity-name=x', 'patient=', 'date=yesterday', '_count=0', '_sort=date', 'outcome=3', '_cursor=1.2.3'])
        it(`is refused: ${query}`, async () => assert.equal((await auditor.get(`/fhir/AuditEvent?${query}`)).status, 400));
    it('a cursor belongs to its question', async () => {
        const first = await auditor.get('/fhir/AuditEvent?altid=bench&_count=5');
        const next = first.json.link.find((l) => l.relation === 'next').url;
        assert.equal((await auditor.get(next)).status, 200);
        assert.equal((await auditor.get(next.replace('altid=bench', 'altid=wang'))).status, 400);
    });
});

describe('segments of past days', () => {
    const again = async (n) => {
        server.args = day(n);
        await server.restart();
        bench = await server.login();
        auditor = await server.login('auditadmin');
        await bench.get(`/fhir/Patient/${seen}`);
    };
    const packed = async (n) => {
        while (segments().filter((f) => f.endsWith('.idx')).length < n) await bench.get('/healthz');
    };
    it('are packed, indexed and searched all the same', async () => {
        const before = await until(`patient=${seen}&altid=bench`, (all) => all.length >= 3);
        await again(1);
        await again(2);
        await again(2);
        await packed(2);
        assert.deepEqual(segments(), ['2026-11-20.idx', '2026-11-20.log.zst', '2026-11-21.idx', '2026-11-21.log.zst', '2026-11-22.log']);
        const now = await until(`patient=${seen}&altid=bench`, (all) => all.length >= before.length + 3);
        for (const e of before) assert.deepEqual(now.find((x) => x.id === e.id), e);
        const yesterday = await events(`patient=${seen}&altid=bench&date=2026-11-21`);
        assert.ok(yesterday.length >= 1 && yesterday.every((e) => e.recorded.startsWith('2026-11-21')));
        assert.equal((await auditor.get('/fhir/AuditEvent/log.1')).status, 200);
    });
    it('are proved by check, as they are and when tampered with', async () => {
        const check = () => menkou('check', '--data', server.dir);
        assert.equal(check().status, 0, check().out);
        await server.process.end('SIGTERM');
        const path = join(server.dir, 'audit', '2026-11-20.log.zst');
        const bytes = readFileSync(path);
        const bad = Buffer.from(bytes);
        bad[bad.length >> 1] ^= 1;
        writeFileSync(path, bad);
        assert.equal(check().status, 1);
        rmSync(path);
        assert.equal(check().status, 1);
        writeFileSync(path, bytes);
        assert.equal(check().status, 0);
        const idx = join(server.dir, 'audit', '2026-11-20.idx');
        const index = readFileSync(idx);
        index[index.length - 1] ^= 1;
        writeFileSync(idx, index);
        const r = check();
        assert.equal(r.status, 1);
        assert.match(r.out, /index differs/);
        rmSync(idx);
        assert.equal(check().status, 0, 'one that is missing is made again');
        await server.run();
        while (!existsSync(idx)) await server.anonymous().get('/healthz');
        assert.equal(check().status, 0);
    });
    it('come with a backup', filesOnly, async () => {
        const [to, target] = [join(folder('backup'), 'b'), join(folder('copy'), 'c')];
        assert.equal(menkou('backup', '--data', server.dir, '--to', to).status, 0);
        assert.equal(menkou('restore', to, '--data', target).status, 0);
        const r = menkou('check', '--data', target);
        assert.equal(r.status, 0, r.out);
        assert.ok(readdirSync(join(target, 'audit')).includes('2026-11-20.log.zst'));
    });
});
