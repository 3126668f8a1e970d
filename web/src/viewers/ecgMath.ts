/** Arithmetic on samples: what a column of pixels shows, what two points on the paper measure. Pure. */
export interface EcgLead {
  name: string;
  unit: string;
  /** Value of one step, in `unit`. */
  gain: number;
  rate: number;
  samples: ArrayLike<number>;
  /** The sample that means 0. */
  zero?: number;
  /** Of a long recording only a window is here: the index of its first sample, and how many there are in all. */
  first?: number;
  total?: number;
}

export interface EcgInput { leads: EcgLead[]; startTime?: string }

const MV_PER: Record<string, number> = { nV: 1e-6, uV: 1e-3, 'µV': 1e-3, mV: 1, V: 1000 };

/** Millivolts of one step, or undefined for what is not a voltage and therefore not drawn. */
export function mvPerStep(lead: EcgLead): number | undefined {
  const unit = MV_PER[lead.unit];
  return unit === undefined ? undefined : unit * lead.gain;
}

export interface Extent { low: number; high: number; highFirst: boolean }

/** Lowest and highest of samples [from, to) and which came first; undefined where all are gaps (NaN) or outside. */
export function extentOf(samples: ArrayLike<number>, from: number, to: number): Extent | undefined {
  let low = Infinity, high = -Infinity, lowAt = 0, highAt = 0;
  const end = Math.min(to, samples.length);
  for (let i = Math.max(0, from); i < end; i++) {
    const v = samples[i] as number;
    if (v < low) { low = v; lowAt = i; }
    if (v > high) { high = v; highAt = i; }
  }
  return high === -Infinity ? undefined : { low, high, highFirst: highAt < lowAt };
}

export interface Point { x: number; y: number; down: boolean }

/**
 * The trace of a lead between two times as points in mm from the cell's left and middle. Each sample where samples are
 * wider apart than `step` (mm), else lowest and highest of each step, so that no spike is lost. `down` false: pen lifted.
 */
export function tracePoints(lead: EcgLead, from: number, seconds: number, speed: number, gain: number, step: number): Point[] {
  const mv = mvPerStep(lead);
  if (mv === undefined) return [];
  const perSample = speed / lead.rate;
  const width = Math.max(perSample, step);
  const scale = mv * gain;
  const zero = lead.zero ?? 0;
  const start = from * lead.rate - (lead.first ?? 0);
  const points: Point[] = [];
  let down = false;
  const count = Math.floor((seconds * speed) / width + 1e-6);
  for (let k = 0; k < count; k++) {
    const first = Math.round(start + (k * width) / perSample);
    const next = Math.round(start + ((k + 1) * width) / perSample);
    const e = extentOf(lead.samples, first, Math.max(next, first + 1));
    if (e) {
      const [a, b] = e.highFirst ? [e.high, e.low] : [e.low, e.high];
      points.push({ x: k * width, y: -(a - zero) * scale, down });
      if (a !== b) points.push({ x: k * width, y: -(b - zero) * scale, down: true });
    }
    down = e !== undefined;
  }
  return points;
}

export interface Mark { time: number; mv: number }
export interface Measure { ms: number; bpm?: number; mv: number }

/** From a to b: milliseconds (never negative), the rate if it were a beat's interval, and the signed voltage. */
export function measureOf(a: Mark, b: Mark): Measure {
  const ms = Math.abs(b.time - a.time) * 1000;
  return { ms, bpm: ms >= 200 ? 60000 / ms : undefined, mv: b.mv - a.mv };
}

/** "812 ms (74 bpm) · +1.05 mV": without words, so the same in both languages; no rate above 300. */
export function measureText(m: Measure): string {
  const rate = m.bpm === undefined ? '' : ` (${m.bpm.toFixed(0)} bpm)`;
  return `${m.ms.toFixed(0)} ms${rate} · ${m.mv >= 0 ? '+' : '−'}${Math.abs(m.mv).toFixed(2)} mV`;
}

export function durationOf(leads: EcgLead[]): number {
  return leads.reduce((longest, l) => Math.max(longest, l.rate > 0 ? (l.total ?? l.samples.length) / l.rate : 0), 0);
}

export function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), Math.max(low, high));
}

/** Millivolts of the lead at a time; undefined outside, in a gap, or when it is not a voltage. */
export function valueAt(lead: EcgLead, time: number): number | undefined {
  const mv = mvPerStep(lead);
  const v = lead.samples[Math.round(time * lead.rate) - (lead.first ?? 0)];
  return mv === undefined || v === undefined || Number.isNaN(v) ? undefined : (v - (lead.zero ?? 0)) * mv;
}

const two = (n: number) => String(n).padStart(2, '0');

/** A moment as minutes and seconds from the recording's start, with hours where there are some. */
export function clockText(seconds: number): string {
  const tenths = Math.round(seconds * 10);
  const h = Math.floor(tenths / 36000), m = Math.floor(tenths / 600) % 60, s = ((tenths % 600) / 10).toFixed(1);
  return h > 0 ? `${h}:${two(m)}:${s.padStart(4, '0')}` : `${m}:${s.padStart(4, '0')}`;
}

/** The time of day at a moment of the recording; undefined where its start is not known. */
export function dayTimeText(startTime: string | undefined, seconds: number): string | undefined {
  const m = /T(\d\d):(\d\d):(\d\d)/.exec(startTime ?? '');
  if (!m) return undefined;
  const all = Number(m[1]) * 3600 + Number(m[2]) * 60 + Number(m[3]) + Math.floor(seconds);
  const days = Math.floor(all / 86400);
  return `${two(Math.floor(all / 3600) % 24)}:${two(Math.floor(all / 60) % 60)}:${two(all % 60)}${days > 0 ? ` +${days}` : ''}`;
}
