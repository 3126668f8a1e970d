// A reading that does not go straight: returned for its quality, put back, abandoned, cancelled, amended; and files that are no recording.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RECORDING } from '../support/browser.mjs';
import { walk } from '../support/walk.mjs';
import { zip } from '../support/zip.mjs';

const PATHWAY = '远程心电诊断';
let county, tech, reader, other, files;

const { step } = walk({}, async (w) => {
    ({ county } = w);
    files = join(county.dir, 'walk');
    mkdirSync(files);
    tech = await w.login('tech1');
    reader = await w.login('reader1');
    other = await w.login('reader3');
});

/** A resident of the township with a recording asked for: the case. */
async function asked(name, phone) {
    const patient = await tech.register(name, phone);
    await tech.chart(patient);
    await tech.begin(PATHWAY);
    await tech.fill('reason', '胸闷三天');
    await tech.choose('urgency', '普通');
    await tech.choose('consent', '口头同意');
    await tech.send();
    await tech.page.locator('[data-action=acquire]').waitFor();
    return { patient, name, task: (await tech.cases(patient))[0].id };
}

async function record(of, file = RECORDING) {
    await tech.chart(of.patient, of.task);
    await tech.act('acquire');
    await tech.field('recording').locator('input[type=file]').setInputFiles(file);
    await tech.page.locator('.panel .files-row .save-county').first().waitFor();
    await tech.send();
}

async function claim(person, of) {
    await person.list('to-read');
    await person.row(of.name).click();
    await person.tap('claim');
    await person.page.locator('[data-action=report]').waitFor();
}

async function report(finding, conclusion, measured = async () => {}) {
    await reader.act('report');
    await measured();
    await reader.fill('finding', finding);
    await reader.fill('conclusion', conclusion);
    await reader.choose('critical', '否');
    await reader.send();
    await reader.page.locator('.case-bar', { hasText: '已报告' }).waitFor();
}

step('a recording returned for its quality says why, is taken again and read', async () => {
    const of = await asked('退回甲', '12000000101');
    await tech.list('to-record');
    await tech.row(of.name).waitFor();
    await record(of);
    await tech.list('to-record');
    await claim(reader, of);
    await reader.act('reject');
    await reader.fill('reason', '基线漂移，V4 电极脱落');
    await reader.send();
    const row = tech.row(of.name); // live, nothing reloaded
    await row.locator('.state', { hasText: '图形退回' }).waitFor();
    await row.click();
    await tech.page.locator('.case-last', { hasText: '基线漂移，V4 电极脱落' }).waitFor();
    await tech.picture('ecg-returned');
    await record(of);
    await claim(reader, of);
    await report('窦性心律', '正常心电图');
    await tech.page.locator('.case-bar', { hasText: '已报告' }).waitFor();
});

step('a reader puts a reading back and another takes it', async () => {
    const of = await asked('放回乙', '12000000102');
    await record(of);
    await claim(reader, of);
    await reader.tap('release');
    await reader.page.locator('[data-action=claim]').waitFor();
    await claim(other, of);
    await reader.page.locator('.case-bar', { hasText: county.account('reader3').name }).waitFor();
    assert.equal(await reader.page.locator('[data-action=claim], [data-action=report]').count(), 0);
});

step('a request is cancelled with its reason', async () => {
    const of = await asked('取消丙', '12000000103');
    await tech.act('cancel');
    await tech.page.locator('[data-submit]').click();
    await tech.page.locator('.panel .q-wrong').waitFor();
    await tech.fill('reason', '患者已自行离开');
    await tech.send();
    await tech.page.locator('.case-bar', { hasText: '已取消' }).waitFor();
    await tech.page.locator('.case-last', { hasText: '患者已自行离开' }).waitFor();
    assert.equal(await tech.page.locator('[data-action]').count(), 0);
    await tech.picture('ecg-cancelled');
});

step('an amended report shows both versions, and the paper says so', async () => {
    const of = await asked('修改丁', '12000000104');
    await record(of);
    await claim(reader, of);
    await report('窦性心律', '正常心电图', async () => { // while the texts are empty: coloured, and the QTc proposed
        await reader.fill('heart-rate', 75);
        await reader.fill('qt-interval', 520);
        await reader.page.locator('.q-green[data-link=heart-rate]').waitFor();
        await reader.page.locator('.q-red[data-link=qtc]').waitFor();
        assert.equal(await reader.field('qtc').locator('input').inputValue(), '581');
    });
    await reader.act('amend');
    assert.equal(await reader.field('heart-rate').locator('input').inputValue(), '75');
    assert.equal(await reader.field('conclusion').locator('textarea').inputValue(), '正常心电图');
    await reader.fill('conclusion', '房性早搏');
    await reader.fill('reason', '复核时发现早搏');
    await reader.send();
    for (const who of [reader, tech]) {
        await who.chart(of.patient, of.task);
        await who.page.locator('.case-tabs .ant-tabs-tab', { hasText: '文书' }).click();
        await who.page.locator('.paper-report', { hasText: '已修订' }).locator('.paper-conclusion', { hasText: '房性早搏' }).waitFor();
        await who.page.locator('.paper', { hasText: '正常心电图' }).waitFor();
        await who.page.locator('.paper', { hasText: '复核时发现早搏' }).first().waitFor();
    }
    await tech.picture('ecg-amended');
    const { text } = await tech.pdf(`/print/Task/${of.task}/report`, 'amended');
    assert.match(text, /修改后的版本/);
    assert.match(text, /房性早搏/);
    assert.match(text, /心率：\s*75 次\/分[^\n]*QTc（Bazett）：\s*581 ms/);
});

/** A WFDB record of `leads` signals, two seconds at 500 Hz: header and samples of format 16. */
function wfdb(name, leads = ['I', 'II', 'V1']) {
    const rows = Array.from({ length: 1000 }, (_, n) => leads.map((_, k) => Math.round(400 * Math.sin((n / 500) * 6.283 + k))));
    const body = Buffer.alloc(rows.length * leads.length * 2);
    rows.flat().forEach((v, n) => body.writeInt16LE(v, n * 2));
    const sum = (k) => rows.reduce((s, row) => (s + row[k]) << 16 >> 16, 0);
    const signals = leads.map((lead, k) => `${name}.dat 16 1000/mV 16 0 ${rows[0][k]} ${sum(k)} 0 ${lead}`);
    return [[`${name}.hea`, Buffer.from(`${name} ${leads.length} 500 1000\n${signals.join('\n')}\n`)], [`${name}.dat`, body]];
}

const put = (name, bytes) => {
    writeFileSync(join(files, name), bytes);
    return join(files, name);
};
const drawn = () => tech.page.locator('canvas').first().waitFor();
const wrong = (text) => tech.page.locator('.media-failed, .panel .save-refused, .panel .q-error', { hasText: text }).first().waitFor();

async function choose(...paths) {
    const remove = tech.field('recording').locator('.files-row button[aria-label="删除"]');
    while (await remove.count()) await remove.first().click();
    await tech.field('recording').locator('input[type=file]').setInputFiles(paths);
}

step('files that are no recording are refused in words; records of several files and in a ZIP are drawn', async () => {
    const of = await asked('附件戊', '12000000105');
    await tech.act('acquire');
    await choose(put('notes.scp', '今天的会诊记录\n'));
    await wrong(/SCP|无法识别|不是/);
    await tech.picture('ecg-text-as-scp');
    const broken = readFileSync(RECORDING);
    broken.writeUInt32LE(broken.length + 4096, 2);
    await choose(put('broken.scp', broken));
    await wrong('长度');
    await tech.picture('ecg-damaged');

    const record = wfdb('walk');
    await choose(put(...record[0]));
    await wrong('walk.dat');
    await tech.picture('ecg-missing-dat');
    await tech.page.locator('[data-submit]').click();
    await tech.page.locator('.panel .save-refused').waitFor();
    await tech.picture('ecg-missing-sent');
    await choose(...record.map(([name, bytes]) => put(name, bytes)));
    await drawn();
    await tech.picture('ecg-wfdb');
    await choose(put('walk.zip', zip(record)));
    await drawn();

    const large = put('large.dat', '');
    truncateSync(large, 65 * 1024 * 1024);
    const sent = [];
    tech.page.on('request', (r) => sent.push(r.url()));
    await choose(large);
    await wrong('64');
    assert.deepEqual(sent.filter((u) => u.endsWith('/Binary')), []);
    await tech.picture('ecg-too-large');
});

step('a reader who is away too long loses the claim and keeps what was typed', async () => {
    const of = await asked('超时己', '12000000106');
    await record(of);
    await claim(reader, of);
    await reader.act('report');
    await reader.fill('finding', '写到一半的所见');
    await reader.page.locator('.panel .save-local').waitFor();
    await county.halt();
    await county.resume('2026-11-22T08:20:00+08:00');
    await reader.page.locator('[data-live=live]').waitFor();
    await reader.page.locator('.centre .ant-alert', { hasText: '已填写的内容仍然保留' }).waitFor();
    await reader.picture('ecg-lease');
    await reader.tap('claim');
    await reader.act('report');
    await reader.page.locator('.panel', { hasText: '已恢复' }).waitFor();
    assert.equal(await reader.field('finding').locator('textarea').inputValue(), '写到一半的所见');
    await reader.fill('conclusion', '正常心电图');
    await reader.choose('critical', '否');
    await reader.send();
});

step('no screen threw an error', () => {
    for (const p of [tech, reader, other]) assert.deepEqual(p.faults, [], p.username);
});
