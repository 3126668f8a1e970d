// The second township sees nothing of the first one's patient, by any door (contracts 3.4); the county only while
// something is addressed to it; administrators nothing clinical.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { county, events, idCard, patient } from "../support/county.mjs";
import { request, root } from "../support/server.mjs";

let c, mine, theirs;
const id = (r) => r.json().id;

before(async () => {
  c = await county();
  const p = c.people;
  mine = {};
  const card = idCard("139901", "19620305", 44);
  let r = await p.village1.post("/fhir/Patient", patient("刘", "桂芝", {
    identifier: [{ system: "urn:oid:2.16.156.10011.1.3", value: card }],
    telecom: [{ system: "phone", value: "12055550001" }],
  }));
  assert.equal(r.status, 201, r.text);
  mine.patient = id(r);
  mine.card = card;
  const subject = { reference: `Patient/${mine.patient}` };
  r = await p.township1.post("/fhir/Encounter", {
    resourceType: "Encounter", status: "in-progress", subject, serviceProvider: { reference: "Organization/t1" },
    class: { system: "http://terminology.hl7.org/CodeSystem/v3-ActCode", code: "AMB" },
  });
  assert.equal(r.status, 201, r.text);
  mine.encounter = id(r);
  const code = { coding: [{ system: "http://loinc.org", code: "8480-6" }] };
  r = await p.township1.post("/fhir/Observation", {
    resourceType: "Observation", status: "final", subject, code, encounter: { reference: `Encounter/${mine.encounter}` },
    effectiveDateTime: "2026-11-22T08:00:00+08:00", valueQuantity: { value: 151, unit: "mmHg" },
  });
  assert.equal(r.status, 201, r.text);
  mine.observation = id(r);
  r = await p.technician1.post("/fhir/Binary", Buffer.from("MFER? no, only bytes"), {
    "Content-Type": "application/octet-stream", "X-Security-Context": `Patient/${mine.patient}`,
  });
  assert.equal(r.status, 201, r.text);
  mine.binary = id(r);
  r = await p.village2.post("/fhir/Patient", patient("单", "玉梅"));
  assert.equal(r.status, 201, r.text);
  theirs = { patient: id(r) };
  r = await p.township2.post("/fhir/Observation", {
    resourceType: "Observation", status: "final", subject: { reference: `Patient/${theirs.patient}` }, code,
    effectiveDateTime: "2026-11-22T09:00:00+08:00", valueQuantity: { value: 128, unit: "mmHg" },
  });
  assert.equal(r.status, 201, r.text);
  theirs.observation = id(r);
});

after(() => c?.close());

const others = () => ["village2", "township2", "technician2", "reader", "doctor", "office"].map((n) => [n, c.people[n]]);
const entries = (r) => (r.json().entry ?? []).filter((e) => e.search?.mode !== "outcome");

test("the first township, and the consortium above it, see the patient", async () => {
  for (const name of ["village1", "township1", "technician1", "consortium"]) {
    assert.equal((await c.people[name].get(`/fhir/Patient/${mine.patient}`)).status, 200, name);
    assert.equal((await c.people[name].get(`/fhir/Observation/${mine.observation}`)).status, 200, name);
  }
});

test("read, version and history are 404 to all others, like what does not exist", async () => {
  for (const [name, person] of others()) {
    for (const [type, of] of [["Patient", "patient"], ["Observation", "observation"], ["Encounter", "encounter"], ["Binary", "binary"]]) {
      for (const tail of ["", "/_history/1", "/_history"]) {
        const r = await person.get(`/fhir/${type}/${mine[of]}${tail}`);
        assert.equal(r.status, 404, `${name} ${type}${tail}: ${r.status}`);
        assert.doesNotMatch(r.text, /桂芝/);
      }
    }
  }
});

test("no search finds it, and no total counts it", async () => {
  const queries = [
    `Patient?_id=${mine.patient}`, "Patient?family=刘", "Patient?name=刘桂芝", "Patient?phone=12055550001",
    `Patient?identifier=urn:oid:2.16.156.10011.1.3|${mine.card}`, "Patient?birthdate=1962-03-05&name=刘",
    `Observation?subject=Patient/${mine.patient}`, `Observation?patient=${mine.patient}`, `Observation?_id=${mine.observation}`,
    `Observation?encounter=Encounter/${mine.encounter}`, `Encounter?subject=Patient/${mine.patient}`, "Observation?code=http://loinc.org|8480-6&date=2026-11-22T08:00:00%2B08:00",
  ];
  for (const [name, person] of others()) {
    for (const query of queries) {
      const r = await person.get(`/fhir/${query}&_total=accurate`);
      assert.equal(r.status, 200, `${name} ${query}: ${r.text}`);
      assert.equal(entries(r).length, 0, `${name} ${query}`);
      assert.equal(r.json().total, 0, `${name} ${query}`);
    }
  }
});

test("a search over everything shows only one's own, and so does its total", async () => {
  for (const name of ["village2", "township2"]) {
    const r = await c.people[name].get("/fhir/Observation?_total=accurate");
    assert.deepEqual(entries(r).map((e) => e.resource.id), [theirs.observation]);
    assert.equal(r.json().total, 1);
    const history = await c.people[name].get("/fhir/Observation/_history");
    assert.deepEqual(entries(history).map((e) => e.resource.id), [theirs.observation]);
    const all = await c.people[name].get("/fhir/_history?_count=1000");
    assert.doesNotMatch(all.text, new RegExp(`${mine.patient}|${mine.observation}|桂芝`));
  }
});

test("includes and chains do not reach it", async () => {
  // An integrator's observation about their patient that refers to my encounter: the hop must end there.
  await c.machine.keep({
    resourceType: "Observation", id: "bridge", status: "final", subject: { reference: `Patient/${theirs.patient}` },
    encounter: { reference: `Encounter/${mine.encounter}` }, code: { text: "bridge" },
  });
  const person = c.people.township2;
  let r = await person.get("/fhir/Observation?_id=bridge&_include=Observation:encounter");
  assert.deepEqual(entries(r).map((e) => e.resource.id), ["bridge"]);
  r = await person.get(`/fhir/Observation?encounter.subject:Patient=${mine.patient}`);
  assert.ok(r.status === 400 || entries(r).length === 0, r.text);
  r = await person.get("/fhir/Observation?patient.family=刘");
  assert.ok(r.status === 400 || entries(r).length === 0, r.text);
  r = await person.get(`/fhir/Patient?_id=${theirs.patient}&_revinclude=Observation:patient`);
  assert.doesNotMatch(r.text, new RegExp(mine.observation));
});

test("nobody writes to a patient out of sight, nor changes or deletes one", async () => {
  for (const name of ["village2", "township2"]) {
    const person = c.people[name];
    const observation = { resourceType: "Observation", status: "final", code: { text: "x" }, subject: { reference: `Patient/${mine.patient}` } };
    for (const r of [
      await person.post("/fhir/Observation", observation),
      await person.put(`/fhir/Patient/${mine.patient}`, patient("刘", "桂", { id: mine.patient })),
      await person.put(`/fhir/Observation/${mine.observation}`, { ...observation, id: mine.observation, subject: { reference: `Patient/${theirs.patient}` } }),
      await person.del(`/fhir/Observation/${mine.observation}`),
      await person.post("/fhir", { resourceType: "Bundle", type: "transaction", entry: [{ resource: observation, request: { method: "POST", url: "Observation" } }] }),
    ]) assert.ok([400, 403, 404, 422].includes(r.status), `${name}: ${r.status} ${r.text}`);
  }
  const r = await c.people.village1.get(`/fhir/Patient/${mine.patient}`);
  assert.equal(r.headers.etag, 'W/"1"');
});

test("a batch or transaction that reads it gets 404 for that entry", async () => {
  const one = await c.people.township2.post("/fhir", {
    resourceType: "Bundle", type: "transaction", entry: [{ request: { method: "GET", url: `Patient/${mine.patient}` } }],
  });
  assert.ok(one.status === 404 || one.json().entry[0].response.status.startsWith("404"), one.text);
  assert.doesNotMatch(one.text, /桂芝/);
  const r = await c.people.township2.post("/fhir", {
    resourceType: "Bundle", type: "batch", entry: [
      { request: { method: "GET", url: `Patient/${mine.patient}` } }, { request: { method: "GET", url: `Patient/${theirs.patient}` } },
    ],
  });
  assert.equal(r.status, 200, r.text);
  assert.deepEqual(r.json().entry.map((e) => e.response.status.slice(0, 3)), ["404", "200"]);
});

test("recordings stay closed: bytes, drawing", async () => {
  for (const [name, person] of others()) {
    for (const tail of ["", "/$ecg"]) {
      assert.equal((await person.get(`/fhir/Binary/${mine.binary}${tail}`)).status, 404, name);
    }
    assert.equal((await person.get(`/fhir/Binary/${mine.binary}`, { Accept: "application/octet-stream" })).status, 404, name);
  }
  assert.equal((await c.people.township1.get(`/fhir/Binary/${mine.binary}`, { Accept: "application/octet-stream" })).status, 200);
});

test("the event stream is filtered at the time of sending", async () => {
  const stream = await events(c.server, c.people.township2);
  const own = await events(c.server, c.people.township1);
  let r = await c.people.township1.put(`/fhir/Observation/${mine.observation}`, {
    resourceType: "Observation", id: mine.observation, status: "amended", code: { text: "x" }, subject: { reference: `Patient/${mine.patient}` },
  });
  assert.equal(r.status, 200, r.text);
  await own.next((e) => e.data.id === mine.observation);
  r = await c.people.township2.post("/fhir/Observation", {
    resourceType: "Observation", status: "final", code: { text: "y" }, subject: { reference: `Patient/${theirs.patient}` },
  });
  const made = id(r);
  await stream.next((e) => e.data.id === made);
  assert.ok(!stream.seen.some((e) => JSON.stringify(e.data).includes(mine.observation) || JSON.stringify(e.data).includes(mine.patient)));
  stream.close();
  own.close();
});

test("$match shows of a stranger only what the desk needs", async () => {
  const parameters = {
    resourceType: "Parameters",
    parameter: [{ name: "resource", resource: patient("刘", "桂芝", { identifier: [{ system: "urn:oid:2.16.156.10011.1.3", value: mine.card }] }) }],
  };
  const r = await c.people.township2.post("/fhir/Patient/$match", parameters);
  assert.equal(r.status, 200, r.text);
  assert.doesNotMatch(r.text, /桂芝/);
  assert.doesNotMatch(r.text, new RegExp(mine.card));
  assert.doesNotMatch(r.text, /1962-03-05|12055550001/);
  assert.match(r.text, /刘\*芝/);
  assert.match(r.text, new RegExp(mine.card.slice(-4)));
  const own = await c.people.village1.post("/fhir/Patient/$match", parameters);
  assert.match(own.text, /桂芝/);
});

test("a visit makes the relation, and only for that institution", async () => {
  let r = await c.people.office.get(`/fhir/Patient/${mine.patient}`);
  assert.equal(r.status, 404);
  await c.machine.keep({
    resourceType: "Encounter", id: "visit", status: "finished", subject: { reference: `Patient/${mine.patient}` },
    class: { system: "http://terminology.hl7.org/CodeSystem/v3-ActCode", code: "AMB" }, serviceProvider: { reference: "Organization/county" },
  });
  r = await c.people.office.get(`/fhir/Patient/${mine.patient}`);
  assert.equal(r.status, 200, "the county hospital saw the patient");
  assert.equal((await c.people.township2.get(`/fhir/Patient/${mine.patient}`)).status, 404);
});

test("the three administrators read and write no clinical data", async () => {
  for (const [name, admin] of Object.entries(c.administrators)) {
    for (const path of [`Patient/${mine.patient}`, "Patient", `Observation?patient=${mine.patient}`, `Binary/${mine.binary}`, "Task", `Patient/${mine.patient}/_history`]) {
      const r = await admin.get(`/fhir/${path}`);
      assert.ok([403, 404].includes(r.status), `${name} ${path}: ${r.status}`);
      assert.doesNotMatch(r.text, /桂芝/);
    }
    const history = await admin.get("/fhir/_history?_count=1000");
    assert.doesNotMatch(history.text, new RegExp(`桂芝|${mine.patient}|${mine.observation}`), name);
    assert.equal((await admin.post("/fhir/Patient", patient("赵", "一"))).status, 403, name);
    assert.equal((await admin.get("/fhir/Organization/t1")).status, 200, name);
  }
});

test("a role writes only what is its business", async () => {
  assert.equal((await c.people.doctor.put("/fhir/Organization/t1", { resourceType: "Organization", id: "t1", name: "x" })).status, 403);
  assert.equal((await c.people.village1.del(`/fhir/Patient/${mine.patient}`)).status, 403);
  const r = await c.administrators.system.put("/fhir/Location/room", { resourceType: "Location", id: "room", name: "心电图室", managingOrganization: { reference: "Organization/t1" } });
  assert.equal(r.status, 201, r.text);
});

test("without a session there is nothing but the public doors", async () => {
  for (const path of ["/fhir/Patient", `/fhir/Patient/${mine.patient}`, "/fhir/_history", "/events", "/fhir/$pathways"]) {
    const r = await request(c.server.url, "GET", path);
    assert.equal(r.status, 401, path);
    assert.ok(r.headers["www-authenticate"], path);
  }
  assert.equal((await request(c.server.url, "GET", "/fhir/metadata")).status, 200);
  assert.equal((await request(c.server.url, "GET", "/healthz")).status, 200);
});

test("an integrator may neither start nor act", async () => {
  const pathway = readdirSync(join(root, "pathways")).find((name) => existsSync(join(root, "pathways", name, "pathway.json")));
  let r = await c.machine.post("/fhir/$start", {
    resourceType: "Parameters",
    parameter: [{ name: "pathway", valueCode: pathway }, { name: "patient", valueReference: { reference: `Patient/${mine.patient}` } }],
  });
  assert.equal(r.status, 403, r.text);
  r = await c.machine.post("/fhir/Task/none/$act", { resourceType: "Parameters", parameter: [{ name: "action", valueCode: "x" }] }, { "If-Match": 'W/"1"' });
  assert.ok(r.status === 403 || r.status === 404, `${r.status} ${r.text}`);
});
