// ID cards over HTTP: one card in several writings is one resident's; birth date and sex agree with the card, or the
// registration says why not (docs/decisions/032).
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { county, idCard, patient } from "../support/county.mjs";

const SYSTEM = "urn:oid:2.16.156.10011.1.3";
const LONG = "13050319670401018X"; // the same card as the old number beside it
const OLD = "130503670401018";
const hers = { gender: "female", birthDate: "1967-04-01" };

let c, desk;

before(async () => {
  c = await county();
  desk = c.people.village1;
});
after(() => c?.close());

const holder = (value, more = {}, identifier = {}) => patient("钱", "守正", { ...hers, identifier: [{ system: SYSTEM, value, ...identifier }], ...more });
const found = async (query) => (await desk.get(`/fhir/Patient?${query}`)).json().entry?.map((e) => e.resource) ?? [];

test("one card in three writings is one resident's, found by each, kept as it was written", async () => {
  const made = await desk.post("/fhir/Patient", holder(OLD));
  assert.equal(made.status, 201, made.text);
  for (const written of [OLD, LONG, LONG.toLowerCase()]) {
    const again = await desk.post("/fhir/Patient", holder(written));
    assert.equal(again.status, 409, `${written}: ${again.text}`);
    assert.equal(again.json().issue[0].details.coding[0].code, "duplicate-id-card");
    for (const query of [`identifier=${SYSTEM}|${written}`, `identifier=${written}`, `identifier=urn:none|1,${SYSTEM}|${written}`]) {
      const hits = await found(query);
      assert.deepEqual(hits.map((p) => p.identifier[0].value), [OLD], query);
    }
    const match = await desk.post("/fhir/Patient/$match", { resourceType: "Parameters",
      parameter: [{ name: "resource", resource: { resourceType: "Patient", identifier: [{ system: SYSTEM, value: written }] } }] });
    assert.equal(match.json().entry[0].resource.id, made.json().id, match.text);
    const exists = await desk.post("/fhir/Patient", holder(written), { "If-None-Exist": `identifier=${SYSTEM}|${written}` });
    assert.equal(exists.status, 200, exists.text);
  }
  const body = made.json();
  body.identifier[0].value = LONG; // the holder herself may have it written anew
  const anew = await desk.put(`/fhir/Patient/${body.id}`, body);
  assert.equal(anew.status, 200, anew.text);
  assert.equal((await found(`identifier=${SYSTEM}|${OLD}`))[0].identifier[0].value, LONG);
});

test("the birth date is the card's, or the record says why not", async () => {
  const card = idCard("139901", "19580305", 512);
  const refused = await desk.post("/fhir/Patient", holder(card, { gender: "male", birthDate: "1958-03-06" }));
  assert.equal(refused.status, 422, refused.text);
  assert.deepEqual(refused.json().issue.map((i) => [i.details.coding[0].code, i.expression[0]]),
    [["card-contradicts", "Patient.birthDate"]]);
  assert.match(refused.json().issue[0].diagnostics ?? refused.json().issue[0].details.text, /1958-03-05/);
  const why = { extension: [{ url: "urn:menkou:card-differs", valueString: "出生医学证明为准，证件待换" }] };
  for (const [more, identifier] of [[{ gender: "female", birthDate: "1958" }, {}], [{ gender: "male", birthDate: "1958-03-06" }, { use: "old" }],
    [{ gender: "male", birthDate: "1958-03-06" }, why]]) {
    const fresh = idCard("139901", "19580305", 514 + 2 * Object.keys(identifier).length + (identifier.use ? 100 : 0));
    const r = await desk.post("/fhir/Patient", holder(fresh, more, identifier));
    assert.equal(r.status, 201, r.text);
  }
});
