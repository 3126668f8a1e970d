/** What only administrators see: the state of the machine (/healthz), and purges (docs/formats/purges.md). */
import { call, getJson } from './http.ts';
import { type Patient } from '../logic/fhir.ts';

export interface Disk { freeBytes: number; totalBytes: number; lowBytes: number; low: boolean }
export interface Health { status: string; version: string; seq: number; disk?: Disk }

export const readHealth = (signal?: AbortSignal) => getJson<Health>('/healthz', signal);

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
