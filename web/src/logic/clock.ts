/** Times as staff read them: 2026-08-22 14:05, ages, and the clock of a case that runs towards its deadline. */
export type ClockLevel = 'none' | 'calm' | 'near' | 'over';

export interface Clock { level: ClockLevel; text: string; ms: number }

const MINUTE_MS = 60_000;
const pad = (n: number) => String(n).padStart(2, '0');

/** One zone per county: every screen shows its time, wherever the browser stands. */
let zoneMinutes = 480;

export function setZone(offset: string | undefined): void {
  const m = /^([+-])(\d\d):(\d\d)$/.exec(offset ?? '');
  if (m) zoneMinutes = (m[1] === '-' ? -1 : 1) * (Number(m[2]) * 60 + Number(m[3]));
}

export function zoneText(): string {
  const size = Math.abs(zoneMinutes);
  return `${zoneMinutes < 0 ? '-' : '+'}${pad(Math.floor(size / 60))}:${pad(size % 60)}`;
}

/** `2026-08-22T14:05:09` in the county's zone. */
function localStamp(ms: number): string {
  return new Date(ms + zoneMinutes * MINUTE_MS).toISOString().slice(0, 19);
}

export function dayText(ms: number): string {
  return localStamp(ms).slice(0, 10);
}

/** An instant as FHIR dateTime with the county's offset. */
export function dateTimeOf(ms: number): string {
  return `${localStamp(ms)}${zoneText()}`;
}

/** A FHIR date or dateTime as the screens show it; a date keeps its precision. */
export function timeText(value: string | undefined, seconds = false): string {
  if (!value) return '';
  if (!value.includes('T')) return value;
  const at = Date.parse(value);
  if (Number.isNaN(at)) return value;
  return localStamp(at).replace('T', ' ').slice(0, seconds ? 19 : 16);
}

/** Today: the time alone; else month, day and time. For dense lists. */
export function shortTime(value: string | undefined, now: number): string {
  const full = timeText(value);
  if (full.length < 16) return full;
  const today = dayText(now);
  if (full.slice(0, 10) === today) return full.slice(11);
  return full.slice(0, 4) === today.slice(0, 4) ? full.slice(5) : full.slice(0, 10);
}

export interface SpanUnits { day: string; hour: string }

/** From this many days on the hours say nothing any more. */
const WHOLE_DAYS = 3;

/** `0:09:30` under a day, `1天15小时` under three, then whole days; the sign is shown by the level, not by a minus. */
export function spanText(ms: number, units: SpanUnits): string {
  const total = Math.floor(Math.abs(ms) / 1000);
  const days = Math.floor(total / 86_400);
  const hours = Math.floor((total % 86_400) / 3600);
  const minutes = Math.floor((total % 3600) / 60);
  if (days >= WHOLE_DAYS || (days > 0 && hours === 0)) return `${days}${units.day}`.trimEnd();
  if (days > 0) return `${days}${units.day}${hours}${units.hour}`;
  if (hours > 0) return `${hours}:${pad(minutes)}:${pad(total % 60)}`;
  return `${pad(minutes)}:${pad(total % 60)}`;
}

/** `12-31` within this year, else with its year. */
function dayShort(at: number, now: number): string {
  const [day, today] = [dayText(at), dayText(now)];
  return day.slice(0, 4) === today.slice(0, 4) ? day.slice(5) : day;
}

/** What is days away is told with its date; what is late, only by how much. */
function leftText(due: number, now: number, units: SpanUnits): string {
  const span = spanText(due - now, units);
  return due - now >= WHOLE_DAYS * 1440 * MINUTE_MS ? `${span} · ${dayShort(due, now)}` : span;
}

/** `near` is the last fifth of the time since `from`, at most one hour and at least five minutes before the end. */
export function clockOf(end: string | undefined, from: string | undefined, now: number, units: SpanUnits): Clock {
  const due = end ? Date.parse(end) : NaN;
  if (Number.isNaN(due)) return { level: 'none', text: '', ms: 0 };
  const ms = due - now;
  const start = from ? Date.parse(from) : NaN;
  const share = Number.isNaN(start) ? 15 * MINUTE_MS : (due - start) / 5;
  const near = Math.min(Math.max(share, 5 * MINUTE_MS), 60 * MINUTE_MS);
  const level = ms < 0 ? 'over' : ms <= near ? 'near' : 'calm';
  return { level, text: leftText(due, now, units), ms };
}

export interface Age { count: number; unit: 'years' | 'months' | 'days' }

/** Years from the first birthday but one, months under two years, days under one month. */
export function ageOf(birthDate: string | undefined, today: string): Age | undefined {
  const m = /^(\d{4})(?:-(\d\d))?(?:-(\d\d))?/.exec(birthDate ?? '');
  const t = /^(\d{4})-(\d\d)-(\d\d)/.exec(today);
  if (!m || !t) return undefined;
  const months = (Number(t[1]) - Number(m[1])) * 12 + Number(t[2]) - Number(m[2] ?? '1') - (t[3] < (m[3] ?? '01') ? 1 : 0);
  if (months < 0) return undefined;
  if (months >= 24) return { count: Math.floor(months / 12), unit: 'years' };
  if (months >= 1) return { count: months, unit: 'months' };
  const days = Math.round((Date.parse(today.slice(0, 10)) - Date.parse(birthDate!.slice(0, 10))) / 86_400_000);
  return { count: Number.isNaN(days) ? 0 : days, unit: 'days' };
}
