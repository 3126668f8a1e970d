/** Openings in an emergency, for those who review them: newest first, page by page. */
import { extensionOf, extensionValue, resourcesOf, type Bundle, type Coding, type Concept, type Reference, type Resource } from '../logic/fhir.ts';
import { translate } from '../logic/translate.ts';
import { call, getJson } from './http.ts';

export type Verdict = 'justified' | 'unjustified' | 'unclear';
export const VERDICTS: Verdict[] = ['justified', 'unjustified', 'unclear'];
export const GLASS_UNTIL = 'urn:menkou:break-glass-until';

const REVIEW = 'urn:menkou:break-glass-review';
const PAGE = 50;

interface GlassRecord extends Resource {
  status: string; sent?: string; subject?: Reference; sender?: Reference; reasonCode?: Concept[]; payload?: { contentString?: string }[];
}

export interface Opening {
  id: string; sent: string; until: string; person: string; sender: string; resident: string; reason: string; words: string; sentence: string;
  review?: { verdict: string; text: string; by: string; at: string };
}

export interface OpeningPage { openings: Opening[]; next?: string }

function reviewOf(record: GlassRecord): Opening['review'] {
  const review = extensionOf(record, REVIEW);
  if (!review) return undefined;
  const part = (url: string) => extensionValue(review, url);
  return {
    verdict: (part('verdict') as Coding | undefined)?.code ?? '', text: String(part('text') ?? ''),
    by: (part('by') as Reference | undefined)?.display ?? '', at: String(part('at') ?? ''),
  };
}

export function openingOf(resource: Resource, lang: string): Opening {
  const record = translate(resource as GlassRecord, lang);
  const [why] = record.reasonCode ?? [];
  return {
    id: record.id ?? '', sent: record.sent ?? '', until: String(extensionValue(record, GLASS_UNTIL) ?? ''),
    person: record.sender?.display ?? '', sender: record.sender?.reference ?? '', resident: record.subject?.display ?? '',
    reason: why?.coding?.[0]?.code ?? '', words: why?.text ?? '', sentence: record.payload?.[0]?.contentString ?? '', review: reviewOf(record),
  };
}

export function openingsPath(reviewed: boolean): string {
  return `/fhir/$break-glass?reviewed=${reviewed}&_count=${PAGE}`;
}

export async function openingsPage(path: string, lang: string, signal?: AbortSignal): Promise<OpeningPage> {
  const bundle = await getJson<Bundle>(path, signal);
  const link = bundle.link?.find((l) => l.relation === 'next')?.url;
  const next = link && new URL(link);
  return { openings: resourcesOf<Resource>(bundle, 'Communication').map((r) => openingOf(r, lang)), next: next ? next.pathname + next.search : undefined };
}

/** Once, and by somebody else: the server refuses anything more. */
export async function reviewOpening(id: string, verdict: Verdict, text: string): Promise<void> {
  const body = { resourceType: 'Parameters', parameter: [{ name: 'verdict', valueCode: verdict }, { name: 'text', valueString: text }] };
  await call(`/fhir/Communication/${id}/$review`, { method: 'POST', body });
}
