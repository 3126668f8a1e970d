/** Tables of residents, staff and institutions: sent, checked, brought in, removed (docs/formats/csv.md). */
import { call, getJson, sendBytes } from './http.ts';
import type { TableMap } from '../logic/tables.ts';

export type Kind = 'institutions' | 'staff' | 'residents';
export interface Words { zh: string; en: string }
export interface Element extends Words { code: string; needed: boolean; column: number }
export interface Table {
  id: string; kind: Kind; name: string; by: string; at: string; bytes: number; charset: string;
  header: string[]; sample: string[][]; elements: Element[]; map: TableMap;
}
export type RunState = 'uploaded' | 'checking' | 'checked' | 'importing' | 'imported' | 'stopped' | 'failed';
export interface Run {
  state: RunState; dry?: boolean; done?: number; total?: number; at?: string; by?: string; map?: TableMap; reason?: Words;
  made?: number; changed?: number; unchanged?: number; refused?: number; accounts?: number; unused?: string[];
  refusals?: { line: number; reason: Words }[]; refusedSheet?: boolean; passwordsSheet?: boolean; incomplete?: boolean;
}
export interface Import { table: Table; run: Run }

export const isBusy = (run: Run) => run.state === 'checking' || run.state === 'importing';

export async function listImports(signal?: AbortSignal): Promise<Import[]> {
  const { imports } = await getJson<{ imports: Import[] }>('/imports', signal);
  return imports.sort((a, b) => b.table.at.localeCompare(a.table.at));
}

export async function sendTable(kind: Kind, file: File, onProgress: (share: number) => void): Promise<Import> {
  const path = `/imports?kind=${kind}&name=${encodeURIComponent(file.name)}`;
  return (await sendBytes<Import>(path, file, { 'Content-Type': 'text/csv', Accept: 'application/json' }, onProgress)).body;
}

export const readImport = (id: string, signal?: AbortSignal) => getJson<Import>(`/imports/${id}`, signal);

export async function doImport(id: string, what: 'check' | 'run' | 'stop', map?: TableMap): Promise<Import> {
  return (await call<Import>(`/imports/${id}/${what}`, { method: 'POST', body: map ? { map } : {} })).body;
}

export const removeImport = (id: string) => call(`/imports/${id}`, { method: 'DELETE' });
export const sheetPath = (id: string, sheet: 'refused.csv' | 'passwords.csv') => `/imports/${id}/${sheet}`;
