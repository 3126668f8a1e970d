// Log-in, lock-out, sessions, cookies, first passwords (contracts 1.1).
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { init, login, menkou, request, rule, serve, speaker, userAdd } from "../support/server.mjs";

let county, server, account, machine;
const tryLogin = (body, headers) => request(server.url, "POST", "/auth/login", { body, headers });

before(async () => {
  county = init();
  account = userAdd(county.dir, "integrator", "machine");
  server = await serve(county.dir);
  machine = await login(server, account);
  const org = { resourceType: "Organization", id: "t1", name: "东乡卫生院" };
  await machine.keep(org);
});
after(async () => {
  machine.close();
  await server?.stop();
});

test("the answer has what the contract says", async () => {
  const r = await tryLogin({ username: account.username, password: account.password });
  assert.equal(r.status, 200);
  const body = r.json();
  assert.equal(body.token_type, "Bearer");
  assert.match(body.access_token, /^[A-Za-z0-9_-]{43}$/);
  assert.ok(body.expires_in > 0 && body.expires_in <= 43200);
  assert.equal(body.must_change_password, false, "an integrator is not asked");
  assert.equal(body.user.role, "integrator");
  for (const key of ["name", "practitioner", "role"]) assert.ok(body.user[key], key);
  assert.match(r.headers["set-cookie"][0], /HttpOnly/);
  assert.match(r.headers["set-cookie"][0], /SameSite=Strict/);
});

test("a wrong name and a wrong password get the same words in about the same time", async () => {
  const took = async (body) => {
    const t0 = performance.now();
    const r = await tryLogin(body);
    return { status: r.status, text: r.text, ms: performance.now() - t0 };
  };
  const name = await took({ username: "nobody", password: "Wrong-Word-1" });
  const word = await took({ username: "sysadmin", password: "Wrong-Word-1" });
  assert.equal(name.status, 401);
  assert.equal(word.status, 401);
  assert.equal(name.text, word.text);
  assert.ok(name.ms * 5 > word.ms && word.ms * 5 > name.ms, `${name.ms} ms and ${word.ms} ms`);
});

test("after five failures even the right password is 429 with Retry-After; another account is not", async () => {
  const person = userAdd(county.dir, "security-administrator", "clumsy");
  for (let i = 0; i < 5; i++) assert.equal((await tryLogin({ username: "clumsy", password: "Wrong-Word-1" })).status, 401);
  const r = await tryLogin(person);
  assert.equal(r.status, 429);
  assert.ok(Number(r.headers["retry-after"]) > 0 && Number(r.headers["retry-after"]) <= 600);
  assert.equal((await tryLogin(account)).status, 200);
});

test("a restart forgives nobody", async () => {
  await server.kill();
  server = await serve(county.dir);
  machine.close();
  machine = await login(server, account);
  const r = await tryLogin({ username: "clumsy", password: "Wrong-Word-1" });
  assert.equal(r.status, 429);
  assert.ok(Number(r.headers["retry-after"]) > 0 && Number(r.headers["retry-after"]) <= 600);
  assert.equal((await tryLogin({ username: "nobody", password: "Wrong-Word-1" })).status, 401, "once is not five times");
});

test("twenty at once: each is let in or told to wait, none is lost", async () => {
  const all = await Promise.all(Array.from({ length: 20 }, () => tryLogin(account)));
  for (const r of all) assert.ok(r.status === 200 || (r.status === 429 && r.headers["retry-after"]), String(r.status));
  assert.ok(all.some((r) => r.status === 200));
});

test("malformed log-ins are 400, not 500", async () => {
  for (const body of ["", "{", "[]", "{}", '{"username":1,"password":2}', '{"username":"machine"}']) {
    const r = await tryLogin(body, { "Content-Type": "application/json" });
    assert.ok(r.status === 400 || r.status === 401, `${body}: ${r.status}`);
  }
});

test("a first password opens nothing until it is changed, and a weak one is refused", async () => {
  const who = userAdd(county.dir, "township-doctor", "wang", "--organization", "Organization/t1", "--name", "王敏");
  const first = await login(server, who);
  assert.equal(first.session.must_change_password, true);
  assert.equal(first.user.name, "王敏");
  assert.match(first.user.practitioner, /^Practitioner\//);
  let r = await first.get("/fhir/Organization/t1");
  assert.equal(r.status, 403);
  assert.equal(rule(r), "password-change-required");
  r = await first.post("/auth/password", { password: who.password, new_password: "short" });
  assert.equal(r.status, 422);
  assert.equal(rule(r), "password-weak");
  r = await first.post("/auth/password", { password: "not it at all", new_password: "Doorstep-2026" });
  assert.equal(r.status, 403);
  r = await first.post("/auth/password", { password: who.password, new_password: "Doorstep-2026" });
  assert.ok(r.status === 200 || r.status === 204, r.text);
  assert.equal((await first.get("/fhir/Organization/t1")).status, 200);
  assert.equal((await tryLogin(who)).status, 401);
  assert.equal((await tryLogin({ username: "wang", password: "Doorstep-2026" })).status, 200);
});

test("a cookie reads, and alone never writes", async () => {
  const r = await tryLogin(account);
  const cookie = r.headers["set-cookie"][0].split(";")[0];
  assert.equal((await request(server.url, "GET", "/fhir/Organization/t1", { headers: { Cookie: cookie } })).status, 200);
  const body = { resourceType: "Basic", code: { text: "x" } };
  const bare = await request(server.url, "POST", "/fhir/Basic", { headers: { Cookie: cookie }, body });
  assert.ok(bare.status === 401 || bare.status === 403, String(bare.status));
  const marked = await request(server.url, "POST", "/fhir/Basic", { headers: { Cookie: cookie, "X-Menkou": "1" }, body });
  assert.equal(marked.status, 201, marked.text);
});

test("logging out ends the session, tokens that never were are 401", async () => {
  const who = await login(server, account);
  assert.equal((await who.get("/fhir/Organization/t1")).status, 200);
  const r = await who.post("/auth/logout");
  assert.ok(r.status === 204 || r.status === 200, String(r.status));
  assert.equal((await who.get("/fhir/Organization/t1")).status, 401);
  for (const token of ["x", "A".repeat(43), "A".repeat(5000)]) {
    const nobody = speaker(server, { access_token: token });
    const answer = await nobody.get("/fhir/Organization/t1");
    assert.ok(answer.status === 401 || answer.status === 431, String(answer.status));
    nobody.close();
  }
});

test("a reset and a disabling beside the server end the sessions within seconds", async () => {
  const who = userAdd(county.dir, "integrator", "other");
  const person = await login(server, who);
  assert.equal((await person.get("/fhir/Organization/t1")).status, 200);
  assert.equal(menkou("user", "disable", "--data", county.dir, "other").code, 0);
  const end = Date.now() + 10_000;
  let status;
  do status = (await person.get("/fhir/Organization/t1")).status; while (status === 200 && Date.now() < end);
  assert.equal(status, 401);
  assert.equal((await tryLogin(who)).status, 401);
  assert.equal(menkou("user", "enable", "--data", county.dir, "other").code, 0);
  const fresh = menkou("user", "reset", "--data", county.dir, "other").stdout.trim().split(" ");
  assert.equal((await tryLogin(who)).status, 401);
  assert.equal((await tryLogin({ username: fresh[0], password: fresh[1] })).status, 200);
});

test("a session outlives the server's restart", async () => {
  const who = await login(server, account);
  await server?.stop();
  server = await serve(county.dir);
  const again = speaker(server, who.session);
  assert.equal((await again.get("/fhir/Organization/t1")).status, 200);
  again.close();
  machine.close();
  machine = await login(server, account);
});

test("several posts: one is chosen, and sight follows", async () => {
  await machine.keep({ resourceType: "Organization", id: "t9", name: "北乡卫生院" });
  await machine.keep({ resourceType: "Practitioner", id: "zhao", name: [{ text: "赵强" }] });
  for (const [post, role, org] of [["zhao-a", "township-doctor", "t1"], ["zhao-b", "family-doctor", "t9"]]) {
    await machine.keep({
      resourceType: "PractitionerRole", id: post, active: true, practitioner: { reference: "Practitioner/zhao" },
      organization: { reference: `Organization/${org}` }, code: [{ coding: [{ system: "urn:menkou:role", code: role }] }],
    });
  }
  const who = userAdd(county.dir, "township-doctor", "zhao", "--practitioner", "Practitioner/zhao");
  let person = await login(server, who);
  await person.post("/auth/password", { password: who.password, new_password: "Doorstep-2026" });
  person.close();
  person = await login(server, { username: "zhao", password: "Doorstep-2026" });
  assert.equal(person.user.roles.length, 2);
  assert.equal(person.user.organization, "Organization/t1");
  const r = await person.post("/auth/role", { post: "PractitionerRole/zhao-b" });
  assert.equal(r.status, 200, r.text);
  const me = (await person.get("/auth/me")).json();
  assert.equal(me.user.role, "family-doctor");
  assert.equal(me.user.organization, "Organization/t9");
  assert.equal((await person.post("/auth/role", { post: "PractitionerRole/none" })).status, 403);
  person.close();
});
