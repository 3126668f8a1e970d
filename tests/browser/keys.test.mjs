// Without a mouse: the village doctor finds a resident and does a follow-up, the reader claims, reports and signs. The
// focus is always to be seen, Esc closes the panel and gives it back, `?` lists the keys.
import assert from 'node:assert/strict';
import { sendRecording, walk } from '../support/walk.mjs';

let village, reader;
const { login, step } = walk();

/** No step of the walk may use a mouse. */
function withoutMouse(page) {
    for (const verb of ['click', 'dblclick', 'tap']) page[verb] = () => assert.fail('a mouse');
    return page.keyboard;
}

/** What has the focus, and whether the eye can see that. */
const focus = (page) => page.evaluate(() => {
    const e = document.activeElement;
    const box = e.closest('.ant-select, .ant-picker, .ant-input-affix-wrapper, .ant-input-number, .ant-radio-button-wrapper') ?? e;
    const seen = [e, box].map((x) => getComputedStyle(x));
    return {
        tag: e.tagName, id: e.id, name: e.innerText?.trim() || e.getAttribute('aria-label') || e.id, action: e.dataset.action, case: e.dataset.case,
        visible: e !== document.body && seen.some((s) => (s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0) || s.boxShadow !== 'none' || s.borderColor === 'rgb(11, 92, 171)'),
    };
});

/** Tab until `wanted` has the focus; every stop on the way must be seen. */
async function tabTo(page, wanted, most = 60) {
    for (let n = 0; n < most; n++) {
        const at = await focus(page);
        if (n > 0) assert.ok(at.visible, `the focus is not to be seen at ${JSON.stringify(at)}`);
        if (await page.evaluate((s) => document.activeElement.matches(s), wanted)) return;
        await page.keyboard.press('Tab');
    }
    assert.fail(`Tab does not come to ${wanted}`);
}

/** Down a menu that has just opened, and has the focus, until the item is the active one. */
async function menuDown(keys, item) {
    await item.page().waitForFunction(() => document.activeElement.closest('.ant-dropdown'));
    for (let n = 0; n < 12 && !(await item.evaluate((e) => e === document.activeElement || e.classList.contains('ant-dropdown-menu-item-active'))); n++) await keys.press('ArrowDown');
}

step('the village doctor: F2, two letters, Enter, F6, the form, F8, F4, the form, F8', async () => {
    village = await login('village1');
    const { page } = village;
    await village.register('键盘甲', '12000000501');
    const keys = withoutMouse(page);
    await keys.press('F2');
    await keys.type('12000000501');
    await page.locator('.quick-list [role=option]', { hasText: '键盘甲' }).waitFor();
    await keys.press('Enter');
    await page.locator('[data-begin]').waitFor();
    await page.locator('.banner-name', { hasText: '键盘甲' }).waitFor();
    await keys.press('F6');
    const item = page.locator('.ant-dropdown:visible [role=menuitem]', { hasText: '随访' }).first();
    await item.waitFor();
    await menuDown(keys, item);
    await keys.press('Enter');
    await page.locator('.panel').waitFor();
    await tabTo(page, '.panel textarea');
    await keys.type('高血压随访');
    await keys.press('F8');
    await page.locator('.case-bar .state', { hasText: '待随访' }).waitFor();
    await page.locator('kbd', { hasText: 'F4' }).first().waitFor();
    await keys.press('F4');
    await page.locator('.panel [data-link=systolic]').waitFor();
    assert.ok((await focus(page)).visible);
    await keys.type('128');
    await tabTo(page, '[data-link=diastolic] input', 3);
    await keys.type('82');
    await village.picture('keys-form');
    await keys.press('F8');
    await page.locator('.case-bar .state', { hasText: '已随访' }).waitFor();
});

step('Esc closes the panel and gives the focus back; what was typed is kept', async () => {
    const { page } = village;
    const keys = page.keyboard;
    await keys.press('F6');
    await page.locator('.ant-dropdown:visible [role=menuitem]').first().waitFor();
    await keys.press('Escape');
    await page.locator('.ant-dropdown:visible').waitFor({ state: 'detached' }).catch(() => undefined);
    await page.locator('[data-begin]').focus();
    await keys.press('F6');
    await page.locator('.ant-dropdown:visible [role=menuitem]').first().waitFor();
    await menuDown(keys, page.locator('.ant-dropdown:visible [role=menuitem]').first());
    await keys.press('Enter');
    await page.locator('.panel').waitFor();
    await keys.press('Escape');
    await page.locator('.panel').waitFor({ state: 'detached' });
    await page.waitForFunction(() => document.activeElement.matches('[data-begin]'));
});

step('`?` lists the keys, Esc puts the list away', async () => {
    const { page } = village;
    await page.keyboard.press('?');
    const sheet = page.locator('.keys-sheet');
    await sheet.waitFor();
    for (const key of ['F2', 'F3', 'F4', 'F6', 'F8', 'F9', 'Esc', 'Alt']) assert.ok((await sheet.innerText()).includes(key), key);
    await village.picture('keys-sheet');
    await page.keyboard.press('Escape');
    await sheet.waitFor({ state: 'detached' });
});

step('the reader: the list by arrows, F4 claims, F4 reports, F8 signs', async () => {
    const tech = await login('tech1');
    const patient = await tech.register('键盘乙', '12000000502');
    await sendRecording(tech, patient, { reason: '胸闷', urgency: '立即' });
    reader = await login('reader1');
    const { page } = reader;
    const keys = withoutMouse(page);
    await page.locator('[data-list=to-read]').waitFor();
    await tabTo(page, '[data-list=to-read]');
    await keys.press('Enter');
    await page.locator('tr[data-task]', { hasText: '键盘乙' }).waitFor();
    for (let n = 0; n < 30 && !(await page.locator('tr.row-on', { hasText: '键盘乙' }).count()); n++) await keys.press('ArrowDown');
    await keys.press('Enter');
    await page.locator('[data-action=claim]').waitFor();
    await page.locator('kbd', { hasText: 'F4' }).first().waitFor();
    await keys.press('F4');
    await page.locator('[data-action=report]').waitFor();
    await page.locator('kbd', { hasText: 'F4' }).first().waitFor();
    await keys.press('F4');
    await page.locator('.panel [data-link=finding] textarea').waitFor();
    await keys.press('Alt+1');
    await tabTo(page, '.panel [data-link=conclusion] textarea', 9);
    await keys.press('Alt+1');
    assert.match(await page.locator('[data-link=conclusion] textarea').inputValue(), /正常心电图/);
    await tabTo(page, '.panel [data-link=critical] input', 4);
    await keys.press('Space');
    await reader.picture('keys-report');
    await keys.press('F8');
    await page.locator('.case-bar .state', { hasText: '已报告' }).waitFor();
    assert.deepEqual([...village.faults, ...reader.faults], []);
});
