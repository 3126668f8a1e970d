// The page of figures: what the cards say is what the server counted, the chosen one is drawn beside its table, its
// cases open, what is not known is said so, an administrator is not offered it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { walk } from '../support/walk.mjs';

let county, office;

const { login, step } = walk({ people: 200 }, async (w) => {
    ({ county } = w);
    office = await w.login('consortium1');
});

/** The reports of November as the server gives them to this person. */
async function counted() {
    const { body } = await office.ask('/fhir/MeasureReport/$figures?period-start=2026-11-01&period-end=2026-11-30&rows=0');
    return body.entry.map((e) => e.resource).map((r) => ({
        key: r.measure.replace('urn:menkou:measure:', '').split('|')[0].replace(':', '/'), title: r.group[0].code.text,
        kind: r.extension.find((e) => e.url === 'urn:menkou:kind').valueCode, value: r.group[0].measureScore.value, group: r.group[0],
    }));
}

step('every indicator has its card, grouped by package; the numbers are the server\'s', async () => {
    const { page } = office;
    await page.locator('a.nav-item[href="#/figures"]').click();
    await page.locator('[data-figure]').first().waitFor();
    const all = await counted();
    assert.equal(await page.locator('[data-figure]').count(), all.length);
    for (const f of all) {
        const text = await page.locator(`[data-figure="${f.key}"]`).innerText();
        assert.ok(text.includes(f.title), text);
        if (f.kind === 'count' && f.value !== undefined) assert.ok(text.split('\n').includes(String(f.value)), `${f.key}: ${text}`);
        if (f.kind === 'share' && f.value !== undefined) assert.ok(text.includes(`${(f.value * 100).toFixed(1)}%`), `${f.key}: ${text}`);
    }
    assert.match(await page.locator('[data-fresh]').innerText(), /2026-11-22/);
});

step('the chosen figure is drawn, with a table beside each drawing, and opens its cases', async () => {
    const { page } = office;
    const chosen = (await counted()).find((f) => f.group.stratifier?.some((s) => s.code[0].coding[0].code === 'path'));
    await page.locator(`[data-figure="${chosen.key}"]`).focus();
    await page.keyboard.press('Enter');
    const detail = page.locator(`[data-detail="${chosen.key}"]`);
    await detail.locator('.chart svg').first().waitFor();
    const parts = await detail.locator('.figure-side').count();
    assert.ok(parts >= 3, `${parts} drawings`);
    assert.equal(await detail.locator('.figure-side .figure-table table').count(), parts);
    await detail.locator('[data-open-rows]').click();
    await page.locator('.figures-rows tr[data-task]').first().waitFor();
    assert.equal(await page.locator('.figures-rows tr[data-task]').count(), Math.min(chosen.value, 50));
    await page.locator('.figures-rows tr[data-task]').first().click();
    await page.locator('.case-bar').waitFor();
    await page.goBack();
    await page.locator('.figures-rows').waitFor();
});

step('a period of which nothing is known says so; one institution; the print has every number', async () => {
    const { page } = office;
    await page.goto(`${county.url}/#/figures?from=1990-01-01&to=1990-01-31`);
    await page.waitForFunction(() => document.querySelectorAll('.figure-number').length > 0
        && [...document.querySelectorAll('.figure-number')].every((n) => n.textContent === '—  无数据'));
    await page.goto(`${county.url}/#/figures?from=2026-11-01&to=2026-11-30&org=Organization/township-1`);
    await page.waitForFunction(() => [...document.querySelectorAll('.figure-number')].some((n) => /^\d/.test(n.textContent)));
    const file = join(county.dir, 'figures.pdf');
    writeFileSync(file, await page.pdf({ format: 'A4' }));
    const text = execFileSync('pdftotext', ['-raw', file, '-'], { encoding: 'utf8' });
    for (const f of await counted()) assert.ok(text.replace(/\s/g, '').includes(f.title.replace(/\s/g, '')), f.title);
});

step('in English nothing Chinese but names; an administrator has no entry; no script failed', async () => {
    const { page } = office;
    await page.locator('[data-language]').click();
    await page.locator('.figures h2', { hasText: 'Figures' }).waitFor();
    await page.waitForFunction(() => ![...document.querySelectorAll('.figure-title, .figure-basis, .figure-change, .figures-groups h3, .figure-part h4')]
        .some((e) => /[\u4e00-\u9fff]/.test(e.textContent)));
    const administrator = await login('security1');
    assert.equal(await administrator.page.locator('a[href="#/figures"]').count(), 0);
    assert.deepEqual([...office.faults, ...administrator.faults], []);
});
