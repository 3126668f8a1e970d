// Large letters at 1366 × 768 in both languages: on the administrators' pages and where a record is opened in an emergency
// no word is cut, nothing lies on anything else, and neither the page nor a panel has to be pushed sideways.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { County, noBrowser, openBrowser } from '../support/browser.mjs';
import { layoutFaults } from '../support/layout.mjs';

let county, browser;
const residents = { 'zh-CN': ['尉迟守正', '12000000078'], en: ['尉迟守静', '12000000079'] };
before(async () => {
    if (noBrowser) return;
    county = await County.start({ people: 60 });
    browser = await openBrowser();
    const home = await county.login(browser, 'town1');
    for (const one of Object.values(residents)) one.push(await home.register(one[0], one[1]));
    await home.page.context().close();
});
after(async () => {
    await browser?.close();
    await county?.stop();
});

/** Somebody at a screen with large letters. */
async function large(who, lang) {
    const person = await county.login(browser, who);
    if (lang === 'en') await person.page.locator('[data-language]').click();
    await person.page.locator('[data-large]').click();
    await person.page.locator('html.large').waitFor();
    return person;
}

async function fits(person, name, lang) {
    if (process.env.MENKOU_IMAGES) await person.picture(`large-${name}-${lang}`);
    assert.deepEqual(await layoutFaults(person.page), [], `${name} in ${lang}`);
}

async function go(person, path, ready) {
    await person.page.goto(`${county.url}/#${path}`);
    await person.page.locator(ready).first().waitFor();
}

for (const lang of ['zh-CN', 'en']) {
    const [, phone] = residents[lang];

    test(`a record opened in an emergency, and its review, in ${lang}`, { skip: noBrowser }, async () => {
        const doctor = await large('town2', lang);
        await go(doctor, '/find', '[data-find]');
        await doctor.page.locator('[data-find]').fill(phone);
        await doctor.page.locator('[data-glass]').first().click();
        await doctor.page.locator('[data-glass-form]').waitFor();
        await fits(doctor, 'glass-form', lang);
        await doctor.page.locator('[data-glass-form] .ant-input').fill('车祸昏迷，查过敏史和近期用药');
        await doctor.page.locator('[data-glass-send]').click();
        await doctor.page.locator('[data-glass-banner]').waitFor();
        await doctor.page.locator('[data-glass-banner] button').click();
        await fits(doctor, 'glass-banner', lang);
        const office = await large('consortium1', lang);
        await go(office, '/glass', '[data-opening]');
        await fits(office, 'glass-list', lang);
        await office.page.locator('[data-opening]').first().click();
        await office.page.locator('[data-review]').waitFor();
        await fits(office, 'glass-review', lang);
        for (const p of [doctor, office]) await p.page.context().close();
    });

    test(`audit and system in ${lang}`, { skip: noBrowser }, async () => {
        const audit = await large('audit1', lang);
        await go(audit, '/audit', '[data-who]');
        await audit.page.locator('[data-who]').fill(`Patient/${residents[lang][2]}`);
        await audit.page.keyboard.press('Enter');
        await audit.page.locator('[data-record]').first().waitFor();
        await fits(audit, 'audit', lang);
        await go(audit, '/system', '[data-disk-free]');
        await fits(audit, 'system', lang);
        await audit.page.context().close();
    });

    test(`accounts in ${lang}`, { skip: noBrowser }, async () => {
        const security = await large('security1', lang);
        await go(security, '/accounts', '[data-account]');
        await fits(security, 'accounts', lang);
        await security.page.locator('[data-account=town1]').click();
        await security.page.locator('.panel [data-do]').first().waitFor();
        await fits(security, 'account', lang);
        await security.page.context().close();
    });

    test(`a new account, a purge and a table in ${lang}`, { skip: noBrowser }, async () => {
        const system = await large('system1', lang);
        const { page } = system;
        await go(system, '/accounts', '[data-account]');
        await page.keyboard.press('F3');
        await page.locator('[data-account-form]').waitFor();
        await fits(system, 'new-account', lang);
        await go(system, '/purges', '[data-new-purge]');
        await page.keyboard.press('F3');
        await page.locator('[data-purge-form] textarea').first().fill(`Patient/${residents[lang][2]}`);
        await page.locator('[data-look]').click();
        await page.locator('[data-masked]').first().waitFor();
        await fits(system, 'purge-form', lang);
        await page.locator('[data-purge-form] textarea').nth(1).fill('本人书面申请删除，已核对身份证件');
        await page.locator('[data-purge-form] input[autocomplete=current-password]').fill(county.account('system1').password);
        await page.keyboard.press('F8');
        await page.locator('[data-purge]').first().waitFor();
        await fits(system, 'purges', lang);
        await page.locator('[data-purge]').first().click();
        await page.locator('[data-panel-state]').waitFor();
        await fits(system, 'purge', lang);
        await go(system, '/imports', '[data-send-table]');
        const buffer = Buffer.from('机构名称,机构编码,上级机构\r\n北乡中心卫生院第一分院,N10,\r\n');
        await page.locator('[data-table-file]').setInputFiles({ name: '二〇二六年机构名册.csv', mimeType: 'text/csv', buffer });
        await page.locator('[data-import-panel=uploaded]').waitFor();
        await fits(system, 'table', lang);
        await page.keyboard.press('Escape');
        await page.locator('[data-import]').first().waitFor();
        await fits(system, 'tables', lang);
        assert.deepEqual(system.faults, []);
        await page.context().close();
    });
}
