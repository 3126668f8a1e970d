// The API over HTTP beside the bare responder, same client, same run: a data directory made by store-bench is served,
// with audit on; an integrator and a village doctor (the access filter at work) read, search, create and act.
//   node bench/http.mjs BUILD DIR        DIR as store-bench left it
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const [build, dir] = process.argv.slice(2);
const program = join(build, 'src/cmd/menkou');
const scratch = mkdtempSync(join(tmpdir(), 'menkou-bench-'));
const children = [];
process.on('exit', () => {
    for (const child of children) child.kill('SIGKILL');
    rmSync(scratch, { recursive: true, force: true });
});

/** Starts a program; resolves to the first line that it prints and the child. */
function begin(path, args) {
    const child = spawn(path, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    children.push(child);
    return new Promise((resolve, reject) => {
        createInterface({ input: child.stdout }).once('line', (line) => resolve({ child, line }));
        child.once('exit', (code) => reject(new Error(`${path} ended with ${code}`)));
    });
}

function user(role, name, ...more) {
    const r = spawnSync(program, ['user', 'add', '--data', dir, '--role', role, ...more, name], { encoding: 'utf8' });
    if (r.status !== 0) throw new Error(r.stderr);
    return r.stdout.trim().split(' ')[1];
}

function lines(name, list) {
    const path = join(scratch, name);
    writeFileSync(path, list.join('\n'));
    return path;
}

function load(port, connections, seconds, file, ...more) {
    const r = spawnSync(join(build, 'bench/bench_load'), [String(port), String(connections), String(seconds), file, ...more],
        { encoding: 'utf8' });
    if (r.status !== 0) throw new Error(r.stderr);
    return JSON.parse(r.stdout);
}

/** CPU of a process until now, in µs: user and system, all threads. */
function cpu(pid) {
    const field = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
    return (Number(field[11]) + Number(field[12])) * 10_000; /* of a hundredth of a second */
}

/** Anonymous memory of a process in MiB. */
const anonymous = (pid) => Number(readFileSync(`/proc/${pid}/status`, 'utf8').match(/RssAnon:\s+(\d+)/)[1]) / 1024;

const began = performance.now();
const name = `bench${process.pid}`;
const password = user('integrator', name);
const serving = await begin(program, ['serve', '--data', dir, '--listen', '127.0.0.1:0']);
const url = new URL(serving.line.replace('listening on ', ''));
console.log(`ready        ${(performance.now() - began).toFixed(0)} ms with the account made; idle ${anonymous(serving.child.pid).toFixed(0)} MiB anonymous`);
const login = await fetch(new URL('/auth/login', url), {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ username: name, password }),
});
const bearer = `Authorization: Bearer ${(await login.json()).access_token}`;
const get = async (path) => {
    const r = await fetch(new URL(path, url), { headers: { Authorization: bearer.slice(15) } });
    if (!r.ok) throw new Error(`${path}: ${r.status} ${await r.text()}`);
    return r.json();
};
const found = [];
for (let path = '/fhir/Observation?_count=1000'; path && found.length < 5000;) {
    const page = await get(path);
    found.push(...page.entry.map((e) => e.resource));
    const next = page.link.find((l) => l.relation === 'next');
    path = next && new URL(next.url, url).pathname + new URL(next.url, url).search;
}
const coded = found.filter((o) => o.code?.coding?.[0]?.system && o.subject?.reference);
const bodies = coded.map(({ id, meta, ...o }) => JSON.stringify(o));
const query = (o) => `/fhir/Observation?patient=${o.subject.reference}&code=${o.code.coding[0].system}%7C${o.code.coding[0].code}&_sort=-date&_count=20`;

const bare = await begin(join(build, 'bench/bench_responder'), []);
const nothing = lines('bare', ['/']);
function beside(name, connections, file, ...more) {
    const timed = (pid, run) => {
        const before = cpu(pid), r = run();
        return { ...r, cpu_us: ((cpu(pid) - before) / r.requests).toFixed(1) };
    };
    const base = timed(bare.child.pid, () => load(bare.line, connections, 2, nothing));
    const r = timed(serving.child.pid, () => load(url.port, connections, 4, file, '--header', bearer, ...more));
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
