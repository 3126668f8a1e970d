/** Periods of the calendar as days (`2026-11-01`): this month, the last, the quarter, and the one before any of them. */

export interface Period { from: string; to: string }
export type PeriodKind = 'month' | 'last-month' | 'quarter' | 'custom';
export type Interval = 'day' | 'week' | 'month';

const DAY = 86_400_000;

function ms(day: string): number { return Date.parse(`${day}T00:00:00Z`); }
function dayOf(at: number): string { return new Date(at).toISOString().slice(0, 10); }

/** Months counted from year 0; the day is the first of it. */
function firstOf(months: number): string {
  return `${String(Math.floor(months / 12)).padStart(4, '0')}-${String((months % 12) + 1).padStart(2, '0')}-01`;
}

function monthsOf(day: string): number { return Number(day.slice(0, 4)) * 12 + Number(day.slice(5, 7)) - 1; }

function months(first: number, count: number): Period {
  return { from: firstOf(first), to: dayOf(ms(firstOf(first + count)) - DAY) };
}

export function isDay(text: string | null | undefined): text is string {
  return /^\d{4}-\d{2}-\d{2}$/.test(text ?? '') && !Number.isNaN(ms(text ?? ''));
}

export function periodOf(kind: Exclude<PeriodKind, 'custom'>, today: string): Period {
  const month = monthsOf(today);
  if (kind === 'month') return months(month, 1);
  return kind === 'last-month' ? months(month - 1, 1) : months(month - (month % 3), 3);
}

export function kindOf(period: Period, today: string): PeriodKind {
  const kinds = ['month', 'last-month', 'quarter'] as const;
  return kinds.find((k) => { const p = periodOf(k, today); return p.from === period.from && p.to === period.to; }) ?? 'custom';
}

/** A period that is not over yet is compared with as many days from the beginning of the one before. */
export function periodCompared(period: Period, today: string): Period {
  const before = periodBefore(period);
  if (today < period.from || today >= period.to) return before;
  const asFar = dayOf(ms(before.from) + ms(today) - ms(period.from));
  return { from: before.from, to: asFar < before.to ? asFar : before.to };
}

/** Whole months are compared with as many whole months, other periods with as many days right before. */
export function periodBefore(period: Period): Period {
  const first = monthsOf(period.from);
  const after = dayOf(ms(period.to) + DAY);
  if (period.from.endsWith('-01') && after.endsWith('-01')) {
    const count = monthsOf(after) - first;
    return months(first - count, count);
  }
  const days = (ms(period.to) - ms(period.from)) / DAY + 1;
  return { from: dayOf(ms(period.from) - days * DAY), to: dayOf(ms(period.from) - DAY) };
}

export function intervalOf(period: Period): Interval {
  const days = (ms(period.to) - ms(period.from)) / DAY + 1;
  return days <= 14 ? 'day' : days <= 186 ? 'week' : 'month';
}

/** The first day of each part, as the server cuts them: the period's own, then every Monday, or every first of a month. */
export function partsOf(period: Period, interval: Interval): string[] {
  const parts: string[] = [];
  for (let day = period.from; day <= period.to && parts.length < 400;) {
    parts.push(day);
    const weekday = (new Date(ms(day)).getUTCDay() + 6) % 7;
    day = interval === 'month' ? firstOf(monthsOf(day) + 1) : dayOf(ms(day) + (interval === 'day' ? 1 : 7 - weekday) * DAY);
  }
  return parts;
}
