// $export of FHIR Bulk Data: kick-off, status, manifest, NDJSON files; as it was at the moment of the question, through
// the caller's eyes, over a restart.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { county, patient } from "../support/county.mjs";
import { folder, init, login, menkou, serve, until, userAdd } from "../support/server.mjs";

let c, machine, mine, theirs;
const ASYNC = { Prefer: "respond-async" };

before(async () => {
  c = await county();
  machine = c.machine;
  mine = (await c.people.village1.post("/fhir/Patient", patient("钱", "守正"))).json().id;
  theirs = (await c.people.village2.post("/fhir/Patient", patient("孙", "英"))).json().id;
  for (let n = 0; n < 30; n++) {
    await machine.keep({ resourceType: "Observation", id: `o${n}`, status: n % 3 ? "final" : "amended", code: { coding: [{ system: "urn:x", code: `a${n % 2}` }] },
      subject: { reference: `Patient/${n % 2 ? mine : theirs}` }, effectiveDateTime: `2026-10-${String(n + 1).padStart(2, "0")}` });
  }
  await machine.keep({ resourceType: "Group", id: "g", type: "person", actual: true,
    member: [{ entity: { reference: `Patient/${mine}` } }, { entity: { reference: `Patient/${theirs}` }, inactive: true }, { entity: { reference: "Patient/nobody" } }] });
});
after(() => c?.close());

const kickOff = async (path, person = machine) => {
  const r = await person.get(path, ASYNC);
  assert.equal(r.status, 202, r.text);
  const place = r.headers["content-location"];
  assert.match(place, /^http:.*\/exports\/[0-9a-f]{32}$/);
  return new URL(place).pathname;
};
const manifestOf = (place, person = machine) => until("the export is done", async () => {
  const r = await person.get(place);
  if (r.status === 200) return r.json();
  assert.equal(r.status, 202, r.text);
  assert.ok(r.headers["x-progress"] && r.headers["retry-after"]);
  return undefined;
}, 120_000);
/** {Type: [resource, …]} of all files. */
const resourcesOf = async (manifest, person = machine, list = "output") => {
  const found = {};
  for (const { type, url, count } of manifest[list]) {
    const r = await person.get(new URL(url).pathname);
    assert.equal(r.status, 200);
    assert.equal(r.headers["content-type"], "application/fhir+ndjson");
    const lines = r.text.trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.equal(lines.length, count);
    (found[type] ??= []).push(...lines);
  }
  return found;
};
const exported = async (path, person = machine) => resourcesOf(await manifestOf(await kickOff(path, person), person), person);
const ids = (list) => (list ?? []).map((r) => r.id).sort();

test("all of the county, each type in its files, byte for byte as it is read", async () => {
  const place = await kickOff("/fhir/$export?_outputFormat=application/fhir%2Bndjson");
  const manifest = await manifestOf(place);
  assert.equal(manifest.requiresAccessToken, true);
  assert.match(manifest.request, /\$export\?_outputFormat/);
  assert.ok(Date.parse(manifest.transactionTime) <= Date.now());
  const all = await resourcesOf(manifest);
  for (const [type, list] of Object.entries(all)) {
    const total = (await machine.get(`/fhir/${type}?_summary=count`)).json().total;
    assert.equal(list.length, total, type);
  }
  assert.equal(all.Observation.length, 30);
  assert.deepEqual(all.Observation.find((o) => o.id === "o7"), (await machine.get("/fhir/Observation/o7")).json());
  assert.deepEqual(manifest.error, []);
  assert.ok((await machine.get(place)).headers.expires);
  for (const name of ["export", "patient-export", "group-export"]) {
    assert.ok((await machine.get("/fhir/metadata")).text.includes(`"http://hl7.org/fhir/uv/bulkdata/OperationDefinition/${name}"`), name);
  }
});

test("patients' resources, a group's, types, filters, since with what was deleted", async () => {
  const level = await exported("/fhir/Patient/$export");
  assert.deepEqual(ids(level.Patient), [mine, theirs].sort());
  assert.ok(!level.Organization, "nothing beside the compartments");
  const group = await exported("/fhir/Group/g/$export?_type=Patient,Observation");
  assert.deepEqual(Object.keys(group).sort(), ["Observation", "Patient"]);
  assert.deepEqual(ids(group.Patient), [mine], "neither who has left nor who is not there");
  assert.equal(group.Observation.length, 15);
  const some = await exported("/fhir/$export?_type=Observation&_typeFilter=Observation%3Fcode%3Da0%26status%3Damended,Observation%3F_id%3Do1");
  assert.deepEqual(Object.keys(some), ["Observation"]);
  assert.equal(some.Observation.length, 6, "five of the first filter, one of the second");
  const r = await machine.post("/fhir/Patient/$export", { resourceType: "Parameters", parameter: [
    { name: "patient", valueReference: { reference: `Patient/${theirs}` } }, { name: "_type", valueString: "Observation" }] }, ASYNC);
  assert.equal(r.status, 202, r.text);
  const one = await resourcesOf(await manifestOf(new URL(r.headers["content-location"]).pathname));
  assert.equal(one.Observation.length, 15);
  const since = (await machine.get("/fhir/Observation/o29")).json().meta.lastUpdated;
  await machine.del("/fhir/Observation/o3");
  await machine.keep({ resourceType: "Observation", id: "late", status: "final", code: { text: "x" } });
  const manifest = await manifestOf(await kickOff(`/fhir/$export?_type=Observation&_since=${encodeURIComponent(since)}`));
  const news = await resourcesOf(manifest), gone = await resourcesOf(manifest, machine, "deleted");
  assert.deepEqual(ids(news.Observation), ["late", "o29"]);
  assert.deepEqual(gone.Bundle.flatMap((b) => b.entry.map((e) => `${e.request.method} ${e.request.url}`)), ["DELETE Observation/o3"]);
});

test("it is what was there at the moment of the question", async () => {
  await machine.keep({ resourceType: "Basic", id: "early", code: { text: "before" } });
  await machine.keep({ resourceType: "Basic", id: "goes", code: { text: "before" } });
  // Another export in front: this one begins when all below has happened.
  const [front, place] = [await kickOff("/fhir/$export"), await kickOff("/fhir/$export?_type=Basic")];
  const at = await machine.get("/fhir/Basic/early");
  await machine.keep({ resourceType: "Basic", id: "early", code: { text: "after" } });
  await machine.keep({ resourceType: "Basic", id: "new", code: { text: "after" } });
  await machine.del("/fhir/Basic/goes");
  await manifestOf(front);
  const { Basic } = await resourcesOf(await manifestOf(place));
  assert.deepEqual(Basic.map((b) => [b.id, b.code.text]), [["early", "before"], ["goes", "before"]]);
  assert.deepEqual(Basic[0], at.json());
});

test("a filter, too, is held against what was there then; who fetches a file is noted with whose data it has", async () => {
  const basic = (id, text, who) => machine.keep({ resourceType: "Basic", id, code: { coding: [{ system: "urn:x", code: text }] }, ...(who && { subject: { reference: `Patient/${who}` } }) });
  for (const id of ["was", "stays", "vanishes"]) await basic(id, "wanted", mine);
  await basic("becomes", "other", theirs);
  const [front, place] = [await kickOff("/fhir/$export"), await kickOff("/fhir/$export?_type=Basic&_typeFilter=Basic%3Fcode%3Dwanted")];
  const then = (await machine.get("/fhir/Basic/was")).json();
  await basic("was", "other", mine);
  await basic("becomes", "wanted", theirs);
  await machine.del("/fhir/Basic/vanishes");
  await manifestOf(front);
  const manifest = await manifestOf(place);
  const { Basic } = await resourcesOf(manifest);
  assert.deepEqual(ids(Basic), ["stays", "vanishes", "was"]);
  assert.deepEqual(Basic.find((b) => b.id === "was"), then);
  const seen = async (id) => (await c.administrators.audit.get(`/fhir/AuditEvent?patient=Patient/${id}&_count=200`)).text.includes(place.slice(1));
  await until("the audit has it", () => seen(mine));
  assert.equal(await seen(theirs), false, "only those whose data the file has");
});

test("through the caller's eyes, for nobody else, and only for those whose work it is", async () => {
  const office = c.people.consortium;
  const place = await kickOff("/fhir/Patient/$export?_type=Patient", office);
  const manifest = await manifestOf(place, office);
  assert.deepEqual(ids((await resourcesOf(manifest, office)).Patient), [mine, theirs].sort());
  for (const person of [machine, c.people.doctor, c.administrators.system]) {
    assert.equal((await person.get(place)).status, 404);
    assert.equal((await person.get(new URL(manifest.output[0].url).pathname)).status, 404);
    assert.equal((await person.del(place)).status, 404);
  }
  for (const person of [c.people.village1, c.people.doctor, ...Object.values(c.administrators)]) {
    assert.equal((await person.get("/fhir/Patient/$export", ASYNC)).status, 403);
  }
  assert.equal((await fetch(`${c.server.url}${place}`)).status, 401);
});

test("what is asked wrongly is named, what is not supported refused", async () => {
  for (const [path, status, where] of [
    ["/fhir/$export?_type=Nonsense", 400, "_type"], ["/fhir/$export?_since=yesterday", 400, "_since"], ["/fhir/$export?_outputFormat=text/csv", 400, "_outputFormat"],
    ["/fhir/$export?includeAssociatedData=LatestProvenanceResources", 400, "includeAssociatedData"], ["/fhir/$export?_typeFilter=Patient%3Fnonsense%3D1", 400, "nonsense"],
    ["/fhir/Patient/$export?patient=Patient/nobody", 400, "patient"], ["/fhir/Group/nobody/$export", 404, undefined], ["/fhir/Group/$export", 400, "Group"],
  ]) {
    const r = await machine.get(path, ASYNC);
    assert.equal(r.status, status, `${path} ${r.text}`);
    if (where) assert.match(JSON.stringify(r.json().issue), new RegExp(where));
  }
  const r = await machine.get("/fhir/$export");
  assert.equal(r.status, 400);
  assert.match(r.json().issue[0].diagnostics ?? r.json().issue[0].details.text, /respond-async/);
  assert.equal((await machine.get("/fhir/$export?includeAssociatedData=x&_type=Group", { Prefer: "respond-async, handling=lenient" })).status, 202);
});

test("it is cancelled, and what was begun goes on after a restart", async () => {
  const cancelled = await kickOff("/fhir/$export");
  assert.equal((await machine.del(cancelled)).status, 202);
  await until("it is gone", async () => (await machine.get(cancelled)).status === 404);
  const place = await kickOff("/fhir/$export?_type=Observation,Patient");
  await manifestOf(place);
  await c.server.stop();
  // As a server leaves it that is stopped after the first type: a file of the second is there in part.
  const folder = join(c.dir, "export", place.split("/").pop());
  const job = JSON.parse(readFileSync(join(folder, "job.json")));
  assert.deepEqual(job.files.map((f) => f.type), ["Observation", "Patient"]);
  Object.assign(job, { state: "waits", done: 1, files: job.files.slice(0, 1) });
  writeFileSync(join(folder, "job.json"), JSON.stringify(job));
  writeFileSync(join(folder, "Patient.1.ndjson"), '{"torn"');
  c.server = await serve(c.dir);
  const again = await login(c.server, c.machineAccount);
  const all = await resourcesOf(await manifestOf(place, again), again);
  assert.equal(all.Observation.length, 30);
  assert.deepEqual(ids(all.Patient), [mine, theirs].sort());
  assert.equal((await again.del(place)).status, 202);
  await until("its folder is gone", () => !existsSync(folder));
});

const synthea = join(process.env.MENKOU_SUITES ?? "", "06-synthea");
const long = process.env.MENKOU_LONG === "1" && existsSync(join(synthea, "counts-dev.json"));
if (!long) console.error("SKIPPED scenario/bulk: the export of Synthea (MENKOU_LONG=1 with 06-synthea under $MENKOU_SUITES)");

test("Synthea comes out as it went in, line by line counted", { skip: !long }, async () => {
  const into = folder("synthea");
  assert.equal(spawnSync("tar", ["--zstd", "-xf", join(synthea, "synthea-r4-dev120.tar.zst"), "-C", into, "--strip-components=1"]).status, 0);
  const first = (name) => /^(hospital|practitioner)/.test(name);
  const files = readdirSync(into).sort((a, b) => first(b) - first(a)).map((name) => join(into, name));
  const { dir } = init();
  assert.equal(menkou("import", "--data", dir, ...files).code, 0);
  const account = userAdd(dir, "integrator", "counter"), server = await serve(dir);
  const counter = await login(server, account);
  const manifest = await manifestOf(await kickOff("/fhir/$export", counter), counter);
  const found = {};
  for (const { type, count } of manifest.output) found[type] = (found[type] ?? 0) + count;
  const { resources } = JSON.parse(readFileSync(join(synthea, "counts-dev.json")));
  assert.deepEqual(Object.fromEntries(Object.keys(resources).map((type) => [type, found[type]])), resources);
  counter.close();
  await server.stop();
});
