// Contracts 3.3: sixty-four clients at once, a hundred rounds of each kind, and exactly one of them is first.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { idCard, patient as resident } from "../support/county.mjs";
import { etag, parameters, people } from "../support/cases.mjs";
import { demo, menkou, root, rule } from "../support/server.mjs";

const CLIENTS = 64;
const ROUNDS = Number(process.env.MENKOU_RACES ?? 100);
const FEW = process.env.MENKOU_LONG ? 100 : 5; // rounds of what the contract does not name
const ID_CARD = "urn:oid:2.16.156.10011.1.3";
const ecg = { reason: "胸痛", urgency: "stat", consent: "written" };

let county, village, town, tech, readers, office, machine, patient;
before(async () => {
  county = await demo("--now", "2026-11-22T08:00:00+08:00", "--seed", "7");
  const who = people(county.server, county.accounts);
  const team = []; // one after the other: two log-ins at a time, further ones wait two seconds
  for (const name of ["village1", "town1", "tech1", "reader1", "reader3", "office1", "integrator1"]) team.push(await who(name));
  [village, town, tech, readers, office, machine] = [...team.slice(0, 3), team.slice(3, 5), ...team.slice(5)];
  const made = await village.post("/fhir/Patient", resident("单", "雄信", { birthDate: "1958-03-05" }));
  assert.equal(made.status, 201, made.text);
  patient = `Patient/${made.json().id}`;
});
after(async () => {
  if (!county) return;
  await county.server.stop();
  const check = menkou("check", "--replay", "--data", county.dir);
  assert.equal(check.code, 0, check.stdout);
});

const counts = (answers) => answers.reduce((n, r) => ({ ...n, [r.status]: (n[r.status] ?? 0) + 1 }), {});
const all = (send) => Promise.all(Array.from({ length: CLIENTS }, (_, i) => send(i)));
const only = (answers, status) => answers.find((r) => r.status === status).json();
const word = (code, ...more) => parameters({ name: "action", valueCode: code }, ...more);

/** The rounds of one kind, and how long they took. */
function rounds(t, n, round) {
  return (async () => {
    const begun = performance.now();
    for (let i = 0; i < n; i++) await round(i);
    t.diagnostic(`${n} rounds of ${CLIENTS} in ${((performance.now() - begun) / 1000).toFixed(1)} s`);
  })();
}

describe(`races of cases, ${ROUNDS} rounds`, () => {
  it("one slot is held by one case", async (t) => {
    const [slot] = await town.search("Slot?status=free&schedule.actor=HealthcareService/cardiology"
      + "&start=ge2026-11-22T09:00:00%2B08:00&_sort=start&_count=1");
    const form = await town.startBody("referral-up", patient, {
      reason: "1", diagnosis: "心梗", urgency: "stat", department: "HealthcareService/cardiology", letter: "请收治",
      slot: `Slot/${slot.id}`,
    });
    const drafts = (await all(() => town.post("/fhir/$start", form))).map((r) => r.json());
    await rounds(t, ROUNDS, async () => {
      const answers = await all((i) => town.send(drafts[i], word("submit")));
      assert.deepEqual(counts(answers), { 200: 1, 409: CLIENTS - 1 });
      assert.equal(rule(answers.find((r) => r.status === 409)), "slot-taken");
      const first = only(answers, 200);
      drafts[drafts.findIndex((d) => d.id === first.id)] = await office.act(first, "return", { reason: "再来" });
    });
    assert.equal((await machine.read("Slot", slot.id)).status, "free");
  });

  it("one reading is claimed by one reader", async (t) => {
    const recording = readFileSync(join(root, "tests/fixtures/ecg/synthetic.scp"));
    const started = await tech.start("remote-ecg", patient, ecg);
    const id = await tech.upload(recording, patient);
    let task = await tech.act(started, "acquire", { recording: { url: `Binary/${id}`, title: "r.scp" } });
    await rounds(t, ROUNDS, async () => {
      const answers = await all((i) => readers[i % 2].send(task, word("claim")));
      assert.deepEqual(counts(answers), { 200: 1, 409: CLIENTS - 1 });
      const mine = answers.findIndex((r) => r.status === 200) % 2;
      const released = await readers[mine].send(only(answers, 200), word("release"));
      assert.equal(released.status, 200, released.text);
      task = released.json();
    });
  });

  it("one ID card is registered once", async (t) => {
    await rounds(t, ROUNDS, async (round) => {
      const value = idCard("139901", "19700101", 998 - 2 * round); // even: a woman
      const body = resident("仇", "和", { identifier: [{ system: ID_CARD, value }], birthDate: "1970-01-01" });
      const answers = await all(() => village.post("/fhir/Patient", body));
      assert.deepEqual(counts(answers), { 201: 1, 409: CLIENTS - 1 });
      assert.equal((await machine.search(`Patient?identifier=${ID_CARD}|${value}`)).length, 1);
    });
  });

  it("one Idempotency-Key starts one case, and all hear of it", async (t) => {
    const body = await tech.startBody("remote-ecg", patient, ecg);
    const cases = async () => (await machine.get("/fhir/Task?_summary=count")).json().total;
    const before = await cases();
    await rounds(t, ROUNDS, async (round) => {
      const answers = await all(() => tech.post("/fhir/$start", body, { "Idempotency-Key": `race-${round}` }));
      assert.deepEqual(counts(answers), { 201: CLIENTS });
      assert.equal(new Set(answers.map((r) => r.text)).size, 1);
    });
    assert.equal(await cases(), before + ROUNDS);
  });
});

describe(`races of resources, ${FEW} rounds`, () => {
  it("If-None-Exist makes one", (t) => rounds(t, FEW, async (round) => {
    const body = resident("无", "一", { identifier: [{ system: "urn:test:race", value: `${round}` }] });
    const headers = { "If-None-Exist": `identifier=urn:test:race|${round}` };
    const answers = await all(() => machine.post("/fhir/Patient", body, headers));
    assert.deepEqual(counts(answers), { 200: CLIENTS - 1, 201: 1 });
    assert.equal(new Set(answers.map((r) => r.json().id)).size, 1);
  }));

  it("one Idempotency-Key makes one, and all hear of it", (t) => rounds(t, FEW, async (round) => {
    const answers = await all(() => machine.post("/fhir/Patient", resident("键", `${round}`), { "Idempotency-Key": `patient-${round}` }));
    assert.deepEqual(counts(answers), { 201: CLIENTS });
    assert.equal(new Set(answers.map((r) => r.text)).size, 1);
  }));

  it("one If-Match wins", async (t) => {
    let made = (await machine.post("/fhir/Patient", resident("配", "一"))).json();
    await rounds(t, FEW, async (round) => {
      const body = { ...made, multipleBirthInteger: round + 1 };
      const answers = await all(() => machine.http.put(`/fhir/Patient/${made.id}`, body, etag(made)));
      assert.deepEqual(counts(answers), { 200: 1, 412: CLIENTS - 1 });
      made = only(answers, 200);
    });
  });

  it("writes without If-Match all count", async () => {
    const made = (await machine.post("/fhir/Patient", resident("皆", "算"))).json();
    let n = 0; // what says nothing new makes no version
    const answers = await all(() => machine.http.put(`/fhir/Patient/${made.id}`, { ...made, multipleBirthInteger: ++n }));
    assert.deepEqual(counts(answers), { 200: CLIENTS });
    assert.equal((await machine.get(`/fhir/Patient/${made.id}`)).headers.etag, `W/"${CLIENTS + 1}"`);
  });
});
