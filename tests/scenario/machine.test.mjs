// What machines ask: version, metrics, and methods that are not served.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Server, menkou, patient, root } from '../support/menkou.mjs';

let server, bench;
before(async () => {
    server = await Server.start();
    bench = await server.login();
});
after(() => server?.stop());

const metrics = async () => {
    const r = await server.anonymous().get('/metrics');
    assert.equal(r.status, 200);
    assert.match(r.headers['content-type'], /^text\/plain; version=0\.0\.4/);
    return new Map(r.text.trim().split('\n').filter((l) => !l.startsWith('#')).map((line) => {
        const at = line.lastIndexOf(' ');
        return [line.slice(0, at), Number(line.slice(at + 1))];
    }));
};

describe('the version', () => {
    it('is one: of the build, the command, health, metadata and metrics', async () => {
        const [, version] = /version: '([^']+)'/.exec(readFileSync(join(root, 'meson.build'), 'utf8'));
        assert.equal(menkou('--version').out, `menkou ${version}\n`);
        assert.equal((await server.anonymous().get('/healthz')).json.version, version);
        assert.equal((await bench.get('/fhir/metadata')).json.software.version, version);
        assert.ok((await metrics()).has(`menkou_build_info{version="${version}"}`));
    });
});

describe('metrics', () => {
    const read = 'menkou_http_answers_total{method="GET",route="/fhir/{Type}/{id}",status=';
    const create = 'method="POST",route="/fhir/{Type}"';
    it('count answers by route and status', async () => {
        const before = await metrics();
        const { id } = await bench.create(patient());
        for (let i = 0; i < 3; i++) await bench.get(`/fhir/Patient/${id}`);
        await bench.get('/fhir/Patient/nobody');
        const now = await metrics();
        const grown = (name) => (now.get(name) ?? 0) - (before.get(name) ?? 0);
        assert.equal(grown(`${read}"200"}`), 3);
        assert.equal(grown(`${read}"404"}`), 1);
        assert.equal(grown(`menkou_http_answers_total{${create},status="201"}`), 1);
        assert.equal(grown('menkou_log_transactions_total'), 1);
        assert.equal(grown('menkou_log_seq'), 1);
        assert.ok(grown('menkou_http_requests_total') >= 5);
    });
    it('have a histogram whose buckets grow up to the count', async () => {
        const all = await metrics();
        const buckets = [...all].filter(([name]) => name.startsWith(`menkou_http_seconds_bucket{${create},`)).map(([, n]) => n);
        assert.equal(buckets.length, 13);
        assert.deepEqual(buckets, [...buckets].sort((a, b) => a - b));
        assert.equal(buckets.at(-1), all.get(`menkou_http_seconds_count{${create}}`));
        assert.ok(all.get(`menkou_http_seconds_sum{${create}}`) > 0);
    });
    it('say with /healthz what space is left', async () => {
        const { disk } = (await server.anonymous().get('/healthz')).json;
        assert.ok(disk.freeBytes > 0 && disk.freeBytes <= disk.totalBytes);
        assert.equal(disk.lowBytes, 5 * 1024 ** 3);
        assert.equal(disk.low, disk.freeBytes < disk.lowBytes);
        const now = await metrics();
        assert.ok(Math.abs(now.get('menkou_disk_free_bytes') - disk.freeBytes) < 1024 ** 3);
        assert.equal(now.get('menkou_disk_low'), disk.low ? 1 : 0);
    });
    it('show open streams and the queue', async () => {
        const events = await bench.events();
        await events.next();
        const all = await metrics();
        assert.equal(all.get('menkou_http_streams'), 1);
        assert.equal(all.get('menkou_http_queued'), 0);
        events.close();
    });
});

describe('methods that are not served', () => {
    const patch = { body: '[]', type: 'application/json-patch+json' };
    for (const [method, path, more, allow] of [
        ['PATCH', '/fhir/Patient/p/_history/1', patch, 'GET, HEAD'],
        ['DELETE', '/fhir/Patient/p/_history/1', {}, 'GET, HEAD'],
        ['DELETE', '/fhir', {}, 'GET, HEAD, POST'],
    ]) {
        it(`${method} ${path} is 405 with Allow`, async () => {
            const r = await bench.send(method, path, more);
            assert.equal(r.status, 405, r.text);
            assert.equal(r.headers.allow, allow);
            assert.equal(r.json.issue[0].code, 'not-supported');
        });
    }
    it('metadata claims the operations that the routes serve, each once, and every one answers', async () => {
        const table = readFileSync(join(root, 'src/api/routes.def'), 'utf8');
        const served = [...table.matchAll(/"\/fhir\/(?:(\{Type\}|\w+)\/)?(?:\{id\}\/)?\$([\w-]+)"/g)].map(([, type, name]) => `${type ?? ''} ${name}`);
        const [rest] = (await bench.get('/fhir/metadata')).json.rest;
        const types = new Set(['', '{Type}', ...rest.resource.map((one) => one.type)]);
        const claimed = rest.operation.map((o) => ` ${o.name}`);
        for (const one of rest.resource) {
            for (const o of one.operation) claimed.push(o.definition.includes('/Resource-') ? `{Type} ${o.name}` : `${one.type} ${o.name}`);
            assert.equal(new Set(one.operation.map((o) => o.definition)).size, one.operation.length);
        }
        assert.ok(served.length > 12);
        assert.deepEqual([...new Set(claimed)].sort(), [...new Set(served)].filter((o) => types.has(o.split(' ')[0])).sort());
        assert.equal(claimed.filter((o) => o === 'MeasureReport figures').length, 1);
        for (const o of new Set(claimed)) {
            const [type, name] = o.split(' ');
            const paths = type ? [`/fhir/${type.replace('{Type}', 'Patient')}/$${name}`, `/fhir/${type.replace('{Type}', 'Patient')}/x/$${name}`] : [`/fhir/$${name}`];
            const answers = await Promise.all(paths.map((path) => bench.send('DELETE', path)));
            assert.ok(answers.some((r) => r.status === 405 && /GET|POST/.test(r.headers.allow)), `${o}: ${answers.map((r) => r.status)}`);
        }
        assert.equal((await bench.send('DELETE', '/fhir/$nothing')).status, 404);
    });
});
