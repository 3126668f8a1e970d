/** A work list of the server: cases in the server's order, with the residents they are for. */
import { useQueries, useQuery, keepPreviousData } from '@tanstack/react-query';
import { getJson } from '../api/http.ts';
import { retryable } from '../api/queries.ts';
import type { ListInfo } from '../api/pathways.ts';
import { localReference, resourcesOf, type Bundle, type Patient, type Task } from '../logic/fhir.ts';

export interface WorkRow { task: Task; patient?: Patient }
export interface WorkList { rows: WorkRow[]; more: boolean }

const PAGE = 100;

export function rowsOf(bundle: Bundle): WorkList {
  const patients = new Map(resourcesOf<Patient>(bundle, 'Patient').map((p) => [`Patient/${p.id}`, p]));
  const rows = resourcesOf<Task>(bundle, 'Task').map((task) => ({ task, patient: patients.get(localReference(task.for?.reference) ?? '') }));
  return { rows, more: bundle.link?.some((l) => l.relation === 'next') === true };
}

export function listPath(query: string): string {
  const plain = query.replace(/^\/?Task\?/, '');
  const count = /(^|&)_count=/.test(plain) ? '' : `&_count=${PAGE}`;
  return `/fhir/Task?${plain}${count}&_include=Task:patient`;
}

function casesQuery(query: string | undefined) {
  return {
    queryKey: ['Task', 'list', query],
    queryFn: async ({ signal }: { signal: AbortSignal }) => rowsOf(await getJson<Bundle>(listPath(query ?? ''), signal)),
    enabled: Boolean(query),
    staleTime: 15_000,
    retry: retryable,
  };
}

export function useCases(query: string | undefined) {
  return useQuery({ ...casesQuery(query), placeholderData: keepPreviousData });
}

export function useWorkLists(lists: ListInfo[]) {
  return useQueries({ queries: lists.map((list) => casesQuery(list.query)) });
}

export function useWorkList(list: ListInfo | undefined) {
  return useCases(list?.query);
}
