// The real binary on a free port with a fresh data directory, and a small FHIR client.
// Programs: $MENKOU, else build/release or build/test. A scenario waits for events, never sleeps.
import { spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = process.env.MENKOU_ROOT ?? join(dirname(fileURLToPath(import.meta.url)), '..', '..');

export const program = [
    process.env.MENKOU,
    join(root, 'build/release/src/cmd/menkou'),
    join(root, 'build/test/src/cmd/menkou'),
].find((p) => p && existsSync(p));
if (!program) throw new Error('no program: build it (./dev test) or name it in $MENKOU');

/** Runs a command to its end: {status, out, err}. */
export function menkou(...args) {
    const r = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 1 << 28 });
    return { status: r.status, out: r.stdout, err: r.stderr };
}

export class Server {
    /** A new directory with its administrators; `accounts` are [username, role, organization?]. */
    static async start({ accounts = [['bench', 'integrator']], args = [], dir } = {}) {
        const s = new Server();
        s.dir = dir ?? mkdtempSync(join(tmpdir(), 'menkou-'));
        s.ownDir = !dir;
        s.passwords = {};
        if (!existsSync(join(s.dir, 'log.db'))) {
            for (const line of s.command('init').trim().split('\n')) {
                const [name, password] = line.split(' ');
                s.passwords[name] = password;
            }
        }
        for (const account of accounts) s.addUser(...account);
        s.args = args;
        await s.run();
        return s;
    }

    command(name, ...args) {
        const r = menkou(...name.split(' '), '--data', this.dir, ...args);
        if (r.status !== 0) throw new Error(`menkou ${name}: ${r.status} ${r.err}`);
        return r.out;
    }

    addUser(username, role, organization) {
        const where = organization ? ['--organization', organization] : [];
        const line = this.command('user add', '--role', role, ...where, username);
        this.passwords[username] = line.trim().split(' ')[1];
    }

    run() {
        this.child = spawn(program, ['serve', '--data', this.dir, '--listen', '127.0.0.1:0', ...this.args]);
        this.stdout = '';
        this.stderr = '';
        this.ended = new Promise((resolve) => this.child.once('exit', (code, signal) => resolve(code ?? signal)));
        this.child.stderr.on('data', (b) => (this.stderr += b));
        return new Promise((resolve, reject) => {
            this.child.stdout.on('data', (b) => {
                this.stdout += b;
                const m = /^listening on (http:\/\/\S+)\n/.exec(this.stdout);
                if (m) resolve((this.url = m[1]));
            });
            this.ended.then((code) => reject(new Error(`serve ended with ${code}: ${this.stderr}`)));
        });
    }

    async stop(signal = 'SIGTERM') {
        this.child.kill(signal);
        const code = await this.ended;
        if (this.ownDir) rmSync(this.dir, { recursive: true, force: true });
        return code;
    }

    /** The same directory again, after a signal. */
    async restart(signal = 'SIGTERM') {
        this.child.kill(signal);
        await this.ended;
        await this.run();
    }

    async login(username = 'bench', password = this.passwords[username]) {
        const c = new Client(this);
        const r = await c.send('POST', '/auth/login', {
            body: { username, password },
            type: 'application/json',
        });
        if (r.status !== 200) throw new Error(`login ${username}: ${r.status} ${r.text}`);
        c.token = r.json.access_token;
        c.user = r.json.user;
        return r.json.must_change_password ? this.changePassword(c, username) : c;
    }

    /** The first password is changed before anything else. */
    async changePassword(c, username) {
        const [password, next] = [this.passwords[username], `Changed-${randomUUID()}`];
        const r = await c.send('POST', '/auth/password', {
            body: { password, new_password: next },
            type: 'application/json',
        });
        if (r.status !== 204) throw new Error(`password of ${username}: ${r.status} ${r.text}`);
        this.passwords[username] = next;
        return this.login(username);
    }

    anonymous() {
        return new Client(this);
    }
}

export class Client {
    constructor(server) {
        this.server = server;
    }

    /** One request: {status, headers, text, json, bytes}. body: object, string or Buffer. */
    send(method, path, { body, type, headers = {}, agent } = {}) {
        const url = new URL(path, this.server.url);
        const raw = body === undefined || Buffer.isBuffer(body) || typeof body === 'string';
        const bytes = body === undefined ? undefined : Buffer.from(raw ? body : JSON.stringify(body));
        const all = { ...headers };
        if (this.token) all.Authorization ??= `Bearer ${this.token}`;
        if (bytes) {
            all['Content-Type'] ??= type ?? 'application/fhir+json';
            all['Content-Length'] ??= bytes.length;
        }
        return new Promise((resolve, reject) => {
            const req = http.request(url, { method, headers: all, agent }, (res) => {
                const parts = [];
                res.on('data', (b) => parts.push(b));
                res.on('error', reject);
                res.on('end', () => {
                    const got = Buffer.concat(parts);
                    const text = got.toString('utf8');
                    const isJson = /json/.test(res.headers['content-type'] ?? '') && text;
                    resolve({
                        status: res.statusCode,
                        headers: res.headers,
                        bytes: got,
                        text,
                        json: isJson ? JSON.parse(text) : undefined,
                    });
                });
            });
            req.on('error', reject);
            req.end(bytes);
        });
    }

    get(path, headers) {
        return this.send('GET', path, { headers });
    }
    post(path, body, headers) {
        return this.send('POST', path, { body, headers });
    }
    put(path, body, headers) {
        return this.send('PUT', path, { body, headers });
    }
    delete(path, headers) {
        return this.send('DELETE', path, { headers });
    }

    /** POST that must make something: the resource. */
    async create(resource) {
        const r = await this.post(`/fhir/${resource.resourceType}`, resource);
        if (r.status !== 201) throw new Error(`create ${resource.resourceType}: ${r.status} ${r.text}`);
        return r.json;
    }

    /** All entries of a search, page by page. */
    async searchAll(path) {
        const found = [];
        for (let next = path; next; ) {
            const r = await this.get(next);
            if (r.status !== 200) throw new Error(`${next}: ${r.status} ${r.text}`);
            found.push(...(r.json.entry ?? []));
            next = r.json.link.find((l) => l.relation === 'next')?.url;
        }
        return found;
    }

    /** Opens /events; read with `await events.next(predicate)`. */
    events(lastEventId) {
        return EventReader.open(this, lastEventId);
    }
}

class EventReader {
    static open(client, lastEventId) {
        const headers = { Authorization: `Bearer ${client.token}`, Accept: 'text/event-stream' };
        if (lastEventId !== undefined) headers['Last-Event-ID'] = String(lastEventId);
        return new Promise((resolve, reject) => {
            const req = http.get(new URL('/events', client.server.url), { headers }, (res) => {
                const e = new EventReader();
                e.status = res.statusCode;
                e.headers = res.headers;
                e.req = req;
                e.waiting = [];
                e.seen = [];
                e.text = '';
                e.closed = new Promise((done) => res.once('close', done));
                res.setEncoding('utf8');
                res.on('data', (s) => e.take(s));
                resolve(e);
            });
            req.on('error', reject);
        });
    }

    take(s) {
        this.text += s;
        for (let at; (at = this.text.indexOf('\n\n')) >= 0; ) {
            const block = this.text.slice(0, at);
            this.text = this.text.slice(at + 2);
            const event = { id: undefined, event: 'message', data: undefined };
            for (const line of block.split('\n')) {
                const [, key, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
                if (key === 'data') event.data = JSON.parse(value);
                else if (key) event[key] = value;
            }
            this.seen.push(event);
        }
        for (const wake of this.waiting.splice(0)) wake();
    }

    /** The first event not yet given out that fits; events before it are passed over. */
    async next(fits = () => true) {
        for (;;) {
            const at = this.seen.findIndex(fits);
            if (at >= 0) {
                const [event] = this.seen.splice(0, at + 1).slice(-1);
                return event;
            }
            await new Promise((wake) => this.waiting.push(wake));
        }
    }

    close() {
        this.req.destroy();
    }
}

let cards = 0;
/** A Patient with names and, when asked, an ID card whose check digit is right (an invented region). */
export function patient({ family = '测', given = '试', card = false, ...more } = {}) {
    const identifier = card
        ? [{ system: 'urn:oid:2.16.156.10011.1.3', value: card === true ? idCard() : card }]
        : undefined;
    return {
        resourceType: 'Patient',
        identifier,
        name: [{ text: family + given, family, given: [given] }],
        gender: 'female',
        birthDate: '1980-01-02',
        ...more,
    };
}

export function idCard(n = ++cards) {
    const body = `139901${'19800102'}${String(n).padStart(3, '0')}`;
    const weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    const sum = weights.reduce((s, w, i) => s + w * Number(body[i]), 0);
    return body + '10X98765432'[sum % 11];
}
