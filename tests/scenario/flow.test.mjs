// $start, $act, $actions over HTTP: statuses of contracts 1.2, Idempotency-Key, and that no raw write gets past.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { county, patient } from "../support/county.mjs";
import { rule } from "../support/server.mjs";

const CLIENTS = 64;
let c, person, desk;

const parameters = (...parameter) => ({ resourceType: "Parameters", parameter });
const code = (name, valueCode) => ({ name, valueCode });
const reference = (name, to) => ({ name, valueReference: { reference: to } });
const form = (questionnaire, item) => ({
  name: "form", resource: { resourceType: "QuestionnaireResponse", questionnaire, status: "completed", item },
});
const choice = (linkId, value) => ({ linkId, answer: [{ valueCoding: { code: value } }] });
const text = (linkId, valueString) => ({ linkId, answer: [{ valueString }] });
const part = (action, name) => action.part.find((p) => p.name === name);

before(async () => {
  c = await county();
  desk = c.people.technician1;
  await c.machine.keep({
    resourceType: "HealthcareService", id: "ecg", active: true, name: "心电诊断中心",
    providedBy: { reference: "Organization/county" },
    type: [{ coding: [{ system: "urn:menkou:service", code: "ecg-reading" }] }],
  });
  const r = await desk.post("/fhir/Patient", patient("刘", "桂芝"));
  assert.equal(r.status, 201, r.text);
  person = `Patient/${r.json().id}`;
});
after(() => c?.close());

/** The start as $actions offers it, answered from its own options. */
async function startBody(more = []) {
  const r = await desk.get(`/fhir/$actions?pathway=remote-ecg&patient=${person}`);
  assert.equal(r.status, 200, r.text);
  const start = r.json().parameter.find((p) => part(p, "code").valueCode === "start");
  const questionnaire = part(start, "questionnaire").resource;
  const consent = questionnaire.item.flatMap((i) => [i, ...(i.item ?? [])]).find((i) => i.linkId === "consent");
  const items = [text("reason", "胸闷"), choice("urgency", "routine"), { linkId: "consent", answer: [{ valueCoding: consent.answerOption[0].valueCoding }] }];
  return parameters(code("pathway", "remote-ecg"), reference("patient", person), form(questionnaire.url, items), ...more);
}

async function start(headers) {
  const r = await desk.post("/fhir/$start", await startBody(), headers);
  assert.equal(r.status, 201, r.text);
  return r;
}

test("a start is 201 with the Task, its place and its version", async () => {
  const r = await start();
  const task = r.json();
  assert.equal(r.headers.location, `/fhir/Task/${task.id}/_history/1`);
  assert.equal(r.headers.etag, 'W/"1"');
  assert.equal(task.businessStatus.coding[0].code, "ordered");
  assert.equal(task.status, "requested");
  assert.equal((await desk.get(`/fhir/Task/${task.id}`)).status, 200);
});

test("what is malformed, unknown, out of sight or not one's own is refused, each in its way", async () => {
  const post = async (body, who = desk) => (await who.post("/fhir/$start", body)).status;
  assert.equal(await post({ resourceType: "Parameters" }), 400);
  assert.equal(await post(parameters(code("pathway", "no-such"), reference("patient", person))), 400);
  assert.equal(await post(await startBody([code("nonsense", "x")])), 400);
  assert.equal(await post({ resourceType: "Patient" }), 400);
  const body = await startBody();
  assert.equal(await post(body, c.people.technician2), 404);
  body.parameter.find((p) => p.name === "form").resource.item.splice(0, 1);
  const r = await desk.post("/fhir/$start", body);
  assert.equal(r.status, 422, r.text);
  assert.ok(JSON.stringify(r.json().issue[0].expression).includes("reason"), r.text);
});

test("a dry run computes and writes nothing", async () => {
  const before = (await desk.get("/fhir/Task?_summary=count")).json().total;
  const r = await desk.post("/fhir/$start?_dry=true", await startBody());
  assert.equal(r.status, 200, r.text);
  assert.equal(r.json().resourceType, "QuestionnaireResponse");
  assert.equal((await desk.get("/fhir/Task?_summary=count")).json().total, before);
});

test("an act needs the version that was seen", async () => {
  const task = (await start()).json();
  const body = parameters(code("action", "cancel"), form("urn:menkou:form:remote-ecg:cancel", [text("reason", "重复")]));
  const act = (headers, who = desk) => who.post(`/fhir/Task/${task.id}/$act`, body, headers);
  assert.equal((await act({})).status, 428);
  assert.equal((await act({ "If-Match": 'W/"9"' })).status, 412);
  assert.equal((await act({ "If-Match": '"a b"' })).status, 400);
  assert.equal((await act({ "If-Match": 'W/"1"' }, c.people.technician2)).status, 404);
  const r = await act({ "If-Match": 'W/"1"' });
  assert.equal(r.status, 200, r.text);
  assert.equal(r.headers.etag, 'W/"2"');
  assert.equal(r.json().status, "cancelled");
  assert.equal((await act({ "If-Match": 'W/"2"' })).status, 409);
  assert.equal((await desk.post("/fhir/Task/none/$act", body, { "If-Match": 'W/"1"' })).status, 404);
});

test("no raw write moves a case, for any role", async () => {
  const task = (await start()).json();
  for (const who of [desk, c.machine]) {
    const put = await who.put(`/fhir/Task/${task.id}`, { ...task, status: "completed" });
    assert.equal(put.status, who === desk ? put.status : 409, put.text);
    assert.ok([403, 409].includes(put.status), put.text);
    assert.ok([403, 409].includes((await who.del(`/fhir/Task/${task.id}`)).status));
  }
  const bundle = { resourceType: "Bundle", type: "transaction", entry: [
    { resource: { ...task, status: "completed" }, request: { method: "PUT", url: `Task/${task.id}` } }] };
  const r = await c.machine.post("/fhir", bundle);
  assert.equal(r.status, 409, r.text);
  assert.equal(rule(r), "held-by-case");
  const copy = await c.machine.post("/fhir/Task", { ...task, id: undefined });
  assert.equal(copy.status, 409, copy.text);
});

test("64 clients, one Idempotency-Key: one case, and all hear of it", async () => {
  const body = await startBody();
  const before = (await desk.get("/fhir/Task?_summary=count")).json().total;
  const all = await Promise.all(Array.from({ length: CLIENTS }, () => desk.post("/fhir/$start", body, { "Idempotency-Key": "one-start" })));
  assert.deepEqual([...new Set(all.map((r) => r.status))], [201], all.find((r) => r.status !== 201)?.text);
  assert.equal(new Set(all.map((r) => r.json().id)).size, 1);
  assert.equal((await desk.get("/fhir/Task?_summary=count")).json().total, before + 1);
  const other = await startBody([reference("focus", person)]);
  assert.equal((await desk.post("/fhir/$start", other, { "Idempotency-Key": "one-start" })).status, 422);
});

test("the pathways are told in the caller's language, with work lists ready to run", async () => {
  const r = await desk.get("/fhir/$pathways", { "Accept-Language": "zh-CN" });
  assert.equal(r.status, 200, r.text);
  const lists = r.json().parameter.flatMap((p) => p.part.flatMap((x) => (x.name === "list" ? [x] : (x.part ?? []).filter((y) => y.name === "list"))));
  for (const list of lists) {
    const query = part(list, "query").valueString;
    assert.equal((await desk.get(`/fhir/Task?${query}`)).status, 200, query);
  }
});
