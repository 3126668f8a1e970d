/** The trail: AuditEvents as the audit administrator asks for them, newest first, page by page. */
import { ID_CARD, type Bundle, type Coding, type Concept, type Reference, type Resource, resourcesOf } from '../logic/fhir.ts';
import { getJson } from './http.ts';

export type TrailKind = 'patient' | 'person';
export interface TrailAsked { kind: TrailKind; who: string; from: string; to: string }

interface AuditAgent { who?: Reference; altId?: string; name?: string; role?: Concept[]; network?: { address?: string } }
interface AuditEntity { what?: Reference; query?: string; name?: string; type?: Coding; description?: string }
export interface AuditEvent extends Resource {
  subtype?: Coding[]; action?: string; recorded: string; outcome?: string; outcomeDesc?: string; agent: AuditAgent[]; entity?: AuditEntity[];
}

export interface TrailRow {
  id: string; at: string; doing: string; account: string; person: string; role: string; organization: string; what: string; patients: string[];
  good: boolean; status: string; address: string;
}

export interface TrailPage { rows: TrailRow[]; next?: string }

const PAGE = 100;
const EMPTY_PAGES_MAX = 40; // a page of a long search may hold nothing yet

/** A card's number is asked for as such, exactly; everything else is the id of a record or of an account. */
export function trailPath({ kind, who, from, to }: TrailAsked): string {
  const query = new URLSearchParams({ _count: String(PAGE) });
  const text = who.trim().toUpperCase();
  if (kind === 'patient' && /^\d{17}[\dX]$/.test(text)) query.set('patient.identifier', `${ID_CARD}|${text}`);
  else query.set(kind === 'patient' ? 'patient' : 'agent', who.trim());
  query.append('date', `ge${from}`);
  query.append('date', `le${to}`);
  return `/fhir/AuditEvent?${query}`;
}

function rowOf(event: AuditEvent): TrailRow {
  const [person, organization] = event.agent;
  const entities = event.entity ?? [];
  const target = entities.find((e) => e.type?.code !== '1');
  const patients = entities.filter((e) => e.type?.code === '1').map((e) => e.what?.reference?.replace('Patient/', '') ?? '');
  return {
    id: event.id ?? '', at: event.recorded, doing: event.subtype?.[0]?.code ?? event.action ?? '', account: person?.altId ?? person?.name ?? '',
    person: person?.who?.reference ?? '', role: person?.role?.[0]?.coding?.[0]?.code ?? '', organization: organization?.who?.reference ?? '',
    what: target?.description ?? target?.what?.reference ?? target?.name ?? '', patients,
    good: event.outcome === '0', status: event.outcomeDesc ?? '', address: person?.network?.address ?? '',
  };
}

/** One page that holds something, or the end. */
export async function trailPage(path: string, signal?: AbortSignal): Promise<TrailPage> {
  let at: string | undefined = path;
  for (let i = 0; at && i < EMPTY_PAGES_MAX; i++) {
    const bundle: Bundle = await getJson<Bundle>(at, signal);
    const rows = resourcesOf<AuditEvent>(bundle, 'AuditEvent').map(rowOf);
    const link = bundle.link?.find((l) => l.relation === 'next')?.url;
    const next = link && new URL(link);
    at = next ? next.pathname + next.search : undefined;
    if (rows.length > 0) return { rows, next: at };
  }
  return { rows: [], next: at };
}

interface Named extends Resource { name?: string | { text?: string }[] }

/** Names of the persons and organisations of a page; what has none is shown as it is. */
export async function namesOf(references: string[], signal?: AbortSignal): Promise<Map<string, string>> {
  const names = new Map<string, string>();
  for (const type of ['Practitioner', 'Organization']) {
    const ids = references.filter((r) => r.startsWith(`${type}/`)).map((r) => r.slice(type.length + 1));
    if (ids.length === 0) continue;
    const bundle = await getJson<Bundle>(`/fhir/${type}?_id=${ids.map(encodeURIComponent).join()}&_count=1000&_elements=name`, signal);
    for (const r of resourcesOf<Named>(bundle, type)) {
      const name = typeof r.name === 'string' ? r.name : r.name?.[0]?.text;
      if (name) names.set(`${type}/${r.id}`, name);
    }
  }
  return names;
}

const CSV_ROWS_MAX = 10_000;

/** A cell that a spreadsheet would take for a formula is made text. */
function cell(text: string): string {
  const safe = /^[=+\-@\t]/.test(text) ? `'${text}` : text;
  return `"${safe.replaceAll('"', '""')}"`;
}

/** Everything that was asked for, up to a bound that is told. */
export async function trailCsv(path: string, head: string[], lineOf: (row: TrailRow) => string[]): Promise<{ text: string; whole: boolean }> {
  const lines = [head];
  let at: string | undefined = path;
  while (at && lines.length <= CSV_ROWS_MAX) {
    const page: TrailPage = await trailPage(at);
    lines.push(...page.rows.map(lineOf));
    at = page.next;
  }
  return { text: `\ufeff${lines.map((l) => l.map(cell).join()).join('\r\n')}\r\n`, whole: !at };
}
