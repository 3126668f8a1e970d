// Two servers on one PostgreSQL and one deadline: who holds the clock fires it, the other one does not though its own
// clock says that it is due; when the holder is killed (SIGKILL) the other takes over within the lease's time and fires
// it; and it stays fired once, whoever starts again. A case's deadline hangs on the clocks, --now sets them.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { claimant, people, state } from "../support/cases.mjs";
import { newDatabase, postgresMissing } from "../support/database.mjs";
import { demoMake, folder, root, serve, until } from "../support/server.mjs";

const skip = postgresMissing();
const START = "2026-11-22T08:00:00+08:00";
const LATER = "2026-11-22T12:00:00+08:00"; // behind the deadline
const recording = readFileSync(join(root, "tests/fixtures/ecg/synthetic.scp"));

let dirs, accounts;
const servers = [];
before(async () => {
  if (skip) return;
  const database = newDatabase();
  dirs = [0, 1].map((i) => join(folder("takeover"), `node${i}`));
  demoMake(dirs[0], ["--people", "50", "--now", START, "--db", database]);
  accounts = JSON.parse(readFileSync(join(dirs[0], "accounts.json"), "utf8"));
  mkdirSync(dirs[1]);
  symlinkSync(join(dirs[0], "blobs"), join(dirs[1], "blobs"));
  servers[0] = await serve(dirs[0], "--now", START);
  servers[1] = await serve(dirs[1], "--now", LATER, "--db", database);
});
after(async () => {
  for (const server of servers) await server?.stop();
});

const at = (i) => people(servers[i], accounts);

/** A recording that a reader has claimed: the claim runs out by itself. */
async function claimed() {
  const tech = await at(0)("tech1");
  const [patient] = await tech.search("Patient?_count=1");
  const made = await tech.start("remote-ecg", `Patient/${patient.id}`, { reason: "胸痛", urgency: "stat", consent: "written" });
  const id = await tech.upload(recording, `Patient/${patient.id}`);
  const acquired = await tech.act(made, "acquire", { recording: { url: `Binary/${id}`, title: "r.scp" } });
  return (await (await at(0)("reader1")).act(acquired, "claim")).id;
}

test("one deadline of two processes fires once, and the other takes over from one that is killed", { skip }, async () => {
  const id = await claimed();
  const there = await at(1)("integrator1");
  const history = async () => (await there.get(`/fhir/Task/${id}/_history?_count=100`)).json().entry
    .map((e) => state(e.resource)).reverse();
  const ran = async () => (await history()).filter((now, i, all) => now === "acquired" && all[i - 1] === "reading").length;
  const seen = await there.read("Task", id);
  assert.equal(state(seen), "reading", "what one wrote is there for the other at once");
  assert.ok(claimant(seen));

  // The second one has asked for the clock when it began, and goes on asking; the first one renews.
  await servers[0].kill();
  assert.equal(await ran(), 0, "nobody but the holder of the clock fires");
  const killed = Date.now();
  await until("the claim has run out", async () => state(await there.read("Task", id)) === "acquired", 60_000);
  console.log(`taken over after ${((Date.now() - killed) / 1000).toFixed(1)} s`);
  assert.equal(await ran(), 1);

  servers[0] = await serve(dirs[0], "--now", LATER);
  const again = await at(0)("reader1");
  const task = await again.read("Task", id);
  assert.deepEqual([state(task), claimant(task)], ["acquired", undefined]);
  await again.act(task, "claim"); // what is due is looked at after every commit
  assert.equal(await ran(), 1, "once, whoever began again");
});
