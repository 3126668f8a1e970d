/**
 * A form in the making. The state is flat: each question instance has a path (`group:1/question`), a path holds the
 * list of its answers, a repeating group has a count. Assembling walks the Questionnaire, so that order, nesting and
 * text of the QuestionnaireResponse always follow the form; what is disabled by enableWhen is left out.
 *
 * Pure: no expression is evaluated here (the server's dry run does that) and nothing is fetched.
 */
import { extensionValue, extensionsOf, valueOf } from './fhir.ts';
import type { Coding, Extension, Quantity, Reference, Resource } from './fhir.ts';

export interface EnableWhen { question: string; operator: string; [answer: string]: unknown }
export interface Option { extension?: Extension[]; initialSelected?: boolean; [value: string]: unknown }
export interface Item {
  linkId: string; type: string; text?: string; prefix?: string; required?: boolean; repeats?: boolean;
  readOnly?: boolean; maxLength?: number; enableWhen?: EnableWhen[]; enableBehavior?: string;
  answerOption?: Option[]; answerValueSet?: string; initial?: Record<string, unknown>[]; item?: Item[];
  extension?: Extension[]; code?: Coding[];
}
export interface Questionnaire extends Resource { title?: string; url?: string; version?: string; item?: Item[] }
/** One answer: an object with a single `valueX`. */
export type Answer = Record<string, unknown>;
export interface ResponseAnswer { item?: ResponseItem[]; [value: string]: unknown }
export interface ResponseItem { extension?: Extension[]; linkId: string; text?: string; answer?: ResponseAnswer[]; item?: ResponseItem[] }
export interface Response extends Resource { status?: string; questionnaire?: string; item?: ResponseItem[] }

export interface FormState {
  answers: Record<string, Answer[]>;
  counts: Record<string, number>;
}

const LINK = 'linkId';
const COLOR = 'urn:menkou:color';

export function itemControl(item: Item): string | undefined {
  const value = extensionValue(item, 'questionnaire-itemControl') as { coding?: Coding[] } | undefined;
  return value?.coding?.[0]?.code;
}

/** Of a question; a response of before November 2026 says it with the question's extension, too. */
export function isHidden(item: { extension?: Extension[] }): boolean {
  return extensionValue(item, 'questionnaire-hidden') === true || extensionValue(item, 'urn:menkou:hidden') === true;
}

export function isCalculated(item: Item): boolean {
  return extensionValue(item, 'sdc-questionnaire-calculatedExpression') !== undefined;
}

/** The server fills it: shown, never typed into. */
export function isServerFilled(item: Item): boolean {
  return isCalculated(item) || item.readOnly === true;
}

/** Its first value is computed from other answers: it follows them until the person changes it. */
export function isFollowing(item: Item): boolean {
  const initial = extensionValue(item, 'sdc-questionnaire-initialExpression') as { expression?: string } | undefined;
  return !isServerFilled(item) && initial?.expression?.includes('%answers') === true;
}

export function lookupOf(item: Item): string | undefined {
  const value = extensionValue(item, 'urn:menkou:lookup') ?? extensionValue(item, 'lookup');
  return typeof value === 'string' ? value : undefined;
}

export interface Phrase { title: string; text: string }

export function phrasesOf(item: Item): Phrase[] {
  return extensionsOf(item, 'urn:menkou:phrases').map((e) => {
    const text = String(valueOf(e) ?? extensionValue(e, 'text') ?? '');
    const title = extensionValue(e, 'urn:menkou:phrase-title') ?? extensionValue(e, 'title');
    return { title: typeof title === 'string' ? title : text.split('\n')[0], text };
  });
}

export function unitOf(item: Item): Coding | undefined {
  return extensionValue(item, 'questionnaire-unit') as Coding | undefined;
}

export function walkItems(items: Item[] | undefined, visit: (item: Item) => void): void {
  for (const item of items ?? []) {
    visit(item);
    walkItems(item.item, visit);
  }
}

export function linkIdsOf(form: Questionnaire | undefined): Set<string> {
  const ids = new Set<string>();
  walkItems(form?.item, (item) => ids.add(item.linkId));
  return ids;
}

export function needsDryRun(form: Questionnaire | undefined): boolean {
  let needed = false;
  walkItems(form?.item, (item) => {
    if (item.type !== 'group' && item.type !== 'display' && (isServerFilled(item) || isFollowing(item))) needed = true;
    if (extensionsOf(item, COLOR).length > 0) needed = true;
  });
  return needed;
}

export function childPath(parent: string, item: Item, index = 0): string {
  const own = item.type === 'group' ? `${item.linkId}:${index}` : item.linkId;
  return parent ? `${parent}/${own}` : own;
}

export function groupKey(parent: string, item: Item): string {
  return parent ? `${parent}/${item.linkId}` : item.linkId;
}

export function groupCount(state: FormState, parent: string, item: Item): number {
  return item.repeats ? (state.counts[groupKey(parent, item)] ?? 1) : 1;
}

/** linkId of the question or group instance that a path ends in. */
export function linkIdAt(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1).replace(/:\d+$/, '');
}

// ---- answers ----

const VALUE_KEYS: Record<string, string> = {
  boolean: 'valueBoolean', decimal: 'valueDecimal', integer: 'valueInteger', date: 'valueDate', dateTime: 'valueDateTime',
  time: 'valueTime', string: 'valueString', text: 'valueString', url: 'valueUri', attachment: 'valueAttachment',
  reference: 'valueReference', quantity: 'valueQuantity', choice: 'valueCoding', 'open-choice': 'valueCoding',
};

export function valueKey(type: string): string {
  return VALUE_KEYS[type] ?? 'valueString';
}

export function answerOf(type: string, value: unknown): Answer {
  return { [valueKey(type)]: value };
}

function isEmpty(answer: Answer): boolean {
  const value = valueOf(answer);
  return value === undefined || value === null || (typeof value === 'string' && value.trim() === '');
}

/** Two answers mean the same: codings by system and code, quantities by value, references by address. */
export function sameAnswer(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || !a || !b) return false;
  const [x, y] = [a as Coding & Quantity & Reference, b as Coding & Quantity & Reference];
  if (x.reference !== undefined || y.reference !== undefined) return x.reference === y.reference;
  if (x.value !== undefined || y.value !== undefined) return x.value === y.value && (x.code ?? x.unit) === (y.code ?? y.unit);
  return x.code === y.code && (!x.system || !y.system || x.system === y.system);
}

function comparable(value: unknown): number | string | undefined {
  if (typeof value === 'number' || typeof value === 'string') return value;
  if (typeof value === 'object' && value && typeof (value as Quantity).value === 'number') return (value as Quantity).value;
  return undefined;
}

function ordered(operator: string, left: unknown, right: unknown): boolean {
  const [a, b] = [comparable(left), comparable(right)];
  if (a === undefined || b === undefined || typeof a !== typeof b) return false;
  switch (operator) {
    case '>': return a > b;
    case '<': return a < b;
    case '>=': return a >= b;
    case '<=': return a <= b;
    default: return false;
  }
}

function conditionHolds(condition: EnableWhen, answers: Answer[]): boolean {
  const wanted = valueOf(condition, 'answer');
  const values = answers.filter((a) => !isEmpty(a)).map((a) => valueOf(a));
  if (condition.operator === 'exists') return (values.length > 0) === (wanted === true);
  if (condition.operator === '!=') return values.length === 0 || values.some((v) => !sameAnswer(v, wanted));
  if (condition.operator === '=') return values.some((v) => sameAnswer(v, wanted));
  return values.some((v) => ordered(condition.operator, v, wanted));
}

/** The answers of a question as seen from `path`: of the nearest scope outwards, else of any instance. */
export function answersSeen(state: FormState, path: string, question: string): Answer[] {
  const scopes = path.split('/');
  for (let n = scopes.length - 1; n >= 0; n--) {
    const at = [...scopes.slice(0, n), question].join('/');
    if (state.answers[at]) return state.answers[at];
  }
  const found = Object.keys(state.answers).filter((key) => linkIdAt(key) === question);
  return found.flatMap((key) => state.answers[key]);
}

export function isEnabled(item: Item, path: string, state: FormState): boolean {
  const conditions = item.enableWhen ?? [];
  if (conditions.length === 0) return true;
  const results = conditions.map((c) => conditionHolds(c, answersSeen(state, path, c.question)));
  return item.enableBehavior === 'any' ? results.some(Boolean) : results.every(Boolean);
}

// ---- initial state ----

function initialAnswers(item: Item): Answer[] {
  const selected = (item.answerOption ?? []).filter((o) => o.initialSelected);
  const given = item.initial?.length ? item.initial : selected;
  return given.map((holder) => {
    const key = Object.keys(holder).find((k) => k.startsWith('value'));
    return key ? { [key]: holder[key] } : {};
  }).filter((a) => !isEmpty(a));
}

function applyInitial(items: Item[] | undefined, parent: string, state: FormState): void {
  for (const item of items ?? []) {
    const path = childPath(parent, item);
    const initial = item.type === 'group' ? [] : initialAnswers(item);
    if (initial.length > 0) state.answers[path] = initial;
    applyInitial(item.item, path, state);
  }
}

function plainAnswer(answer: ResponseAnswer): Answer {
  const key = Object.keys(answer).find((k) => k.startsWith('value'));
  if (!key) return {};
  return answer.extension ? { [key]: answer[key], extension: answer.extension } : { [key]: answer[key] };
}

/** What goes to the server: the value alone, without the colours it was shown in. */
function bareAnswer(answer: Answer): ResponseAnswer {
  const { extension: _shown, ...bare } = answer;
  return bare;
}

function applyQuestion(item: Item, path: string, found: ResponseItem, state: FormState): void {
  const answers = (found.answer ?? []).map(plainAnswer).filter((a) => !isEmpty(a));
  const shown = extensionsOf(found, COLOR);
  if (answers.length > 0 && shown.length > 0) answers[0] = { ...answers[0], extension: shown };
  if (answers.length > 0) state.answers[path] = answers;
  applyResponse(item.item, path, found.answer?.flatMap((a) => a.item ?? []) ?? [], state);
}

function applyResponse(items: Item[] | undefined, parent: string, given: ResponseItem[], state: FormState): void {
  for (const item of items ?? []) {
    const found = given.filter((g) => g[LINK] === item.linkId);
    if (found.length === 0) continue;
    if (item.type === 'group') {
      if (item.repeats) state.counts[groupKey(parent, item)] = found.length;
      found.forEach((g, index) => applyResponse(item.item, childPath(parent, item, index), g.item ?? [], state));
    } else if (item.type !== 'display') {
      applyQuestion(item, childPath(parent, item), found[0], state);
    }
  }
}

/** The state of a form as it opens: its initial values, then what the response already holds. */
export function openForm(form: Questionnaire, response?: Response): FormState {
  const state: FormState = { answers: {}, counts: {} };
  applyInitial(form.item, '', state);
  applyResponse(form.item, '', response?.item ?? [], state);
  return state;
}

/** A form as its author left it: nothing that was cleared comes back. */
export function draftState(form: Questionnaire, response: Response): FormState {
  const state: FormState = { answers: {}, counts: {} };
  applyResponse(form.item, '', response.item ?? [], state);
  return state;
}

/** Takes the server-filled items of a dry run into the state; what the person typed stays. */
export function mergeServerFilled(form: Questionnaire, state: FormState, response: Response): FormState {
  const fresh: FormState = { answers: {}, counts: {} };
  applyResponse(form.item, '', response.item ?? [], fresh);
  const filled = new Set<string>();
  walkItems(form.item, (item) => { if (item.type !== 'group' && isServerFilled(item)) filled.add(item.linkId); });
  const answers = { ...state.answers };
  for (const path of Object.keys(answers)) if (filled.has(linkIdAt(path)) && !fresh.answers[path]) delete answers[path];
  for (const path of Object.keys(fresh.answers)) if (filled.has(linkIdAt(path))) answers[path] = fresh.answers[path];
  return { ...state, answers };
}

/** What the server proposes, by path: the values of the items that follow other answers. */
export type Proposals = Record<string, Answer[]>;

export function proposalsOf(form: Questionnaire, state: FormState): Proposals {
  const following = new Set<string>();
  walkItems(form.item, (item) => { if (isFollowing(item)) following.add(item.linkId); });
  return Object.fromEntries(Object.entries(state.answers).filter(([path]) => following.has(linkIdAt(path))));
}

function isProposed(state: FormState, path: string, proposed: Proposals): boolean {
  const own = state.answers[path] ?? [];
  const given = proposed[path] ?? [];
  return own.length === given.length && own.every((a, n) => sameAnswer(valueOf(a), valueOf(given[n])));
}

/** As a dry run is asked: without what is only proposed, so that it is proposed anew. */
export function withoutProposals(state: FormState, proposed: Proposals): FormState {
  return { ...state, answers: Object.fromEntries(Object.entries(state.answers).filter(([path]) => !proposed[path] || !isProposed(state, path, proposed))) };
}

/** New proposals take the place of the former ones, never of what the person wrote or cleared. */
export function takeProposals(state: FormState, before: Proposals, now: Proposals): FormState {
  const answers = { ...state.answers };
  for (const path of Object.keys(now)) if (isProposed(state, path, before)) answers[path] = now[path];
  return { ...state, answers };
}

/** Colour by path, as the server coloured the items of its answer. */
export function colorsOf(form: Questionnaire, response: Response): Record<string, string> {
  const fresh: FormState = { answers: {}, counts: {} };
  applyResponse(form.item, '', response.item ?? [], fresh);
  const colors: Record<string, string> = {};
  for (const [path, answers] of Object.entries(fresh.answers)) {
    const color = answers.map((a) => colorOf(a)).find(Boolean);
    if (color) colors[path] = color;
  }
  return colors;
}

export function colorOf(answer: Answer | Option): string | undefined {
  const holder = answer as { extension?: Extension[] };
  const own = extensionValue(holder, COLOR) ?? extensionValue(valueOf(answer) as typeof holder | undefined, COLOR);
  return typeof own === 'string' ? own : undefined;
}

// ---- the response ----

function assembleQuestion(item: Item, path: string, state: FormState): ResponseItem | undefined {
  const answers: ResponseAnswer[] = (state.answers[path] ?? []).filter((a) => !isEmpty(a)).map(bareAnswer);
  const nested = assembleItems(item.item, path, state);
  if (answers.length === 0) return undefined;
  if (nested.length > 0) answers[0].item = nested;
  return { linkId: item.linkId, ...(item.text ? { text: item.text } : {}), answer: answers };
}

function assembleGroup(item: Item, parent: string, state: FormState): ResponseItem[] {
  const made: ResponseItem[] = [];
  for (let n = 0; n < groupCount(state, parent, item); n++) {
    const inner = assembleItems(item.item, childPath(parent, item, n), state);
    if (inner.length > 0) made.push({ linkId: item.linkId, ...(item.text ? { text: item.text } : {}), item: inner });
  }
  return made;
}

function assembleItems(items: Item[] | undefined, parent: string, state: FormState): ResponseItem[] {
  const made: ResponseItem[] = [];
  for (const item of items ?? []) {
    const path = childPath(parent, item);
    if (item.type === 'display' || !isEnabled(item, path, state)) continue;
    if (item.type === 'group') made.push(...assembleGroup(item, parent, state));
    else {
      const question = assembleQuestion(item, path, state);
      if (question) made.push(question);
    }
  }
  return made;
}

export interface ResponseContext { subject?: Reference; author?: Reference; authored: string; base?: Response }

export function assembleResponse(form: Questionnaire, state: FormState, context: ResponseContext): Response {
  const canonical = form.url ? `${form.url}${form.version ? `|${form.version}` : ''}` : undefined;
  const questionnaire = context.base?.questionnaire ?? canonical;
  const items = assembleItems(form.item, '', state);
  return {
    resourceType: 'QuestionnaireResponse',
    ...(questionnaire ? { questionnaire } : {}),
    status: 'completed',
    ...(context.subject ? { subject: { reference: context.subject.reference } } : {}),
    authored: context.authored,
    ...(context.author ? { author: { reference: context.author.reference } } : {}),
    ...(items.length > 0 ? { item: items } : {}),
  };
}

// ---- local checks ----

export type Fault =
  | { code: 'required' } | { code: 'min'; limit: number | string } | { code: 'max'; limit: number | string }
  | { code: 'too-long'; limit: number } | { code: 'too-short'; limit: number } | { code: 'pattern' }
  | { code: 'decimals'; limit: number } | { code: 'whole' } | { code: 'few'; limit: number } | { code: 'many'; limit: number };

function textFault(item: Item, text: string): Fault | undefined {
  const min = extensionValue(item, 'minLength') as number | undefined;
  const pattern = extensionValue(item, 'regex') as string | undefined;
  if (item.maxLength !== undefined && text.length > item.maxLength) return { code: 'too-long', limit: item.maxLength };
  if (min !== undefined && text.length < min) return { code: 'too-short', limit: min };
  if (pattern && !new RegExp(`^(?:${pattern})$`, 'u').test(text)) return { code: 'pattern' };
  return undefined;
}

function rangeFault(item: Item, value: number | string): Fault | undefined {
  const min = comparable(extensionValue(item, 'minValue'));
  const max = comparable(extensionValue(item, 'maxValue'));
  if (min !== undefined && typeof min === typeof value && value < min) return { code: 'min', limit: min };
  if (max !== undefined && typeof max === typeof value && value > max) return { code: 'max', limit: max };
  const places = extensionValue(item, 'maxDecimalPlaces') as number | undefined;
  const decimals = typeof value === 'number' ? (String(value).split('.')[1] ?? '').length : 0;
  if (places !== undefined && decimals > places) return { code: 'decimals', limit: places };
  if (item.type === 'integer' && typeof value === 'number' && !Number.isInteger(value)) return { code: 'whole' };
  return undefined;
}

function answerFault(item: Item, answer: Answer): Fault | undefined {
  const value = valueOf(answer);
  if ((item.type === 'string' || item.type === 'text') && typeof value === 'string') return textFault(item, value);
  const simple = comparable(value);
  return simple === undefined ? undefined : rangeFault(item, simple);
}

function questionFault(item: Item, path: string, state: FormState): Fault | undefined {
  const answers = (state.answers[path] ?? []).filter((a) => !isEmpty(a));
  if (answers.length === 0) return item.required && !isServerFilled(item) ? { code: 'required' } : undefined;
  const few = extensionValue(item, 'questionnaire-minOccurs') as number | undefined;
  const many = extensionValue(item, 'questionnaire-maxOccurs') as number | undefined;
  if (few !== undefined && answers.length < few) return { code: 'few', limit: few };
  if (many !== undefined && answers.length > many) return { code: 'many', limit: many };
  return answers.map((a) => answerFault(item, a)).find(Boolean);
}

function collectFaults(items: Item[] | undefined, parent: string, state: FormState, found: Map<string, Fault>): void {
  for (const item of items ?? []) {
    const path = childPath(parent, item);
    if (item.type === 'display' || !isEnabled(item, path, state)) continue;
    if (item.type === 'group') {
      for (let n = 0; n < groupCount(state, parent, item); n++) collectFaults(item.item, childPath(parent, item, n), state, found);
      continue;
    }
    const fault = questionFault(item, path, state);
    if (fault) found.set(path, fault);
    if ((state.answers[path] ?? []).length > 0) collectFaults(item.item, path, state, found);
  }
}

/** What the form itself can say is wrong, by path. A hidden question is not the person's to mend. */
export function checkForm(form: Questionnaire, state: FormState): Map<string, Fault> {
  const found = new Map<string, Fault>();
  collectFaults(form.item, '', state, found);
  return found;
}

// ---- changes ----

export function setAnswers(state: FormState, path: string, answers: Answer[]): FormState {
  return { ...state, answers: { ...state.answers, [path]: answers } };
}

export function addGroup(state: FormState, parent: string, item: Item): FormState {
  const key = groupKey(parent, item);
  return { ...state, counts: { ...state.counts, [key]: groupCount(state, parent, item) + 1 } };
}

/** Takes one instance of a repeating group away; those behind it move up. */
export function removeGroup(state: FormState, parent: string, item: Item, index: number): FormState {
  const key = groupKey(parent, item);
  const moved = new RegExp(`^${key.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}:(\\d+)(/.*)$`);
  const shift = <T>(map: Record<string, T>): Record<string, T> => {
    const next: Record<string, T> = {};
    for (const [path, value] of Object.entries(map)) {
      const m = moved.exec(path);
      if (!m || Number(m[1]) < index) next[path] = value;
      else if (Number(m[1]) > index) next[`${key}:${Number(m[1]) - 1}${m[2]}`] = value;
    }
    return next;
  };
  const counts = shift(state.counts);
  counts[key] = Math.max(groupCount(state, parent, item) - 1, 0);
  return { answers: shift(state.answers), counts };
}

// ---- lookups ----

function placeholderText(answers: Answer[]): string | undefined {
  const value = valueOf(answers[0]);
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value);
  const v = value as (Reference & Coding & Quantity) | undefined;
  return v?.reference ?? v?.code ?? (v?.value === undefined ? undefined : String(v.value));
}

export interface Lookup { query?: string; missing: string[] }

/** Fills the `{linkId}` placeholders of a lookup from the answers seen at `path`; names those still unanswered. */
export function fillLookup(lookup: string, path: string, state: FormState, fixed: Record<string, string> = {}): Lookup {
  const missing: string[] = [];
  const query = lookup.replace(/\{([^{}]+)\}/g, (_, name: string) => {
    const value = placeholderText(answersSeen(state, path, name)) ?? fixed[name];
    if (value === undefined) missing.push(name);
    return encodeURIComponent(value ?? '');
  });
  return missing.length > 0 ? { missing } : { query, missing };
}
