/** Everything that goes on the line of time. A kind that cannot be read is named, the others are shown. */
import { useQuery } from '@tanstack/react-query';
import { getJson } from '../api/http.ts';
import { resourcesOf, type Bundle, type Resource, type Task } from '../logic/fhir.ts';

export interface TimelineData { tasks: Task[]; others: Resource[]; unread: string[] }

const SOURCES: [string, string][] = [
  ['DiagnosticReport', 'patient={p}&_count=100'],
  ['Encounter', 'patient={p}&_count=100'],
  ['Appointment', 'patient={p}&_count=100'],
  ['Observation', 'patient={p}&_count=200'],
];

async function stepsOf(tasks: Task[], signal: AbortSignal): Promise<Resource[]> {
  if (tasks.length === 0) return [];
  const targets = tasks.map((t) => `Task/${t.id}`).join(',');
  return resourcesOf(await getJson<Bundle>(`/fhir/Provenance?target=${targets}&_count=500`, signal), 'Provenance');
}

async function readTimeline(patient: string, signal: AbortSignal): Promise<TimelineData> {
  const tasks = resourcesOf<Task>(await getJson<Bundle>(`/fhir/Task?patient=${patient}&_count=200`, signal), 'Task');
  const unread: string[] = [];
  const read = async (type: string, promise: Promise<Resource[]>) => promise.catch((error: unknown) => {
    if (signal.aborted) throw error;
    unread.push(type);
    return [] as Resource[];
  });
  const others = await Promise.all([
    ...SOURCES.map(([type, query]) => read(type, getJson<Bundle>(`/fhir/${type}?${query.replace('{p}', patient)}`, signal).then((b) => resourcesOf(b, type)))),
    read('Provenance', stepsOf(tasks, signal)),
  ]);
  return { tasks, others: others.flat(), unread };
}

export function useTimeline(patient: string) {
  return useQuery({
    queryKey: ['Task', 'timeline', patient],
    queryFn: ({ signal }) => readTimeline(patient, signal),
    placeholderData: (previous, query) => (query?.queryKey[2] === patient ? previous : undefined),
  });
}
