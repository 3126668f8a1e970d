// The second factor (RFC 6238): enrolling, log-in with it, replay, lock-out, recovery, reset, signing, and who must have one.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { init, login, menkou, request, rule, serve, speaker, userAdd } from "../support/server.mjs";
import { totp } from "../support/totp.mjs";

const PASSWORD = "Doorstep-2026";
let county, server;
const known = new Map(); // username → {secret, recovery}

const tryLogin = (username, otp, password = PASSWORD) =>
  request(server.url, "POST", "/auth/login", { body: { username, password, ...(otp && { otp }) } });
const now = async (who) => Date.parse((await who.get("/auth/me")).json().now);

async function settled(account) {
  const first = await login(server, account);
  const r = await first.post("/auth/password", { password: account.password, new_password: PASSWORD });
  assert.equal(r.status, 204, r.text);
  return first;
}

/** Enrols; the code of the step before now is used, so that now's and the next are left. */
async function enrol(who, username) {
  const offer = (await who.post("/auth/factor", { password: PASSWORD })).json();
  const r = await who.post("/auth/factor/confirm", { otp: totp(offer.secret, await now(who), -1) });
  assert.equal(r.status, 200, r.text);
  known.set(username, { secret: offer.secret, recovery: r.json().recovery });
  return { offer, recovery: r.json().recovery };
}

before(async () => {
  county = init();
  for (const name of ["wang", "clumsy", "old"]) {
    county[name] = userAdd(county.dir, "township-doctor", name, "--organization", "Organization/t1", "--name", name);
  }
  county.machine = userAdd(county.dir, "integrator", "machine");
  server = await serve(county.dir, "--now", "2026-11-22T08:00:10+08:00");
  const machine = await login(server, county.machine);
  await machine.keep({ resourceType: "Organization", id: "t1", name: "东乡卫生院" });
  machine.close();
});
after(() => server?.stop());

test("the RFC's own vectors", () => {
  const secret = Buffer.from("12345678901234567890");
  for (const [s, code] of [[59, "287082"], [1111111109, "081804"], [1234567890, "005924"], [20000000000, "353130"]]) {
    assert.equal(totp(secret, s * 1000), code);
  }
});

test("enrolling: password again, a secret as base32 and otpauth, in force only after one right code", async () => {
  const who = await settled(county.wang);
  assert.deepEqual(who.session.second_factor, { on: false, must: false });
  assert.equal((await who.post("/auth/factor", { password: "Not-It-2026" })).status, 403);
  assert.equal((await who.post("/auth/factor/confirm", { otp: "123456" })).status, 404, "nothing was offered yet");
  const offered = await who.post("/auth/factor", { password: PASSWORD });
  assert.equal(offered.status, 200, offered.text);
  const { secret, uri } = offered.json();
  assert.match(secret, /^[A-Z2-7]{32}$/);
  assert.equal(uri, `otpauth://totp/Menkou:wang?secret=${secret}&issuer=Menkou&algorithm=SHA1&digits=6&period=30`);
  assert.equal((await tryLogin("wang")).status, 200, "an offer alone asks for nothing");
  const at = await now(who);
  for (const otp of [totp(secret, at, 5), "", "12345", "abcdef"]) {
    const wrong = await who.post("/auth/factor/confirm", { otp });
    assert.equal(wrong.status, 422, otp);
    assert.equal(rule(wrong), "factor-wrong");
  }
  const { recovery } = await enrol(who, "wang");
  assert.equal(new Set(recovery).size, 10);
  for (const code of recovery) assert.match(code, /^([A-Z2-7]{4}-){3}[A-Z2-7]{4}$/);
  assert.equal((await who.get("/auth/me")).json().second_factor.on, true);
  const again = await who.post("/auth/factor", { password: PASSWORD });
  assert.equal(again.status, 409);
  assert.equal(rule(again), "factor-there");
  who.close();
});

test("log-in: asked for only after the right password, one step aside is let in, two are not, each once", async () => {
  const { secret } = known.get("wang");
  const wrong = await tryLogin("wang", undefined, "Not-It-2026");
  const nobody = await tryLogin("nobody", undefined, "Not-It-2026");
  assert.equal(wrong.status, 401);
  assert.equal(wrong.text, nobody.text, "says nothing of a second factor");
  const asked = await tryLogin("wang");
  assert.equal(asked.status, 401);
  assert.equal(rule(asked), "factor-needed");
  assert.equal(asked.headers["set-cookie"], undefined);
  const at = Date.parse("2026-11-22T00:00:10Z"), clock = at + (Date.now() - started);
  const spent = await tryLogin("wang", totp(secret, clock, -1));
  assert.equal(spent.status, 401, "the step of the enrolling is used up");
  assert.equal(rule(spent), "factor-wrong");
  assert.equal(rule(await tryLogin("wang", totp(secret, clock, 3))), "factor-wrong");
  const ok = await tryLogin("wang", totp(secret, clock, 1));
  assert.equal(ok.status, 200, ok.text);
  const replay = await tryLogin("wang", totp(secret, clock, 1));
  assert.equal(replay.status, 401, "a replay");
  assert.equal(rule(await tryLogin("wang", totp(secret, clock, 0))), "factor-wrong", "and those before it");
  assert.equal((await tryLogin("wang", totp(secret, clock, 1), "Not-It-2026")).text, wrong.text, "a right code is no help to a wrong password");
});

test("recovery codes: each once, however they are typed", async () => {
  const { recovery } = known.get("wang");
  await restart("2026-11-22T09:00:00+08:00"); // the failures above are forgotten by then
  assert.equal((await tryLogin("wang", recovery[0])).status, 200);
  assert.equal(rule(await tryLogin("wang", recovery[0])), "factor-wrong");
  assert.equal((await tryLogin("wang", recovery[1].toLowerCase().replaceAll("-", ""))).status, 200);
  assert.equal(rule(await tryLogin("wang", "AAAA-AAAA-AAAA-AAAA")), "factor-wrong");
});

test("wrong codes lock as wrong passwords do, and asking without one clears nothing", async () => {
  const who = await settled(county.clumsy);
  await enrol(who, "clumsy");
  for (let i = 0; i < 5; i++) {
    assert.equal((await tryLogin("clumsy", "000000")).status, 401);
    if (i < 4) assert.equal(rule(await tryLogin("clumsy")), "factor-needed");
  }
  const { secret } = known.get("clumsy");
  const locked = await tryLogin("clumsy", totp(secret, await now(who), 1));
  assert.equal(locked.status, 429);
  assert.ok(Number(locked.headers["retry-after"]) > 0);
  who.close();
});

test("confirming ends the other sessions of the account", async () => {
  const who = await settled(county.old);
  const other = speaker(server, (await tryLogin("old")).json());
  assert.equal((await other.get("/fhir/Organization/t1")).status, 200);
  await enrol(who, "old");
  assert.equal((await other.get("/fhir/Organization/t1")).status, 401);
  assert.equal((await who.get("/fhir/Organization/t1")).status, 200);
  other.close();
  who.close();
});

test("an integrator has none; a first password is changed before", async () => {
  const machine = await login(server, county.machine);
  assert.equal((await machine.post("/auth/factor", { password: county.machine.password })).status, 403);
  machine.close();
  const first = await login(server, county.audit);
  assert.equal(rule(await first.post("/auth/factor", { password: county.audit.password })), "password-change-required");
  first.close();
});

test("an administrator has seven days, then nothing but enrolling", async () => {
  let system = await settled(county.system);
  assert.equal(system.session.second_factor.must, false);
  assert.ok(Date.parse(system.session.second_factor.by) > 0);
  assert.equal((await system.get("/fhir/Organization/t1")).status, 200);
  system.close();
  const later = new Date(Date.now() + 8 * 86_400_000).toISOString();
  await restart(later);
  system = speaker(server, (await tryLogin("sysadmin")).json());
  assert.equal(system.session.second_factor.must, true);
  for (const path of ["/fhir/Organization/t1", "/accounts"]) {
    const r = await system.get(path);
    assert.equal(r.status, 403, path);
    assert.equal(rule(r), "factor-required");
  }
  await enrol(system, "sysadmin");
  assert.equal((await system.get("/fhir/Organization/t1")).status, 200);
  assert.equal((await system.get("/accounts")).status, 200);
  system.close();
});

test("taken away by the security administrator, or at the command line; then it is asked for no more", async () => {
  const first = await settled(county.security);
  await enrol(first, "secadmin");
  const reset = await first.post("/accounts/wang/reset-factor", {});
  assert.equal(reset.status, 200, reset.text);
  assert.equal(reset.json().account.factor, false);
  assert.equal((await tryLogin("wang")).status, 200);
  assert.equal(rule(await first.post("/accounts/secadmin/reset-factor", {})), "not-oneself");
  assert.equal(rule(await tryLogin("old")), "factor-needed");
  assert.equal(menkou("user", "reset-factor", "--data", county.dir, "old").code, 0);
  assert.equal((await tryLogin("old")).status, 200);
  first.close();
});

let started = Date.now();
async function restart(at) {
  await server.stop();
  server = await serve(county.dir, "--now", at);
  started = Date.now();
}
