// Observation/$lastn and $stats of R4: the newest of each code, and statistics of measurements, through the caller's eyes.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { county, patient } from "../support/county.mjs";

let c, machine, mine, theirs;
const LOINC = "http://loinc.org", UCUM = "http://unitsofmeasure.org";
const coding = (code, system = LOINC) => ({ system, code });
const quantity = (value, code = "kg") => ({ value, system: UCUM, code, unit: code });
let made = 0;
const observe = (code, day, more = {}) => machine.keep({ resourceType: "Observation", id: `o${made++}`, status: "final", subject: { reference: `Patient/${mine}` },
  category: [{ coding: [coding("vital-signs", "urn:c")] }], code, ...(day && { effectiveDateTime: day }), ...more });

before(async () => {
  c = await county();
  machine = c.machine;
  mine = (await c.people.village1.post("/fhir/Patient", patient("钱", "守正"))).json().id;
  theirs = (await c.people.village2.post("/fhir/Patient", patient("孙", "英"))).json().id;
});
after(() => c?.close());

test("$lastn: groups by coding, transitively, by text, with ties, newest first", async () => {
  const a = { coding: [coding("a")] }, b = { coding: [coding("b")] }, both = { coding: [coding("a"), coding("a2")] }, a2 = { coding: [coding("a2")] };
  await observe(a, "2026-01-01");
  await observe(b, "2026-01-02");
  await observe(both, "2026-01-03");
  await observe(a2, "2026-01-04");
  await observe({ text: "Text" }, "2026-01-05");
  await observe({ text: "other text" }, "2026-01-06");
  await observe(b, "2026-01-02", { valueString: "a tie" });
  await observe(a, undefined);
  const last = async (query, person = machine) => {
    const r = await person.get(`/fhir/Observation/$lastn?${query}`);
    assert.equal(r.status, 200, r.text);
    return (r.json().entry ?? []).map((e) => e.resource.id);
  };
  const who = `patient=Patient/${mine}&category=vital-signs`;
  assert.deepEqual(await last(who), ["o5", "o4", "o3", "o1", "o6"], "one of a, a2; both of b that tie");
  assert.deepEqual(await last(`${who}&max=2`), ["o5", "o4", "o3", "o2", "o1", "o6"]);
  assert.deepEqual(await last(`${who}&max=100`), ["o5", "o4", "o3", "o2", "o1", "o6", "o0", "o7"]);
  assert.deepEqual(await last(`subject=Patient/${mine}&code=${encodeURIComponent(`${LOINC}|a`)}`), ["o2"]);
  assert.deepEqual(await last(`${who}&date=lt2026-01-03`), ["o1", "o6", "o0"]);
  assert.deepEqual(await last(who, c.people.village2), [], "a stranger sees nothing through it");
  assert.deepEqual((await last(who, c.people.village1)).length, 5);
  for (const [query, why] of [["category=x", /patient/], [`patient=${mine}`, /category/], [`${who}&max=0`, /max/], [`${who}&_sort=date`, /_sort/], [`${who}&nonsense=1`, /nonsense/]]) {
    const r = await machine.get(`/fhir/Observation/$lastn?${query}`);
    assert.equal(r.status, 400);
    assert.match(r.text, why);
  }
});

test("$stats: numbers of a code, also in components and other units, of a period", async () => {
  const weight = { coding: [coding("w")] };
  for (const [n, value] of [70, 72, 74, 76, 78].entries()) await observe(weight, `2026-02-0${n + 1}`, { valueQuantity: quantity(value) });
  await observe(weight, "2026-02-06", { valueQuantity: quantity(80000, "g") });
  await observe(weight, "2026-02-07", { valueQuantity: quantity(5, "m") });
  await observe(weight, "2026-02-07", { dataAbsentReason: { text: "?" } });
  await observe(weight, "2026-02-07", { status: "entered-in-error", valueQuantity: quantity(999) });
  await observe({ coding: [coding("bp")] }, "2026-02-01", { component: [{ code: { coding: [coding("sys")] }, valueQuantity: quantity(120, "mm[Hg]") }, { code: { coding: [coding("dia")] }, valueQuantity: quantity(80, "mm[Hg]") }] });
  const stats = async (query, { person = machine, status = 200 } = {}) => {
    const r = await person.get(`/fhir/Observation/$stats?${query}`);
    assert.equal(r.status, status, r.text);
    return r.json();
  };
  const values = (answer, n = 0) => answer.parameter.filter((p) => p.name === "statistics")[n].resource.component.map((x) => x.valueQuantity?.value ?? null);
  const who = `subject=Patient/${mine}&system=${LOINC}`;
  const answer = await stats(`${who}&code=w&statistic=average,maximum,minimum,count,total-count,median,sum,std-dev,variance,20-percent,4-lower,4-upper,4-dev,skew,regression`);
  const expected = [75, 80, 70, 6, 8, 75, 450, Math.sqrt(14), 14, 72, 72.5, 77.5, 2.5, 0, 2, 70];
  values(answer).forEach((v, i) => assert.ok(Math.abs(v - expected[i]) < 1e-9, `${i}: ${v} is not ${expected[i]}`));
  const one = answer.parameter[0].resource;
  assert.equal(one.subject.reference, `Patient/${mine}`);
  assert.deepEqual(one.component[0].valueQuantity, { value: 75, unit: "kg", system: UCUM, code: "kg" });
  assert.equal(one.component[8].valueQuantity.code, "(kg)2");
  assert.deepEqual(values(await stats(`${who}&code=sys&code=dia&statistic=max`), 1), [80]);
  assert.deepEqual(values(await stats(`${who}&code=w&statistic=count&period=2026-02-02/2026-02-04`)), [3]);
  const posted = await machine.post("/fhir/Observation/$stats", { resourceType: "Parameters", parameter: [
    { name: "subject", valueUri: `Patient/${mine}` }, { name: "coding", valueCoding: coding("w") }, { name: "statistic", valueCode: "count" },
    { name: "period", valuePeriod: { start: "2026-02-05" } }, { name: "include", valueBoolean: true }, { name: "limit", valuePositiveInt: 2 }] });
  assert.deepEqual(values(posted.json()), [2]);
  assert.equal(posted.json().parameter.filter((p) => p.name === "source").length, 2);
  assert.deepEqual(values(await stats(`${who}&code=w&statistic=count,average`, { person: c.people.township2 })), [0, null], "a stranger counts nothing");
  assert.deepEqual(values(await stats(`subject=Patient/${theirs}&code=w&statistic=count`)), [0]);
  for (const [query, why] of [[`${who}&code=w&statistic=mode`, /mode/], [`code=w&statistic=count`, /subject/], [`${who}&statistic=count`, /code/], [`${who}&code=w`, /statistic/], [`${who}&code=w&statistic=count&duration=x`, /duration/]]) {
    assert.match(JSON.stringify(await stats(query, { status: 400 })), why);
  }
});
