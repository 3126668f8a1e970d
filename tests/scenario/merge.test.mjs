// Patient/$merge and $unmerge: two records of one person, found by either, and exactly what they were after it is undone.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { county, patient } from "../support/county.mjs";
import { login, rule, serve, until } from "../support/server.mjs";

let c, machine, office, old, now;
const ask = (source, target, ...more) => ({ resourceType: "Parameters", parameter: [
  { name: "source-patient", valueReference: { reference: `Patient/${source}` } }, { name: "target-patient", valueReference: { reference: `Patient/${target}` } }, ...more] });
const merge = (person, ...args) => person.post("/fhir/Patient/$merge", ask(...args));
const unmerge = (person, ...args) => person.post("/fhir/Patient/$unmerge", ask(...args));
const ids = async (path, person = machine) => {
  const r = await person.get(path);
  assert.equal(r.status, 200, r.text);
  return (r.json().entry ?? []).map((e) => e.resource.id).sort();
};
/** The body as it was written: all but what each version has of its own. */
const content = (r) => r.text.replace(/"versionId":"[^"]*"|"lastUpdated":"[^"]*"/g, "");

before(async () => {
  c = await county();
  machine = c.machine;
  office = c.people.consortium;
  old = (await c.people.village1.post("/fhir/Patient", patient("钱", "守正"))).json().id;
  now = (await c.people.village2.post("/fhir/Patient", patient("钱", "守政"))).json().id;
  for (const [id, who] of [["mine", old], ["theirs", now], ["other", (await c.people.village2.post("/fhir/Patient", patient("孙", "英"))).json().id]]) {
    await machine.keep({ resourceType: "Observation", id, status: "final", code: { text: "x" }, subject: { reference: `Patient/${who}` } });
  }
});
after(() => c?.close());

test("merged, both records are one person in every search, and undone they are what they were", async () => {
  const before = await Promise.all([old, now].map((id) => machine.get(`/fhir/Patient/${id}`)));
  assert.deepEqual(await ids(`/fhir/Observation?patient=${old}`), ["mine"]);
  assert.deepEqual(await ids(`/fhir/Observation?patient=${old}`, c.people.village2), [], "a stranger until then");
  const preview = await merge(office, old, now, { name: "preview", valueBoolean: true });
  assert.equal(preview.status, 200, preview.text);
  assert.deepEqual(content(await machine.get(`/fhir/Patient/${old}`)), content(before[0]), "a preview changes nothing");
  const merged = await merge(office, old, now);
  assert.equal(merged.status, 200, merged.text);
  const source = (await machine.get(`/fhir/Patient/${old}`)).json(), target = (await machine.get(`/fhir/Patient/${now}`)).json();
  assert.equal(source.active, false);
  assert.deepEqual(source.link, [{ other: { reference: `Patient/${now}` }, type: "replaced-by" }]);
  assert.deepEqual(target.link, [{ other: { reference: `Patient/${old}` }, type: "replaces" }]);
  assert.deepEqual(merged.json().parameter.find((p) => p.name === "result").resource, target);
  assert.ok((await ids(`/fhir/Patient?_id=${old}`)).includes(now), "the old id finds the survivor");
  for (const query of [`patient=${old}`, `patient=${now}`, `subject=Patient/${old}`, `subject:Patient=${now}`]) {
    assert.deepEqual(await ids(`/fhir/Observation?${query}`), ["mine", "theirs"], query);
  }
  assert.deepEqual((await machine.get(`/fhir/Observation/mine`)).json().subject.reference, `Patient/${old}`, "references are never rewritten");
  for (const person of [c.people.village1, c.people.village2]) assert.deepEqual(await ids(`/fhir/Observation?patient=${now}`, person), ["mine", "theirs"], "who sees one sees the other");
  assert.equal((await merge(office, old, now)).status, 409);
  const undone = await unmerge(office, old, now);
  assert.equal(undone.status, 200, undone.text);
  for (const [i, id] of [old, now].entries()) assert.equal(content(await machine.get(`/fhir/Patient/${id}`)), content(before[i]), "byte for byte");
  assert.deepEqual(await ids(`/fhir/Observation?patient=${old}`), ["mine"]);
  assert.deepEqual(await ids(`/fhir/Observation?patient=${now}`, c.people.village1), [], "a stranger again");
  assert.equal((await unmerge(office, old, now)).status, 409);
});

test("it is one person in chains, _has, _revinclude, compartments, $everything, $lastn, exports; a stranger learns nothing", async () => {
  const stranger = c.people.doctor;
  const hidden = await stranger.get(`/fhir/Observation?patient=${old}`);
  const coded = (id, who, value) => machine.keep({ resourceType: "Observation", id, status: "final", category: [{ text: "x" }], code: { coding: [{ system: "urn:x", code: "bp" }] },
    subject: { reference: `Patient/${who}` }, effectiveDateTime: `2026-0${value}-01`, valueQuantity: { value, unit: "kg", system: "http://unitsofmeasure.org", code: "kg" } });
  await coded("of-old", old, 1);
  await coded("of-now", now, 2);
  await machine.keep({ resourceType: "Group", id: "merged", type: "person", actual: true, member: [{ entity: { reference: `Patient/${now}` } }] });
  assert.equal((await merge(office, old, now)).status, 200);
  const both = ["of-now", "of-old"];
  for (const query of [`Observation?patient._id=${old}&code=bp`, `Observation?subject:Patient.name=${encodeURIComponent("钱守政")}&code=bp`, `Observation?patient.name=${encodeURIComponent("钱守正")}&code=bp`,
    `Patient/${old}/Observation?code=bp`, `Patient/${now}/Observation?code=bp`]) {
    assert.deepEqual(await ids(`/fhir/${query}`), both, query);
  }
  for (const by of ["code=bp&_has:Observation:patient:_id=of-old", "_has:Observation:patient:_id=of-now"].map((q) => q.replace("code=bp&", ""))) {
    assert.deepEqual((await ids(`/fhir/Patient?${by}`)), [old, now].sort(), by);
  }
  const chart = await ids(`/fhir/Patient?_id=${now}&_revinclude=Observation:patient`);
  for (const id of [old, now, "mine", "theirs", ...both]) assert.ok(chart.includes(id), id);
  assert.deepEqual(await ids(`/fhir/Patient?name=${encodeURIComponent("钱守政")}&_revinclude=Observation:patient`), [now, "mine", "theirs", ...both].sort(), "also from the one record");
  for (const id of [old, now]) {
    const all = await ids(`/fhir/Patient/${id}/$everything?_type=Patient,Observation`);
    assert.deepEqual(all, [old, now, "mine", "theirs", ...both].sort());
  }
  assert.deepEqual(await ids(`/fhir/Observation/$lastn?patient=${old}&code=bp`), ["of-now"], "one subject");
  const stats = (await machine.get(`/fhir/Observation/$stats?subject=Patient/${old}&system=urn:x&code=bp&statistic=count&duration=24000`)).text;
  assert.match(stats, /"value":2\b/);
  const kick = await machine.get("/fhir/Group/merged/$export?_type=Observation", { Prefer: "respond-async" });
  const manifest = await until("exported", async () => { const r = await machine.get(new URL(kick.headers["content-location"]).pathname); return r.status === 200 && r.json(); });
  const lines = (await machine.get(new URL(manifest.output[0].url).pathname)).text;
  for (const id of ["mine", "theirs", ...both]) assert.ok(lines.includes(`"id":"${id}"`), id);
  // What is found by either is not told to who sees neither: not even that there is another record.
  const now1 = await stranger.get(`/fhir/Observation?patient=${old}`);
  assert.equal(now1.json().entry, undefined);
  assert.deepEqual(now1.json().link, hidden.json().link);
  assert.ok(!now1.text.includes(now));
  assert.equal((await unmerge(office, old, now)).status, 200);
  assert.deepEqual(await ids(`/fhir/Patient/${old}/Observation?code=bp`), ["of-old"]);
  for (const id of both) await machine.del(`/fhir/Observation/${id}`);
});

test("what is granted while they are one opens both, and ends with its case or with the merge", async () => {
  const [village1, doctor] = [c.people.village1, c.people.doctor];
  assert.equal((await merge(office, old, now)).status, 200);
  assert.equal((await doctor.get(`/fhir/Patient/${old}`)).status, 404);
  const visit = await doctor.post("/fhir/Encounter", { resourceType: "Encounter", status: "in-progress", class: { code: "AMB" }, subject: { reference: `Patient/${now}` } });
  assert.equal(visit.status, 201, visit.text);
  for (const id of [old, now]) assert.equal((await doctor.get(`/fhir/Patient/${id}`)).status, 200, id);
  assert.deepEqual(await ids(`/fhir/Observation?patient=${now}&_id=mine`, doctor), ["mine"], "written under the old id");
  assert.equal((await unmerge(office, old, now)).status, 200);
  assert.equal((await doctor.get(`/fhir/Patient/${now}`)).status, 200, "the visit stays");
  assert.equal((await doctor.get(`/fhir/Patient/${old}`)).status, 404, "and opens the one record only");
  assert.equal((await doctor.get("/fhir/Observation/mine")).status, 404);
  // A link by hand is a merge by another door.
  const mine = (await village1.get(`/fhir/Patient/${old}`)).json();
  const byHand = { ...mine, link: [{ other: { reference: `Patient/${mine.id}x` }, type: "replaced-by" }] };
  assert.equal((await village1.put(`/fhir/Patient/${old}`, byHand)).status, 404, "to who is not seen");
  const own = (await village1.post("/fhir/Patient", patient("吴", "九"))).json();
  const linked = await village1.put(`/fhir/Patient/${own.id}`, { ...own, link: [{ other: { reference: `Patient/${old}` }, type: "replaced-by" }] });
  assert.equal(linked.status, 403, linked.text);
  assert.equal(rule(linked), "link-by-merge");
});

test("what was changed meanwhile stays when it is undone", async () => {
  assert.equal((await merge(office, old, now)).status, 200);
  const target = (await machine.get(`/fhir/Patient/${now}`)).json();
  await machine.keep({ ...target, telecom: [{ system: "phone", value: "13800000000" }] });
  assert.equal((await unmerge(office, old, now)).status, 200);
  const after = (await machine.get(`/fhir/Patient/${now}`)).json();
  assert.equal(after.telecom[0].value, "13800000000");
  assert.equal(after.link, undefined);
  assert.equal((await machine.get(`/fhir/Patient/${old}`)).json().active, true);
});

test("offices and other systems do it, of records they see, once", async () => {
  for (const person of [c.people.village1, c.people.doctor, c.administrators.system]) assert.equal((await merge(person, old, now)).status, 403);
  assert.equal((await merge(machine, old, "nobody")).status, 404);
  assert.equal((await merge(machine, old, old)).status, 422);
  assert.equal((await machine.post("/fhir/Patient/$merge", { resourceType: "Parameters" })).status, 400);
  assert.equal((await merge(machine, old, now)).status, 200);
  const third = (await c.people.village1.post("/fhir/Patient", patient("赵", "一"))).json().id;
  const r = await merge(machine, third, old);
  assert.equal(r.status, 409);
  assert.equal(rule(r), "merged-already");
  assert.equal((await merge(machine, now, third)).status, 200, "a survivor may be merged on");
  assert.deepEqual(await ids(`/fhir/Observation?patient=${third}`), ["mine", "theirs"]);
});

test("it is known after a restart, and of links written otherwise", async () => {
  await c.server.stop();
  c.server = await serve(c.dir);
  const again = await login(c.server, c.machineAccount);
  assert.deepEqual(await ids(`/fhir/Observation?patient=${old}`, again), ["mine", "theirs"]);
  const one = await again.get(`/fhir/Patient/${now}`);
  await again.keep({ ...one.json(), active: true, link: undefined });
  await until("the link is gone", async () => (await ids(`/fhir/Observation?patient=${now}`, again)).length === 2 && (await ids(`/fhir/Patient?_id=${now}`, again)).length === 2);
  again.close();
});
