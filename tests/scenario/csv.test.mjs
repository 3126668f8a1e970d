// Residents, staff and institutions from tables: dry run, refusals, character sets, again, and what a map says.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { folder, init, login, menkou, serve, userAdd, withCheckDigit } from "../support/server.mjs";
import { settle } from "../support/county.mjs";

const tables = folder("tables");
let county, machineAccount;
const A = withCheckDigit("13990119620305001"), B = withCheckDigit("13990119700101002");

function table(name, rows, { charset = "utf8", end = "\r\n", mark = false } = {}) {
  const path = join(tables, name), text = rows.join(end) + end;
  const bytes = charset === "utf8" ? Buffer.from((mark ? "\ufeff" : "") + text)
    : execFileSync("iconv", ["-f", "UTF-8", "-t", charset], { input: text });
  writeFileSync(path, bytes);
  return path;
}
const load = (kind, path, ...more) => menkou("import", "--data", county.dir, "--csv", kind, ...more, path);
const counts = (r) => r.stdout.split("\n")[0].match(/\d+/g).slice(-4).map(Number);
const sheet = (name) => readFileSync(join(county.dir, "import", `${name}.refused.csv`), "utf8").replace("\ufeff", "").trim().split("\r\n");

before(() => {
  county = init();
  machineAccount = userAdd(county.dir, "integrator", "machine");
});

async function served(run) {
  const server = await serve(county.dir);
  const machine = await login(server, machineAccount);
  try {
    await run(machine, server);
  } finally {
    machine.close();
    await server.stop();
  }
}

const INSTITUTIONS = ["机构名称,机构编码,上级机构,备注", "青川县医共体,QC01,,甲", "东乡卫生院,QC10,青川县医共体,", "一村卫生室,QC11,QC10,"];
const RESIDENTS = [
  "姓名*,身份证号码,性别,出生日期（年月日）,联系电话,家庭住址,建档机构,健康档案编号",
  `刘桂芝,${A},男,1962/3/5,13900000001,"东乡一村, ""东头"" 3组",一村卫生室,H1`,
  `王敏,${B.toLowerCase()},,,13900000002,东乡,QC11,H2`,
  "李四,,女,1980年1月2日,,东乡,QC11,H4",
];

test("a dry run says what would happen and writes nothing", async () => {
  const path = table("inst.csv", INSTITUTIONS);
  const r = load("institutions", path, "--dry-run");
  assert.equal(r.code, 0, r.stderr);
  assert.deepEqual(counts(r), [3, 0, 0, 0]);
  assert.match(r.stderr, /备注/, "a column that is not imported is named");
  await served(async (machine) => {
    assert.equal((await machine.get("/fhir/Organization?_summary=count")).json().total, 0);
  });
});

test("institutions, each under its parent by name or code, also within one table", async () => {
  const r = load("institutions", join(tables, "inst.csv"));
  assert.equal(r.code, 0, r.stderr);
  assert.deepEqual(counts(r), [3, 0, 0, 0]);
  assert.deepEqual(counts(load("institutions", join(tables, "inst.csv"))), [0, 0, 3, 0], "again changes nothing");
  await served(async (machine) => {
    const all = (await machine.get("/fhir/Organization?_count=50")).json().entry.map((e) => e.resource);
    const named = (name) => all.find((o) => o.name === name);
    assert.equal(named("一村卫生室").partOf.reference, `Organization/${named("东乡卫生院").id}`);
    assert.equal(named("东乡卫生院").partOf.reference, `Organization/${named("青川县医共体").id}`);
  });
});

test("residents in GB18030 with quotes, dates as they are written, and what the card says filled in", async () => {
  const r = load("residents", table("gb.csv", RESIDENTS, { charset: "GB18030" }));
  assert.equal(r.code, 0, r.stdout + r.stderr);
  assert.match(r.stdout, /GB18030/);
  assert.deepEqual(counts(r), [3, 0, 0, 0]);
  await served(async (machine, server) => {
    const one = async (query) => (await machine.get(`/fhir/Patient?${query}`)).json().entry[0].resource;
    const liu = await one(`identifier=${A}`);
    assert.equal(liu.name[0].text, "刘桂芝");
    assert.equal(liu.birthDate, "1962-03-05");
    assert.equal(liu.address[0].text, '东乡一村, "东头" 3组');
    const wang = await one(`identifier=${B}`);
    assert.deepEqual([wang.gender, wang.birthDate], ["female", "1970-01-01"]);
    assert.equal((await one("pinyin=ls")).birthDate, "1980-01-02");
    assert.ok(!JSON.stringify(liu.id).includes(A.slice(6, 14)), "the id tells nothing of the card");
    const village = (await machine.get(`/fhir/Organization?name=${encodeURIComponent("一村卫生室")}`)).json().entry[0].resource;
    const account = userAdd(county.dir, "village-doctor", "village", "--organization", `Organization/${village.id}`, "--name", "村医");
    const doctor = await settle(server, account);
    assert.equal((await doctor.get("/fhir/Patient?_summary=count")).json().total, 3, "they are the village's");
    doctor.close();
  });
});

test("the same in UTF-8 with a mark, and with a change: one row changes, what the table does not say stays", async () => {
  await served(async (machine) => {
    const liu = (await machine.get(`/fhir/Patient?identifier=${A}`)).json().entry[0].resource;
    await machine.keep({ ...liu, maritalStatus: { text: "已婚" } });
  });
  const rows = RESIDENTS.map((r) => r.replace("13900000001", "13900000009"));
  assert.deepEqual(counts(load("residents", table("again.csv", rows, { mark: true, end: "\n" }))), [0, 1, 2, 0]);
  await served(async (machine) => {
    const liu = (await machine.get(`/fhir/Patient?identifier=${A}`)).json().entry[0].resource;
    assert.equal(liu.telecom[0].value, "13900000009");
    assert.equal(liu.maritalStatus.text, "已婚");
  });
});

test("what is wrong goes into a sheet with its line and all its reasons; the others go in", () => {
  const bad = withCheckDigit("13990119800102003");
  const r = load("residents", table("bad.csv", [
    RESIDENTS[0], `甲,${bad},男,,,,QC11,`, `乙,${bad},,,,,QC11,`, `丙,${bad.slice(0, 17)}0,,,,,QC11,`, `丁,${A},女,,,,QC11,X9`,
    "戊,,变,1980-13-02,abc,,哪里,", ",,女,,,,,", "己,,女,1990-02-30,,,,", '"庚,x', "辛,,女,1990-01-01,,,QC11,Z1",
  ]));
  assert.equal(r.code, 1);
  assert.deepEqual(counts(r), [1, 0, 0, 8].map((n, i) => (i === 0 ? 2 : i === 3 ? 7 : n)), r.stdout);
  const lines = sheet("bad.csv");
  assert.ok(lines[0].endsWith("行号,原因,reason"));
  const of = (line) => lines.find((l) => l.includes(`,${line},`));
  assert.match(of(3), /第 2 行重复.*line 2/);
  assert.match(of(4), /校验|check/);
  assert.match(of(5), /不符/);
  for (const word of ["变", "1980-13-02", "abc", "哪里"]) assert.ok(of(6).includes(word), word);
  assert.match(of(7), /没有姓名/);
  assert.match(of(8), /1990-02-30/);
  assert.match(of(9), /引号/);
  assert.equal(statSync(join(county.dir, "import", "bad.csv.refused.csv")).mode & 0o777, 0o600);
});

test("a resident who has a chart already, under another id, is refused by the card", async () => {
  const card = withCheckDigit("13990119550505007");
  await served(async (machine) => {
    await machine.keep({
      resourceType: "Patient", id: "old", name: [{ text: "老王" }], gender: "male", birthDate: "1955-05-05",
      identifier: [{ system: "urn:oid:2.16.156.10011.1.3", value: card }],
    });
  });
  for (const more of [["--dry-run"], []]) {
    const r = load("residents", table("known.csv", [RESIDENTS[0], `老王,${card},男,,,,QC11,`]), ...more);
    assert.equal(r.code, 1);
    assert.match(sheet("known.csv")[1], /已建档.*Patient\/old/);
  }
});

test("staff with posts and accounts; a post that was ended is not begun again", async () => {
  const path = table("staff.csv", ["姓名\t岗位\t机构\t用户名", "孙丽\t村医\tQC11\tsunli", "钱七\t院长\tQC11\tqian"], { end: "\n" });
  const r = load("staff", path);
  assert.equal(r.code, 1);
  assert.deepEqual(counts(r), [1, 0, 0, 1]);
  assert.match(sheet("staff.csv")[1], /院长/);
  const file = join(county.dir, "import", "staff.csv.passwords.csv");
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const [username, name, password] = readFileSync(file, "utf8").trim().split(",");
  assert.deepEqual([username, name], ["sunli", "孙丽"]);
  await served(async (machine, server) => {
    const sun = await settle(server, { username, password });
    assert.equal(sun.user.role, "village-doctor");
    assert.equal(sun.user.organizationName, "一村卫生室");
    const post = (await machine.get(`/${"fhir"}/${sun.user.post}`)).json();
    await machine.keep({ ...post, active: false });
    sun.close();
  });
  assert.deepEqual(counts(load("staff", path)), [0, 0, 1, 1]);
  await served(async (machine) => {
    const posts = (await machine.get("/fhir/PractitionerRole?_count=50")).json().entry.map((e) => e.resource);
    assert.equal(posts.filter((p) => p.id.startsWith("t-") && p.active).length, 0);
  });
});

test("a county's own map: other headers, other words, a default; what it gets wrong is named", () => {
  const map = join(tables, "map.json");
  const write = (m) => writeFileSync(map, JSON.stringify(m));
  write({ columns: { name: ["居民"], gender: ["男女"] }, values: { gender: { 先生: "male", 女士: "female" } }, defaults: { organization: "QC11" } });
  const path = table("own.csv", ["居民;男女", "周八;先生", "吴九;女士"]);
  assert.deepEqual(counts(load("residents", path, "--map", map)), [2, 0, 0, 0]);
  for (const [wrong, word] of [[{ columns: { colour: ["x"] } }, "colour"], [{ rows: {} }, "rows"], [{ columns: { name: "x" } }, "name"]]) {
    write(wrong);
    const r = load("residents", path, "--map", map);
    assert.notEqual(r.code, 0);
    assert.ok(r.stderr.includes(word), r.stderr);
  }
  const own = menkou("import", "--csv", "residents", "--print-map");
  assert.equal(own.code, 0);
  assert.ok(JSON.parse(own.stdout).columns.card.includes("身份证号"));
});

test("what is no table, or wrong use, says so and changes nothing", () => {
  mkdirSync(join(tables, "d"), { recursive: true });
  for (const [rows, code, options] of [[["甲,乙", "1,2"], 1, {}], [["姓名,姓名", "a,b"], 1, {}]]) {
    const r = load("residents", table("odd.csv", rows, options));
    assert.equal(r.code, code, r.stderr);
    assert.ok(r.stderr.length > 0);
  }
  writeFileSync(join(tables, "bytes.csv"), Buffer.from([0xff, 0x80, 0x00, 0x81, 0x0a]));
  assert.notEqual(load("residents", join(tables, "bytes.csv")).code, 0);
  writeFileSync(join(tables, "empty.csv"), "");
  assert.notEqual(load("residents", join(tables, "empty.csv")).code, 0);
  assert.equal(load("people", join(tables, "own.csv")).code, 2);
  assert.equal(menkou("import", "--data", county.dir, "--dry-run", join(tables, "own.csv")).code, 2);
  assert.notEqual(load("residents", join(tables, "none.csv")).code, 0);
});
