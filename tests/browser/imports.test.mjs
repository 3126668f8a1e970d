// Tables through the administrator's screen, clicked: institutions, staff and residents; a mapping by hand, a dry run,
// refusals on the screen and as a sheet, the run, and the grant by the other administrator.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { walk } from '../support/walk.mjs';
import { idCard } from '../support/county.mjs';

const SHOTS = process.env.MENKOU_SHOTS;
let county, system;
const { login, step } = walk({ people: 200 }, async (w) => {
    ({ county } = w);
    system = await w.login('system1');
});
const shot = (page, name) => SHOTS && page.screenshot({ path: `${SHOTS}/${name}.png` });

function file(name, rows, charset) {
    const path = join(county.dir, name), text = rows.join('\r\n') + '\r\n';
    writeFileSync(path, charset ? execFileSync('iconv', ['-f', 'UTF-8', '-t', charset], { input: text }) : text);
    return path;
}

async function send(page, kind, path) {
    await page.locator('.import-bar .ant-segmented-item', { hasText: kind }).click();
    await page.locator('[data-table-file]').setInputFiles(path);
    await page.locator('[data-import-panel=uploaded]').waitFor();
}
const count = async (page, what) => Number(await page.locator(`.panel [data-count=${what}]`).innerText());
async function through(page, state) {
    await page.keyboard.press('F8');
    await page.locator(`[data-import-panel=${state}]`).waitFor();
}

step('institutions by the keyboard: chosen, checked with F8, brought in with F8', async () => {
    const { page } = system;
    await page.locator('.nav a', { hasText: '批量导入' }).click();
    await page.locator('[data-send-table]').waitFor();
    await send(page, '机构', file('机构.csv', ['机构名称,机构编码,上级机构', '北乡卫生院,N10,', '北乡一村卫生室,N11,N10'], 'GB18030'));
    assert.match(await page.locator('.panel-head').innerText(), /GB18030/);
    await through(page, 'checked');
    assert.equal(await count(page, 'made'), 2);
    await through(page, 'imported');
    assert.equal(await count(page, 'made'), 2);
    const found = await system.ask(`/fhir/Organization?name=${encodeURIComponent('北乡一村卫生室')}`);
    assert.equal(found.body.entry.length, 1);
    await page.keyboard.press('Escape');
    await page.locator('.panel').waitFor({ state: 'detached' });
});

step('residents under unusual columns: mapped by hand, refusals on the screen and in a sheet', async () => {
    const { page } = system;
    const good = idCard('139901', '19600203', 2), bad = `${idCard('139901', '19500101', 4).slice(0, 17)}?`;
    await send(page, '居民', file('居民.csv', ['村民,证号,电话,备注', `刘北方,${good},13900000077,甲`, `张错码,${bad},13900000078,乙`, `赵无证,,13900000079,`]));
    assert.equal(await page.locator('[data-main]').isDisabled(), true, 'a needed column has to be chosen');
    await page.locator('[data-element=name] .ant-select').click();
    await page.locator('.ant-select-dropdown:visible .ant-select-item-option', { hasText: '村民' }).click();
    await page.locator('[data-element=card] .ant-select').click();
    await page.locator('.ant-select-dropdown:visible .ant-select-item-option', { hasText: '证号' }).click();
    await page.locator('[data-element=organization] input:not([type=search])').fill('N11');
    await shot(page, 'import-mapping');
    await through(page, 'checked');
    assert.deepEqual([await count(page, 'made'), await count(page, 'refused')], [2, 1]);
    assert.match(await page.locator('.import-result').innerText(), /备注/);
    assert.match(await page.locator('.import-refusals').innerText(), /3/);
    await shot(page, 'import-checked');
    const [download] = await Promise.all([page.waitForEvent('download'), page.locator('[data-sheet="refused.csv"]').click()]);
    const sheet = readFileSync(await download.path(), 'utf8');
    assert.ok(sheet.startsWith('\ufeff') && sheet.includes('张错码') && !sheet.includes('刘北方'));
    assert.equal(download.suggestedFilename(), '居民.csv.refused.csv');
    await through(page, 'imported');
    assert.equal(await count(page, 'made'), 2);
    await page.locator('[data-element=phone] .ant-select').click();
    await page.locator('.ant-select-dropdown:visible .ant-select-item-option', { hasText: '（无此列）' }).click();
    assert.match(await page.locator('[data-main]').innerText(), /试运行/, 'another mapping is checked first');
});

step('staff get accounts; the posts wait for the security administrator', async () => {
    const { page } = system;
    await send(page, '人员', file('人员.csv', ['姓名,岗位,机构,用户名', '孙北丽,村医,N11,sunbeili']));
    await through(page, 'checked');
    await through(page, 'imported');
    assert.equal(await count(page, 'accounts'), 1);
    await shot(page, 'import-staff');
    const [download] = await Promise.all([page.waitForEvent('download'), page.locator('[data-sheet="passwords.csv"]').click()]);
    assert.match(readFileSync(await download.path(), 'utf8'), /^\ufeffsunbeili,孙北丽,[A-Za-z0-9]{14}\r\n$/);
    const security = await login('security1');
    await security.page.locator('.nav a', { hasText: '账号管理' }).click();
    assert.equal(await security.page.locator('.nav a', { hasText: '批量导入' }).count(), 0);
    await security.page.locator('[data-find-account]').fill('sunbeili');
    await security.page.locator('[data-account=sunbeili]').click();
    await security.page.locator('[data-grant]').click();
    await security.page.locator('[data-post-state=in-force]').waitFor();
});

step('in English and large letters the same screen; a table is removed with its sheets', async () => {
    const { page } = system;
    await page.locator('[data-language]').click();
    await page.getByText('Bring in tables').first().waitFor();
    await page.locator('[data-import]').first().click();
    await shot(page, 'import-en');
    assert.doesNotMatch(await page.locator('.panel').innerText(), /导入|试运行|拒绝/);
    await page.locator('[data-large]').click();
    await shot(page, 'import-large');
    assert.ok(await page.locator('.panel').evaluate((el) => el.scrollWidth <= el.clientWidth + 1), 'nothing is cut off at the side');
    await page.locator('[data-large]').click();
    const before = await page.locator('[data-import]').count();
    await page.locator('[data-remove]').click();
    await page.locator('.confirm .ant-btn-primary').click();
    await page.locator('.panel').waitFor({ state: 'detached' });
    await page.waitForFunction((n) => document.querySelectorAll('[data-import]').length === n, before - 1);
    assert.deepEqual(system.faults, []);
});
