/** The steps of a case, newest first: what was done, by whom, for whom, when. Made from Provenance; versions where there is none. */
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { getJson } from '../api/http.ts';
import type { Pathway } from '../api/pathways.ts';
import { StateTag } from '../app/parts.tsx';
import { timeText } from '../logic/clock.ts';
import { pathwayOf, resourcesOf, type Bundle, type Task } from '../logic/fhir.ts';
import type { Provenance } from '../logic/held.ts';

/** The step in the caller's language; undefined where a case was opened by another and nobody gave that a title. */
export function knownStep(code: string | undefined, given: string, task: Task | undefined, pathways: Pathway[] | undefined): string | undefined {
  const known = pathways?.find((p) => p.code === pathwayOf(task))?.steps.find((s) => s.code === code)?.title;
  return known ?? (given && given !== code ? given : undefined);
}

export function stepTitle(step: Provenance, task: Task | undefined, pathways: Pathway[] | undefined): string | undefined {
  const coding = step.activity?.coding?.[0];
  return knownStep(coding?.code, step.activity?.text ?? coding?.display ?? '', task, pathways);
}

function versionIn(step: Provenance): string | undefined {
  return step.target?.map((r) => /_history\/([^/]+)$/.exec(r.reference ?? '')?.[1]).find(Boolean);
}

export function CaseSteps({ task, steps, pathways }: { task: Task; steps: Provenance[]; pathways: Pathway[] | undefined }) {
  const { t } = useTranslation();
  const history = useQuery({
    queryKey: ['Task', 'history', task.id, task.meta?.versionId],
    queryFn: async ({ signal }) => resourcesOf<Task>(await getJson<Bundle>(`/fhir/Task/${task.id}/_history?_count=100`, signal), 'Task'),
  });
  const versions = new Map((history.data ?? []).map((v) => [v.meta?.versionId ?? '', v]));
  if (steps.length === 0) {
    return (
      <ol className="steps">
        {(history.data ?? []).map((v) => <li key={v.meta?.versionId}><time>{timeText(v.meta?.lastUpdated, true)}</time><StateTag task={v} pathways={pathways} />{v.owner?.display}</li>)}
      </ol>
    );
  }
  return (
    <ol className="steps">
      {steps.map((s) => {
        const version = versions.get(versionIn(s) ?? '');
        const agent = s.agent?.[0];
        return (
          <li key={s.id}>
            <time>{timeText(s.occurredDateTime ?? s.recorded, true)}</time>
            <b>{stepTitle(s, task, pathways) ?? t('kind.opened')}</b>
            {version && <StateTag task={version} pathways={pathways} />}
            <span>{agent?.who?.reference ? agent.who.display : t('case.by-clock')}{agent?.onBehalfOf?.display && ` · ${agent.onBehalfOf.display}`}</span>
          </li>
        );
      })}
    </ol>
  );
}
