// One day of the county, eight steps, each by its own person, two browsers open at once: an ECG
// taken in a township is read at the county, the patient is referred up and comes back.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { County, RECORDING as OWN, noBrowser, openBrowser } from '../support/browser.mjs';
import { withCheckDigit } from '../support/server.mjs';

const NAME = '单雄信'; // 单 reads shan, dan and chan
const suite = process.env.MENKOU_SUITES && join(process.env.MENKOU_SUITES, '09-ecg/scp/Example.scp');
const RECORDING = suite && existsSync(suite) ? suite : OWN;

let county, here, there;
const people = {};
before(async () => {
    if (noBrowser) return;
    county = await County.start();
    [here, there] = await Promise.all([openBrowser(), openBrowser()]);
});
after(async () => {
    await Promise.all([here?.close(), there?.close()]);
    await county?.stop();
});
// Each step stands on the one before: after a failure the rest is cancelled, and every screen is kept as a picture.
let broken = null;
const step = (title, run) => test(title, { skip: noBrowser }, async () => {
    assert.equal(broken, null, 'an earlier step failed');
    try {
        await run();
    } catch (error) {
        broken = title;
        for (const p of Object.values(people).filter((x) => x?.page)) await p.picture(`failed-${p.username}`);
        throw error;
    }
});

step('1 the village doctor finds a resident by pinyin and registers a new one', async () => {
    const p = (people.village = await county.login(here, 'village1'));
    await p.page.keyboard.press('F3');
    await p.page.locator('[data-field=number]').fill(withCheckDigit('13990119580305123').replace(/.$/, (c) => (c === '1' ? '2' : '1')));
    await p.page.locator('[data-field=name]').fill(NAME);
    await p.page.locator('[data-save]').click();
    await p.page.locator('.q-wrong').first().waitFor(); // the check digit
    await p.page.locator('[data-field=number]').fill(withCheckDigit('13990119580305123'));
    await p.page.waitForFunction(() => document.querySelector('[data-field=birth]').value === '1958-03-05');
    await p.page.locator('[data-field=phone]').fill('12000000001');
    await p.page.locator('[data-save]').click();
    await p.page.locator('[data-begin]').waitFor();
    people.id = /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(p.page.url())[0];
    for (const text of ['sxx', 'dxx', 'shanxiong', '12000000001']) {
        await p.find(text, NAME);
        if (text === 'sxx') await p.picture('1-find');
        await p.page.keyboard.press('Enter');
        await p.page.waitForURL((url) => String(url).includes(people.id));
    }
});

step('2 the township technician sends a recording', async () => {
    people.reader = await county.login(there, 'reader1');
    await people.reader.list('to-read');
    people.town = await county.login(here, 'town1');
    const p = (people.tech = await county.login(here, 'tech1'));
    await p.open('sxx', NAME);
    await p.begin('远程心电诊断');
    await p.fill('reason', '胸痛 2 小时，伴大汗');
    await p.choose('urgency', '立即');
    await p.choose('consent', '书面同意');
    await p.send();
    await p.act('acquire');
    await p.field('recording').locator('input[type=file]').setInputFiles(RECORDING);
    await p.page.locator('canvas').first().waitFor();
    await p.picture('2-acquire');
    await p.send();
});

step('3 the county reader sees it without reloading, claims it, reads it, reports it', async () => {
    const p = people.reader;
    const row = p.row(NAME);
    await row.waitFor();
    await row.click();
    await p.tap('claim');
    await p.page.locator('[data-action=report]').waitFor();
    const other = await county.login(there, 'reader3');
    await other.list('to-read');
    await other.row(NAME).click();
    await other.page.locator('[data-case], .case-bar').first().waitFor();
    assert.equal(await other.page.locator('[data-action=report], [data-action=claim]').count(), 0);
    await other.page.context().close();
    await p.act('report');
    await p.fill('finding', 'II、III、aVF 导联 ST 段弓背向上抬高，I、aVL 导联对应性压低。');
    await p.fill('conclusion', '急性下壁心肌梗死，请立即处理');
    await p.choose('critical', '是');
    await p.choose('critical-finding', '急性心肌损伤');
    await p.page.locator('canvas').first().waitFor();
    await p.picture('3-reading');
    people.reported = Date.now();
    await p.send();
});

step('4 the critical value is on the township doctor\'s screen, read back and acted on', async () => {
    const p = people.town;
    const alert = p.page.locator('[data-alert]', { hasText: NAME });
    await alert.waitFor();
    people.alertMs = Date.now() - people.reported;
    await p.picture('4-critical');
    await alert.getByRole('button').first().click();
    await p.act('acknowledge');
    await p.fill('readback', '急性心肌损伤/梗死');
    await p.send();
    await p.act('act');
    await p.fill('measure', '绿色通道上转县医院，已给予阿司匹林 300mg');
    await p.send();
    console.log(`# alert shown ${people.alertMs} ms after the reader pressed send`);
});

step('5 the township doctor refers up into a real slot', async () => {
    const p = people.town;
    people.office = await county.login(there, 'office1');
    await people.office.list('inbox');
    await p.open('sxx', NAME);
    await p.begin('上转');
    await p.choose('reason', '急危重症');
    await p.fill('diagnosis', '急性下壁心肌梗死');
    await p.choose('urgency', '立即');
    await p.choose('department', '心内科');
    await p.field('slot').locator('.slot-time').first().click();
    assert.match(await p.field('letter').locator('textarea').inputValue(), new RegExp(NAME));
    await p.picture('5-refer');
    await p.send();
    await p.tap('submit');
});

step('6 the county accepts, the patient comes, is treated and discharged', async () => {
    const p = people.office;
    await p.row(NAME).waitFor();
    await p.picture('6-office');
    await p.row(NAME).click();
    await p.act('accept');
    await p.send();
    await p.tap('arrive');
    const d = (people.doctor = await county.login(there, 'doctor1'));
    await d.list('in-house');
    await d.row(NAME).click();
    await d.tap('admit');
    await d.act('discharge');
    await d.fill('course', '急诊冠脉造影，右冠植入支架 1 枚，术后平稳。');
    await d.fill('advice', '双联抗血小板治疗一年，控制血压；2 周内随访。');
    await d.picture('6-discharge');
    await d.send();
});

step('7 down again with a plan, and the first follow-up at the village doctor\'s', async () => {
    const d = people.doctor;
    await d.begin('下转');
    await d.fill('plan', '双联抗血小板治疗一年，控制血压；2 周内随访。');
    await d.fill('first-date', '2026-11-22');
    await d.page.keyboard.press('Enter');
    await d.send();
    const t = people.town;
    await t.list('inbox');
    await t.row(NAME).click();
    await t.tap('accept');
    await t.tap('receive');
    const v = people.village;
    await v.list('today');
    await v.row(NAME).waitFor();
    await v.row(NAME).click();
    await v.act('do');
    await v.fill('systolic', 162);
    await v.fill('diastolic', 84);
    await v.page.locator('[data-link=systolic].q-red').waitFor();
    await v.page.locator('[data-link=diastolic].q-green').waitFor();
    await v.fill('pulse', 72);
    await v.fill('weight', 66.5);
    await v.picture('7-followup');
    await v.send();
});

step('8 one timeline for the entitled, nothing for others; the papers print', async () => {
    const v = people.village;
    await v.page.reload(); // a fresh screen: the case just done may still stand in this one
    await v.page.locator('[data-live]').waitFor();
    await v.open('sxx', NAME);
    await v.page.locator('[data-case]').first().waitFor();
    await v.picture('8-timeline');
    const cases = await v.cases(people.id);
    const state = (code) => cases.filter((c) => c.code === code).map((c) => c.state).sort();
    assert.deepEqual(state('remote-ecg'), ['reported']);
    assert.deepEqual(state('critical-value'), ['acted']);
    assert.deepEqual(state('referral-up'), ['discharged']);
    assert.deepEqual(state('referral-down'), ['followed-up']);
    assert.ok(state('follow-up').includes('done'));
    const task = (code) => cases.find((c) => c.code === code).id;
    const { text: report } = await v.pdf(`/print/Task/${task('remote-ecg')}/report`, 'report');
    assert.match(report, /心电图报告单/);
    assert.match(report, /急性下壁心肌梗死/);
    assert.match((await v.pdf(`/print/Task/${task('referral-up')}/letter`, 'letter')).text, /双向转诊（转出）单/);
    assert.match((await v.pdf(`/print/Task/${task('referral-up')}/discharge`, 'discharge')).text, /出院小结/);

    const stranger = await county.login(there, 'town2');
    assert.deepEqual(await stranger.cases(people.id), []);
    await stranger.page.keyboard.press('F2');
    await Promise.all([stranger.page.waitForResponse((r) => r.url().includes('pinyin=sxx')), stranger.page.keyboard.type('sxx')]);
    assert.equal(await stranger.page.locator('.quick-list [role=option]', { hasText: NAME }).count(), 0);
});

step('no screen threw an error, and zh-CN shows no English and no tofu', async () => {
    for (const p of Object.values(people).filter((x) => x?.faults)) {
        assert.deepEqual(p.faults, [], p.username);
    }
    const words = await people.town.page.evaluate(() => document.body.innerText);
    const english = words.split('\n').filter((l) => /\b[A-Za-z]{4,}\b/.test(l) && !/Menkou|English|aVR|mmHg/.test(l));
    assert.deepEqual(english, []);
});
