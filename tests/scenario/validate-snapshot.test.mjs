// R4 publishes each of its profiles twice: as a differential and as the snapshot made of it. Both must find the same
// faults in R4's examples: ours is made of the differential alone.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { menkou } from '../support/menkou.mjs';

const suites = process.env.MENKOU_SUITES ?? '';
const DEFINITIONS = join(suites, '01-fhir-r4-definitions', 'profiles-others.json');
const EXAMPLES = join(suites, '02-fhir-r4-examples', 'instances');
const absent = [DEFINITIONS, EXAMPLES].filter((p) => !suites || !existsSync(p));
const skip = absent.length > 0 && `SKIPPED: ${absent.join(', ')} not under MENKOU_SUITES`;
if (skip) console.error(skip);

const scratch = mkdtempSync(join(tmpdir(), 'menkou-snapshot-'));
after(() => rmSync(scratch, { recursive: true }));

// Published as required, corrected by gen/profile-bindings.def.
const CORRECTED = /ucum-vitals-common/;

function faultsOf(...args) {
    const outcomes = menkou('validate', '--lang', 'en', ...args).out.split('\n').filter(Boolean).map((l) => JSON.parse(l));
    const error = (i) => i.severity === 'error' && !CORRECTED.test(i.details.text);
    return outcomes.map((o) => [...new Set(o.issue.filter(error).map((i) => i.expression?.[0]))].sort());
}

test('a differential asks what its published snapshot asks', { skip }, () => {
    const profiles = JSON.parse(readFileSync(DEFINITIONS, 'utf8')).entry.map((e) => e.resource)
        .filter((r) => r.resourceType === 'StructureDefinition' && r.kind === 'resource' && r.derivation === 'constraint');
    const names = readdirSync(EXAMPLES).filter((f) => f.endsWith('.json'));
    let pairs = 0;
    for (const profile of profiles) {
        const files = names.filter((f) => f.startsWith(`${profile.type}-`)).map((f) => join(EXAMPLES, f));
        const url = `http://m.test/${profile.id}`, file = join(scratch, 'snapshot.json');
        writeFileSync(file, JSON.stringify({ ...profile, url, differential: undefined, baseDefinition: 'http://m.test/unknown' }));
        if (files.length === 0) continue;
        const one = faultsOf('--profile', profile.url, ...files);
        const other = faultsOf('--package', file, '--profile', url, ...files);
        assert.equal(one.length, files.length);
        files.forEach((f, i) => assert.deepEqual(one[i], other[i], `${profile.id}: ${f}`));
        pairs += files.length;
    }
    console.error(`differentials and snapshots: ${pairs} pairs of a profile and an example agree`);
    assert.ok(pairs > 0);
});
