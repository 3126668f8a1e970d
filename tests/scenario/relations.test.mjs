// Relations of care end by the clock or with what made them: a catchment that was left, a case that is closed; and they
// belong to the post a person acts in. (Visits: visit.test.mjs; breaking the glass: glass.test.mjs.)
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { county, patient } from "../support/county.mjs";
import { people } from "../support/cases.mjs";
import { demo, login, serve } from "../support/server.mjs";

const START = Date.parse("2026-11-22T00:00:00Z");
const on = (day) => ["--now", new Date(START + day * 86400_000).toISOString()];

let c;
before(async () => {
  c = await county(...on(0));
});
after(() => c?.close());

const sees = async (person, id) => (await person.get(`/fhir/Patient/${id}`)).status === 200;

test("who moves away is seen by the old township for the time of a handover, by the new one at once", async () => {
  const body = { ...patient("刘", "桂芝"), managingOrganization: { reference: "Organization/t1" } };
  const made = await c.people.village1.post("/fhir/Patient", body);
  assert.equal(made.status, 201, made.text);
  const id = made.json().id;
  assert.deepEqual([await sees(c.people.township1, id), await sees(c.people.township2, id)], [true, false]);
  const moved = await c.people.township1.put(`/fhir/Patient/${id}`, { ...made.json(), managingOrganization: { reference: "Organization/t2" } });
  assert.equal(moved.status, 200, moved.text);
  assert.deepEqual([await sees(c.people.township1, id), await sees(c.people.township2, id)], [true, true]);
  for (const [day, old] of [[29, true], [31, false]]) {
    await c.server.stop();
    c.server = await serve(c.dir, ...on(day));
    for (const [name, expected] of [["village1", old], ["township1", old], ["township2", true], ["village2", false]]) {
      const person = await login(c.server, { username: name, password: "Doorstep-2026" });
      assert.equal(await sees(person, id), expected, `${name} on day ${day}`);
      const found = await person.get(`/fhir/Patient?_id=${id}&_total=accurate`);
      assert.equal(found.json().total, expected ? 1 : 0, `${name} on day ${day}`);
      person.close();
    }
  }
});

test("sight belongs to the post that is acted in", async () => {
  const machine = await login(c.server, c.machineAccount);
  const person = await login(c.server, { username: "village2", password: "Doorstep-2026" });
  const made = await login(c.server, { username: "village1", password: "Doorstep-2026" })
    .then((p) => p.post("/fhir/Patient", patient("周", "平")));
  const id = made.json().id;
  await machine.keep({ resourceType: "PractitionerRole", id: "second", active: true, practitioner: { reference: person.user.practitioner },
    organization: { reference: "Organization/v1" }, code: [{ coding: [{ system: "urn:menkou:role", code: "village-doctor" }] }] });
  const both = await login(c.server, { username: "village2", password: "Doorstep-2026" });
  assert.equal(both.user.roles.length, 2);
  const at = (organization) => both.user.roles.find((p) => p.organization === organization || p.organization?.reference === organization);
  for (const [organization, expected] of [["Organization/v2", false], ["Organization/v1", true], ["Organization/v2", false]]) {
    const chosen = await both.post("/auth/role", { post: at(organization).post });
    assert.equal(chosen.status, 200, chosen.text);
    assert.equal(await sees(both, id), expected, organization);
  }
  for (const p of [machine, person, both]) p.close();
});

test("a case opens the record to the receiver and closes it again", async () => {
  const here = await demo(...on(0), "--seed", "7");
  try {
    const who = people(here.server, here.accounts);
    const [village, town, office] = [await who("village1"), await who("town1"), await who("office1")];
    const made = await village.post("/fhir/Patient", patient("单", "雄信"));
    assert.equal(made.status, 201, made.text);
    const id = made.json().id, subject = `Patient/${id}`;
    const slots = await town.search("Slot?status=free&schedule.actor=HealthcareService/cardiology&start=ge2026-11-22T09:00:00%2B08:00&_sort=start&_count=2");
    const start = (slot) => town.start("referral-up", subject, { reason: "1", diagnosis: "心梗", urgency: "stat", department: "HealthcareService/cardiology",
      slot: `Slot/${slot.id}`, letter: "请收治" });
    const county = async () => [await sees(office, id), (await office.search(`Task?subject=${subject}`)).length > 0,
      (await office.get(`/fhir/${subject}/$everything`)).status === 200];
    let up = await start(slots[0]);
    assert.deepEqual(await county(), [false, false, false], "a draft is addressed to nobody");
    up = await town.act(up, "submit");
    assert.deepEqual(await county(), [true, true, true]);
    up = await office.act(up, "reject", { reason: "可在乡镇处理" });
    assert.deepEqual(await county(), [false, false, false], "rejected: closed again");
    let second = await town.act(await start(slots[1]), "submit");
    second = await office.act(second, "accept");
    assert.deepEqual(await county(), [true, true, true]);
    assert.equal(await sees(await who("reader1"), id), true, "the whole hospital that receives");
    assert.equal(await sees(await who("town2"), id), false);
  } finally {
    await here.server.stop();
  }
});
