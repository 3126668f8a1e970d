// menkou import: what comes in, what stays aside with its reason, and that beginning again changes nothing.
import { test } from "node:test";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { folder, init, menkou, serve } from "../support/server.mjs";

const observation = (id, subject) => ({
  resourceType: "Observation", id, status: "final", code: { text: "x" }, subject: { reference: `Patient/${subject}` },
});
const patient = (id) => ({ resourceType: "Patient", id, name: [{ text: id }] });
const exported = (dir) => menkou("export", "--data", dir).stdout.trimEnd().split("\n").map((l) => JSON.parse(l));
const ours = (list) => list.filter((r) => /^(Patient|Observation)$/.test(r.resourceType)).map((r) => `${r.resourceType}/${r.id}`);

function file(name, text) {
  const path = join(folder("import"), name);
  writeFileSync(path, text);
  return path;
}

test("NDJSON keeps ids, accepts references to what comes later, and sets the bad lines aside", () => {
  const { dir } = init();
  const lines = [observation("o1", "p9"), patient("p1"), { resourceType: "Patient", id: "bad", gender: "nonsense" }]
    .map((r) => JSON.stringify(r)).concat("{broken", JSON.stringify({ resourceType: "Patient" }), "", JSON.stringify(patient("p9")));
  const path = file("mixed.ndjson", lines.join("\n"));
  const r = menkou("import", "--data", dir, path);
  assert.equal(r.code, 1, r.stderr);
  assert.equal(r.stdout, "mixed.ndjson: 3 imported, 3 refused\n");
  assert.deepEqual(ours(exported(dir)), ["Observation/o1", "Patient/p1", "Patient/p9"]);
  const aside = readFileSync(join(dir, "import", "mixed.ndjson.refused.ndjson"), "utf8").trimEnd().split("\n").map((l) => JSON.parse(l));
  assert.deepEqual(aside.map((x) => x.number).sort(), [3, 4, 5]);
  for (const x of aside) assert.equal(x.reason.resourceType, "OperationOutcome");
  assert.equal(aside.find((x) => x.number === 3).status, 422);
});

test("beginning again changes nothing", () => {
  const { dir } = init();
  const lines = Array.from({ length: 450 }, (_, i) => JSON.stringify(patient(`p${i}`)));
  const path = file("people.ndjson", lines.join("\n"));
  assert.equal(menkou("import", "--data", dir, path).code, 0);
  const first = menkou("export", "--data", dir).stdout;
  const again = menkou("import", "--data", dir, path);
  assert.equal(again.stdout, "people.ndjson: 450 imported, 0 refused\n");
  assert.equal(menkou("export", "--data", dir).stdout, first);
});

test("a transaction is executed whole or not at all, a collection keeps its ids", () => {
  const { dir } = init();
  const bundle = (type, entry) => JSON.stringify({ resourceType: "Bundle", type, entry }, null, 1);
  const good = file("good.json", bundle("transaction", [
    { fullUrl: "urn:uuid:5b0a5a4e-0000-4000-8000-000000000001", resource: { resourceType: "Patient" }, request: { method: "POST", url: "Patient" } },
    { resource: { resourceType: "Observation", status: "final", code: { text: "x" }, subject: { reference: "urn:uuid:5b0a5a4e-0000-4000-8000-000000000001" } }, request: { method: "POST", url: "Observation" } },
  ]));
  const bad = file("bad.json", bundle("transaction", [
    { resource: patient("never"), request: { method: "PUT", url: "Patient/never" } },
    { resource: { resourceType: "Patient", id: "x", gender: "nonsense" }, request: { method: "PUT", url: "Patient/x" } },
  ]));
  const some = file("some.json", bundle("collection", [{ resource: patient("c1") }, { resource: patient("c2") }]));
  const one = file("one.json", JSON.stringify(patient("single"), null, 2));
  const r = menkou("import", "--data", dir, good, bad, some, one);
  assert.equal(r.code, 1, r.stderr);
  assert.deepEqual(r.stdout.trimEnd().split("\n"), [
    "good.json: 2 imported, 0 refused", "bad.json: 0 imported, 1 refused", "some.json: 2 imported, 0 refused", "one.json: 1 imported, 0 refused",
  ]);
  const list = exported(dir);
  const made = list.find((x) => x.resourceType === "Observation");
  assert.ok(list.some((x) => `Patient/${x.id}` === made.subject.reference), "the reference was rewritten");
  assert.ok(!ours(list).includes("Patient/never"));
  assert.equal(menkou("check", "--data", dir).code, 0);
});

test("what goes beside something else says the same as behind it", () => {
  const { dir } = init();
  const named = (id, text) => ({ resourceType: "Patient", id, identifier: [{ system: "urn:own", value: id }], name: [{ text }] });
  const lines = Array.from({ length: 700 }, (_, i) => named(`p${i % 350}`, `${i}`)); // groups of 200: each id again in a later one
  const people = file("twice.ndjson", lines.map((l) => JSON.stringify(l)).join("\n"));
  const bundle = (name, n, reference) => file(name, JSON.stringify({ resourceType: "Bundle", type: "transaction", entry: Array.from({ length: n }, () => ({
    resource: { ...observation(undefined, "x"), subject: { reference } }, request: { method: "POST", url: "Observation" },
  })) }));
  const made = { resourceType: "Bundle", type: "transaction", entry: [{ resource: named(undefined, "new"), request: { method: "POST", url: "Patient" } }] };
  made.entry[0].resource.identifier[0].value = "late";
  const files = [people, bundle("a.json", 150, "Patient/p1"), bundle("b.json", 1, "Patient/p2"), file("c.json", JSON.stringify(made)),
    bundle("d.json", 150, "Patient?identifier=urn:own|late"), bundle("e.json", 1, "Patient?identifier=urn:own|nobody")];
  const r = menkou("import", "--data", dir, ...files);
  assert.equal(r.stdout, ["twice.ndjson: 700", "a.json: 150", "b.json: 1", "c.json: 1", "d.json: 150"]
    .map((x) => `${x} imported, 0 refused\n`).join("") + "e.json: 0 imported, 1 refused\n", r.stderr);
  const list = exported(dir), late = list.find((x) => x.identifier?.[0].value === "late");
  assert.equal(list.filter((x) => x.subject?.reference === `Patient/${late.id}`).length, 150);
  for (let i = 0; i < 350; i++) assert.equal(list.find((x) => x.id === `p${i}`).name[0].text, `${i + 350}`);
  assert.equal(menkou("check", "--data", dir).code, 0);
});

test("a served directory is not imported into: 3; an unreadable file is 2", async () => {
  const { dir } = init();
  assert.equal(menkou("import", "--data", dir, "/nowhere/x.json").code, 2);
  const server = await serve(dir);
  assert.equal(menkou("import", "--data", dir, file("p.ndjson", JSON.stringify(patient("p")))).code, 3);
  await server.stop();
});

test("Synthea's patients come in and are counted", (t) => {
  const pack = process.env.MENKOU_SUITES && join(process.env.MENKOU_SUITES, "06-synthea", "synthea-r4-dev120.tar.zst");
  if (!pack || !existsSync(pack)) {
    console.log("SKIPPED Synthea: MENKOU_SUITES does not name a folder that has it");
    t.skip("no suite");
    return;
  }
  const { dir } = init();
  const to = folder("synthea");
  mkdirSync(to, { recursive: true });
  execFileSync("sh", ["-c", 'zstd -dc --long=27 "$0" | tar xf - -C "$1"', pack, to]);
  const all = [];
  const find = (at) => {
    for (const entry of readdirSync(at, { withFileTypes: true })) {
      const path = join(at, entry.name);
      if (entry.isDirectory()) find(path);
      else if (path.endsWith(".json")) all.push(path);
    }
  };
  find(to);
  // Hospitals and practitioners first; without --long a part of the patients, since the program is instrumented.
  const first = all.filter((p) => /hospital|practitioner/i.test(p));
  const people = all.filter((p) => !first.includes(p)).sort();
  const chosen = [...first, ...(process.env.MENKOU_LONG ? people : people.slice(0, 6))];
  const want = {};
  for (const path of chosen) {
    for (const e of JSON.parse(readFileSync(path, "utf8")).entry) want[e.resource.resourceType] = (want[e.resource.resourceType] ?? 0) + 1;
  }
  const r = menkou("import", "--data", dir, ...chosen);
  assert.equal(r.code, 0, r.stdout.split("\n").filter((l) => !l.endsWith(" 0 refused")).join("\n") + r.stderr);
  const got = {};
  for (const x of exported(dir)) if (x.resourceType in want) got[x.resourceType] = (got[x.resourceType] ?? 0) + 1;
  // Our own packages are resources too, of types that Synthea does not have; conditional creates may meet.
  for (const type of Object.keys(want)) assert.ok(got[type] === want[type], `${type}: ${got[type]} of ${want[type]}`);
  console.log(`PASS COUNT synthea: ${Object.values(want).reduce((a, b) => a + b, 0)} resources of ${chosen.length} files`);
});
