// Subscriptions to topics (R5's, backported): handshake, notifications in order from the log, filters, retries, letters,
// heartbeats, over a restart, never beyond the subscriber's sight, and only where an administrator allows.
import assert from "node:assert/strict";
import http from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { county, patient } from "../support/county.mjs";
import { filesOnly } from "../support/database.mjs";
import { folder, login, menkou, serve, until } from "../support/server.mjs";

let c, machine, target, office;
const BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-";

/** A target that keeps what it is sent and answers as told. */
async function listen() {
  const t = { notes: [], answer: () => 200 };
  const server = http.createServer((req, res) => {
    const pieces = [];
    req.on("data", (d) => pieces.push(d));
    req.on("end", async () => {
      const bundle = JSON.parse(Buffer.concat(pieces).toString());
      const part = (name) => bundle.entry[0].resource.parameter.filter((p) => p.name === name);
      const note = { path: req.url, headers: req.headers, bundle, kind: part("type")[0].valueCode, total: Number(part("events-since-subscription-start")[0].valueString),
        events: part("notification-event").map((e) => Object.fromEntries(e.part.map((x) => [x.name, x.valueString ?? x.valueInstant ?? x.valueReference.reference]))) };
      const status = await t.answer(note);
      if (status < 300) t.notes.push(note);
      res.writeHead(status).end();
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.url = `http://127.0.0.1:${server.address().port}/hook`;
  t.close = () => { server.closeAllConnections?.(); server.close(); };
  return t;
}
const subscription = (id, criteria, { content = "id-only", filter, path = id, ...extension } = {}) => ({
  resourceType: "Subscription", id, status: "requested", reason: "test", criteria,
  ...(filter && { _criteria: { extension: [{ url: `${BACKPORT}filter-criteria`, valueString: filter }] } }),
  channel: { type: "rest-hook", endpoint: `${target.url}/${path}`, payload: "application/fhir+json", header: ["X-Test: yes"],
    _payload: { extension: [{ url: `${BACKPORT}payload-content`, valueCode: content }] },
    ...(Object.keys(extension).length && { extension: Object.entries(extension).map(([name, n]) => ({ url: BACKPORT + name, valueUnsignedInt: n })) }) },
});
const statusOf = async (id, person = machine) => (await person.get(`/fhir/Subscription/${id}`)).json().status;
const becomes = (id, status, person = machine) => until(`Subscription/${id} is ${status}`, async () => (await statusOf(id, person)) === status);
const notesOf = (path, kind = "event-notification") => target.notes.filter((n) => n.path === `/hook/${path}` && n.kind === kind);
const focusOf = (path) => notesOf(path).flatMap((n) => n.events.map((e) => e.focus));
const tells = (path, count) => until(`${path} is told ${count}`, () => focusOf(path).length >= count);
const observe = (id, more = {}) => machine.keep({ resourceType: "Observation", id, status: "final", code: { coding: [{ system: "urn:x", code: "a" }] }, ...more });

before(async () => {
  c = await county();
  machine = c.machine;
  office = c.people.consortium;
  target = await listen();
  assert.equal((await c.administrators.system.put("/hooks/targets", { targets: [target.url] })).status, 200);
});
after(async () => { target?.close(); await c?.close(); });

test("handshake, then each change in order with its number; $status and $events", async () => {
  await machine.keep(subscription("s1", "urn:menkou:topic:Observation"));
  await becomes("s1", "active");
  assert.equal(notesOf("s1", "handshake").length, 1);
  for (let n = 0; n < 5; n++) await observe(`a${n}`);
  await observe("a0", { status: "amended" });
  await machine.del("/fhir/Observation/a4");
  await tells("s1", 7);
  assert.deepEqual(focusOf("s1"), ["a0", "a1", "a2", "a3", "a4", "a0", "a4"].map((id) => `Observation/${id}`));
  const events = notesOf("s1").flatMap((n) => n.events);
  assert.deepEqual(events.map((e) => Number(e["event-number"])), [1, 2, 3, 4, 5, 6, 7]);
  const first = notesOf("s1")[0];
  assert.equal(first.headers["x-test"], "yes");
  assert.equal(first.bundle.type, "history");
  assert.deepEqual(first.bundle.entry[1].request, { method: "POST", url: "Observation" });
  assert.equal(first.bundle.entry[1].resource, undefined, "id-only");
  const status = (await machine.get("/fhir/Subscription/s1/$status")).json();
  const value = (name) => Object.entries(status.entry[0].resource.parameter.find((p) => p.name === name)).find(([k]) => k.startsWith("value"))[1];
  assert.deepEqual([value("status"), value("type"), value("events-since-subscription-start")], ["active", "query-status", "7"]);
  const fetched = (await machine.get("/fhir/Subscription/s1/$events?eventsSinceNumber=6&eventsUntilNumber=7")).json();
  assert.deepEqual(fetched.entry.slice(1).map((e) => [e.request.method, e.request.url]), [["PUT", "Observation/a0"], ["DELETE", "Observation/a4"]]);
  assert.equal((await office.get("/fhir/Subscription/s1/$events")).status, 403, "only the subscriber's");
  assert.equal((await machine.get("/fhir/Subscription/$status")).json().entry.length, 1);
});

test("a backup knows where subscribers stand", filesOnly, async () => {
  const [to, copy] = [join(folder("hooks"), "backup"), join(folder("hooks"), "copy")];
  assert.equal(menkou("backup", "--data", c.dir, "--to", to).code, 0);
  const back = menkou("restore", to, "--data", copy);
  assert.equal(back.code, 0, back.stderr);
  const server = await serve(copy);
  const person = await login(server, c.machineAccount);
  const events = (await person.get("/fhir/Subscription/s1/$events")).json();
  assert.equal(events.entry.length, 8, "the status and the seven events");
  person.close();
  await server.stop();
});

test("a topic with FHIRPath and a filter; whole resources; a search as criteria", async () => {
  await machine.keep({ resourceType: "Basic", id: "topic", code: { coding: [{ system: "http://hl7.org/fhir/fhir-types", code: "SubscriptionTopic" }] }, extension: [
    { url: "http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic.url", valueUri: "urn:x:topic:amended" },
    { url: "http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic.resourceTrigger", extension: [
      { url: "resource", valueUri: "http://hl7.org/fhir/StructureDefinition/Observation" }, { url: "supportedInteraction", valueCode: "update" },
      { url: "fhirPathCriteria", valueString: "%previous.status = 'final' and %current.status = 'amended'" }] }] });
  await machine.keep(subscription("s2", "urn:x:topic:amended", { content: "full-resource", filter: "Observation?code=urn:x|a" }));
  await machine.keep(subscription("s3", "Observation?status=amended"));
  await becomes("s2", "active");
  await becomes("s3", "active");
  await observe("b1");
  await observe("b2", { code: { text: "other" } });
  await tells("s1", 9); // a search tells of what is there now: both have been looked at as they are first
  await observe("b1", { status: "amended" });
  await observe("b2", { status: "amended", code: { text: "other" } });
  await tells("s2", 1);
  await tells("s3", 2);
  assert.deepEqual(focusOf("s2"), ["Observation/b1"]);
  assert.equal(notesOf("s2")[0].bundle.entry[1].resource.status, "amended");
  assert.deepEqual(focusOf("s3"), ["Observation/b1", "Observation/b2"]);
});

test("a filter is held against the version that was written, not against what is there by now", async () => {
  await machine.keep(subscription("then", "urn:menkou:topic:Observation", { filter: "Observation?status=preliminary&_id=v1" }));
  await becomes("then", "active");
  // The thread waits for an answer while both are written: the first is an event, whatever came after it.
  let release, waits = false;
  const held = new Promise((done) => { release = done; });
  target.answer = async (note) => { waits ||= note.path === "/hook/s1"; if (note.path === "/hook/s1") await held; return 200; };
  await observe("v0");
  await until("the thread waits", () => waits);
  await observe("v1", { status: "preliminary" });
  await observe("v1", { status: "final" });
  target.answer = () => 200;
  release();
  await tells("then", 1);
  await observe("v1", { status: "preliminary", note: [{ text: "again" }] });
  await tells("then", 2);
  assert.equal(focusOf("then").length, 2);
});

test("what fails is tried again in order; what is refused is a letter that is sent again", async () => {
  await machine.keep(subscription("s4", "urn:menkou:topic:Device", { "max-count": 1 }));
  await becomes("s4", "active");
  let failed = 0;
  target.answer = (note) => note.path === "/hook/s4" && failed++ < 2 ? 503 : 200;
  await machine.keep({ resourceType: "Device", id: "d1" });
  await machine.keep({ resourceType: "Device", id: "d2" });
  await tells("s4", 2);
  assert.deepEqual(focusOf("s4"), ["Device/d1", "Device/d2"]);
  assert.ok(failed > 2);
  target.answer = (note) => note.path === "/hook/s4" ? 410 : 200;
  await machine.keep({ resourceType: "Device", id: "d3" });
  const letters = async () => (await c.administrators.system.get("/hooks/letters")).json().letters;
  const [letter] = await until("there is a letter", async () => (await letters()).length && letters());
  assert.deepEqual([letter.subscription, letter.firstEvent, letter.lastEvent], ["s4", 3, 3]);
  assert.match(letter.reason, /410/);
  const resend = () => c.administrators.system.post(`/hooks/letters/${letter.no}/resend`);
  assert.notEqual((await resend()).status, 204, "still refused");
  target.answer = () => 200;
  await machine.keep({ resourceType: "Device", id: "d4" });
  await tells("s4", 3);
  assert.equal((await resend()).status, 204);
  assert.deepEqual(focusOf("s4"), ["Device/d1", "Device/d2", "Device/d4", "Device/d3"]);
  assert.deepEqual(await letters(), []);
});

test("nothing is told beyond the subscriber's sight, and nowhere that is not allowed", async () => {
  const mine = (await c.people.village1.post("/fhir/Patient", patient("钱", "守正"))).json().id;
  assert.equal((await office.put("/fhir/Subscription/s5", subscription("s5", "urn:menkou:topic:Condition"))).status, 201);
  await becomes("s5", "active", office);
  await machine.keep({ resourceType: "Patient", id: "stranger", name: [{ text: "外人" }] });
  for (const [id, who] of [["c1", "stranger"], ["c2", mine]]) await machine.keep({ resourceType: "Condition", id, subject: { reference: `Patient/${who}` } });
  await tells("s5", 1);
  assert.deepEqual(focusOf("s5"), ["Condition/c2"]);
  for (const [id, endpoint] of [["s6", "http://127.0.0.1:9/elsewhere"], ["s7", `${target.url}@evil.example/`], ["s8", target.url.replace("/hook", "/hooked")]]) {
    const s = subscription(id, "urn:menkou:topic:Device");
    s.channel.endpoint = endpoint;
    await machine.keep(s);
    await becomes(id, "error");
    assert.match((await machine.get(`/fhir/Subscription/${id}`)).json().error, /allowed/);
  }
  await machine.keep(subscription("s9", "urn:x:topic:unknown"));
  await becomes("s9", "error");
  for (const person of [c.people.village1, c.people.doctor, c.administrators.system]) assert.equal((await person.put("/fhir/Subscription/s10", subscription("s10", "Device?"))).status, 403);
  for (const person of [machine, office, c.administrators.audit]) {
    assert.equal((await person.get("/hooks/letters")).status, 403);
    assert.equal((await person.put("/hooks/targets", { targets: [] })).status, 403);
  }
  assert.equal((await c.administrators.system.put("/hooks/targets", { targets: ["ftp://x"] })).status, 400);
});

test("a heartbeat while nothing happens; what happened while the server stood still is told after it", async () => {
  await machine.keep(subscription("s11", "urn:menkou:topic:Location", { "heartbeat-period": 1, content: "empty" }));
  await becomes("s11", "active");
  await until("a heartbeat", () => notesOf("s11", "heartbeat").length > 0);
  let open = false;
  target.answer = () => (open ? 200 : 503);
  await machine.keep({ resourceType: "Location", id: "l1" });
  await machine.keep({ resourceType: "Location", id: "l2" });
  await c.server.stop();
  open = true;
  c.server = await serve(c.dir);
  const again = await login(c.server, c.machineAccount);
  await until("told after the restart", () => notesOf("s11").flatMap((n) => n.events).length >= 2);
  const events = notesOf("s11").flatMap((n) => n.events);
  assert.deepEqual(events.map((e) => e["event-number"]), ["1", "2"]);
  assert.equal(events[0].focus, undefined, "empty");
  assert.equal(notesOf("s1").flatMap((n) => n.events).length >= 7, true);
  assert.equal(await statusOf("s11", again), "active");
  again.close();
});
