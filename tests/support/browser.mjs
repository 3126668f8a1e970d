// Chromium on the workstation: people who log in, see, click and type. Waits for what must appear,
// never for time. Skipped loudly where no Chromium is installed.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { demoMake, program, root } from './server.mjs';

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((p) => existsSync(p));
export const noBrowser = CHROMIUM ? false : 'SKIPPED: no Chromium on this machine (apt-get install chromium)';

const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'];

export async function openBrowser() {
    const { chromium } = createRequire(join(root, 'web/package.json'))('playwright-core');
    return chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
}

/** A demo county, served; the same each time. */
export class County {
    static async start({ people = 200, now = '2026-11-22T08:00:00+08:00', seed = 7, more = [] } = {}) {
        const c = new County();
        c.dir = join(mkdtempSync(join(tmpdir(), 'menkou-county-')), 'county');
        c.more = more;
        demoMake(c.dir, ['--people', String(people), '--seed', String(seed), '--now', now, ...more]);
        await c.run('demo', '--now', now, '--listen', '127.0.0.1:0');
        c.accounts = JSON.parse(readFileSync(join(c.dir, 'accounts.json'), 'utf8'));
        return c;
    }

    /** The program, until it listens. */
    async run(command, ...args) {
        this.child = spawn(program, [command, '--data', this.dir, ...args, ...this.more]);
        let out = '';
        let err = '';
        this.child.stderr.on('data', (b) => (err += b));
        this.ended = new Promise((resolve) => this.child.once('exit', (code, signal) => resolve(code ?? signal)));
        this.url = await new Promise((resolve, reject) => {
            this.child.stdout.on('data', (b) => {
                const m = /^listening on (http:\/\/\S+)\n/.exec((out += b));
                if (m) resolve(m[1]);
            });
            this.ended.then((code) => reject(new Error(`${command} ended with ${code}: ${err.slice(-2000)}`)));
        });
    }

    async halt() {
        this.child.kill('SIGTERM');
        await this.ended;
    }

    /** Served again at the same address: `now` may be hours later, and what fell due in between fires. */
    async resume(now) {
        await this.run('serve', '--now', now, '--listen', new URL(this.url).host);
    }

    account(username) {
        return this.accounts.find((a) => a.username === username);
    }

    async stop() {
        await this.halt();
        rmSync(dirname(this.dir), { recursive: true, force: true });
    }

    /** One person at one screen. */
    async login(browser, username, { width = 1366, height = 768, locale = 'zh-CN' } = {}) {
        const context = await browser.newContext({ viewport: { width, height }, locale });
        const person = await this.screen(context, username);
        await person.enter();
        await person.page.locator('[data-live]').waitFor();
        return person;
    }

    /** A tab that nobody has logged in at. */
    async screen(context, username) {
        const page = await context.newPage();
        page.setDefaultTimeout(30000);
        const faults = [];
        page.on('pageerror', (e) => faults.push(e.message));
        await page.goto(this.url);
        return new Person(this, page, faults, username);
    }
}

/** Synthetic twelve leads in the SCP-ECG format. */
export const RECORDING = join(root, 'tests/fixtures/ecg/synthetic.scp');

export class Person {
    constructor(county, page, faults, username) {
        Object.assign(this, { county, page, faults, username });
    }

    /** The name and password at the log-in screen. */
    async enter(password = this.county.account(this.username).password) {
        await this.page.locator('input[autocomplete=username]').fill(this.username);
        await this.page.locator('input[autocomplete=current-password]').fill(password);
        await this.page.keyboard.press('Enter');
    }

    /** Asks the server in this person's session: {status, body}. */
    async ask(path, { method = 'GET', body } = {}) {
        return this.page.evaluate(async ([at, verb, sent]) => {
            const r = await fetch(at, {
                method: verb,
                headers: { Accept: 'application/json', 'Content-Type': at.startsWith('/fhir') ? 'application/fhir+json' : 'application/json',
                    'X-Menkou': '1', ...(verb === 'POST' && { 'Idempotency-Key': crypto.randomUUID() }) },
                body: sent && JSON.stringify(sent),
            });
            const text = await r.text();
            return { status: r.status, body: text ? JSON.parse(text) : undefined };
        }, [path, method, body]);
    }

    /** Registers a resident here: the id. */
    async register(name, phone, more = {}) {
        const made = await this.ask('/fhir/Patient', { method: 'POST', body: { resourceType: 'Patient', name: [{ text: name }],
            gender: 'female', birthDate: '1961-02-03', telecom: [{ system: 'phone', value: phone }], ...more } });
        assert.equal(made.status, 201, JSON.stringify(made.body));
        return made.body.id;
    }

    /** The cases of a resident as this person sees them, newest first. */
    async cases(patient) {
        const found = await this.ask(`/fhir/Task?patient=Patient/${patient}&_count=50&_sort=-authored-on`);
        return (found.body.entry ?? []).map((e) => e.resource)
            .map((t) => ({ id: t.id, code: t.code.coding[0].code, state: t.businessStatus.coding[0].code, task: t }));
    }

    /** A resident's chart, or one case in it. */
    async chart(patient, task) {
        await this.page.goto(`${this.county.url}/#/patient/${patient}${task ? `/case/${task}` : ''}`);
        await this.page.locator(task ? '.case-bar' : '[data-begin]').waitFor();
    }

    /** A printed page as a PDF with its fonts inside: {file, text}. */
    async pdf(path, name) {
        const page = await this.page.context().newPage();
        await page.goto(`${this.county.url}${path}`);
        const file = join(this.county.dir, `${name}.pdf`);
        writeFileSync(file, await page.pdf({ preferCSSPageSize: true }));
        await page.close();
        const fonts = execFileSync('pdffonts', [file], { encoding: 'utf8' }).trim().split('\n').slice(2);
        assert.ok(fonts.length > 0 && fonts.every((f) => /\syes\s+(yes|no)\s+(yes|no)\s/.test(f)), `fonts embedded in ${name}:\n${fonts.join('\n')}`);
        return { file, text: execFileSync('pdftotext', ['-layout', file, '-'], { encoding: 'utf8' }) };
    }

    /** Types into the search box; the line of the resident whose name must stand there. */
    async find(text, name) {
        const { page } = this;
        await page.keyboard.press('F2');
        await page.keyboard.type(text);
        const line = page.locator('.quick-list [role=option]', { hasText: name }).first();
        await line.waitFor();
        return line;
    }

    async open(text, name) {
        await this.find(text, name);
        await this.page.keyboard.press('Enter');
        await this.page.locator('[data-begin]').waitFor();
    }

    /** A work list of the menu; beside an open case stands its queue, the menu is a click away. */
    async list(code) {
        const link = this.page.locator(`[data-list="${code}"]`).first();
        if (!(await link.count())) await this.page.locator('.head-brand').click();
        await link.click();
    }

    row(name) {
        return this.page.locator('tr[data-task]', { hasText: name }).first();
    }

    async act(code) {
        await this.page.locator(`[data-action="${code}"]`).first().click();
    }

    /** An action without a form: done when it is no longer offered. */
    async tap(code) {
        const button = this.page.locator(`[data-action="${code}"]`).first();
        await button.click();
        await button.waitFor({ state: 'detached' });
    }

    field(link) {
        return this.page.locator(`[data-link="${link}"]`).last();
    }

    async fill(link, value) {
        await this.field(link).locator('input, textarea').first().fill(String(value));
    }

    /** A choice by its words: a button, or a line of a list. */
    async choose(link, text) {
        const field = this.field(link);
        const button = field.locator('label', { hasText: text }).first();
        if (await button.count()) {
            await button.click();
            return;
        }
        await field.locator('.ant-select').first().click();
        await this.page.locator('.ant-select-dropdown:visible .ant-select-item-option', { hasText: text }).first().click();
    }

    async send() {
        await this.page.locator('[data-submit]').click();
        await this.page.locator('[data-submit]').waitFor({ state: 'detached' });
    }

    async begin(title) {
        await this.page.locator('[data-begin]').click();
        await this.page.locator('.ant-dropdown:visible [role=menuitem]', { hasText: title }).first().click();
    }

    async picture(name) {
        await this.page.screenshot({ path: join(process.env.MENKOU_IMAGES ?? join(root, 'build'), `${name}.png`) });
    }
}
