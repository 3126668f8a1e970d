// Forms that need a second look: a birth date that is not the card's asks for its reason, and a half-filled form is taken
// up at another computer of the same person.
import assert from 'node:assert/strict';
import { walk } from '../support/walk.mjs';
import { idCard } from '../support/county.mjs';

const SHOTS = process.env.MENKOU_SHOTS;
const { login, step } = walk({ people: 200 });
const shot = (page, name) => SHOTS && page.screenshot({ path: `${SHOTS}/${name}.png` });

step('a birth date that is not the card’s: the server asks, the form offers the reason, the record keeps it', async () => {
    const doctor = await login('village1');
    const { page } = doctor;
    const field = (name) => page.locator(`[data-field=${name}]`);
    await page.keyboard.press('F3');
    await field('number').fill(idCard('139901', '19510203', 6));
    await page.waitForFunction(() => document.querySelector('[data-field=birth]').value === '1951-02-03');
    await field('name').fill('严改期');
    await field('birth').fill('1951-02-13');
    assert.equal(await field('differs').count(), 0, 'not asked before it matters');
    await page.keyboard.press('F8');
    await field('differs').waitFor();
    await shot(page, 'card-differs');
    await page.keyboard.press('F8');
    await page.getByText('请写明原因').waitFor();
    await field('differs').fill('以户口簿为准，证件待换');
    await page.keyboard.press('F8');
    await page.locator('[data-begin]').waitFor();
    const id = /patient\/([\w.-]+)/.exec(page.url())[1];
    const { body } = await doctor.ask(`/fhir/Patient/${id}`);
    assert.equal(body.birthDate, '1951-02-13');
    assert.deepEqual(body.identifier[0].extension, [{ url: 'urn:menkou:card-differs', valueString: '以户口簿为准，证件待换' }]);
    assert.deepEqual(doctor.faults, []);
});

step('begun at one computer, taken up at another; what was sent is gone from both', async () => {
    const one = await login('town1'), other = await login('town1');
    const patient = await one.register('两处填', '13900000123');
    await one.chart(patient);
    await one.begin('上转');
    await one.fill('diagnosis', '急性下壁心肌梗死');
    await one.page.locator('.save-draft').waitFor();
    await other.chart(patient);
    await other.begin('上转');
    await other.page.waitForFunction(() => document.querySelector('[data-link="diagnosis"] input, [data-link="diagnosis"] textarea')?.value === '急性下壁心肌梗死');
    await other.page.getByText('已恢复').waitFor();
    await shot(other.page, 'draft-taken-up');
    const saved = other.page.waitForResponse((r) => r.url().includes('/drafts/') && r.request().method() === 'PUT' && r.ok());
    await other.fill('diagnosis', '急性下壁心肌梗死，已溶栓');
    await saved;
    await one.page.reload();
    await one.chart(patient);
    await one.begin('上转');
    await one.page.waitForFunction(() => document.querySelector('[data-link="diagnosis"] input, [data-link="diagnosis"] textarea')?.value === '急性下壁心肌梗死，已溶栓');
    await one.page.getByText('重新填写').click();
    assert.equal(await one.field('diagnosis').locator('input, textarea').first().inputValue(), '');
    assert.deepEqual([...one.faults, ...other.faults], []);
});

step('a copy that is on its way when the form is sent never comes after it', async () => {
    const tech = await login('tech1');
    const { page } = tech;
    const patient = await tech.register('迟到的草稿', '13900000124');
    await tech.chart(patient);
    let open;
    const opened = new Promise((resolve) => { open = resolve; });
    const onWay = page.waitForRequest((r) => r.url().includes('/drafts/') && r.method() === 'PUT');
    await page.route('**/drafts/**', async (route) => {
        if (route.request().method() === 'PUT') await opened;
        await route.continue();
    });
    const sent = [];
    page.on('request', (r) => r.url().endsWith('/fhir/$start') && sent.push(r));
    await tech.begin('远程心电诊断');
    await tech.fill('reason', '心悸');
    await tech.choose('urgency', '普通');
    await tech.choose('consent', '口头同意');
    await onWay;
    await page.locator('[data-submit]').click();
    await page.locator('.panel .save', { hasText: '正在上传' }).waitFor();
    assert.equal(sent.length, 0, 'the form waits for its copy');
    open();
    await page.locator('[data-submit]').waitFor({ state: 'detached' });
    assert.equal(sent.length, 1);
    await tech.chart(patient);
    const none = page.waitForResponse((r) => r.url().includes('/drafts/') && r.request().method() === 'GET');
    await tech.begin('远程心电诊断');
    assert.equal((await none).status(), 404);
    assert.deepEqual(tech.faults, []);
});
