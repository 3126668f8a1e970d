/**
 * A form's state and its QuestionnaireResponse: how a form opens, what the server's dry run puts into it or proposes, in which
 * colours, and the response that goes to the county.
 */
import { extensionValue, extensionsOf, valueOf, type Extension, type Reference, type Resource } from './fhir.ts';
import {
  isServerFilled, isFollowing, walkItems, childPath, groupKey, groupCount, linkIdAt,
  COLOR, isEmpty, sameAnswer, isEnabled, type Option, type Item, type Questionnaire, type Answer, type FormState,
} from './questionnaire.ts';

export interface ResponseAnswer { item?: ResponseItem[]; [value: string]: unknown }
export interface ResponseItem { extension?: Extension[]; linkId: string; text?: string; answer?: ResponseAnswer[]; item?: ResponseItem[] }
export interface Response extends Resource { status?: string; questionnaire?: string; item?: ResponseItem[] }

const LINK = 'linkId';

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
