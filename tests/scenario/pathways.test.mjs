// docs/pathways.md does what it says: its files are taken from the page as they stand, linted on the way, played, and
// the package is then used by a county: started, escalated by the clock, printed, counted, changed.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { people, state } from "../support/cases.mjs";
import { idCard, patient as resident } from "../support/county.mjs";
import { demo, folder, menkou, root, serve, until } from "../support/server.mjs";

const START = "2026-11-22T08:00:00+08:00";
const page = readFileSync(join(root, "docs/pathways.md"), "utf8");
const blocks = [...page.matchAll(/^`(county\/[^`]+)`\n\n```\w+\n([\s\S]*?)^```$/gm)].map(([, path, text]) => ({ path, text }));
const out = folder("pathways");
const bed = join(out, "county/home-bed");
const write = (path, text) => {
  mkdirSync(dirname(join(out, path)), { recursive: true });
  writeFileSync(join(out, path), text);
};
const lint = () => menkou("pathway", "lint", bed);
let county, server, who, patient;
after(async () => {
  await server?.stop();
});
async function later(now) {
  await server.stop();
  server = await serve(county.dir, "--now", now, "--pathways", join(out, "county"));
  who = people(server, county.accounts);
}

test("the page's files, in its order: lint complains where the page says so, and is content at the end", () => {
  assert.deepEqual(blocks.map((b) => b.path.replace("county/home-bed/", "")), ["README.md", "pathway.json", "forms/start.json",
    "forms/reason.json", "forms/close.json", "templates/request.json", "templates/bed.json", "params.json", "pathway.json",
    "print/card.html", "indicators.json", "story.json"]);
  for (const { path, text } of blocks.slice(0, 2)) write(path, text);
  assert.match(lint().stdout + lint().stderr, /form/);
  for (const { path, text } of blocks.slice(2, 5)) write(path, text);
  const unread = lint();
  assert.equal(unread.code, 1);
  assert.match(unread.stdout + unread.stderr, /forms\/start\.json.*reads this field/);
  for (const { path, text } of blocks.slice(5)) write(path, text);
  const whole = lint();
  assert.equal(whole.code, 0, whole.stdout + whole.stderr);
  const played = menkou("pathway", "test", bed);
  assert.equal(played.code, 0, played.stdout + played.stderr);
});

test("a story that does not notice a missing rule is not finished: the page's does", () => {
  const text = blocks[8].text;
  const pathway = JSON.parse(text);
  const broken = {
    "the guard": (p) => (p.start.guards = []),
    "who may open": (p) => p.actions[0].who[0].role.push("technician"),
    "where one must be": (p) => p.actions[2].who.push({ role: ["village-doctor"] }),
    "the deadline": (p) => p.start.effects.pop(),
  };
  for (const [what, change] of Object.entries(broken)) {
    const less = structuredClone(pathway);
    change(less);
    write("county/home-bed/pathway.json", JSON.stringify(less));
    assert.equal(menkou("pathway", "test", bed).code, 1, `without ${what}`);
  }
  write("county/home-bed/pathway.json", text);
});

test("no page of the packages has a word in one language only", () => {
  const pages = readdirSync(join(root, "pathways"), { recursive: true }).filter((f) => f.endsWith(".html")).map((f) => join(root, "pathways", f));
  assert.ok(pages.some((p) => p.endsWith("identity.html")) && pages.length > 6);
  for (const [name, text] of [...pages.map((p) => [p, readFileSync(p, "utf8")]), ["docs/pathways.md", blocks[9].text]]) {
    const both = text.replace(/\{\{say: ([^{}|]+)\| ([^{}|]+)\}\}/g, (_, zh, en) => (/\p{Script=Han}/u.test(en) ? zh : ""));
    assert.doesNotMatch(both, /\p{Script=Han}/u, name);
  }
});

test("the county uses it: asked for, escalated, opened, printed, counted; the other township sees nothing", async () => {
  county = await demo("--now", START, "--seed", "7", "--pathways", join(out, "county"));
  server = county.server;
  who = people(server, county.accounts);
  const r = await (await who("village1")).post("/fhir/Patient", resident("单", "雄信", {
    birthDate: "1948-03-05", gender: "female", identifier: [{ system: "urn:oid:2.16.156.10011.1.3", value: idCard("139901", "19480305", 512) }],
  }));
  assert.equal(r.status, 201, r.text);
  patient = `Patient/${r.json().id}`;
  const asked = await (await who("village1")).start("home-bed", patient, { reason: "脑梗死后遗症", days: 30 });
  assert.equal(state(asked), "asked");
  assert.equal((await (await who("town2")).get(`/fhir/Task/${asked.id}`)).status, 404);

  await later("2026-11-23T09:00:00+08:00");
  const machine = await who("integrator1");
  await until("somebody is told", async () =>
    (await machine.search(`Communication?subject=${patient}`)).some((c) => JSON.stringify(c.payload).includes("家庭病床申请无人答复")));
  const open = await (await who("town1")).act(await machine.read("Task", asked.id), "open");
  assert.equal(state(open), "open");
  const card = await (await who("town1")).get(`/print/Task/${asked.id}/card?lang=zh-CN`);
  assert.equal(card.status, 200, card.text);
  assert.match(card.text, /家庭病床卡/);
  assert.match(card.text, /单雄信/);
  assert.match(card.text, /脑梗死后遗症/);
  const english = await (await who("town1")).get(`/print/Task/${asked.id}/card`); // Accept-Language: en
  assert.match(english.text, /<html lang="en">[\s\S]*Home bed card[\s\S]*Condition and reason: 脑梗死后遗症/);
  assert.equal((await (await who("town1")).get(`/print/Task/${asked.id}/card?lang=en`)).text, english.text);
});

test("the office counts it", async () => {
  const office = await who("consortium1");
  const r = await office.get("/fhir/MeasureReport/$figures?period-start=2026-11-01&period-end=2026-11-30");
  assert.equal(r.status, 200, r.text);
  const report = r.json().entry.map((e) => e.resource).find((m) => m.measure.includes("home-bed") && m.measure.includes("opened"));
  assert.ok(report, "an indicator of the page's package");
  assert.match(JSON.stringify(report.group), /"count":1\b/);
});

test("the page's change: a field more, a version more; who began before goes on as before", async () => {
  const item = JSON.parse(page.match(/^## 8\.[\s\S]*?```json\n([\s\S]*?)^```$/m)[1]);
  const form = JSON.parse(blocks[2].text);
  form.item.push(item);
  write("county/home-bed/forms/start.json", JSON.stringify({ ...form, version: "1.1.0" }));
  for (const { path, text } of blocks.slice(3, 5)) write(path, text.replace('"version": "1.0.0"', '"version": "1.1.0"'));
  write("county/home-bed/pathway.json", blocks[8].text.replace('"version": "1.0.0"', '"version": "1.1.0"'));
  write("county/home-bed/print/card.html", blocks[9].text.replace("<p class=\"sign\">", "<p>照护人：{{%said.start.carer}}</p><p class=\"sign\">"));
  const r = lint();
  assert.equal(r.code, 0, r.stdout + r.stderr);
  await later("2026-11-23T10:00:00+08:00");
  const village = await who("village1");
  const second = await village.start("home-bed", patient, { reason: "压疮换药", days: 10, carer: "长子" });
  assert.match(second.instantiatesCanonical, /\|1\.1\.0$/);
  const opened = await (await who("town1")).act(second, "open");
  assert.match((await village.get(`/print/Task/${opened.id}/card?lang=zh-CN`)).text, /照护人：长子/);
  const [first] = await village.search(`Task?code=urn:menkou:pathway|home-bed&subject=${patient}&status=in-progress&_sort=authored-on`);
  assert.match(first.instantiatesCanonical, /\|1\.0\.0$/);
  assert.equal(state(await (await who("town1")).act(first, "close", { outcome: "better" })), "closed");
});
