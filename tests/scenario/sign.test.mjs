// Signing over HTTP: the password given again, wrong, missing where a county made it compulsory, and never asked
// where it did not; `check` verifies what was signed.
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { county, patient } from "../support/county.mjs";
import { writePackage } from "../support/package.mjs";
import { menkou, rule } from "../support/server.mjs";

const PASSWORD = "Doorstep-2026";
const packages = mkdtempSync(join(tmpdir(), "menkou-sign-"));
let c, person;

/** The same package under another name, with the one row by which a county makes the password compulsory. */
function writeStrict(from) {
  const dir = join(packages, "oxygen-strict");
  cpSync(from, dir, { recursive: true });
  for (const name of readdirSync(dir, { recursive: true }).map((f) => join(dir, String(f)))) {
    if (statSync(name).isFile()) writeFileSync(name, readFileSync(name, "utf8").replaceAll("oxygen-loan", "oxygen-strict"));
  }
  const params = JSON.parse(readFileSync(join(dir, "params.json"), "utf8"));
  params.push({ key: "sign-password", value: true, region: "*", from: "2018-01-01", to: null, source: "test", trust: "mem" });
  writeFileSync(join(dir, "params.json"), JSON.stringify(params));
}

before(async () => {
  const loan = writePackage(packages, (files) => files["pathway.json"].actions[0].effects.push({ sign: "order" }));
  writeStrict(loan);
  c = await county("--pathways", packages);
  const r = await c.people.technician1.post("/fhir/Patient", patient("刘", "桂芝"));
  assert.equal(r.status, 201, r.text);
  person = `Patient/${r.json().id}`;
});
after(async () => {
  await c?.close();
  rmSync(packages, { recursive: true, force: true });
});

const form = (name, code, item) => ({
  name: "form", resource: { resourceType: "QuestionnaireResponse", questionnaire: `urn:menkou:form:${name}:${code}`, status: "completed", item } });

async function begin(name) {
  const items = [{ linkId: "days", answer: [{ valueInteger: 30 }] }, { linkId: "lender", answer: [{ valueReference: { reference: "Organization/county" } }] }];
  const r = await c.people.township1.post("/fhir/$start", { resourceType: "Parameters", parameter: [
    { name: "pathway", valueCode: name }, { name: "patient", valueReference: { reference: person } }, form(name, "start", items)] });
  assert.equal(r.status, 201, r.text);
  return { name, id: r.json().id };
}

function lend({ name, id }, passwords = [], headers = {}, query = "") {
  const machine = [{ linkId: "machine", answer: [{ valueString: "A1" }] }];
  return c.people.office.post(`/fhir/Task/${id}/$act${query}`, { resourceType: "Parameters", parameter: [
    { name: "action", valueCode: "lend" }, form(name, "lend", machine), ...passwords.map((valueString) => ({ name: "password", valueString }))],
  }, { "If-Match": 'W/"1"', ...headers });
}

async function offered({ id }) {
  const r = await c.people.office.get(`/fhir/Task/${id}/$actions`);
  const action = r.json().parameter.find((p) => p.part.some((x) => x.valueCode === "lend"));
  const flag = (name) => action.part.find((p) => p.name === name)?.valueBoolean;
  return [flag("sign"), flag("signPassword")];
}

/** The lender's sight ends with the case; who asked keeps it. */
async function signedBy({ id }) {
  const task = (await c.people.township1.get(`/fhir/Task/${id}`)).json();
  const order = task.output.map((o) => o.valueReference.reference).find((x) => x.startsWith("ServiceRequest/"));
  const r = await c.people.township1.get(`/fhir/Provenance?target=${order}`);
  const signatures = r.json().entry.flatMap((e) => e.resource.signature ?? []);
  assert.equal(signatures.length, 1, r.text);
  return signatures[0].extension.find((e) => e.url === "urn:menkou:signed-by").valueCode;
}

const version = async ({ id }) => (await c.people.township1.get(`/fhir/Task/${id}`)).headers.etag;

test("where no password is asked for, the session signs, and the signature says so", async () => {
  const loan = await begin("oxygen-loan");
  assert.deepEqual(await offered(loan), [true, undefined]);
  const r = await lend(loan);
  assert.equal(r.status, 200, r.text);
  assert.equal(await signedBy(loan), "session");
});

test("a password that is given must be right", async () => {
  const loan = await begin("oxygen-loan");
  const r = await lend(loan, ["wrong"]);
  assert.equal(r.status, 403, r.text);
  assert.equal(rule(r), "password-wrong");
  assert.equal((await lend(loan, [""])).status, 422);
  assert.equal((await lend(loan, [PASSWORD, PASSWORD])).status, 400);
  assert.equal(await version(loan), 'W/"1"');
  assert.equal((await lend(loan, [PASSWORD])).status, 200);
  assert.equal(await signedBy(loan), "password");
});

test("one row of a parameter makes it compulsory; a dry run asks for none", async () => {
  const loan = await begin("oxygen-strict");
  assert.deepEqual(await offered(loan), [true, true]);
  assert.equal((await lend(loan, [], {}, "?_dry=true")).status, 200);
  const r = await lend(loan);
  assert.equal(r.status, 403, r.text);
  assert.equal(rule(r), "password-needed");
  assert.equal(await version(loan), 'W/"1"');
  const key = { "Idempotency-Key": "signed-once" };
  assert.equal((await lend(loan, [PASSWORD], key)).status, 200);
  assert.equal((await lend(loan, [PASSWORD], key)).status, 200);
  assert.equal((await lend(loan, ["wrong"], key)).status, 403);
  assert.equal(await version(loan), 'W/"2"');
  assert.equal(await signedBy(loan), "password");
});

test("wrong passwords count toward the lock-out", async () => {
  const loan = await begin("oxygen-loan");
  const statuses = [];
  for (let i = 0; i < 8; i++) statuses.push((await lend(loan, [`wrong-${i}`])).status);
  assert.equal(statuses[0], 403);
  assert.equal(statuses.at(-1), 429, statuses.join());
  assert.equal(await version(loan), 'W/"1"');
});

test("check verifies what was signed", () => {
  const r = menkou("check", "--data", c.dir);
  assert.equal(r.code, 0, r.stdout + r.stderr);
  assert.match(r.stdout, /^sign: 3 signatures, sound$/m);
});
