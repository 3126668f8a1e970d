// What the tree promises about itself: rooms see only the rooms they may (docs/layers.def), no
// pathway's words stand in the program, forbidden functions and hosts are nowhere.
import { test } from "node:test";
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const SKIP = new Set(["node_modules", "build", ".git", "suites"]);

function walk(folder, fits, found = []) {
  const path = join(root, folder);
  if (!existsSync(path)) return found;
  for (const name of readdirSync(path).sort()) {
    const child = join(path, name);
    if (SKIP.has(name)) continue;
    if (statSync(child).isDirectory()) walk(relative(root, child), fits, found);
    else if (fits(name)) found.push(relative(root, child));
  }
  return found;
}

const text = (file) => readFileSync(join(root, file), "utf8");
const cFiles = walk("src", (n) => /\.[ch]$|\.def$/.test(n));
const webFiles = walk(join("web", "src"), (n) => /\.(tsx?|json|css)$/.test(n));
const roomOf = (file) => file.split(sep)[1];

// ---- Rooms -------------------------------------------------------------------------------------

function layers() {
  const may = new Map();
  for (const line of text("docs/layers.def").split("\n")) {
    if (!line.trim() || line.startsWith("#")) continue;
    const [room, rest] = line.split(":");
    may.set(room.trim(), new Set(rest.trim().split(/\s+/).filter(Boolean)));
  }
  return may;
}

test("every room includes only what docs/layers.def allows", () => {
  const may = layers();
  const home = new Map(); // header → room
  for (const file of cFiles) home.set(basename(file), roomOf(file));
  for (const file of walk("gen", (n) => /\.(h|def)$/.test(n))) home.set(basename(file), "fhir");
  const wrong = [];
  for (const file of cFiles) {
    const room = roomOf(file);
    if (!may.has(room)) wrong.push(`${file}: the room ${room} is not in docs/layers.def`);
    for (const [, header] of text(file).matchAll(/^\s*#\s*include\s+"([^"]+)"/gm)) {
      const to = home.get(basename(header));
      if (header.includes("/")) wrong.push(`${file}: headers are included by bare name: ${header}`);
      else if (!to) wrong.push(`${file}: no room has ${header}`);
      else if (to !== room && !may.get(room)?.has(to)) wrong.push(`${file}: ${room} may not use ${to} (${header})`);
    }
  }
  assert.deepEqual(wrong, []);
});

test("a public header's name is unique and begins with its room's prefix", () => {
  const prefix = (room) => (room === "base" ? "mk" : room);
  const wrong = [];
  const seen = new Map();
  for (const file of cFiles.filter((f) => /\.[ch]$/.test(f))) {
    const name = basename(file);
    if (seen.has(name)) wrong.push(`${file} and ${seen.get(name)}`);
    seen.set(name, file);
    if (roomOf(file) !== "cmd" && /\.h$/.test(name) && !name.startsWith(prefix(roomOf(file)))) wrong.push(`${file}: not of its room's prefix`);
  }
  assert.deepEqual(wrong, []);
});

test("only src/http knows the HTTP library, only src/db the database's", () => {
  const wrong = [];
  for (const file of cFiles) {
    const of = roomOf(file);
    if (of !== "http" && /#\s*include\s*<microhttpd\.h>/.test(text(file))) wrong.push(`${file}: microhttpd.h`);
    if (of !== "db" && /#\s*include\s*[<"]sqlite3\.h/.test(text(file))) wrong.push(`${file}: sqlite3.h`);
  }
  assert.deepEqual(wrong, []);
});

test("the cores that must be pure ask no clock, socket, file or store", () => {
  const wrong = [];
  for (const file of cFiles.filter((f) => /_core\.c$/.test(f))) {
    const hit = text(file).match(/\b(clock_now|time_mono_ms|open|socket|store_commit|store_read|random_\w+)\s*\(/);
    if (hit) wrong.push(`${file}: ${hit[1]}`);
  }
  assert.deepEqual(wrong, []);
});

// ---- Functions that are never right ------------------------------------------------------------

const withoutComments = (c) => c.replace(/\/\*[\s\S]*?\*\//g, " ").replace(/\/\/[^\n]*/g, " ");

test("forbidden functions are used nowhere", () => {
  const banned = [...text("src/base/mk_banned.h").matchAll(/^#define (\w+)\(\.\.\.\)/gm)].map((m) => m[1]);
  assert.ok(banned.length > 10);
  const call = new RegExp(`\\b(${banned.join("|")}|gets|tmpnam|mktemp|system|popen)\\s*\\(`);
  const wrong = [];
  for (const file of cFiles.filter((f) => f.endsWith(".c"))) {
    const code = withoutComments(text(file)).replace(/"(\\.|[^"\\])*"/g, '""');
    const hit = code.match(call);
    if (hit) wrong.push(`${file}: ${hit[1]}`);
  }
  assert.deepEqual(wrong, []);
});

// ---- No pathway in the program -----------------------------------------------------------------

/*
 * Words that a package uses as the code of a state or an action or as a linkId and that are also
 * words of FHIR, HTTP or the page, so that finding them says nothing about pathways.
 */
const GENERAL = new Set([
  "start", "note", "reason", "time", "text", "status", "code", "person", "telephone", "plan", "slot", "letter",
  "value", "date", "ordered", "recording", "diagnosis", "measure", "medication", "consent", "department", "priority", "urgency", // FHIR's elements and types
  "draft", "requested", "accepted", "received", "ready", "rejected", "cancelled", "completed", "failed",
  "proposed", "closed", "arrived", "amend", "amended", "close", "report", "weight", "course", "lost", // FHIR's codes
  "cancel", "submit", "return", "accept", "open", "done", "do", "due", "act", "release", "to", "claim", // page and program
  "lease-end", "refused", // words of the package's format itself (docs/formats/package.md): claim's deadline, a story's key
  "clinic", // a hole in the demo's script
  "refuse", "lose", "miss", "missed", "reject", "receive", "notify",
]);

function linkIds(items, found) {
  for (const item of items ?? []) {
    found.add(item.linkId);
    linkIds(item.item, found);
  }
}

function pathwayWords() {
  const names = new Set();
  const words = new Set();
  for (const name of readdirSync(join(root, "pathways"))) {
    const folder = join("pathways", name);
    if (!existsSync(join(root, folder, "pathway.json"))) continue;
    const pathway = JSON.parse(text(join(folder, "pathway.json")));
    names.add(pathway.name ?? name);
    for (const list of [pathway.states, pathway.actions, pathway.deadlines]) {
      for (const row of Array.isArray(list) ? list : Object.keys(list ?? {}).map((code) => ({ code }))) {
        if (row.code) words.add(row.code);
      }
    }
    for (const form of walk(join(folder, "forms"), (n) => n.endsWith(".json"))) linkIds(JSON.parse(text(form)).item, words);
  }
  for (const word of GENERAL) words.delete(word);
  return { names, words };
}

test("no name of a pathway, state, action or linkId stands in src/ or web/src/", () => {
  const { names, words } = pathwayWords();
  assert.ok(names.size >= 5 && words.size >= 10, "the packages were read");
  const escaped = (set) => [...set].map((w) => w.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|");
  const name = new RegExp(`(?<![\\w-])(${escaped(names)})(?![\\w-])`);
  // A state or linkId stands where the program compares or names it: as a whole literal.
  const literal = new RegExp(`(["'\`])(${escaped(words)})\\1`);
  const wrong = [];
  for (const file of [...cFiles, ...webFiles]) {
    text(file).split("\n").forEach((line, i) => {
      const hit = line.match(name) ?? line.match(literal);
      if (hit) wrong.push(`${file}:${i + 1}: ${hit[0]}`);
    });
  }
  assert.deepEqual(wrong, []);
});

// ---- Nothing foreign ---------------------------------------------------------------------------

test("no file names a package registry's or a mirror's host", () => {
  const host = /registry\.npm|npmjs\.(org|com)|deb\.debian\.org|debian\.org\/debian|archive\.ubuntu|npmmirror|pypi\.org|unpkg\.com|jsdelivr|cdnjs/;
  const own = relative(root, fileURLToPath(import.meta.url));
  const files = walk(".", (n) => !/\.(png|svg|woff2?|zst|bin|db)$/.test(n)).filter((f) => f !== own);
  const wrong = files.filter((file) => statSync(join(root, file)).size < 4 << 20 && host.test(text(file)));
  assert.deepEqual(wrong, []);
});

test("no mark of unfinished work in what ships", () => {
  const mark = /\b(TODO|FIXME|XXX|HACK|not implemented)\b/;
  const files = [...cFiles, ...webFiles, ...walk("pathways", () => true), ...walk("tools", (n) => n.endsWith(".mjs"))];
  const wrong = files.filter((file) => mark.test(text(file)));
  assert.deepEqual(wrong, []);
});
