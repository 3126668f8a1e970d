/**
 * A recording from the server's decoder on its paper, beside an earlier one of the same patient when asked for. The
 * earlier ones are found through the patient's other cases of the same kind.
 */
import { Suspense, lazy, useCallback, useRef, useState } from 'react';
import { Select } from 'antd';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { getJson } from '../api/http.ts';
import { retryable, useDiagnosis, useResource } from '../api/queries.ts';
import { readHeld } from '../case/useHeld.ts';
import { Failed, Waiting } from '../app/parts.tsx';
import { insertText } from '../forms/insert.ts';
import { timeText } from '../logic/clock.ts';
import { PATHWAY_SYSTEM, nameText, pathwayOf, resourcesOf, type Bundle, type Parameters, type Patient, type Task } from '../logic/fhir.ts';
import { heldMedia } from '../logic/held.ts';
import { samplesPath, type Medium } from '../logic/media.ts';
import { envelopesOf, recordingOf, type Recording, type Subject } from './samples.ts';

const EcgViewer = lazy(() => import('./EcgViewer.tsx'));

/** Of a recording of hours only a window is here: a minute, begun every half, so that a page always lies within one. */
const WINDOW_S = 60, STEP_S = 30, BUCKETS = 2000;

function useWindow(medium: Medium | undefined, number: number, wanted = true) {
  const path = medium && samplesPath(medium, { start: number * STEP_S, duration: WINDOW_S });
  const key = medium?.key;
  return useQuery({
    queryKey: ['Binary', '$ecg', key, path],
    queryFn: async ({ signal }) => recordingOf(await getJson<Parameters>(path ?? '', signal)),
    enabled: Boolean(path) && wanted,
    placeholderData: (old, query) => (query?.queryKey[2] === key ? old : undefined), // the sheet stays while the next window comes
    staleTime: Infinity,
    gcTime: 60_000,
    retry: retryable,
  });
}

function useOverview(medium: Medium, long: boolean) {
  const path = samplesPath(medium, { overview: BUCKETS });
  return useQuery({
    queryKey: ['Binary', '$ecg', 'overview', path],
    queryFn: async ({ signal }) => envelopesOf(await getJson<Parameters>(path ?? '', signal)),
    enabled: Boolean(path) && long,
    staleTime: Infinity,
    retry: retryable,
  });
}

const EARLIER_MAX = 8;

/** Media of the patient's other cases of this kind, newest first; cases this person may not read are simply absent. */
async function earlierMedia(task: Task, signal: AbortSignal): Promise<Medium[]> {
  const code = encodeURIComponent(`${PATHWAY_SYSTEM}|${pathwayOf(task) ?? ''}`);
  const bundle = await getJson<Bundle>(`/fhir/Task?patient=${task.for?.reference}&code=${code}&_sort=-authored-on&_count=${EARLIER_MAX}`, signal);
  const others = resourcesOf<Task>(bundle, 'Task').filter((o) => o.id !== task.id);
  const held = await Promise.all(others.map(async (o) => heldMedia(o, (await readHeld(o, signal)).resources)));
  return held.flat().filter((m) => m.kind === 'ecg' || m.kind === 'unknown');
}

function useEarlier(task: Task | undefined) {
  return useQuery({
    queryKey: ['Task', 'earlier', task?.id],
    queryFn: ({ signal }) => earlierMedia(task as Task, signal),
    enabled: Boolean(task?.id && task.for?.reference),
    staleTime: 60_000,
    retry: retryable,
  });
}

function Compare({ earlier, chosen, choose }: { earlier: Medium[]; chosen?: string; choose: (key?: string) => void }) {
  const { t } = useTranslation();
  if (earlier.length === 0) return <span className="q-help">{t('media.no-earlier')}</span>;
  return (
    <label className="compare">
      {t('media.compare')}
      <Select size="small" allowClear value={chosen} onChange={choose} placeholder={t('media.choose-earlier')} style={{ minWidth: '13.5rem' }}
        options={earlier.map((m) => ({ value: m.key, label: `${timeText(m.at)} ${m.title}` }))} />
    </label>
  );
}

/** What the machine and the chart both know must agree; what only one knows says nothing. */
function isOther(subject: Subject, patient: Patient | undefined): boolean {
  const plain = (text: string | undefined) => text?.replace(/\s/g, '').toLowerCase() ?? '';
  const differ = (a: string | undefined, b: string | undefined) => Boolean(a && b && plain(a) !== plain(b));
  if (!patient) return false;
  return differ(subject.name, nameText(patient.name)) || differ(subject.gender, patient.gender) || differ(subject.birthDate, patient.birthDate);
}

/** The machine's own words about the person, in red when they are not those of the chart. */
function MachineSubject({ subject, patient }: { subject?: Subject; patient?: Patient }) {
  const { t } = useTranslation();
  const said = [subject?.name, subject?.gender && t(`gender.${subject.gender}`, { defaultValue: subject.gender }), subject?.birthDate].filter(Boolean).join(' ');
  if (!subject || !said) return null;
  const other = isOther(subject, patient);
  return <span className={other ? 'q-error' : 'q-help'} role={other ? 'alert' : undefined}>{t(other ? 'media.other-person' : 'media.machine-person', { said })}</span>;
}

export default function RecordingView({ task, medium }: { task?: Task; medium: Medium }) {
  const { t, i18n } = useTranslation();
  const [at, setAt] = useState(0);
  const recording = useWindow(medium, at);
  const shown = useRef<Recording>();
  shown.current = recording.data ?? shown.current; // a window that cannot be had leaves the one before on the sheet
  const data = shown.current;
  const duration = data?.duration ?? 0;
  const long = duration > WINDOW_S;
  useWindow(medium, at + 1, long && (at + 1) * STEP_S < duration);
  const overview = useOverview(medium, long);
  const diagnosis = useDiagnosis(); // the recording is kept for long; the switch is looked at again
  const turn = useCallback((from: number) => setAt(Math.floor(from / STEP_S)), []);
  const earlier = useEarlier(task);
  const patient = useResource<Patient>(task?.for?.reference);
  const candidates = (earlier.data ?? []).filter((m) => m.key !== medium.key);
  const [chosen, setChosen] = useState<string>();
  const other = useWindow(candidates.find((m) => m.key === chosen), at);
  if (recording.isPending && !data) return <Waiting />;
  if (!data) {
    return (
      <div className="media-failed">
        <Failed error={recording.error} again={() => void recording.refetch()} />
        {medium.files.map((f) => <a key={f.url} href={`/fhir/${f.url}`} target="_blank" rel="noreferrer">{f.title ?? f.url}</a>)}
      </div>
    );
  }
  return (
    <div className="trace">
      <div className="recording-bar">
        {task && <Compare earlier={candidates} chosen={chosen} choose={setChosen} />}
        <MachineSubject subject={data.subject} patient={patient.data} />
        {data.rebuilt && <span className="q-help">{t('media.rebuilt')}</span>}
      </div>
      {recording.isError && <Failed error={recording.error} again={() => void recording.refetch()} />}
      {overview.isError && <Failed error={overview.error} again={() => void overview.refetch()} />}
      <Suspense fallback={<Waiting />}>
        <EcgViewer leads={data.leads} startTime={data.startTime} compareWith={other.data} lang={i18n.language} notForDiagnosis={diagnosis.data ? !diagnosis.data.on : data.notForDiagnosis} omitted={data.omitted}
          overview={long ? overview.data ?? [] : undefined} loading={recording.isPlaceholderData || overview.isFetching} onTurn={turn} onMeasure={insertText} />
      </Suspense>
    </div>
  );
}
