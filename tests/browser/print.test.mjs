// Every paper of the five pathways on A4: the essential words, embedded fonts, signature fields, nothing cut off.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { County, noBrowser, openBrowser } from '../support/browser.mjs';

// Read by a consortium's eyes: each paper of the newest case that has it, whoever made it.
const PAPERS = [
    { who: 'tech1', code: 'remote-ecg', print: 'report', states: ['reported'], words: ['心电图报告单', '心电图所见', '诊断结论', '报告医师', '审核医师', '25 mm/s'] },
    { who: 'town1', code: 'referral-up', print: 'letter', states: ['discharged', 'closed', 'accepted', 'in-care'], words: ['双向转诊（转出）单', '转入单位', '初步印象', '转诊医生', '盖章', '患者或家属'] },
    { who: 'town1', code: 'referral-up', print: 'discharge', states: ['discharged', 'closed'], words: ['出院小结', '出院诊断', '诊疗经过', '出院医嘱', '医师', '日期'] },
    { who: 'town1', code: 'referral-down', print: 'slip', states: ['proposed', 'accepted', 'received', 'followed-up'], words: ['双向转诊（回转）单', '转回单位', '首次随访', '转诊医生'] },
    { who: 'town1', code: 'critical-value', print: 'register', states: ['acted', 'closed'], words: ['危急值登记表', '危急所见', '复读内容', '处置措施', '接收人'],
        hands: 2 },
    { who: 'town1', code: 'follow-up', print: 'record', states: ['done'], words: ['随访记录', '血压', 'mmHg', '下次随访', '随访医生'],
        hands: 1 },
];
const HAND = /[\p{Script=Han}]{2,4} \d{4}-\d\d-\d\d \d\d:\d\d|\d{4}-\d\d-\d\d \d\d:\d\d 随访医生 [\p{Script=Han}]{2,4}/gu;
const A4 = /Page size:\s+59[45]\.\d+ x 84[12]\.\d+ pts/;

let county, browser;
const people = new Map();
before(async () => {
    if (noBrowser) return;
    county = await County.start({ people: 200 });
    browser = await openBrowser();
    for (const { who } of PAPERS) if (!people.has(who)) people.set(who, await county.login(browser, who));
});
after(async () => {
    await browser?.close();
    await county?.stop();
});

/** Where the words stand on the page, in points: nothing may lie outside of the margins. */
function boxes(file) {
    const html = execFileSync('pdftotext', ['-bbox', file, '-'], { encoding: 'utf8' });
    return [...html.matchAll(/<word xMin="([\d.]+)" yMin="([\d.]+)" xMax="([\d.]+)" yMax="([\d.]+)">/g)].map((m) => m.slice(1).map(Number));
}

for (const { who, code, print, states, words, hands = 0 } of PAPERS) {
    test(`${code}: ${print}`, { skip: noBrowser }, async () => {
        const person = people.get(who);
        const found = await person.ask(`/fhir/Task?code=${code}&business-status=${states.join(',')}&_sort=-authored-on&_count=1`);
        const task = found.body.entry?.[0]?.resource;
        assert.ok(task, `${who} sees no ${code} in ${states}`);
        const { file, text } = await person.pdf(`/print/Task/${task.id}/${print}`, print);
        const flat = text.replace(/\s+/g, ' ');
        for (const word of [...words, task.for.display]) assert.ok(flat.includes(word), `${print} has no ${word}:\n${text}`);
        assert.ok([...flat.matchAll(HAND)].length >= hands, `${print} does not say who and when:\n${text}`);
        assert.doesNotMatch(text, /\{\{|undefined|null|\[object/);
        const info = execFileSync('pdfinfo', [file], { encoding: 'utf8' });
        assert.match(info, A4);
        assert.match(info, /Pages:\s+1\n/);
        const margin = 28; // 10 mm
        for (const [left, top, right, bottom] of boxes(file)) {
            assert.ok(left >= margin && right <= 595.3 - margin && top >= margin && bottom <= 841.9 - margin, `${print}: ${[left, top, right, bottom]}`);
        }
        if (process.env.MENKOU_IMAGES) execFileSync('pdftoppm', ['-r', '60', '-png', '-singlefile', file, `${process.env.MENKOU_IMAGES}/print-${print}`]);
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
    for (const p of people.values()) assert.deepEqual(p.faults, [], p.username);
});
