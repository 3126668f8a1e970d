// Breaking the glass at the screen: from a masked hit, with a reason, to the chart under a banner that counts down; the
// reason is asked again to prolong it.
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
    assert.match(await banner.innerText(), /紧急查看中[\s\S]*还剩 3:5\d:\d\d，至 2026-11-22 12:0\d/);
    await banner.locator('button').click();
    await banner.locator('.ant-input').fill('仍在抢救中');
    await banner.locator('[data-glass-send]').click();
    await banner.locator('[data-glass-form]').waitFor({ state: 'detached' });
    const own = await stranger.ask('/fhir/Communication?category=urn:menkou:alert|break-glass');
    assert.equal(own.body.entry.length, 2);
    assert.deepEqual(stranger.faults, []);
});
