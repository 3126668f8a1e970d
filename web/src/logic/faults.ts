/** What a form itself can say is wrong, before the server is asked. */
import { extensionValue, valueOf } from './fhir.ts';
import {
  isServerFilled, childPath, groupCount, isEmpty, comparable,
  isEnabled, type Item, type Questionnaire, type Answer, type FormState,
} from './questionnaire.ts';

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
