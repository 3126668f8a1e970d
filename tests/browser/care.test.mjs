// Follow-ups that are refused, lost, missed; and a critical value that is telephoned, escalates, is read back, acted on and closed.
import assert from 'node:assert/strict';
import { sendRecording, walk } from '../support/walk.mjs';

let county, village, tech, town, reader;
const { login, step } = walk({}, async (w) => {
    ({ county } = w);
    village = await w.login('village1');
    tech = await w.login('tech1');
    reader = await w.login('reader1');
});
const state = (person, text) => person.page.locator('.case-bar .state', { hasText: text }).waitFor();

async function planned(name, phone, date) {
    const patient = await village.register(name, phone);
    await village.chart(patient);
    await village.begin('随访');
    await village.fill('date', date);
    await village.page.keyboard.press('Enter');
    await village.fill('plan', '高血压随访');
    await village.send();
    await state(village, '待随访');
    return { patient, name, task: (await village.cases(patient))[0].id };
}

step('one screen for a visit: red and green by the thresholds, and the next one stands due', async () => {
    const of = await planned('随访甲', '12000000301', '2026-11-22');
    await village.act('do');
    await village.fill('systolic', 138);
    await village.fill('diastolic', 96);
    await village.page.locator('[data-link=systolic].q-green').waitFor();
    await village.page.locator('[data-link=diastolic].q-red').waitFor();
    await village.picture('care-colours');
    const next = village.page.locator('[data-link=next-date] input');
    await next.and(village.page.locator('[value="2026-12-06"]')).waitFor();
    await village.fill('next-date', '2026-12-08');
    await village.page.keyboard.press('Enter');
    await village.fill('diastolic', 80);
    await village.page.locator('[data-link=diastolic].q-green').waitFor();
    assert.equal(await next.inputValue(), '2026-12-08', 'what the doctor wrote stays');
    await village.fill('diastolic', 96);
    await village.fill('pulse', 72);
    await village.send();
    await state(village, '已随访');
    const cases = await village.cases(of.patient);
    assert.deepEqual(cases.map((c) => c.state).sort(), ['done', 'due']);
    await village.page.locator('.case-tabs .ant-tabs-tab', { hasText: '时间轴' }).click();
    await village.page.locator(`[data-case="${cases.find((c) => c.state === 'due').id}"]`).waitFor();
    await village.picture('care-next');
});

step('a visit refused, and one lost, each with its reason', async () => {
    for (const [name, phone, act, words, text] of [
        ['拒访乙', '12000000302', 'refuse', '本人拒绝测量', '拒访'], ['失访丙', '12000000303', 'lose', '外出务工', '失访']]) {
        await planned(name, phone, '2026-11-22');
        await village.act(act);
        await village.fill('reason', words);
        await village.send();
        await state(village, text);
        await village.page.locator('.case-last', { hasText: words }).waitFor();
    }
});

async function critical(name, phone) {
    const patient = await tech.register(name, phone);
    await sendRecording(tech, patient, { reason: '胸痛 1 小时', urgency: '立即' });
    await tech.page.context().close(); // no screen of the township is open: nothing takes the receipt by itself
    await reader.list('to-read');
    await reader.row(name).click();
    await reader.tap('claim');
    await reader.act('report');
    await reader.fill('finding', 'II、III、aVF 导联 ST 段抬高');
    await reader.fill('conclusion', '急性下壁心肌梗死，请立即处理');
    await reader.choose('critical', '是');
    await reader.choose('critical-finding', '急性心肌损伤');
    await reader.send();
    const found = (await reader.cases(patient)).find((c) => c.code === 'critical-value');
    return { patient, name, task: found.id };
}

step('a value is telephoned: person, number and minute are needed', async () => {
    const of = await critical('电话丁', '12000000304');
    await reader.list('raised-here');
    await reader.row(of.name).click();
    await reader.act('notify');
    await reader.page.locator('[data-submit]').click();
    await reader.page.locator('.panel .q-error', { hasText: '接听人' }).waitFor();
    await reader.fill('person', '李杰');
    await reader.fill('telephone', '0812-6500001');
    await reader.picture('care-telephone');
    await reader.send();
    await state(reader, '已通知');
    county.telephoned = of;
});

step('nobody answers: it is escalated, and the duty function sees that it was', async () => {
    const at = `/fhir/Task/${county.telephoned.task}`;
    for (const now of ['08:14', '08:40']) { // each step begins when the one before has fired
        const was = (await reader.ask(at)).body.meta.versionId;
        await county.halt();
        await county.resume(`2026-11-22T${now}:00+08:00`);
        await reader.page.waitForFunction(async ([path, before]) => {
            const task = await (await fetch(path)).json();
            return task.meta.versionId !== before;
        }, [at, was], { polling: 200 });
    }
    town = await login('town1');
    const alert = town.page.locator('[data-alert]', { hasText: county.telephoned.name });
    await alert.waitFor();
    await town.picture('care-alert');
    await alert.locator('[data-alert-open]').click();
    await town.page.locator('.case-bar').waitFor();
    await town.page.locator('.case-tabs .ant-tabs-tab', { hasText: '经过' }).click();
    await town.page.locator('.steps li', { hasText: '升级至科主任' }).locator('text=系统').waitFor();
    await town.page.locator('.steps li', { hasText: '升级至总值班' }).waitFor();
    await town.picture('care-escalated');
});

step('read back, acted on, closed; the register holds the call', async () => {
    await town.act('acknowledge');
    await town.fill('readback', '急性心肌损伤/梗死');
    await town.send();
    await town.act('act');
    await town.fill('measure', '已启动绿色通道，转县医院');
    await town.send();
    await town.page.locator('[data-alert]', { hasText: county.telephoned.name }).waitFor({ state: 'detached' });
    await town.act('close');
    await town.fill('note', '患者已由 120 转运');
    await town.send();
    await state(town, '已关闭');
    const { text } = await town.pdf(`/print/Task/${county.telephoned.task}/register`, 'register');
    for (const words of ['李杰', '0812-6500001', '绿色通道', '急性心肌损伤', '120 转运']) assert.ok(text.includes(words), `${words}:\n${text}`);
});

/** After hours without a key the session is over. */
async function again() {
    await village.page.context().close();
    village = await login('village1');
}

step('a visit that nobody made is missed, and can still be made', async () => {
    await again();
    const of = await planned('逾期戊', '12000000305', '2026-11-22');
    await county.halt();
    await county.resume('2026-12-31T08:00:00+08:00');
    await again();
    await village.list('today');
    await village.row(of.name).locator('.state', { hasText: '逾期' }).waitFor();
    await village.row(of.name).click();
    await village.page.locator('[data-action=do]').waitFor();
    await village.picture('care-missed');
});

step('no screen threw an error', () => {
    for (const p of [village, town, reader]) assert.deepEqual(p.faults, [], p.username);
});
