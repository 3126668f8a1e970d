// Breaking the glass at the screen: from a masked hit, with a reason, to the chart under a banner that counts down; the
// reason is asked again to prolong it. Then, without a mouse, somebody else reviews the openings.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { County, noBrowser, openBrowser } from '../support/browser.mjs';

let county, browser;
before(async () => {
    if (noBrowser) return;
    county = await County.start();
    browser = await openBrowser();
});
after(async () => {
    await browser?.close();
    await county?.stop();
});

test('a masked resident is opened in an emergency, for a time that is seen', { skip: noBrowser }, async () => {
    const home = await county.login(browser, 'town1');
    await home.register('尉迟守正', '12000000078');
    const stranger = await county.login(browser, 'town2');
    const { page } = stranger;
    await page.goto(`${county.url}/#/find`);
    await page.locator('[data-find]').fill('12000000078');
    const row = page.locator('.row-masked').first();
    await row.locator('[data-glass]').click();
    const send = row.locator('[data-glass-send]');
    assert.equal(await send.isDisabled(), true, 'not without a reason');
    await row.locator('[data-glass-form] .ant-input').fill('车祸昏迷，查过敏史');
    await send.click();
    await page.locator('.banner-name', { hasText: '尉迟守正' }).waitFor();
    const banner = page.locator('[data-glass-banner]');
    await banner.waitFor();
    assert.match(await banner.innerText(), /紧急查看中[\s\S]*还剩 (3:5\d:\d\d|4:00:00)，至 2026-11-22 12:0\d/);
    await banner.locator('button').click();
    await banner.locator('.ant-input').fill('仍在抢救中');
    await banner.locator('[data-glass-send]').click();
    await banner.locator('[data-glass-form]').waitFor({ state: 'detached' });
    const own = await stranger.ask('/fhir/Communication?category=urn:menkou:alert|break-glass');
    assert.equal(own.body.entry.length, 2);
    assert.deepEqual(stranger.faults, []);
});

test('the openings are reviewed by the keyboard, read by the audit', { skip: noBrowser }, async () => {
    const office = await county.login(browser, 'consortium1');
    const { page } = office;
    const rows = page.locator('[data-opening]');
    await page.locator('[data-glass-list]').click();
    await rows.nth(1).waitFor();
    assert.equal(await rows.count(), 2);
    await office.picture('glass-openings');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.locator('.glass-sentence', { hasText: '车祸昏迷' }).waitFor();
    await page.locator('[data-choose=justified]:focus, :focus [data-choose=justified], [data-choose=justified] :focus').waitFor();
    await page.keyboard.press('Space');
    await page.keyboard.press('Tab');
    await page.keyboard.type('急诊');
    assert.equal(await page.locator('[data-review]').isDisabled(), true, 'two characters are no grounds');
    await page.keyboard.type('，已核对病历');
    await office.picture('glass-review');
    await page.keyboard.press('F8');
    await rows.nth(1).waitFor({ state: 'detached' });
    await page.locator('[data-reviewed] label', { hasText: '已复核' }).click();
    await page.locator('[data-verdict=justified]').waitFor();
    await rows.first().click();
    await page.locator('.glass-sentence', { hasText: '已核对病历' }).waitFor();
    await page.locator('[data-language]').click();
    await page.locator('h2', { hasText: 'Emergency openings' }).waitFor();
    await page.locator('.glass-sentence', { hasText: 'opened the record of' }).waitFor();
    await office.picture('glass-reviewed');
    const audit = await county.login(browser, 'audit1');
    await audit.page.locator('[data-glass-list]').click();
    await audit.page.locator('[data-opening]').first().click();
    await audit.page.locator('.panel', { hasText: '审计管理员只读' }).waitFor();
    assert.equal(await audit.page.locator('[data-review]').count(), 0);
    assert.deepEqual([...office.faults, ...audit.faults], []);
});
