// A county's own package, not in the repository: asked for by a township, given by the county, escalated by the
// clock, printed. Written to a folder for --pathways.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const text = (zh, en) => ({ zh, en });
const translated = (zh, en) => ({
  extension: [{
    url: "http://hl7.org/fhir/StructureDefinition/translation",
    extension: [{ url: "lang", valueCode: "en" }, { url: "content", valueString: en }],
  }],
});
const both = (name, zh, en) => ({ [name]: zh, [`_${name}`]: translated(zh, en) });
const state = (code, task, zh, en) => ({ code, task, title: text(zh, en), color: "blue" });

const form = (code, zh, en, item) => ({
  resourceType: "Questionnaire", url: `urn:menkou:form:oxygen-loan:${code}`, version: "1.0.0", ...both("title", zh, en),
  status: "active", subjectType: ["Patient"], item,
});

const pathway = {
  name: "oxygen-loan", version: "1.0.0", title: text("家庭氧疗机借用", "Loan of an oxygen concentrator"), color: "#13c2c2",
  states: [state("wanted", "requested", "待借出", "Wanted"), state("overdue", "on-hold", "超时未处理", "Overdue"),
    state("lent", "completed", "已借出", "Lent")],
  start: {
    title: text("借用氧疗机", "Borrow a concentrator"), to: "wanted", who: [{ role: ["township-doctor"] }], form: "start",
    requester: "=%user.organization", owner: "=%answers.lender", priority: "='urgent'",
    guards: [{ rule: "not-so-long", expr: "%answers.days <= 90", status: 422, where: "days",
      text: text("最多借用 90 天", "At most 90 days") }],
    effects: [{ make: "order", template: "order" },
      { deadline: "answer", after: "%params.answer", action: "escalate", level: "duty-office" }],
  },
  actions: [
    { code: "lend", title: text("借出", "Lend"), from: ["wanted", "overdue"], to: "lent", primary: true, form: "lend",
      who: [{ role: ["referral-office"], at: "owner" }], guards: [], effects: [{ change: "%held.order", set: { status: "completed" } }, { clear: "*" }] },
    { code: "escalate", title: text("超时升级", "Escalated"), from: ["wanted"], to: "overdue", clock: true,
      effects: [{ notify: true, to: "%task.owner", function: "duty-office", level: "alert",
        text: text("氧疗机借用申请超时", "A loan has not been answered") }] },
  ],
  lists: [{ code: "wanted", title: text("氧疗机待借出", "Concentrators wanted"), role: ["referral-office"], live: true,
    query: "business-status=wanted,overdue&owner={organizations}&_sort=priority,due" }],
  prints: [{ code: "slip", title: text("借用单", "Loan slip"), file: "slip", when: ["lent"] }],
};

const story = {
  title: text("借出与超时", "Lent and overdue"), now: "2026-03-02T08:00:00+08:00",
  resources: [
    { resourceType: "Organization", id: "c", active: true, name: "县医院" },
    { resourceType: "Organization", id: "t1", active: true, name: "卫生院" },
    { resourceType: "Patient", id: "p1", name: [{ text: "刘桂芝" }], gender: "female", birthDate: "1960-01-01",
      managingOrganization: { reference: "Organization/t1" } },
  ],
  people: { town: { role: "township-doctor", organization: "Organization/t1" }, office: { role: "referral-office", organization: "Organization/c" } },
  steps: [
    { who: "town", start: "oxygen-loan", patient: "Patient/p1", answers: { days: 91, lender: "Organization/c" }, refused: { status: 422, rule: "not-so-long" } },
    { who: "town", start: "oxygen-loan", patient: "Patient/p1", answers: { days: 30, lender: "Organization/c" }, as: "loan",
      expect: { state: "wanted", task: "requested" } },
    { clock: "+31min", fires: 1, expect: { on: "loan", state: "overdue" } },
    { who: "town", act: "lend", on: "loan", answers: { machine: "A1" }, refused: { status: 403, rule: "not-yours" } },
    { who: "office", act: "lend", on: "loan", answers: { machine: "A1" }, expect: { state: "lent", task: "completed" } },
  ],
};

const FILES = {
  "README.md": "# Loan of an oxygen concentrator\n\nA township asks, the county hospital lends.\n",
  "pathway.json": pathway,
  "forms/start.json": form("start", "借用申请", "Loan", [
    { linkId: "days", ...both("text", "天数", "Days"), type: "integer", required: true },
    { linkId: "lender", ...both("text", "出借机构", "Lender"), type: "reference", required: true,
      extension: [{ url: "urn:menkou:lookup", valueString: "Organization?active=true&_sort=name&_count=500" }] },
  ]),
  "forms/lend.json": form("lend", "借出", "Lend", [{ linkId: "machine", ...both("text", "机号", "Machine"), type: "string", required: true }]),
  "templates/order.json": { resourceType: "ServiceRequest", status: "active", intent: "order", subject: "=%task.for", requester: "=%user.practitioner",
    code: { text: "家庭氧疗" } },
  "params.json": [{ key: "answer", value: 30, unit: "min", region: "*", from: "2018-01-01", to: null, source: "test", trust: "mem" }],
  "print/slip.html": "<!doctype html><html lang=\"zh-CN\"><head><meta charset=\"utf-8\"><title>借用单</title></head><body>"
    + "<h1>借用单</h1><p>{{%patient.name.first().text}} {{%said.lend.machine}}</p></body></html>\n",
  "story.json": story,
};

/** Writes DIR/oxygen-loan; `change` may alter the files first. Returns the package's folder. */
export function writePackage(dir, change = () => {}) {
  const files = structuredClone(FILES);
  change(files);
  for (const [name, content] of Object.entries(files)) {
    const path = join(dir, "oxygen-loan", name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content, null, 2));
  }
  return join(dir, "oxygen-loan");
}
