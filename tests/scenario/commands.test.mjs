// The command line: results on stdout, words on stderr, exit 0 done, 1 faults, 2 wrong use, 3 held or unknown.
import { test } from "node:test";
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, readFileSync, readdirSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { onPostgres } from "../support/database.mjs";
import { folder, init, login, menkou, program, request, serve, userAdd } from "../support/server.mjs";

const commands = menkou("--help").stdout.match(/menkou (\w+) /g).map((m) => m.trim().split(" ")[1]);

test("every command answers --help on stdout with 0", () => {
  assert.ok(commands.length >= 8, commands.join(" "));
  for (const command of [...new Set(commands)]) {
    const r = menkou(command, "--help");
    assert.equal(r.code, 0, command);
    assert.match(r.stdout, new RegExp(`menkou ${command}`), command);
  }
});

test("wrong use is 2 and one line on stderr", () => {
  for (const args of [[], ["nonsense"], ["init"], ["init", "--data"], ["init", "--wrong", "x"], ["check"], ["export"],
    ["user"], ["user", "add"], ["user", "nonsense"], ["user", "add", "--data", "/nowhere", "x"],
    ["import", "--data", init().dir, folder()], ["check", "--data", "/nowhere/at/all"], ["serve", "--data", "/nowhere/at/all"]]) {
    const r = menkou(...args);
    assert.equal(r.code, 2, `${args.join(" ")}: ${r.code} ${r.stderr}`);
    assert.equal(r.stdout, "", args.join(" "));
    assert.equal(r.stderr.trimEnd().split("\n").length, 1, r.stderr);
  }
});

test("fhirpath prints an array, words and errors on stderr", () => {
  const file = join(folder(), "p.json");
  writeFileSync(file, '{"resourceType":"Patient","name":[{"given":["桂芝","B"]}],"birthDate":"1950-03-01"}');
  for (const [args, out] of [
    [["name.given", file], '["桂芝","B"]'], [["1.10 + 1"], "[2.10]"], [["{}"], "[]"], [["-(1 + 2)"], "[-3]"], [["--", "-name.count()", file], "[-1]"],
    [["birthDate.type()", file], '[{"namespace":"FHIR","name":"date"}]'], [["@2020-02-29T23:59:59Z + 1 second"], '["2020-03-01T00:00:00Z"]'],
    [["98.6 '[degF]' = 37 'Cel'"], "[true]"], [["(6.3 'mm').toQuantity('cm').value"], "[0.63]"],
  ]) {
    const r = menkou("fhirpath", ...args);
    assert.deepEqual([r.code, r.stdout, r.stderr], [0, `${out}\n`, ""], args.join(" "));
  }
  const xml = join(folder(), "p.xml");
  writeFileSync(xml, '<Patient xmlns="http://hl7.org/fhir"><name><given value="桂芝"/></name><multipleBirthInteger value="2"/></Patient>');
  assert.equal(menkou("fhirpath", "Patient.name.given | Patient.multipleBirth", xml).stdout, '["桂芝",2]\n');
  const list = join(folder(), "list.json");
  writeFileSync(list, '[{"a":1},{"a":[2,null,3]}]');
  assert.equal(menkou("fhirpath", "a", list).stdout, "[1,2,3]\n");
  const shown = menkou("fhirpath", "name.given.trace('names').count()", file);
  assert.deepEqual([shown.stdout, shown.stderr], ["[2]\n", 'names: ["桂芝","B"]\n']);
  for (const args of [["name.("], ["1 +"], ["name.given.single()", file], ["nope()", file], ["name", "/nowhere.json"]]) {
    const r = menkou("fhirpath", ...args);
    assert.deepEqual([r.code, r.stdout], [1, ""], args.join(" "));
    assert.match(r.stderr, /^menkou fhirpath: .+\n$/);
  }
  assert.equal(menkou("fhirpath").code, 2);
});

test("view prints rows of a resource, a Bundle, an array and of lines, in three formats", () => {
  const dir = folder();
  const file = (name, text) => { writeFileSync(join(dir, name), typeof text === "string" ? text : JSON.stringify(text)); return join(dir, name); };
  const people = ["A", "B"].map((id) => ({ resourceType: "Patient", id, name: [{ given: [id, "x"] }] }));
  const view = file("v.json", { resourceType: "ViewDefinition", resource: "Patient", select: [{ column: [{ name: "id", path: "id" }, { name: "n", path: "name.given.count()" }] }] });
  const rows = '{"id":"A","n":2}\n{"id":"B","n":2}\n';
  for (const input of [people, { resourceType: "Bundle", type: "collection", entry: [...people, { resourceType: "Group" }].map((resource) => ({ resource })) },
    `${people.map((p) => JSON.stringify(p)).join("\n\n")}\n`]) {
    const r = menkou("view", view, file("in", input));
    assert.deepEqual([r.code, r.stdout, r.stderr], [0, rows, ""]);
  }
  const one = file("one.json", JSON.stringify(people[0], null, 2)), other = file("other.ndjson", people[1]);
  assert.equal(menkou("view", view, one, other).stdout, rows);
  assert.equal(menkou("view", view, one, other, "--format", "json").stdout, '[{"id":"A","n":2},{"id":"B","n":2}]\n');
  assert.equal(menkou("view", view, one, other, "--format", "csv").stdout, "id,n\r\nA,2\r\nB,2\r\n");
  assert.equal(menkou("view", view, one, other, "--format", "csv", "--no-header", "--limit", "1").stdout, "A,2\r\n");
  assert.equal(menkou("view", view, one, "--output", join(dir, "out")).stdout, "");
  assert.equal(readFileSync(join(dir, "out"), "utf8"), '{"id":"A","n":2}\n');
  const wrong = (column) => file(`w-${column.path}.json`, { resource: "Patient", select: [{ column: [column] }] });
  for (const [args, why] of [
    [[wrong({ name: "g", path: "name.given" }), one], /collection.*select\[0\]/], [[wrong({ name: "g", path: "%no" }), one], /%no/],
    [[file("x.json", "{}"), one], /resource/], [[view, "/nowhere.json"], /nowhere/], [[view, file("bad.json", "{")], /JSON/],
    [[view, file("bad.ndjson", '{"resourceType":"Patient"}\n{')], /bad.ndjson:2/],
  ]) {
    const r = menkou("view", ...args);
    assert.equal(r.code, 1, `${why} ${r.stderr}`);
    assert.match(r.stderr, why);
  }
  for (const args of [[], [view], [view, one, "--format", "xlsx"], [view, one, "--limit", "many"]]) assert.equal(menkou("view", ...args).code, 2);
});

test("init prints three accounts, makes private files, and does not do it twice", () => {
  const dir = join(folder(), "county");
  const r = menkou("init", "--data", dir);
  assert.equal(r.code, 0, r.stderr);
  const lines = r.stdout.trimEnd().split("\n");
  assert.equal(lines.length, 3);
  for (const line of lines) assert.match(line, /^\S+ \S{8,}$/);
  for (const name of [".", ...(onPostgres ? ["database"] : ["log.db", "index.db"]), "node.json"]) assert.equal(statSync(join(dir, name)).mode & 0o077, 0, `${name} is its owner's alone`);
  assert.equal(menkou("init", "--data", dir).code, 2);
});

test("a clock that is set where there is no demo is told aloud", async () => {
  const server = await serve(init().dir, "--now", "2020-01-01T00:00:00Z");
  const { stderr } = await server.stop();
  assert.match(stderr, /is no demo/);
});

test("user add prints one line, refuses nonsense, and works beside a server", async () => {
  const { dir } = init();
  const server = await serve(dir);
  const r = menkou("user", "add", "--data", dir, "--role", "integrator", "his");
  assert.match(r.stdout, /^his \S{8,}\n$/);
  const [username, password] = r.stdout.trim().split(" ");
  const answer = await request(server.url, "POST", "/auth/login", { body: { username, password } });
  assert.equal(answer.status, 200);
  assert.equal(answer.json().must_change_password, false);
  for (const [args, why] of [
    [["--role", "integrator", "his"], "twice"], [["--role", "nurse", "x"], "unknown role"], [["--role", "reader", "two words"], "name"],
    [["--role", "reader", "--organization", "Patient/1", "x"], "organisation"], [["--role", "reader"], "no name"],
  ]) assert.equal(menkou("user", "add", "--data", dir, ...args).code, 2, why);
  assert.match(menkou("user", "list", "--data", dir).stdout, /^his\tintegrator\t/m);
  await server?.stop();
});

test("two servers on one directory: the second ends with 3", async () => {
  const { dir } = init();
  const server = await serve(dir);
  const second = menkou("serve", "--data", dir, "--listen", "127.0.0.1:0");
  assert.equal(second.code, 3, second.stderr);
  assert.equal(menkou("reindex", "--data", dir).code, 3);
  await server?.stop();
});

test("an address other than loopback needs TLS or a proxy, and not both", () => {
  const { dir } = init();
  assert.equal(menkou("serve", "--data", dir, "--listen", "0.0.0.0:0").code, 2);
  const both = menkou("serve", "--data", dir, "--tls", "cert", "key", "--behind-proxy");
  assert.equal(both.code, 2);
  assert.match(both.stderr, /exclude each other/);
  assert.match(menkou("serve", "--help").stdout, /--db ADDRESS/);
});

const forRoot = process.getuid() === 0 || process.env.MENKOU_DB === "postgresql";
test("a folder that cannot be written is 3 and says what is needed", { skip: forRoot && "SKIPPED: root may write everywhere, and a database needs no folder" }, () => {
  const { dir } = init();
  chmodSync(dir, 0o500);
  for (const args of [["check"], ["export"], ["user", "list"], ["backup", "--to", folder()]]) {
    const r = menkou(...args, "--data", dir);
    assert.equal(r.code, 3, `${args[0]}: ${r.stderr}`);
    assert.match(r.stderr, /cannot be written: Permission denied.*run as its owner/, args[0]);
  }
  chmodSync(dir, 0o700);
});

test("validate reads -, import takes XML", () => {
  const input = '{"resourceType":"Patient","active":"yes"}';
  const r = spawnSync(program, ["validate", "--quiet", "-"], { input, encoding: "utf8" });
  assert.equal(r.status, 1, r.stderr);
  assert.deepEqual(JSON.parse(r.stdout).issue[0].expression, ["Patient.active"]);
  const { dir } = init();
  const file = join(folder(), "b.xml");
  const entry = (id) => `<entry><resource><Patient><id value="${id}"/><active value="true"/></Patient></resource></entry>`;
  writeFileSync(file, `<Bundle xmlns="http://hl7.org/fhir"><type value="collection"/>${entry("a")}${entry("b")}</Bundle>`);
  assert.match(menkou("import", "--data", dir, file).stdout, /b\.xml: 2 imported, 0 refused/);
  assert.match(menkou("export", "--data", dir).stdout, /"id":"b"[^\n]*"active":true/);
});

async function filled(dir) {
  const account = userAdd(dir, "integrator", "his");
  const server = await serve(dir);
  const his = await login(server, account);
  for (let i = 0; i < 30; i++) {
    await his.keep({ resourceType: "Patient", id: `p${i}`, name: [{ text: `病人${i}` }] });
    await his.keep({ resourceType: "Observation", id: `o${i}`, status: "final", code: { text: "x" }, subject: { reference: `Patient/p${i}` } });
  }
  const blob = await his.post("/fhir/Binary", Buffer.alloc(5000, 7), { "Content-Type": "application/octet-stream", "X-Security-Context": "Patient/p1" });
  assert.equal(blob.status, 201, blob.text);
  return { server, his };
}

test("check and export work beside a server; export is ordered and repeatable; reindex changes nothing", async () => {
  const { dir } = init();
  const { server, his } = await filled(dir);
  let r = menkou("check", "--data", dir);
  assert.equal(r.code, 0, r.stdout + r.stderr);
  const first = menkou("export", "--data", dir);
  assert.equal(first.code, 0, first.stderr);
  const keys = first.stdout.trimEnd().split("\n").map((l) => JSON.parse(l)).map((x) => `${x.resourceType}/${x.id}`);
  assert.ok(keys.includes("Patient/p7") && keys.includes("Observation/o29"));
  assert.deepEqual(keys, [...keys].sort((a, b) => {
    const [at, ai] = a.split("/"), [bt, bi] = b.split("/");
    return at < bt ? -1 : at > bt ? 1 : ai < bi ? -1 : 1;
  }));
  his.close();
  await server?.stop();
  assert.equal(menkou("reindex", "--data", dir).code, 0);
  assert.equal(menkou("export", "--data", dir).stdout, first.stdout);
  r = menkou("check", "--data", dir, "--replay");
  assert.equal(r.code, 0, r.stdout + r.stderr);
  assert.match(r.stdout, /^replay: /m);
});

const damages = {
  "a changed audit record": (dir) => {
    const path = join(dir, "audit", readdirSync(join(dir, "audit"))[0]);
    writeFileSync(path, readFileSync(path, "utf8").replace("Observation/o5", "Observation/o6"));
  },
  "a removed audit record": (dir) => {
    const path = join(dir, "audit", readdirSync(join(dir, "audit"))[0]);
    const lines = readFileSync(path, "utf8").split("\n");
    lines.splice(10, 1);
    writeFileSync(path, lines.join("\n"));
  },
  "a cut audit": (dir) => {
    const path = join(dir, "audit", readdirSync(join(dir, "audit"))[0]);
    const text = readFileSync(path, "utf8");
    truncateSync(path, text.lastIndexOf("\n", text.length - 2) + 1);
  },
  "a changed blob": (dir) => {
    const blobs = join(dir, "blobs");
    const one = readdirSync(blobs, { recursive: true }).map((f) => join(blobs, String(f))).concat(readdirSync(blobs).flatMap((d) => {
      const sub = join(blobs, d);
      return statSync(sub).isDirectory() ? readdirSync(sub).map((f) => join(sub, f)) : [];
    })).find((f) => statSync(f).isFile());
    const bytes = readFileSync(one);
    bytes[bytes.length >> 1] ^= 1;
    writeFileSync(one, bytes);
  },
};

for (const [what, damage] of Object.entries(damages)) {
  test(`check finds ${what}: exit 1`, async () => {
    const { dir } = init();
    const { server, his } = await filled(dir);
    his.close();
    await server?.stop();
    assert.equal(menkou("check", "--data", dir).code, 0);
    damage(dir);
    const r = menkou("check", "--data", dir);
    assert.equal(r.code, 1, r.stdout);
    assert.match(r.stdout, /fault/);
  });
}

test("the program runs from any folder", async () => {
  const { spawnSync } = await import("node:child_process");
  const r = spawnSync(program, ["init", "--data", "county"], { cwd: folder(), encoding: "utf8" });
  assert.equal(r.status, 0, r.stderr);
});
