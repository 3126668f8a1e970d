/**
 * Half-filled forms, kept in this browser for their author until they are sent, at most three days. They hold what a
 * person has typed and nothing of the chart; another person at the same computer does not get them.
 */
import type { FormState } from '../logic/questionnaire.ts';

export interface Kept { state: FormState; at: number }

const PREFIX = 'menkou.form.';
const KEEP_MS = 3 * 24 * 3600_000;

export function keptKey(person: string, about: string, action: string): string {
  return `${PREFIX}${person}|${about}|${action}`;
}

export function readKept(key: string): Kept | undefined {
  try {
    const kept = JSON.parse(localStorage.getItem(key) ?? 'null') as Kept | null;
    if (kept && Date.now() - kept.at < KEEP_MS) return kept;
  } catch {
    localStorage.removeItem(key);
  }
  return undefined;
}

/** False when the browser has no room: the screen then says that nothing is kept. */
export function keep(key: string, state: FormState): boolean {
  try {
    localStorage.setItem(key, JSON.stringify({ state, at: Date.now() } satisfies Kept));
    return true;
  } catch {
    return false;
  }
}

export function forget(key: string): void {
  localStorage.removeItem(key);
}

export function sweepKept(): void {
  for (const key of Object.keys(localStorage)) if (key.startsWith(PREFIX) && !readKept(key)) localStorage.removeItem(key);
}
