// One server on a fresh data directory, its accounts and its clients, for scenarios of the API; on the harness of
// server.mjs.
import { randomUUID } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { EventStream, folder, launch, menkou as run, program, request, root, withCheckDigit } from './server.mjs';

export { program, root };

/** Runs a command to its end: {status, out, err}. */
export function menkou(...args) {
    const r = run(...args);
    return { status: r.code, out: r.stdout, err: r.stderr };
}

export class Server {
    /** A new directory with its administrators; `accounts` are [username, role, organization?]. */
    static async start({ accounts = [['bench', 'integrator']], args = [], dir, program: path } = {}) {
        const s = new Server();
        s.program = path ?? program;
        s.dir = dir ?? folder('menkou');
        s.ownDir = !dir;
        s.passwords = {};
        if (!existsSync(join(s.dir, 'log.db')) && !existsSync(join(s.dir, 'database'))) {
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

    async run() {
        this.process = await launch(this.program, 'serve', this.dir, this.args);
        this.url = this.process.url;
    }

    get stderr() {
        return this.process.stderr();
    }

    /** How it ended: the exit status, or the signal. */
    async stop(signal = 'SIGTERM') {
        const { code, signal: by } = await this.process.end(signal);
        if (this.ownDir) rmSync(this.dir, { recursive: true, force: true });
        return code ?? by;
    }

    /** The same directory again, after a signal. */
    async restart(signal = 'SIGTERM') {
        await this.process.end(signal);
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

    /** One request: {status, headers, text, json, bytes}; json is undefined where the answer is none. */
    async send(method, path, { body, type, headers = {}, agent } = {}) {
        const all = { ...headers };
        if (this.token) all.Authorization ??= `Bearer ${this.token}`;
        if (type) all['Content-Type'] ??= type;
        const answer = await request(this.server.url, method, path, { body, headers: all, agent });
        const isJson = /json/.test(answer.headers['content-type'] ?? '') && !answer.headers['content-encoding'] && answer.text;
        return { ...answer, json: isJson ? answer.json() : undefined };
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
    /** A JSON Patch (an array) or a FHIRPath Patch (Parameters). */
    patch(path, body, headers) {
        const type = Array.isArray(body) ? 'application/json-patch+json' : 'application/fhir+json';
        return this.send('PATCH', path, { body, type, headers });
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
        return EventStream.open(this.server.url, this.token, lastEventId);
    }
}

let cards = 0;
/** A Patient with names and, when asked, an ID card whose check digit is right (an invented region). */
export function patient({ family = '测', given = '试', card = false, ...more } = {}) {
    const identifier = card
        ? [{ system: 'urn:oid:2.16.156.10011.1.3', value: card === true ? idCard(undefined, more) : card }]
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

/** A number of its own for somebody born on that day: even for a woman, odd for a man. */
export const idCard = (n = ++cards, { birthDate = '1980-01-02', gender = 'female' } = {}) =>
    withCheckDigit(`139901${birthDate.replaceAll('-', '')}${String(2 * n + (gender === 'male' ? 1 : 0)).padStart(3, '0')}`);
