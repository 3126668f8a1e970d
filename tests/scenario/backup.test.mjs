// A backup made while clients write, restored elsewhere: equal export, sound, a new epoch, every earlier write in it.
import assert from 'node:assert/strict';
import { appendFileSync, existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { spawn } from 'node:child_process';
import { Server, menkou, patient } from '../support/menkou.mjs';
import { folder, program } from '../support/server.mjs';

/** Beside a test that goes on writing: spawnSync would stop its clients. */
const run = (...args) => new Promise((resolve) => {
    const child = spawn(program, args, { env: { ...process.env, LANG: 'C.UTF-8' } });
    let [out, err] = ['', ''];
    child.stdout.on('data', (d) => (out += d));
    child.stderr.on('data', (d) => (err += d));
    child.on('close', (status) => resolve({ status, out, err }));
});
const exported = (dir) => menkou('export', '--data', dir).out;
const node = (dir) => JSON.parse(readFileSync(join(dir, 'node.json'), 'utf8'));
const list = (backup) => JSON.parse(readFileSync(join(backup, 'backup.json'), 'utf8'));
const sound = (dir) => {
    const r = menkou('check', '--data', dir);
    assert.equal(r.status, 0, r.out + r.err);
};

let server, bench, backup, copy, binary;
before(async () => {
    server = await Server.start();
    bench = await server.login();
    backup = join(folder('backup'), 'weekly');
    copy = join(folder('restored'), 'county');
    const r = await bench.send('POST', '/fhir/Binary', { body: Buffer.from('samples of a recording'), type: 'application/octet-stream' });
    assert.equal(r.status, 201, r.text);
    binary = r.headers.location.match(/Binary\/[^/]+/)[0];
});
after(() => server?.stop());

describe('a backup beside a storm of writes', () => {
    const written = [];
    let before, slowest = 0;
    it('is made and does not hold the writers up', async () => {
        let going = true;
        const sessions = []; // one after the other: so many log-ins at once may be put off
        for (let i = 0; i < 8; i++) sessions.push(await server.login());
        const writer = async (mine) => {
            while (going) {
                const t0 = performance.now();
                const { id } = await mine.create(patient());
                slowest = Math.max(slowest, performance.now() - t0);
                written.push({ id, at: Date.now() });
            }
        };
        const writers = sessions.map(writer);
        while (written.length < 100) await bench.get('/healthz');
        before = [...written];
        const r = await run('backup', '--data', server.dir, '--to', backup);
        going = false;
        await Promise.all(writers);
        assert.equal(r.status, 0, r.err);
        assert.match(r.out, /^backup: up to change \d+ of epoch 1, \d+ files, 1 blobs; \d+ bytes copied\n$/);
        assert.ok(written.length > before.length, 'written meanwhile');
        assert.ok(slowest < 5000, `a write took ${slowest} ms`);
    });
    it('holds no index and is for its owner only', () => {
        assert.ok(list(backup).files.some((f) => f.as === 'log.db'));
        assert.ok(!readdirSync(backup).some((f) => f.startsWith('index')));
        assert.equal(statSync(backup).mode & 0o077, 0);
        for (const f of readdirSync(backup)) assert.equal(statSync(join(backup, f)).mode & 0o077, 0, f);
    });
    it('is restored sound, with every write from before it, in a new epoch', async () => {
        const r = menkou('restore', backup, '--data', copy);
        assert.equal(r.status, 0, r.err);
        assert.equal(r.out, `restored: up to change ${list(backup).seq}; epoch 2 begins after 1\n`);
        sound(copy);
        assert.equal(node(copy).database, node(server.dir).database);
        assert.deepEqual([node(copy).epoch, node(server.dir).epoch], [2, 1]);
        const there = exported(copy);
        for (const { id } of before) assert.ok(there.includes(`"id":"${id}"`), id);
    });
    it('serves its recordings and accounts again, beside the original', async () => {
        const second = await Server.start({ dir: copy, accounts: [] });
        second.passwords = server.passwords;
        const there = await second.login();
        const r = await there.get(`/fhir/${binary}`, { Accept: 'application/octet-stream' });
        assert.equal(r.text, 'samples of a recording');
        await there.create(patient());
        await bench.create(patient());
        await second.stop();
        sound(copy);
    });
    it('is not sound with a damaged hooks.db', () => {
        const path = join(copy, 'hooks.db');
        if (!existsSync(path)) return; // a server's
        const bytes = readFileSync(path);
        const head = Buffer.from(bytes);
        head[5] ^= 0x41;
        writeFileSync(path, head);
        const r = menkou('check', '--data', copy);
        assert.equal(r.status, 1, r.err);
        assert.match(r.out, /^hooks: .*hooks\.db/m);
        writeFileSync(path, bytes);
        sound(copy);
    });
});

describe('a backup of a quiet moment', () => {
    it('exports the same bytes after its restore', async () => {
        const quiet = join(folder('quiet'), 'data');
        const first = menkou('backup', '--data', server.dir, '--to', backup);
        assert.equal(first.status, 0, first.err);
        assert.equal(menkou('restore', backup, '--data', quiet).status, 0);
        assert.equal(exported(quiet), exported(server.dir));
        sound(quiet);
    });
    it('is added to: what is old is removed, blobs are not copied twice', async () => {
        const files = () => readdirSync(backup).filter((f) => f.startsWith('log.db'));
        assert.equal(files().length, 1);
        const sha = readdirSync(join(backup, 'blobs')).flatMap((d) => readdirSync(join(backup, 'blobs', d)))[0];
        const inode = statSync(join(backup, 'blobs', sha.slice(0, 2), sha)).ino;
        assert.equal(menkou('backup', '--data', server.dir, '--to', backup).status, 0);
        assert.equal(files().length, 1);
        assert.equal(statSync(join(backup, 'blobs', sha.slice(0, 2), sha)).ino, inode);
    });
    it('that was begun and cut off is not restored, and gone on with', () => {
        const cut = join(folder('cut'), 'backup');
        assert.equal(menkou('backup', '--data', server.dir, '--to', cut).status, 0);
        const whole = list(cut);
        writeFileSync(join(cut, 'backup.json'), JSON.stringify({ ...whole, files: [] }));
        const r = menkou('restore', cut, '--data', join(folder('none'), 'data'));
        assert.equal(r.status, 1);
        assert.match(r.err, /never finished/);
        assert.equal(menkou('backup', '--data', server.dir, '--to', cut).status, 0);
        assert.equal(menkou('restore', cut, '--data', join(folder('again'), 'data')).status, 0);
    });
});

describe('refused', () => {
    it('a folder with something else, or with another county', () => {
        const other = folder('other');
        writeFileSync(join(other, 'letter.txt'), 'mine');
        assert.equal(menkou('backup', '--data', server.dir, '--to', other).status, 2);
        const county = join(folder('county'), 'data');
        assert.equal(menkou('init', '--data', county).status, 0);
        assert.equal(menkou('backup', '--data', county, '--to', backup).status, 2);
        assert.equal(menkou('backup', '--data', county).status, 2);
        assert.equal(menkou('restore', backup, '--data', server.dir).status, 2, 'a folder that is not empty');
        assert.equal(menkou('restore', join(other, 'nothing'), '--data', join(other, 'new')).status, 2);
    });
    it('a damaged file, before anything is written', () => {
        const bad = join(folder('bad'), 'backup'), target = join(folder('target'), 'data');
        assert.equal(menkou('backup', '--data', server.dir, '--to', bad).status, 0);
        const log = list(bad).files.find((f) => f.as === 'log.db').name;
        appendFileSync(join(bad, log), 'x');
        const r = menkou('restore', bad, '--data', target);
        assert.equal(r.status, 1);
        assert.match(r.err, /damaged.*log\.db/);
        assert.ok(!existsSync(target));
    });
    it('a damaged or missing blob', () => {
        const bad = join(folder('bad'), 'backup'), target = join(folder('target'), 'data');
        assert.equal(menkou('backup', '--data', server.dir, '--to', bad).status, 0);
        const [dir] = readdirSync(join(bad, 'blobs'));
        const [sha] = readdirSync(join(bad, 'blobs', dir));
        appendFileSync(join(bad, 'blobs', dir, sha), 'x');
        assert.equal(menkou('restore', bad, '--data', target).status, 1);
        rmSync(join(bad, 'blobs', dir, sha));
        const r = menkou('restore', bad, '--data', target);
        assert.equal(r.status, 1);
        assert.match(r.err, /not whole; remove it/);
        assert.equal(menkou('check', '--data', target).status, 2, 'half a copy is no data directory');
    });
});

describe('a recording whose bytes are gone', () => {
    it('is found by check, and no backup is made of it', async () => {
        const lost = join(folder('lost'), 'data');
        assert.equal(menkou('restore', backup, '--data', lost).status, 0);
        const [dir] = readdirSync(join(lost, 'blobs'));
        rmSync(join(lost, 'blobs', dir), { recursive: true });
        const r = menkou('check', '--data', lost);
        assert.equal(r.status, 1);
        assert.match(r.out, /content that a Binary names is missing/);
        assert.equal(menkou('backup', '--data', lost, '--to', join(folder('of'), 'it')).status, 1);
    });
});

describe('the audit\'s key kept elsewhere', () => {
    it('is needed again', () => {
        const apart = join(folder('apart'), 'backup'), keys = join(folder('keys'), 'audit.key');
        assert.equal(menkou('backup', '--data', server.dir, '--to', apart, '--keys', keys).status, 0);
        assert.equal(statSync(keys).mode & 0o777, 0o600);
        assert.ok(!readdirSync(apart).some((f) => f.startsWith('audit.key')));
        assert.equal(menkou('restore', apart, '--data', join(folder('without'), 'data')).status, 2);
        const target = join(folder('with'), 'data');
        const r = menkou('restore', apart, '--data', target, '--keys', keys, '--epoch', '7');
        assert.equal(r.status, 0, r.err);
        assert.equal(node(target).epoch, 7);
        sound(target);
    });
});

describe('a new county without a single resource', () => {
    it('is copied too, and the copy is another', () => {
        const dir = join(folder('empty'), 'data'), to = join(folder('to'), 'backup'), target = join(folder('copy'), 'data');
        assert.equal(menkou('init', '--data', dir).status, 0);
        assert.equal(menkou('backup', '--data', dir, '--to', to).status, 0);
        assert.equal(menkou('restore', to, '--data', target).status, 0);
        assert.equal(node(target).epoch, 2);
        sound(target);
    });
});
