// Recordings that are not twelve leads of ten seconds: two leads, fifteen leads, and a day that is paged through.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { walk } from '../support/walk.mjs';
import { aecg, dicom, holter, samplesOf, wfdb } from '../support/ecg.mjs';

const TWELVE = ['I', 'II', 'III', 'aVR', 'aVL', 'aVF', 'V1', 'V2', 'V3', 'V4', 'V5', 'V6'];
const NOT_FOR_DIAGNOSIS = '仅供参考，不作诊断依据';
let county, tech, files;

const w = walk({}, async () => {
    ({ county } = w);
    files = join(county.dir, 'walk');
    mkdirSync(files);
    tech = await w.login('tech1');
});
const { step } = w;
const put = ([name, bytes]) => {
    const path = join(files, name);
    writeFileSync(path, bytes);
    return path;
};

/** A resident with a recording asked for and made: the viewer is open. */
async function recorded(name, phone, made) {
    const patient = await tech.register(name, phone);
    await tech.chart(patient);
    await tech.begin('远程心电诊断');
    await tech.fill('reason', '心悸');
    await tech.choose('urgency', '普通');
    await tech.choose('consent', '口头同意');
    await tech.send();
    await tech.act('acquire');
    await tech.field('recording').locator('input[type=file]').setInputFiles(made.map(put));
    const { page } = tech;
    await page.waitForFunction((n) => document.querySelectorAll('.panel .files-row .save-county').length === n, made.length);
    await tech.send();
    await page.locator('.ecg .ecg-canvas canvas').waitFor();
    await page.locator('.ecg-banner', { hasText: NOT_FOR_DIAGNOSIS }).waitFor();
}

/** Dark pixels of the paper: that something is drawn. */
const ink = () => tech.page.locator('.ecg .ecg-canvas canvas').first().evaluate((canvas) => new Promise((resolve) => {
    requestAnimationFrame(() => requestAnimationFrame(() => {
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        let n = 0;
        for (let i = 0; i < data.length; i += 4) if (data[i] < 60 && data[i + 1] < 60 && data[i + 2] < 60) n++;
        resolve(n);
    }));
}));

step('two leads: a row for each, the missing ones by name, no layout to choose', async () => {
    await recorded('两导甲', '12000000201', wfdb('two', ['II', 'V5'], { rate: 250 }));
    const { page } = tech;
    await page.locator('.ecg-facts', { hasText: '缺失导联: I III aVR aVL aVF V1 V2 V3 V4 V6' }).waitFor();
    assert.equal(await page.locator('.ecg-tools', { hasText: '12×1' }).count(), 0);
    assert.ok(await ink() > 600);
    await tech.picture('ecg-two-leads');
});

step('the county answers for it: the mark goes from the sheet that is open, and comes back', async () => {
    const system = await w.login('system1');
    const { page } = system;
    const change = async (keys, state) => {
        await page.locator('[data-diagnosis-change]').click();
        for (const [selector, text] of keys) await page.locator(`[data-diagnosis-form] ${selector}`).fill(text);
        await page.locator('[data-diagnosis-form] input[autocomplete=current-password]').fill(county.account('system1').password);
        await page.keyboard.press('Enter');
        await page.locator(`[data-diagnosis-state=${state}]`).waitFor();
        await tech.page.evaluate(() => document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))); // as when the window comes to the front
    };
    await page.locator('[data-system-link]').click();
    await page.locator('[data-diagnosis-state=off]').waitFor();
    await change([['#person', '罗建国 主任医师'], ['textarea', '县卫健局批复〔2026〕12 号']], 'on');
    await page.locator('[data-diagnosis-when]', { hasText: 'system1' }).waitFor();
    await system.picture('diagnosis-on');
    await tech.page.locator('.ecg-banner').waitFor({ state: 'detached' });
    await change([['textarea', '设备检定到期']], 'off');
    await tech.page.locator('.ecg-banner', { hasText: NOT_FOR_DIAGNOSIS }).waitFor();
    assert.deepEqual(system.faults, []);
    await page.context().close();
});

step('fifteen leads: twelve in their layout, the others below, none missing', async () => {
    await recorded('十五乙', '12000000202', wfdb('frank', [...TWELVE, 'vx', 'vy', 'vz']));
    const { page } = tech;
    await page.locator('.ecg-facts', { hasText: '附加导联: vx vy vz' }).waitFor();
    assert.equal(await page.locator('.ecg-warn').count(), 0);
    for (const layout of ['12×1', '6×2', '3×4']) {
        await page.locator('.ecg-tools button', { hasText: layout }).click();
        assert.ok(await ink() > 600);
    }
    await tech.picture('ecg-fifteen-leads');
    await page.locator('.ecg .ecg-canvas canvas').first().focus();
    for (let i = 0; i < 3; i++) await page.keyboard.press('Shift+ArrowDown'); // down the page, to the rows below the grid
    assert.ok(await ink() > 600);
    await tech.picture('ecg-fifteen-leads-below');
});

step('aECG and DICOM files are drawn like any other', async () => {
    const samples = samplesOf(TWELVE, 500, 10);
    await recorded('两种丙', '12000000203', [['a.xml', aecg(TWELVE, samples, 500)]]);
    assert.ok(await ink() > 600);
    await recorded('两种丁', '12000000204', [['a.dcm', dicom(TWELVE.slice(0, 9), samples, 500)]]);
    await tech.page.locator('.ecg-facts', { hasText: '缺失导联: V4 V5 V6' }).waitFor();
    await tech.picture('ecg-nine-leads');
});

step('a day: an outline, pages by key and by click, only windows on the way', async () => {
    const day = holter();
    const { page } = tech;
    await recorded('动态戊', '12000000205', day.files);
    const asked = [];
    page.on('response', async (r) => {
        if (r.url().includes('$ecg')) asked.push({ url: r.url(), status: r.status(), n: (await r.body().catch(() => '')).length });
    });
    const strip = page.locator('.ecg-overview [role=slider]');
    await strip.waitFor();
    const now = async () => Number(await strip.getAttribute('aria-valuenow'));
    const settled = async (low, high) => {
        await page.waitForFunction(([a, b]) => {
            const at = Number(document.querySelector('.ecg-overview [role=slider]').getAttribute('aria-valuenow'));
            return at >= a && at <= b && !document.querySelector('.ecg-place strong');
        }, [low, high]);
        return ink();
    };
    // The paper is painted a moment after its numbers stand there; the runner's limit ends a wait in vain.
    const painted = async (low, high) => {
        for (let drawn = await settled(low, high); drawn <= 600;) drawn = await ink();
    };
    assert.equal(Number(await strip.getAttribute('aria-valuemax')), day.seconds);
    await painted(0, 0);
    await tech.picture('ecg-holter');
    await page.locator('.ecg .ecg-canvas canvas').first().focus();
    await page.keyboard.press('PageDown');
    await painted(10, 10);
    await page.keyboard.press('Shift+PageDown');
    await painted(70, 70);
    await page.keyboard.press('End');
    await painted(day.seconds - 10, day.seconds);
    await strip.focus();
    await page.keyboard.press('ArrowLeft');
    await painted(day.seconds - 20, day.seconds - 19);
    const box = await strip.boundingBox();
    const gapAt = (day.frames + day.gap / 2) / day.total;
    await page.mouse.click(box.x + box.width * gapAt, box.y + 20); // nothing was recorded here
    for (let drawn = await settled(day.frames / day.rate, (day.frames + day.gap) / day.rate); drawn > 600;) drawn = await ink();
    await page.mouse.click(box.x + box.width * 0.75, box.y + 20);
    await painted(day.seconds * 0.74, day.seconds * 0.76);
    assert.match(await page.locator('.ecg-place').innerText(), /^全程概览 MLII · 02:\d\d:\d\d \+1 · 18:/);
    await tech.picture('ecg-holter-later');
    assert.ok(asked.length > 4 && asked.every((a) => a.status === 200 && a.n < 400_000), JSON.stringify(asked.map((a) => [a.status, a.n])));
    assert.equal(await now() > 0, true);
    assert.deepEqual(tech.faults, []);
});
