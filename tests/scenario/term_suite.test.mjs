// The terminology ecosystem's public suite, general mode: setup resources are posted, operations called over HTTP, the
// answers compared as JSON patterns. The patterns are R5's; an R4 answer is first put into that form, as the suite's own
// runner does.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Server, root } from '../support/menkou.mjs';
import { differs, lacks } from '../support/pattern.mjs';

const dir = join(process.env.MENKOU_SUITES ?? '/nonexistent', '05d-terminology-tx-tests');
const floors = JSON.parse(readFileSync(join(root, 'tests/passcounts.json'), 'utf8'));
const read = (file) => JSON.parse(readFileSync(join(dir, file), 'utf8').replace(/^\uFEFF/, ''));

const PLACES = {
    expand: '/fhir/ValueSet/$expand', 'validate-code': '/fhir/ValueSet/$validate-code',
    'cs-validate-code': '/fhir/CodeSystem/$validate-code', lookup: '/fhir/CodeSystem/$lookup',
    translate: '/fhir/ConceptMap/$translate', 'batch-validate': '/fhir/ValueSet/$batch-validate-code',
};
const GET = { metadata: '/fhir/metadata', 'term-caps': '/fhir/metadata?mode=terminology' };

const texts = existsSync(dir) ? read('messages-tx.fhir.org.json') : {};

const R5 = /^http:\/\/hl7\.org\/fhir\/5\.0\/StructureDefinition\/extension-ValueSet\.expansion(\.contains)?\.property$/;
const plain = (e) => {
    const parts = e.extension.map((x) => [x.url, Object.entries(x).find(([k]) => k.startsWith('value'))]);
    return Object.fromEntries(parts.map(([url, [key, value]]) => [url === 'value' ? key : url, value]));
};

// Extensions that stand for R5's elements become these.
function asR5(value) {
    if (Array.isArray(value)) return value.map(asR5);
    if (value === null || typeof value !== 'object') return value;
    const out = Object.fromEntries(Object.entries(value).map(([k, v]) => [k, asR5(v)]));
    const own = (value.extension ?? []).filter((e) => R5.test(e.url));
    if (own.length) {
        out.property = own.map(plain);
        out.extension = out.extension.filter((e) => !R5.test(e.url));
        if (!out.extension.length) delete out.extension;
    }
    return out;
}

const KEEP = {
    posted: async (client, resource) => {
        delete resource.id;
        return (await client.post(`/fhir/${resource.resourceType}`, resource)).status === 201;
    },
    put: async (client, resource) => {
        await client.put(`/fhir/${resource.resourceType}/${resource.id}`, resource);
        return true; // several files have the same id: one is the other's next version
    },
};

async function load(client, how, files, seen) {
    const inline = [];
    for (const file of files) {
        if (!seen.has(file)) seen.set(file, await KEEP[how](client, read(file)));
        // What lacks what R4 wants (a status) cannot be stored: it is handed in with the request.
        if (!seen.get(file)) inline.push({ name: 'tx-resource', resource: read(file) });
    }
    return inline;
}

const wanted = (status, code) => (code ? String(status)[0] === code[0] : status === 200);

async function run(client, test, inline) {
    if (GET[test.operation]) {
        const r = await client.get(GET[test.operation]);
        return lacks(read(test.response), r.json, test.name);
    }
    const body = read(test.request);
    const profile = test.profile ? read(test.profile).parameter.filter((p) => p.name !== 'uuid') : [];
    const headers = test['Accept-Language'] ? { 'Accept-Language': test['Accept-Language'] } : {};
    const parameters = { resourceType: 'Parameters', parameter: [...body.parameter, ...profile, ...inline] };
    const r = await client.post(PLACES[test.operation], parameters, headers);
    if (!wanted(r.status, test['http-code'])) return `${test.name}: status ${r.status} ${r.text.slice(0, 500)}`;
    const answer = asR5(r.json);
    const why = differs(read(test.response), answer, test.name, texts[test.response]);
    const second = why && test.response2 ? differs(read(test.response2), answer, test.name) : why;
    return second ? why : '';
}

// How many cases pass; how the setup is stored first (KEEP), or else every request brings it.
async function count(client, how) {
    const seen = new Map();
    const only = process.env.TERM_ONLY?.split(',');
    let passed = 0;
    let total = 0;
    for (const suite of read('test-cases.json').suites) {
        if ((suite.mode && suite.mode !== 'general') || (only && !only.includes(suite.name))) continue;
        const setup = (suite.setup ?? []).filter((f) => existsSync(join(dir, f)));
        const inline = how ? await load(client, how, setup, seen) : setup.map((f) => ({ name: 'tx-resource', resource: read(f) }));
        for (const test of suite.tests) {
            if (test.mode && test.mode !== 'general') continue;
            if ([test.request, test.response].some((f) => f && !existsSync(join(dir, f)))) continue;
            const why = await run(client, test, inline);
            total += 1;
            passed += why ? 0 : 1;
            if (why && process.env.TERM_SHOW) console.log(`# ${suite.name}/${why}`);
        }
    }
    return { passed, total };
}

if (!existsSync(dir)) {
    console.log('SKIPPED terminology suite: MENKOU_SUITES does not name the folder with 05d-terminology-tx-tests');
} else {
    describe('the terminology suite', () => {
        for (const [name, how, key] of [
            ['handed in with each request', null, 'terminology-general'],
            ['posted', 'posted', 'terminology-general'],
            ['put under their ids', 'put', 'terminology-put'],
        ]) {
            it(`passes at least ${floors[key]} cases, its resources ${name}`, async () => {
                const server = await Server.start();
                const { passed, total } = await count(await server.login(), how);
                await server.stop();
                console.log(`${key}: ${passed} of ${total}, resources ${name}`);
                if (!process.env.TERM_ONLY) assert.ok(passed >= floors[key], `${passed} of ${total}, at least ${floors[key]}`);
            });
        }
    });
}
