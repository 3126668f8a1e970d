// docs/first-change.md does what it says: its blocks are put where the page puts them, in a copy of the room; the test
// fails before the function is there and passes after it.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const page = readFileSync(join(root, "docs/first-change.md"), "utf8");
const blocks = [...page.matchAll(/^`([\w/.]+)` before `(.+)`\n\n```c\n([\s\S]*?)^```$/gm)].map(([, path, mark, text]) => ({ path, mark, text }));
const copy = mkdtempSync(join(process.env.MENKOU_TMP ?? tmpdir(), "first-change-"));
after(() => rmSync(copy, { recursive: true, force: true }));

function apply({ path, mark, text }) {
  const file = join(copy, path);
  const before = readFileSync(file, "utf8");
  const at = before.indexOf(`\n${mark}`);
  assert.ok(at >= 0 && before.indexOf(`\n${mark}`, at + 1) < 0, `"${mark}" stands once in ${path}`);
  writeFileSync(file, `${before.slice(0, at + 1)}${text}${before.slice(at + 1)}`);
}

// Compiled without the build system, which would make the whole tree: what the change touches is compiled twice.
const flags = ["-std=gnu17", "-O0", "-D_GNU_SOURCE", '-DMENKOU_VERSION="0"', '-DPASSCOUNTS_FILE="/dev/null"',
  ...["src/base", "src/json", "src/fhir", "gen", "tests", "tests/unit"].map((d) => `-I${d}`)];
const libraries = "cmocka libsodium libcrypto icu-uc libxml-2.0 zlib libzstd";
const sh = (line) => spawnSync("sh", ["-ec", line, "sh", ...flags], { cwd: copy, encoding: "utf8" });
function compile(files) {
  const built = sh(`ls ${files} | xargs -n1 cc "$@" $(pkg-config --cflags ${libraries}) -c; cc -o first *.o $(pkg-config --libs ${libraries}) -lm -lpthread`);
  assert.equal(built.status, 0, built.stderr);
  return spawnSync("./first", { cwd: copy, encoding: "utf8" });
}

test("what the page quotes stands in the tree", () => {
  assert.equal(blocks.length, 5);
  const header = page.match(/```c\n(\/\* Only those in full[\s\S]*?)```/)[1];
  assert.ok(readFileSync(join(root, "src/fhir/fhir_pinyin.h"), "utf8").includes(header));
});

test("its test fails first and passes with its function", () => {
  for (const folder of ["src/base", "src/json", "src/fhir", "gen", "tests/unit"]) {
    mkdirSync(join(copy, dirname(folder)), { recursive: true });
    cpSync(join(root, folder), join(copy, folder), { recursive: true });
  }
  blocks.slice(0, 2).forEach(apply);
  const red = compile("src/base/*.c src/json/*.c src/fhir/*.c gen/*.c tests/unit/fhir/test_path.c");
  assert.notEqual(red.status, 0);
  assert.match(red.stdout + red.stderr, /pinyin/);
  blocks.slice(2).forEach(apply);
  const green = compile("src/fhir/fhir_path*.c tests/unit/fhir/test_path.c");
  assert.equal(green.status, 0, green.stdout + green.stderr);
});
