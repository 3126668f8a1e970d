// A county as `menkou demo` makes it: large enough, valid to the last resource, every case walked by its package, the
// same each time. ./dev test --long makes the default of 20,000 residents, else it is 150 of them.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createReadStream, existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { folder, program, until } from "../support/server.mjs";

const LONG = Boolean(process.env.MENKOU_LONG);
const PEOPLE = LONG ? [] : ["--people", "150"];
const NOW = "2026-11-22T08:00:00+08:00";
const where = folder("county");

/** Runs without a limit of time that a default county would pass. */
function run(...args) {
  const r = spawnSync(program, args, { encoding: "utf8", maxBuffer: 1 << 28 });
  assert.equal(r.status, 0, r.stdout + r.stderr);
  return r;
}

function make(name) {
  const dir = join(where, name), file = join(where, `${name}.ndjson`);
  const made = run("demo", "--data", dir, ...PEOPLE, "--seed", "5", "--now", NOW, "--make-only");
  run("export", "--data", dir, "--output", file);
  const [, residents, cases] = made.stderr.match(/(\d+) residents, (\d+) cases/);
  return { dir, file, residents: Number(residents), cases: Number(cases) };
}

const county = make("a");

test("it has the size that is promised", async () => {
  let resources = 0;
  for await (const line of createInterface({ input: createReadStream(county.file) })) resources += line ? 1 : 0;
  assert.equal(county.residents, LONG ? 20000 : 150);
  assert.ok(resources >= county.residents * 20, `${resources} resources of ${county.residents} residents`);
  assert.ok(county.cases >= (LONG ? 6000 : 100), `${county.cases} cases`);
});

test("everything in it is valid R4", () => {
  run("validate", "--quiet", county.file);
});

test("the log is whole and no case took an illegal step", () => {
  run("check", "--data", county.dir, "--replay");
});

test("made again it is the same, byte for byte", () => {
  const again = make("b");
  assert.equal(spawnSync("cmp", [county.file, again.file]).status, 0, "two exports differ");
  rmSync(again.dir, { recursive: true });
});

test("one that was cut short is known as such and made anew", async () => {
  const dir = join(where, "cut");
  const child = spawn(program, ["demo", "--data", dir, "--people", "20000", "--make-only"], { stdio: "ignore" });
  const ended = new Promise((resolve) => child.once("exit", (code, signal) => resolve(signal)));
  await until("the making begins", () => existsSync(join(dir, "log.db")), 60_000);
  child.kill("SIGKILL");
  assert.equal(await ended, "SIGKILL", "it was made before it could be cut");
  run("demo", "--data", dir, "--people", "50", "--now", NOW, "--make-only");
  run("check", "--data", dir, "--replay");
  const other = run("demo", "--data", dir, "--people", "60", "--make-only");
  assert.match(other.stderr, /county of 50 people/, "another size is not passed over in silence");
});
