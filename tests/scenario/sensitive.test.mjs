// Sensitive content: what carries a label of meta.security is invisible without its right, on every door; whoever has
// no right to a label may not give it (docs/decisions/031).
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { county, events, patient } from "../support/county.mjs";
import { rule } from "../support/server.mjs";

const SECURITY = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
const label = (code, system = SECURITY) => ({ security: [{ system, code }] });
const CODE = { coding: [{ system: "http://loinc.org", code: "56888-1" }] };

let c, who;
const kept = {};

const observation = (id, more = {}) => ({
  resourceType: "Observation", id, status: "final", code: CODE, subject: { reference: `Patient/${who}` },
  effectiveDateTime: "2026-11-22T08:00:00+08:00", valueString: `${id}-words`, ...more,
});

before(async () => {
  c = await county();
  const made = await c.people.village1.post("/fhir/Patient", patient("钱", "守正"));
  assert.equal(made.status, 201, made.text);
  who = made.json().id;
  for (const resource of [
    observation("plain"),
    observation("hiv", { meta: label("HIV") }),
    observation("mind", { meta: label("PSY") }),
    observation("guarded", { meta: label("V", "http://terminology.hl7.org/CodeSystem/v3-Confidentiality") }),
    observation("usual", { meta: label("N", "http://terminology.hl7.org/CodeSystem/v3-Confidentiality") }),
    { resourceType: "DiagnosticReport", id: "report", status: "final", code: CODE, subject: { reference: `Patient/${who}` },
      result: ["plain", "hiv", "mind"].map((id) => ({ reference: `Observation/${id}` })) },
    { resourceType: "Binary", id: "slide", meta: label("HIV"), contentType: "text/plain", data: "aGl2LXdvcmRz",
      securityContext: { reference: `Patient/${who}` } },
  ]) kept[resource.id] = await c.machine.keep(resource);
  // the county doctor has a relation, and the right to all classes
  const visit = await c.people.doctor.post("/fhir/Encounter", {
    resourceType: "Encounter", status: "in-progress", subject: { reference: `Patient/${who}` },
    class: { system: SECURITY, code: "AMB" }, serviceProvider: { reference: "Organization/county" },
  });
  assert.equal(visit.status, 201, visit.text);
});
after(() => c?.close());

const ids = (r) => (r.json().entry ?? []).map((e) => e.resource?.id).filter((id) => id in kept).sort();
/** What each person's role sees of the labelled: the table of access_sensitive.def. */
const SEES = {
  doctor: ["guarded", "hiv", "mind", "plain", "usual"], township1: ["mind", "plain", "usual"], village1: ["mind", "plain", "usual"],
  technician1: ["plain", "usual"], consortium: ["plain", "usual"],
};

test("reads, versions and histories", async () => {
  for (const [name, sees] of Object.entries(SEES)) {
    for (const id of ["plain", "hiv", "mind", "guarded", "usual"]) {
      for (const tail of ["", "/_history/1", "/_history"]) {
        const r = await c.people[name].get(`/fhir/Observation/${id}${tail}`);
        assert.equal(r.status, sees.includes(id) ? 200 : 404, `${name} ${id}${tail}: ${r.text}`);
      }
    }
    for (const path of ["/fhir/Observation/_history?_count=1000", "/fhir/_history?_count=1000"]) {
      const r = await c.people[name].get(path);
      assert.deepEqual(ids(r).filter((id) => id !== "report" && id !== "slide"), sees, `${name} ${path}`);
    }
  }
});

test("searches, totals, includes, chains", async () => {
  for (const [name, sees] of Object.entries(SEES)) {
    const person = c.people[name];
    for (const query of [`patient=${who}`, "code=56888-1", `subject=Patient/${who}&_sort=-date`, "_id=plain,hiv,mind,guarded,usual", `patient=${who}&code=http://loinc.org|56888-1&_count=1`]) {
      const r = await person.get(`/fhir/Observation?${query}&_total=accurate`);
      assert.equal(r.status, 200, r.text);
      assert.equal(r.json().total, sees.length, `${name} ${query}`);
      if (!query.includes("_count")) assert.deepEqual(ids(r), sees, `${name} ${query}`);
    }
    const count = await person.get(`/fhir/Observation?patient=${who}&_summary=count`);
    assert.equal(count.json().total, sees.length, name);
    const labelled = await person.get(`/fhir/Observation?_security=${SECURITY}|HIV`);
    assert.deepEqual(ids(labelled), sees.filter((id) => id === "hiv"), name);
    const include = await person.get("/fhir/DiagnosticReport?_id=report&_include=DiagnosticReport:result");
    assert.deepEqual(ids(include), ["report", ...sees].filter((id) => ["report", "plain", "hiv", "mind"].includes(id)).sort(), name);
    const reverse = await person.get(`/fhir/Patient?_id=${who}&_revinclude=Observation:subject`);
    assert.deepEqual(ids(reverse), sees, name);
    const chain = await person.get("/fhir/DiagnosticReport?result._id=hiv");
    if (chain.status === 200) assert.deepEqual(ids(chain), sees.includes("hiv") ? ["report"] : [], name);
    const has = await person.get(`/fhir/Patient?_has:Observation:subject:_security=${SECURITY}|HIV&_total=accurate`);
    assert.equal(has.json().total, sees.includes("hiv") ? 1 : 0, `${name}: ${has.text}`);
  }
});

test("$everything, Binary, a batch", async () => {
  for (const [name, sees] of Object.entries(SEES)) {
    const person = c.people[name];
    const all = await person.get(`/fhir/Patient/${who}/$everything?_type=Observation`);
    assert.deepEqual(ids(all), sees, name);
    for (const accept of ["application/fhir+json", "text/plain"]) {
      assert.equal((await person.get("/fhir/Binary/slide", { Accept: accept })).status, sees.includes("hiv") ? 200 : 404, name);
    }
    const batch = await person.post("/fhir", { resourceType: "Bundle", type: "batch", entry: [{ request: { method: "GET", url: "Observation/hiv" } }] });
    assert.equal(batch.json().entry[0].response.status.slice(0, 3), sees.includes("hiv") ? "200" : "404", name);
    if (!sees.includes("hiv")) assert.doesNotMatch(all.text + batch.text, /hiv-words/);
  }
});

test("events tell only those who may read", async () => {
  const blind = await events(c.server, c.people.technician1), seeing = await events(c.server, c.people.doctor);
  await c.machine.keep(observation("hiv", { meta: label("HIV"), valueString: "hiv-words anew" }));
  await c.machine.keep(observation("plain", { valueString: "plain-words anew" }));
  await seeing.next((e) => e.data?.id === "hiv");
  await blind.next((e) => e.data?.id === "plain");
  assert.ok(!blind.seen.some((e) => e.data?.id === "hiv"));
  blind.close();
  seeing.close();
});

test("who has no right to a label neither gives, changes nor deletes", async () => {
  const person = c.people.technician1;
  const given = await person.post("/fhir/Observation", { ...observation("x", { meta: label("HIV") }), id: undefined });
  assert.equal(given.status, 403, given.text);
  assert.equal(rule(given), "sensitive-label");
  assert.equal((await person.put("/fhir/Observation/hiv", observation("hiv"))).status, 404);
  const bundle = await person.post("/fhir", { resourceType: "Bundle", type: "transaction",
    entry: [{ resource: { ...observation("x", { meta: label("SEX") }), id: undefined }, request: { method: "POST", url: "Observation" } }] });
  assert.equal(bundle.status, 403, bundle.text);
  const allowed = await c.people.township1.post("/fhir/Observation", { ...observation("x", { meta: label("PSY") }), id: undefined });
  assert.equal(allowed.status, 201, allowed.text);
});

test("a label taken away by who has the right opens that version, not the ones before", async () => {
  const open = await c.people.doctor.put("/fhir/Observation/hiv", observation("hiv", { valueString: "released" }));
  assert.equal(open.status, 200, open.text);
  const person = c.people.technician1;
  assert.match((await person.get("/fhir/Observation/hiv")).text, /released/);
  assert.equal((await person.get("/fhir/Observation/hiv/_history/1")).status, 404);
  const history = await person.get("/fhir/Observation/hiv/_history");
  assert.doesNotMatch(history.text, /hiv-words/);
  assert.equal(history.json().entry.length, 1);
});
