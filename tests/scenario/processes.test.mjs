// Three servers on one PostgreSQL, each with a folder of its own and blobs in a shared one: what one wrote the others
// read, search and tell of at once; one is killed in the middle of everybody's writes and comes back.
import assert from "node:assert/strict";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { newDatabase, postgresMissing } from "../support/database.mjs";
import { EventStream, folder, login, menkou, serve, speaker, until } from "../support/server.mjs";

const CLIENTS = 4; // of each process
const ENOUGH = 300; // acknowledged writes
const skip = postgresMissing();
const observation = (id, n) => ({
  resourceType: "Observation", id, status: "final", code: { text: "shared" }, valueInteger: n,
});

let database, servers = [], people = [], dirs;
before(async () => {
  if (skip) return;
  database = newDatabase();
  dirs = [0, 1, 2].map((i) => join(folder("process"), `node${i}`));
  const made = menkou("init", "--data", dirs[0], "--db", database);
  assert.equal(made.code, 0, made.stderr);
  const added = menkou("user", "add", "--data", dirs[0], "--role", "integrator", "machine");
  const [username, password] = added.stdout.trim().split(" ");
  for (const dir of dirs.slice(1)) {
    mkdirSync(dir);
    symlinkSync(join(dirs[0], "blobs"), join(dir, "blobs"));
  }
  servers = await Promise.all(dirs.map((dir) => serve(dir, "--db", database)));
  const first = await login(servers[0], { username, password });
  people = servers.map((server) => speaker(server, first.session)); // one log-in serves everywhere
});
after(async () => {
  for (const server of servers) await server.stop();
});

test("a second database is not taken for a folder's own, nor one with data for a new one", { skip }, () => {
  const other = menkou("check", "--data", dirs[0], "--db", `${database}_other`);
  assert.deepEqual([other.code, other.stdout], [2, ""]);
  assert.match(other.stderr, /another database/);
  const again = menkou("init", "--data", join(folder("again"), "data"), "--db", database);
  assert.equal(again.code, 2, again.stderr);
  assert.match(again.stderr, /data already/);
});

test("what one wrote the others read, find and hear of", { skip }, async () => {
  const events = await EventStream.open(servers[2].url, people[0].session.access_token);
  await events.next();
  const id = "seen-everywhere";
  await people[0].keep(observation(id, 1));
  assert.equal((await people[1].get(`/fhir/Observation/${id}`)).json().valueInteger, 1);
  assert.equal((await people[2].get(`/fhir/Observation?_id=${id}&_total=accurate`)).json().total, 1);
  const told = await events.next((e) => e.event === "resource");
  assert.equal(told.data.id, id);
  events.close();
  const blob = await people[1].send("POST", "/fhir/Binary", Buffer.from("bytes of one"), { "Content-Type": "text/plain" });
  assert.equal(blob.status, 201, blob.text);
  const there = await people[2].get(new URL(blob.headers.location, servers[2].url).pathname.replace(/\/_history.*/, ""),
    { Accept: "text/plain" });
  assert.deepEqual([there.status, there.text], [200, "bytes of one"]);
  // A profile that one process is given binds what comes through the others, and so does its next version.
  const url = "urn:x:profile:shared";
  const profile = (min) => ({
    resourceType: "StructureDefinition", id: "shared-profile", url, name: "Shared", status: "active", kind: "resource",
    abstract: false, type: "Observation", baseDefinition: "http://hl7.org/fhir/StructureDefinition/Observation",
    derivation: "constraint", differential: { element: [{ id: "Observation", path: "Observation" }, { id: "Observation.note", path: "Observation.note", min }] },
  });
  const faults = async (person) => (await person.post("/fhir/Observation/$validate", { ...observation("p", 1), meta: { profile: [url] } }))
    .json().issue.filter((i) => i.severity === "error").length;
  for (const min of [1, 0, 1]) {
    await people[0].keep(profile(min));
    for (const person of people) await until("the profile binds everywhere", async () => (await faults(person) > 0) === (min > 0));
  }
  await people[0].post("/auth/logout", {});
  assert.equal((await people[0].get(`/fhir/Observation/${id}`)).status, 401);
});

test("one is killed in the middle: nothing acknowledged is lost, the numbers have no gaps", { skip }, async () => {
  const added = menkou("user", "reset", "--data", dirs[0], "machine");
  const [username, password] = added.stdout.trim().split(" ");
  const first = await login(servers[0], { username, password });
  people = servers.map((server) => speaker(server, first.session));
  const kept = [];
  let killed = false, on = true;
  const client = async (i) => {
    const mine = i % servers.length;
    for (let n = 0; on && kept.length < 20 * ENOUGH; n++) {
      const id = n % 3 === 0 ? "of-all" : `c${i}-${n}`;
      try {
        const r = await people[mine].put(`/fhir/Observation/${id}`, observation(id, i * 100000 + n));
        if (r.status !== 200 && r.status !== 201) throw new Error(`${r.status} ${r.text}`);
        kept.push({ id, vid: r.headers.etag.slice(3, -1), n: i * 100000 + n });
      } catch (e) {
        if (mine !== 1 || !killed) throw e;
        return;
      }
      if (!killed && kept.length > ENOUGH / 2) {
        killed = true;
        servers[1].kill();
      }
      on = on && kept.length < ENOUGH;
    }
  };
  await Promise.all(Array.from({ length: servers.length * CLIENTS }, (_, i) => client(i)));
  await servers[1].exited;
  for (const { id, vid, n } of kept) {
    const r = await people[2].get(`/fhir/Observation/${id}/_history/${vid}`);
    assert.deepEqual([r.status, r.json().valueInteger], [200, n], `Observation/${id}/_history/${vid}`);
  }
  const versions = new Set(kept.filter((k) => k.id === "of-all").map((k) => k.vid));
  assert.equal(versions.size, kept.filter((k) => k.id === "of-all").length, "no version was given twice");
  servers[1] = await serve(dirs[1]);
  people[1] = speaker(servers[1], first.session);
  assert.equal((await people[1].get(`/fhir/Observation/${kept.at(-1).id}`)).status, 200);
  for (const dir of dirs) {
    const check = menkou("check", "--data", dir);
    assert.equal(check.code, 0, check.stdout + check.stderr);
  }
});
