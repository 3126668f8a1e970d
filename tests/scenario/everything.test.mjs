// Patient/$everything: the whole compartment and the directory beside it, page by page, with R4's parameters, through the
// caller's eyes.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { county, patient } from "../support/county.mjs";

let c, who, desk;
const OBSERVATIONS = 25;
const day = (n) => `2026-10-${String(n + 1).padStart(2, "0")}`;

before(async () => {
  c = await county();
  desk = c.people.township1;
  const made = await c.people.village1.post("/fhir/Patient", patient("钱", "守正"));
  who = made.json().id;
  const other = (await c.people.village1.post("/fhir/Patient", patient("孙", "英"))).json().id;
  const subject = { reference: `Patient/${who}` };
  for (let n = 0; n < OBSERVATIONS; n++) {
    await c.machine.keep({ resourceType: "Observation", id: `o${n}`, status: "final", subject, effectiveDateTime: day(n),
      code: { coding: [{ system: "urn:x", code: `a${n % 3}` }, { system: "urn:y", code: `b${n % 2}` }] },
      performer: [{ reference: "Organization/t1" }] });
  }
  await c.machine.keep({ resourceType: "Device", id: "machine", status: "active" });
  await c.machine.keep({ resourceType: "Practitioner", id: "pr1", name: [{ text: "李医生" }] });
  for (const resource of [
    { resourceType: "Condition", id: "c1", subject, code: { text: "高血压" }, asserter: { reference: "Practitioner/pr1" } },
    { resourceType: "Task", id: "t1", status: "draft", intent: "order", for: subject },
    { resourceType: "Device", id: "pacemaker", patient: subject },
    { resourceType: "DeviceUseStatement", id: "d1", status: "active", subject, device: { reference: "Device/machine" } },
    { resourceType: "Observation", id: "hers", status: "final", code: { text: "x" }, subject: { reference: `Patient/${other}` } },
    { resourceType: "Observation", id: "both", status: "final", code: { text: "x" }, subject, focus: [{ reference: `Patient/${other}` }] },
  ]) await c.machine.keep(resource);
});
after(() => c?.close());

const names = (bundle, mode) => (bundle.entry ?? []).filter((e) => !mode || e.search.mode === mode)
  .map((e) => `${e.resource.resourceType}/${e.resource.id}`);
const get = async (query = "", person = desk) => {
  const r = await person.get(`/fhir/Patient/${who}/$everything${query}`);
  assert.equal(r.status, 200, r.text);
  return r.json();
};
const next = (bundle) => bundle.link.find((l) => l.relation === "next")?.url;

test("the patient first, the compartment, and what it refers to in the directory", async () => {
  const all = await get();
  const matches = names(all, "match");
  assert.equal(matches[0], `Patient/${who}`);
  for (const name of ["Condition/c1", "Task/t1", "Device/pacemaker", "DeviceUseStatement/d1", "Observation/both", "Observation/o0"]) {
    assert.ok(matches.includes(name), name);
  }
  assert.equal(new Set(names(all)).size, names(all).length, "nothing twice");
  assert.equal(matches.filter((n) => n.startsWith("Observation/o")).length, OBSERVATIONS);
  const beside = names(all, "include");
  for (const name of ["Organization/t1", "Practitioner/pr1", "Device/machine"]) assert.ok(beside.includes(name), name);
  assert.ok(!names(all).includes("Observation/hers"));
  assert.equal(names(all).filter((n) => n.startsWith("Patient/")).length, 1, "nobody else's record");
});

test("pages: each once, in order, bound to person and question; what is new does not come", async () => {
  const whole = names(await get("?_type=Observation,Condition,Patient"), "match");
  const seen = [];
  let url, page = await get("?_type=Observation,Condition,Patient&_count=4");
  const foreign = next(page);
  await c.machine.keep({ resourceType: "Observation", id: "late", status: "final", code: { text: "x" }, subject: { reference: `Patient/${who}` } });
  for (; ;) {
    seen.push(...names(page, "match"));
    assert.ok(names(page, "match").length <= 4);
    url = next(page);
    if (!url) break;
    page = (await desk.get(new URL(url).pathname + new URL(url).search)).json();
  }
  assert.deepEqual(seen, whole);
  const at = new URL(foreign);
  assert.equal((await c.people.village1.get(at.pathname + at.search)).status, 400, "another person's cursor");
  assert.equal((await desk.get(at.pathname + at.search.replace("_count=4", "_count=5"))).status, 400, "another question's cursor");
  await c.machine.del("/fhir/Observation/late");
});

test("_type, start, end, _since, and POST", async () => {
  assert.deepEqual(names(await get("?_type=Condition")), ["Condition/c1"]);
  const october = names(await get(`?start=${day(3)}&end=${day(5)}&_type=Observation`), "match");
  assert.deepEqual(october.filter((n) => n.startsWith("Observation/o")), ["Observation/o5", "Observation/o4", "Observation/o3"]);
  assert.ok(october.includes("Observation/both"), "what has no clinical date comes too");
  const changed = (await c.machine.keep({ resourceType: "Condition", id: "c1", subject: { reference: `Patient/${who}` }, code: { text: "高血压2级" } })).meta.lastUpdated;
  assert.deepEqual(names(await get(`?_since=${encodeURIComponent(changed)}`), "match"), ["Condition/c1"]);
  const posted = await desk.post(`/fhir/Patient/${who}/$everything`, { resourceType: "Parameters", parameter: [
    { name: "_type", valueCode: "Observation" }, { name: "start", valueDate: day(3) }, { name: "end", valueDate: day(5) }, { name: "_count", valueInteger: 2 }] });
  assert.equal(posted.status, 200, posted.text);
  assert.deepEqual(names(posted.json(), "match"), october.slice(0, 2));
  assert.ok(next(posted.json()));
});

test("wrong questions are refused by name, strangers get 404", async () => {
  for (const [query, name] of [["?_count=0", "_count"], ["?start=yesterday", "start"], ["?_type=Nothing", "_type"], ["?colour=red", "colour"], ["?_cursor=abc", "_cursor"]]) {
    const r = await desk.get(`/fhir/Patient/${who}/$everything${query}`);
    assert.equal(r.status, 400, query);
    assert.match(r.text, new RegExp(name));
  }
  for (const name of ["village2", "township2", "technician2", "reader", "doctor", "office"]) {
    assert.equal((await c.people[name].get(`/fhir/Patient/${who}/$everything`)).status, 404, name);
    assert.equal((await c.people[name].post(`/fhir/Patient/${who}/$everything`)).status, 404, name);
  }
  for (const person of Object.values(c.administrators)) assert.ok([403, 404].includes((await person.get(`/fhir/Patient/${who}/$everything`)).status));
  assert.equal((await desk.get("/fhir/Patient/none/$everything")).status, 404);
  const metadata = (await desk.get("/fhir/metadata")).json();
  const operations = metadata.rest[0].resource.find((r) => r.type === "Patient").operation;
  assert.ok(operations.some((o) => o.name === "everything"));
});
