/** Reads what a case holds, a search per type; another version of the Task reads anew. */
import { useQuery, type UseQueryResult } from '@tanstack/react-query';
import { getJson } from '../api/http.ts';
import { retryable } from '../api/queries.ts';
import { idOf, localReference, resourcesOf, typeOf, type Bundle, type Resource, type Task } from '../logic/fhir.ts';
import { heldReferences, signedOf, type Provenance, type Signed } from '../logic/held.ts';

export interface Held { resources: Resource[]; steps: Provenance[]; signed: Signed[] }

async function readAll(references: string[], signal: AbortSignal): Promise<Resource[]> {
  const types = new Map<string, string[]>();
  for (const ref of references) types.set(typeOf(ref) ?? '', [...(types.get(typeOf(ref) ?? '') ?? []), idOf(ref) ?? '']);
  const bundles = await Promise.all([...types].map(([type, ids]) => getJson<Bundle>(`/fhir/${type}?_id=${ids.join(',')}&_count=200`, signal)));
  return bundles.flatMap((b) => resourcesOf<Resource>(b));
}

/** The signatures under what the case has made. */
async function readSigned(task: Task, signal: AbortSignal): Promise<Signed[]> {
  const made = (task.output ?? []).map((o) => localReference(o.valueReference?.reference)).filter(Boolean);
  if (made.length === 0) return [];
  return signedOf(resourcesOf<Provenance>(await getJson<Bundle>(`/fhir/Provenance?target=${made.join(',')}&_count=200`, signal), 'Provenance'));
}

export async function readHeld(task: Task, signal: AbortSignal): Promise<Held> {
  const bundle = await getJson<Bundle>(`/fhir/Provenance?target=Task/${task.id}&_count=200`, signal);
  const steps = resourcesOf<Provenance>(bundle, 'Provenance');
  const at = (p: Provenance) => Date.parse(p.occurredDateTime ?? p.recorded ?? '') || 0;
  steps.sort((a, b) => at(b) - at(a));
  const [resources, signed] = await Promise.all([readAll(heldReferences(task, steps), signal), readSigned(task, signal)]);
  return { steps, resources, signed };
}

export function useHeld(task: Task | undefined): UseQueryResult<Held> {
  return useQuery({
    queryKey: ['Task', 'held', task?.id, task?.meta?.versionId],
    queryFn: ({ signal }) => readHeld(task as Task, signal),
    enabled: Boolean(task?.id),
    placeholderData: (previous, query) => (query?.queryKey[2] === task?.id ? previous : undefined),
    retry: retryable,
  });
}
