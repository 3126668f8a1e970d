// kill -9 in the middle of a storm of writes: every acknowledged version is there with its bytes, and the audit
// knows each of them. (The page cache survives a kill; power cuts are the store's own tests.)
import { test } from "node:test";
import assert from "node:assert/strict";
import { createHash, randomInt } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { init, login, menkou, serve, userAdd } from "../support/server.mjs";

const CLIENTS = 16;
const ROUNDS = process.env.MENKOU_LONG ? 40 : 6;
const ACKNOWLEDGED_MIN = 200;
const sha = (bytes) => createHash("sha256").update(bytes).digest("hex");

const observation = (id, n) => ({
  resourceType: "Observation", id, status: "final", code: { text: "storm" }, valueInteger: n,
  note: [{ text: "血压 ".repeat(randomInt(1, 60)) }],
});

/** One client: creates, updates and transactions until the line breaks; what was acknowledged goes to `kept`. */
async function storm(person, name, kept, running) {
  for (let n = 0; running.on; n++) {
    const id = `${name}-${n % 7}`;
    try {
      if (n % 5 === 4) {
        const entry = [0, 1, 2].map((i) => ({
          resource: observation(`${name}-t${i}`, n), request: { method: "PUT", url: `Observation/${name}-t${i}` },
        }));
        const r = await person.post("/fhir", { resourceType: "Bundle", type: "transaction", entry });
        if (r.status !== 200) throw new Error(`${r.status} ${r.text}`);
        kept.push({ whole: r.json().entry.map((e, i) => ({ id: `${name}-t${i}`, vid: e.response.etag.slice(3, -1) })) });
      } else {
        const r = await person.put(`/fhir/Observation/${id}`, observation(id, n));
        if (r.status !== 200 && r.status !== 201) throw new Error(`${r.status} ${r.text}`);
        kept.push({ id, vid: r.headers.etag.slice(3, -1), sha: sha(r.bytes) });
      }
    } catch (e) {
      if (running.on && !/ECONN|socket|cut off|hang up|EPIPE/.test(String(e))) throw e;
      return;
    }
  }
}

async function look(person, kept) {
  const lost = [];
  for (const k of kept) {
    if (k.whole) {
      for (const { id, vid } of k.whole) {
        const r = await person.get(`/fhir/Observation/${id}/_history/${vid}`);
        if (r.status !== 200) lost.push(`Observation/${id}/_history/${vid}: ${r.status}`);
      }
    } else {
      const r = await person.get(`/fhir/Observation/${k.id}/_history/${k.vid}`);
      if (r.status !== 200 || sha(r.bytes) !== k.sha) lost.push(`Observation/${k.id}/_history/${k.vid}: ${r.status}`);
    }
  }
  return lost;
}

test(`${ROUNDS} kills, each after at least ${ACKNOWLEDGED_MIN} acknowledged writes of ${CLIENTS} clients`, async (t) => {
  const { dir } = init();
  const account = userAdd(dir, "integrator", "machine");
  let total = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const server = await serve(dir);
    const person = await login(server, account);
    const kept = [];
    const running = { on: true };
    const clients = Array.from({ length: CLIENTS }, (_, i) => storm(person, `r${round}c${i}`, kept, running));
    const enough = ACKNOWLEDGED_MIN + randomInt(200);
    while (kept.length < enough) {
      await Promise.race([new Promise((r) => setImmediate(r)), ...clients]);
    }
    await server.kill();
    running.on = false;
    await Promise.all(clients);
    person.close();

    const again = await serve(dir);
    const reader = await login(again, account);
    assert.deepEqual(await look(reader, kept), [], `round ${round}`);
    total += kept.length;
    reader.close();
    await again.stop();
  }
  t.diagnostic(`${total} acknowledged writes compared`);
  const check = menkou("check", "--data", dir);
  assert.equal(check.code, 0, check.stdout);
  const audited = readdirSync(join(dir, "audit"))
    .flatMap((name) => readFileSync(join(dir, "audit", name), "utf8").trimEnd().split("\n"))
    .map((line) => JSON.parse(line)).filter((r) => r.status === 200 || r.status === 201)
    .filter((r) => /^(C|U|E)$/.test(r.do));
  assert.ok(audited.length >= total, `${audited.length} audit records of ${total} acknowledged writes`);
});

test("a server ended in order finishes what it accepted", async () => {
  const { dir } = init();
  const account = userAdd(dir, "integrator", "machine");
  const server = await serve(dir);
  const person = await login(server, account);
  const flying = Array.from({ length: 32 }, (_, i) => person.put(`/fhir/Observation/o${i}`, observation(`o${i}`, i)).catch(() => null));
  await flying[0];
  const ended = await server?.stop();
  assert.equal(ended.code, 0, ended.stderr);
  const answers = await Promise.all(flying);
  const done = answers.map((r, i) => [r, i]).filter(([r]) => r?.status === 201);
  person.close();
  const again = await serve(dir);
  const reader = await login(again, account);
  for (const [i, r] of answers.entries()) { // nothing was written whose client saw its connection break
    if (r?.status !== 201) assert.equal((await reader.get(`/fhir/Observation/o${i}`)).status, 404);
  }
  for (const [r, i] of done) assert.equal(sha((await reader.get(`/fhir/Observation/o${i}/_history/1`)).bytes), sha(r.bytes));
  reader.close();
  await again.stop();
});
