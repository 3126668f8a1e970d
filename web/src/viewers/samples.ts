/** The samples of a recording as the server's one decoder gives them (Parameters), turned into numbers. */
import { partValue, valueOf, type Parameter, type Parameters } from '../logic/fhir.ts';
import { durationOf, type EcgLead } from './ecgMath.ts';

export type Lead = EcgLead;
/** What the machine was told of the person: to be compared with the patient, never to be taken over. */
export interface Subject { name?: string; identifier?: string; gender?: string; birthDate?: string }
export interface Recording {
  leads: Lead[]; startTime?: string; notForDiagnosis: boolean; missing: string[]; subject?: Subject; rebuilt: boolean;
  /** Seconds of the whole recording, of which the leads may hold a window. */
  duration: number;
  /** Waveforms of the file that are not shown, by its own names. */
  omitted: string[];
}

/** Lowest and highest of equal parts of the whole recording; NaN where nothing was recorded. */
export interface Envelope { name: string; unit: string; low: number[]; high: number[] }

interface Sampled { origin?: { value?: number; unit?: string }; period?: number; factor?: number; data?: string }

/** E, L and U (error, below, above the limits) have no value: a gap in the line. */
export function numbersOf(data: string | undefined): number[] {
  return (data ?? '').trim().split(/\s+/).filter(Boolean).map((word) => (/^[ELU]$/.test(word) ? NaN : Number(word)));
}

function textPart(p: Parameter, name: string): string | undefined {
  const value = partValue(p, name);
  return typeof value === 'string' ? value : undefined;
}

function numberPart(p: Parameter, name: string): number | undefined {
  const value = partValue(p, name);
  if (typeof value === 'object' && value) return (value as { value?: number }).value;
  return typeof value === 'number' ? value : undefined;
}

/** A value is sample × gain + origin; the sample that means 0 follows. */
function zeroOf(origin: number, gain: number): number {
  return origin === 0 || gain === 0 ? 0 : -origin / gain;
}

function leadOf(p: Parameter): Lead {
  const sampled = partValue(p, 'samples') as Sampled | undefined;
  const rate = numberPart(p, 'rate') ?? (sampled?.period ? 1000 / sampled.period : 500);
  const gain = numberPart(p, 'gain') ?? sampled?.factor ?? 1;
  return {
    name: textPart(p, 'name') ?? '', unit: textPart(p, 'unit') ?? sampled?.origin?.unit ?? 'mV',
    gain, zero: zeroOf(sampled?.origin?.value ?? 0, gain), rate, samples: numbersOf(sampled?.data),
    first: numberPart(p, 'first') ?? 0, total: numberPart(p, 'total'),
  };
}

function subjectOf(p: Parameter | undefined): Subject | undefined {
  if (!p) return undefined;
  return { name: textPart(p, 'name'), identifier: textPart(p, 'identifier'), gender: textPart(p, 'gender'), birthDate: textPart(p, 'birthDate') };
}

function leadsIn(parameters: Parameters): Parameter[] {
  return (parameters.parameter ?? []).filter((p) => p.name === 'leads');
}

export function envelopesOf(parameters: Parameters): Envelope[] {
  return leadsIn(parameters).map((p) => {
    const numbers = numbersOf((partValue(p, 'overview') as Sampled | undefined)?.data);
    return {
      name: textPart(p, 'name') ?? '', unit: textPart(p, 'unit') ?? '',
      low: numbers.filter((_, i) => i % 2 === 0), high: numbers.filter((_, i) => i % 2 === 1),
    };
  });
}

export function recordingOf(parameters: Parameters): Recording {
  const all = parameters.parameter ?? [];
  const find = (name: string) => valueOf(all.find((p) => p.name === name));
  const start = find('start'), duration = find('duration');
  const leads = leadsIn(parameters).map(leadOf);
  return {
    leads,
    duration: typeof duration === 'number' ? duration : durationOf(leads),
    omitted: all.filter((p) => p.name === 'omitted').map((p) => String(valueOf(p))),
    startTime: typeof start === 'string' ? start : undefined,
    notForDiagnosis: find('notForDiagnosis') !== false,
    subject: subjectOf(all.find((p) => p.name === 'subject')),
    rebuilt: find('rebuilt') === true,
    missing: all.filter((p) => p.name === 'missing').map((p) => String(valueOf(p))),
  };
}
