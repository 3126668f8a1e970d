/**
 * What administrators see: the state of the machine (/healthz), the index, the switch of the ECG (docs/formats/diagnosis.md)
 * and purges (docs/formats/purges.md).
 */
import { call, getJson } from './http.ts';
import { type Patient } from '../logic/fhir.ts';

export interface Disk { freeBytes: number; totalBytes: number; lowBytes: number; low: boolean }
export interface Health { status: string; version: string; seq: number; disk?: Disk }

export const readHealth = (signal?: AbortSignal) => getJson<Health>('/healthz', signal);

/** Whether a drawn ECG may be used for diagnosis; every person may read it. */
export interface Diagnosis { on: boolean; person?: string; reason?: string; by?: string; at?: string }
export const DIAGNOSIS = '/ecg/diagnosis';

export async function putDiagnosis(body: Secret & { on: boolean; person?: string; reason: string }): Promise<Diagnosis> {
  return (await call<Diagnosis>(DIAGNOSIS, { method: 'PUT', body })).body;
}

/** A search parameter of the county's own: how far its index is, or why there is none. */
export interface SearchParam { id: string; code: string; type: string; status: 'building' | 'ready' | 'faulty'; done?: number; total?: number; reason?: string }
interface Part { name: string; valueString?: string; valueUri?: string; valueCode?: string; valueInteger?: number }
interface ParamsStatus { parameter?: { part: Part[] }[] }

function searchParamOf(parts: Part[]): SearchParam {
  const text = Object.fromEntries(parts.map((p) => [p.name, p.valueString ?? p.valueUri ?? p.valueCode ?? '']));
  const count = Object.fromEntries(parts.map((p) => [p.name, p.valueInteger]));
  return {
    id: (text.reference ?? '').replace('SearchParameter/', ''), code: text.code ?? '', type: text.type ?? '', status: text.status as SearchParam['status'],
    done: count.done, total: count.total, reason: text.reason,
  };
}

export async function listSearchParams(signal?: AbortSignal): Promise<SearchParam[]> {
  const { parameter } = await getJson<ParamsStatus>('/fhir/SearchParameter/$status', signal);
  return (parameter ?? []).map((p) => searchParamOf(p.part));
}

/** The whole index anew, or until one parameter is ready; the path at which it is told how far that is. */
export async function reindex(id?: string): Promise<string> {
  const path = id ? `/fhir/SearchParameter/${encodeURIComponent(id)}/$reindex` : '/fhir/$reindex';
  const { place } = await call<undefined>(path, { method: 'POST', behind: true });
  return new URL(place ?? '/', location.href).pathname;
}

export interface Reindexing { done: boolean; progress: string }
export async function reindexStatus(place: string, signal?: AbortSignal): Promise<Reindexing> {
  const { status, progress } = await call<unknown>(place, { signal });
  return { done: status === 200, progress: progress ?? '' };
}

export type PurgeState = 'proposed' | 'confirmed' | 'erasing' | 'tidying' | 'erased' | 'denied' | 'withdrawn' | 'expired';
export interface PurgeExtent { resources: number; versions: number; blobs: number; kept: number }
export interface Purge extends PurgeExtent {
  id: string; state: PurgeState; targets: string[]; reason: string; proposer: string; proposed: string; expires: string;
  decider?: string; decided?: string; finished?: string;
}
export interface PurgePage { may: string[]; username: string; purges: Purge[] }
export interface PurgeLook extends PurgeExtent { patients: Patient[] }
export interface Secret { password: string; otp?: string }

export const listPurges = (signal?: AbortSignal) => getJson<PurgePage>('/purges', signal);

export async function lookPurge(targets: string[]): Promise<PurgeLook> {
  return (await call<PurgeLook>('/purges/look', { method: 'POST', body: { targets } })).body;
}

export async function proposePurge(body: Secret & { targets: string[]; reason: string }): Promise<Purge> {
  return (await call<{ purge: Purge }>('/purges', { method: 'POST', body })).body.purge;
}

export async function decidePurge(id: string, what: string, body: Secret): Promise<Purge> {
  return (await call<{ purge: Purge }>(`/purges/${encodeURIComponent(id)}/${what}`, { method: 'POST', body })).body.purge;
}
