// Every screen of every role in both languages, with normal and with large letters, at 1366 × 768: no word is cut, nothing lies on
// anything else, and neither the page nor a panel has to be pushed sideways. ./dev test --long looks at 1024 × 768 too, and
// walks the cases with all their forms.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { County, noBrowser, openBrowser } from '../support/browser.mjs';
import { layoutFaults } from '../support/layout.mjs';

const CLINICAL = ['/', '/find', '/register', '/mine', '/figures'];
const PEOPLE = {
    tech1: CLINICAL, reader1: CLINICAL, village1: CLINICAL, town1: CLINICAL, office1: CLINICAL, consortium1: [...CLINICAL, '/glass'],
    audit1: ['/', '/accounts', '/purges', '/system', '/audit', '/glass'], security1: ['/accounts', '/purges', '/system', '/glass'],
    system1: ['/accounts', '/imports', '/purges', '/system'],
};
const LONG = Boolean(process.env.MENKOU_LONG);
const SIZES = LONG ? [[1366, 768], [1024, 768]] : [[1366, 768]];

let county, browser, patient;
before(async () => {
    if (noBrowser) return;
    county = await County.start();
    browser = await openBrowser();
    const home = await county.login(browser, 'town1');
    patient = (await home.ask('/fhir/Task?code=referral-up&_count=1')).body.entry[0].resource.for.reference;
    for (let n = 0; n < 12; n++) await home.ask(`/fhir/${patient}`);
    await home.page.context().close();
});
after(async () => {
    await browser?.close();
    await county?.stop();
});

/** Everything asked for is there and drawn. */
async function settled(page) {
    await page.waitForFunction(() => document.querySelector('.shell-main, .login') && !document.querySelector('.waiting, .ant-spin-spinning'));
    await page.evaluate(() => document.fonts.ready.then(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))));
}

/** Faults of the screen as it stands in both languages, letters and sizes; it is left as it was found. */
async function looked(person, name) {
    const { page } = person, found = [];
    for (const lang of ['zh', 'en']) {
        for (const letters of ['normal', 'large']) {
            for (const [width, height] of SIZES) {
                await page.setViewportSize({ width, height });
                await settled(page);
                const at = `${name} ${lang} ${letters} ${width}`;
                if (process.env.MENKOU_IMAGES) await person.picture(`screen-${at.replace(/\W+/g, '-')}`);
                found.push(...(await layoutFaults(page)).map((fault) => `${at}: ${fault}`));
            }
            await page.locator('[data-large]').click();
        }
        await page.locator('[data-language]').click();
    }
    return found;
}

for (const [who, paths] of Object.entries(PEOPLE)) {
    test(`the screens of ${who}`, { skip: noBrowser }, async () => {
        const person = await county.login(browser, who), found = [];
        const lists = await person.page.locator('[data-list]').evaluateAll((links) => links.map((a) => a.getAttribute('href').slice(1)));
        for (const path of [...paths, ...lists]) {
            await person.page.goto(`${county.url}/#${path}`);
            if (path === '/audit') {
                await person.page.locator('[data-who]').fill(patient);
                await person.page.keyboard.press('Enter');
                await person.page.locator('[data-record]').first().waitFor();
            }
            found.push(...await looked(person, `${who} ${path}`));
        }
        assert.deepEqual(found, []);
        assert.deepEqual(person.faults, []);
        await person.page.context().close();
    });
}

const CASES = [
    ['tech1', 'remote-ecg', 'ordered,acquired'], ['reader1', 'remote-ecg', 'acquired,claimed,reported'], ['town1', 'referral-up', 'draft,submitted,accepted,in-care,discharged'],
    ['office1', 'referral-up', 'submitted'], ['village1', 'follow-up', 'due'], ['town1', 'referral-down', 'proposed,accepted,received'],
    ['town1', 'critical-value', 'notified,acknowledged,acted,closed'],
];
for (const [who, code, states] of CASES) {
    test(`a chart and a case of ${code}, its forms and papers, as ${who} sees them`, { skip: noBrowser || (!LONG && 'SKIPPED: every form of every case (./dev test --long)') }, async () => {
        const person = await county.login(browser, who), found = [];
        for (const state of states.split(',')) {
            const task = (await person.ask(`/fhir/Task?code=${code}&business-status=${state}&_count=1&_sort=-authored-on`)).body.entry?.[0]?.resource;
            if (!task) continue;
            await person.chart(task.for.reference.split('/')[1], task.id);
            found.push(...await looked(person, `${who} ${code} ${state}`));
            const actions = await person.page.locator('[data-action]').evaluateAll((list) => [...new Set(list.map((b) => b.dataset.action))]);
            for (const action of actions) {
                await person.page.reload();
                await settled(person.page);
                const button = person.page.locator(`[data-action="${action}"]`).first();
                if (!(await button.count())) continue;
                await button.click();
                found.push(...await looked(person, `${who} ${code} ${state} ${action}`));
            }
        }
        assert.deepEqual(found, []);
        assert.deepEqual(person.faults, []);
        await person.page.context().close();
    });
}
