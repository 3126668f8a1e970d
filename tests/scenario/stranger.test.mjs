// The second township against everything that R4 can say of a patient: the official examples, made the first township's
// patient's, are asked for through every search parameter, chain, reverse chain, include, compartment and history.
import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { county as smallCounty, patient as resident } from "../support/county.mjs";

const folder = join(process.env.MENKOU_SUITES ?? "", "02-fhir-r4-examples", "instances");
const there = Boolean(process.env.MENKOU_SUITES) && existsSync(folder);
if (!there) console.error(`SKIPPED scenario/stranger: no examples (MENKOU_SUITES=${process.env.MENKOU_SUITES ?? ""})`);
const skip = there ? false : "SKIPPED: 02-fhir-r4-examples is not under $MENKOU_SUITES";
const WORD = "geheimnisvoll"; // stands in every narrative

let county, own, strangers, patient;
const kept = []; // {type, id, hers}
const params = new Map(); // type → [{name, type}]

/** The example as the secret patient's: every reference to a patient is to her, every id new. */
function hers(text, number) {
  const body = JSON.parse(text.replace(/"reference"\s*:\s*"Patient\/[^"]*"/g, `"reference":"${patient}"`));
  body.id = `hers-${number}`;
  body.text = { status: "generated", div: `<div xmlns="http://www.w3.org/1999/xhtml">${WORD}</div>` };
  delete body.contained;
  return body;
}

async function keepExamples(machine) {
  const seen = new Set(); // one of each type
  for (const name of readdirSync(folder).filter((f) => f.endsWith(".json"))) {
    const text = readFileSync(join(folder, name), "utf8");
    const { resourceType: type } = JSON.parse(text);
    if (["Patient", "Subscription", "AuditEvent", "SearchParameter"].includes(type) || !/"Patient\//.test(text) || seen.has(type)) continue;
    const body = hers(text, kept.length);
    const r = await machine.put(`/fhir/${type}/${body.id}`, body);
    if (r.status !== 201) continue; // four examples break R4; others point into what was contained
    seen.add(type);
    kept.push({ type, id: body.id });
  }
}

before(async () => {
  if (skip) return;
  county = await smallCounty();
  own = county.people.village1;
  strangers = [county.people.village2, county.people.township2];
  const made = await own.post("/fhir/Patient", resident("隐", "名"));
  assert.equal(made.status, 201, made.text);
  patient = `Patient/${made.json().id}`;
  await keepExamples(county.machine);
  const { rest } = (await county.machine.get("/fhir/metadata")).json();
  for (const { type, searchParam = [] } of rest[0].resource) params.set(type, searchParam);
  for (const k of kept) k.hers = (await strangers[0].get(`/fhir/${k.type}/${k.id}`)).status === 404;
});
after(() => county?.close());

const total = async (person, query) => {
  const r = await person.get(`/fhir/${query}${query.includes("?") ? "&" : "?"}_total=accurate`);
  return r.status === 200 ? r.json().total : r.status;
};

async function nothing(query) {
  for (const person of strangers) {
    const n = await total(person, query);
    assert.ok(n === 0 || n === 400 || n === 404, `${query}: ${n}`);
  }
}

test("each of her resources is out of sight, but for what is nobody's", { skip }, async () => {
  const open = new Set(kept.filter((k) => !k.hers).map((k) => k.type));
  console.error(`resources of ${kept.length} types; not hers: ${[...open].sort().join(" ")}`);
  for (const { type, id } of kept.filter((k) => k.hers)) {
    assert.equal((await county.machine.get(`/fhir/${type}/${id}`)).status, 200);
    for (const person of strangers) {
      for (const door of ["", "/_history", "/_history/1", "/$meta", "/_history/1/$meta", "/$validate"]) {
        const r = await person.get(`/fhir/${type}/${id}${door}`);
        assert.equal(r.status, 404, `${type}/${id}${door}: ${r.status}`);
      }
    }
  }
});

test("through no parameter of any type", { skip }, async () => {
  let asked = 0, answered = 0;
  for (const { type, id } of kept.filter((k) => k.hers)) {
    for (const { name } of params.get(type)) {
      for (const query of [`${type}?_id=${id}&${name}:missing=false`, `${type}?_id=${id}&${name}:missing=true`]) {
        asked++;
        answered += (await total(county.machine, query)) === 1;
        await nothing(query);
      }
    }
  }
  assert.ok(answered > 0.4 * asked, `the integrator finds by ${answered} of ${asked}`);
});

test("through no chain, reverse chain, sort, text, include, compartment or list", { skip }, async () => {
  const secret = kept.filter((k) => k.hers);
  for (const { type, id } of secret) {
    await nothing(`${type}?_id=${id}&_sort=-_lastUpdated`);
    await nothing(`${type}?_text=${WORD}`);
    await nothing(`${type}?_content=${WORD}`);
    await nothing(`${patient}/${type}`);
    await nothing(`Patient?_has:${type}:patient:_id=${id}`);
    for (const { name } of params.get(type).filter((p) => p.type === "reference")) {
      await nothing(`${type}?${name}:Patient._id=${patient.slice(8)}`);
      await nothing(`${type}?${name}=${patient}`);
    }
  }
  await nothing(`Patient?_id=${patient.slice(8)}`);
  await nothing(`${patient}/*`);
  for (const person of strangers) {
    for (const type of new Set(kept.filter((k) => !k.hers).map((k) => k.type))) {
      const r = await person.get(`/fhir/${type}?_include=*&_revinclude=*&_count=1000`);
      assert.equal(r.status, 200, r.text);
      for (const e of r.json().entry ?? []) {
        assert.ok(e.resource.resourceType !== "Patient" || e.resource.id !== patient.slice(8), type);
        assert.ok(!secret.some((k) => k.type === e.resource.resourceType && k.id === e.resource.id), `${type}: ${e.fullUrl}`);
      }
    }
  }
});

test("and by no write: 404 as for what is not there, nothing changed", { skip }, async () => {
  for (const { type, id } of kept.filter((k) => k.hers)) {
    const place = `/fhir/${type}/${id}`;
    const body = (await county.machine.get(place)).json();
    for (const person of strangers) {
      const patch = [{ op: "add", path: "/language", value: "de" }];
      const answers = [
        await person.put(place, { ...body, language: "de" }),
        await person.send("DELETE", place),
        await person.send("DELETE", `/fhir/${type}?_id=${id}`),
        await person.send("PATCH", place, JSON.stringify(patch), { "Content-Type": "application/json-patch+json" }),
        await person.post("/fhir", { resourceType: "Bundle", type: "transaction",
          entry: [{ resource: { ...body, language: "de" }, request: { method: "PUT", url: `${type}/${id}` } }] }),
      ];
      for (const [i, r] of answers.entries()) {
        assert.ok([403, 404, 409, 405].includes(r.status) || (i === 2 && r.status === 204), `${i} ${place}: ${r.status} ${r.text.slice(0, 200)}`);
        assert.doesNotMatch(r.text, new RegExp(WORD));
      }
    }
    assert.equal((await county.machine.get(place)).json().meta.versionId, "1", place);
  }
});
