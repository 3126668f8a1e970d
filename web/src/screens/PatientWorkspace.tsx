/**
 * One resident: banner on top, the queue they came from at the left, work in the centre, the panel at the right. The panel
 * pushes the centre and is closed with the resident.
 */
import { useCallback, useEffect, useRef, useState } from 'react';
import { useQueryClient } from '@tanstack/react-query';
import { Alert, Button } from 'antd';
import { LeftOutlined } from '../app/icons.ts';
import { useTranslation } from 'react-i18next';
import { ApiError, IntentKey } from '../api/http.ts';
import type { Action, Pathway } from '../api/pathways.ts';
import { usePathways, useResource, useTaskActions } from '../api/queries.ts';
import { serverNow, type User } from '../api/session.ts';
import { go, routeText } from '../app/route.ts';
import { Failed, SaveNote, Waiting, refusedSave, useErrorText, type SaveState } from '../app/parts.tsx';
import { ActionPanel } from '../case/ActionPanel.tsx';
import { CaseView } from '../case/CaseView.tsx';
import { sendWork, workBody, workKey, type Work } from '../case/work.ts';
import { timeText } from '../logic/clock.ts';
import { extensionValue, idOf, type Attachment, type Issue, type Patient, type Task } from '../logic/fhir.ts';
import { mediaOf, type Medium } from '../logic/media.ts';
import { sortIssues } from '../logic/outcome.ts';
import { linkIdsOf, type Item } from '../logic/questionnaire.ts';
import { MediaView } from '../viewers/MediaView.tsx';
import { GlassBanner } from './BreakGlass.tsx';
import { PatientBanner } from './PatientBanner.tsx';
import { StartMenu } from './StartMenu.tsx';
import { Timeline } from './Timeline.tsx';

interface Props { user: User; patient: string; task?: string; from?: string }

/** refused: why the form stands open: a step without a form of its own was refused for what this one holds. */
type Chosen = { kind: 'begin'; pathway: Pathway; action: Action } | { kind: 'move'; code: string; refused?: Issue[] };

/** The action whose form holds what a refusal names. */
function menderOf(issues: Issue[], actions: Action[] | undefined): Action | undefined {
  return actions?.find((a) => a.questionnaire && sortIssues(issues, linkIdsOf(a.questionnaire)).fields.size > 0);
}

/** The panel's work follows the case: another version brings fresh forms and the version that is acted on. */
function workOf(chosen: Chosen | undefined, task: Task | undefined, actions: Action[] | undefined, patient: string): Work | undefined {
  if (chosen?.kind === 'begin') return { kind: 'begin', pathway: chosen.pathway, patient, action: chosen.action };
  const action = chosen && actions?.find((a) => a.code === chosen.code);
  return action && task ? { kind: 'move', task, action } : undefined;
}

/** Files sent for the form that is open, to be drawn before the form is sent. */
function useFreshMedia(key: string | undefined) {
  const [media, setMedia] = useState<Medium[]>([]);
  useEffect(() => setMedia([]), [key]);
  const take = useCallback((item: Item, files: Attachment[]) => {
    const hint = extensionValue(item, 'urn:menkou:media');
    setMedia(mediaOf(files, typeof hint === 'string' ? hint : undefined));
  }, []);
  return [media, take] as const;
}

export default function PatientWorkspace({ user, patient, task: taskId, from }: Props) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const pathways = usePathways();
  const person = useResource<Patient>(`Patient/${patient}`);
  const task = useResource<Task>(taskId ? `Task/${taskId}` : undefined);
  const actions = useTaskActions(taskId ? task.data : undefined);
  const [chosen, setChosen] = useState<Chosen>();
  const [save, setSave] = useState<SaveState>({ state: 'clean' });
  const [said, setSaid] = useState('');
  const intent = useRef(new IntentKey());
  const errorText = useErrorText();
  const reference = `Patient/${patient}`;
  const work = workOf(chosen, task.data, actions.data, reference);
  const [fresh, takeFiles] = useFreshMedia(work && workKey(work));
  useEffect(() => { setChosen(undefined); setSave({ state: 'clean' }); setSaid(''); }, [patient]);
  useEffect(() => { setChosen((c) => (c?.kind === 'move' ? undefined : c)); }, [taskId]);

  const done = (moved: Task, title: string) => {
    client.setQueryData(['Task', 'read', moved.id], moved);
    void client.invalidateQueries({ predicate: (q) => ['Task', 'Slot', 'Appointment', 'DiagnosticReport'].includes(String(q.queryKey[0])) });
    setSave({ state: 'county', at: timeText(new Date(serverNow()).toISOString(), true).slice(11) });
    setSaid(title);
    setChosen(undefined);
    const of = idOf(moved.for?.reference) ?? patient;
    if (moved.id !== taskId) go({ screen: 'patient', patient: of, task: moved.id, from });
  };

  /** An action without a form is one key: nothing to fill, nothing to confirm, unless it is marked as dangerous. */
  const choose = (action: Action) => {
    if (action.questionnaire || action.danger || !task.data) {
      setChosen({ kind: 'move', code: action.code });
      return;
    }
    const now: Work = { kind: 'move', task: task.data, action };
    const body = workBody(now, undefined);
    setSaid(action.title);
    setSave({ state: 'sending' });
    sendWork(now, body, intent.current.keyFor([now.task.id, now.task.meta?.versionId, body])).then((a) => done(a.body, action.title)).catch((error: unknown) => {
      void client.invalidateQueries({ queryKey: ['Task'] });
      setSave(refusedSave(error, errorText(error)));
      const issues = error instanceof ApiError ? error.refusal.issues : [];
      const mender = menderOf(issues, actions.data);
      if (mender) setChosen({ kind: 'move', code: mender.code, refused: issues });
    });
  };

  if (person.isError) return <div className="screen"><Failed error={person.error} again={() => void person.refetch()} /></div>;
  if (person.isPending) return <Waiting />;
  const timeline = <Timeline patient={patient} pathways={pathways.data} current={taskId} />;
  return (
    <div className="workspace">
      <PatientBanner patient={person.data} />
      <GlassBanner patient={patient} user={user} />
      <div className="workspace-bar">
        {taskId && <Button size="small" icon={<LeftOutlined />} href={routeText({ screen: 'patient', patient, from })}>{t('chart.whole')}</Button>}
        <StartMenu patient={reference} pathways={pathways.data ?? []} choose={({ pathway, action }) => setChosen({ kind: 'begin', pathway, action })} />
        {said && <b>{said}</b>}<SaveNote save={save} />
      </div>
      <div className="workspace-cols">
        <section className="centre">
          {chosen?.kind === 'move' && !work && actions.data && <Alert type="warning" showIcon message={t('case.no-longer')} closable onClose={() => setChosen(undefined)} />}
          {!taskId && fresh.length > 0 && <MediaView media={fresh} />}
          {!taskId && timeline}
          {taskId && task.isError && <Failed error={task.error} again={() => void task.refetch()} />}
          {taskId && task.isPending && <Waiting />}
          {taskId && task.data && (
            <CaseView task={task.data} pathways={pathways.data} actions={actions.data} active={work?.kind === 'move' ? work.action : undefined}
              choose={choose} fresh={fresh} timeline={timeline} />
          )}
          {actions.isError && <Failed error={actions.error} again={() => void actions.refetch()} />}
        </section>
        {work && (
          <ActionPanel key={workKey(work)} work={work} refusal={chosen?.kind === 'move' ? chosen.refused : undefined} user={user} patient={reference} done={done} close={() => setChosen(undefined)} onFiles={takeFiles} />
        )}
      </div>
    </div>
  );
}
