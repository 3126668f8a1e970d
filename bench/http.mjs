// The API over HTTP beside the bare responder, same client, same run: a data directory made by store-bench is served,
// with audit on; an integrator and a village doctor (the access filter at work) read, search, create and act.
//   node bench/http.mjs BUILD DIR        DIR as store-bench left it
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { anonymous, begin, cpu, lines, load, login, serve } from './serving.mjs';

const [build, dir] = process.argv.slice(2);
const program = join(build, 'src/cmd/menkou');

function user(role, name, ...more) {
    const r = spawnSync(program, ['user', 'add', '--data', dir, '--role', role, ...more, name], { encoding: 'utf8' });
    if (r.status !== 0) throw new Error(r.stderr);
    return r.stdout.trim().split(' ')[1];
}

const began = performance.now();
const name = `bench${process.pid}`;
const password = user('integrator', name);
const serving = await serve(program, dir);
const { url } = serving;
console.log(`ready        ${(performance.now() - began).toFixed(0)} ms with the account made; idle ${anonymous(serving.child.pid).toFixed(0)} MiB anonymous`);
const { header, search } = await login(url, name, password);
const found = await search('/fhir/Observation?_count=1000', 5000);
const coded = found.filter((o) => o.code?.coding?.[0]?.system && o.subject?.reference);
const bodies = coded.map(({ id, meta, ...o }) => JSON.stringify(o));
const query = (o) => `/fhir/Observation?patient=${o.subject.reference}&code=${o.code.coding[0].system}%7C${o.code.coding[0].code}&_sort=-date&_count=20`;

const bare = await begin(join(build, 'bench/bench_responder'), []);
const nothing = lines('bare', ['/']);
function beside(name, connections, file, ...more) {
    const timed = (pid, run) => {
        const before = cpu(pid), r = run();
        return { ...r, cpu_us: ((cpu(pid) - before) * 1e6 / r.requests).toFixed(1) };
    };
    const base = timed(bare.child.pid, () => load(build, bare.line, connections, 2, nothing));
    const r = timed(serving.child.pid, () => load(build, url.port, connections, 4, file, '--header', header, ...more));
    console.log(`${name.padEnd(34)} ${String(r.per_second).padStart(7)}/s  ${(r.per_second / base.per_second).toFixed(3)} of the bare responder's`
        + ` ${base.per_second}/s  CPU ${r.cpu_us} µs (bare ${base.cpu_us})  p50 ${r.p50_us} µs  p99 ${r.p99_us} µs  ${r.bytes} bytes${r.errors ? `  ${r.errors} ERRORS` : ''}`);
}
beside('read by id, 16 clients', 16, lines('reads', found.map((o) => `/fhir/Observation/${o.id}`)));
beside('patient + code by date, 16 clients', 16, lines('searches', coded.map(query)));
beside('create, 16 clients', 16, lines('bodies', bodies), '--post', '/fhir/Observation');
beside('create, 64 clients', 64, lines('bodies', bodies), '--post', '/fhir/Observation');
console.log(`memory       ${anonymous(serving.child.pid).toFixed(0)} MiB anonymous after the load`);
serving.child.kill('SIGTERM');
bare.child.stdin.end();
await new Promise((resolve) => serving.child.once('exit', resolve));
process.exit(0);
