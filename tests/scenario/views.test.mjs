// ViewDefinition/$run: SQL-on-FHIR views over what is stored, through the caller's eyes, and over resources in the request.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { county, patient } from "../support/county.mjs";
import { login, serve } from "../support/server.mjs";

let c, machine, mine, theirs;
const VIEW = { resourceType: "ViewDefinition", name: "readings", resource: "Observation", constant: [{ name: "s", valueCode: "final" }],
  where: [{ path: "status = %s" }], select: [{ column: [{ name: "id", path: "id" }, { name: "patient", path: "subject.getReferenceKey(Patient)" }] }] };
const parameters = (...parameter) => ({ resourceType: "Parameters", parameter });
const inline = (view, ...more) => parameters({ name: "viewResource", resource: view }, ...more);
const rows = (text) => text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
const run = async (body, { person = machine, path = "/fhir/ViewDefinition/$run", status = 200, headers } = {}) => {
  const r = body ? await person.post(path, body, headers) : await person.get(path, headers);
  assert.equal(r.status, status, r.text);
  return r;
};
const idsOf = async (...args) => rows((await run(...args)).text).map((row) => row.id).sort();

before(async () => {
  c = await county();
  machine = c.machine;
  mine = (await c.people.village1.post("/fhir/Patient", patient("钱", "守正"))).json().id;
  theirs = (await c.people.village2.post("/fhir/Patient", patient("孙", "英"))).json().id;
  for (let n = 0; n < 6; n++) {
    await machine.keep({ resourceType: "Observation", id: `o${n}`, status: n < 5 ? "final" : "amended", code: { text: "x" }, subject: { reference: `Patient/${n % 2 ? mine : theirs}` } });
  }
  await machine.keep({ resourceType: "Group", id: "g", type: "person", actual: true, member: [{ entity: { reference: `Patient/${theirs}` } }] });
  await machine.keep({ resourceType: "Library", id: "readings", status: "active", url: "urn:x:readings", version: "1", type: { text: "view" },
    content: [{ contentType: "application/json", data: Buffer.from(JSON.stringify(VIEW)).toString("base64") }] });
});
after(() => c?.close());

test("a view in the request, over all that is stored, in three formats", async () => {
  assert.deepEqual(await idsOf(inline(VIEW)), ["o0", "o1", "o2", "o3", "o4"]);
  for (const path of ["/fhir/$viewdefinition-run", "/fhir/ViewDefinition/$viewdefinition-run"]) assert.equal((await idsOf(inline(VIEW), { path })).length, 5);
  const csv = await run(inline(VIEW, { name: "_format", valueCode: "csv" }, { name: "_limit", valueInteger: 1 }));
  assert.match(csv.headers["content-type"], /text\/csv/);
  assert.equal(csv.text, `id,patient\r\no0,Patient/${theirs}\r\n`);
  assert.equal((await run(inline(VIEW, { name: "header", valueBoolean: false }), { headers: { Accept: "text/csv" } })).text.split("\r\n").length, 6);
  const json = await run(inline(VIEW), { headers: { Accept: "application/json" } });
  assert.deepEqual(json.json()[1], { id: "o1", patient: `Patient/${mine}` });
});

test("of a patient, of a group, since a time, over resources in the request", async () => {
  assert.deepEqual(await idsOf(inline(VIEW, { name: "patient", valueReference: { reference: `Patient/${mine}` } })), ["o1", "o3"]);
  assert.deepEqual(await idsOf(inline(VIEW, { name: "group", valueReference: { reference: "Group/g" } })), ["o0", "o2", "o4"]);
  const since = (await machine.get("/fhir/Observation/o4")).json().meta.lastUpdated;
  assert.deepEqual(await idsOf(inline(VIEW, { name: "_since", valueInstant: since })), ["o4"]);
  assert.deepEqual(await idsOf(inline(VIEW, { name: "resource", resource: { resourceType: "Observation", id: "given", status: "final" } },
    { name: "resource", resource: { resourceType: "Observation", id: "not", status: "amended" } })), ["given"]);
});

test("a view that is kept in a Library: by id, by reference, by its url", async () => {
  for (const path of ["/fhir/ViewDefinition/readings/$run?_limit=2", "/fhir/ViewDefinition/readings/$viewdefinition-run?_limit=2",
    "/fhir/ViewDefinition/$run?viewReference=Library/readings&_limit=2", "/fhir/ViewDefinition/$run?viewReference=urn:x:readings%7C1&_limit=2"]) {
    assert.deepEqual(await idsOf(undefined, { path }), ["o0", "o1"], path);
  }
  await run(undefined, { path: "/fhir/ViewDefinition/nobody/$run", status: 404 });
  await run(inline(VIEW), { path: "/fhir/ViewDefinition/readings/$run", status: 400 });
});

test("through the caller's eyes", async () => {
  assert.deepEqual(await idsOf(inline(VIEW), { person: c.people.village1 }), ["o1", "o3"]);
  assert.deepEqual(await idsOf(inline(VIEW), { person: c.people.township2 }), ["o0", "o2", "o4"]);
  assert.deepEqual(await idsOf(inline(VIEW, { name: "group", valueReference: { reference: "Group/g" } }), { person: c.people.consortium }), ["o0", "o2", "o4"]);
  await run(inline(VIEW, { name: "patient", valueReference: { reference: `Patient/${mine}` } }), { person: c.people.village2, status: 404 });
  await run(inline(VIEW), { person: c.administrators.system, status: 403 });
});

test("a kept view is the same as one that is run anew, after whatever was written, also after a restart and from nothing", async () => {
  const view = { resourceType: "ViewDefinition", resource: "Condition", select: [{ column: [{ name: "id", path: "id" }, { name: "q", path: "code.text" }] },
    { forEachOrNull: "note", column: [{ name: "n", path: "text" }, { name: "i", path: "%rowIndex" }] }], where: [{ path: "code.exists()" }] };
  const keep = (definition, more = {}) => machine.keep({ resourceType: "Library", id: "kept", status: "active", type: { text: "view" }, ...more,
    content: [{ contentType: "application/json", data: Buffer.from(JSON.stringify(definition)).toString("base64") }] });
  const sorted = (r) => rows(r.text).map((row) => JSON.stringify(row)).sort();
  const same = async (definition, { by = machine, how = "kept" } = {}) => {
    const fresh = await run(inline(definition), { person: by });
    const kept = await run(undefined, { person: by, path: "/fhir/ViewDefinition/kept/$run" });
    assert.equal(kept.headers["x-menkou-view"] ?? "anew", how);
    assert.deepEqual(sorted(kept), sorted(fresh));
    return sorted(kept).length;
  };
  let seed = 7;
  const random = (n) => { seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0; return Math.floor(seed / 2 ** 32 * n); };
  const write = async (person = machine) => {
    const id = `k${random(25)}`;
    if (random(5) === 0) return person.del(`/fhir/Condition/${id}`);
    return person.keep({ resourceType: "Condition", id, subject: { reference: `Patient/${random(2) ? mine : theirs}` }, ...(random(4) && { code: { text: `a, "${random(100)}"` } }),
      ...(random(3) && { note: Array.from({ length: 1 + random(2) }, (_, n) => ({ text: `${n} ${random(10)}` })) }) });
  };
  for (let n = 0; n < 30; n++) await write();
  await keep(view);
  assert.ok(await same(view) > 5);
  for (let round = 0; round < 5; round++) {
    for (let n = 0; n < 20; n++) await write();
    await same(view);
  }
  const mineOnly = await same(view, { by: c.people.village1 }), theirsOnly = await same(view, { by: c.people.village2 });
  assert.ok(mineOnly > 0 && theirsOnly > 0 && mineOnly + theirsOnly === await same(view), "each their own");
  const csv = await run(undefined, { path: "/fhir/ViewDefinition/kept/$run?_format=csv" });
  assert.equal(csv.text, (await run(inline(view, { name: "_format", valueCode: "csv" }))).text);
  const other = { ...view, select: view.select.slice(0, 1) };
  await keep(other);
  await same(other);
  await keep({ ...other, where: [{ path: "today() > @2000-01-01" }] });
  await same({ ...other, where: [{ path: "today() > @2000-01-01" }] }, { how: "anew" });
  await machine.keep({ resourceType: "CodeSystem", id: "states", url: "urn:x:state", status: "active", content: "complete", concept: [{ code: "a" }, { code: "b" }] });
  await machine.keep({ resourceType: "ValueSet", id: "states", url: "urn:x:states", status: "active", compose: { include: [{ system: "urn:x:state", concept: [{ code: "a" }] }] } });
  await machine.keep({ resourceType: "Condition", id: "coded", subject: { reference: `Patient/${mine}` }, code: { text: "x", coding: [{ system: "urn:x:state", code: "a" }] } });
  const members = { ...other, where: [{ path: "code.memberOf('urn:x:states')" }] };
  await keep(members);
  assert.equal(await same(members, { how: "anew" }), 1, "the county's own value set");
  await keep(other, { status: "draft" });
  await same(other, { how: "anew" });
  await keep(view);
  await same(view);
  for (const lost of [false, true]) {
    await c.server.stop();
    if (lost) for (const end of ["", "-wal", "-shm"]) rmSync(join(c.dir, `views.db${end}`), { force: true });
    c.server = await serve(c.dir);
    machine = await login(c.server, c.machineAccount);
    await write();
    await same(view);
  }
});

test("what is wrong is named", async () => {
  for (const [body, status, why] of [
    [parameters(), 400, /viewResource/], [inline({ resourceType: "ViewDefinition" }), 422, /resource/],
    [inline({ ...VIEW, select: [{ column: [{ name: "a", path: "name.(" }] }] }), 422, /select\[0\]\.column\[0\]\.path/],
    [inline(VIEW, { name: "_format", valueCode: "parquet" }), 400, /_format/], [inline(VIEW, { name: "source", valueString: "s3://x" }), 400, /source/],
    [inline(VIEW, { name: "_limit", valueInteger: 0 }), 400, /_limit/], [inline(VIEW, { name: "_since", valueString: "now" }), 400, /_since/],
    [{ resourceType: "Patient" }, 400, /Parameters/],
  ]) {
    const r = await run(body, { status });
    assert.match(JSON.stringify(r.json().issue), why);
  }
});
