// What an earlier program left opens: tests/fixtures/data holds a directory of each version that changed the disk.
import { test } from "node:test";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { folder, login, menkou, root, serve } from "../support/server.mjs";

const fixtures = join(root, "tests", "fixtures", "data");
const archives = readdirSync(fixtures).filter((name) => name.endsWith(".tar.gz"));

/** The index says that it was made by another extractor. */
function indexAge(dir) {
  const path = join(dir, "index.db");
  const bytes = readFileSync(path).toString("latin1");
  const at = bytes.search(/version[0-9a-f]{64}/);
  assert.ok(at > 0, "the index names its version");
  writeFileSync(path, Buffer.from(`${bytes.slice(0, at + 7)}${"0".repeat(64)}${bytes.slice(at + 71)}`, "latin1"));
}

async function served(dir, account) {
  const server = await serve(dir);
  const person = await login(server, account);
  const get = async (path) => {
    const r = await person.get(path);
    assert.equal(r.status, 200, `${path}: ${r.text}`);
    return r;
  };
  assert.equal((await get("/fhir/Patient/a")).json().name[0].text, "刘桂枝");
  assert.equal((await get("/fhir/Patient/a/_history/1")).json().name[0].text, "刘桂芝");
  assert.equal((await person.get("/fhir/Patient/gone")).status, 410);
  assert.equal((await get("/fhir/Patient?pinyin=lgz&_total=accurate")).json().total, 1);
  assert.equal((await get("/fhir/Observation?patient=Patient/a&code=8867-4&date=ge2026-11-15&_total=accurate&_count=5")).json().entry.length, 5);
  assert.equal((await get("/fhir/Binary/raw")).text, "bytes of yesterday");
  const made = await person.put("/fhir/Patient/a", { ...(await get("/fhir/Patient/a")).json(), multipleBirthInteger: 1 });
  assert.equal(made.status, 200, made.text);
  person.close();
  const ended = await server.stop();
  assert.equal(ended.code, 0, ended.stderr);
  return ended.stderr;
}

test("there is a directory of an earlier program", () => assert.ok(archives.length > 0));

for (const name of archives) {
  test(`${name} opens, is sound, and gets an index of today`, async () => {
    const at = folder("yesterday");
    execFileSync("tar", ["-xzf", join(fixtures, name), "-C", at]);
    const dir = join(at, "county"), account = JSON.parse(readFileSync(join(at, "account.json"), "utf8"));
    await served(dir, account);
    indexAge(dir);
    assert.match(await served(dir, account), /building the index of \d+ versions/);
    const check = menkou("check", "--data", dir);
    assert.equal(check.code, 0, check.stdout);
  });
}
