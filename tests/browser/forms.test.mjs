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
