// $import: NDJSON that is sent, or fetched from allowed sources; refused lines aside; cut off and gone on with.
import assert from "node:assert/strict";
import http from "node:http";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { county } from "../support/county.mjs";
import { login, serve, until } from "../support/server.mjs";

let c, machine, source;
const files = {};
const ASYNC = { Prefer: "respond-async" };
const observation = (id, more = {}) => JSON.stringify({ resourceType: "Observation", id, status: "final", code: { text: "x" }, ...more });
const send = (person, body, type = "application/fhir+ndjson") => person.post("/fhir/$import", body, { ...ASYNC, "Content-Type": type });
const place = (r) => {
  assert.equal(r.status, 202, r.text);
  return new URL(r.headers["content-location"]).pathname;
};
const result = (path, person = machine) => until("the import is done", async () => {
  const r = await person.get(path);
  return r.status === 202 ? undefined : r;
});

before(async () => {
  c = await county();
  machine = c.machine;
  const server = http.createServer((req, res) => { const text = files[req.url]; res.writeHead(text === undefined ? 404 : 200).end(text); });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  source = { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
  assert.equal((await c.administrators.system.put("/bulk-imports/sources", { sources: [`${source.url}/data/`] })).status, 200);
});
after(async () => { source?.close(); await c?.close(); });

test("lines that are sent keep their id; those that are refused are told with number and reason", async () => {
  const lines = Array.from({ length: 450 }, (_, n) => observation(`s${n}`));
  lines.splice(3, 0, "{", observation(undefined), observation("bad", { status: "nonsense" }), "");
  const done = (await result(place(await send(machine, `${lines.join("\n")}\n`)))).json();
  assert.deepEqual(done.output.map((o) => o.count), [450]);
  assert.deepEqual(done.error.map((o) => o.count), [3]);
  assert.equal((await machine.get("/fhir/Observation?_summary=count")).json().total, 450);
  assert.equal((await machine.get("/fhir/Observation/s449")).json().meta.versionId, "1");
  const refused = (await machine.get(new URL(done.error[0].url).pathname)).text.trimEnd().split("\n").map((l) => JSON.parse(l));
  assert.deepEqual(refused.map((r) => r.number).sort(), [4, 5, 6]);
  assert.equal(refused.find((r) => r.number === 6).status, 422);
  assert.match(JSON.stringify(refused.find((r) => r.number === 6).reason), /status/);
  const again = (await result(place(await send(machine, `${lines[0]}\n`)))).json();
  assert.deepEqual(again.output.map((o) => o.count), [1]);
  assert.equal((await machine.get("/fhir/Observation/s0")).json().meta.versionId, "1", "the same changes nothing");
});

test("files that are fetched, by a manifest or Parameters, only from where it is allowed", async () => {
  files["/data/o.ndjson"] = `${observation("f1")}\n${observation("f2")}`;
  files["/data/p.ndjson"] = `${JSON.stringify({ resourceType: "Patient", id: "p1" })}\n${observation("f3")}\n`;
  const manifest = { inputFormat: "application/fhir+ndjson", inputSource: source.url, input: [{ type: "Observation", url: `${source.url}/data/o.ndjson` }, { type: "Patient", url: `${source.url}/data/p.ndjson` }] };
  const done = (await result(place(await send(machine, manifest, "application/json")))).json();
  assert.deepEqual(done.output.map((o) => [o.inputUrl, o.count]), [[manifest.input[0].url, 2], [manifest.input[1].url, 1]]);
  assert.deepEqual(done.error.map((o) => o.count), [1], "an Observation in the file of Patients");
  const parameters = { resourceType: "Parameters", parameter: [{ name: "inputFormat", valueCode: "application/fhir+ndjson" },
    { name: "input", part: [{ name: "type", valueCode: "Observation" }, { name: "url", valueUri: `${source.url}/data/none.ndjson` }] }] };
  const failed = await result(place(await send(machine, parameters, "application/fhir+json")));
  assert.equal(failed.status, 500);
  assert.match(failed.text, /404/);
  for (const [url, why] of [[`${source.url}/elsewhere/o.ndjson`, /not one that an administrator/], ["file:///etc/passwd", /administrator/], [`${source.url}/data/../x@evil`, /administrator/]]) {
    const r = await send(machine, { input: [{ type: "Observation", url }] }, "application/json");
    assert.equal(r.status, 400);
    assert.match(r.text, why);
  }
  for (const [body, type, status] of [[{}, "application/json", 400], [{ input: [], inputFormat: "text/csv" }, "application/json", 400], ["x", "text/plain", 415], ["", "application/fhir+ndjson", 400]]) {
    assert.equal((await send(machine, body, type)).status, status, type);
  }
  assert.equal((await machine.post("/fhir/$import", observation("x"), { "Content-Type": "application/fhir+ndjson" })).status, 400, "without respond-async");
});

test("other systems alone, and each its own", async () => {
  for (const person of [c.people.consortium, c.people.village1, c.administrators.system]) assert.equal((await send(person, observation("y"))).status, 403);
  const path = place(await send(machine, observation("z")));
  await result(path);
  assert.equal((await c.people.consortium.get(path)).status, 404);
  for (const person of [machine, c.people.consortium, c.administrators.audit]) assert.equal((await person.put("/bulk-imports/sources", { sources: [] })).status, 403);
  assert.equal((await machine.del(path)).status, 202);
  await until("it is gone", async () => (await machine.get(path)).status === 404);
});

test("what was begun goes on after a restart, and nothing is done twice", async () => {
  const lines = Array.from({ length: 300 }, (_, n) => observation(`r${n}`)).join("\n");
  const path = place(await send(machine, lines));
  await result(path);
  await c.server.stop();
  // As a server leaves it that is stopped in the middle.
  const folder = join(c.dir, "bulk-import", path.split("/").pop());
  const job = JSON.parse(readFileSync(join(folder, "job.json")));
  assert.deepEqual(readdirSync(folder), ["job.json"], "the input is gone when it is done");
  writeFileSync(join(folder, "job.json"), JSON.stringify({ ...job, state: "waits", done: 0 }));
  writeFileSync(join(folder, "1.ndjson"), `${lines}\n${observation("r300")}\n`);
  c.server = await serve(c.dir);
  const again = await login(c.server, c.machineAccount);
  const done = (await result(path, again)).json();
  assert.deepEqual(done.output.map((o) => o.count), [301]);
  assert.equal((await again.get("/fhir/Observation/r7")).json().meta.versionId, "1");
  assert.equal((await again.get("/fhir/Observation/r300")).status, 200);
  assert.ok(existsSync(folder));
  again.close();
});
