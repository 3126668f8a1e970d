// Runs every test and counts every case: ./dev test [--long] [WORD…].
//
// A test is a program that speaks TAP: unit tests (cmocka), scenarios and browser walks
// (node:test), or one that only has an exit status: it counts as one case. Nothing is counted that was
// not run, and a program that dies in the middle counts as a failure beside what it had done.
// The last line is "N passed, N failed" (", N skipped" when some were).
import { spawn, execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { memoryHasRoom, serverFolder, startPostgres } from "./support/database.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = join(root, "build", "test");
const program = join(folder, "src", "cmd", "menkou");
const logs = join(root, "build", "test-logs");
const width = (availableParallelism?.() ?? cpus().length) + 1; // a third of the time a test waits for a disk or a clock
const words = process.argv.slice(2).filter((a) => !a.startsWith("--"));
const long = process.argv.includes("--long");
const MINUTE = 60_000;

// What tests write lies in memory where there is room: what a disk does to it is simulated by those that ask
// (tests/support/cutvfs.h), and a storm's data would not fit.
function scratchFolder() {
  const memory = "/dev/shm";
  for (const name of existsSync(memory) ? readdirSync(memory) : []) {
    const [, pid] = name.match(/^menkou-(\d+)-\w+$/) ?? [];
    if (pid && !existsSync(`/proc/${pid}`)) rmSync(join(memory, name), { recursive: true, force: true });
  }
  const parent = !long && memoryHasRoom() ? memory : join(root, "build", "tmp");
  mkdirSync(parent, { recursive: true });
  return mkdtempSync(join(parent, `menkou-${process.pid}-`));
}
const scratch = scratchFolder();
const counties = join(scratch, "counties");
mkdirSync(counties);
const running = new Set();
process.on("exit", () => {
  for (const child of running) {
    try { process.kill(-child.pid, "SIGKILL"); } catch { /* it has just ended */ }
  }
  rmSync(scratch, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));

// One PostgreSQL for all who want one; MENKOU_DB=postgresql makes every store of the tests lie there.
const postgres = process.env.MENKOU_PG || startPostgres(serverFolder());
if (process.env.MENKOU_DB === "postgresql" && !postgres) throw new Error("MENKOU_DB=postgresql, but there is no server");

const environment = {
  ...process.env,
  ...(postgres ? { MENKOU_PG: postgres } : {}),
  ...(process.env.MENKOU_DB === "postgresql" ? { MENKOU_TEMPORARY_DB: postgres } : {}),
  TMPDIR: scratch,
  MENKOU_TMP: scratch,
  MENKOU_COUNTIES: counties, // a demo county is made once for all who ask for the same one
  MENKOU: program,
  MENKOU_ROOT: root,
  ...(long ? { MENKOU_LONG: "1" } : {}), // said or absent: a test in C asks whether it is there
  CMOCKA_MESSAGE_OUTPUT: "TAP",
  ASAN_OPTIONS: process.env.ASAN_OPTIONS ?? "detect_leaks=1:detect_stack_use_after_return=0",
  UBSAN_OPTIONS: process.env.UBSAN_OPTIONS ?? "halt_on_error=1:print_stacktrace=1",
  NO_COLOR: "1",
};

// ---- What there is to run ----------------------------------------------------------------------

const node = (name, file, more = {}) => ({
  name, command: process.execPath, args: ["--test-reporter=tap", file], tap: true, cwd: root,
  limit: (long ? 60 : 10) * MINUTE, ...more,
});

function filesIn(directory, ending) {
  const path = join(root, "tests", directory);
  return existsSync(path) ? readdirSync(path).filter((f) => f.endsWith(ending)).sort() : [];
}

function treeTests() {
  const list = [node("tree/layers", "tests/layers.test.mjs"), node("tree/first-change", "tests/first-change.test.mjs")];
  if (existsSync(join(root, "tools", "gen-r4.mjs"))) {
    list.push(node("tree/gen", "tests/gen.test.mjs"));
  }
  if (existsSync(join(root, "web", "package.json"))) {
    list.push({ name: "tree/web", command: "npm", args: ["run", "--silent", "check"], cwd: join(root, "web") });
  }
  return list;
}

function unitTests() {
  const list = JSON.parse(execFileSync("meson", ["introspect", "--tests", folder], { encoding: "utf8" }));
  return list.map((t) => ({
    name: `unit/${t.name}`, command: t.cmd[0], args: t.cmd.slice(1), tap: true,
    cwd: t.workdir ?? folder, env: t.env, limit: (long ? 60 : 10) * MINUTE,
  }));
}

function storyTests() {
  return filesIn("../pathways", "")
    .filter((name) => existsSync(join(root, "pathways", name, "pathway.json")))
    .flatMap((name) => ["lint", "test"].map((what) => ({
      name: `pathway/${name}/${what}`, command: program, cwd: root,
      args: ["pathway", what, join("pathways", name)],
    })));
}

function httpTests() {
  return filesIn("scenario", ".test.mjs")
    .map((f) => node(`scenario/${f.replace(".test.mjs", "")}`, join("tests", "scenario", f)));
}

function browserTests() {
  return filesIn("browser", ".test.mjs")
    .map((f) => node(`browser/${f.replace(".test.mjs", "")}`, join("tests", "browser", f), { browser: true }));
}

// ---- Running one -------------------------------------------------------------------------------

// The last plan's programs may print several plans (one a group); only the leaves' own lines count.
function countCmocka(text) {
  const count = { passed: 0, failed: 0, skipped: 0 };
  for (const line of text.split("\n")) {
    if (/^(not )?ok \d+.*# SKIP/i.test(line)) count.skipped++;
    else if (/^ok \d+/.test(line)) count.passed++;
    else if (/^not ok \d+/.test(line)) count.failed++;
  }
  return count;
}

function countNode(text) {
  const last = (what) => {
    const all = [...text.matchAll(new RegExp(`^# ${what} (\\d+)$`, "gm"))];
    return all.length ? Number(all[all.length - 1][1]) : 0;
  };
  return {
    passed: last("pass"),
    failed: last("fail") + last("cancelled"),
    skipped: last("skipped") + last("todo"),
  };
}

function countOf(test, text, bad) {
  const count = test.tap
    ? /^# tests \d+$/m.test(text) ? countNode(text) : countCmocka(text)
    : { passed: 0, failed: 0, skipped: 0 };
  const none = count.passed + count.failed + count.skipped === 0;
  if (bad && count.failed === 0) count.failed = 1;
  else if (!bad && none) count.passed = 1;
  return count;
}

function run(test) {
  return new Promise((done) => {
    const began = Date.now();
    const pieces = [];
    const child = spawn(test.command, test.args, {
      cwd: test.cwd, env: { ...environment, ...test.env }, stdio: ["ignore", "pipe", "pipe"], detached: true,
    });
    running.add(child);
    const limit = test.limit ?? 10 * MINUTE;
    let late = false;
    const clock = setTimeout(() => {
      late = true;
      try { process.kill(-child.pid, "SIGKILL"); } catch { /* it has just ended */ }
    }, limit);
    child.stdout.on("data", (d) => pieces.push(d));
    child.stderr.on("data", (d) => pieces.push(d));
    child.on("error", (e) => pieces.push(Buffer.from(`${e.message}\n`)));
    child.on("close", (code, signal) => {
      running.delete(child);
      clearTimeout(clock);
      let text = Buffer.concat(pieces).toString("utf8");
      if (late) text += `\nended after ${limit / MINUTE} minutes\n`;
      else if (signal) text += `\nended by ${signal}\n`;
      const bad = late || code !== 0;
      done({ test, text, ms: Date.now() - began, count: countOf(test, text, bad), bad });
    });
  });
}

// ---- Telling -----------------------------------------------------------------------------------

const total = { passed: 0, failed: 0, skipped: 0 };
const failures = [];
const notes = [];
let doneN = 0;

function tell(result, of) {
  const { test, text, ms, count } = result;
  doneN++;
  for (const key of Object.keys(total)) total[key] += count[key];
  mkdirSync(logs, { recursive: true });
  writeFileSync(join(logs, `${test.name.replaceAll("/", "_")}.log`), text);
  const skipped = count.skipped ? `, ${count.skipped} skipped` : "";
  const state = count.failed ? `FAILED ${count.failed}, ` : "";
  console.log(`[${doneN}/${of}] ${test.name}: ${state}${count.passed} passed${skipped} (${(ms / 1000).toFixed(1)} s)`);
  for (const line of text.split("\n")) {
    if (/\bSKIPPED\b/.test(line)) notes.push(`${test.name}: ${line.trim().replace(/^# /, "")}`);
    if (/^(# )?PASS COUNT\b/.test(line)) console.log(`    ${line.replace(/^# /, "")}`);
  }
  if (count.failed) {
    failures.push(result);
    const lines = text.trimEnd().split("\n");
    const from = Math.max(0, lines.length - 150);
    console.log(lines.slice(from).map((l) => `    ${l}`).join("\n"));
  }
}

const wanted = (test) => words.length === 0 || words.some((w) => test.name.includes(w));
const waiting = [...browserTests(), ...treeTests(), ...unitTests(), ...storyTests(), ...httpTests()].filter(wanted);
const of = waiting.length;

// One more at once than there are cores, but never two browsers: each has processes of its own, and its person waits.
let browsing = false;
async function lane() {
  for (;;) {
    const at = waiting.findIndex((test) => !(test.browser && browsing));
    if (at < 0) return;
    const [test] = waiting.splice(at, 1);
    browsing ||= Boolean(test.browser);
    tell(await run(test), of);
    if (test.browser) browsing = false;
  }
}
await Promise.all(Array.from({ length: width }, lane));

if (notes.length) console.log(`\nSkipped:\n${[...new Set(notes)].map((n) => `  ${n}`).join("\n")}`);
if (failures.length) {
  console.log("\nFailed:");
  for (const f of failures) console.log(`  ${f.test.name} (${relative(root, logs)}/${f.test.name.replaceAll("/", "_")}.log)`);
}
console.log(`\n${total.passed} passed, ${total.failed} failed${total.skipped ? `, ${total.skipped} skipped` : ""}`);
process.exitCode = total.failed || total.passed === 0 ? 1 : 0;
