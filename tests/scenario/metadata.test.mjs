// Every claim of /fhir/metadata is kept: each interaction done, each parameter searched with, each include followed, each
// operation called, each format asked for.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Server, patient } from '../support/menkou.mjs';

const instances = process.env.MENKOU_SUITES && join(process.env.MENKOU_SUITES, '02-fhir-r4-examples', 'instances');
const examples = instances && existsSync(instances);
if (!examples) console.log('SKIPPED the interactions of most types: $MENKOU_SUITES has no 02-fhir-r4-examples');

let server, bench, statement, rest;
before(async () => {
    server = await Server.start();
    bench = await server.login();
    statement = (await bench.get('/fhir/metadata')).json;
    [rest] = statement.rest;
});
after(() => server?.stop());

/** The examples of each type, small ones first. */
function samplesByType() {
    const found = new Map([['Patient', [JSON.stringify(patient())]]]);
    for (const file of examples ? readdirSync(instances) : []) {
        const type = file.slice(0, file.indexOf('-'));
        if (!found.has(type)) found.set(type, []);
        if (type !== 'Patient') found.get(type).push(readFileSync(join(instances, file), 'utf8'));
    }
    for (const list of found.values()) list.sort((x, y) => x.length - y.length);
    return found;
}

describe('the statement', () => {
    it('is a valid CapabilityStatement of R4, by JSON and XML', async () => {
        const r = await bench.post('/fhir/CapabilityStatement/$validate', statement);
        assert.deepEqual(r.json.issue.filter((i) => i.severity === 'error'), [], r.text.slice(0, 1000));
        assert.equal(statement.fhirVersion, '4.0.1');
        assert.equal(rest.resource.length, 146);
    });
    it('formats and patch formats', async () => {
        assert.ok(statement.format.includes('application/fhir+xml'));
        for (const format of statement.format) {
            const r = await bench.get(`/fhir/metadata?_elements=url&_format=${encodeURIComponent(format)}`);
            assert.equal(r.status, 200, format);
            assert.ok(r.headers['content-type'].includes(/xml|json/.exec(format)[0]), format);
        }
        const bodies = {
            'application/json-patch+json': JSON.stringify([{ op: 'add', path: '/active', value: true }]),
            'application/fhir+xml': '<Parameters xmlns="http://hl7.org/fhir"><parameter><name value="operation"/><part><name value="type"/><valueCode value="delete"/></part><part><name value="path"/><valueString value="Patient.active"/></part></parameter></Parameters>',
            'application/fhir+json': JSON.stringify({ resourceType: 'Parameters', parameter: [{ name: 'operation', part: [
                { name: 'type', valueCode: 'delete' }, { name: 'path', valueString: 'Patient.active' }] }] }),
        };
        for (const type of statement.patchFormat) {
            const { id } = await bench.create(patient());
            const r = await bench.send('PATCH', `/fhir/Patient/${id}`, { body: bodies[type], type });
            assert.equal(r.status, 200, `${type}: ${r.text}`);
        }
    });
    it('system interactions', async () => {
        const done = {
            transaction: () => bench.post('/fhir', { resourceType: 'Bundle', type: 'transaction' }),
            batch: () => bench.post('/fhir', { resourceType: 'Bundle', type: 'batch' }),
            'history-system': () => bench.get('/fhir/_history?_count=1'),
            'search-system': () => bench.get('/fhir?_id=a&_type=Patient'),
        };
        for (const { code } of rest.interaction) assert.equal((await done[code]()).status, 200, code);
    });
});

/** Each interaction of one type, with what the server says of it. */
class Life {
    constructor(one) {
        Object.assign(this, { one, type: one.type, codes: new Set(one.interaction.map((i) => i.code)) });
    }
    says = (r, ...status) => assert.ok(status.includes(r.status), `${this.type} ${this.step}: ${r.status} ${r.text.slice(0, 300)}`);
    has(code) {
        this.step = code;
        return this.codes.has(code);
    }
    get place() { return `/fhir/${this.type}/${this.id}`; }

    /** Of the first example that is valid; some are not (examples.test.mjs names them): without what is wrong with it. */
    async make(texts) {
        assert.ok(this.has('create'));
        let r;
        for (const text of texts) {
            const resource = { ...JSON.parse(text), id: undefined };
            if (this.type === 'Subscription') resource.status = 'off'; // what is asked for is acted on
            r = await bench.post(`/fhir/${this.type}`, resource, { 'If-None-Exist': '_id=none' });
            if (r.status === 422) delete resource[r.json.issue[0].expression[0].split('.')[1]];
            if (r.status === 422) r = await bench.post(`/fhir/${this.type}`, resource, { 'If-None-Exist': '_id=none' });
            if (r.status !== 422) break;
        }
        this.says(r, 201);
        assert.equal(this.one.conditionalCreate, true);
        this.id = r.json.id;
        this.made = r.json;
    }
    async read() {
        assert.ok(this.has('read') && this.has('vread'));
        this.says(await bench.get(this.place, { Accept: 'application/fhir+json' }), 200);
        this.says(await bench.get(`${this.place}/_history/1`, { Accept: 'application/fhir+json' }), 200);
        assert.equal(this.one.conditionalRead, 'full-support');
        this.says(await bench.get(this.place, { Accept: 'application/fhir+json', 'If-None-Match': 'W/"1"' }), 304);
    }
    async change() {
        const body = { ...this.made, language: 'en' };
        assert.ok(this.has('update'));
        this.says(await bench.put(this.place, body), 200);
        assert.ok(this.has('patch'));
        this.says(await bench.patch(this.place, [{ op: 'replace', path: '/language', value: 'zh' }]), 200);
        assert.equal(this.one.conditionalUpdate, true);
        this.says(await bench.put(`/fhir/${this.type}?_id=${this.id}`, body), 200);
        assert.equal(this.one.updateCreate, true);
        this.says(await bench.put(`${this.place}-new`, { ...body, id: `${this.id}-new` }), 201);
    }
    async find() {
        assert.ok(this.has('search-type'));
        const r = await bench.get(`/fhir/${this.type}?_id=${this.id}`);
        this.says(r, 200);
        assert.equal(r.json.entry.length, 1, this.type);
        assert.ok(this.has('history-type') && this.has('history-instance'));
        this.says(await bench.get(`/fhir/${this.type}/_history?_count=1`), 200);
        const h = await bench.get(`${this.place}/_history`);
        assert.equal(this.one.readHistory, true);
        assert.equal(h.json.entry.length, 4, this.type);
    }
    async end() {
        assert.ok(this.has('delete'));
        this.says(await bench.delete(this.place), 204);
        assert.equal(this.one.conditionalDelete, 'multiple');
        this.says(await bench.delete(`/fhir/${this.type}?_id=${this.id}-new`), 204);
        this.says(await bench.get(`${this.place}-new`, { Accept: 'application/fhir+json' }), 410);
    }
}

describe('each type', () => {
    it('lives through every interaction that is claimed', async () => {
        let lived = 0;
        const samples = samplesByType();
        for (const one of rest.resource) {
            if (!samples.has(one.type)) continue;
            const life = new Life(one);
            await life.make(samples.get(one.type));
            await life.read();
            await life.change();
            await life.find();
            await life.end();
            lived++;
        }
        console.log(`types lived through: ${lived}`);
        assert.ok(lived >= (examples ? 100 : 1), String(lived));
    });

    const SAMPLE = { number: '1', date: '2026', string: 'a', token: 'a', quantity: '1', uri: 'urn:a', reference: 'a', special: '1|1' };
    const inTens = async (list, fn) => {
        for (let i = 0; i < list.length; i += 10) await Promise.all(list.slice(i, i + 10).map(fn));
    };
    it('searches by each parameter, follows each include', async () => {
        const asked = rest.resource.flatMap((one) => [
            ...one.searchParam.filter((p) => SAMPLE[p.type]).map((p) => `${one.type}?${p.name}=${p.name === 'near' ? '1|1|1|km' : SAMPLE[p.type]}&_count=1`),
            ...(one.searchInclude ?? []).map((include) => `${one.type}?_id=a&_include=${include}`),
            ...(one.searchRevInclude ?? []).map((include) => `${one.type}?_id=a&_revinclude=${include}`),
        ]);
        const refused = [];
        await inTens(asked, async (query) => {
            const r = await bench.get(`/fhir/${query.replaceAll('|', '%7C')}`);
            if (r.status !== 200) refused.push(`${query}: ${r.status} ${r.json?.issue?.[0]?.diagnostics ?? ''}`);
        });
        console.log(`searches claimed: ${asked.length}`);
        assert.deepEqual(refused, []);
        assert.ok(asked.length > 2000);
    });
    it('claims no parameter twice, and those of all types', () => {
        for (const one of rest.resource) {
            const names = one.searchParam.map((p) => p.name);
            assert.equal(new Set(names).size, names.length, one.type);
            for (const name of ['_id', '_lastUpdated', '_tag', '_profile', '_security']) assert.ok(names.includes(name), `${one.type} ${name}`);
        }
    });
    it('answers each operation that is claimed', async () => {
        const { id } = await bench.create(patient());
        const all = new Set([
            ...rest.operation.map((o) => `/fhir/$${o.name}`),
            ...rest.resource.flatMap((one) => (one.operation ?? []).filter((o) => one.type === 'Patient' || !o.definition.includes('/Resource-'))
                .flatMap((o) => [`/fhir/${one.type}/$${o.name}`, `/fhir/${one.type}/${id}/$${o.name}`])),
        ]);
        const served = new Map();
        for (const path of all) {
            const answers = [await bench.get(path), await bench.post(path, { resourceType: 'Parameters' })];
            const name = path.replace(`/${id}`, '');
            for (const r of answers) assert.ok(r.status < 500, `${path}: ${r.status}`);
            if (answers.some((r) => r.status !== 405 && r.text && !/"Not found"/.test(r.text))) served.set(name, true);
        }
        for (const path of all) assert.ok(served.get(path.replace(`/${id}`, '')), `${path} is claimed and not served`);
    });
});
