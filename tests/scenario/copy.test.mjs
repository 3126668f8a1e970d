// menkou copy: a store from files into PostgreSQL and back, with the proof that both are equal; and served there.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { cpSync, existsSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { newDatabase, onPostgres, postgresMissing } from "../support/database.mjs";
import { folder, init, login, menkou, program, serve, userAdd } from "../support/server.mjs";

const skip = onPostgres ? "begins with files" : postgresMissing();
let source, machine;

before(async () => {
  if (skip) return;
  source = init().dir;
  machine = userAdd(source, "integrator", "machine");
  const server = await serve(source);
  const person = await login(server, machine);
  for (let i = 0; i < 60; i++) {
    await person.keep({ resourceType: "Patient", id: `p${i}`, gender: i % 2 ? "male" : "female", name: [{ text: `单雄${i}` }] });
    await person.keep({ resourceType: "Observation", id: `o${i}`, status: "final", code: { text: "体重" },
      subject: { reference: `Patient/p${i}` }, effectiveDateTime: "2026-01-02",
      valueQuantity: { value: i + 0.5, unit: "kg", system: "http://unitsofmeasure.org", code: "kg" } });
  }
  await person.keep({ resourceType: "Patient", id: "p1", gender: "other" });
  assert.equal((await person.del("/fhir/Observation/o7")).status, 204);
  const blob = await person.send("POST", "/fhir/Binary", Buffer.from([0, 1, 2, 255]), { "Content-Type": "application/octet-stream" });
  assert.equal(blob.status, 201, blob.text);
  await server.stop();
  hooks(source, "INSERT INTO hook VALUES('s', 5, 2, 0, 0, 0, ''); INSERT INTO event VALUES('s', 1, 4), ('s', 2, 5);"
    + " INSERT INTO letter(hook, first, last, at, attempts, reason) VALUES('s', 1, 1, 9, 3, '404')");
});

const HOOKS = "SELECT * FROM hook; SELECT * FROM event; SELECT hook, first, last, at, attempts, reason FROM letter";
const hooks = (dir, sql = HOOKS) => execFileSync("sqlite3", [join(dir, "hooks.db"), sql], { encoding: "utf8" });
// files and a database have orders of their own
const exported = (dir) => menkou("export", "--data", dir).stdout.split("\n").sort().join("\n");
const sound = (dir) => {
  const r = menkou("check", "--data", dir);
  assert.equal(r.code, 0, r.stdout + r.stderr);
};

test("into PostgreSQL and back: both are equal, every way of looking", { skip }, async () => {
  const there = join(folder("there"), "data"), back = join(folder("back"), "data");
  const to = menkou("copy", "--from", source, "--to", there, "--db", newDatabase());
  assert.equal(to.code, 0, to.stderr);
  assert.match(to.stdout, /^equal: \d+ resources [0-9a-f]{64}, \d+ versions in \d+ transactions [0-9a-f]{64}, \d+ files\n$/);
  const from = menkou("copy", "--from", there, "--to", back);
  assert.equal(from.stdout.replace(/, \d+ files/, ""), to.stdout.replace(/, \d+ files/, ""));
  assert.equal(exported(there), exported(source));
  assert.equal(exported(back), exported(source));
  assert.equal(hooks(back), hooks(source), "where subscribers stand");
  for (const dir of [there, back]) {
    sound(dir);
    const server = await serve(dir);
    const person = await login(server, machine);
    assert.equal((await person.get("/fhir/Observation?subject=Patient/p8&_total=accurate")).json().total, 1);
    assert.equal((await person.get("/fhir/Observation?value-quantity=gt40&_total=accurate")).json().total, 20);
    assert.equal((await person.get("/fhir/Patient/p1/_history")).json().entry.length, 2);
    assert.equal((await person.get("/fhir/Observation/o7")).status, 410);
    await person.keep({ resourceType: "Patient", id: "p1", gender: "female" });
    await server.stop();
    sound(dir);
  }
});

test("a backup of a database is restored as files or into a database; one of files likewise", { skip }, () => {
  const epoch = (dir) => JSON.parse(readFileSync(join(dir, "node.json"), "utf8")).epoch;
  const there = join(folder("kept"), "data"), sum = hooks(source);
  assert.equal(menkou("copy", "--from", source, "--to", there, "--db", newDatabase()).code, 0);
  for (const from of [there, source]) {
    const backup = join(folder("backup"), "weekly"), files = join(folder("files"), "data"), rows = join(folder("rows"), "data");
    const made = menkou("backup", "--data", from, "--to", backup);
    assert.equal(made.code, 0, made.stderr);
    for (const [to, more] of [[files, []], [rows, ["--db", newDatabase()]]]) {
      const r = menkou("restore", backup, "--data", to, ...more);
      assert.equal(r.code, 0, r.stderr);
      assert.equal(epoch(to), epoch(from) + 1);
      assert.equal(exported(to), exported(from));
      sound(to);
    }
    assert.equal(hooks(files), sum);
    assert.ok(!existsSync(join(rows, "log.db")) && !existsSync(join(rows, "hooks.db")), "they are rows now");
    const again = join(folder("again"), "weekly");
    assert.equal(menkou("backup", "--data", rows, "--to", again).code, 0);
    const name = JSON.parse(readFileSync(join(again, "backup.json"), "utf8")).files.find((f) => f.as === "hooks.db").name;
    assert.equal(execFileSync("sqlite3", [join(again, name), HOOKS], { encoding: "utf8" }), sum);
  }
  const over = menkou("restore", join(folder("no"), "backup"), "--data", join(folder("no"), "data"), "--db", "mysql://");
  assert.equal(over.code, 2);
});

test("not over data that are there, and not while the source is served", { skip }, async () => {
  const taken = init().dir;
  const over = menkou("copy", "--from", source, "--to", taken);
  assert.deepEqual([over.code, over.stdout], [2, ""]);
  assert.match(over.stderr, /data already/);
  const server = await serve(source);
  const held = menkou("copy", "--from", source, "--to", join(folder("held"), "data"), "--db", newDatabase());
  assert.equal(held.code, 3, held.stderr);
  await server.stop();
});

test("a copy that is killed left nothing half behind, and is made anew", { skip }, async () => {
  const to = join(folder("killed"), "data"), db = newDatabase();
  for (const delay of [5, 40, 80, 120]) {
    const child = spawn(program, ["copy", "--from", source, "--to", to, "--db", db], { stdio: "ignore" });
    const ended = new Promise((done) => child.on("close", done));
    setTimeout(() => child.kill("SIGKILL"), delay);
    await ended;
  }
  const last = menkou("copy", "--from", source, "--to", to, "--db", db);
  if (last.code === 0) assert.match(last.stdout, /^equal: /);
  else assert.match(last.stderr, /data already/); // one of them had been in time
  assert.equal(menkou("reindex", "--data", to).code, 0); // which may not have come to the index any more
  sound(to);
  assert.equal(exported(to), exported(source));
});

test("a difference is found", { skip }, () => {
  const damaged = join(folder("damaged"), "data");
  cpSync(source, damaged, { recursive: true });
  const [first] = readdirSync(join(damaged, "blobs"));
  rmSync(join(damaged, "blobs", first), { recursive: true });
  assert.ok(existsSync(join(damaged, "log.db")) && readFileSync(join(damaged, "node.json")).length > 0);
  const r = menkou("copy", "--from", damaged, "--to", join(folder("to"), "data"), "--db", newDatabase());
  assert.deepEqual([r.code, r.stdout], [1, ""], r.stderr);
});
