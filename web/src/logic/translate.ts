/** Texts in another language: FHIR's `translation` extension on the sibling `_element` takes the element's place. */
interface Translated { extension?: { url: string; extension?: { url: string; [v: string]: unknown }[] }[] }

const TRANSLATION = 'http://hl7.org/fhir/StructureDefinition/translation';

function contentFor(holder: Translated | undefined, lang: string): string | undefined {
  for (const translation of holder?.extension ?? []) {
    if (translation.url !== TRANSLATION) continue;
    const code = translation.extension?.find((e) => e.url === 'lang')?.valueCode;
    const content = translation.extension?.find((e) => e.url === 'content');
    const text = content?.valueString ?? content?.valueMarkdown;
    if (typeof code === 'string' && code.split('-')[0] === lang.split('-')[0] && typeof text === 'string') return text;
  }
  return undefined;
}

/** A copy of any FHIR JSON in which every string with a translation into `lang` is that translation. */
export function translate<T>(value: T, lang: string): T {
  if (Array.isArray(value)) return value.map((v) => translate(v, lang)) as T;
  if (typeof value !== 'object' || value === null) return value;
  const source = value as Record<string, unknown>;
  const copy: Record<string, unknown> = {};
  for (const [key, inner] of Object.entries(source)) copy[key] = key.startsWith('_') ? inner : translate(inner, lang);
  for (const key of Object.keys(source)) {
    if (!key.startsWith('_')) continue;
    const text = contentFor(source[key] as Translated, lang);
    if (text !== undefined) copy[key.slice(1)] = text;
  }
  return copy as T;
}

interface Worded { linkId: string; text?: string; item?: Worded[]; answerOption?: { valueCoding?: { code?: string; display?: string } }[] }
interface Written { linkId: string; text?: string; item?: Written[]; answer?: ({ item?: Written[] } & Record<string, unknown>)[] }

function gather(items: Worded[] | undefined, into: Map<string, Worded>): Map<string, Worded> {
  for (const item of items ?? []) {
    into.set(item.linkId, item);
    gather(item.item, into);
  }
  return into;
}

/** What was written in a form, with the form's own texts in another language; people's words stay theirs. */
export function inLanguage<T extends Written>(written: T[] | undefined, form: { item?: unknown } | undefined, lang: string): T[] | undefined {
  if (!form) return written;
  const known = gather(translate(form.item as Worded[] | undefined, lang), new Map());
  const answerIn = (answer: { item?: Written[] } & Record<string, unknown>, options: Worded['answerOption']) => {
    const coding = answer.valueCoding as { code?: string } | undefined;
    const display = coding && options?.find((o) => o.valueCoding?.code === coding.code)?.valueCoding?.display;
    return { ...answer, ...(display ? { valueCoding: { ...coding, display } } : {}), ...(answer.item ? { item: each(answer.item) } : {}) };
  };
  const each = <I extends Written>(items: I[]): I[] => items.map((item) => {
    const of = known.get(item.linkId);
    return {
      ...item, ...(of?.text ? { text: of.text } : {}), ...(item.item ? { item: each(item.item) } : {}),
      ...(item.answer ? { answer: item.answer.map((a) => answerIn(a, of?.answerOption)) } : {}),
    };
  });
  return written && each(written);
}
