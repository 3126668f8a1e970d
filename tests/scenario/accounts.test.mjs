// Day one of a county: accounts, posts and their grant, divided among the three administrators (docs/decisions/035).
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { settle } from "../support/county.mjs";
import { init, login, menkou, request, rule, serve, userAdd } from "../support/server.mjs";

const PASSWORD = "Doorstep-2026";
let dir, server, system, security, audit, machine;

const tryLogin = (username, password) => request(server.url, "POST", "/auth/login", { body: { username, password } });
const create = (who, body) => who.post("/accounts", body);
const change = (who, username, what, body = {}) => who.post(`/accounts/${username}/${what}`, body);
const read = async (who, username) => {
  const r = await who.get(`/accounts/${username}`);
  assert.equal(r.status, 200, r.text);
  return r.json().account;
};
const WANG = { username: "wang", name: "王敏", role: "township-doctor", organization: "Organization/t1" };

before(async () => {
  const made = init();
  dir = made.dir;
  const machineAccount = userAdd(dir, "integrator", "machine");
  server = await serve(dir);
  machine = await login(server, machineAccount);
  await machine.keep({ resourceType: "Organization", id: "t1", name: "东乡卫生院" });
  await machine.keep({ resourceType: "Organization", id: "t2", name: "西乡卫生院" });
  [system, security, audit] = [await settle(server, made.system), await settle(server, made.security), await settle(server, made.audit)];
});
after(async () => {
  for (const who of [system, security, audit, machine]) who?.close();
  await server?.stop();
});

test("made by one, granted by another: before that it opens nothing", async () => {
  const made = await create(system, WANG);
  assert.equal(made.status, 201, made.text);
  const { account, password } = made.json();
  assert.match(password, /^[A-Za-z0-9]{14}$/);
  assert.equal(account.state, "waiting");
  assert.equal(account.posts.length, 1);
  assert.equal(account.posts[0].state, "proposed");
  assert.equal(account.posts[0].organizationName, "东乡卫生院");
  const early = await tryLogin("wang", password);
  assert.equal(early.status, 403);
  assert.equal(rule(early), "no-post");
  const [{ post }] = account.posts;
  assert.equal((await change(system, "wang", "grant-post", { post })).status, 403, "who makes does not grant");
  assert.equal((await change(audit, "wang", "grant-post", { post })).status, 403);
  const granted = await change(security, "wang", "grant-post", { post });
  assert.equal(granted.status, 200, granted.text);
  assert.equal(granted.json().account.state, "first-password");
  assert.equal(granted.json().account.posts[0].state, "in-force");
  assert.equal(rule(await change(security, "wang", "grant-post", { post })), "post-state", "once");
  const who = await settle(server, { username: "wang", password }, PASSWORD);
  assert.equal(who.user.role, "township-doctor");
  assert.equal(who.user.organization, "Organization/t1");
  assert.equal((await read(audit, "wang")).state, "active");
  who.close();
});

test("each administrator does the own part and nothing else; nobody else sees accounts", async () => {
  for (const who of [security, audit, machine]) {
    assert.equal((await create(who, { ...WANG, username: "x1" })).status, 403);
  }
  for (const what of ["enable", "reset-password", "reset-factor", "end-sessions", "unlock"]) {
    for (const who of [system, audit, machine]) assert.equal((await change(who, "wang", what)).status, 403, what);
  }
  for (const what of ["disable", "end-post"]) assert.equal((await change(audit, "wang", what)).status, 403, what);
  for (const who of [security, audit]) assert.equal((await change(who, "wang", "propose-post", { role: "reader", organization: "Organization/t1" })).status, 403);
  const wang = await login(server, { username: "wang", password: PASSWORD });
  for (const r of [await wang.get("/accounts"), await wang.get("/accounts/wang"), await create(wang, WANG), await machine.get("/accounts")]) assert.equal(r.status, 403);
  assert.equal((await request(server.url, "GET", "/accounts")).status, 401);
  wang.close();
  const { may } = (await audit.get("/accounts")).json();
  assert.deepEqual(may, ["list"]);
  assert.ok((await system.get("/accounts")).json().may.includes("create"));
});

test("a post is never written as a resource, except by other systems", async () => {
  const role = {
    resourceType: "PractitionerRole", active: true, practitioner: { reference: "Practitioner/x" }, organization: { reference: "Organization/t1" },
    code: [{ coding: [{ system: "urn:menkou:role", code: "security-administrator" }] }],
  };
  assert.equal((await system.post("/fhir/PractitionerRole", role)).status, 403);
  assert.equal((await security.post("/fhir/PractitionerRole", role)).status, 403);
});

test("several posts of one person; one ends, its session goes on in the other", async () => {
  assert.equal((await change(system, "wang", "propose-post", { role: "family-doctor", organization: "Organization/t2" })).status, 200);
  assert.equal(rule(await change(system, "wang", "propose-post", { role: "family-doctor", organization: "Organization/t2" })), "post-there");
  let account = await read(security, "wang");
  const fresh = account.posts.find((p) => p.state === "proposed");
  assert.equal((await change(security, "wang", "grant-post", { post: fresh.post })).status, 200);
  const wang = await login(server, { username: "wang", password: PASSWORD });
  assert.equal(wang.user.roles.length, 2);
  const first = account.posts.find((p) => p.role === "township-doctor");
  assert.equal((await change(security, "wang", "end-post", { post: first.post })).status, 200);
  const me = (await wang.get("/auth/me")).json();
  assert.deepEqual(me.user.roles.map((p) => p.role), ["family-doctor"]);
  account = await read(audit, "wang");
  assert.equal(account.posts.find((p) => p.post === first.post).state, "ended");
  assert.equal(rule(await change(security, "wang", "end-post", { post: first.post })), "post-state");
  wang.close();
});

test("disabled, enabled, reset, sessions ended", async () => {
  const wang = await login(server, { username: "wang", password: PASSWORD });
  assert.equal((await read(security, "wang")).sessions.length > 0, true);
  assert.equal((await change(security, "wang", "end-sessions")).json().account.sessions.length, 0);
  assert.equal((await wang.get("/auth/me")).status, 401);
  assert.equal((await change(system, "wang", "disable")).json().account.state, "disabled");
  assert.equal((await tryLogin("wang", PASSWORD)).status, 401);
  assert.equal((await change(system, "wang", "enable")).status, 403);
  assert.equal((await change(security, "wang", "enable")).json().account.state, "active");
  const reset = (await change(security, "wang", "reset-password")).json();
  assert.equal((await tryLogin("wang", PASSWORD)).status, 401);
  const first = await login(server, { username: "wang", password: reset.password });
  assert.equal(first.session.must_change_password, true);
  assert.equal((await read(security, "wang")).state, "first-password");
  first.close();
  wang.close();
});

test("a lock-out is seen and taken away", async () => {
  for (let i = 0; i < 5; i++) await tryLogin("wang", "Not-It-2026");
  assert.equal((await tryLogin("wang", "Not-It-2026")).status, 429);
  const account = await read(security, "wang");
  assert.equal(account.locked, true);
  assert.equal(account.failures[0].count, 5);
  assert.ok(Date.parse(account.failures[0].lockedUntil) > 0);
  assert.deepEqual((await security.get("/accounts?state=locked")).json().accounts.map((a) => a.username), ["wang"]);
  assert.equal((await change(security, "wang", "unlock")).json().account.locked, false);
  assert.equal((await tryLogin("wang", "Not-It-2026")).status, 401);
});

test("administrators: made disabled, enabled by the other; nobody the own account; the last one stays", async () => {
  const made = await create(system, { username: "secadmin2", name: "安全二", role: "security-administrator" });
  assert.equal(made.status, 201, made.text);
  assert.equal(made.json().account.state, "disabled");
  assert.equal((await tryLogin("secadmin2", made.json().password)).status, 401);
  for (const [who, name] of [[system, "sysadmin"], [security, "secadmin"]]) {
    assert.equal(rule(await change(who, name, "disable")), "not-oneself");
  }
  assert.equal(rule(await change(system, "secadmin", "disable")), "last-administrator");
  assert.equal(rule(await change(system, "auditadmin", "disable")), "last-administrator");
  assert.equal(menkou("user", "disable", "--data", dir, "auditadmin").code, 1, "nor at the command line");
  assert.equal((await change(security, "secadmin2", "enable")).status, 200);
  assert.equal((await change(system, "secadmin2", "disable")).status, 200);
});

test("what is wrong is named", async () => {
  for (const [body, status, code] of [
    [{ ...WANG }, 409, "username-taken"],
    [{ ...WANG, username: "li", role: "emperor" }, 422, "role-unknown"],
    [{ ...WANG, username: "li", name: " " }, 422, "name-missing"],
    [{ ...WANG, username: "li", organization: "Organization/none" }, 422, "unknown-reference"],
    [{ ...WANG, username: "li", practitioner: "Practitioner/none" }, 422, "unknown-reference"],
    [{ username: "li", name: "李", role: "audit-administrator", practitioner: "Practitioner/x" }, 422, "role-unknown"],
  ]) {
    const r = await create(system, body);
    assert.equal(r.status, status, r.text);
    assert.equal(rule(r), code);
  }
  for (const body of [{ ...WANG, username: "a b" }, { name: "李" }]) assert.equal((await create(system, body)).status, 400);
  assert.equal((await change(system, "nobody", "disable")).status, 404);
  assert.equal((await change(system, "wang", "promote")).status, 404);
  assert.equal((await system.get("/accounts/nobody")).status, 404);
  assert.equal((await system.get("/accounts?count=x")).status, 400);
});

test("two who make one name at once: one does", async () => {
  const all = await Promise.all(Array.from({ length: 6 }, () => create(system, { ...WANG, username: "zhao", name: "赵强" })));
  assert.equal(all.filter((r) => r.status === 201).length, 1, all.map((r) => r.status).join());
  assert.ok(all.every((r) => r.status === 201 || r.status === 409 || r.status === 429));
});

test("found by name, part of it, initials, state and role; page by page", async () => {
  const names = async (query) => (await system.get(`/accounts?${query}`)).json().accounts.map((a) => a.username);
  assert.deepEqual(await names("q=zhao"), ["zhao"]);
  assert.deepEqual(await names(`q=${encodeURIComponent("赵")}`), ["zhao"]);
  assert.deepEqual(await names("q=zq"), ["zhao"]);
  assert.deepEqual(await names("role=family-doctor"), ["wang"]);
  assert.ok((await names("state=waiting")).includes("zhao"));
  const all = (await system.get("/accounts?count=200")).json();
  const paged = [];
  for (let offset = 0; offset < all.total; offset += 2) paged.push(...(await names(`count=2&offset=${offset}`)));
  assert.deepEqual(paged, all.accounts.map((a) => a.username));
  for (const a of all.accounts) assert.equal(a.password_hash ?? a.password, undefined);
});

test("the command line has the same verbs", async () => {
  const r = menkou("user", "end-sessions", "--data", dir, "zhao");
  assert.equal(r.code, 0, r.stderr);
  assert.equal(menkou("user", "end-sessions", "--data", dir, "none").code, 2);
  assert.match(menkou("user", "list", "--data", dir).stdout, /^wang\tfamily-doctor|^wang\ttownship-doctor/m);
});
