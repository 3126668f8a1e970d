// Every paper of the five pathways on A4: the essential words, embedded fonts, signature fields, nothing cut off; in English
// every word of the page's own is English, and only what people wrote is as they wrote it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { County, noBrowser, openBrowser } from '../support/browser.mjs';

// Read by a consortium's eyes: each paper of the newest case that has it, whoever made it.
const PAPERS = [
    { who: 'tech1', code: 'remote-ecg', print: 'report', states: ['reported'], words: ['心电图报告单', '心电图所见', '诊断结论', '报告医师', '审核医师', '25 mm/s'],
        english: ['ECG report', 'ECG findings', 'Conclusion', 'Reported by', 'Reviewed by', 'Paper speed 25 mm/s'] },
    { who: 'town1', code: 'referral-up', print: 'letter', states: ['discharged', 'closed', 'accepted', 'in-care'], words: ['双向转诊（转出）单', '转入单位', '初步印象', '转诊医生', '盖章', '患者或家属'],
        english: ['Two-way referral: letter', 'Referred to', 'Impression', 'Urgency', 'Doctor\'s signature', 'seal', 'patient or family'] },
    { who: 'town1', code: 'referral-up', print: 'discharge', states: ['discharged', 'closed'], words: ['出院小结', '出院诊断', '诊疗经过', '出院医嘱', '医师', '日期'],
        english: ['Discharge summary', 'Discharge diagnosis', 'Course of treatment', 'Discharge orders', 'Doctor', 'Date'] },
    { who: 'town1', code: 'referral-down', print: 'slip', states: ['proposed', 'accepted', 'received', 'followed-up'], words: ['双向转诊（回转）单', '转回单位', '首次随访', '转诊医生'],
        english: ['return slip', 'Returned to', 'First follow-up', 'Doctor\'s signature'] },
    { who: 'town1', code: 'critical-value', print: 'register', states: ['acted', 'closed'], words: ['危急值登记表', '危急所见', '复读内容', '处置措施', '接收人'],
        english: ['Critical value register', 'Read back', 'Measures', 'Received by', 'Treating doctor'],
        hands: 2 },
    { who: 'town1', code: 'follow-up', print: 'record', states: ['done'], words: ['随访记录', '血压', 'mmHg', '下次随访', '随访医生'],
        english: ['Follow-up record', 'Blood pressure', 'mmHg', 'Next visit', 'Visited by'],
        hands: 1 },
];
const HAND = /[\p{Script=Han}]{2,4} \d{4}-\d\d-\d\d \d\d:\d\d|\d{4}-\d\d-\d\d \d\d:\d\d 随访医生 [\p{Script=Han}]{2,4}/gu;
const A4 = /Page size:\s+59[45]\.\d+ x 84[12]\.\d+ pts/;

let county, browser;
const people = new Map();
before(async () => {
    if (noBrowser) return;
    county = await County.start({ people: 400 });
    browser = await openBrowser();
    for (const { who } of PAPERS) if (!people.has(who)) people.set(who, await county.login(browser, who));
});
after(async () => {
    await browser?.close();
    await county?.stop();
});

/** The newest case that has the paper. */
async function caseOf(person, code, states) {
    const found = await person.ask(`/fhir/Task?code=${code}&business-status=${states.join(',')}&_sort=-authored-on&_count=1`);
    const task = found.body.entry?.[0]?.resource;
    assert.ok(task, `${person.username} sees no ${code} in ${states}`);
    return task;
}

/** The paper on one A4 page inside of its margins: its text on one line. */
async function paper(person, path, name) {
    const { file, text } = await person.pdf(path, name);
    assert.doesNotMatch(text, /\{\{|undefined|null|\[object/);
    const info = execFileSync('pdfinfo', [file], { encoding: 'utf8' });
    assert.match(info, A4);
    assert.match(info, /Pages:\s+1\n/);
    const margin = 28; // 10 mm
    for (const [left, top, right, bottom] of boxes(file)) {
        assert.ok(left >= margin && right <= 595.3 - margin && top >= margin && bottom <= 841.9 - margin, `${name}: ${[left, top, right, bottom]}`);
    }
    if (process.env.MENKOU_IMAGES) execFileSync('pdftoppm', ['-r', '60', '-png', '-singlefile', file, `${process.env.MENKOU_IMAGES}/print-${name}`]);
    return text.replace(/\s+/g, ' ');
}

/** The Chinese words of what was chosen in the forms of a case. */
async function choices(person, task) {
    const forms = (task.input ?? []).map((i) => i.valueReference?.reference).filter((r) => r?.startsWith('QuestionnaireResponse/'));
    const told = await Promise.all(forms.map((f) => person.ask(`/fhir/${f}`)));
    return told.flatMap((f) => [...JSON.stringify(f.body.item ?? []).matchAll(/"display":"(\p{Script=Han}[^"]*)"/gu)].map((m) => m[1]));
}

/** Where the words stand on the page, in points: nothing may lie outside of the margins. */
function boxes(file) {
    const html = execFileSync('pdftotext', ['-bbox', file, '-'], { encoding: 'utf8' });
    return [...html.matchAll(/<word xMin="([\d.]+)" yMin="([\d.]+)" xMax="([\d.]+)" yMax="([\d.]+)">/g)].map((m) => m.slice(1).map(Number));
}

for (const { who, code, print, states, words, english, hands = 0 } of PAPERS) {
    test(`${code}: ${print}`, { skip: noBrowser }, async () => {
        const person = people.get(who);
        const task = await caseOf(person, code, states);
        const text = await paper(person, `/print/Task/${task.id}/${print}`, print);
        for (const word of [...words, task.for.display]) assert.ok(text.includes(word), `${print} has no ${word}:\n${text}`);
        assert.match(text, /年龄： \d+(岁|个月|天) 出生日期： \d{4}-\d\d-\d\d/);
        assert.ok([...text.matchAll(HAND)].length >= hands, `${print} does not say who and when:\n${text}`);

        const said = await paper(person, `/print/Task/${task.id}/${print}?lang=en`, `${print}-en`);
        for (const word of [...english, task.for.display]) assert.ok(said.includes(word), `${print} has no ${word}:\n${said}`);
        assert.match(said, /Age: \d+ (years|months|days) Born: /);
        for (const chosen of await choices(person, task)) assert.ok(!said.includes(chosen), `${print} in English says ${chosen}:\n${said}`);
    });
}

test('a paper is seen in the workstation before it is printed', { skip: noBrowser }, async () => {
    const town = people.get('town1');
    const found = await town.ask('/fhir/Task?code=referral-up&business-status=discharged,closed&_count=1');
    const task = found.body.entry[0].resource;
    await town.chart(task.for.reference.split('/')[1], task.id);
    await town.page.locator('.case-actions button', { hasText: '出院小结' }).click();
    await town.page.frameLocator('.print-frame').locator('h1', { hasText: '出院小结' }).waitFor();
    await town.picture('print-view');
    await town.page.locator('[data-language]').click();
    await town.page.frameLocator('.print-frame').locator('h1', { hasText: 'Discharge summary' }).waitFor();
    const opened = town.page.context().waitForEvent('page');
    await town.page.locator('.print-bar a').click();
    const own = await opened;
    await own.locator('h1', { hasText: 'Discharge summary' }).waitFor();
    assert.equal(await own.locator('html').getAttribute('lang'), 'en');
    await own.close();
    await town.page.locator('.case-tabs [role=tab][aria-selected=true]', { hasText: 'Discharge summary' }).waitFor();
    await town.picture('print-view-en');
    await town.page.locator('[data-language]').click();
    for (const p of people.values()) assert.deepEqual(p.faults, [], p.username);
});
