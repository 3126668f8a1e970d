// `menkou validate` on small cases of our own, and on the public suites where they are present.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, test } from "node:test";

const menkou = process.env.MENKOU ?? "build/release/src/cmd/menkou";
const suites = process.env.MENKOU_SUITES ?? "";
const scratch = mkdtempSync(join(tmpdir(), "menkou-validate-"));
after(() => rmSync(scratch, { recursive: true }));

function skipWithout(path) {
  if (suites && existsSync(join(suites, path))) return false;
  const reason = `SKIPPED: ${path} is not under MENKOU_SUITES`;
  console.error(reason);
  return reason;
}

// { status, outcomes, invalid: Map file → number of faults }
function validate(files, ...options) {
  const run = spawnSync(menkou, ["validate", "--lang", "en", ...options, ...files],
    { encoding: "utf8", maxBuffer: 1 << 28 });
  const outcomes = run.stdout.split("\n").filter(Boolean).map((line) => JSON.parse(line));
  const invalid = new Map([...run.stderr.matchAll(/^(.+):(\d+): (\d+)$/gm)].map((m) => [m[1], Number(m[3])]));
  return { status: run.status, stderr: run.stderr, outcomes, invalid };
}

function file(name, content) {
  const path = join(scratch, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

test("valid, invalid and wrong use have their exit status", () => {
  const good = file("good.json", { resourceType: "Patient", name: [{ text: "李桂芝" }] });
  const bad = file("bad.json", { resourceType: "Patient", contact: [{ name: { faimly: "x" } }] });
  assert.equal(validate([good]).status, 0);
  const both = validate([good, bad]);
  assert.equal(both.status, 1);
  assert.equal(both.outcomes.length, 2);
  assert.deepEqual(both.outcomes[1].issue[0].expression, ["Patient.contact[0].name.faimly"]);
  assert.equal(both.outcomes[1].issue[0].code, "structure");
  assert.equal(validate([]).status, 2);
  assert.equal(validate(["--nonsense"]).status, 2);
  assert.equal(validate([join(scratch, "absent.json")]).status, 2);
  assert.match(execFileSync(menkou, ["validate", "--help"], { encoding: "utf8" }), /OperationOutcome/);
});

test("what is doubtful is a warning, and an error when asked so", () => {
  const doubtful = file("doubtful.json", { resourceType: "Patient", extension: [{ url: "http://m.test/unknown", valueBoolean: true }],
    maritalStatus: { coding: [{ system: "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", code: "M", display: "Mariachi" }] } });
  const places = (run, severity) => run.outcomes[0].issue.filter((i) => i.severity === severity).map((i) => i.expression[0]);
  const at = ["Patient.extension[0]", "Patient.maritalStatus.coding[0].display"];
  const usual = validate([doubtful]), strict = validate([doubtful], "--strict");
  assert.equal(usual.status, 0);
  assert.deepEqual(places(usual, "warning").filter((p) => at.includes(p)), at);
  assert.equal(strict.status, 1);
  assert.deepEqual(places(strict, "error"), at);
});

test("each line of an NDJSON file is a resource", () => {
  const lines = ['{"resourceType":"Patient"}', "", '{"resourceType":"Patient","x":1}', '{"resourceType":'];
  const result = validate([file("some.ndjson", lines.join("\n"))]);
  assert.equal(result.status, 1);
  assert.equal(result.outcomes.length, 3);
  assert.match(result.stderr, /some\.ndjson:3: 1\n.*some\.ndjson:4: 1\n/);
});

// One small resource for each rule: what is wrong (error), doubtful (warning) or right, and the place that is named.
test("each rule is told at its place, and only where it is broken", () => {
  const lines = readFileSync(new URL("../fixtures/validator-cases.ndjson", import.meta.url), "utf8").trim().split("\n");
  const cases = lines.map((line) => JSON.parse(line));
  const { outcomes } = validate([file("cases.ndjson", cases.map((c) => JSON.stringify(c.resource)).join("\n"))]);
  assert.equal(outcomes.length, cases.length);
  const places = (outcome, severity) => outcome.issue.filter((i) => i.severity === severity).flatMap((i) => i.expression ?? [""]);
  const told = (c, outcome) => {
    const errors = places(outcome, "error");
    return c.error === undefined ? errors.length === 0 && (!c.warning || places(outcome, "warning").includes(c.warning))
      : errors.includes(c.error);
  };
  assert.deepEqual(cases.filter((c, i) => !told(c, outcomes[i])).map((c) => c.name), []);
});

test("a body with a duplicate key, a lone surrogate or U+0000 is refused", () => {
  const texts = ['{"resourceType":"Patient","id":"a","id":"b"}', '{"resourceType":"Patient","language":"\\ud800"}',
    '{"resourceType":"Patient","language":"\\u0000"}'];
  assert.equal(validate([file("flags.ndjson", texts.join("\n"))]).outcomes.length, 3);
});

// What R4's own examples break, and how.
const EXAMPLES_AT_FAULT = {
  "DeviceMetric-example.json": "parent refers to a DeviceDefinition, R4 allows a Device",
  "MedicationRequest-medrx0301.json": "dispenseRequest.performer refers to a Practitioner, R4 allows an Organization",
  "Observation-clinical-gender.json": "performer refers to an Encounter",
  "Questionnaire-qs1.json": "32 items have no linkId, which is required",
};

test("R4's examples are valid", { skip: skipWithout("02-fhir-r4-examples") }, () => {
  const folder = join(suites, "02-fhir-r4-examples", "instances");
  const files = readdirSync(folder).filter((f) => f.endsWith(".json")).map((f) => join(folder, f));
  const run = validate(files, "--quiet");
  const invalid = [...run.invalid.keys()].map((f) => basename(f));
  assert.match(run.stderr, new RegExp(`^${files.length} checked, ${invalid.length} invalid$`, "m"));
  console.error(`R4 examples: ${files.length - invalid.length} of ${files.length} valid`);
  assert.deepEqual(invalid.filter((f) => !EXAMPLES_AT_FAULT[f]), []);
});

test("Synthea's patients are valid", { skip: skipWithout("06-synthea/synthea-r4-dev120.tar.zst") }, () => {
  execFileSync("tar", ["--zstd", "-xf", join(suites, "06-synthea", "synthea-r4-dev120.tar.zst"), "-C", scratch]);
  const folder = join(scratch, "synthea-r4-dev120");
  const files = readdirSync(folder).filter((f) => f.endsWith(".json")).map((f) => join(folder, f));
  assert.ok(files.length >= 120);
  assert.equal(validate(files, "--quiet").status, 0);
});

// Where we differ: one file is a case twice, valid and invalid; displays and codes of LOINC, SNOMED CT and CVX, which
// are not here; an extension under example.org, which R4's own examples use. The number may only rise.
const floor = JSON.parse(readFileSync(new URL("../passcounts.json", import.meta.url), "utf8")).validator;

test("the validator cases: valid and invalid agree", { skip: skipWithout("05-fhir-test-cases/validator") }, () => {
  const folder = join(suites, "05-fhir-test-cases", "validator");
  const cases = JSON.parse(readFileSync(join(folder, "cases.dev.json"), "utf8"));
  const wrong = cases.filter((c) => (validate([join(folder, c.file)]).status === 1) !== (c.errors > 0));
  const refused = wrong.filter((c) => c.errors === 0);
  console.error(`validator cases: ${cases.length - wrong.length} of ${cases.length} agree; differ: ${wrong.map((c) => c.name).join(", ")}`);
  assert.ok(cases.length - wrong.length >= Math.min(floor, cases.length));
  assert.ok(refused.length <= 1, refused.map((c) => c.file).join());
});
