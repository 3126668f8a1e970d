// Administrators at their screens: a purge proposed by one without a mouse and confirmed by the other, with the password
// again; the disk that fills is said on every screen, and the page of the system's state.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { County, noBrowser, openBrowser } from '../support/browser.mjs';

let county, browser, resident;
before(async () => {
    if (noBrowser) return;
    county = await County.start();
    browser = await openBrowser();
    const home = await county.login(browser, 'town1');
    resident = await home.register('尉迟守正', '12000000078');
    await home.page.context().close();
});
after(async () => {
    await browser?.close();
    await county?.stop();
});
const step = (title, run) => test(title, { skip: noBrowser }, run);

step('a purge is proposed by the keyboard, after a look at what it takes', async () => {
    const system = await county.login(browser, 'system1');
    const { page } = system;
    await page.locator('[data-purges]').click();
    await page.locator('[data-new-purge]').waitFor();
    await page.keyboard.press('F3');
    await page.locator('[data-purge-form] textarea').first().waitFor();
    await page.keyboard.type(`Patient/${resident}`);
    assert.equal(await page.locator('[data-propose]').isDisabled(), true, 'not before a look');
    await page.keyboard.press('Tab');
    await page.locator('[data-look]:focus').waitFor();
    await page.keyboard.press('Enter');
    await page.locator('[data-masked]', { hasText: '1961 年生' }).waitFor();
    assert.ok(!(await page.locator('[data-purge-form]').innerText()).includes('尉迟守正'), 'masked');
    await page.keyboard.press('Tab');
    await page.keyboard.type('本人书面申请删除');
    await page.locator('[data-purge-form] input[autocomplete=current-password]').fill(county.account('system1').password);
    await page.keyboard.press('F8');
    await page.locator('[data-purge][data-state=proposed]').waitFor();
    await system.picture('purge-proposed');
    await page.locator('[data-purge]').click();
    await page.locator('[data-panel-state=proposed]').waitFor();
    assert.equal(await page.locator('[data-do=confirm]').count(), 0, 'who proposes does not confirm');
    assert.equal(await page.locator('[data-do=withdraw]').count(), 1);
    assert.deepEqual(system.faults, []);
    await page.context().close();
});

step('the other one confirms with the own password, and it is gone', async () => {
    const security = await county.login(browser, 'security1');
    const { page } = security;
    await page.locator('[data-purges]').click();
    await page.locator('[data-purge]').waitFor();
    await page.locator('.rows:focus').waitFor();
    await page.keyboard.press('Enter');
    const password = page.locator('[data-decide] input[autocomplete=current-password]');
    await password.fill('not-mine');
    await page.keyboard.press('F8');
    await page.locator('[data-decide] .ant-alert-error').waitFor();
    await password.fill(county.account('security1').password);
    await page.keyboard.press('F8');
    await page.locator('[data-purge][data-state=erased]').waitFor();
    await page.locator('[data-language]').click();
    await page.locator('h2', { hasText: 'Purges' }).waitFor();
    await security.picture('purge-erased');
    assert.deepEqual(security.faults, []);
    await page.context().close();
    const home = await county.login(browser, 'town1');
    assert.equal((await home.ask(`/fhir/Patient/${resident}`)).status, 410);
    await home.page.context().close();
});

step('a disk that fills is said on every screen of an administrator', async () => {
    const audit = await county.login(browser, 'audit1');
    const { page } = audit;
    await page.locator('[data-system-link]').click();
    await page.locator('[data-disk-free]', { hasText: 'GiB' }).waitFor();
    const full = { status: 'ok', version: 'x', seq: 1, disk: { freeBytes: 2 * 2 ** 30, totalBytes: 100 * 2 ** 30, lowBytes: 5 * 2 ** 30, low: true } };
    await page.route('**/healthz', (route) => route.fulfill({ json: full }));
    await page.locator('[data-system] button').click();
    const banner = page.locator('[data-disk-low]');
    await banner.waitFor();
    assert.match(await banner.innerText(), /只剩 2\.0 GiB（共 100\.0 GiB，低于 5\.0 GiB 即报警）[\s\S]*备份/);
    await audit.picture('disk-low');
    await page.locator('.nav a', { hasText: '账号管理' }).click();
    await page.locator('[data-find-account]').waitFor();
    assert.equal(await banner.count(), 1, 'on every screen');
    await page.unroute('**/healthz');
    await page.route('**/healthz', (route) => route.fulfill({ json: { ...full, disk: { ...full.disk, freeBytes: 50 * 2 ** 30, low: false } } }));
    await page.locator('[data-system-link]').click();
    await page.locator('[data-system] button').click();
    await banner.waitFor({ state: 'detached' });
    assert.deepEqual(audit.faults, []);
    await page.context().close();
});

step('search parameters of the county: how far each is, why one is not, and the whole index anew', async () => {
    const system = await county.login(browser, 'system1');
    const { page } = system;
    await page.locator('[data-system-link]').click();
    await page.locator('[data-index] .empty').waitFor();
    const parameter = (code, expression) => ({ resourceType: 'SearchParameter', id: code, url: `urn:county:${code}`, name: code, status: 'active',
        description: code, code, base: ['Device'], type: 'string', expression });
    assert.ok([200, 201].includes((await system.ask('/fhir/SearchParameter/lot', { method: 'PUT', body: parameter('lot', 'Device.lotNumber') })).status));
    await page.reload();
    await page.locator('[data-param=lot][data-state=ready]').waitFor();
    await page.locator('[data-reindex]').focus();
    await page.keyboard.press('Enter');
    await page.locator('.confirm button:focus').waitFor();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.locator('[data-index] .ant-alert-success').waitFor();
    await system.picture('index');
    await page.locator('[data-language]').click();
    await page.locator('h3', { hasText: 'Search index' }).waitFor();
    assert.deepEqual(system.faults, []);
    await page.context().close();
    const audit = await county.login(browser, 'audit1');
    await audit.page.locator('[data-system-link]').click();
    await audit.page.locator('[data-disk-free]').waitFor();
    assert.equal(await audit.page.locator('[data-index]').count(), 0, 'only whose work it is');
    await audit.page.context().close();
});
