// Break-glass (docs/formats/break-glass.md): opened with a reason for a limited time, alerted, audited, reviewed; and it ends
// by the clock.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { county, events, patient } from "../support/county.mjs";
import { login, rule, serve } from "../support/server.mjs";

const START = Date.parse("2026-11-22T00:00:00Z");
const now = (hours) => ["--now", new Date(START + hours * 3600_000).toISOString()];
const parameters = (who, more = {}) => ({ resourceType: "Parameters", parameter: [
  { name: "patient", valueReference: { reference: `Patient/${who}` } },
  ...Object.entries({ reason: "emergency", text: "车祸送院，昏迷，需知过敏史", ...more }).map(([name, value]) =>
    ({ name, [{ reason: "valueCode", text: "valueString", extend: "valueBoolean" }[name] ?? "valueString"]: value }))] });

let c, who, other;
const opened = {};

before(async () => {
  c = await county(...now(0));
  const put = await c.machine.keep({ ...patient("刘", "桂芝"), id: "liu", managingOrganization: { reference: "Organization/t1" } });
  who = put.id;
  other = (await c.people.village1.post("/fhir/Patient", patient("孙", "英"))).json().id;
  for (const resource of [
    { resourceType: "AllergyIntolerance", id: "allergy", clinicalStatus: { coding: [{ system: "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", code: "active" }] }, patient: { reference: `Patient/${who}` }, code: { text: "青霉素" } },
    { resourceType: "Observation", id: "hiv", status: "final", code: { text: "x" }, subject: { reference: `Patient/${who}` },
      meta: { security: [{ system: "http://terminology.hl7.org/CodeSystem/v3-ActCode", code: "HIV" }] } },
  ]) await c.machine.keep(resource);
  // the township in charge has sight of its own patient
  const visit = await c.people.village1.post("/fhir/Encounter", { resourceType: "Encounter", status: "finished", subject: { reference: `Patient/${who}` },
    class: { system: "http://terminology.hl7.org/CodeSystem/v3-ActCode", code: "AMB" } });
  assert.equal(visit.status, 201, visit.text);
});
after(() => c?.close());

const sees = async (person, id = who) => (await person.get(`/fhir/Patient/${id}`)).status === 200;
const audit = () => readdirSync(join(c.dir, "audit")).sort().filter((f) => !f.endsWith(".zst"))
  .map((f) => readFileSync(join(c.dir, "audit", f), "utf8")).join("").split("\n");

test("who cares for patients opens one record; nobody else may, and nothing is opened by a refusal", async () => {
  const doctor = c.people.township2;
  assert.equal(await sees(doctor), false);
  for (const [body, status, name] of [
    [parameters(who, { reason: "curiosity" }), 400, /reason/], [parameters(who, { text: "x" }), 400, /text/], [parameters("nobody"), 404, /nobody/],
    [{ resourceType: "Parameters", parameter: [{ name: "patient", valueReference: { reference: "Group/1" } }] }, 400, /Patient/],
    [parameters(who, { colour: "red" }), 400, /colour/],
  ]) {
    const r = await doctor.post("/fhir/$break-glass", body);
    assert.equal(r.status, status, r.text);
    assert.match(r.text, name);
  }
  for (const person of [c.people.consortium, c.machine, ...Object.values(c.administrators)]) {
    assert.equal((await person.post("/fhir/$break-glass", parameters(who))).status, 403);
  }
  assert.equal(rule(await c.people.village1.post("/fhir/$break-glass", parameters(who))), "glass-needless");
  assert.equal(await sees(doctor), false);
});

test("it opens that patient to that person, says until when, alerts and is audited", async () => {
  const doctor = c.people.township2;
  const streams = await Promise.all([c.people.township1, c.people.consortium, c.administrators.security, c.people.technician2].map((p) => events(c.server, p)));
  const key = { "Idempotency-Key": "glass-1" };
  const r = await doctor.post("/fhir/$break-glass", parameters(who), key);
  assert.equal(r.status, 201, r.text);
  const part = (name) => r.json().parameter.find((p) => p.name === name);
  assert.equal(Date.parse(part("until").valueDateTime), START + 4 * 3600_000 + (Date.parse(part("until").valueDateTime) - START) % 60_000, "four hours on");
  opened.record = part("record").valueReference.reference;
  assert.equal(r.headers.location, `/fhir/${opened.record}`);
  assert.deepEqual((await doctor.post("/fhir/$break-glass", parameters(who), key)).json(), r.json(), "the same request once");
  assert.equal(await sees(doctor), true);
  assert.equal((await doctor.get(`/fhir/AllergyIntolerance?patient=${who}`)).json().entry.length, 1);
  assert.equal((await doctor.get("/fhir/Observation/hiv")).status, 404, "a class of sensitive content stays closed");
  assert.equal(await sees(doctor, other), false, "no other patient");
  assert.equal(await sees(c.people.technician2), false, "no other person");
  const id = opened.record.slice("Communication/".length);
  const [charge, office, security, stranger] = streams;
  for (const stream of [office, security]) assert.equal((await stream.next((e) => e.data?.id === id)).event, "alert");
  await charge.next((e) => e.data?.id === id);
  await c.machine.keep({ resourceType: "Organization", id: "mark", name: "mark" });
  await stranger.next((e) => e.data?.id === "mark");
  assert.ok(!stranger.seen.some((e) => e.data?.id === id));
  streams.forEach((s) => s.close());
  const record = (await doctor.get(`/fhir/${opened.record}`)).json();
  assert.deepEqual([record.status, record.subject.display, record.recipient[0].reference], ["in-progress", "刘*芝", "Organization/t1"]);
  assert.ok(record.recipient.some((x) => x.reference.startsWith("PractitionerRole/")));
  assert.match(record.payload[0].contentString, /刘\*芝.*昏迷/);
  const own = await doctor.get(`/fhir/Communication?category=urn:menkou:alert|break-glass&subject=Patient/${who}&sender=${doctor.user.practitioner}`);
  assert.equal(own.json().entry.length, 1);
  assert.ok(audit().some((line) => line.includes('"break-glass"') && line.includes(opened.record) && line.includes(who)), "the audit says so");
});

test("twice extends only when asked to, as a record of its own", async () => {
  const doctor = c.people.township2;
  const again = await doctor.post("/fhir/$break-glass", parameters(who));
  assert.equal(again.status, 409, again.text);
  assert.equal(rule(again), "glass-open");
  assert.match(again.text, /2026-11-22T12/);
  const longer = await doctor.post("/fhir/$break-glass", parameters(who, { extend: true, text: "仍在抢救，需查既往用药" }));
  assert.equal(longer.status, 201, longer.text);
  const record = (await doctor.get(`/fhir/${longer.json().parameter.find((p) => p.name === "record").valueReference.reference}`)).json();
  assert.equal(record.extension.find((e) => e.url === "urn:menkou:break-glass-extends").valueReference.reference, opened.record);
});

test("the record is nobody's to write; a reviewer marks it once", async () => {
  const id = opened.record.slice("Communication/".length);
  const record = (await c.machine.get(`/fhir/${opened.record}`)).json();
  for (const r of [
    await c.people.township2.put(`/fhir/${opened.record}`, { ...record, status: "completed" }), await c.machine.put(`/fhir/${opened.record}`, { ...record, category: undefined }),
    await c.machine.del(`/fhir/${opened.record}`), await c.people.village1.post("/fhir/Communication", { ...record, id: undefined }),
  ]) {
    assert.equal(r.status, 409, r.text);
    assert.equal(rule(r), "glass-record");
  }
  const review = (verdict, text = "已核对急诊记录，确属抢救") => ({ resourceType: "Parameters", parameter: [{ name: "verdict", valueCode: verdict }, { name: "text", valueString: text }] });
  for (const name of ["township2", "village1", "doctor"]) {
    assert.equal((await c.people[name].get("/fhir/$break-glass")).status, 403, name);
    assert.equal((await c.people[name].post(`/fhir/${opened.record}/$review`, review("justified"))).status, 403, name);
  }
  assert.equal((await c.administrators.audit.post(`/fhir/${opened.record}/$review`, review("justified"))).status, 403);
  for (const person of [c.people.consortium, c.administrators.security, c.administrators.audit]) {
    const list = await person.get("/fhir/$break-glass?reviewed=false");
    assert.equal(list.status, 200, list.text);
    assert.equal(list.json().entry.length, 2);
    assert.doesNotMatch(list.text, /桂芝/);
  }
  const page = (await c.administrators.security.get("/fhir/$break-glass?_count=1")).json();
  const next = new URL(page.link.find((l) => l.relation === "next").url);
  const second = (await c.administrators.security.get(next.pathname + next.search)).json();
  assert.notEqual(second.entry[0].resource.id, page.entry[0].resource.id);
  assert.equal((await c.administrators.security.post(`/fhir/${opened.record}/$review`, review("fine"))).status, 400);
  const done = await c.administrators.security.post(`/fhir/${opened.record}/$review`, review("justified"));
  assert.equal(done.status, 200, done.text);
  assert.equal(done.json().status, "completed");
  assert.match(done.text, /justified/);
  const twice = await c.people.consortium.post(`/fhir/${opened.record}/$review`, review("unclear"));
  assert.equal(rule(twice), "reviewed");
  assert.deepEqual((await c.people.consortium.get("/fhir/$break-glass?reviewed=true")).json().entry.map((e) => e.resource.id), [id]);
});

test("it ends by the clock", async () => {
  const account = { username: "township2", password: "Doorstep-2026" };
  for (const [hours, open] of [[3.9, true], [4.3, false]]) {
    await c.server.stop();
    c.server = await serve(c.dir, ...now(hours));
    const doctor = await login(c.server, account);
    assert.equal(await sees(doctor), open, `${hours} h`);
    assert.equal((await doctor.get(`/fhir/AllergyIntolerance?patient=${who}&_total=accurate`)).json().total, open ? 1 : 0);
    assert.equal((await doctor.get(`/fhir/Patient/${who}/$everything`)).status, open ? 200 : 404);
    doctor.close();
  }
});
