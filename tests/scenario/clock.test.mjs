// Contracts 1.3, 1.7 and 3.1: leases, deadlines and holds when the clock has moved on; a package that is not in the
// repository; what `menkou demo` promises of its directory.
import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { idCard, patient as resident } from "../support/county.mjs";
import { claimant, held, people, state } from "../support/cases.mjs";
import { writePackage } from "../support/package.mjs";
import { demo, folder, menkou, root, rule, serve, until } from "../support/server.mjs";

const START = "2026-11-22T08:00:00+08:00";
const own = folder("pathways");
const packages = ["--pathways", own];
const recording = readFileSync(join(root, "tests/fixtures/ecg/synthetic.scp"));
let county, server, who, patient;

before(async () => {
  writePackage(own);
  county = await demo("--now", START, "--seed", "7", ...packages);
  server = county.server;
  who = people(server, county.accounts);
  const r = await (await who("village1")).post("/fhir/Patient", resident("单", "雄信", {
    identifier: [{ system: "urn:oid:2.16.156.10011.1.3", value: idCard("139901", "19620305", 512) }],
  }));
  assert.equal(r.status, 201, r.text);
  patient = `Patient/${r.json().id}`;
});
after(async () => {
  await server?.stop();
});

/** The same county at a later moment. */
async function later(now) {
  await server.stop();
  server = await serve(county.dir, "--now", now, ...packages);
  who = people(server, county.accounts);
}

const machine = () => who("integrator1");
const task = async (id) => (await machine()).read("Task", id);
const versions = async (id) => (await (await machine()).get(`/fhir/Task/${id}/_history?_count=100`)).json().entry.length;
const settled = (id, to) => until(`the case is ${to}`, async () => {
  const now = await task(id);
  return state(now) === to && now;
}, 15_000);

async function acquired() {
  const tech = await who("tech1");
  const made = await tech.start("remote-ecg", patient, { reason: "胸痛", urgency: "stat", consent: "written" });
  const id = await tech.upload(recording, patient);
  return tech.act(made, "acquire", { recording: { url: `Binary/${id}`, title: "r.scp" } });
}

async function submitted(urgency = "stat") {
  const town = await who("town1");
  const [slot] = await town.search("Slot?status=free&schedule.actor=HealthcareService/cardiology"
    + "&start=ge2026-11-22T09:00:00%2B08:00&_sort=start&_count=1");
  const draft = await town.start("referral-up", patient, { reason: "1", diagnosis: "心梗", urgency,
    department: "HealthcareService/cardiology", slot: `Slot/${slot.id}`, letter: "请收治" });
  return town.act(draft, "submit");
}

const ids = {};

test("a package of the county's own is linted, played, started, escalated, acted, shown and printed", async () => {
  for (const what of ["lint", "test"]) {
    const r = menkou("pathway", what, join(own, "oxygen-loan"));
    assert.equal(r.code, 0, r.stdout + r.stderr);
  }
  const broken = folder("broken");
  const wrong = menkou("pathway", "lint", writePackage(broken, (f) => (f["pathway.json"].actions[0].to = "nowhere")));
  assert.equal(wrong.code, 1, wrong.stdout + wrong.stderr);
  const [town, office] = [await who("town1"), await who("office1")];
  const pathways = await office.get("/fhir/$pathways", { "Accept-Language": "zh-CN" });
  assert.match(pathways.text, /oxygen-loan/);
  assert.match(pathways.text, /氧疗机待借出/);
  const values = { days: 30, lender: "Organization/county-hospital" };
  const tooLong = await town.post("/fhir/$start", await town.startBody("oxygen-loan", patient, { ...values, days: 91 }));
  assert.deepEqual([tooLong.status, rule(tooLong), tooLong.json().issue[0].expression], [422, "not-so-long", ["days"]]);
  const loan = await town.start("oxygen-loan", patient, values);
  assert.deepEqual([state(loan), loan.status, loan.owner.reference, loan.priority], ["wanted", "requested", "Organization/county-hospital", "urgent"]);
  assert.equal(loan.businessStatus.coding[0].system, "urn:menkou:state:oxygen-loan");
  assert.deepEqual(await office.codes(loan), ["lend"]);
  assert.deepEqual(await town.codes(loan), []);
  ids.loan = loan.id;
  const direct = await office.act(await town.start("oxygen-loan", patient, values), "lend", { machine: "A-7" });
  assert.deepEqual([state(direct), direct.status], ["lent", "completed"]);
  const slip = await office.get(`/print/Task/${direct.id}/slip`);
  assert.equal(slip.status, 200, slip.text);
  assert.match(slip.text, /单雄信 A-7/);
});

test("before anything is due nothing fires", async () => {
  const [reader, office, town, doctor] = [await who("reader1"), await who("office1"), await who("town1"), await who("doctor1")];
  ids.lease = (await reader.act(await acquired(), "claim")).id;
  const reading = await reader.act(await acquired(), "claim");
  await reader.act(reading, "report", { finding: "x", conclusion: "长停搏", critical: true, "critical-finding": "pause" });
  const [alarm] = await town.search(`Task?code=urn:menkou:pathway|critical-value&business-status=raised&subject=${patient}`);
  ids.alarm = alarm.id;
  ids.hold = (await submitted()).id;
  ids.visit = (await office.act(await submitted("routine"), "accept")).id;
  const down = await doctor.start("referral-down", patient, { clinic: "Organization/clinic-1-1", plan: "随访", "first-date": "2026-11-25" });
  await town.act(await town.act(down, "accept"), "receive");
  const [due] = await (await who("village1")).search(`Task?code=urn:menkou:pathway|follow-up&business-status=due&subject=${patient}`);
  ids.followUp = due.id;
  await later("2026-11-22T08:04:30+08:00");
  for (const [name, to] of [["lease", "reading"], ["alarm", "raised"], ["hold", "submitted"], ["visit", "accepted"], ["loan", "wanted"]]) {
    assert.equal(state(await task(ids[name])), to, name);
  }
});

test("the first escalation comes at its minute, to a function of the receiver", async () => {
  const before = (await task(ids.alarm)).meta.versionId;
  await later("2026-11-22T08:05:30+08:00");
  await until("the alarm is escalated", async () => (await task(ids.alarm)).meta.versionId !== before);
  const alarm = await task(ids.alarm);
  assert.equal(state(alarm), "raised", "an escalation moves no state");
  assert.notEqual(alarm.meta.versionId, before);
  const calls = (await (await machine()).search(`Communication?subject=${patient}&_sort=sent`))
    .filter((c) => c.about?.some((a) => a.reference === `Task/${ids.alarm}`));
  assert.equal(calls.length, 2, "raised, and escalated once");
  assert.ok(calls[1].recipient.every((r) => /^(PractitionerRole|Organization)\//.test(r.reference)));
});

test("after a standstill everything overdue fires once, in the order of its deadlines", async () => {
  await later("2026-11-22T12:00:00+08:00");
  const lease = await settled(ids.lease, "acquired");
  assert.equal(lease.status, "ready");
  assert.equal(claimant(lease), undefined);
  const loan = await settled(ids.loan, "overdue");
  assert.equal(loan.status, "on-hold");
  await until("the slot is free", async () => !held(await task(ids.hold), "slot"));
  const hold = await task(ids.hold);
  assert.equal(state(hold), "submitted", "the referral stays");
  assert.equal(held(hold, "slot"), undefined, "its slot is free again");
  const order = [];
  const r = await (await machine()).get("/fhir/Task/_history?_count=100");
  for (const { resource } of r.json().entry.reverse()) {
    const name = Object.keys(ids).find((n) => ids[n] === resource.id);
    if (name && resource.meta.lastUpdated >= "2026-11-22T12:00") order.push(name);
  }
  const first = (name) => order.indexOf(name);
  assert.ok(first("alarm") < first("lease") && first("lease") < first("hold"), order.join(" "));
  const before = Object.fromEntries(await Promise.all(Object.entries(ids).map(async ([n, id]) => [n, await versions(id)])));
  await later("2026-11-22T12:00:10+08:00");
  for (const name of ["lease", "hold", "loan", "visit", "followUp"]) {
    assert.equal(await versions(ids[name]), before[name], `${name} fired again`);
  }
  const other = await who("reader3");
  assert.equal(state(await other.act(await task(ids.lease), "claim")), "reading", "somebody else takes it over");
  const office = await who("office1");
  const lent = await office.act(await task(ids.loan), "lend", { machine: "B-2" });
  assert.equal(state(lent), "lent");
});

test("days later: no-show and a missed follow-up, by the clock; done late it is done", async () => {
  await later("2027-01-15T09:00:00+08:00");
  const visit = await settled(ids.visit, "no-show");
  assert.equal(visit.status, "failed");
  const missed = await settled(ids.followUp, "missed");
  assert.equal(missed.status, "on-hold");
  const village = await who("village1");
  const done = await village.act(missed, "do", { systolic: 150, diastolic: 95, "next-date": null });
  assert.deepEqual([state(done), done.status], ["done", "completed"]);
  const slots = (await (await machine()).search("Slot?status:not=free&_count=1000")).map((s) => `Slot/${s.id}`).sort();
  const cases = await (await machine()).search("Task?code=urn:menkou:pathway|referral-up&_count=1000");
  assert.deepEqual(slots, cases.map((t) => held(t, "slot")).filter(Boolean).sort());
});

test("stopped, the log is whole and every case walked its package, the county's own too", async () => {
  await server.stop();
  const r = menkou("check", "--data", county.dir, "--replay", ...packages);
  assert.equal(r.code, 0, r.stdout + r.stderr);
});

test("the directory of a demo: continued, never somebody else's, discarded only when told", async () => {
  assert.equal(statSync(join(county.dir, "accounts.json")).mode & 0o777, 0o600);
  const foreign = folder("foreign");
  writeFileSync(join(foreign, "thesis.txt"), "mine");
  for (const more of [[], ["--fresh"]]) {
    assert.equal(menkou("demo", "--data", foreign, "--people", "50", "--make-only", ...more).code, 3);
    assert.equal(readFileSync(join(foreign, "thesis.txt"), "utf8"), "mine");
  }
  const real = join(folder("real"), "county");
  assert.equal(menkou("init", "--data", real).code, 0);
  assert.equal(menkou("demo", "--data", real, "--make-only", "--fresh").code, 3);
  const again = await serve(county.dir, "--now", "2027-01-15T10:00:00+08:00", ...packages);
  for (const more of [[], ["--fresh"]]) {
    const r = menkou("demo", "--data", county.dir, "--people", "50", "--listen", "127.0.0.1:0", ...more);
    assert.equal(r.code, 3, `beside a running server ${more}: ${r.stderr}`);
  }
  assert.equal((await people(again, county.accounts)("integrator1").then((p) => p.get(`/fhir/${patient}`))).status, 200);
  await again.stop();
  assert.equal(menkou("demo", "--data", foreign, "--people", "several").code, 2);
});

test("the same people, seed and moment give the same bytes", () => {
  const made = ["a", "b"].map((name) => {
    const dir = join(folder(name), "county");
    const r = menkou("demo", "--data", dir, "--people", "60", "--seed", "5", "--now", START, "--make-only");
    assert.equal(r.code, 0, r.stderr);
    return menkou("export", "--data", dir).stdout;
  });
  assert.ok(made[0].length > 100_000);
  assert.ok(made[0] === made[1], "two exports differ");
});
