/**
 * A form in the making. The state is flat: each question instance has a path (`group:1/question`), a path holds the
 * list of its answers, a repeating group has a count. (response.ts: how it opens and what is sent; faults.ts: what is wrong.)
 *
 * Pure: no expression is evaluated here (the server's dry run does that) and nothing is fetched.
 */
import { extensionValue, extensionsOf, valueOf, type Coding, type Extension, type Quantity, type Reference, type Resource } from './fhir.ts';

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

export interface FormState {
  answers: Record<string, Answer[]>;
  counts: Record<string, number>;
}

export const COLOR = 'urn:menkou:color';

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

export function isEmpty(answer: Answer): boolean {
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

export function comparable(value: unknown): number | string | undefined {
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
