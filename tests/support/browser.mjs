// Chromium on the workstation: people who log in, see, click and type. Waits for what must appear,
// never for time. Skipped loudly where no Chromium is installed.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { program, root } from './menkou.mjs';

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
    static async start({ people = 200, now = '2026-11-22T08:00:00+08:00', seed = 7 } = {}) {
        const c = new County();
        c.dir = mkdtempSync(join(tmpdir(), 'menkou-county-'));
        c.child = spawn(program, ['demo', '--data', c.dir, '--people', String(people), '--seed', String(seed),
            '--now', now, '--listen', '127.0.0.1:0']);
        let out = '';
        let err = '';
        c.child.stderr.on('data', (b) => (err += b));
        c.ended = new Promise((resolve) => c.child.once('exit', (code, signal) => resolve(code ?? signal)));
        c.url = await new Promise((resolve, reject) => {
            c.child.stdout.on('data', (b) => {
                const m = /^listening on (http:\/\/\S+)\n/.exec((out += b));
                if (m) resolve(m[1]);
            });
            c.ended.then((code) => reject(new Error(`demo ended with ${code}: ${err.slice(-2000)}`)));
        });
        c.accounts = JSON.parse(readFileSync(join(c.dir, 'accounts.json'), 'utf8'));
        return c;
    }

    account(username) {
        return this.accounts.find((a) => a.username === username);
    }

    async stop() {
        this.child.kill('SIGTERM');
        await this.ended;
        rmSync(this.dir, { recursive: true, force: true });
    }

    /** One person at one screen. */
    async login(browser, username, { width = 1366, height = 768, locale = 'zh-CN' } = {}) {
        const context = await browser.newContext({ viewport: { width, height }, locale });
        const page = await context.newPage();
        page.setDefaultTimeout(30000);
        const faults = [];
        page.on('pageerror', (e) => faults.push(e.message));
        await page.goto(this.url);
        await page.locator('input').first().fill(username);
        await page.locator('input[type=password]').fill(this.account(username).password);
        await page.keyboard.press('Enter');
        await page.locator('[data-live]').waitFor();
        return new Person(this, page, faults, username);
    }
}

export class Person {
    constructor(county, page, faults, username) {
        Object.assign(this, { county, page, faults, username });
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

    async list(code) {
        await this.page.locator(`[data-list="${code}"]`).first().click();
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
