// Erasing for good (docs/decisions/040): proposed by one administrator with a reason, confirmed by another; what is
// left over HTTP, in the files, for check, export, backup and restore; the same at the command line.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { county } from "../support/county.mjs";
import { onPostgres } from "../support/database.mjs";
import { folder, menkou, program, rule, serve, until } from "../support/server.mjs";

const PASSWORD = "Doorstep-2026";
// A name that no dictionary of the compressor knows, nor any test's data.
const [SURNAME, WORD] = ["歐陽", "qx7-zufaellig-vk3"];
const TEXT = Buffer.from(`${WORD} recorded bytes ${"0123456789".repeat(20)}`);
const REASON = "本人书面申请删除";

let place, server, machine, system, security, audit, doctor;

const purges = async (who = system) => {
  const r = await who.get("/purges");
  assert.equal(r.status, 200, r.text);
  return r.json();
};
const propose = (who, targets, more = {}) => who.post("/purges", { targets, reason: REASON, password: PASSWORD, ...more });
const decide = (who, id, what, more = {}) => who.post(`/purges/${id}/${what}`, { password: PASSWORD, ...more });
const finished = (id) => until("the purge is done", async () => (await purges()).purges.find((p) => p.id === id && p.state === "erased"), 60_000);
async function purge(...targets) {
  const made = await propose(system, targets);
  assert.equal(made.status, 201, made.text);
  const { id } = made.json().purge;
  const confirmed = await decide(security, id, "confirm");
  assert.equal(confirmed.status, 200, confirmed.text);
  return finished(id);
}

/** What is made anew meanwhile (views.db) may be gone when it is its turn: undefined. */
function there(look) {
  try {
    return look();
  } catch (e) {
    if (e.code !== "ENOENT") throw e;
    return undefined;
  }
}
function* files(dir) {
  for (const name of readdirSync(dir)) {
    const path = join(dir, name);
    if (there(() => statSync(path))?.isDirectory()) yield* files(path);
    else yield path;
  }
}
/** The files of the data directory that hold any of these bytes; the audit tells who did what and stays. */
const holding = (dir, ...needles) => [...files(dir)].filter((path) => !path.includes("/audit/") &&
  needles.some((needle) => there(() => readFileSync(path))?.includes(needle)));
const check = (dir) => menkou("check", "--data", dir, "--replay");

async function person(id) {
  await machine.keep({
    resourceType: "Patient", id, name: [{ family: SURNAME, given: [WORD], text: `${SURNAME}${WORD}` }], gender: "female", birthDate: "1961-02-03",
    managingOrganization: { reference: "Organization/t1" },
  });
  for (const status of ["preliminary", "final"]) {
    await machine.keep({
      resourceType: "Observation", id: `${id}-o`, status, code: { text: WORD }, subject: { reference: `Patient/${id}` },
      effectiveDateTime: "2026-03-04", valueString: `${WORD} ${status}`,
    });
  }
  const r = await machine.send("POST", "/fhir/Binary", TEXT, { "Content-Type": "application/octet-stream", "X-Security-Context": `Patient/${id}` });
  assert.equal(r.status, 201, r.text);
  return r.json().id;
}

before(async () => {
  place = await county();
  ({ server, machine } = place);
  ({ system, security, audit } = place.administrators);
  doctor = place.people.township1;
});
after(() => place?.close());

test("only the two do it, each the own part, with the password again and a reason", async () => {
  await person("p0");
  for (const who of [security, audit, machine, doctor]) assert.equal((await propose(who, ["Patient/p0"])).status, 403);
  for (const who of [machine, doctor]) assert.equal((await who.get("/purges")).status, 403);
  assert.deepEqual((await purges(audit)).may, ["list"]);
  assert.deepEqual((await purges(system)).may, ["list", "propose", "withdraw"]);
  assert.equal(rule(await propose(system, ["Patient/p0"], { password: "wrong" })), "password-wrong");
  assert.equal(rule(await propose(system, ["Patient/p0"], { reason: " " })), "reason-missing");
  assert.equal((await propose(system, ["nonsense"])).status, 400);
  assert.equal(rule(await propose(system, ["Patient/unknown"])), "unknown-reference");
  assert.equal(rule(await propose(system, ["Observation/p0-o/_history/2"])), "current-version");
  const looked = await system.post("/purges/look", { targets: ["Patient/p0"] });
  assert.equal(looked.status, 200, looked.text);
  assert.equal(looked.json().versions, 4);
  assert.equal(looked.json().patients[0].birthDate, "1961");
  assert.ok(!looked.text.includes(WORD), "masked");
  const made = await propose(system, ["Patient/p0"]);
  assert.equal(made.status, 201, made.text);
  const { id } = made.json().purge;
  for (const who of [system, audit, doctor]) assert.equal((await decide(who, id, "confirm")).status, 403);
  assert.equal(rule(await decide(security, id, "confirm", { password: "wrong" })), "password-wrong");
  assert.equal((await decide(security, id, "nonsense")).status, 404);
  assert.equal((await decide(system, id, "withdraw")).json().purge.state, "withdrawn");
  assert.equal(rule(await decide(security, id, "confirm")), "purge-state");
  const again = (await propose(system, ["Patient/p0"])).json().purge;
  assert.equal((await decide(security, again.id, "deny")).json().purge.state, "denied");
  assert.equal((await machine.get("/fhir/Patient/p0")).status, 200);
});

test("everything of a patient goes, and every door says so", async () => {
  const binary = await person("p1");
  await machine.keep({ resourceType: "Observation", id: "mine", status: "final", code: { text: "x" }, subject: { reference: "Patient/p0" } });
  assert.equal((await doctor.get("/fhir/Patient/p1")).status, 200, "in the catchment");
  assert.ok(holding(place.dir, WORD).length > 0);
  const done = await purge("Patient/p1");
  assert.equal(done.resources, 3);
  assert.equal(done.versions, 4);
  assert.equal(done.blobs, 1);
  for (const path of ["Patient/p1", "Patient/p1/_history/1", "Observation/p1-o", "Observation/p1-o/_history/2", `Binary/${binary}`]) {
    const r = await machine.get(`/fhir/${path}`);
    assert.equal(r.status, 410, path);
    assert.equal(rule(r), "purged", path);
  }
  assert.equal((await doctor.get("/fhir/Patient/p1")).status, 410, "whoever saw it is told");
  const history = (await machine.get("/fhir/Observation/p1-o/_history")).json();
  assert.equal(history.entry.length, 3);
  for (const entry of history.entry) {
    assert.equal(entry.resource, undefined);
    assert.equal(entry.response.status, "410 Gone");
    assert.equal(entry.response.outcome.issue[0].details.coding[0].code, "purged");
  }
  assert.equal((await machine.get("/fhir/Observation?subject=Patient/p1")).json().entry, undefined);
  assert.equal((await machine.get(`/fhir/Patient?name=${encodeURIComponent(SURNAME)}&_total=accurate`)).json().total, 1, "p0 alone");
  assert.equal((await machine.get("/fhir/Observation/mine")).status, 200);
  assert.equal(rule(await propose(system, ["Patient/p1"])), "nothing-to-purge");
  const trail = (await audit.get("/fhir/AuditEvent?patient=Patient/p1&_count=50")).json();
  assert.ok(trail.entry.length > 0, "the audit stays");
});

test("no byte of it is left in the files; check and export know", async () => {
  // p0 is the other one with these words: it goes, too.
  await purge("Patient/p0");
  assert.deepEqual(holding(place.dir, WORD, SURNAME, TEXT), []);
  const sound = check(place.dir);
  assert.equal(sound.code, 0, sound.stdout);
  const whole = menkou("export", "--data", place.dir);
  assert.equal(whole.code, 0);
  assert.ok(!whole.stdout.includes("\"id\":\"p1\""));
  const listed = menkou("export", "--data", place.dir, "--purged");
  assert.equal(listed.code, 0, listed.stderr);
  const rows = listed.stdout.trim().split("\n").map((line) => JSON.parse(line)).filter((row) => row.purged);
  assert.ok(rows.some((row) => row.purged === "Observation/p1-o/_history/1" && /^[0-9a-f]{64}$/.test(row.sha256)));
});

test("a case that is still at work stands in the way", async () => {
  await person("p2");
  await machine.keep({ resourceType: "Task", id: "t2", status: "in-progress", intent: "order", for: { reference: "Patient/p2" } });
  assert.equal(rule(await propose(system, ["Patient/p2"])), "open-case");
  await machine.keep({ resourceType: "Task", id: "t2", status: "completed", intent: "order", for: { reference: "Patient/p2" } });
  const made = await propose(system, ["Patient/p2"]);
  assert.equal(made.status, 201, made.text);
  await machine.keep({ resourceType: "Task", id: "t2", status: "in-progress", intent: "order", for: { reference: "Patient/p2" } });
  assert.equal(rule(await decide(security, made.json().purge.id, "confirm")), "open-case");
  await machine.keep({ resourceType: "Task", id: "t2", status: "completed", intent: "order", for: { reference: "Patient/p2" } });
  assert.equal((await decide(security, made.json().purge.id, "confirm")).status, 200);
  await finished(made.json().purge.id);
});

test("the command line does the same where no server runs; a backup made before still holds it", async () => {
  await person("p3");
  const backup = join(folder("backup"), "b");
  if (!onPostgres) assert.equal(menkou("backup", "--data", place.dir, "--to", backup).code, 0);
  const run = (input, ...args) => spawnSync(program, ["purge", "--data", place.dir, ...args], { input, encoding: "utf8", env: { ...process.env, LANG: "C.UTF-8" } });
  assert.equal(run(`${PASSWORD}\n`, "--as", "sysadmin", "--reason", REASON, "propose", "Patient/p3").status, 3, "held by the server");
  assert.equal((await server.stop()).code, 0);
  assert.equal(run("", "propose", "Patient/p3").status, 2);
  assert.equal(run("wrong\n", "--as", "sysadmin", "--reason", REASON, "propose", "Patient/p3").status, 1);
  const made = run(`${PASSWORD}\n`, "--as", "sysadmin", "--reason", REASON, "propose", "Patient/p3");
  assert.equal(made.status, 0, made.stderr);
  const id = made.stdout.trim();
  assert.equal(run(`${PASSWORD}\n`, "--as", "sysadmin", "confirm", id).status, 1);
  const confirmed = run(`${PASSWORD}\n`, "--as", "secadmin", "confirm", id);
  assert.equal(confirmed.status, 0, confirmed.stderr);
  assert.match(run("", "list").stdout, new RegExp(`${id}\terased\tPatient/p3\tsysadmin\tsecadmin\t${REASON}`));
  assert.deepEqual(holding(place.dir, WORD, TEXT), []);
  const sound = check(place.dir);
  assert.equal(sound.code, 0, sound.stdout);
  if (onPostgres) return; // backups are of SQLite's files
  const restored = join(folder("restored"), "r");
  assert.equal(menkou("restore", backup, "--data", restored).code, 0);
  assert.ok(menkou("export", "--data", restored).stdout.includes(WORD), "as the documents say");
  // A backup made after it is whole, too: rows, digests and all.
  const later = join(folder("backup"), "later"), clean = join(folder("restored"), "clean");
  assert.equal(menkou("backup", "--data", place.dir, "--to", later).code, 0);
  assert.equal(menkou("restore", later, "--data", clean).code, 0);
  assert.equal(check(clean).code, 0);
  const back = await serve(clean);
  await back.stop();
});
