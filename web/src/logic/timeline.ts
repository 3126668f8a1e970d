/** One line of time for a patient, of whatever the institutions wrote: pure, from resources to entries newest first. */
import {
  conceptText, extensionValue, localReference, typeOf, valueOf,
  type Concept, type Extension, type Quantity, type Reference, type Resource, type Task,
} from './fhir.ts';
import { heldReferences, type Provenance } from './held.ts';

export type EntryKind = 'step' | 'result' | 'visit' | 'booking' | 'form' | 'vital' | 'opened';

export interface Entry {
  key: string; kind: EntryKind; at: string; title: string; text?: string; who?: string; place?: string;
  reference: string; task?: string; status?: string; color?: string;
  /** Of a step: the action's code, and the person who took it; none where the clock did. Of a visit: its class. */
  code?: string; by?: string;
}

export interface Episode { key: string; tasks: Task[]; entries: Entry[] }

interface Timed extends Resource {
  issued?: string; effectiveDateTime?: string; authored?: string; start?: string; period?: { start?: string; end?: string };
  conclusion?: string; code?: Concept; status?: string; performer?: Reference[]; author?: Reference; serviceProvider?: Reference;
  serviceType?: Concept[]; description?: string; comment?: string; class?: { display?: string; code?: string }; item?: { text?: string }[];
  interpretation?: Concept[]; participant?: { actor?: Reference; individual?: Reference }[]; component?: { code?: Concept }[];
  valueQuantity?: Quantity; _questionnaire?: { extension?: Extension[] };
}

function valueText(holder: object): string {
  const value = valueOf(holder);
  if (typeof value === 'object' && value) {
    const v = value as Quantity & Concept;
    return v.value !== undefined ? `${v.value} ${v.unit ?? v.code ?? ''}`.trim() : conceptText(v);
  }
  return value === undefined ? '' : String(value);
}

function measureText(r: Timed): string {
  const own = valueText(r);
  const parts = (r.component ?? []).map((c) => `${conceptText(c.code)} ${valueText(c)}`.trim());
  return [own, ...parts].filter(Boolean).join(' · ');
}

function measureColor(r: Timed): string | undefined {
  const color = extensionValue(r, 'urn:menkou:color');
  if (typeof color === 'string') return color;
  const code = r.interpretation?.[0]?.coding?.[0]?.code ?? '';
  return ['H', 'HH', 'L', 'LL', 'A', 'AA', 'POS'].includes(code) ? 'red' : undefined;
}

function entryOf(r: Timed): Omit<Entry, 'key' | 'reference'> | undefined {
  switch (r.resourceType) {
    case 'DiagnosticReport':
      return { kind: 'result', at: r.issued ?? r.effectiveDateTime ?? '', title: conceptText(r.code), text: r.conclusion, who: r.performer?.[0]?.display, place: r.performer?.[1]?.display, status: r.status };
    case 'Encounter':
      return { kind: 'visit', at: r.period?.start ?? '', code: r.class?.code, title: r.class?.display ?? r.class?.code ?? '', who: r.participant?.[0]?.individual?.display, place: r.serviceProvider?.display, status: r.status };
    case 'Appointment':
      return { kind: 'booking', at: r.start ?? '', title: r.description ?? conceptText(r.serviceType?.[0]), text: r.comment, place: r.participant?.map((p) => p.actor).find((a) => a && typeOf(a.reference) !== 'Patient')?.display, status: r.status };
    case 'QuestionnaireResponse':
      return { kind: 'form', at: r.authored ?? '', title: String(extensionValue(r, 'title') ?? ''), who: r.author?.display };
    case 'Observation':
      return { kind: 'vital', at: r.effectiveDateTime ?? r.issued ?? '', title: conceptText(r.code), text: measureText(r), who: r.performer?.[0]?.display, color: measureColor(r) };
    default:
      return undefined;
  }
}

function stepEntry(p: Provenance): Entry | undefined {
  const task = p.target?.map((r) => localReference(r.reference)).find((r) => typeOf(r) === 'Task');
  if (!task) return undefined;
  const agent = p.agent?.[0];
  return {
    key: `Provenance/${p.id}`, kind: 'step', at: p.occurredDateTime ?? p.recorded ?? '', reference: task, task,
    title: p.activity?.text ?? p.activity?.coding?.[0]?.display ?? p.activity?.coding?.[0]?.code ?? '',
    code: p.activity?.coding?.[0]?.code, by: agent?.who?.reference, who: agent?.who?.display, place: agent?.onBehalfOf?.display,
  };
}

/** Where a resource belongs: the case that holds it. The first case wins, later ones only refer to it. */
function ownersOf(tasks: Task[]): Map<string, string> {
  const owners = new Map<string, string>();
  const byAge = [...tasks].sort((a, b) => (a.authoredOn ?? '').localeCompare(b.authoredOn ?? ''));
  for (const task of byAge) for (const ref of heldReferences(task)) if (!owners.has(ref)) owners.set(ref, `Task/${task.id}`);
  return owners;
}

export function entriesOf(tasks: Task[], others: Resource[]): Entry[] {
  const owners = ownersOf(tasks);
  const entries: Entry[] = [];
  for (const resource of others) {
    const reference = `${resource.resourceType}/${resource.id}`;
    if (resource.resourceType === 'Provenance') {
      const step = stepEntry(resource as Provenance);
      if (step) entries.push(step);
      continue;
    }
    const entry = entryOf(resource as Timed);
    if (entry) entries.push({ ...entry, key: reference, reference, task: owners.get(reference) });
  }
  return entries.sort((a, b) => Date.parse(b.at || '1900') - Date.parse(a.at || '1900'));
}

/** Cases that belong together stand together; what no case holds is an episode of its own under the empty key. */
export function episodesOf(tasks: Task[], entries: Entry[]): Episode[] {
  const keyOf = new Map(tasks.map((t) => [`Task/${t.id}`, t.groupIdentifier?.value ?? `Task/${t.id}`]));
  const episodes = new Map<string, Episode>();
  const episode = (key: string) => {
    const found = episodes.get(key) ?? { key, tasks: [], entries: [] };
    episodes.set(key, found);
    return found;
  };
  for (const task of tasks) episode(keyOf.get(`Task/${task.id}`) ?? '').tasks.push(task);
  for (const entry of entries) episode(keyOf.get(entry.task ?? '') ?? '').entries.push(entry);
  const latest = (e: Episode) => Math.max(...[...e.entries.map((x) => x.at), ...e.tasks.map((t) => t.authoredOn ?? '')].map((at) => Date.parse(at) || 0), 0);
  return [...episodes.values()].sort((a, b) => latest(b) - latest(a));
}
