// Profiles: a FHIR package is imported, its definitions are resources, $validate and writes check by them;
// `menkou validate` knows them from the package itself.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Server, menkou } from '../support/menkou.mjs';

const PROFILE = 'http://m.test/StructureDefinition/pressure';
const GRADE = 'http://m.test/StructureDefinition/grade';
const structure = (url, type, kind, element, more = {}) => ({ resourceType: 'StructureDefinition', id: url.split('/').pop(), url,
    name: 'X', status: 'active', kind, abstract: false, type, derivation: 'constraint',
    baseDefinition: `http://hl7.org/fhir/StructureDefinition/${type}`, differential: { element }, ...more });
const FILES = {
    'package.json': { name: 'test.county', version: '1.0.0', fhirVersions: ['4.0.1'],
        dependencies: { 'hl7.fhir.r4.core': '4.0.1', 'test.elsewhere': '2.0.0' } },
    'StructureDefinition-pressure.json': structure(PROFILE, 'Observation', 'resource', [
        { id: 'Observation.code', path: 'Observation.code', binding: { strength: 'required', valueSet: 'http://m.test/ValueSet/codes' } },
        { id: 'Observation.subject', path: 'Observation.subject', min: 1 }]),
    'StructureDefinition-grade.json': structure(GRADE, 'Extension', 'complex-type', [
        { id: 'Extension.value[x]', path: 'Extension.value[x]', min: 1, type: [{ code: 'integer' }] }],
    { context: [{ type: 'element', expression: 'Observation' }] }),
    'ValueSet-codes.json': { resourceType: 'ValueSet', id: 'codes', url: 'http://m.test/ValueSet/codes', status: 'active',
        compose: { include: [{ system: 'http://m.test/cs', concept: [{ code: 'bp' }] }] } },
    'Patient-example.json': { resourceType: 'Patient', id: 'example' },
};
const observation = (code, more = {}) => ({ resourceType: 'Observation', status: 'final', subject: { reference: 'Patient/p' },
    code: { coding: [{ system: 'http://m.test/cs', code }] }, ...more });
const named = (code, more = {}) => observation(code, { meta: { profile: [PROFILE] }, ...more });
const faults = (outcome, severity = 'error') => outcome.issue.filter((i) => i.severity === severity).flatMap((i) => i.expression ?? ['']);

const scratch = mkdtempSync(join(tmpdir(), 'menkou-package-'));
const tgz = join(scratch, 'county.tgz');
let server, bench;
before(async () => {
    mkdirSync(join(scratch, 'package'));
    for (const [name, content] of Object.entries(FILES)) {
        writeFileSync(join(scratch, 'package', name), JSON.stringify(content));
    }
    execFileSync('tar', ['czf', tgz, '-C', scratch, 'package']);
    server = await Server.start();
    bench = await server.login();
    await bench.put('/fhir/Patient/p', { resourceType: 'Patient', id: 'p' });
});
after(async () => {
    await server?.stop();
    rmSync(scratch, { recursive: true });
});

describe('menkou validate', () => {
    const file = (name, resource) => {
        writeFileSync(join(scratch, name), JSON.stringify(resource));
        return join(scratch, name);
    };
    const run = (...args) => {
        const r = menkou('validate', '--lang', 'en', ...args);
        return { ...r, outcomes: r.out.split('\n').filter(Boolean).map((l) => JSON.parse(l)) };
    };

    it('knows the definitions of a package, and the profiles asked for', () => {
        const good = file('good.json', named('bp'));
        const bad = file('bad.json', named('other', { subject: undefined }));
        assert.equal(run(good, bad).status, 0, 'an unknown profile is a warning');
        const known = run('--package', tgz, good, bad);
        assert.equal(known.status, 1);
        assert.deepEqual(known.outcomes.map((o) => faults(o)), [[], ['Observation.code', 'Observation']]);
        const plain = file('plain.json', observation('other'));
        assert.equal(run('--package', tgz, plain).status, 0);
        assert.deepEqual(faults(run('--package', tgz, '--profile', PROFILE, plain).outcomes[0]), ['Observation.code']);
        assert.deepEqual(faults(run('--profile', 'http://m.test/none', plain).outcomes[0]), ['Observation']);
    });

    it('checks the files of a folder, and says what it cannot read', () => {
        mkdirSync(join(scratch, 'some', 'deeper'), { recursive: true });
        file('some/a.json', observation('a'));
        file('some/deeper/b.ndjson', observation('b'));
        file('some/c.txt', 'no');
        assert.match(run(join(scratch, 'some')).err, /^2 checked, 0 invalid$/m);
        writeFileSync(join(scratch, 'cut.tgz'), 'no gzip');
        assert.equal(run('--package', join(scratch, 'cut.tgz'), join(scratch, 'some')).status, 2);
    });
});

describe('menkou import of a package', () => {
    it('stores the definitions, names what is missing, and refuses what is no package', async () => {
        await server.process.end('SIGTERM');
        const r = menkou('import', '--data', server.dir, tgz);
        assert.equal(r.status, 0, r.err);
        assert.match(r.out, /county\.tgz: 3 imported, 0 refused/);
        assert.match(r.err, /test\.county needs test\.elsewhere#2\.0\.0/);
        assert.doesNotMatch(r.err, /r4\.core/);
        writeFileSync(join(scratch, 'wrong.tgz'), 'no gzip');
        assert.equal(menkou('import', '--data', server.dir, join(scratch, 'wrong.tgz')).status, 1);
        await server.run();
        bench = await server.login();
        const found = await bench.get(`/fhir/StructureDefinition?url=${encodeURIComponent(PROFILE)}`);
        assert.deepEqual(found.json.entry.map((e) => e.resource.id), ['pressure']);
    });

    it('writes keep the profiles that resources name', async () => {
        assert.equal((await bench.post('/fhir/Observation', named('bp'))).status, 201);
        const refused = await bench.post('/fhir/Observation', named('other'));
        assert.equal(refused.status, 422);
        assert.deepEqual(faults(refused.json), ['Observation.code']);
        assert.equal((await bench.post('/fhir/Observation', observation('other'))).status, 201);
        const unknown = observation('other', { meta: { profile: ['http://m.test/none'] } });
        assert.equal((await bench.post('/fhir/Observation', unknown)).status, 201, 'an unknown profile refuses nothing');
        const graded = (value) => bench.post('/fhir/Observation', observation('other', { extension: [{ url: GRADE, ...value }] }));
        assert.equal((await graded({ valueInteger: 1 })).status, 201);
        assert.equal((await graded({ valueString: 'a' })).status, 422);
    });
});

describe('$validate', () => {
    const parameters = (parameter) => ({ resourceType: 'Parameters', parameter });
    const validate = async (path, body) => {
        const r = await bench.post(path, body);
        assert.equal(r.status, 200, r.text);
        return r.json;
    };

    it('takes the profile from the address or from Parameters', async () => {
        const address = `/fhir/Observation/$validate?profile=${encodeURIComponent(PROFILE)}`;
        assert.deepEqual(faults(await validate(address, observation('bp'))), []);
        assert.deepEqual(faults(await validate(address, observation('other'))), ['Observation.code']);
        const body = parameters([{ name: 'resource', resource: observation('other') }, { name: 'profile', valueUri: PROFILE }]);
        assert.deepEqual(faults(await validate('/fhir/Observation/$validate', body)), ['Observation.code']);
        const none = await validate('/fhir/Observation/$validate?profile=http://m.test/none', observation('bp'));
        assert.deepEqual(faults(none), ['Observation']);
    });

    it('says what a write would let pass', async () => {
        const named = await validate('/fhir/Observation/$validate', observation('bp', { meta: { profile: ['http://m.test/none'] } }));
        assert.ok(faults(named, 'warning').includes('Observation.meta.profile[0]'));
        const vital = observation('bp', { code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }] } });
        assert.ok(faults(await validate('/fhir/Observation/$validate', vital)).length > 0, 'a heart rate is a vital sign');
    });

    it('checks what is stored, by its mode', async () => {
        await bench.put('/fhir/Observation/stored', { ...observation('other'), id: 'stored' });
        const stored = `/fhir/Observation/stored/$validate`;
        assert.deepEqual(faults((await bench.get(stored)).json), []);
        assert.deepEqual(faults((await bench.get(`${stored}?profile=${encodeURIComponent(PROFILE)}`)).json), ['Observation.code']);
        assert.equal((await bench.get(`${stored}?mode=delete`)).status, 200);
        assert.equal((await bench.get('/fhir/Observation/absent/$validate')).status, 404);
        assert.equal((await bench.post('/fhir/Observation/$validate?mode=delete', observation('bp'))).status, 400);
        assert.equal((await bench.post('/fhir/Observation/$validate?mode=nonsense', observation('bp'))).status, 400);
        assert.deepEqual(faults(await validate('/fhir/Observation/$validate?mode=update', observation('bp'))), ['Observation.id']);
        assert.equal((await server.anonymous().get(stored)).status, 401);
    });

    it('follows a definition that changes', async () => {
        const relaxed = structuredClone(FILES['StructureDefinition-pressure.json']);
        relaxed.differential.element.shift();
        assert.equal((await bench.put('/fhir/StructureDefinition/pressure', relaxed)).status, 200);
        assert.equal((await bench.post('/fhir/Observation', named('other'))).status, 201);
        const wrong = structuredClone(relaxed);
        wrong.differential.element[0].path = wrong.differential.element[0].id = 'Observation.nothing';
        assert.deepEqual(faults(await validate('/fhir/StructureDefinition/$validate', wrong)), ['StructureDefinition']);
    });
});
