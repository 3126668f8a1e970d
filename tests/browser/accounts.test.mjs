// Day one of a county in the browser: a first password and one-time codes, an account made by one administrator and
// granted by another, and the new person's first log-in.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { County, noBrowser, openBrowser } from '../support/browser.mjs';
import { menkou } from '../support/menkou.mjs';
import { totp } from '../support/totp.mjs';

const [SHOTS, FRESH] = [process.env.MENKOU_SHOTS, 'Menkou-2026-day1!'];
const PERSON = { name: '孙丽华', username: 'sunlihua', role: '乡镇医生', organization: '卫生院' };
let county, browser, system, security, given, secret;

before(async () => {
    if (noBrowser) return;
    county = await County.start();
    browser = await openBrowser();
    system = await county.login(browser, 'system1');
    security = await county.login(browser, 'security1');
});
after(async () => {
    await browser?.close();
    await county?.stop();
});
const step = (title, run) => test(title, { skip: noBrowser }, run);
const shot = (page, name) => SHOTS && page.screenshot({ path: `${SHOTS}/${name}.png` });

async function pick(page, label, text) {
    await page.getByLabel(label, { exact: true }).last().click();
    await page.keyboard.type(text);
    await page.locator('.ant-select-dropdown:visible .ant-select-item-option', { hasText: text }).first().click();
}

async function open(person, username) {
    const { page } = person;
    await page.locator('.nav a', { hasText: '账号管理' }).click();
    await page.locator('[data-find-account]').fill(username);
    await page.locator(`[data-account="${username}"]`).click();
    await page.locator('.panel [data-state]').waitFor();
}

async function freshPage() {
    const page = await (await browser.newContext({ locale: 'zh-CN', viewport: { width: 1366, height: 768 } })).newPage();
    page.setDefaultTimeout(30000);
    await page.goto(county.url);
    return page;
}

async function enter(page, username, password) {
    await page.locator('input[autocomplete=username]').fill(username);
    await page.locator('input[autocomplete=current-password]').fill(password);
    await page.keyboard.press('Enter');
}

async function changeFirst(page, old) {
    const fields = page.locator('input[autocomplete=new-password]');
    await fields.first().waitFor();
    await page.locator('input[autocomplete=current-password]').fill(old);
    for (const n of [0, 1]) await fields.nth(n).fill(FRESH);
    await page.keyboard.press('Enter');
}

step('the system administrator makes an account by the keyboard; the password is shown once', async () => {
    const { page } = system;
    await page.locator('.nav a', { hasText: '账号管理' }).click();
    await page.locator('[data-new-account]').waitFor();
    await page.keyboard.press('F3');
    await page.locator('[data-account-form] input').first().fill(PERSON.name);
    await page.getByLabel('用户名', { exact: true }).last().fill(PERSON.username);
    await pick(page, '角色', PERSON.role);
    await pick(page, '机构', PERSON.organization);
    await page.keyboard.press('F8');
    given = (await page.locator('[data-password]').innerText()).split(/\s+/).pop();
    assert.match(given, /^[A-Za-z0-9]{14}$/);
    await shot(page, 'accounts-new');
    await open(system, PERSON.username);
    assert.equal(await page.locator('.panel [data-state]').getAttribute('data-state'), 'waiting');
    assert.equal(await page.locator('[data-grant]').count(), 0, 'who makes does not grant');
    assert.equal(await page.locator('.panel [data-password]').count(), 0);
});

step('before the grant nobody gets in', async () => {
    const page = await freshPage();
    await enter(page, PERSON.username, given);
    await page.locator('.login-failed', { hasText: '岗位' }).waitFor();
    await page.context().close();
});

step('the security administrator grants the post', async () => {
    const { page } = security;
    await open(security, PERSON.username);
    assert.equal(await page.locator('[data-new-account]').count(), 0);
    await page.locator('[data-grant]').click();
    await page.locator('.panel [data-state=first-password]').waitFor();
    await page.locator('.panel [data-post-state=in-force]').waitFor();
    await shot(page, 'accounts-granted');
});

step('the new person changes the first password, turns on one-time codes, and is asked for one at the next log-in', async () => {
    const page = await freshPage();
    await enter(page, PERSON.username, given);
    await changeFirst(page, given);
    await page.locator('[data-live]').waitFor();
    await page.locator('[data-person]').click();
    await page.locator('.ant-dropdown-menu-item', { hasText: '动态口令' }).click();
    await page.locator('input[autocomplete=current-password]').fill(FRESH);
    await page.keyboard.press('Enter');
    await page.locator('.factor-code canvas, .factor-code svg').first().waitFor();
    const uri = await page.locator('.factor-code').getAttribute('data-uri');
    secret = new URL(uri).searchParams.get('secret');
    assert.equal((await page.locator('[data-secret]').innerText()).replaceAll(' ', ''), secret);
    await shot(page, 'factor-code');
    const now = await page.evaluate(async () => Date.parse((await (await fetch('/auth/me')).json()).now));
    await page.locator('input[autocomplete=one-time-code]').fill(totp(secret, now, -1));
    await page.keyboard.press('Enter');
    await page.locator('[data-recovery-kept]').waitFor();
    const codes = await page.locator('.factor-recovery code').allInnerTexts();
    assert.equal(new Set(codes).size, 10);
    await shot(page, 'factor-recovery');
    await page.locator('[data-recovery-kept]').click();
    await page.locator('[data-live]').waitFor();
    await page.context().close();
    const again = await freshPage();
    await enter(again, PERSON.username, FRESH);
    await again.locator('[data-otp]').waitFor();
    assert.equal(await again.locator('.ant-alert-error').count(), 0, 'being asked is no failure');
    await again.locator('[data-otp]').fill('000000');
    await again.keyboard.press('Enter');
    await again.locator('.ant-alert-error', { hasText: '动态口令' }).waitFor();
    await shot(again, 'login-code');
    await again.locator('[data-otp]').fill(codes[0]);
    await again.keyboard.press('Enter');
    await again.locator('[data-live]').waitFor();
    await again.context().close();
});

step('the security administrator takes the codes away and resets the password; the screen says so in English too', async () => {
    const { page } = security;
    await page.keyboard.press('Escape');
    await open(security, PERSON.username);
    for (const what of ['reset-factor', 'reset-password']) {
        await page.locator(`[data-do=${what}]`).click();
        await page.locator('.confirm .ant-btn-primary').click();
        await page.locator(what === 'reset-factor' ? '.panel:not(:has([data-do=reset-factor]))' : '[data-password]').waitFor();
    }
    const once = await page.locator('[data-password]').innerText();
    assert.notEqual(once.split(/\s+/).pop(), given);
    await page.locator('[data-language]').click();
    await page.locator('h2', { hasText: 'Accounts' }).waitFor();
    assert.ok(!/[\u4e00-\u9fff]/.test(await page.locator('.accounts thead').innerText()));
    assert.equal(await page.locator('[data-password]').innerText(), once, 'what is shown once stays through another language');
    await shot(page, 'accounts-en');
    assert.deepEqual(security.faults, []);
    assert.deepEqual(system.faults, []);
});

step('an administrator of a new county: first password, and a week later nothing before one-time codes', async () => {
    await county.halt();
    const dir = `${county.dir}-new`;
    const line = menkou('init', '--data', dir).out.split('\n')[0].split(' ');
    const first = { dir: county.dir };
    county.dir = dir;
    await county.resume(new Date(Date.now() + 8 * 86_400_000).toISOString());
    const page = await freshPage();
    await enter(page, line[0], line[1]);
    await changeFirst(page, line[1]);
    await page.locator('.login h2', { hasText: '启用动态口令' }).waitFor();
    assert.equal(await page.locator('[data-live]').count(), 0);
    await page.locator('input[autocomplete=current-password]').fill(FRESH);
    await page.keyboard.press('Enter');
    const uri = await page.locator('.factor-code').getAttribute('data-uri');
    const now = await page.evaluate(async () => Date.parse((await (await fetch('/auth/me')).json()).now));
    await page.locator('input[autocomplete=one-time-code]').fill(totp(new URL(uri).searchParams.get('secret'), now));
    await page.keyboard.press('Enter');
    await page.locator('[data-recovery-kept]').click();
    await page.locator('.nav a', { hasText: '账号管理' }).click();
    await page.locator('[data-account=sysadmin]').waitFor();
    await shot(page, 'accounts-first-day');
    await page.context().close();
    await county.stop();
    Object.assign(county, first, { halt: async () => {} });
});
