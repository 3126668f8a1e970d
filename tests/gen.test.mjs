// The committed tables are what the generator makes from the published definitions.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { expressionFor, splitUnion } from '../tools/gen-params.mjs';
import { generate, staleFiles } from '../tools/gen-r4.mjs';
import { generate as generateUnits, OUT as UNITS } from '../tools/gen-ucum.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const definitions = join(process.env.MENKOU_SUITES ?? '', '01-fhir-r4-definitions');
const there = Boolean(process.env.MENKOU_SUITES) && existsSync(definitions);
const skip = there ? false : 'SKIPPED: no R4 definitions under $MENKOU_SUITES';
if (!there) {
    console.error(`SKIPPED tests/gen.test.mjs: the R4 definitions are not there (MENKOU_SUITES=${process.env.MENKOU_SUITES ?? ''})`);
}

test('unions are split outside parentheses and quotes', () => {
    assert.deepEqual(splitUnion("A.b | (A.c | A.d) | A.e.where(x='|')"), ['A.b', '(A.c | A.d)', "A.e.where(x='|')"]);
});

test('a type keeps its own part of an expression', () => {
    const bases = ['Condition', 'Observation', 'DeviceRequest'];
    const all = 'Condition.code | Observation.code | (DeviceRequest.code as CodeableConcept)';
    assert.equal(expressionFor(all, 'Observation', bases), 'Observation.code');
    assert.equal(expressionFor(all, 'DeviceRequest', bases), '(DeviceRequest.code as CodeableConcept)');
});

test('the committed tables are what the definitions give, byte for byte', { skip }, () => {
    assert.deepEqual(staleFiles(generate(definitions), join(root, 'gen')), []);
});

const essence = join(process.env.MENKOU_SUITES ?? '', '12-ucum-loinc', 'ucum-essence.xml');
test('the committed table of units is what UCUM publishes', { skip: there && existsSync(essence) ? false : 'SKIPPED: no UCUM under $MENKOU_SUITES' }, () => {
    assert.equal(readFileSync(UNITS, 'utf8'), generateUnits(essence));
});

test('the packed terminology is made of the published definitions and our own tables', { skip }, () => {
    execFileSync(process.execPath, [join(root, 'tools/gen-term.mjs'), '--check', definitions], { stdio: 'pipe' });
});

test('a changed and a new SearchParameter are generated without a line of C', { skip }, () => {
    const dir = mkdtempSync(join(tmpdir(), 'menkou-gen-'));
    try {
        const file = join(dir, 'params.json');
        const param = (code, url, expression) => ({ resource: { resourceType: 'SearchParameter', url, name: code,
            status: 'active', description: code, code, base: ['Patient'], type: 'string', expression } });
        writeFileSync(file, JSON.stringify({ resourceType: 'Bundle', type: 'collection', entry: [
            param('family', 'http://hl7.org/fhir/SearchParameter/individual-family', 'Patient.contact.name.family'),
            param('nickname', 'urn:test:nickname', "Patient.name.where(use='nickname').given")] }));
        execFileSync(process.execPath, [join(root, 'tools/gen-r4.mjs'), '--search-parameters', file, '--out', dir, definitions],
            { stdio: 'pipe' });
        const read = (name) => readFileSync(join(dir, name), 'utf8');
        assert.match(read('fhir_pool.c').replaceAll('"\n    "', ''), /Patient\.name\.where\(use='nickname'\)\.given/);
        assert.equal(read('fhir_tables.c').includes('fhir_valuesets'), true);
        assert.notEqual(read('fhir_params_table.c').match(/digest\[\] = "(\w+)"/)[1],
            readFileSync(join(root, 'gen/fhir_params_table.c'), 'utf8').match(/digest\[\] = "(\w+)"/)[1]);
    } finally {
        rmSync(dir, { recursive: true });
    }
});
