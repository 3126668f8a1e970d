// What happens beside the good day: a first password, a resident of another township, a server that stops while a form is
// half filled, the other language, and rare characters.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { walk } from '../support/walk.mjs';
import { program } from '../support/menkou.mjs';

const NAME = '尉迟\u{2CD02}';
let county, browser, town;

const { login, step } = walk({ people: 200 }, async (w) => {
    ({ county, browser } = w);
    town = await w.login('town1');
});

step('a compound family name with a rare character is found and drawn, not a box', async () => {
    await town.register(NAME, '12000000077');
    await town.open('12000000077', NAME);
    const same = await town.page.evaluate((name) => {
        const font = getComputedStyle(document.body).fontFamily;
        const pixels = (text) => {
            const canvas = Object.assign(document.createElement('canvas'), { width: 64, height: 64 });
            const c = canvas.getContext('2d');
            c.font = `40px ${font}`;
            c.fillText(text, 4, 48);
            return canvas.toDataURL();
        };
        const box = pixels('\u{10FFFE}');
        return ['门', '诊', ...name].filter((ch) => pixels(ch) === box);
    }, NAME);
    assert.deepEqual(same, []);
});

step('a resident of elsewhere is masked until a visit is registered', async () => {
    const stranger = await login('town2');
    const { page } = stranger;
    await page.goto(`${county.url}/#/find`);
    await page.locator('[data-find]').fill('12000000077');
    const row = page.locator('.row-masked').first();
    await row.waitFor();
    assert.ok(!(await row.innerText()).includes(NAME));
    await row.locator('.visit').click();
    await page.locator('.banner-name', { hasText: NAME }).waitFor();
    assert.deepEqual(stranger.faults, []);
    await page.context().close();
});

step('a first password must be changed before anything else', async () => {
    const line = execFileSync(program, ['user', 'add', '--data', county.dir, '--role', 'township-doctor', '--organization',
        'Organization/township-1', '--name', '新同事', 'fresh1'], { encoding: 'utf8' });
    const first = line.trim().split(' ').pop();
    const page = await (await browser.newContext({ locale: 'zh-CN' })).newPage();
    await page.goto(county.url);
    await page.locator('input').first().fill('fresh1');
    await page.locator('input[type=password]').fill(first);
    await page.keyboard.press('Enter');
    const fields = page.locator('input[autocomplete=new-password]');
    await fields.first().waitFor();
    assert.equal(await page.locator('[data-live]').count(), 0);
    await page.locator('input[autocomplete=current-password]').fill(first);
    for (const n of [0, 1]) await fields.nth(n).fill('Menkou-edges-2026!');
    await page.keyboard.press('Enter');
    await page.locator('[data-live]').waitFor();
    await page.context().close();
});

step('a half-filled form outlives the server', async () => {
    const words = '反复胸闷三天，夜间加重';
    const { page } = town;
    await town.begin('远程心电诊断');
    await town.fill('reason', words);
    await page.locator('.panel .save-local').waitFor();
    await county.halt();
    await page.locator('[data-live=down]').waitFor();
    await town.choose('urgency', '立即');
    await town.choose('consent', '书面同意');
    await page.locator('[data-submit]').click();
    await page.locator('.panel .save-refused').waitFor();
    assert.equal(await town.field('reason').locator('input, textarea').first().inputValue(), words);
    await county.resume('2026-11-22T08:10:00+08:00');
    await page.locator('[data-live=live]').waitFor();
    await town.send();
    await page.locator('.save-county').first().waitFor();
    assert.deepEqual(town.faults, []);
});

step('the English workstation shows no Chinese but what people wrote', async () => {
    const { page } = town;
    await page.locator('[data-language]').click();
    await page.goto(`${county.url}/#/`);
    await page.locator('.card').first().waitFor();
    const chrome = await page.evaluate(() => [...document.querySelectorAll('.nav, .card-head, .home-bar')].map((e) => e.innerText).join('\n'));
    assert.doesNotMatch(chrome, /\p{Script=Han}/u);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
});
