// What benches over HTTP share: the program served from a data directory, the client that loads it, what it costs.
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, fdatasyncSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const scratch = mkdtempSync(join(tmpdir(), 'menkou-bench-'));
const children = [];
process.on('exit', () => {
    for (const child of children) child.kill('SIGKILL');
    rmSync(scratch, { recursive: true, force: true });
});

/** Starts a program; resolves to the first line that it prints and the child. */
export function begin(path, args) {
    const child = spawn(path, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    children.push(child);
    return new Promise((resolve, reject) => {
        createInterface({ input: child.stdout }).once('line', (line) => resolve({ child, line }));
        child.once('exit', (code) => reject(new Error(`${path} ended with ${code}`)));
    });
}

/** Serves DIR on a free port: {child, url}; more: further options. */
export async function serve(program, dir, more = []) {
    const { child, line } = await begin(program, ['serve', '--data', dir, '--listen', '127.0.0.1:0', ...more]);
    return { child, url: new URL(line.replace('listening on ', '')) };
}

export async function login(url, username, password) {
    const r = await fetch(new URL('/auth/login', url), {
        method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ username, password }),
    });
    if (!r.ok) throw new Error(`log-in of ${username}: ${r.status} ${await r.text()}`);
    const bearer = `Bearer ${(await r.json()).access_token}`;
    const get = async (path) => {
        const ask = () => fetch(new URL(path, url), { headers: { Authorization: bearer } });
        // While load() runs nobody here notices that the server has ended a connection that was idle too long.
        const answer = await ask().catch(ask);
        if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
        return answer.json();
    };
    /** All that a search finds, up to `most`. */
    const search = async (path, most) => {
        const found = [];
        while (path && found.length < most) {
            const page = await get(path);
            found.push(...(page.entry ?? []).map((e) => e.resource));
            const next = page.link.find((l) => l.relation === 'next');
            path = next && new URL(next.url, url).pathname + new URL(next.url, url).search;
        }
        return found;
    };
    return { header: `Authorization: ${bearer}`, get, search };
}

export function lines(name, list) {
    const path = join(scratch, name);
    writeFileSync(path, list.join('\n'));
    return path;
}

/** Requests of FILE from so many connections: what bench_load prints. */
export function load(build, port, connections, seconds, file, ...more) {
    const r = spawnSync(join(build, 'bench/bench_load'), [String(port), String(connections), String(seconds), file, ...more],
        { encoding: 'utf8' });
    if (r.status !== 0) throw new Error(r.stderr);
    return JSON.parse(r.stdout);
}

/** Anonymous memory of a process in MiB. */
export const anonymous = (pid) => Number(readFileSync(`/proc/${pid}/status`, 'utf8').match(/RssAnon:\s+(\d+)/)[1]) / 1024;

/** CPU that a process has used, in seconds: its own and the system's for it. */
export function cpu(pid) {
    const ticks = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return (Number(ticks[11]) + Number(ticks[12])) / 100;
}

/** Milliseconds that the disk under DIR takes to write 8 KiB and flush them. */
export function flushMs(dir) {
    const path = join(dir, 'bench-flush');
    const file = openSync(path, 'w');
    const page = Buffer.alloc(8192, 1);
    const began = performance.now();
    let n = 0;
    for (; performance.now() - began < 500; n++) {
        writeSync(file, page, 0, page.length, n * page.length);
        fdatasyncSync(file);
    }
    const took = performance.now() - began;
    closeSync(file);
    rmSync(path);
    return took / n;
}
