/** Finds residents while a person types: those in sight by one search, the rest of the county masked by `$match`. */
import { useEffect, useState } from 'react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { call, getJson } from '../api/http.ts';
import { resourcesOf, isMasked, type Bundle, type Parameters, type Patient } from '../logic/fhir.ts';
import { likenessOf, wantedOf, type Wanted } from '../logic/search.ts';

export function useDelayed<T>(value: T, ms: number): T {
  const [late, setLate] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setLate(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return late;
}

export interface Match { patient: Patient; score?: number; grade?: string; masked: boolean }

/** `$match` of R4: certain and probable hits over the whole county, masked where the caller has no relation. */
export async function matchPatients(like: Patient, count: number, signal?: AbortSignal): Promise<Match[]> {
  const body: Parameters = { resourceType: 'Parameters', parameter: [{ name: 'resource', resource: like }, { name: 'count', valueInteger: count }] };
  const bundle = (await call<Bundle>('/fhir/Patient/$match', { method: 'POST', body, signal })).body;
  return (bundle.entry ?? []).filter((e) => e.resource?.resourceType === 'Patient').map((e) => ({
    patient: e.resource as Patient,
    score: e.search?.score,
    grade: e.search?.extension?.find((x) => x.url.endsWith('match-grade'))?.valueCode as string | undefined,
    masked: isMasked(e.resource),
  }));
}

export interface Finding {
  wanted: Wanted; inSight: Patient[]; elsewhere: Match[]; searching: boolean; error?: unknown; settled: boolean;
}

export function usePatientSearch(text: string): Finding {
  const wanted = wantedOf(useDelayed(text, 60));
  const query = 'query' in wanted ? wanted.query : undefined;
  const like = likenessOf(wantedOf(useDelayed(text, 350)));
  const found = useQuery({
    queryKey: ['Patient', 'find', query],
    queryFn: async ({ signal }) => resourcesOf<Patient>(await getJson<Bundle>(`/fhir/Patient?${query}&_count=20`, signal), 'Patient'),
    enabled: query !== undefined,
    placeholderData: keepPreviousData,
    staleTime: 5000,
    retry: false,
  });
  const others = useQuery({
    queryKey: ['Patient', '$match', JSON.stringify(like)],
    queryFn: ({ signal }) => matchPatients(like as Patient, 10, signal),
    enabled: like !== undefined,
    staleTime: 5000,
    retry: false,
  });
  const inSight = query === undefined ? [] : (found.data ?? []);
  const ids = new Set(inSight.map((p) => p.id));
  return {
    wanted, inSight, elsewhere: like === undefined ? [] : (others.data ?? []).filter((m) => m.masked && !ids.has(m.patient.id)),
    searching: query !== undefined && found.isFetching, error: query === undefined ? undefined : found.error ?? undefined,
    settled: query !== undefined && !found.isPlaceholderData && found.isSuccess,
  };
}
