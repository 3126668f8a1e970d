/** Reading through the cache. Keys begin with the FHIR type, so that one event of the feed refreshes what it touches. */
import { keepPreviousData, useQuery, type UseQueryResult } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { ApiError, getJson } from './http.ts';
import { actionsOf, pathwaysOf, type Action, type Pathway } from './pathways.ts';
import { resourcesOf, type Bundle, type Parameters, type Resource, type Task } from '../logic/fhir.ts';
import { currentSession, type Session } from './session.ts';
import { DIAGNOSIS, type Diagnosis } from './system.ts';

/** Waiting helps against overload and a broken line, never against a refusal. */
export function retryable(count: number, error: Error): boolean {
  const status = error instanceof ApiError ? error.status : -1;
  return count < 2 && (status === 0 || status === 429 || status === 503);
}

export function useSession(): UseQueryResult<Session> {
  return useQuery({ queryKey: ['session'], queryFn: currentSession, retry: retryable, staleTime: Infinity });
}

/** Looked at again while it is shown: what is on a screen follows the county's switch within a minute. */
export function useDiagnosis(): UseQueryResult<Diagnosis> {
  return useQuery({ queryKey: [DIAGNOSIS], queryFn: ({ signal }) => getJson<Diagnosis>(DIAGNOSIS, signal), refetchInterval: 60_000, refetchOnWindowFocus: 'always', retry: retryable });
}

export function usePathways(): UseQueryResult<Pathway[]> {
  const lang = useTranslation().i18n.language;
  return useQuery({
    queryKey: ['$pathways', lang],
    queryFn: async ({ signal }) => pathwaysOf(await getJson<Parameters>('/fhir/$pathways', signal)),
    staleTime: 10 * 60_000,
    /* In another language the screen stands as it is until its words are there. */
    placeholderData: (previous, query) => (query && query.queryKey[1] !== lang ? previous : undefined),
    retry: retryable,
  });
}

export function useResource<T extends Resource>(reference: string | undefined): UseQueryResult<T> {
  const [type, id] = (reference ?? '').split('/');
  return useQuery({
    queryKey: [type, 'read', id],
    queryFn: ({ signal }) => getJson<T>(`/fhir/${type}/${id}`, signal),
    enabled: Boolean(id),
    retry: retryable,
  });
}

export function useSearch<T extends Resource>(type: string, query: string | undefined): UseQueryResult<T[]> {
  return useQuery({
    queryKey: [type, 'search', query],
    queryFn: async ({ signal }) => resourcesOf<T>(await getJson<Bundle>(`/fhir/${type}?${query}`, signal), type),
    enabled: query !== undefined,
    placeholderData: keepPreviousData,
    retry: retryable,
  });
}

export function useTaskActions(task: Task | undefined): UseQueryResult<Action[]> {
  const lang = useTranslation().i18n.language;
  return useQuery({
    queryKey: ['Task', '$actions', task?.id, task?.meta?.versionId, lang],
    queryFn: async ({ signal }) => actionsOf(await getJson<Parameters>(`/fhir/Task/${task?.id}/$actions`, signal), lang),
    enabled: Boolean(task?.id),
    placeholderData: (previous, query) => (query?.queryKey[2] === task?.id ? previous : undefined),
    retry: retryable,
  });
}

export async function startActions(pathway: string, patient: string, lang: string, signal?: AbortSignal): Promise<Action[]> {
  const query = `pathway=${encodeURIComponent(pathway)}&patient=${encodeURIComponent(patient)}`;
  return actionsOf(await getJson<Parameters>(`/fhir/$actions?${query}`, signal), lang);
}
