// Contracts 1.4 and 3.1: $figures. Every number is computed here a second time, from the Tasks, their histories and
// the steps' Provenances as the API gives them; a package that is not in the repository is counted like any other;
// nobody counts what they may not see.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { people } from "../support/cases.mjs";
import { patient as resident } from "../support/county.mjs";
import { writePackage } from "../support/package.mjs";
import { demo, folder, menkou, serve } from "../support/server.mjs";

const START = "2026-11-22T08:00:00+08:00";
const FROM = "2026-11-01", TO = "2026-11-30";
const MINUTE = 60_000;
const lower = Date.parse(`${FROM}T00:00:00+08:00`), upper = Date.parse(`${TO}T00:00:00+08:00`) + 24 * 60 * MINUTE;
const within = (at) => at >= lower && at < upper;

const LOAN = [
  { code: "wanted", title: { zh: "申请数", en: "Wanted" }, kind: "count", numerator: { state: "wanted" } },
  { code: "lent-in-time", title: { zh: "及时借出率", en: "Lent in time" }, kind: "share", denominator: { state: "wanted" },
    numerator: { action: "lend", within: "%params.answer" }, institution: "receiver", direction: "more" },
  { code: "minutes", title: { zh: "用时", en: "Minutes" }, kind: "median-minutes", from: { state: "wanted" }, to: { action: "lend" } },
];

const own = folder("pathways");
let county, server, who, steps, cases;

before(async () => {
  writePackage(own, (files) => { files["indicators.json"] = LOAN; });
  county = await demo("--now", START, "--people", "300", "--seed", "11", "--pathways", own);
  server = county.server;
  who = people(server, county.accounts);
  await facts();
});
after(async () => {
  await server?.stop();
});

async function all(path) {
  const machine = await who("integrator1");
  const found = [];
  for (let next = path; next;) {
    const r = await machine.get(next.replace(server.url, ""));
    assert.equal(r.status, 200, r.text);
    found.push(...(r.json().entry ?? []).map((e) => e.resource));
    next = r.json().link.find((l) => l.relation === "next")?.url;
  }
  return found;
}

/** cases: id → Task; steps: id → [{code, at}] by time. */
async function facts() {
  cases = new Map((await all("/fhir/Task?_count=1000")).map((t) => [t.id, t]));
  steps = new Map([...cases.keys()].map((id) => [id, []]));
  for (const p of await all("/fhir/Provenance?_count=1000")) {
    const target = p.target.map((x) => x.reference.match(/^Task\/([^/]+)\/_history\/(\d+)/)).find(Boolean);
    const code = p.activity?.coding?.find((c) => c.system === "urn:menkou:action")?.code;
    if (target && code) steps.get(target[1]).push({ code, at: Date.parse(p.occurredDateTime), version: Number(target[2]) });
  }
  for (const list of steps.values()) list.sort((a, b) => a.at - b.at || a.version - b.version);
}

const pathway = (t) => t.code.coding[0].code;
const of = (name) => [...cases.values()].filter((t) => pathway(t) === name).map((t) => ({ task: t, steps: steps.get(t.id) }));
const firstIn = (c, ...codes) => c.steps.find((s) => codes.includes(s.code) && within(s.at));
const lastBefore = (c, step, ...codes) => c.steps.slice(0, c.steps.indexOf(step)).findLast((s) => codes.includes(s.code));
const median = (list) => {
  const s = [...list].sort((a, b) => a - b), m = s.length >> 1;
  return s.length % 2 ? s[m] : (s[m - 1] + s[m]) / 2;
};

const ask = async (person, more = "", period = `period-start=${FROM}&period-end=${TO}`) =>
  (await who(person)).get(`/fhir/MeasureReport/$figures?${period}${more}`);

/** "package:code" → {report, value, rows, count(population), strata(code)} */
async function figures(person, more, period) {
  const r = await ask(person, more, period);
  assert.equal(r.status, 200, r.text);
  const bundle = r.json();
  assert.equal(bundle.resourceType, "Bundle");
  return new Map(bundle.entry.map(({ resource }) => {
    const group = resource.group[0];
    const strata = (code) => group.stratifier?.find((s) => s.code[0].coding[0].code === code)?.stratum ?? [];
    const count = (code) => group.population.find((p) => p.code.coding[0].code === code)?.count;
    return [resource.measure.replace("urn:menkou:measure:", "").split("|")[0], {
      report: resource, value: group.measureScore.value, absent: group.measureScore.extension?.[0]?.valueCode, count, strata,
      rows: (resource.evaluatedResource ?? []).map((e) => e.reference.slice(5)).sort(),
    }];
  }));
}

const near = (a, b) => assert.ok(Math.abs(a - b) < 0.001, `${a} is not ${b}`);
const ids = (list) => list.map((c) => c.task.id).sort();

test("readings: how many, how long, how many in time, by urgency and by who asked", async () => {
  const got = await figures("integrator1", "&rows=20000");
  const read = of("remote-ecg").map((c) => ({ ...c, report: firstIn(c, "report") })).filter((c) => c.report);
  assert.ok(read.length > 5, "the demo has readings");
  const figure = got.get("remote-ecg:readings");
  assert.equal(figure.value, read.length);
  assert.deepEqual(figure.rows, ids(read));
  const timed = read.map((c) => ({ ...c, since: lastBefore(c, c.report, "acquire") })).filter((c) => c.since);
  const minutes = (c) => (c.report.at - c.since.at) / MINUTE;
  near(got.get("remote-ecg:report-minutes").value, median(timed.map(minutes)));
  const target = (c) => (["stat", "asap"].includes(c.task.priority) ? 15 : 30);
  const inTime = got.get("remote-ecg:report-in-time");
  assert.equal(inTime.count("numerator"), timed.filter((c) => minutes(c) <= target(c)).length);
  assert.equal(inTime.count("denominator"), read.length);
  for (const [list, code, key] of [
    [figure.strata("priority"), (s) => s.value.coding[0].code, (c) => c.task.priority],
    [figure.strata("institution"), (s) => `Organization/${s.value.coding[0].code}`, (c) => c.task.requester.reference],
  ]) {
    assert.deepEqual(Object.fromEntries(list.map((s) => [code(s), s.measureScore.value])),
      counted(read, key));
  }
});

function counted(list, key) {
  const out = {};
  for (const x of list) out[key(x)] = (out[key(x)] ?? 0) + 1;
  return out;
}

test("critical values: raised, acknowledged and acted in time; what may still be in time is not counted", async () => {
  const got = await figures("integrator1", "&rows=20000");
  const now = Date.parse([...got.values()][0].report.date);
  const raised = of("critical-value").map((c) => ({ ...c, at: firstIn(c, "raise") })).filter((c) => c.at);
  assert.ok(raised.length > 0);
  assert.deepEqual(got.get("critical-value:raised").rows, ids(raised));
  const judged = raised.map((c) => ({ ...c, done: c.steps.find((s) => s.code === "acknowledge"), end: c.at.at + 10 * MINUTE }))
    .filter((c) => (c.done && c.done.at <= c.end) || now > c.end || c.task.status === "completed");
  const share = got.get("critical-value:acknowledged-in-time");
  assert.equal(share.count("denominator"), judged.length);
  assert.equal(share.count("numerator"), judged.filter((c) => c.done && c.done.at <= c.end).length);
  near(share.value, share.count("numerator") / share.count("denominator"));
});

test("referrals: up, booked, refused, returned, redirected, time to accept; the way of each", async () => {
  const got = await figures("integrator1", "&rows=20000");
  const up = of("referral-up");
  const submitted = up.map((c) => ({ ...c, at: firstIn(c, "submit", "redirected") })).filter((c) => c.at);
  assert.deepEqual(got.get("referral-up:up").rows, ids(submitted));
  assert.equal(got.get("referral-up:booked").count("numerator"), submitted.filter((c) => c.steps.some((s) => s.code === "accept" && s.at >= c.at.at)).length);
  for (const [code, action] of [["rejected", "reject"], ["returned", "return"], ["redirected", "redirect"], ["arrived", "arrive"]]) {
    assert.equal(got.get(`referral-up:${code}`).value, up.filter((c) => firstIn(c, action)).length, code);
  }
  const waits = up.map((c) => [c, firstIn(c, "accept")]).filter(([, a]) => a)
    .map(([c, a]) => [a, lastBefore(c, a, "submit", "redirected")]).filter(([, s]) => s).map(([a, s]) => (a.at - s.at) / MINUTE);
  near(got.get("referral-up:accept-minutes").value, median(waits));
  const ways = got.get("referral-up:up").strata("path");
  assert.equal(ways.reduce((n, s) => n + s.measureScore.value, 0), submitted.length);
  for (const s of ways) assert.deepEqual(s.component.map((c) => c.code.coding[0].code), ["requester", "receiver", "state"]);
  const closed = ways.filter((s) => s.component[2].value.coding[0].code === "closed").reduce((n, s) => n + s.measureScore.value, 0);
  assert.equal(closed, submitted.filter((c) => c.task.businessStatus.coding[0].code === "closed").length);
});

test("follow-ups: due by their day, done, done in time, missed", async () => {
  const got = await figures("integrator1", "&rows=20000");
  const now = Date.parse([...got.values()][0].report.date);
  const list = [];
  for (const c of of("follow-up")) {
    const first = new Map();
    const history = (await all(`/fhir/Task/${c.task.id}/_history?_count=1000`)).reverse();
    for (const d of history.flatMap((v) => v.extension ?? []).filter((e) => e.url === "urn:menkou:deadline")) {
      const at = (name) => d.extension.find((x) => x.url === name);
      const name = at("name").valueCode;
      if (!first.has(name)) first.set(name, Date.parse(at("due").valueDateTime));
    }
    list.push({ ...c, first });
  }
  const due = list.filter((c) => within(c.first.get("due")));
  assert.ok(due.length > 0);
  assert.deepEqual(got.get("follow-up:due").rows, ids(due));
  assert.equal(got.get("follow-up:done").value, list.filter((c) => firstIn(c, "do")).length);
  const grace = (c) => c.first.get("miss");
  const inTime = (c) => c.steps.some((s) => s.code === "do" && s.at <= grace(c));
  const ended = (c) => ["completed", "rejected", "failed"].includes(c.task.status);
  const judged = due.filter((c) => inTime(c) || now > grace(c) || ended(c));
  const share = got.get("follow-up:done-in-time");
  assert.equal(share.count("denominator") ?? 0, judged.length);
  assert.equal(share.count("numerator") ?? 0, judged.filter(inTime).length);
});

test("every report is valid FHIR and its parts make the whole", async () => {
  const machine = await who("integrator1");
  for (const [name, f] of await figures("integrator1", "&interval=week")) {
    const r = await machine.post("/fhir/MeasureReport/$validate", f.report);
    assert.ok(!r.json().issue.some((i) => ["error", "fatal"].includes(i.severity)), `${name}: ${r.text}`);
    if (f.value !== undefined && f.report.extension.some((e) => e.valueCode === "count")) {
      for (const code of ["institution", "interval"]) {
        assert.equal(f.strata(code).reduce((n, s) => n + s.measureScore.value, 0), f.value, `${name} ${code}`);
      }
    }
  }
});

test("nothing there is nothing known, never 0", async () => {
  for (const [name, f] of await figures("integrator1", "", "period-start=1990-01-01&period-end=1990-12-31")) {
    assert.equal(f.value, undefined, name);
    assert.equal(f.absent, "unknown", name);
    assert.deepEqual(f.rows, [], name);
    assert.ok(f.report.group[0].population.every((p) => p.count === undefined), name);
  }
});

test("a package that is not in the repository is counted; another clock does not move what happened", async () => {
  const town = await who("town1"), office = await who("office1");
  const made = await town.post("/fhir/Patient", resident("上官", "婉"));
  assert.equal(made.status, 201, made.text);
  const loan = () => town.start("oxygen-loan", `Patient/${made.json().id}`, { days: 30, lender: "Organization/county-hospital" });
  const lent = await loan(), open = await loan();
  await office.act(lent, "lend", { machine: "A1" });
  const before = await figures("town1");
  assert.equal(before.get("oxygen-loan:wanted").value, 2);
  assert.deepEqual(before.get("oxygen-loan:wanted").rows, [lent.id, open.id].sort());
  const share = before.get("oxygen-loan:lent-in-time");
  assert.deepEqual([share.count("denominator"), share.count("numerator"), share.value], [1, 1, 1]);
  assert.equal(share.strata("institution")[0].value.coding[0].code, "county-hospital");
  assert.ok(before.get("oxygen-loan:minutes").value < 5);

  await server.stop();
  server = await serve(county.dir, "--now", "2026-11-22T14:00:00+08:00", "--pathways", own);
  who = people(server, county.accounts);
  const later = await figures("town1");
  assert.equal(later.get("oxygen-loan:wanted").value, 2);
  const judged = later.get("oxygen-loan:lent-in-time");
  assert.deepEqual([judged.count("denominator"), judged.count("numerator"), judged.value], [2, 1, 0.5]);

  // The second township: not this patient's, by no figure and no row.
  for (const person of ["town2", "village2", "tech2"]) {
    const other = await figures(person, "&rows=20000");
    for (const [name, f] of other) {
      assert.ok(!f.rows.includes(lent.id) && !f.rows.includes(open.id), `${person} ${name}`);
    }
    assert.equal(other.get("oxygen-loan:wanted").value, undefined, person);
  }
});

test("a township counts what it takes part in, the consortium's office the whole", async () => {
  await facts();
  const whole = await figures("integrator1", "&rows=20000");
  const office = await figures("consortium1", "&rows=20000");
  assert.deepEqual(office.get("remote-ecg:readings").rows, whole.get("remote-ecg:readings").rows);
  const mine = await figures("town1", "&rows=20000");
  const rows = mine.get("remote-ecg:readings").rows;
  assert.ok(rows.length > 0);
  assert.deepEqual(rows, whole.get("remote-ecg:readings").rows.filter((id) => cases.get(id).requester.reference === "Organization/township-1"));
  const narrowed = await figures("consortium1", "&rows=20000&organization=Organization/township-1");
  assert.deepEqual(narrowed.get("remote-ecg:readings").rows, rows);
  for (const id of rows.slice(0, 3)) assert.equal((await (await who("town1")).get(`/fhir/Task/${id}`)).status, 200);
});

test("who asks for another's, or is an administrator, is refused; what is asked wrongly is named", async () => {
  assert.equal((await ask("town1", "&organization=Organization/township-2")).status, 403);
  assert.equal((await ask("consortium1", "&organization=Organization/none")).status, 404);
  for (const person of ["system1", "security1", "audit1"]) {
    assert.equal((await ask(person)).status, 403, person);
  }
  for (const [more, period] of [["&interval=year"], ["&rows=-1"], ["&level=x"], ["&subject=1"],
    ["", "period-start=2026-11-01"], ["", "period-start=soon&period-end=2026-11-30"], ["", "period-start=2026-11-30&period-end=2026-11-01"]]) {
    const r = await ask("consortium1", more, period);
    assert.equal(r.status, 400, `${more} ${period}: ${r.text}`);
    assert.ok(r.json().issue[0].expression?.[0] ?? r.json().issue[0].location, r.text);
  }
  assert.equal((await ask("consortium1", "&measure=urn:menkou:measure:none:none")).status, 404);
  const one = await figures("consortium1", "&measure=urn:menkou:measure:remote-ecg:readings&rows=1");
  assert.deepEqual([...one.keys()], ["remote-ecg:readings"]);
  assert.equal(one.get("remote-ecg:readings").rows.length, 1);
});

test("without indicators.json a package is counted by its beginnings and ends; a damaged cache is made again", async () => {
  const plain = folder("plain");
  writePackage(plain);
  await server.stop();
  writeFileSync(join(county.dir, "insight.db"), "no database");
  server = await serve(county.dir, "--now", "2026-11-22T15:00:00+08:00", "--pathways", plain);
  who = people(server, county.accounts);
  const got = await figures("town1");
  assert.deepEqual([got.get("oxygen-loan:begun").value, got.get("oxygen-loan:state-lent").value], [2, 1]);
  assert.ok(got.get("remote-ecg:readings").value > 0);
});

test("lint names what an indicator says wrongly", () => {
  const wrong = (change, says) => {
    const dir = folder("wrong");
    const r = menkou("pathway", "lint", writePackage(dir, (files) => { files["indicators.json"] = structuredClone(LOAN); change(files["indicators.json"]); }));
    assert.equal(r.code, 1, r.stdout + r.stderr);
    assert.match(r.stdout + r.stderr, says);
  };
  wrong((l) => { l[0].numerator.state = "gone"; }, /indicators\.json: \$\[0\]\.numerator\.state.*unknown state/);
  wrong((l) => { l[1].numerator.action = "gone"; }, /unknown action/);
  wrong((l) => { l[1].numerator.within = "%params.nothing"; }, /%params\.nothing/);
  wrong((l) => { l[1].numerator.within = "%task.priority"; }, /%task/);
  wrong((l) => { delete l[0].title.en; }, /English text is missing/);
  wrong((l) => { l[2].kind = "mean"; }, /kind is count, share or median-minutes/);
  wrong((l) => { delete l[2].from; }, /a member is missing/);
  wrong((l) => { l[0].numerator.deadline = "answer"; }, /exactly one of action, state and deadline/);
});
