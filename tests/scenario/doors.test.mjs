// Contracts 1.2 and 1.4 in a demo county: refusals, dry runs, keys, what a case holds and by which doors it
// cannot be changed, $actions, races on cases, who finds and sees whom.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { events, idCard, patient as resident } from "../support/county.mjs";
import { etag, fill, held, items, parameters, part, people, state } from "../support/cases.mjs";
import { demo, menkou, request, root, rule } from "../support/server.mjs";

const CLIENTS = 64;
const recording = readFileSync(join(root, "tests/fixtures/ecg/synthetic.scp"));
const ID_CARD = "urn:oid:2.16.156.10011.1.3";
const card = idCard("139901", "19580305", 511);
const strangers = ["village2", "town2", "tech2", "reader2", "family2"];
const ecgStart = { reason: "胸痛", urgency: "stat", consent: "written" };

let county, who, patient, village, town, tech, reader, doctor, office, machine;

before(async () => {
  county = await demo("--now", "2026-11-22T08:00:00+08:00", "--seed", "7");
  who = people(county.server, county.accounts);
  const team = []; // one after the other: two log-ins at a time, further ones wait two seconds
  for (const name of ["village1", "town1", "tech1", "reader1", "doctor1", "office1", "integrator1"]) team.push(await who(name));
  [village, town, tech, reader, doctor, office, machine] = team;
  const r = await village.post("/fhir/Patient", resident("单", "雄信", {
    gender: "male", birthDate: "1958-03-05", identifier: [{ system: ID_CARD, value: card }],
    telecom: [{ system: "phone", value: "12000000001" }],
  }));
  assert.equal(r.status, 201, r.text);
  patient = `Patient/${r.json().id}`;
});
after(async () => {
  await county?.server.stop();
});

const counts = (answers) => answers.reduce((n, r) => ({ ...n, [r.status]: (n[r.status] ?? 0) + 1 }), {});
const all = (send) => Promise.all(Array.from({ length: CLIENTS }, (_, i) => send(i)));
const cases = async () => (await machine.get("/fhir/Task?_summary=count")).json().total;
async function acquired() {
  const task = await tech.start("remote-ecg", patient, ecgStart);
  const id = await tech.upload(recording, patient);
  return tech.act(task, "acquire", { recording: { url: `Binary/${id}`, title: "r.scp" } });
}
const freeSlots = (count) => town.search("Slot?status=free&schedule.actor=HealthcareService/cardiology"
  + `&start=ge2026-11-22T09:00:00%2B08:00&_sort=start&_count=${count}`);
const referral = async (slot) => town.start("referral-up", patient, {
  reason: "1", diagnosis: "心梗", urgency: "stat", department: "HealthcareService/cardiology", letter: "请收治",
  slot: slot ?? `Slot/${(await freeSlots(1))[0].id}`,
});

test("refusals: each status with its rule, and nothing changed by any", async () => {
  const before = await cases();
  const start = await tech.startBody("remote-ecg", patient, ecgStart);
  const changed = (change) => {
    const body = structuredClone(start);
    change(body.parameter, body);
    return body;
  };
  const table = [
    [400, undefined, "{"], [400, undefined, { resourceType: "Parameters" }], [400, undefined, { resourceType: "Patient" }],
    [400, "unknown-pathway", changed((p) => (p[0].valueCode = "nothing"))],
    [404, undefined, changed((p) => (p[1].valueReference.reference = "Patient/nobody"))],
    [400, undefined, changed((p) => p.push(p[1]))],
    [422, "form-required", changed((p) => p.pop())],
    [422, undefined, changed((p) => (p[2].resource.item[0].linkId = "nonsense"))],
    [422, undefined, changed((p) => (p[2].resource.item.find((i) => i.linkId === "urgency").answer[0].valueCoding.code = "whenever"))],
  ];
  for (const [status, code, body] of table) {
    const r = await tech.post("/fhir/$start", body);
    assert.equal(r.status, status, `${JSON.stringify(body).slice(0, 200)}: ${r.text}`);
    assert.equal(r.json().resourceType, "OperationOutcome");
    if (code) assert.equal(rule(r), code);
  }
  assert.equal((await (await who("tech2")).post("/fhir/$start", start)).status, 404, "a patient out of sight");
  assert.equal((await village.post("/fhir/$start", start)).status, 403, "not this person's to start");
  assert.equal((await machine.post("/fhir/$start", start)).status, 403);
  for (const name of ["system1", "security1", "audit1"]) {
    const r = await (await who(name)).post("/fhir/$start", start);
    assert.ok([403, 404].includes(r.status), `${name}: ${r.status}`);
  }
  assert.equal(await cases(), before);
  const task = await tech.start("remote-ecg", patient, ecgStart);
  const cancel = await tech.actBody(task, "cancel", { reason: "重复" });
  const act = (headers, body = cancel) => tech.post(`/fhir/Task/${task.id}/$act`, body, headers);
  assert.equal((await act({})).status, 428);
  assert.equal((await act({ "If-Match": 'W/"7"' })).status, 412);
  assert.equal((await act(etag(task), parameters({ name: "action", valueCode: "fly" }))).status, 400);
  assert.equal((await act(etag(task), { resourceType: "Parameters" })).status, 400);
  assert.equal((await act(etag(task), "[]")).status, 400);
  assert.equal((await tech.post("/fhir/Task/nowhere/$act", cancel, etag(task))).status, 404);
  assert.equal((await act(etag(task), parameters({ name: "action", valueCode: "lease-end" }))).status >= 403, true);
  assert.equal((await tech.read("Task", task.id)).meta.versionId, "1");
});

test("a dry run answers with the form as it would be, and writes nothing", async () => {
  const before = await cases();
  const body = await tech.startBody("remote-ecg", patient, ecgStart);
  const r = await tech.post("/fhir/$start?_dry=true", body);
  assert.equal(r.status, 200, r.text);
  assert.equal(r.json().resourceType, "QuestionnaireResponse");
  assert.equal(await cases(), before);
  const task = await tech.start("remote-ecg", patient, ecgStart);
  const dry = await tech.send(task, await tech.actBody(task, "cancel", { reason: "x" }), {}, "?_dry=true");
  assert.equal(dry.status, 200, dry.text);
  assert.equal(dry.json().resourceType, "QuestionnaireResponse");
  const after = await tech.read("Task", task.id);
  assert.deepEqual([state(after), after.meta.versionId], ["ordered", "1"]);
  const bad = await tech.startBody("remote-ecg", patient, { ...ecgStart, reason: null });
  assert.equal((await tech.post("/fhir/$start?_dry=true", bad)).status, 422);
  const reading = await reader.act(await acquired(), "claim");
  const half = await reader.actBody(reading, "report", { "heart-rate": 75, "qt-interval": 520, qtc: null });
  const told = await reader.send(reading, half, {}, "?_dry=true");
  assert.equal(told.status, 422, "finding and conclusion are still empty");
  const [beside] = told.json().contained;
  const link = (name) => beside.item.find((i) => i.linkId === name);
  assert.equal(link("qtc").answer[0].valueInteger, 581, "proposed all the same");
  assert.equal(link("qtc").extension.find((e) => e.url === "urn:menkou:color").valueCode, "red");
  const judged = await machine.post("/fhir/OperationOutcome/$validate", told.json());
  assert.ok(!judged.json().issue.some((i) => i.severity === "error"), judged.text);
  assert.equal(link("heart-rate").extension.find((e) => e.url === "urn:menkou:color").valueCode, "green", "75 a minute is nothing to warn of");
  assert.equal((await reader.send(reading, half)).json().contained, undefined, "only of a dry run");
  const written = await cases();
  for (const query of ["_dry=1", "_dry=TRUE", "_dry=", "dry=true"]) {
    assert.equal((await tech.post(`/fhir/$start?${query}`, body)).status, 400, query);
    assert.equal((await tech.send(task, await tech.actBody(task, "cancel", { reason: "x" }), {}, `?${query}`)).status, 400, query);
  }
  assert.equal((await tech.get("/fhir/$actions?pathway=remote-ecg&patien=Patient/1")).status, 400);
  assert.equal(await cases(), written);
});

test("one Idempotency-Key: the first answer again, for $start and $act, and 422 with another body", async () => {
  const key = { "Idempotency-Key": "k-".padEnd(64, "x") };
  const body = await tech.startBody("remote-ecg", patient, ecgStart);
  const before = await cases();
  const first = await tech.post("/fhir/$start", body, key);
  assert.equal(first.status, 201, first.text);
  const again = await tech.post("/fhir/$start", body, key);
  assert.deepEqual([again.status, again.text, again.headers.location, again.headers.etag],
    [201, first.text, first.headers.location, first.headers.etag]);
  assert.equal(await cases(), before + 1);
  const other = await tech.startBody("remote-ecg", patient, { ...ecgStart, reason: "另一个" });
  assert.equal((await tech.post("/fhir/$start", other, key)).status, 422);
  assert.equal((await tech.post("/fhir/$start", body, { "Idempotency-Key": "x".repeat(65) })).status, 400);
  const task = first.json();
  const cancel = await tech.actBody(task, "cancel", { reason: "重复" });
  const done = await tech.send(task, cancel, { "Idempotency-Key": "act-1" });
  assert.equal(done.status, 200, done.text);
  const echo = await tech.send(task, cancel, { "Idempotency-Key": "act-1" });
  assert.deepEqual([echo.status, echo.text, echo.headers.etag], [200, done.text, done.headers.etag]);
  assert.equal((await tech.read("Task", task.id)).meta.versionId, "2");
  const patientBody = resident("键", "一");
  const made = await village.post("/fhir/Patient", patientBody, { "Idempotency-Key": "p-1" });
  const same = await village.post("/fhir/Patient", patientBody, { "Idempotency-Key": "p-1" });
  assert.deepEqual([same.status, same.json().id], [201, made.json().id]);
});

test("64 $start with one key make one case; 64 claims have one winner; 64 submits on one slot too", async () => {
  const body = await tech.startBody("remote-ecg", patient, ecgStart);
  const before = await cases();
  const starts = await all(() => tech.post("/fhir/$start", body, { "Idempotency-Key": "race" }));
  assert.deepEqual(counts(starts), { 201: CLIENTS });
  assert.equal(new Set(starts.map((r) => r.json().id)).size, 1);
  assert.equal(await cases(), before + 1);
  const task = await acquired();
  const readers = [reader, await who("reader3")];
  const claim = parameters({ name: "action", valueCode: "claim" });
  const claims = await all((i) => readers[i % 2].send(task, claim));
  assert.equal(counts(claims)[200], 1, JSON.stringify(counts(claims)));
  for (const r of claims) assert.ok([200, 409, 412].includes(r.status), r.text);
  assert.equal(counts(claims)[409] ?? 0, CLIENTS - 1, JSON.stringify(counts(claims)));

  const [slot] = await freeSlots(1);
  const drafts = [];
  for (let i = 0; i < CLIENTS; i++) drafts.push(await referral(`Slot/${slot.id}`));
  const submit = parameters({ name: "action", valueCode: "submit" });
  const submits = await all((i) => town.send(drafts[i], submit));
  assert.deepEqual(counts(submits), { 200: 1, 409: CLIENTS - 1 }, submits.find((r) => ![200, 409].includes(r.status))?.text);
  assert.equal(rule(submits.find((r) => r.status === 409)), "slot-taken");
  assert.equal((await machine.read("Slot", slot.id)).status, "busy-tentative");
  await town.act(submits.find((r) => r.status === 200).json(), "cancel", { reason: "x" });
  assert.equal((await machine.read("Slot", slot.id)).status, "free");
});

test("64 registrations of one ID card: one resident", async () => {
  const body = resident("仇", "和", { identifier: [{ system: ID_CARD, value: idCard("139901", "19700101", 78) }], birthDate: "1970-01-01" });
  assert.deepEqual(counts(await all(() => village.post("/fhir/Patient", body))), { 201: 1, 409: CLIENTS - 1 });
});

test("held-by-case: by no raw door, for no role", async () => {
  let ecg = await reader.act(await acquired(), "claim");
  ecg = await reader.act(ecg, "report", { finding: "窦性", conclusion: "正常心电图" });
  let up = await office.act(await town.act(await referral(), "submit"), "accept");
  const things = [`Task/${ecg.id}`, `Task/${up.id}`, held(ecg, "order"), held(ecg, "report"), held(ecg, "recording"), held(ecg, "finding"),
    held(up, "request"), held(up, "slot"), held(up, "appointment"), ecg.input[0].valueReference.reference].filter(Boolean);
  assert.equal(things.length, 10, things.join());
  const roles = [machine, tech, town, reader, doctor, office, village, await who("consortium1"), await who("system1")];
  for (const reference of things) {
    const [type, id] = reference.split("/");
    const now = await machine.read(type, id);
    const changed = { ...now, implicitRules: "urn:x" };
    const bundle = (type_, entry) => ({ resourceType: "Bundle", type: type_, entry: [entry] });
    for (const person of roles) {
      const name = `${person.account.username} ${type}`;
      const outcome = async (answer, what) => {
        const r = await answer;
        const allowed = person === machine ? [409] : [403, 404, 409];
        assert.ok(allowed.includes(r.status), `${what} ${name}: ${r.status} ${r.text.slice(0, 300)}`);
        if (r.status === 409) assert.equal(rule(r), "held-by-case", `${what} ${name}: ${r.text}`);
      };
      await outcome(person.http.put(`/fhir/${reference}`, changed), "PUT");
      await outcome(person.http.del(`/fhir/${reference}`), "DELETE");
      await outcome(person.post("/fhir", bundle("transaction", { resource: changed, request: { method: "PUT", url: reference } })), "transaction PUT");
      await outcome(person.post("/fhir", bundle("transaction", { request: { method: "DELETE", url: reference } })), "transaction DELETE");
      const patch = await person.http.send("PATCH", `/fhir/${reference}`, '[{"op":"add","path":"/implicitRules","value":"urn:x"}]', { "Content-Type": "application/json-patch+json" });
      assert.ok([403, 404, 405, 409].includes(patch.status), `PATCH ${name}: ${patch.status}`);
      const batch = await person.post("/fhir", bundle("batch", { resource: changed, request: { method: "PUT", url: reference } }));
      const status = batch.status === 200 ? Number(batch.json().entry[0].response.status.slice(0, 3)) : batch.status;
      assert.ok((person === machine ? [409] : [403, 404, 409]).includes(status), `batch ${name}: ${status}`);
    }
    assert.equal((await machine.read(type, id)).meta.versionId, now.meta.versionId, reference);
  }
  const forged = { ...ecg, id: undefined, status: "requested" };
  const made = await machine.post("/fhir/Task", forged);
  assert.deepEqual([made.status, rule(made)], [409, "held-by-case"]);
  const put = await machine.http.put("/fhir/Task/forged", { ...forged, id: "forged" });
  assert.deepEqual([put.status, rule(put)], [409, "held-by-case"]);
  const plain = await machine.post("/fhir/Task", { resourceType: "Task", status: "draft", intent: "order", code: { text: "x" } });
  assert.equal(plain.status, 201, plain.text);
  const turned = await machine.http.put(`/fhir/Task/${plain.json().id}`, { ...plain.json(), code: ecg.code });
  assert.equal(turned.status, 409, "a plain Task does not become a case");
  up = await office.act(up, "no-show");
  assert.equal(state(up), "no-show");
});

test("$actions: what this person may do now, with form, filled response and deadline; else nothing", async () => {
  const task = await acquired();
  const r = await reader.get(`/fhir/Task/${task.id}/$actions`, { "Accept-Language": "zh-CN" });
  const actions = r.json().parameter;
  assert.deepEqual(actions.map((a) => [a.name, part(a, "code").valueCode, part(a, "title").valueString]), [["action", "claim", "领取"]]);
  assert.equal(part(actions[0], "questionnaire"), undefined);
  assert.deepEqual(await village.codes(task), []);
  const start = (await town.offered(`/fhir/$actions?pathway=referral-up&patient=${patient}`)).find((a) => part(a, "code").valueCode === "start");
  const response = part(start, "response").resource;
  assert.equal(response.status, "in-progress");
  assert.match(JSON.stringify(response), /单雄信/, "the letter is prefilled from the record");
  const slot = items(part(start, "questionnaire").resource).find((i) => i.linkId === "slot");
  const lookup = slot.extension.find((e) => /lookup/.test(e.url)).valueString;
  const query = lookup.replace("{department}", "HealthcareService/cardiology");
  assert.ok((await town.search(query)).length > 0, query);
  assert.deepEqual(await (await who("system1")).get(`/fhir/$actions?pathway=remote-ecg`).then((x) => x.json().parameter ?? []), []);
  assert.equal((await town.get("/fhir/$actions?pathway=nothing")).status, 400);
  assert.equal((await (await who("town2")).get(`/fhir/Task/${task.id}/$actions`)).status, 404);
  const general = await tech.offered("/fhir/$actions?pathway=remote-ecg");
  assert.deepEqual(general.map((a) => part(a, "code").valueCode), ["start"]);
  const reading = await reader.act(task, "claim");
  const report = (await reader.actions(reading)).find((a) => part(a, "code").valueCode === "report");
  assert.ok(part(report, "deadline").valueDateTime);
  assert.equal(fill(report, { finding: "x" }).questionnaire.split("|")[0], part(report, "questionnaire").resource.url);
});

test("a resident is found by every reading of the name", async () => {
  const names = [["单", "雄信", ["sxx", "dxx", "shanxiong", "danxiongxin", "shanxiongxin", "sx"]],
    ["仇", "英", ["qy", "cy", "qiuying", "chouying"]], ["曾", "国庆", ["zgq", "zengguoqing"]],
    ["解", "珍", ["xz", "jz", "xiezhen", "jiezhen"]], ["查", "良", ["zl", "cl", "zhaliang"]],
    ["尉迟", "恭", ["ycg", "yuchigong", "wcg"]]];
  for (const [family, given, keys] of names) {
    const made = await village.post("/fhir/Patient", resident(family, given));
    assert.equal(made.status, 201, made.text);
    for (const key of keys) {
      const found = await village.search(`Patient?pinyin=${key}&_count=200`);
      assert.ok(found.some((p) => p.id === made.json().id), `${family}${given} by ${key}`);
    }
  }
  const foundling = await village.post("/fhir/Patient", { resourceType: "Patient", active: true, name: [{ text: "无名氏" }], gender: "unknown" });
  assert.equal(foundling.status, 201, "a resident may have no card");
  for (const wrong of [card.replace(/.$/, (c) => (c === "1" ? "2" : "1")), "13990119580231512X"]) {
    const r = await village.post("/fhir/Patient", resident("错", "号", { identifier: [{ system: ID_CARD, value: wrong }] }));
    assert.equal(r.status, 422, wrong);
    assert.deepEqual(r.json().issue[0].expression, ["Patient.identifier[0].value"]);
  }
});

test("the second township sees nothing of the story's patient, by any door", async () => {
  const task = await acquired();
  const [recordingId] = (await tech.read("Task", task.id)).output.filter((o) => o.type.coding[0].code === "recording").map((o) => o.valueReference.reference);
  const document = await tech.resolve(recordingId);
  const binary = document.content[0].attachment.url;
  const id = patient.slice(8);
  const doors = [patient, `${patient}/_history`, `${patient}/_history/1`, `${patient}/$everything`, `Task/${task.id}`, `Task/${task.id}/$actions`,
    recordingId, binary, `${binary}/$ecg`].map((d) => `/fhir/${d}`).concat(`/print/Task/${task.id}/report`);
  const searches = [`Patient?_id=${id}`, `Patient?identifier=${ID_CARD}|${card}`, "Patient?pinyin=sxx", "Patient?phone=12000000001", `Task?patient=${id}`,
    `Task?subject=${patient}&_include=Task:subject`, `DocumentReference?patient=${id}`, `Provenance?target=Task/${task.id}`, `Consent?patient=${id}`,
    `ServiceRequest?subject:Patient.identifier=${ID_CARD}|${card}`, `Patient?_has:Task:patient:code=urn:menkou:pathway|remote-ecg&_id=${id}`,
    `Communication?subject=${patient}`, `QuestionnaireResponse?subject=${patient}`];
  const draft = `/drafts/${encodeURIComponent(`start:remote-ecg:${patient}`)}`;
  const kept = await tech.http.put(draft, { seen: "", response: { resourceType: "QuestionnaireResponse", status: "in-progress",
    item: [{ linkId: "reason", answer: [{ valueString: "单雄信胸痛" }] }] } });
  assert.equal(kept.status, 200, kept.text);
  assert.match((await tech.get("/drafts")).text, new RegExp(id));
  for (const name of strangers) {
    const person = await who(name);
    for (const door of [...doors, draft]) {
      const r = await person.get(door, { Accept: "*/*" });
      assert.equal(r.status, 404, `${name} ${door}: ${r.status} ${r.text.slice(0, 200)}`);
    }
    assert.equal((await person.post(`/fhir/${patient}/$everything`)).status, 404, name);
    for (const door of ["AuditEvent", `AuditEvent?patient=${patient}`, "$break-glass"]) {
      assert.equal((await person.get(`/fhir/${door}`)).status, 403, `${name} ${door}`);
    }
    for (const door of ["/drafts", "/fhir/MeasureReport/$figures?period-start=2026-11-01&period-end=2026-11-30", "/fhir/$pathways"]) {
      const r = await person.get(door);
      assert.equal(r.status, 200, `${name} ${door}: ${r.text}`);
      assert.doesNotMatch(r.text, new RegExp(`${id}|${task.id}|雄信`), `${name} ${door}`);
    }
    for (const query of searches) {
      const r = await person.get(`/fhir/${query}&_total=accurate`);
      if (r.status === 400) continue; // a parameter that is not served shows nothing either
      assert.equal(r.status, 200, `${name} ${query}: ${r.text}`);
      assert.deepEqual([r.json().total, r.json().entry?.length ?? 0], [0, 0], `${name} ${query}`);
    }
    const history = await person.get("/fhir/_history?_count=1000");
    assert.doesNotMatch(history.text, new RegExp(`${id}|单雄信`));
    const match = await person.post("/fhir/Patient/$match", parameters({ name: "resource",
      resource: resident("单", "雄信", { gender: "male", birthDate: "1958-03-05", identifier: [{ system: ID_CARD, value: card }] }) }));
    assert.equal(match.status, 200, match.text);
    const [entry] = match.json().entry;
    assert.match(match.text, /单\*信/);
    assert.doesNotMatch(match.text, new RegExp(`雄|${card}|1958-03-05|12000000001`));
    assert.match(match.text, new RegExp(card.slice(-4)));
    assert.ok(entry.search.score > 0 && entry.resource.birthDate === "1958" && entry.resource.gender === "male", match.text);
  }
});

test("the event stream: ids of the log, no clinical content, only one's own, resumed without a gap", async () => {
  const [own, foreign] = [await events(county.server, tech.http), await events(county.server, (await who("town2")).http)];
  const task = await tech.start("remote-ecg", patient, ecgStart);
  const first = await own.next((e) => e.data.type === "Task" && e.data.id === task.id);
  assert.match(first.id, /^\d+$/);
  assert.equal(first.event, "resource");
  assert.deepEqual([first.data.versionId, first.data.state], ["1", "ordered"]);
  const cancelled = await tech.act(task, "cancel", { reason: "重复" });
  const resumed = await events(county.server, tech.http, first.id);
  const next = await resumed.next((e) => e.data.id === task.id);
  assert.equal(next.data.versionId, cancelled.meta.versionId);
  assert.doesNotMatch(JSON.stringify([...own.seen, ...resumed.seen]), /单雄信|重复/);
  assert.ok(!foreign.seen.some((e) => e.data.id === task.id));
  for (const stream of [own, foreign, resumed]) stream.close();
  const anonymous = await request(county.server.url, "GET", "/events");
  assert.equal(anonymous.status, 401);
});

test("recordings: raw bytes keep their type, belong to the patient named or to the uploader alone", async () => {
  const r = await tech.post("/fhir/Binary", Buffer.from([1, 2, 3]), { "Content-Type": "application/x-machine" });
  assert.equal(r.status, 201, r.text);
  const place = /Binary\/[^/]+/.exec(r.headers.location)[0];
  const own = await tech.get(`/fhir/${place}`, { Accept: "*/*" });
  assert.deepEqual([own.status, own.headers["content-type"], [...own.bytes]], [200, "application/x-machine", [1, 2, 3]]);
  assert.equal((await town.get(`/fhir/${place}`, { Accept: "*/*" })).status, 404, "not even a colleague");
  const named = await tech.upload(recording, patient);
  assert.equal((await town.get(`/fhir/Binary/${named}`, { Accept: "*/*" })).status, 200);
  const json = await tech.get(`/fhir/Binary/${named}`, { Accept: "application/fhir+json" });
  assert.equal(Buffer.from(json.json().data, "base64").compare(recording), 0);
  const bad = await tech.post("/fhir/Binary", Buffer.from("x"), { "Content-Type": "text/plain", "X-Security-Context": "somebody" });
  assert.equal(bad.status, 400);
  const damaged = Buffer.from(recording);
  damaged.fill(0xff, 8, 60);
  const broken = await tech.get(`/fhir/Binary/${await tech.upload(damaged, patient)}/$ecg`);
  assert.equal(broken.status, 422, broken.text);
  assert.match(broken.text, /SCP-ECG/);
});

test("the log is whole after all this, and every case walked its package", () => {
  const r = menkou("check", "--data", county.dir, "--replay");
  assert.equal(r.code, 0, r.stdout + r.stderr);
});
