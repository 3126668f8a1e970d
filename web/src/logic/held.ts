/** What a case holds: the references of its Task and of the steps taken on it, and the files found in those resources. */
import { localReference, typeOf, type Attachment, type Reference, type Resource, type Task } from './fhir.ts';
import { mediaOf, type Medium } from './media.ts';
import { isHidden } from './questionnaire.ts';
import { type Response, type ResponseItem } from './response.ts';

export interface Provenance extends Resource {
  target?: Reference[]; occurredDateTime?: string; recorded?: string;
  activity?: { coding?: { code?: string; display?: string }[]; text?: string };
  agent?: { who?: Reference; onBehalfOf?: Reference }[];
  entity?: { what?: Reference }[];
  signature?: { when?: string; who?: Reference }[];
}

export interface Signed { reference: string; version?: string; when?: string; who?: string }

/** Who put a name under what, newest first. */
export function signedOf(provenances: Provenance[]): Signed[] {
  const signed = provenances.flatMap((p) => (p.signature ?? []).map((s): Signed => {
    const target = p.target?.[0]?.reference;
    return {
      reference: localReference(target) ?? '', version: /_history\/([^/]+)$/.exec(target ?? '')?.[1],
      when: s.when, who: s.who?.display ?? p.agent?.[0]?.who?.display,
    };
  }));
  return signed.sort((a, b) => (b.when ?? '').localeCompare(a.when ?? ''));
}

const READABLE = new Set([
  'QuestionnaireResponse', 'DiagnosticReport', 'ServiceRequest', 'Appointment', 'Slot', 'Communication', 'Observation',
  'DocumentReference', 'Media', 'Consent', 'CarePlan', 'Condition', 'Encounter', 'MedicationStatement',
]);

export function heldReferences(task: Task, steps: Provenance[] = []): string[] {
  const named = [
    task.focus, ...(task.input ?? []).map((i) => i.valueReference), ...(task.output ?? []).map((o) => o.valueReference),
    ...steps.flatMap((s) => (s.entity ?? []).map((e) => e.what)),
  ];
  const refs = named.map((r) => localReference(r?.reference)).filter((r): r is string => Boolean(r));
  return [...new Set(refs)].filter((r) => READABLE.has(typeOf(r) ?? ''));
}

/** The newest step taken by a person and, where its form holds one single text (a reason, a measure), those words. */
export function lastStep(steps: Provenance[], held: Resource[]): { step: Provenance; words?: string } | undefined {
  const step = steps.find((s) => s.agent?.[0]?.who?.reference);
  if (!step) return undefined;
  const named = new Set((step.entity ?? []).map((e) => localReference(e.what?.reference)));
  const form = held.find((r) => named.has(`${r.resourceType}/${r.id}`) && r.resourceType === 'QuestionnaireResponse') as (Resource & Response) | undefined;
  const seen = (form?.item ?? []).filter((i) => !isHidden(i));
  const words = seen.length === 1 && seen[0].answer?.length === 1 ? seen[0].answer[0].valueString : undefined;
  return { step, words: typeof words === 'string' ? words : undefined };
}

function answeredFiles(items: ResponseItem[] | undefined): Attachment[][] {
  return (items ?? []).flatMap((item) => {
    const own = (item.answer ?? []).map((a) => a.valueAttachment as Attachment | undefined).filter((f): f is Attachment => Boolean(f?.url));
    const nested = (item.answer ?? []).flatMap((a) => answeredFiles(a.item));
    return [...(own.length > 0 ? [own] : []), ...nested, ...answeredFiles(item.item)];
  });
}

function filesOf(resource: Resource): Attachment[][] {
  const r = resource as Resource & { content?: unknown; presentedForm?: Attachment[] };
  switch (r.resourceType) {
    case 'QuestionnaireResponse': return answeredFiles((r as unknown as Response).item);
    case 'DocumentReference': {
      const files = ((r.content ?? []) as { attachment?: Attachment }[]).map((c) => c.attachment).filter((f): f is Attachment => Boolean(f?.url));
      return files.length > 0 ? [files] : [];
    }
    case 'Media': return (r.content as Attachment | undefined)?.url ? [[r.content as Attachment]] : [];
    case 'DiagnosticReport': return (r.presentedForm ?? []).filter((f) => f.url).map((f) => [f]);
    default: return [];
  }
}

function timeOf(resource: Resource): string | undefined {
  const r = resource as { authored?: string; date?: string; issued?: string; meta?: { lastUpdated?: string } };
  return r.authored ?? r.date ?? r.issued ?? r.meta?.lastUpdated;
}

/** Every drawing of the case, newest first, each file once. */
export function heldMedia(task: Task, held: Resource[]): Medium[] {
  const direct = [...(task.input ?? []), ...(task.output ?? [])].map((i) => i.valueAttachment).filter((f): f is Attachment => Boolean(f?.url));
  const groups: [Attachment[], string | undefined][] = [[direct, task.authoredOn]];
  for (const resource of held) for (const files of filesOf(resource)) groups.push([files, timeOf(resource)]);
  const seen = new Set<string>();
  const media: Medium[] = [];
  for (const [files, at] of groups) {
    const fresh = files.filter((f) => !seen.has(f.url ?? ''));
    fresh.forEach((f) => seen.add(f.url ?? ''));
    media.push(...mediaOf(fresh, undefined, at));
  }
  return media.sort((a, b) => (b.at ?? '').localeCompare(a.at ?? ''));
}
