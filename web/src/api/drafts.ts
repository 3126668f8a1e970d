/**
 * Half-filled forms, kept for their author until they are sent: at once in this browser, a moment later at the county, where
 * they can be taken up at another computer. The browser's copy serves while the line is down, at most three days; another
 * person at the same computer does not get it.
 */
import { call } from './http.ts';
import { serverNow } from './session.ts';
import type { FormState } from '../logic/questionnaire.ts';
import type { Response } from '../logic/response.ts';

/** `sent`: the county has had these words, so that where it no longer has them they are done with. */
export interface Kept { state: FormState; at: number; sent?: boolean }
/** `seen`: the version of the case that the form was opened on. */
export interface Draft { at: string; seen?: string; response: Response }

const PREFIX = 'menkou.form.';
const KEEP_MS = 3 * 24 * 3600_000;

export function slotOf(person: string, key: string): string {
  return `${PREFIX}${person}|${key}`;
}

export function readKept(slot: string): Kept | undefined {
  try {
    const kept = JSON.parse(localStorage.getItem(slot) ?? 'null') as Kept | null;
    if (kept && serverNow() - kept.at < KEEP_MS) return kept;
  } catch {
    localStorage.removeItem(slot);
  }
  return undefined;
}

/** False when the browser has no room: the screen then says that nothing is kept here. */
export function keep(slot: string, kept: Kept): boolean {
  try {
    localStorage.setItem(slot, JSON.stringify(kept));
    return true;
  } catch {
    return false;
  }
}

export function forget(slot: string): void {
  localStorage.removeItem(slot);
}

export function sweepKept(): void {
  for (const slot of Object.keys(localStorage)) if (slot.startsWith(PREFIX) && !readKept(slot)) localStorage.removeItem(slot);
}

function pathOf(key: string): string {
  return `/drafts/${encodeURIComponent(key)}`;
}

export async function readDraft(key: string, signal: AbortSignal): Promise<Draft> {
  return (await call<Draft>(pathOf(key), { signal })).body;
}

/** The instant it was kept. */
export async function putDraft(key: string, seen: string | undefined, response: Response): Promise<number> {
  const { body } = await call<{ at: string }>(pathOf(key), { method: 'PUT', body: { ...(seen ? { seen } : {}), response } });
  return Date.parse(body.at);
}

export async function dropDraft(key: string): Promise<void> {
  await call(pathOf(key), { method: 'DELETE' });
}
