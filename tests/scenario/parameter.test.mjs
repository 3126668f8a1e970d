// A SearchParameter that only this test knows is generated, built in, indexed and found, and a published one
// is changed: no line of C is touched, and the county's old data directory is indexed anew by itself.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Server, root } from '../support/menkou.mjs';

const definitions = join(process.env.MENKOU_SUITES ?? '', '01-fhir-r4-definitions');
const there = Boolean(process.env.MENKOU_SUITES) && existsSync(definitions);
const skip = there ? false : 'SKIPPED: no R4 definitions under $MENKOU_SUITES';
if (!there) console.error(`SKIPPED scenario/parameter: no R4 definitions (MENKOU_SUITES=${process.env.MENKOU_SUITES ?? ''})`);

// Outside the tree: meson takes no absolute include folder inside it, where a long run has its scratch.
const outside = tmpdir().startsWith(root) ? '/tmp' : tmpdir();
const scratch = mkdtempSync(join(outside, 'menkou-parameter-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

const parameter = (code, url, expression) => ({ resource: { resourceType: 'SearchParameter', url, name: code,
    status: 'active', description: code, code, base: ['Patient'], type: 'string', expression } });

function generateTables() {
    const file = join(scratch, 'parameters.json');
    writeFileSync(file, JSON.stringify({ resourceType: 'Bundle', type: 'collection', entry: [
        parameter('nickname', 'urn:test:nickname', "Patient.name.where(use='nickname').text"),
        parameter('family', 'http://hl7.org/fhir/SearchParameter/individual-family', 'Patient.contact.name.family')] }));
    const tables = join(scratch, 'r4');
    execFileSync(process.execPath, [join(root, 'tools', 'gen-r4.mjs'), '--search-parameters', file, '--out', tables,
        definitions], { stdio: 'pipe' });
    return tables;
}

function buildProgram(tables) {
    const build = join(scratch, 'build');
    execFileSync('meson', ['setup', build, root, '-Dtests=false', '--buildtype=plain', `-Dr4=${tables}`], { stdio: 'pipe' });
    execFileSync('ninja', ['-C', build, 'src/cmd/menkou'], { stdio: 'pipe' });
    return join(build, 'src', 'cmd', 'menkou');
}

test('a new and a changed SearchParameter, on a directory made before', { skip }, async () => {
    const dir = join(scratch, 'county');
    const before = await Server.start({ dir });
    const bench = await before.login();
    const made = await bench.create({ resourceType: 'Patient', name: [{ use: 'official', family: '刘', text: '刘桂芝' },
        { use: 'nickname', text: '小芝' }], contact: [{ name: { family: '欧阳' } }] });
    assert.equal((await bench.get('/fhir/Patient?nickname=%E5%B0%8F')).status, 400);
    const password = before.passwords.bench;
    await before.stop();

    const changed = await Server.start({ dir, accounts: [], program: buildProgram(generateTables()) });
    try {
        const again = await changed.login('bench', password);
        const ids = async (query) => (await again.searchAll(`/fhir/Patient?${query}`)).map((e) => e.resource.id);
        assert.deepEqual(await ids(`nickname=${encodeURIComponent('小')}`), [made.id]);
        assert.deepEqual(await ids(`nickname=${encodeURIComponent('刘')}`), []);
        assert.deepEqual(await ids(`family=${encodeURIComponent('欧阳')}`), [made.id]);
        assert.deepEqual(await ids(`family=${encodeURIComponent('刘')}`), []);
        const metadata = (await again.get('/fhir/metadata')).json;
        const patient = metadata.rest[0].resource.find((r) => r.type === 'Patient');
        assert.ok(patient.searchParam.some((p) => p.name === 'nickname' && p.definition === 'urn:test:nickname'));
    } finally {
        await changed.stop();
    }
});
