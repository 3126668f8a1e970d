// Actions of cases over HTTP: a demo county is served with audit on, and a township doctor starts follow-ups and does
// them, from 1, 16 and 64 connections. A `do` writes the answers, three observations and a medication, the case, its
// Provenance and its timers. Beside it what the disk takes for one flush, since every action waits for one.
//   node bench/flow.mjs BUILD DIR
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cpu, flushMs, lines, load, login, serve } from './serving.mjs';

const SECONDS = 4;
const PER_ROUND = { 1: 3000, 16: 12000, 64: 12000 }; // more than the seconds suffice for

const [build, dir] = process.argv.slice(2);
const program = join(build, 'src/cmd/menkou');
const county = join(dir, 'county');
const made = spawnSync(program, ['demo', '--data', county, '--people', '2000', '--make-only'], { encoding: 'utf8' });
if (made.status !== 0) throw new Error(made.stderr);
const account = JSON.parse(readFileSync(join(county, 'accounts.json'), 'utf8')).find((a) => a.role === 'township-doctor');
const { child, url } = await serve(program, county);
const { header, search } = await login(url, account.username, account.password);
const patients = await search('/fhir/Patient?_count=1000', 1000);

const parameters = (...parameter) => JSON.stringify({ resourceType: 'Parameters', parameter });
const form = (answers) => ({
    name: 'form',
    resource: {
        resourceType: 'QuestionnaireResponse', status: 'completed',
        item: Object.entries(answers).map(([linkId, answer]) => ({ linkId, answer: [answer] })),
    },
});
const tomorrow = new Date(Date.now() + 86400000).toISOString().slice(0, 10);
const starts = (n) => Array.from({ length: n }, (_, i) => '/fhir/$start ' + parameters(
    { name: 'pathway', valueCode: 'follow-up' },
    { name: 'patient', valueReference: { reference: `Patient/${patients[i % patients.length].id}` } },
    form({ date: { valueDate: tomorrow }, plan: { valueString: '测血压' } })));
const act = (task, i) => `/fhir/Task/${task.id}/$act ` + parameters(
    { name: 'action', valueCode: 'do' },
    form({
        systolic: { valueInteger: 120 + i % 50 }, diastolic: { valueInteger: 70 + i % 20 }, pulse: { valueInteger: 60 + i % 30 },
        weight: { valueDecimal: 50 + i % 40 }, medication: { valueString: '氨氯地平 5 mg 每日一次' },
    }));

function round(name, clients, list, ...more) {
    const flush = flushMs(county), before = cpu(child.pid);
    const r = load(build, url.port, clients, SECONDS, lines('actions', list), '--post', '-', '--header', header, '--once', 'yes', ...more);
    const each = (cpu(child.pid) - before) * 1e6 / r.requests;
    console.log(`${name.padEnd(7)} ${String(clients).padStart(2)} clients ${String(r.per_second).padStart(6)}/s  p50 ${r.p50_us} µs  p99 ${r.p99_us} µs`
        + `  ${each.toFixed(0)} µs of CPU each  fdatasync ${flush.toFixed(2)} ms${r.errors ? `  ${r.errors} ERRORS` : ''}`);
}

for (const clients of [1, 16, 64]) {
    round('$start', clients, starts(PER_ROUND[clients]));
    const tasks = (await search('/fhir/Task?code=follow-up&status=ready&_sort=-_lastUpdated&_count=1000', PER_ROUND[clients]))
        .filter((t) => t.meta.versionId === '1');
    round('$act', clients, tasks.map(act), '--header', 'If-Match: W/"1"');
}
child.kill('SIGTERM');
await new Promise((resolve) => child.once('exit', resolve));
process.exit(0);
