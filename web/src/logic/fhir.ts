/**
 * The parts of FHIR R4 that the screens read, as types, and small readers over them. Types are deliberately open
 * (`Resource` keeps what it does not name); nothing here touches the network.
 */
import { timeText } from './clock.ts';

export interface Coding { system?: string; code?: string; display?: string; extension?: Extension[] }
export interface Concept { coding?: Coding[]; text?: string }
export interface Reference { reference?: string; display?: string; type?: string }
export interface Period { start?: string; end?: string }
export interface Quantity { value?: number; unit?: string; system?: string; code?: string }
export interface Attachment {
  contentType?: string; url?: string; title?: string; size?: number; creation?: string; data?: string;
}
export interface Identifier { system?: string; value?: string; type?: Concept; use?: string }
export interface HumanName { text?: string; family?: string; given?: string[]; use?: string }
export interface Extension { url: string; extension?: Extension[]; [value: string]: unknown }
export interface Meta {
  versionId?: string; lastUpdated?: string; security?: Coding[]; tag?: Coding[];
}
export interface Resource {
  resourceType: string; id?: string; meta?: Meta; extension?: Extension[];
  [element: string]: unknown;
}
export interface Patient extends Resource {
  name?: HumanName[]; gender?: string; birthDate?: string; identifier?: Identifier[];
  telecom?: { system?: string; value?: string; use?: string }[];
  address?: { text?: string; district?: string; city?: string; line?: string[] }[];
  contact?: { name?: HumanName; telecom?: { value?: string }[]; relationship?: Concept[] }[];
  managingOrganization?: Reference; deceasedBoolean?: boolean; deceasedDateTime?: string;
}
export interface Task extends Resource {
  code?: Concept; businessStatus?: Concept; status?: string; priority?: string; description?: string;
  for?: Reference; focus?: Reference; owner?: Reference; requester?: Reference; authoredOn?: string;
  lastModified?: string; groupIdentifier?: Identifier; partOf?: Reference[];
  restriction?: { period?: Period };
  input?: { type?: Concept; valueReference?: Reference; valueAttachment?: Attachment }[];
  output?: { type?: Concept; valueReference?: Reference; valueAttachment?: Attachment }[];
}
export interface BundleEntry { fullUrl?: string; resource?: Resource; search?: Search }
export interface Search { mode?: string; score?: number; extension?: Extension[] }
export interface Bundle extends Resource {
  type?: string; total?: number; entry?: BundleEntry[]; link?: { relation: string; url: string }[];
}
export interface Issue {
  severity: string; code: string; details?: Concept; diagnostics?: string; expression?: string[];
}
export interface Parameter { name: string; part?: Parameter[]; resource?: Resource; [value: string]: unknown }
export interface Parameters extends Resource { parameter?: Parameter[] }

export const ID_CARD = 'urn:oid:2.16.156.10011.1.3';
export const PATHWAY_SYSTEM = 'urn:menkou:pathway';

/** The value of a choice element (`valueX`) of an extension, an answer or a parameter, whatever its type. */
export function valueOf(holder: object | undefined, prefix = 'value'): unknown {
  if (!holder) return undefined;
  for (const [key, value] of Object.entries(holder)) {
    if (key.startsWith(prefix) && key.length > prefix.length && /[A-Z]/.test(key[prefix.length])) return value;
  }
  return undefined;
}

export function extensionOf(holder: { extension?: Extension[] } | undefined, url: string): Extension | undefined {
  return (Array.isArray(holder?.extension) ? holder.extension : undefined)?.find((e) => e.url === url || e.url.endsWith(`/${url}`));
}

export function extensionValue(holder: { extension?: Extension[] } | undefined, url: string): unknown {
  return valueOf(extensionOf(holder, url));
}

export function extensionsOf(holder: { extension?: Extension[] } | undefined, url: string): Extension[] {
  return (holder?.extension ?? []).filter((e) => e.url === url || e.url.endsWith(`/${url}`));
}

/** A Chinese name has no space between family and given; other names do. */
export function nameText(names: HumanName[] | undefined): string {
  const name = names?.find((n) => n.use === 'official') ?? names?.[0];
  if (!name) return '';
  if (name.text) return name.text;
  const given = (name.given ?? []).join(' ');
  const latin = /[a-z]/i.test(`${name.family ?? ''}${given}`);
  return latin ? `${given} ${name.family ?? ''}`.trim() : `${name.family ?? ''}${given}`;
}

export function conceptText(concept: Concept | undefined): string {
  return concept?.text ?? concept?.coding?.find((c) => c.display)?.display ?? concept?.coding?.[0]?.code ?? '';
}

export function conceptCode(concept: Concept | undefined, system?: string): string | undefined {
  const found = system ? concept?.coding?.find((c) => c.system === system) : concept?.coding?.[0];
  return found?.code;
}

export function pathwayOf(task: Task | undefined): string | undefined {
  return conceptCode(task?.code, PATHWAY_SYSTEM);
}

export function stateOf(task: Task | undefined): string | undefined {
  return task?.businessStatus?.coding?.[0]?.code;
}

/** `Patient/12`, also out of an absolute address or one with a version. */
export function localReference(reference: string | undefined): string | undefined {
  const m = /([A-Z][A-Za-z]+)\/([A-Za-z0-9.-]{1,64})(?:\/_history\/[^/]+)?$/.exec(reference ?? '');
  return m ? `${m[1]}/${m[2]}` : undefined;
}

export function idOf(reference: string | undefined): string | undefined {
  return localReference(reference)?.split('/')[1];
}

export function typeOf(reference: string | undefined): string | undefined {
  return localReference(reference)?.split('/')[0];
}

export function identifierValue(patient: Patient | undefined, system: string): string | undefined {
  return patient?.identifier?.find((i) => i.system === system)?.value;
}

export function phoneOf(patient: Patient | undefined): string | undefined {
  return patient?.telecom?.find((t) => t.system === 'phone' || !t.system)?.value;
}

/** A hit of the county-wide search that this person may not open: the server masked the name. */
export function isMasked(resource: Resource | undefined): boolean {
  if (!resource) return false;
  const labels = [...(resource.meta?.security ?? []), ...(resource.meta?.tag ?? [])];
  if (labels.some((l) => l.code === 'masked' || l.code === 'MASKED')) return true;
  return /[*＊]/.test(nameText((resource as Patient).name));
}

export function resourcesOf<T extends Resource>(bundle: Bundle | undefined, type?: string): T[] {
  return (bundle?.entry ?? [])
    .filter((e) => e.resource && e.search?.mode !== 'outcome' && (!type || e.resource.resourceType === type))
    .map((e) => e.resource as T);
}

export function partValue(parameter: Parameter | undefined, name: string): unknown {
  return valueOf(parameter?.part?.find((p) => p.name === name));
}

export function partText(parameter: Parameter | undefined, name: string): string | undefined {
  const value = partValue(parameter, name);
  return typeof value === 'string' ? value : undefined;
}

/** A word to show for any resource that a list may hold. */
export function resourceTitle(resource: Resource | undefined): string {
  if (!resource) return '';
  const r = resource as Record<string, unknown>;
  if (resource.resourceType === 'Slot') return `${timeText(r.start as string)}–${timeText(r.end as string).slice(11)}`;
  if (Array.isArray(r.name)) return nameText(r.name as HumanName[]);
  for (const key of ['name', 'title', 'description', 'comment']) if (typeof r[key] === 'string') return r[key] as string;
  for (const key of ['code', 'type', 'specialty', 'serviceType']) {
    const value = r[key];
    const text = conceptText((Array.isArray(value) ? value[0] : value) as Concept | undefined);
    if (text) return text;
  }
  const practitioner = r.practitioner as Reference | undefined;
  return practitioner?.display ?? `${resource.resourceType}/${resource.id ?? ''}`;
}
