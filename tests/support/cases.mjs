// Cases over HTTP as a person at a screen drives them: what $actions offers is filled within its own options
// and sent back. Stands on support/server.mjs.
import assert from "node:assert/strict";
import { login, rule } from "./server.mjs";

export const parameters = (...parameter) => ({ resourceType: "Parameters", parameter });
export const part = (action, name) => action?.part.find((p) => p.name === name);
export const state = (task) => task.businessStatus.coding[0].code;
export const etag = (task) => ({ "If-Match": `W/"${task.meta.versionId}"` });
export const claimant = (task) => task.extension?.find((e) => e.url === "urn:menkou:claimant");
export const held = (task, name) => task.output?.find((o) => o.type.coding[0].code === name)?.valueReference?.reference;
export const items = (form) => (form.item ?? []).flatMap((i) => [i, ...items(i)]);

const answers = {
  choice: (value, item) => {
    const valueCoding = item.answerOption.map((o) => o.valueCoding).find((c) => c.code === value);
    assert.ok(valueCoding, `${item.linkId} has no option ${value}`);
    return { valueCoding };
  },
  text: (value) => ({ valueString: value }),
  string: (value) => ({ valueString: value }),
  boolean: (value) => ({ valueBoolean: value }),
  integer: (value) => ({ valueInteger: value }),
  decimal: (value) => ({ valueDecimal: value }),
  date: (value) => ({ valueDate: value }),
  dateTime: (value) => ({ valueDateTime: value }),
  reference: (value) => ({ valueReference: { reference: value } }),
  attachment: (value) => ({ valueAttachment: value }),
};

/** The QuestionnaireResponse of an offered action: prefilled by the server, then {linkId: value} over it. */
export function fill(action, values = {}) {
  const form = part(action, "questionnaire")?.resource;
  if (!form) return undefined;
  const response = structuredClone(part(action, "response").resource);
  const known = new Map(items(form).map((i) => [i.linkId, i]));
  const filled = new Map((response.item ?? []).map((i) => [i.linkId, i]));
  for (const [linkId, value] of Object.entries(values)) {
    const item = known.get(linkId);
    assert.ok(item, `the form has no ${linkId}`);
    if (value === null) filled.delete(linkId);
    else filled.set(linkId, { linkId, answer: [value].flat().map((v) => answers[item.type](v, item)) });
  }
  response.item = [...known.keys()].map((k) => filled.get(k)).filter(Boolean);
  if (!response.item.length) delete response.item;
  response.status = "completed";
  return response;
}

/** One person at work. Every call returns the answer; `must` variants demand success and return the Task. */
export class Worker {
  static async login(server, account) {
    const w = new Worker();
    Object.assign(w, { account, http: await login(server, account) });
    return w;
  }

  get = (...args) => this.http.get(...args);
  post = (...args) => this.http.post(...args);

  async read(type, id) {
    const r = await this.get(`/fhir/${type}/${id}`);
    assert.equal(r.status, 200, r.text);
    return r.json();
  }

  async resolve(reference) {
    return this.read(...reference.split("/"));
  }

  async offered(where) {
    const r = await this.get(where);
    assert.equal(r.status, 200, r.text);
    return r.json().parameter ?? [];
  }

  actions(task) {
    return this.offered(`/fhir/Task/${task.id}/$actions`);
  }

  async codes(task) {
    return (await this.actions(task)).map((a) => part(a, "code").valueCode).sort();
  }

  async search(query) {
    const r = await this.get(`/fhir/${query}`);
    assert.equal(r.status, 200, `${query}: ${r.text}`);
    return (r.json().entry ?? []).filter((e) => e.search?.mode !== "outcome").map((e) => e.resource);
  }

  async startBody(pathway, patient, values, more = []) {
    const offer = (await this.offered(`/fhir/$actions?pathway=${pathway}&patient=${patient}`))
      .find((a) => part(a, "code").valueCode === "start");
    assert.ok(offer, `${this.account.username} is not offered to start ${pathway}`);
    const form = fill(offer, values);
    return parameters({ name: "pathway", valueCode: pathway }, { name: "patient", valueReference: { reference: patient } },
      ...(form ? [{ name: "form", resource: form }] : []), ...more);
  }

  async start(pathway, patient, values, headers) {
    const r = await this.post("/fhir/$start", await this.startBody(pathway, patient, values), headers);
    assert.equal(r.status, 201, r.text);
    const task = r.json();
    assert.equal(r.headers.location, `/fhir/Task/${task.id}/_history/1`);
    assert.equal(r.headers.etag, 'W/"1"');
    return task;
  }

  async actBody(task, code, values) {
    const offer = (await this.actions(task)).find((a) => part(a, "code").valueCode === code);
    assert.ok(offer, `${this.account.username} is not offered ${code} in ${state(task)}`);
    const form = fill(offer, values);
    return parameters({ name: "action", valueCode: code }, ...(form ? [{ name: "form", resource: form }] : []));
  }

  send(task, body, headers = {}, query = "") {
    return this.post(`/fhir/Task/${task.id}/$act${query}`, body, { ...etag(task), ...headers });
  }

  async act(task, code, values) {
    const now = await this.read("Task", task.id);
    const r = await this.send(now, await this.actBody(now, code, values));
    assert.equal(r.status, 200, `${code}: ${r.text}`);
    const after = r.json();
    assert.equal(r.headers.etag, `W/"${after.meta.versionId}"`);
    return after;
  }

  /** An act that is refused: its status, and the Task is as it was. `body` may be one fetched earlier. */
  async refused(task, code, status, ruleCode, body = parameters({ name: "action", valueCode: code }), headers = {}) {
    const r = await this.send(task, body, headers);
    assert.equal(r.status, status, `${code}: ${r.text}`);
    if (ruleCode) assert.equal(rule(r), ruleCode, r.text);
    assert.equal(r.json().resourceType, "OperationOutcome");
    return r;
  }

  async upload(bytes, patient, type = "application/octet-stream") {
    const r = await this.post("/fhir/Binary", bytes, { "Content-Type": type, "X-Security-Context": patient });
    assert.equal(r.status, 201, r.text);
    return /Binary\/([^/]+)/.exec(r.headers.location)[1];
  }
}

/** The people of accounts.json by user name, logged in when first needed. */
export function people(server, accounts) {
  const seen = new Map();
  return (username) => {
    if (!seen.has(username)) seen.set(username, Worker.login(server, accounts.find((a) => a.username === username)));
    return seen.get(username);
  };
}
