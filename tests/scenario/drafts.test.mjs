// Half-filled forms on the server: their author's alone, bounded, durable, gone with the step they were for.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { county, patient } from "../support/county.mjs";
import { writePackage } from "../support/package.mjs";
import { login, request, rule, serve, speaker } from "../support/server.mjs";

const packages = mkdtempSync(join(tmpdir(), "menkou-drafts-"));
const DRAFTS_MAX = 50;
let c, me, person, hidden;

const at = (key) => `/drafts/${encodeURIComponent(key)}`;
const startKey = () => `start:oxygen-loan:${person}`;
const response = (text = "半", more = {}) => ({
  resourceType: "QuestionnaireResponse", status: "in-progress", questionnaire: "urn:menkou:form:oxygen-loan:start",
  item: [{ linkId: "days", answer: [{ valueInteger: 30 }] }, { linkId: "note", answer: [{ valueString: text }] }], ...more,
});
const keep = (who, key, form = response(), seen = "") => who.put(at(key), { seen, response: form });
const keys = async (who) => (await who.get("/drafts")).json().drafts.map((d) => d.key);

async function registered(who) {
  const r = await who.post("/fhir/Patient", patient("刘", "桂芝"));
  assert.equal(r.status, 201, r.text);
  return `Patient/${r.json().id}`;
}

before(async () => {
  writePackage(packages);
  c = await county("--pathways", packages, "--now", "2026-03-02T08:00:00+08:00");
  me = c.people.township1;
  person = await registered(me);
  hidden = await registered(c.people.township2);
});
after(async () => {
  await c?.close();
  rmSync(packages, { recursive: true, force: true });
});

test("kept, read, replaced, listed, removed: as it was typed", async () => {
  const first = await keep(me, startKey(), response("半张"), "");
  assert.equal(first.status, 200, first.text);
  assert.equal(first.json().key, startKey());
  assert.match(first.json().at, /^2026-03-02T/);
  assert.equal((await keep(me, startKey(), response("写了一半"), "7")).status, 200);
  const read = await me.get(at(startKey()));
  assert.equal(read.status, 200);
  assert.deepEqual(read.json().response, response("写了一半"));
  assert.equal(read.json().seen, "7");
  assert.deepEqual(await keys(me), [startKey()]);
  const list = (await me.get("/drafts")).json().drafts;
  assert.equal(list[0].response, undefined, "the list has no contents");
  assert.equal((await me.del(at(startKey()))).status, 204);
  assert.equal((await me.del(at(startKey()))).status, 204, "again changes nothing");
  assert.equal((await me.get(at(startKey()))).status, 404);
});

test("nobody else reads it, with whatever rights, and it is in no search and no history", async () => {
  assert.equal((await keep(me, startKey(), response("只有我"))).status, 200);
  for (const other of [c.people.technician1, c.people.village1, c.people.township2]) {
    assert.equal((await other.get(at(startKey()))).status, 404);
    assert.deepEqual(await keys(other), []);
  }
  for (const other of [c.machine, c.administrators.system]) {
    const r = await other.get(at(startKey()));
    assert.equal(r.status, 403, r.text);
    assert.equal(rule(r), "not-a-person");
  }
  assert.equal((await request(c.server.url, "GET", at(startKey()))).status, 401);
  const found = await c.machine.get("/fhir/QuestionnaireResponse?_count=1000");
  assert.equal(found.json().entry?.length ?? 0, 0);
  await me.del(at(startKey()));
});

test("what the key names must be in sight, before and after", async () => {
  for (const key of [`start:oxygen-loan:${hidden}`, "start:oxygen-loan:Patient/none", "Task/none:lend", "Nothing/1:x"]) {
    assert.equal((await keep(me, key)).status, 404, key);
  }
});

test("malformed keys and forms are refused, each with what is wrong", async () => {
  for (const key of ["a b", "汉", "x".repeat(201), "a?b"]) assert.equal((await keep(me, key)).status, 400, key);
  for (const [body, status] of [
    [{}, 422], [{ response: { resourceType: "Patient" } }, 422], [{ response: response("x", { status: "completed" }) }, 422],
    [{ response: response("x", { colour: "red" }) }, 422], [{ seen: "9".repeat(65), response: response() }, 400], ["{", 400], ["[]", 400],
  ]) assert.equal((await me.put(at(startKey()), body)).status, status, JSON.stringify(body));
  const big = await me.put(at(startKey()), { response: response("大".repeat(100_000)) });
  assert.equal(big.status, 413);
  assert.equal((await me.post("/drafts", {})).status, 405);
  assert.deepEqual(await keys(me), []);
});

test("so many and no more; replacing one of them is no new one", async () => {
  for (let i = 0; i < DRAFTS_MAX; i++) assert.equal((await keep(me, `note:${i}`)).status, 200);
  const r = await keep(me, "note:more");
  assert.equal(r.status, 409);
  assert.equal(rule(r), "drafts-full");
  assert.equal((await keep(me, "note:0", response("again"))).status, 200);
  assert.equal((await me.del(at("note:1"))).status, 204);
  assert.equal((await keep(me, "note:more")).status, 200);
  for (const key of await keys(me)) await me.del(at(key));
});

const parameters = (...parameter) => ({ resourceType: "Parameters", parameter });
const filled = (code, item) => ({
  name: "form", resource: { resourceType: "QuestionnaireResponse", status: "completed", questionnaire: `urn:menkou:form:oxygen-loan:${code}`, item },
});

async function begin() {
  const r = await me.post("/fhir/$start", parameters(
    { name: "pathway", valueCode: "oxygen-loan" }, { name: "patient", valueReference: { reference: person } },
    filled("start", [{ linkId: "days", answer: [{ valueInteger: 30 }] }, { linkId: "lender", answer: [{ valueReference: { reference: "Organization/county" } }] }])));
  assert.equal(r.status, 201, r.text);
  return r.json().id;
}

test("the form that is sent ends its own draft in the same commit; others' stay", async () => {
  assert.equal((await keep(me, startKey())).status, 200);
  assert.equal((await keep(me, "note:stays")).status, 200);
  const task = await begin();
  assert.deepEqual(await keys(me), ["note:stays"]);
  await me.del(at("note:stays"));
  const key = `Task/${task}:lend`, office = c.people.office;
  assert.equal((await keep(office, key, response(), "1")).status, 200);
  const lend = (version) => office.post(`/fhir/Task/${task}/$act`, parameters({ name: "action", valueCode: "lend" },
    filled("lend", [{ linkId: "machine", answer: [{ valueString: "A1" }] }])), { "If-Match": `W/"${version}"` });
  assert.equal((await lend(9)).status, 412);
  assert.deepEqual(await keys(office), [key], "a step that was refused takes nothing away");
  assert.equal((await lend(1)).status, 200);
  assert.equal((await office.get(at(key))).status, 404);
});

test("it outlives a server that was killed, and ends after seven days", async () => {
  assert.equal((await keep(me, startKey(), response("隔夜"))).status, 200);
  const later = async (now) => {
    await c.server.stop();
    c.server = await serve(c.dir, "--pathways", packages, "--now", now);
    return login(c.server, { username: "township1", password: "Doorstep-2026" });
  };
  await c.server.kill();
  c.server = await serve(c.dir, "--pathways", packages, "--now", "2026-03-02T08:30:00+08:00");
  me = speaker(c.server, me.session);
  assert.deepEqual((await me.get(at(startKey()))).json().response, response("隔夜"));
  me = await later("2026-03-09T08:00:00+08:00");
  assert.equal((await me.get(at(startKey()))).status, 200);
  me = await later("2026-03-09T09:00:00+08:00");
  assert.equal((await me.get(at(startKey()))).status, 404);
  assert.deepEqual(await keys(me), []);
});
