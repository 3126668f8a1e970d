// The contract of the main job, sentence by sentence, over HTTP with the accounts of a demo county: the loop
// from the ECG to the follow-up, each transition's state, status, owner and slot, each refusal.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { events, idCard, patient as resident } from "../support/county.mjs";
import { claimant, held, parameters, part, people, state } from "../support/cases.mjs";
import { demo, root } from "../support/server.mjs";
import { zip } from "../support/zip.mjs";

const suite = process.env.MENKOU_SUITES && join(process.env.MENKOU_SUITES, "09-ecg");
const noSuite = suite && existsSync(suite) ? false : "SKIPPED: no $MENKOU_SUITES/09-ecg";
const synthetic = join(root, "tests/fixtures/ecg/synthetic.scp");

let county, who, patient, village, town, tech, reader, doctor, office, machine;
const strangers = ["village2", "town2", "tech2", "reader2", "family2"];

before(async () => {
  county = await demo("--now", "2026-11-22T08:00:00+08:00", "--seed", "7");
  who = people(county.server, county.accounts);
  const team = []; // one after the other: two log-ins at a time, further ones wait two seconds
  for (const name of ["village1", "town1", "tech1", "reader1", "doctor1", "office1", "integrator1"]) team.push(await who(name));
  [village, town, tech, reader, doctor, office, machine] = team;
  const card = idCard("139901", "19580305", 511);
  const r = await village.post("/fhir/Patient", resident("单", "雄信", {
    gender: "male", birthDate: "1958-03-05", identifier: [{ system: "urn:oid:2.16.156.10011.1.3", value: card }],
    telecom: [{ system: "phone", value: "12000000001" }],
  }));
  assert.equal(r.status, 201, r.text);
  patient = `Patient/${r.json().id}`;
});
after(async () => {
  await county?.server.stop();
});

const is = (task, code, status, owner) => {
  assert.equal(state(task), code);
  assert.equal(task.status, status);
  if (owner) assert.equal(task.owner.reference, owner);
};
// Slots not free are the cases that hold one: every open case's output, over the whole county.
async function slotsMatch() {
  const cases = await machine.search("Task?code=urn:menkou:pathway|referral-up&_count=1000");
  const holding = cases.map((t) => held(t, "slot")).filter(Boolean);
  const slots = (await machine.search("Slot?status:not=free&_count=1000")).map((s) => `Slot/${s.id}`);
  assert.deepEqual([...new Set(holding)].sort(), slots.sort());
  assert.equal(holding.length, slots.length);
  return slots.length;
}
const ecgStart = { reason: "胸痛 2 小时", urgency: "stat", consent: "written" };
async function acquired(file = synthetic) {
  const task = await tech.start("remote-ecg", patient, ecgStart);
  const id = await tech.upload(readFileSync(file), patient);
  return tech.act(task, "acquire", { recording: { url: `Binary/${id}`, title: "r.scp", contentType: "application/octet-stream" } });
}
const claim = async () => reader.act(await acquired(), "claim");
const freeSlot = async (department = "HealthcareService/cardiology") => {
  const [slot] = await town.search(`Slot?status=free&schedule.actor=${department}&start=ge2026-11-22T09:00:00%2B08:00&_sort=start&_count=1`);
  assert.ok(slot, "a free slot");
  return `Slot/${slot.id}`;
};
const referral = async (more = {}) => town.start("referral-up", patient, {
  reason: "1", diagnosis: "急性下壁心肌梗死", urgency: "stat", department: "HealthcareService/cardiology", slot: await freeSlot(), letter: "请收治", ...more,
});
const submitted = async (more) => town.act(await referral(more), "submit");
const slotStatus = async (task) => {
  const at = held(task, "slot");
  return at && (await machine.resolve(at)).status;
};

test("the loop: an ECG is read, is critical, is answered, is referred up, comes back, is followed up", async () => {
  const desk = await events(county.server, town.http);
  let ecg = await tech.start("remote-ecg", patient, ecgStart);
  is(ecg, "ordered", "requested", "Organization/township-1");
  assert.equal(ecg.intent, "order");
  assert.equal(ecg.priority, "stat");
  assert.equal(ecg.for.reference, patient);
  assert.equal(ecg.requester.reference, "Organization/township-1");
  assert.equal(ecg.code.coding[0].system, "urn:menkou:pathway");
  assert.equal(ecg.code.coding[0].code, "remote-ecg");
  assert.equal(ecg.businessStatus.coding[0].system, "urn:menkou:state:remote-ecg");
  assert.match(ecg.instantiatesCanonical, /^urn:menkou:pathway:remote-ecg\|/);
  const blob = await tech.upload(readFileSync(synthetic), patient);
  ecg = await tech.act(ecg, "acquire", { recording: { url: `Binary/${blob}`, title: "r.scp" } });
  is(ecg, "acquired", "ready", "HealthcareService/ecg-centre");
  ecg = await reader.act(ecg, "claim");
  is(ecg, "reading", "in-progress", "HealthcareService/ecg-centre");
  const lease = claimant(ecg);
  assert.match(lease.extension.find((e) => e.url === "who").valueReference.reference, /^PractitionerRole\//);
  assert.ok(lease.extension.find((e) => e.url === "until").valueDateTime ?? lease.extension.find((e) => e.url === "until").valueInstant);
  const began = Date.now();
  ecg = await reader.act(ecg, "report", { finding: "II、III、aVF 导联 ST 段抬高", conclusion: "急性下壁心肌梗死", critical: true, "critical-finding": "infarction" });
  is(ecg, "reported", "completed");
  assert.equal(claimant(ecg), undefined);
  const alert = await desk.next((e) => e.event === "alert" && e.data.op !== "delete", 5000);
  const late = Date.now() - began;
  assert.ok(late < 3000, `alert after ${late} ms`);
  assert.deepEqual(Object.keys(alert.data).filter((k) => !["type", "id", "versionId", "op", "case", "state"].includes(k)), []);
  desk.close();
  const report = await town.resolve(held(ecg, "report"));
  assert.equal(report.status, "final");
  const [alarm] = await town.search(`Task?code=urn:menkou:pathway|critical-value&subject=${patient}`);
  is(alarm, "raised", "requested", "Organization/township-1");
  assert.deepEqual(alarm.groupIdentifier, ecg.groupIdentifier);
  is(await town.act(alarm, "notify"), "notified", "received");
  is(await town.act(alarm, "acknowledge", { readback: "急性心肌损伤/梗死" }), "acknowledged", "accepted");
  is(await town.act(alarm, "act", { measure: "绿色通道上转" }), "acted", "in-progress");
  is(await town.act(alarm, "close", { note: "已上转" }), "closed", "completed");

  let up = await referral();
  is(up, "draft", "draft", "Organization/township-1");
  assert.equal(await slotStatus(up), undefined);
  up = await town.act(up, "submit");
  is(up, "submitted", "requested", "HealthcareService/cardiology");
  assert.equal(await slotStatus(up), "busy-tentative");
  await slotsMatch();
  up = await office.act(up, "accept");
  is(up, "accepted", "accepted", "HealthcareService/cardiology");
  assert.equal(await slotStatus(up), "busy");
  assert.equal((await office.resolve(held(up, "appointment"))).status, "booked");
  up = await office.act(up, "arrive");
  is(up, "arrived", "in-progress");
  up = await doctor.act(up, "admit");
  is(up, "in-care", "in-progress");
  up = await doctor.act(up, "discharge", { diagnosis: "急性下壁心肌梗死", course: "急诊 PCI", advice: "规律服药" });
  is(up, "discharged", "in-progress");
  assert.equal(up.groupIdentifier.value, ecg.groupIdentifier.value, "one episode");

  let down = await doctor.start("referral-down", patient, { clinic: "Organization/clinic-1-1", plan: "双抗，2 周随访", "first-date": "2026-11-30" });
  is(down, "proposed", "requested", "Organization/township-1");
  up = await doctor.act(up, "close");
  is(up, "closed", "completed");
  await slotsMatch();
  down = await town.act(down, "accept");
  is(down, "accepted", "accepted");
  down = await town.act(down, "receive");
  is(down, "received", "in-progress");
  let [visit] = await village.search(`Task?code=urn:menkou:pathway|follow-up&subject=${patient}`);
  is(visit, "due", "ready", "Organization/clinic-1-1");
  visit = await village.act(visit, "do", { systolic: 128, diastolic: 78, pulse: 70, weight: 66.5, medication: "规律服药", "next-date": "2026-12-20" });
  is(visit, "done", "completed");
  is(await town.read("Task", down.id), "followed-up", "in-progress");
  const visits = await village.search(`Task?code=urn:menkou:pathway|follow-up&subject=${patient}&_sort=-authored-on`);
  assert.deepEqual(visits.map(state).sort(), ["done", "due"]);
  is(await town.act(down, "close"), "closed", "completed");
  for (const [task, print] of [[ecg, "report"], [up, "letter"], [up, "discharge"]]) {
    const page = await town.get(`/print/Task/${task.id}/${print}`);
    assert.equal(page.status, 200, page.text);
    assert.match(page.text, /单雄信/);
  }
});

test("recordings: PTB's 15 leads as three files and as one ZIP, and Example.scp", { skip: noSuite }, async () => {
  const files = ["s0010_re.hea", "s0010_re.dat", "s0010_re.xyz"].map((f) => [f, readFileSync(join(suite, "wfdb", f))]);
  const task = await tech.start("remote-ecg", patient, ecgStart);
  const several = [];
  for (const [title, bytes] of files) several.push({ title, url: `Binary/${await tech.upload(bytes, patient)}` });
  const one = [{ title: "s0010_re.zip", url: `Binary/${await tech.upload(zip(files), patient)}` }];
  const lone = await tech.actBody(task, "acquire", { recording: several.slice(0, 1) });
  await tech.refused(task, "acquire", 422, undefined, lone); // a header without its signals
  let now = await tech.act(task, "acquire", { recording: several });
  is(now, "acquired", "ready");
  now = await reader.act(now, "claim");
  const drawn = async (id) => {
    const r = await reader.get(`/fhir/Binary/${id}/$ecg`);
    assert.equal(r.status, 200, r.text);
    return r.json().parameter;
  };
  const leads = (await drawn(several[0].url.slice(7))).filter((p) => p.name === "leads");
  assert.deepEqual(leads.map((l) => part(l, "name").valueString ?? part(l, "name").valueCode),
    ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6", "vx", "vy", "vz"]);
  for (const name of ["gain", "unit", "rate", "samples"]) assert.ok(part(leads[0], name), name);
  now = await reader.act(now, "reject", { reason: "导联脱落" });
  is(now, "rejected", "on-hold", "Organization/township-1");
  now = await tech.act(now, "acquire", { recording: one });
  is(now, "acquired", "ready", "HealthcareService/ecg-centre");
  const zipped = (await drawn(one[0].url.slice(7))).filter((p) => p.name === "leads");
  assert.equal(zipped.length, 15);
  const at = (lead) => JSON.stringify(part(lead, "samples").valueSampledData).slice(0, 2000);
  assert.deepEqual(zipped.map(at), leads.map(at));
  const scp = await acquired(join(suite, "scp/Example.scp"));
  is(scp, "acquired", "ready");
  is(await tech.act(scp, "cancel", { reason: "重复" }), "cancelled", "cancelled");
});

test("remote-ecg: release, reject, cancel, amend, and who may not", async () => {
  const draft = await tech.start("remote-ecg", patient, ecgStart);
  for (const name of strangers) await (await who(name)).refused(draft, "claim", 404);
  const garbage = await tech.upload(Buffer.from("not a recording at all"), patient);
  const bad = await tech.actBody(draft, "acquire", { recording: { title: "x.scp", url: `Binary/${garbage}` } });
  const refusal = await tech.refused(draft, "acquire", 422, undefined, bad);
  assert.match(JSON.stringify(refusal.json().issue), /recording/);
  is(await tech.act(draft, "cancel", { reason: "重复" }), "cancelled", "cancelled");

  let task = await acquired();
  await town.refused(task, "claim", 403, "not-yours");
  for (const name of strangers) await (await who(name)).refused(task, "claim", 404);
  await machine.refused(task, "claim", 403);
  task = await reader.act(task, "claim");
  const other = await who("reader3");
  const [report, cancel] = [await reader.actBody(task, "report", { finding: "窦性", conclusion: "正常心电图" }),
    parameters({ name: "action", valueCode: "cancel" })];
  await other.refused(task, "report", 403, "not-yours", report);
  assert.deepEqual(await other.codes(task), []);
  await tech.refused(task, "cancel", 409, undefined, cancel);
  assert.ok(![...await tech.codes(task)].includes("cancel"));
  assert.ok([403, 409].includes((await other.send(task, parameters({ name: "action", valueCode: "claim" }))).status));
  task = await reader.act(task, "release");
  is(task, "acquired", "ready");
  assert.equal(claimant(task), undefined);
  task = await other.act(task, "claim");
  is(task, "reading", "in-progress");
  assert.deepEqual(await other.codes(task), ["reject", "release", "report"]);
  await other.refused(task, "report", 422); // without its form
  const half = structuredClone(report);
  half.parameter[1].resource.item = half.parameter[1].resource.item.filter((i) => i.linkId !== "conclusion");
  const r = await other.refused(task, "report", 422, undefined, half);
  assert.match(JSON.stringify(r.json().issue[0].expression), /conclusion/);
  const critical = await other.actBody(task, "report", { finding: "x", conclusion: "y", critical: true });
  assert.match((await other.refused(task, "report", 422, undefined, critical)).text, /critical-finding/);
  task = await other.act(task, "report", { finding: "窦性", conclusion: "正常心电图" });
  is(task, "reported", "completed");
  assert.deepEqual(await reader.codes(task), ["amend"]);
  const amended = await reader.act(task, "amend", { finding: "窦性心律", conclusion: "大致正常心电图", reason: "复核" });
  is(amended, "reported", "completed");
  const id = held(task, "report");
  assert.equal((await town.resolve(id)).status, "amended");
  const history = await town.get(`/fhir/${id}/_history`);
  assert.deepEqual(history.json().entry.map((e) => e.resource.status).slice(0, 2), ["amended", "final"]);
  assert.equal((await town.get(`/fhir/${id}/_history/1`)).json().conclusion, "正常心电图");
});

test("critical-value: begins only as an effect, is answered by the receiving doctor, by hand with three details", async () => {
  assert.deepEqual(await town.offered(`/fhir/$actions?pathway=critical-value&patient=${patient}`), []);
  const start = await town.post("/fhir/$start", parameters({ name: "pathway", valueCode: "critical-value" },
    { name: "patient", valueReference: { reference: patient } }));
  assert.ok([400, 403].includes(start.status), start.text);
  await reader.act(await claim(), "report", { finding: "x", conclusion: "长停搏", critical: true, "critical-finding": "pause" });
  const [alarm] = await town.search(`Task?code=urn:menkou:pathway|critical-value&business-status=raised&subject=${patient}`);
  await town.refused(alarm, "act", 409, "not-from-this-state");
  assert.deepEqual(await tech.codes(alarm), ["notify"]);
  const notify = await reader.actBody(alarm, "notify", { person: "李杰", telephone: "12055550000", time: "2026-11-22T08:05:00+08:00" });
  const bare = structuredClone(notify);
  bare.parameter[1].resource.item = bare.parameter[1].resource.item.filter((i) => i.linkId !== "telephone");
  await reader.refused(alarm, "notify", 422, undefined, bare);
  const done = await reader.send(alarm, notify);
  assert.equal(done.status, 200, done.text);
  is(done.json(), "notified", "received");
  await reader.refused(done.json(), "acknowledge", 403, "not-yours");
  const again = await town.act(alarm, "acknowledge", { readback: "长停搏" });
  is(again, "acknowledged", "accepted");
});

test("referral-up: every exit frees its slot in the same transaction", async () => {
  const noSlot = await referral({ slot: null });
  await town.refused(noSlot, "submit", 422, "slot-needed");
  is(await town.act(noSlot, "cancel", { reason: "改期" }), "cancelled", "cancelled");

  const exits = [
    ["return", office, { reason: "补充检查" }, "returned", "on-hold", "Organization/township-1"],
    ["reject", office, { reason: "不属本科" }, "rejected", "rejected"],
    ["cancel", town, { reason: "患者放弃" }, "cancelled", "cancelled"],
    ["redirect", office, { reason: "神内更合适", department: "HealthcareService/neurology" }, "redirected", "cancelled"],
  ];
  const before = await slotsMatch();
  const left = {};
  for (const [code, person, form, to, status, owner] of exits) {
    const task = await submitted();
    const slot = held(task, "slot");
    assert.equal((await machine.resolve(slot)).status, "busy-tentative");
    left[code] = await person.act(task, code, form);
    is(left[code], to, status, owner);
    assert.equal((await machine.resolve(slot)).status, "free", code);
    assert.equal(await slotsMatch(), before, code);
  }
  const [next] = await town.search(`Task?code=urn:menkou:pathway|referral-up&part-of=Task/${left.redirect.id}`);
  is(next, "submitted", "requested", "HealthcareService/neurology");
  assert.equal(next.partOf[0].reference, `Task/${left.redirect.id}`);
  await office.refused(next, "accept", 422, "slot-needed");
  is(await town.act(next, "cancel", { reason: "改期" }), "cancelled", "cancelled");
  const resent = await town.act(left.return, "submit");
  is(resent, "submitted", "requested");
  const same = await office.actBody(resent, "redirect", { reason: "x", department: "HealthcareService/cardiology" });
  await office.refused(resent, "redirect", 422, "other-receiver", same);

  let task = await office.act(resent, "accept");
  const [slot, appointment] = [held(task, "slot"), held(task, "appointment")];
  is(task, "accepted", "accepted");
  await office.refused(task, "return", 409);
  await town.refused(task, "arrive", 403, "not-yours");
  task = await office.act(task, "no-show");
  is(task, "no-show", "failed");
  assert.equal((await machine.resolve(slot)).status, "free");
  assert.equal((await machine.resolve(appointment)).status, "noshow");
  const accepted = await office.act(await submitted(), "accept");
  const booked = held(accepted, "slot");
  is(await office.act(accepted, "redirect", { reason: "x", department: "HealthcareService/neurology" }), "redirected", "cancelled");
  assert.equal((await machine.resolve(booked)).status, "free");
  const third = await office.act(await submitted(), "accept");
  is(await town.act(third, "cancel", { reason: "患者放弃" }), "cancelled", "cancelled");
  assert.equal(await slotsMatch(), before);
});

test("referral-down and follow-up: decline, refuse, lose", async () => {
  const start = { clinic: "Organization/clinic-1-1", plan: "随访", "first-date": "2026-12-01" };
  const down = await doctor.start("referral-down", patient, start);
  await village.refused(down, "accept", 403, "not-yours");
  is(await town.act(down, "decline", { reason: "无床" }), "declined", "rejected");
  const taken = await town.act(await town.act(await doctor.start("referral-down", patient, start), "accept"), "receive");
  is(await town.act(taken, "close"), "closed", "completed");
  for (const [code, to, status] of [["refuse", "refused", "rejected"], ["lose", "lost", "failed"]]) {
    const offer = await village.offered(`/fhir/$actions?pathway=follow-up&patient=${patient}`);
    const links = part(offer[0], "questionnaire").resource.item.map((i) => i.linkId);
    const visit = await village.start("follow-up", patient, { date: "2026-12-05", ...(links.includes("plan") ? { plan: "x" } : {}) });
    is(visit, "due", "ready", "Organization/clinic-1-1");
    is(await village.act(visit, code, { reason: "本人拒绝" }), to, status);
  }
});
