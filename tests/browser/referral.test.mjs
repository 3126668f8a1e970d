// A referral that does not go straight: draft, returned, rejected, redirected, cancelled, not come, a slot taken in between;
// what comes down is declined.
import assert from 'node:assert/strict';
import { walk } from '../support/walk.mjs';

let town, office, doctor;
const { login, step } = walk({}, async (w) => {
    town = await w.login('town1');
    office = await w.login('office1');
    doctor = await w.login('doctor1');
});

const state = (person, text) => person.page.locator('.case-bar .state', { hasText: text }).waitFor();

/** A resident with a referral written as a draft: the case. */
async function drafted(name, phone, { urgency = '普通', slot = 0 } = {}) {
    const patient = await town.register(name, phone);
    await town.chart(patient);
    await town.begin('上转');
    await town.choose('reason', '疑难病例');
    await town.fill('diagnosis', '反复晕厥待查');
    await town.choose('urgency', urgency);
    await town.choose('department', '心内科');
    const times = town.field('slot').locator('.slot-time');
    await times.nth(slot).click();
    await town.send();
    await state(town, '草稿');
    return { patient, name, task: (await town.cases(patient))[0].id };
}

async function submitted(...args) {
    const of = await drafted(...args);
    await town.tap('submit');
    await state(town, '待接收');
    return of;
}

async function atOffice(of, list = 'inbox') {
    await office.list(list);
    await office.row(of.name).click();
    await office.page.locator('.case-bar').waitFor();
}

step('a draft is seen by nobody else until it is submitted; returned, it is mended and submitted again', async () => {
    const of = await drafted('退回补', '12000000201');
    await office.list('inbox');
    assert.deepEqual(await office.cases(of.patient), []);
    await town.tap('submit');
    await office.row(of.name).waitFor(); // live
    await atOffice(of);
    await office.act('return');
    await office.fill('reason', '请补充近期心电图');
    await office.send();
    await state(town, '退回补充');
    await town.page.locator('.case-last', { hasText: '请补充近期心电图' }).waitFor();
    await town.picture('referral-returned');
    await town.tap('submit');
    await state(town, '待接收');
    await atOffice(of);
    await office.page.locator('[data-action=accept]').waitFor();
});

step('a referral is rejected with its reason', async () => {
    const of = await submitted('被拒绝', '12000000202', { slot: 1 });
    await atOffice(of);
    await office.act('reject');
    await office.fill('reason', '不符合上转指征，建议乡镇随访');
    await office.send();
    await state(town, '已拒绝');
    await town.page.locator('.case-last', { hasText: '不符合上转指征' }).waitFor();
    assert.equal(await town.page.locator('[data-action]').count(), 0);
});

step('a referral is redirected: the next case stands beside it in the timeline', async () => {
    const of = await submitted('改转人', '12000000203', { slot: 2 });
    await atOffice(of);
    await office.act('redirect');
    await office.choose('department', '心内科');
    await office.fill('reason', '需神经内科评估');
    await office.page.locator('[data-submit]').click();
    await office.page.locator('.panel .q-error', { hasText: '另一个科室' }).waitFor();
    await office.choose('department', '神经内科');
    await office.send();
    await state(town, '已改转');
    const cases = (await town.cases(of.patient)).filter((c) => c.code === 'referral-up');
    assert.equal(cases.length, 2);
    const next = cases.find((c) => c.id !== of.task);
    assert.equal(next.task.partOf[0].reference, `Task/${of.task}`);
    await town.chart(of.patient);
    await town.page.locator(`[data-case="${next.id}"]`).waitFor();
    await town.page.locator(`[data-case="${of.task}"]`).waitFor();
    await town.picture('referral-redirected');
    await town.page.locator(`[data-case="${next.id}"]`).click();
    await town.page.locator('.case-of', { hasText: '上转' }).waitFor();
    await town.picture('referral-next');
});

step('the sender cancels; the slot is free again', async () => {
    const of = await submitted('自取消', '12000000204', { slot: 3 });
    await town.act('cancel');
    await town.fill('reason', '家属要求转省级医院');
    await town.send();
    await state(town, '已取消');
    assert.equal((await town.ask(`/fhir/Slot?status=busy-tentative&_count=1&_id=${(await slotOf(of)).split('/')[1]}`)).body.total ?? 0, 0);
});

/** The slot that the form of a referral names. */
async function slotOf(of) {
    const forms = await town.ask(`/fhir/QuestionnaireResponse?patient=Patient/${of.patient}`);
    const item = (forms.body.entry ?? []).flatMap((e) => e.resource.item ?? []).find((i) => i.linkId === 'slot');
    return item.answer[0].valueReference.reference;
}

step('who does not come is written down; who comes is admitted, discharged and closed', async () => {
    const away = await submitted('未到者', '12000000205', { urgency: '立即', slot: 4 });
    await atOffice(away);
    await office.act('accept');
    await office.send();
    await state(office, '已接收');
    await office.tap('no-show');
    await state(town, '未到');

    const of = await submitted('到院者', '12000000206', { urgency: '立即', slot: 5 });
    await atOffice(of);
    await office.act('accept');
    await office.send();
    await office.tap('arrive');
    await doctor.list('in-house');
    await doctor.row(of.name).click();
    await doctor.tap('admit');
    await doctor.act('discharge');
    await doctor.fill('course', '动态心电图未见长间歇。');
    await doctor.fill('advice', '两周后复诊。');
    await doctor.send();
    await state(doctor, '已出院');
    await doctor.tap('close');
    await state(doctor, '已结案');
    assert.equal(await doctor.page.locator('[data-action]').count(), 0);
    await doctor.picture('referral-closed');
});

step('a slot taken by another while the letter is written: said, another is offered, nothing typed is lost', async () => {
    const patient = await town.register('号源争', '12000000207');
    await town.chart(patient);
    await town.begin('上转');
    await town.choose('reason', '疑难病例');
    await town.fill('diagnosis', '心律失常待查');
    await town.choose('urgency', '立即');
    await town.choose('department', '心内科');
    const times = town.field('slot').locator('.slot-time');
    await times.nth(6).click();
    const letter = await town.field('letter').locator('textarea').inputValue();
    await town.fill('letter', `${letter}\n补充：夜间发作两次。`);
    await town.send();
    await state(town, '草稿');
    const mine = { patient, task: (await town.cases(patient))[0].id };
    const slot = await slotOf(mine);

    const second = await login('family1');
    const otherPatient = await second.register('抢先者', '12000000208');
    await second.chart(otherPatient);
    await second.begin('上转');
    await second.choose('reason', '疑难病例');
    await second.fill('diagnosis', '胸痛待查');
    await second.choose('urgency', '立即');
    await second.choose('department', '心内科');
    await second.field('slot').locator('.slot-time').nth(6).click();
    await second.send();
    await second.tap('submit');
    await state(second, '待接收');
    assert.equal(await slotOf({ patient: otherPatient }).catch(() => slot), slot);
    await second.page.context().close();

    await town.act('submit');
    await town.page.locator('.workspace-bar .save-refused', { hasText: '号源已被占用' }).waitFor();
    await town.field('slot').locator('.q-error', { hasText: '请另选' }).waitFor();
    assert.equal(await town.field('letter').locator('textarea').inputValue(), `${letter}\n补充：夜间发作两次。`);
    await town.picture('referral-slot-taken');
    await town.field('slot').locator('.slot-time').first().click();
    await town.send();
    await town.tap('submit');
    await state(town, '待接收');
});

step('what comes down is declined with its reason, and the sender sees it', async () => {
    const of = await submitted('谢绝者', '12000000209', { urgency: '立即', slot: 8 });
    await atOffice(of);
    await office.act('accept');
    await office.send();
    await office.tap('arrive');
    await doctor.list('in-house');
    await doctor.row(of.name).click();
    await doctor.act('discharge');
    await doctor.fill('course', '好转。');
    await doctor.fill('advice', '乡镇康复。');
    await doctor.send();
    await doctor.begin('下转');
    await doctor.choose('clinic', '东河镇中心卫生院');
    await doctor.fill('plan', '康复训练，监测血压。');
    await doctor.send();
    await state(doctor, '待接收');
    await town.list('inbox');
    await town.row(of.name).click();
    await town.act('decline');
    await town.fill('reason', '本院无康复床位');
    await town.send();
    await state(doctor, '已谢绝');
    await doctor.page.locator('.case-last', { hasText: '本院无康复床位' }).waitFor();
});

step('no screen threw an error', () => {
    for (const p of [town, office, doctor]) assert.deepEqual(p.faults, [], p.username);
});
