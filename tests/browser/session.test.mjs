// Who is here: several posts, two tabs, a session that ends under somebody's hands, wrong passwords, signing with the password.
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { sendRecording, walk } from '../support/walk.mjs';
import { root } from '../support/menkou.mjs';
import { login } from '../support/server.mjs';
import { totp } from '../support/totp.mjs';

let county, browser, overlay, bench;
const signing = { key: 'sign-password', value: true, region: '*', from: '2026-11-22', to: null, source: '县医共体规定', trust: 'sourced' };

/** The county's own parameters over the packages: a reading is signed with the password. */
function countyRules() {
    const dir = mkdtempSync(join(tmpdir(), 'menkou-rules-'));
    cpSync(join(root, 'pathways/remote-ecg'), join(dir, 'remote-ecg'), { recursive: true });
    const file = join(dir, 'remote-ecg/params.json');
    writeFileSync(file, JSON.stringify([...JSON.parse(readFileSync(file, 'utf8')), signing]));
    return dir;
}

const { login: enter, people, step } = walk(() => ({ more: ['--pathways', (overlay = countyRules())] }), async (w) => {
    ({ county, browser } = w);
    bench = await login(county, county.account('integrator1'));
});
after(() => {
    bench?.close();
    if (overlay) rmSync(overlay, { recursive: true, force: true });
});
const fields = (page) => [page.locator('input[autocomplete=username]'), page.locator('input[autocomplete=current-password]')];

step('a wrong password is refused in words, and too many lock the account for a while', async () => {
    const person = await county.screen(await browser.newContext({ viewport: { width: 1366, height: 768 }, locale: 'zh-CN' }), 'family2');
    people.push(person);
    const said = person.page.locator('.login-failed');
    await person.enter('wrong-password-1');
    await said.waitFor();
    assert.match(await said.innerText(), /用户名或密码/);
    await person.picture('session-wrong');
    for (let n = 0; n < 12 && !/锁定|次数|稍后|分钟|秒/.test(await said.innerText()); n++) {
        await Promise.all([person.page.waitForResponse('**/auth/login'), person.enter(`wrong-password-${n}`)]);
        await person.page.locator('[data-login]:not(.ant-btn-loading)').waitFor();
    }
    assert.match(await said.innerText(), /锁定|次数|稍后/);
    assert.doesNotMatch(await said.innerText(), /[A-Za-z]{4,}/);
    await person.picture('session-locked');
    await person.page.context().close();
});

step('a person with several posts chooses one and changes it', async () => {
    const { user } = await login(county, county.account('family1'));
    const second = await bench.post('/fhir/PractitionerRole', {
        resourceType: 'PractitionerRole', active: true, practitioner: { reference: user.practitioner },
        organization: { reference: county.account('town2').organization },
        code: [{ coding: [{ system: 'urn:menkou:role', code: 'township-doctor' }] }],
    });
    assert.equal(second.status, 201, second.text);
    const person = await county.screen(await browser.newContext({ viewport: { width: 1366, height: 768 }, locale: 'zh-CN' }), 'family1');
    people.push(person);
    const { page } = person;
    await person.enter();
    const posts = page.locator('[data-post]');
    await posts.nth(1).waitFor();
    await person.picture('session-posts');
    await posts.filter({ hasText: '乡镇医生' }).click();
    await page.locator('[data-person]', { hasText: '乡镇医生' }).waitFor();
    await page.locator('[data-person]').click();
    await page.getByRole('menuitem', { name: '切换岗位' }).click();
    await posts.filter({ hasText: '家庭医生' }).click();
    await page.locator('[data-person]', { hasText: '家庭医生' }).waitFor();
    await page.context().close();
});

step('two tabs share one event connection, both are live, and log out together', async () => {
    const one = await enter('village1');
    const streams = [];
    one.page.context().on('request', (r) => { if (r.url().endsWith('/events')) streams.push(r.url()); });
    const two = await county.screen(one.page.context(), 'village1');
    people.push(two);
    await two.page.locator('[data-live=live]').waitFor();
    assert.equal(streams.length, 0); // the first tab's line serves both
    const patient = await one.register('两页签', '12000000401');
    await one.chart(patient);
    await two.list('all');
    await one.begin('随访');
    await one.fill('date', '2026-11-22');
    await one.page.keyboard.press('Enter');
    await one.send();
    await two.row('两页签').waitFor(); // live
    await one.page.locator('[data-person]').click();
    await one.page.getByRole('menuitem', { name: '退出登录' }).click();
    for (const p of [one, two]) {
        await p.page.locator('[data-login]').waitFor();
        assert.equal(await p.page.locator('.shell').count(), 0);
        assert.ok(!(await p.page.locator('body').innerText()).includes('两页签'));
    }
    await two.enter();
    await one.page.locator('.shell').waitFor();
    await one.page.context().close();
});

step('a session that ends under the hands covers the work; the same person finds it as it was', async () => {
    const person = await enter('town1');
    const { page } = person;
    const patient = await person.register('会话止', '12000000402');
    await person.chart(patient);
    await person.begin('远程心电诊断');
    await person.fill('reason', '反复心悸');
    await person.choose('urgency', '普通');
    await person.choose('consent', '口头同意');
    assert.equal((await person.ask('/auth/logout', { method: 'POST' })).status, 204);
    await person.fill('reason', '反复心悸一周');
    const cover = page.locator('.cover');
    await cover.waitFor();
    assert.match(await cover.innerText(), /重新登录/);
    await person.picture('session-covered');
    await page.keyboard.press('F3'); // no key reaches the work behind
    await person.enter();
    await cover.waitFor({ state: 'detached' });
    assert.equal(await person.field('reason').locator('textarea').inputValue(), '反复心悸一周');
    await person.picture('session-back');
    await person.send();
    await page.locator('.case-bar').waitFor();

    assert.equal((await person.ask('/auth/logout', { method: 'POST' })).status, 204);
    await page.locator('.cover').waitFor(); // the closed event stream says so
    const [username, password] = fields(page);
    await username.fill('town2');
    await password.fill(county.account('town2').password);
    await page.keyboard.press('Enter');
    await page.locator('[data-person]', { hasText: county.account('town2').name }).waitFor();
    assert.ok(!(await page.locator('body').innerText()).includes('会话止'));
    await page.context().close();
});

step('a reading is signed with the password: needed, wrong, right, and shown as signed', async () => {
    const tech = await enter('tech1');
    const patient = await tech.register('签名人', '12000000403');
    await sendRecording(tech, patient, { reason: '胸闷', urgency: '普通' });
    const reader = await enter('reader1');
    const { page } = reader;
    await reader.list('to-read');
    await reader.row('签名人').click();
    await reader.tap('claim');
    await reader.act('report');
    await reader.fill('finding', '窦性心律');
    await reader.fill('conclusion', '正常心电图');
    await reader.choose('critical', '否');
    const password = page.locator('#sign-password');
    await page.locator('[data-submit]').click();
    await page.locator('#sign-fault', { hasText: '请再次输入密码' }).waitFor();
    await password.fill('not-my-password');
    await page.locator('[data-submit]').click();
    await page.locator('#sign-fault', { hasText: '密码' }).filter({ hasText: /不对|错误|不正确/ }).waitFor();
    assert.equal(await reader.field('conclusion').locator('textarea').inputValue(), '正常心电图');
    assert.equal(await password.inputValue(), '');
    await reader.picture('session-sign');
    assert.ok(!(await page.evaluate(() => JSON.stringify(localStorage))).includes('not-my-password'));
    await password.fill(county.account('reader1').password);
    await reader.send();
    await page.locator('.case-bar .state', { hasText: '已报告' }).waitFor();
    await page.locator('.case-tabs .ant-tabs-tab', { hasText: '文书' }).click();
    const signed = page.locator('.paper-report .signed');
    await signed.waitFor();
    assert.match(await signed.innerText(), new RegExp(`已签名.*${county.account('reader1').name}.*2026-11-22`, 's'));
    await reader.picture('session-signed');
});

step('who has a second factor amends a report from the list of the last days, and signs with a code', async () => {
    const reader = people.find((p) => p.username === 'reader1');
    const { page } = reader;
    assert.equal(await page.locator('[data-sign-by]').count(), 0);
    const offer = await reader.ask('/auth/factor', { method: 'POST', body: { password: county.account('reader1').password } });
    const now = Date.parse((await reader.ask('/auth/me')).body.now);
    const confirmed = await reader.ask('/auth/factor/confirm', { method: 'POST', body: { otp: totp(offer.body.secret, now, -1) } });
    assert.equal(confirmed.status, 200);
    await page.reload();
    await page.locator('[data-live]').waitFor();
    await reader.list('read');
    await reader.row('签名人').click();
    await reader.act('amend');
    await reader.fill('conclusion', '大致正常心电图');
    await reader.fill('reason', '补充');
    await page.locator('[data-sign-by]').click();
    await page.locator('#sign-otp').fill('000000');
    await page.locator('[data-submit]').click();
    await page.locator('#sign-fault', { hasText: '动态口令' }).waitFor();
    await reader.picture('session-sign-code');
    await page.locator('#sign-otp').fill(totp(offer.body.secret, now));
    await reader.send();
    await page.locator('.case-bar .state', { hasText: '已报告' }).waitFor();
});

step('no screen threw an error', () => {
    for (const p of people) assert.deepEqual(p.faults, [], p.username);
});
