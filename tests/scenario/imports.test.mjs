// Tables through the administrator's screen: who may, a dry run, refusals, progress, being cut off, posts that wait
// for their grant. The rules of the rows themselves are csv.test.mjs's: command and door share their code.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { county, idCard, settle } from "../support/county.mjs";
import { login, menkou, rule, serve, until } from "../support/server.mjs";

let c, system, names;
before(async () => {
  c = await county();
  system = c.administrators.system;
  const { accounts } = (await system.get("/accounts")).json();
  names = Object.fromEntries(accounts.map((a) => [a.role, a.username]));
});
const again = (role) => login(c.server, { username: names[role], password: "Doorstep-2026" });
after(() => c?.close());

const CSV = { "Content-Type": "text/csv" };
const bytes = (rows, charset) => charset
  ? execFileSync("iconv", ["-f", "UTF-8", "-t", charset], { input: rows.join("\r\n") + "\r\n" })
  : Buffer.from(rows.join("\r\n") + "\r\n");
const send = (who, kind, name, body) => who.send("POST", `/imports?kind=${kind}&name=${encodeURIComponent(name)}`, body, CSV);
async function upload(kind, name, rows, charset) {
  const r = await send(system, kind, name, bytes(rows, charset));
  assert.equal(r.status, 201, r.text);
  return r.json().table;
}
const look = async (id) => (await system.get(`/imports/${id}`)).json().run;
async function doing(id, word, body = {}) {
  const r = await system.post(`/imports/${id}/${word}`, body);
  assert.equal(r.status, 202, r.text);
  return until("the run", async () => {
    const run = await look(id);
    return !["checking", "importing"].includes(run.state) && run;
  }, 60_000);
}
const counts = (run) => [run.made, run.changed, run.unchanged, run.refused];
const patients = async () => (await c.machine.get("/fhir/Patient?_summary=count")).json().total;

const HEADER = "姓名*,身份证号码,性别,出生日期,联系电话,建档机构,备注";
const A = idCard("139901", "19620305", 2), B = idCard("139901", "19700101", 4);
const ROWS = [HEADER, `刘桂芝,${A},女,1962/3/5,13900000001,东乡一村卫生室,甲`, `王敏,${B},,,,Organization/v1,`, `丙,${A.slice(0, 17)}?,,,,Organization/v1,`];

test("only the system administrator sends tables; everybody else is told who may", async () => {
  for (const who of [c.administrators.security, c.administrators.audit, c.people.consortium, c.people.village1, c.machine]) {
    for (const r of [await who.get("/imports"), await send(who, "residents", "a.csv", bytes(ROWS)), await who.get("/imports/0123456789abcdef")]) {
      assert.equal(r.status, 403, r.text);
    }
  }
  assert.ok((await system.get("/accounts")).json().may.includes("import"));
  assert.ok(!(await c.administrators.security.get("/accounts")).json().may.includes("import"));
});

test("what is no table, of no kind or too long a name is refused and leaves nothing behind", async () => {
  assert.equal((await send(system, "people", "a.csv", bytes(ROWS))).status, 400);
  assert.equal((await send(system, "residents", "../a.csv", bytes(ROWS))).status, 400);
  assert.equal((await send(system, "residents", "a.csv", Buffer.from([0xff, 0x80, 0, 0x81, 10]))).status, 400);
  assert.equal((await send(system, "residents", "a.csv", Buffer.alloc(0))).status, 400);
  assert.equal((await system.send("POST", "/imports?kind=residents&name=a", "{}", { "Content-Type": "application/json" })).status, 415);
  assert.equal((await send(system, "residents", "a.csv", Buffer.alloc((64 << 20) + 1, "a"))).status, 413);
  assert.deepEqual((await system.get("/imports")).json().imports, []);
  assert.equal((await system.get("/imports/..%2f..%2fnode.json")).status, 404);
  assert.equal((await system.get("/imports/0123456789abcdef")).status, 404);
});

test("sent in GB18030: its columns found, a dry run that writes nothing, then the run", async () => {
  const table = await upload("residents", "居民.csv", ROWS, "GB18030");
  assert.equal(table.charset, "GB18030");
  assert.equal(table.header[0], "姓名*");
  assert.equal(table.sample[0][0], "刘桂芝");
  const column = Object.fromEntries(table.elements.map((e) => [e.code, e.column]));
  assert.deepEqual([column.name, column.card, column.organization, column.record], [0, 1, 5, -1]);
  const before = await patients();
  const dry = await doing(table.id, "check");
  assert.equal(dry.state, "checked");
  assert.deepEqual(counts(dry), [2, 0, 0, 1]);
  assert.deepEqual(dry.unused, ["备注"]);
  assert.equal(dry.refusals[0].line, 4);
  assert.ok(dry.refusals[0].reason.zh && dry.refusals[0].reason.en);
  assert.equal(await patients(), before, "a dry run writes nothing");
  const run = await doing(table.id, "run");
  assert.equal(run.state, "imported");
  assert.deepEqual(counts(run), [2, 0, 0, 1]);
  assert.equal(await patients(), before + 2);
  assert.deepEqual(counts(await doing(table.id, "run")), [0, 0, 2, 1], "again changes nothing");
  const liu = (await c.machine.get(`/fhir/Patient?identifier=${A}`)).json().entry[0].resource;
  assert.equal(liu.managingOrganization.reference, "Organization/v1");
  assert.equal((await c.people.village1.get(`/fhir/Patient/${liu.id}`)).status, 200, "the village sees its resident");
  assert.equal((await system.get(`/fhir/Patient/${liu.id}`)).status, 403, "who sent the table reads no chart");
});

test("the sheet of refusals opens in a spreadsheet and comes back mended", async () => {
  const bad = idCard("139901", "19800102", 4); // a woman's
  const table = await upload("residents", "不合格.csv", [HEADER, `甲,${bad},男,,,Organization/v1,`, `=1+1,${bad.slice(0, 17)}?,,,,Organization/v1,`]);
  const { state, refusals } = await doing(table.id, "check");
  assert.equal(state, "checked");
  assert.equal(refusals.length, 2);
  const r = await system.get(`/imports/${table.id}/refused.csv`);
  assert.equal(r.status, 200);
  assert.match(r.headers["content-disposition"], /attachment; filename\*=UTF-8''%E4%B8%8D/);
  assert.match(r.headers["content-type"], /^text\/csv/);
  assert.equal(r.bytes.subarray(0, 3).toString("hex"), "efbbbf", "a mark, so that a spreadsheet takes it for UTF-8");
  const lines = r.text.replace("\ufeff", "").trim().split("\r\n");
  assert.ok(lines[0].endsWith("行号,原因,reason"));
  assert.ok(lines[1].includes(`"\t${bad}"`), "an ID card stays text and is not rounded");
  assert.ok(lines[2].startsWith('"\t=1+1"'), "nothing that a spreadsheet would run");
  const mended = await upload("residents", "again.csv", [lines[0], lines[1].replace(",男,", ",女,")]);
  const dry = await doing(mended.id, "check");
  assert.deepEqual(counts(dry), [1, 0, 0, 0], JSON.stringify(dry.refusals));
  assert.equal((await system.get(`/imports/${table.id}/about.json`)).status, 404, "no other file by this door");
  assert.equal((await c.administrators.security.get(`/imports/${table.id}/refused.csv`)).status, 403);
});

test("a mapping as data: other columns, other words, a default; what it gets wrong is told before anything runs", async () => {
  const table = await upload("residents", "own.csv", ["居民,男女,电话一,电话二", "周八,先生,13900000011,13900000012"]);
  const unmapped = await system.post(`/imports/${table.id}/check`, {});
  assert.equal(unmapped.status, 422);
  assert.equal(rule(unmapped), "column-missing");
  const map = {
    columns: { name: ["居民"], gender: ["男女"], phone: ["电话二"] }, values: { gender: { 先生: "male" } }, defaults: { organization: "Organization/v1" },
  };
  assert.equal((await system.post(`/imports/${table.id}/check`, { map: { ...map, columns: { colour: ["居民"] } } })).status, 400);
  assert.deepEqual(counts(await doing(table.id, "run", { map })), [1, 0, 0, 0]);
  const zhou = (await c.machine.get(`/fhir/Patient?name=${encodeURIComponent("周八")}`)).json().entry[0].resource;
  assert.deepEqual([zhou.gender, zhou.telecom[0].value], ["male", "13900000012"]);
});

test("staff: accounts with first passwords, posts that wait for the security administrator's grant", async () => {
  const table = await upload("staff", "staff.csv", ["姓名,岗位,机构,用户名", "孙丽,村医,Organization/v1,sunli", "钱七,系统管理员,Organization/v1,qian", "赵一,system-administrator,Organization/v1,zhao"]);
  const map = { ...table.map, values: { ...table.map.values, role: { ...table.map.values.role, 系统管理员: "system-administrator" } } };
  const run = await doing(table.id, "run", { map });
  assert.deepEqual([...counts(run), run.accounts], [1, 0, 0, 2, 1], "no administrator comes in by a table");
  const sheet = (await system.get(`/imports/${table.id}/passwords.csv`)).text.replace("\ufeff", "").trim().split(",");
  assert.deepEqual(sheet.slice(0, 2), ["sunli", "孙丽"]);
  const security = c.administrators.security;
  const { account } = (await security.get("/accounts/sunli")).json();
  assert.deepEqual([account.state, account.posts[0].state], ["waiting", "proposed"]);
  await assert.rejects(login(c.server, { username: "sunli", password: sheet[2] }), /403/);
  assert.equal((await security.post("/accounts/sunli/grant-post", { post: account.posts[0].post })).status, 200);
  const sun = await settle(c.server, { username: "sunli", password: sheet[2] });
  assert.equal(sun.user.organization, "Organization/v1");
  sun.close();
  assert.deepEqual(counts(await doing(table.id, "run", { map })), [0, 0, 1, 2]);
  assert.equal((await security.get("/accounts/sunli")).json().account.posts[0].state, "in-force", "again takes no grant away");
});

test("one at a time, with progress; stopped and begun again it loses and doubles nothing", async () => {
  const rows = [HEADER, ...Array.from({ length: 2000 }, (_, i) => `居民${i},,女,1960-01-01,139${String(i).padStart(8, "0")},Organization/v1,`)];
  const table = await upload("residents", "many.csv", rows), other = await upload("residents", "other.csv", ROWS);
  const before = await patients();
  assert.equal((await system.post(`/imports/${table.id}/run`, {})).status, 202);
  const seen = await until("the run", async () => {
    const run = await look(table.id);
    return run.done > 0 && run;
  });
  assert.ok(seen.state === "importing" && seen.done < seen.total, JSON.stringify(seen));
  const busy = await system.post(`/imports/${other.id}/check`, {});
  assert.equal(busy.status, 409);
  assert.equal(rule(busy), "import-runs");
  const stopped = (await system.post(`/imports/${table.id}/stop`, {})).json().run;
  assert.equal(stopped.state, "stopped");
  assert.ok(stopped.made > 0 && stopped.made < 2000);
  assert.equal(await patients(), before + stopped.made, "what it counts is there");
  const rest = await doing(table.id, "run");
  assert.deepEqual(counts(rest), [2000 - stopped.made, 0, stopped.made, 0]);
  assert.equal(await patients(), before + 2000);
});

test("a server that ends in the middle says so, and the table goes on from there", async () => {
  const rows = [HEADER, ...Array.from({ length: 2000 }, (_, i) => `村民${i},,男,1961-01-01,138${String(i).padStart(8, "0")},Organization/v1,`)];
  const table = await upload("residents", "cut.csv", rows);
  const before = await patients();
  assert.equal((await system.post(`/imports/${table.id}/run`, {})).status, 202);
  await until("the first rows", async () => (await patients()) > before);
  await c.server.kill();
  c.server = await serve(c.dir);
  system = await again("system-administrator");
  c.machine = await login(c.server, c.machineAccount);
  assert.equal((await look(table.id)).state, "stopped");
  const run = await doing(table.id, "run");
  assert.equal(run.made + run.unchanged, 2000);
  assert.ok(run.unchanged > 0);
  assert.equal(await patients(), before + 2000);
});

test("the trail names who sent and ran which table, and in whose name the rows were written", async () => {
  const table = await upload("residents", "trail.csv", [HEADER, "末一,,女,1950-01-01,,Organization/v1,"]);
  await doing(table.id, "run");
  const made = (await c.machine.get(`/fhir/Patient?name=${encodeURIComponent("末一")}`)).json().entry[0].resource;
  const audit = await again("audit-administrator");
  const text = (await audit.get(`/fhir/AuditEvent?patient=Patient/${made.id}&_count=20`)).text;
  assert.ok(text.includes(names["system-administrator"]), "the administrator's name stands at the rows");
  const all = (await audit.get("/fhir/AuditEvent?_count=1000")).text; // who waits looks often, and each look is a record
  assert.ok(all.includes(`import run ${table.id}`) && all.includes(`import upload ${table.id}`), "sent and run");
  audit.close();
});

test("removed, nothing of it is left; what is kept is for the owner's eyes", async () => {
  const table = await upload("residents", "gone.csv", ROWS);
  const dir = join(c.dir, "import", table.id);
  assert.equal(statSync(join(dir, "table.csv")).mode & 0o777, 0o600);
  assert.equal(statSync(dir).mode & 0o777, 0o700);
  await doing(table.id, "check");
  assert.equal((await system.del(`/imports/${table.id}`)).status, 204);
  assert.ok(!existsSync(dir));
  assert.equal((await system.get(`/imports/${table.id}`)).status, 404);
});

test("twenty tables at most; after seven days they go by themselves; check finds nothing wrong", async () => {
  const have = (await system.get("/imports")).json().imports.length;
  for (let i = have; i < 20; i++) await upload("residents", `n${i}.csv`, ROWS);
  assert.equal(rule(await send(system, "residents", "one-more.csv", bytes(ROWS))), "imports-full");
  await c.server.stop();
  const old = readdirSync(join(c.dir, "import")).filter((name) => /^[0-9a-f]{16}$/.test(name));
  assert.equal(old.length, 20);
  for (const id of old) writeFileSync(join(c.dir, "import", id, "about.json"), '{"at":"2026-01-01T00:00:00+08:00"}');
  c.server = await serve(c.dir);
  assert.deepEqual(readdirSync(join(c.dir, "import")).filter((name) => /^[0-9a-f]{16}$/.test(name)), []);
  assert.equal(menkou("check", "--data", c.dir).code, 0);
});
