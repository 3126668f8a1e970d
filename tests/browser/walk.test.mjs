// Every page of the workstation by keyboard alone, in both languages: whatever can be pressed is reached by Tab, from top to
// bottom, with a focus that is seen and a name in the reader's language; the first stop skips to the work; Esc closes what
// opened and the focus goes back.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { County, noBrowser, openBrowser } from '../support/browser.mjs';
import { root } from '../support/server.mjs';

let county, browser, resident, stranger;
const people = new Map();
before(async () => {
    if (noBrowser) return;
    county = await County.start({ people: 60 });
    browser = await openBrowser();
    for (const who of ['town1', 'town2', 'consortium1', 'system1', 'security1', 'audit1']) people.set(who, await county.login(browser, who));
    resident = await people.get('town1').register('尉迟守正', '12000000078');
    stranger = people.get('town2');
});
after(async () => {
    await browser?.close();
    await county?.stop();
});

/** The words of the Chinese screens, none of which may stand alone on an English one. */
const ZH = new Set([...readFileSync(join(root, 'web/src/i18n/zh.ts'), 'utf8').matchAll(/: '([^']*\p{Script=Han}[^']*)'/gu)].map((m) => m[1]));
/** The parts of a date box are named by the browser, in its own language. */
const BROWSERS = /^(Show date picker|Month|Year|Day) /;
const PRESSED = ['button', 'link', 'checkbox', 'radio', 'tab', 'menuitem', 'combobox', 'textbox', 'searchbox', 'spinbutton', 'slider', 'switch'];

/** What of the page can be pressed or typed into and is nameless, or named in the other language. */
async function misnamed(page, lang) {
    const cdp = await page.context().newCDPSession(page);
    const { nodes } = await cdp.send('Accessibility.getFullAXTree');
    await cdp.detach();
    const named = nodes.filter((n) => !n.ignored && PRESSED.includes(n.role?.value) && !BROWSERS.test(n.name?.value)).map((n) => [n.role.value, (n.name?.value ?? '').trim()]);
    return named.filter(([, name]) => {
        const words = name.replace(/\s*\b(F\d|Esc)\b\s*/g, ' ').trim();
        if (!words) return true;
        if (lang === 'en') return ZH.has(words);
        return !/\p{Script=Han}/u.test(words) && /[a-z]{3}/.test(words) && !/^English$|\d|^[\w.-]+\.csv$/.test(words);
    }).map(([role, name]) => `${role} "${name}"`);
}

/** Numbers all that ought to be a stop of the Tab key; what only a mouse can press is a fault. */
const stops = (page) => page.evaluate(() => {
    const seen = (e) => e.getClientRects().length > 0 && getComputedStyle(e).visibility !== 'hidden' && !e.closest('[inert]');
    const can = 'a[href], button, input, select, textarea, iframe, [tabindex]';
    const all = [...document.querySelectorAll(can)].filter((e) => e.tabIndex >= 0 && !e.disabled && seen(e) && e.type !== 'hidden');
    const groups = new Set();
    const one = all.filter((e) => {
        if (e.type !== 'radio' && e.getAttribute('role') !== 'tab') return true;
        const group = e.name || e.closest('[role=tablist], [role=radiogroup], .ant-radio-group, .ant-segmented');
        return !groups.has(group) && Boolean(groups.add(group));
    });
    document.querySelectorAll('[data-stop]').forEach((e) => e.removeAttribute('data-stop'));
    one.forEach((e, n) => e.setAttribute('data-stop', n));
    const keyed = `${can}, label, tr.row, .ant-select, .ant-segmented-item, .ant-picker, .ant-radio-wrapper, .ant-checkbox-wrapper, .ant-input-affix-wrapper`;
    const mouseOnly = [...document.querySelectorAll('#root *')].filter((e) => seen(e) && getComputedStyle(e).cursor === 'pointer'
        && (e.tabIndex < 0 && e.matches('button, [tabindex]') ? !e.closest('[role=tablist], .ant-input-affix-wrapper, .q-phrases') : !e.closest(keyed)));
    return {
        count: one.length, positive: [...document.querySelectorAll('[tabindex]')].filter((e) => e.tabIndex > 0).map((e) => e.outerHTML.slice(0, 120)),
        mouseOnly: mouseOnly.map((e) => e.outerHTML.slice(0, 160)),
    };
});

/** Where the focus is: which stop, whether the eye sees it, what it is. */
const focus = (page) => page.evaluate(() => {
    const e = document.activeElement;
    const mark = (s) => (s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0) || s.boxShadow !== 'none';
    const box = e.closest('.ant-select, .ant-picker, .ant-input-affix-wrapper, .ant-input-number, .ant-radio-button-wrapper, .ant-radio-wrapper, .ant-checkbox-wrapper, .ant-segmented-item') ?? e;
    const around = [e, box, box.querySelector('.ant-select-selector, .ant-radio-inner, .ant-checkbox-inner'), e.nextElementSibling?.matches('.ant-radio-inner, .ant-checkbox-inner') ? e.nextElementSibling : null].filter(Boolean);
    const at = box.getBoundingClientRect();
    const group = e.type === 'radio' || e.getAttribute('role') === 'tab' ? e.closest('[role=tablist], [role=radiogroup], .ant-radio-group, .ant-segmented')?.querySelector('[data-stop]') : null;
    return {
        stop: e === document.body ? null : (group ?? e).dataset.stop, html: e.outerHTML.slice(0, 200), inside: at.bottom > 0 && at.top < innerHeight && at.right > 0 && at.left < innerWidth,
        seen: e !== document.body && (around.some((x) => mark(getComputedStyle(x))) || getComputedStyle(box).borderColor === 'rgb(11, 92, 171)' || box.matches('.ant-select-focused, .ant-segmented-item-focused')),
    };
});

/** From the first stop to the last by Tab: all are passed in their order, each is seen, nothing holds the key. */
async function walk(page, name, lang) {
    const { count, positive, mouseOnly } = await stops(page);
    assert.deepEqual(positive, [], `${name}: a tabindex above 0`);
    assert.deepEqual(mouseOnly, [], `${name}: only for a mouse`);
    assert.deepEqual(await misnamed(page, lang), [], `${name}: without a name in ${lang}`);
    await page.evaluate(() => document.querySelector('[data-stop="0"]').focus());
    await page.keyboard.press('Shift+Tab');
    const passed = [];
    for (let n = 0; n < 2 * count + 20; n++) {
        await page.keyboard.press('Tab');
        const at = await focus(page);
        if (at.stop === '0' && passed.length > 0) break;
        if (at.stop === null || at.stop === undefined) continue;
        assert.ok(at.seen, `${name}: the focus is not seen at ${at.html}`);
        assert.ok(at.inside, `${name}: the focus is off the screen at ${at.html}`);
        passed.push(Number(at.stop));
    }
    const missed = await page.evaluate((was) => [...document.querySelectorAll('[data-stop]')].filter((e) => !was.includes(Number(e.dataset.stop))).map((e) => e.outerHTML.slice(0, 160)), passed);
    assert.deepEqual(missed, [], `${name}: Tab does not come to`);
    const once = passed.filter((n, k) => n !== passed[k - 1]);
    assert.deepEqual(once, [...once].sort((a, b) => a - b), `${name}: the order of Tab`);
}

// ---- the tests

/** Pages in the order of the work: whose, where, what must stand there, and what is done first. */
const PAGES = [
    ['town1', 'home', '/', '.card'],
    ['town1', 'find', '/find', '[data-find]', async (page) => {
        await page.locator('[data-find]').fill('12000000078');
        await page.locator('tr[data-patient]').waitFor();
    }],
    ['town2', 'find, masked', '/find', '[data-find]', async (page) => {
        await page.locator('[data-find]').fill('12000000078');
        await page.locator('[data-glass]').first().press('Enter');
        await page.locator('[data-glass-form]').waitFor();
    }],
    ['town1', 'register', '/register', '.register-form'],
    ['town1', 'cases', '/mine', 'tr[data-task]'],
    ['town1', 'case', '/mine', 'tr[data-task]', async (page) => {
        await page.locator('.rows:focus').waitFor();
        await page.keyboard.press('Enter');
        await page.locator('.case-bar').waitFor();
    }],
    ['town1', 'chart', () => `/patient/${resident}`, '.timeline'],
    ['town1', 'form', () => `/patient/${resident}`, '.timeline', async (page) => {
        await page.keyboard.press('F6');
        await page.locator('.ant-dropdown-menu-item-active, .ant-dropdown [role=menuitem]:focus').first().waitFor();
        await page.keyboard.press('Enter');
        await page.locator('.panel').waitFor();
    }],
    ['town1', 'figures', '/figures', '.figure-detail .chart'],
    ['consortium1', 'emergency openings', '/glass', '.glass-list'],
    ['audit1', 'audit', '/audit', '[data-who]', async (page) => {
        await page.locator('[data-who]').fill(`Patient/${resident}`);
        await page.keyboard.press('Enter');
        await page.locator('[data-record]').first().waitFor();
    }],
    ['audit1', 'system', '/system', '[data-disk-free]'],
    ['security1', 'account', '/accounts', '[data-account]', async (page) => {
        await page.locator('.rows').press('Enter');
        await page.locator('.panel [data-do]').first().waitFor();
    }],
    ['system1', 'new account', '/accounts', '[data-account]', async (page) => {
        await page.keyboard.press('F3');
        await page.locator('[data-account-form]').waitFor();
    }],
    ['system1', 'purge', '/purges', '[data-new-purge]', async (page) => {
        await page.keyboard.press('F3');
        await page.locator('[data-purge-form]').waitFor();
    }],
    ['system1', 'tables', '/imports', '[data-send-table]', async (page) => {
        const buffer = Buffer.from('机构名称,机构编码,上级机构\r\n北乡卫生院,N10,\r\n');
        await page.locator('[data-table-file]').setInputFiles({ name: 'institutions.csv', mimeType: 'text/csv', buffer });
        await page.locator('[data-import-panel=uploaded]').waitFor();
    }],
];

async function language(page, lang) {
    await page.locator('[data-language]').press('Enter');
    await page.waitForFunction((now) => document.documentElement.lang === now, lang);
}

for (const [who, name, path, ready, first] of PAGES) {
    test(`${name}, as ${who}`, { skip: noBrowser }, async () => {
        const { page, faults } = people.get(who);
        await page.goto(`${county.url}/#/`);
        await page.goto(`${county.url}/#${typeof path === 'function' ? path() : path}`);
        await page.locator(ready).first().waitFor();
        await first?.(page);
        await walk(page, name, 'zh-CN');
        await language(page, 'en');
        await walk(page, name, 'en');
        await language(page, 'zh-CN');
        await page.keyboard.press('Escape');
        assert.deepEqual(faults, []);
    });
}

test('log-in: both languages, and Enter goes in', { skip: noBrowser }, async () => {
    const context = await browser.newContext({ viewport: { width: 1366, height: 768 }, locale: 'zh-CN' });
    const { page } = await county.screen(context, 'village1');
    await page.locator('[data-login]').waitFor();
    await walk(page, 'log-in', 'zh-CN');
    await page.locator('.login-box > .ant-btn-link').press('Enter');
    await page.locator('h2', { hasText: 'Log in' }).waitFor();
    await walk(page, 'log-in', 'en');
    await page.locator('input[autocomplete=username]').focus();
    await page.keyboard.type('village1');
    await page.keyboard.press('Tab');
    await page.keyboard.type(county.account('village1').password);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Space');
    assert.equal(await page.locator('input[autocomplete=current-password]').getAttribute('type'), 'text', 'the eye by the keyboard');
    await page.locator('input[autocomplete=current-password]:focus').waitFor();
    await page.keyboard.press('Enter');
    await page.locator('[data-live]').waitFor();
    await context.close();
});

test('the first stop skips to the work', { skip: noBrowser }, async () => {
    const { page } = people.get('town1');
    await page.goto(`${county.url}/#/mine`);
    await page.locator('tr[data-task]').first().waitFor();
    await page.locator('[data-skip]').focus();
    assert.ok((await page.locator('[data-skip]').boundingBox()).y >= 0, 'it is seen while it has the focus');
    await page.keyboard.press('Enter');
    await page.locator('main:focus').waitFor();
    await page.keyboard.press('Tab');
    await page.locator('main .rows:focus').waitFor();
});

/** What opens by Enter on `opener` closes by Esc, and the opener has the focus again. */
async function opensAndCloses(page, opener, opened) {
    await page.locator(opener).first().focus();
    await page.keyboard.press('Enter');
    await page.locator(opened).first().waitFor();
    await page.keyboard.press('Escape');
    await page.locator(opened).first().waitFor({ state: 'hidden' });
    await page.waitForFunction((s) => document.activeElement === document.querySelector(s), opener)
        .catch(async () => assert.fail(`after ${opened} the focus is at ${(await focus(page)).html}`));
}

test('what opens closes by Esc, and the focus goes back', { skip: noBrowser }, async () => {
    const town = people.get('town1').page;
    await town.goto(`${county.url}/#/patient/${resident}`);
    await town.locator('[data-begin]').waitFor();
    await opensAndCloses(town, '[data-keys]', '.keys-sheet');
    await opensAndCloses(town, '[data-person]', '.ant-dropdown:not(.ant-dropdown-hidden) [role=menuitem]');
    await opensAndCloses(town, '[data-begin]', '.ant-dropdown:not(.ant-dropdown-hidden) [role=menuitem]');
    const masked = stranger.page;
    await masked.goto(`${county.url}/#/`);
    await masked.goto(`${county.url}/#/find`);
    await masked.locator('[data-find]').fill('12000000078');
    await masked.locator('[data-glass]').first().waitFor();
    await opensAndCloses(masked, '[data-glass]', '[data-glass-form]');
    const security = people.get('security1').page;
    await security.goto(`${county.url}/#/accounts`);
    await security.locator('[data-account]').first().waitFor();
    await opensAndCloses(security, '.rows', '.panel');
    await security.locator('.rows').press('Enter');
    await security.locator('.panel [data-do]').first().waitFor();
    await opensAndCloses(security, '.panel [data-do]', '.confirm');
    assert.equal(await security.locator('.panel').count(), 1, 'only the question was closed');
    const system = people.get('system1').page;
    await system.goto(`${county.url}/#/accounts`);
    await system.locator('[data-account]').first().waitFor();
    await opensAndCloses(system, '[data-new-account]', '[data-account-form]');
    await system.goto(`${county.url}/#/purges`);
    await system.locator('[data-new-purge]').waitFor();
    await opensAndCloses(system, '[data-new-purge]', '[data-purge-form]');
    await system.goto(`${county.url}/#/imports`);
    await system.locator('[data-import]').first().waitFor();
    await opensAndCloses(system, '.rows', '[data-import-panel]');
    for (const p of people.values()) assert.deepEqual(p.faults, [], p.username);
});

test('the menu of the person and a question are answered by the keyboard', { skip: noBrowser }, async () => {
    const { page } = people.get('consortium1');
    await page.goto(`${county.url}/#/`);
    await page.locator('[data-person]').focus();
    await page.keyboard.press('Enter');
    const item = page.locator('.ant-dropdown:visible [role=menuitem]').first();
    await item.waitFor();
    for (let n = 0; n < 6 && !(await item.evaluate((e) => e === document.activeElement || e.classList.contains('ant-dropdown-menu-item-active'))); n++) await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.locator('input[autocomplete=current-password]:focus').waitFor();
    await walk(page, 'change of the password', 'zh-CN');
    await page.locator('.login-box .ant-btn-link').first().press('Enter');
    await page.locator('[data-live]').waitFor();
    const security = people.get('security1').page;
    await security.goto(`${county.url}/#/accounts`);
    await security.locator('[data-account=tech1]').waitFor();
    for (let n = 0; n < 40 && !(await security.locator('tr.row-on[data-account=tech1]').count()); n++) await security.locator('.rows').press('ArrowDown');
    await security.locator('.rows').press('Enter');
    await security.locator('.panel [data-do=disable]').press('Enter');
    await security.locator('.confirm button:focus').waitFor();
    await security.keyboard.press('Tab');
    await security.keyboard.press('Enter');
    await security.locator('.panel [data-state=disabled]').waitFor();
});
