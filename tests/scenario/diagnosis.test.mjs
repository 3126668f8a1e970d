// "Not for diagnosis" (contracts 1.5, decision 097): on every drawing until the system administrator switches it off in the
// name of somebody, with the password again; it survives a restart and a backup, and the audit knows.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { patient as resident } from "../support/county.mjs";
import { people } from "../support/cases.mjs";
import { demo, folder, menkou, root, rule, serve } from "../support/server.mjs";

const NOW = "2026-11-22T08:00:00+08:00", LATER = "2026-11-22T10:00:00+08:00";
const WORDS = { "zh-CN": "仅供参考，不作诊断依据", en: "Not for diagnosis" };
const recording = join(root, "tests/fixtures/ecg/synthetic.scp");
const PERSON = "罗建国 主任医师", REASON = "县卫健局批复〔2026〕12 号";
let county, server, who, task, binary;

before(async () => {
  county = await demo("--now", NOW, "--seed", "7");
  ({ server } = county);
  who = people(server, county.accounts);
  const tech = await who("tech1"), reader = await who("reader1");
  const made = await tech.post("/fhir/Patient", resident("单", "雄信"));
  assert.equal(made.status, 201, made.text);
  const patient = `Patient/${made.json().id}`;
  binary = await tech.upload(readFileSync(recording), patient);
  task = await tech.start("remote-ecg", patient, { reason: "胸痛", urgency: "stat", consent: "written" });
  task = await tech.act(task, "acquire", { recording: { url: `Binary/${binary}`, title: "r.scp" } });
  task = await reader.act(await reader.act(task, "claim"), "report", { finding: "窦性心律", conclusion: "正常心电图", critical: false });
});
after(() => server?.stop());

const put = async (name, body) => (await who(name)).http.put("/ecg/diagnosis", body);
const change = async (on, more) => put("system1", {
  on, reason: REASON, password: county.accounts.find((a) => a.username === "system1").password, ...(on && { person: PERSON }), ...more });
const state = async () => {
  const r = await (await who("village1")).get("/ecg/diagnosis");
  assert.equal(r.status, 200, r.text);
  return r.json();
};
/** On paper in both languages, and for whoever draws it: all marked, or none. */
async function drawnAs(marked) {
  const tech = await who("tech1");
  for (const [lang, words] of Object.entries(WORDS)) {
    const page = await tech.get(`/print/Task/${task.id}/report?lang=${lang}`);
    assert.match(page.text, /<svg/);
    assert.equal(page.text.includes(words), marked, `${lang}: ${marked}`);
  }
  const drawn = await tech.get(`/fhir/Binary/${binary}/$ecg`);
  assert.equal(drawn.json().parameter.find((p) => p.name === "notForDiagnosis").valueBoolean, marked);
}

test("it is marked, and nobody but the system administrator can change that", async () => {
  assert.deepEqual(await state(), { on: false });
  await drawnAs(true);
  assert.match(menkou("ecg", recording, "--svg", "6x2").stdout, /不作诊断|Not for diagnosis/); // a file belongs to no county
  for (const name of ["village1", "reader1", "doctor1", "office1", "consortium1", "security1", "audit1", "integrator1"]) {
    if (!county.accounts.some((a) => a.username === name)) continue;
    assert.equal((await put(name, { on: true, person: PERSON, reason: REASON, password: "x" })).status, 403, name);
  }
  assert.equal(rule(await change(true, { password: "wrong" })), "password-wrong");
  for (const person of [undefined, " ", "罗"]) assert.equal(rule(await change(true, { person })), "person-missing");
  assert.equal(rule(await change(true, { reason: "好" })), "reason-missing");
  assert.equal((await change("yes")).status, 400);
  assert.deepEqual(await state(), { on: false });
});

test("switched on: no drawing is marked any more, also out of a backup", async () => {
  const r = await change(true);
  assert.equal(r.status, 200, r.text);
  const now = await state();
  assert.deepEqual([now.on, now.person, now.reason, now.by], [true, PERSON, REASON, "system1"]);
  assert.match(now.at, /^2026-11-22T08:/);
  await drawnAs(false);
  const kept = join(folder("kept"), "backup"), copy = join(folder("copy"), "county");
  assert.equal(menkou("backup", "--data", county.dir, "--to", kept).code, 0);
  assert.equal(menkou("restore", kept, "--data", copy).code, 0);
  await server.stop();
  server = await serve(copy, "--now", LATER);
  who = people(server, county.accounts);
  assert.deepEqual(await state(), now);
  await drawnAs(false);
});

test("the audit knows who, when and why; and it is taken back the same way", async () => {
  assert.equal((await change(false, { reason: "" })).status, 422);
  assert.equal((await change(false, { reason: "设备检定到期" })).status, 200);
  const now = await state();
  assert.deepEqual([now.on, now.person, now.reason], [false, undefined, "设备检定到期"]);
  await drawnAs(true);
  const trail = await (await who("audit1")).get("/fhir/AuditEvent?altid=system1&_count=50");
  const said = trail.json().entry.map((e) => e.resource.entity?.[0]?.name ?? "").filter((name) => name.startsWith("ecg diagnosis o"));
  assert.ok(said.includes(`ecg diagnosis on: ${PERSON} ${REASON}`), JSON.stringify(said));
  assert.ok(said.includes("ecg diagnosis off: 设备检定到期"), JSON.stringify(said));
});
