// The public TestScripts of mock.health: R4's base, bulk data, SMART discovery.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Server, patient, root } from '../support/menkou.mjs';
import { runScript, scriptsIn } from '../support/testscript.mjs';

const suite = process.env.MENKOU_SUITES && join(process.env.MENKOU_SUITES, '05e-testscripts-mock-health');
const skip = suite && existsSync(suite) ? false : 'SKIPPED the TestScripts: $MENKOU_SUITES has no 05e-testscripts-mock-health';
if (skip) console.log(skip);

let server, bench;
before(async () => {
    server = await Server.start();
    bench = await server.login();
    const { id } = await bench.create(patient());
    await bench.create({
        resourceType: 'Observation', status: 'final', code: { coding: [{ system: 'http://loinc.org', code: '8480-6' }] },
        subject: { reference: `Patient/${id}` }, valueQuantity: { value: 150, unit: 'mmHg', system: 'http://unitsofmeasure.org', code: 'mm[Hg]' },
    });
});
after(() => server?.stop());

describe('TestScripts', { skip }, () => {
    let passed = 0;
    for (const { name, script } of skip ? [] : scriptsIn(suite)) {
        it(name, async () => {
            await runScript(bench, script);
            passed++;
        });
    }
    after(() => {
        const { testscripts } = JSON.parse(readFileSync(join(root, 'tests', 'passcounts.json'), 'utf8'));
        console.log(`testscripts: ${passed} (recorded: ${testscripts})`);
        assert.ok(passed >= testscripts, `testscripts fell from ${testscripts} to ${passed}`);
    });
});
