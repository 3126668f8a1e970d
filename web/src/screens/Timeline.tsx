/** One line of time across the institutions, newest first, by episode; each case opens from its head. */
import { useState } from 'react';
import { Alert, Button, Checkbox, Tag } from 'antd';
import { useTranslation } from 'react-i18next';
import type { Pathway } from '../api/pathways.ts';
import { go } from '../app/route.ts';
import { CaseClock, Failed, StateTag, UrgencyTag, Waiting, pathwayTitle } from '../app/parts.tsx';
import { timeText } from '../logic/clock.ts';
import { knownStep } from '../case/CaseSteps.tsx';
import { pathwayOf, type Task } from '../logic/fhir.ts';
import { entriesOf, episodesOf, type Entry, type EntryKind, type Episode } from '../logic/timeline.ts';
import { useTimeline } from './useTimeline.ts';

const KINDS: EntryKind[] = ['step', 'result', 'visit', 'booking', 'vital'];

function EntryLine({ entry, tasks, pathways }: { entry: Entry; tasks: Task[]; pathways: Pathway[] | undefined }) {
  const { t, i18n } = useTranslation();
  const task = tasks.find((x) => `Task/${x.id}` === entry.task);
  const pathway = pathways?.find((p) => p.code === pathwayOf(task));
  const visit = `class.${entry.code}`;
  const known = entry.kind === 'visit' && i18n.exists(visit) ? t(visit) : entry.title;
  const title = entry.kind === 'step' ? knownStep(entry.code, entry.title, task, pathways) ?? t('kind.opened') : known;
  const status = entry.status && `status.${entry.status}`;
  return (
    <li className={`entry entry-${entry.kind}`}>
      <time>{timeText(entry.at)}</time>
      <Tag color={pathway?.color} className="entry-kind">{task ? pathwayTitle(task, pathways) : t(`kind.${entry.kind}`)}</Tag>
      <span className="entry-body">
        <b>{title}</b>
        {status && i18n.exists(status) && <small> {t(status)}</small>}
        {entry.text && <span className={entry.color ? `entry-text level-${entry.color}` : 'entry-text'}>{entry.text}</span>}
      </span>
      <span className="entry-who">{[entry.place, entry.kind === 'step' && entry.by === undefined ? t('case.by-clock') : entry.who].filter(Boolean).join(' · ')}</span>
    </li>
  );
}

function EpisodeBlock({ episode, shown, patient, pathways, current }: { episode: Episode; shown: Set<EntryKind>; patient: string; pathways: Pathway[] | undefined; current?: string }) {
  const { t } = useTranslation();
  const entries = episode.entries.filter((e) => shown.has(e.kind));
  if (episode.tasks.length === 0 && entries.length === 0) return null;
  return (
    <section className="episode">
      {episode.tasks.length === 0 && <h4 className="episode-head">{t('timeline.no-case')}</h4>}
      {[...episode.tasks].sort((a, b) => (b.authoredOn ?? '').localeCompare(a.authoredOn ?? '')).map((task) => (
        <h4 key={task.id} className={task.id === current ? 'episode-head episode-on' : 'episode-head'}>
          <Button type="link" size="small" data-case={task.id} onClick={() => go({ screen: 'patient', patient, task: task.id })}>{pathwayTitle(task, pathways)}</Button>
          <StateTag task={task} pathways={pathways} /><UrgencyTag priority={task.priority} /><CaseClock task={task} />
          <small>{timeText(task.authoredOn)} · {task.requester?.display} → {task.owner?.display}</small>
        </h4>
      ))}
      <ol className="entries">{entries.map((e) => <EntryLine key={e.key} entry={e} tasks={episode.tasks} pathways={pathways} />)}</ol>
    </section>
  );
}

export function Timeline({ patient, pathways, current }: { patient: string; pathways: Pathway[] | undefined; current?: string }) {
  const { t } = useTranslation();
  const data = useTimeline(`Patient/${patient}`);
  const [kinds, setKinds] = useState<EntryKind[]>(KINDS);
  if (data.isPending) return <Waiting />;
  if (data.isError) return <Failed error={data.error} again={() => void data.refetch()} />;
  const { tasks, others, unread } = data.data;
  const episodes = episodesOf(tasks, entriesOf(tasks, others));
  const shown = new Set(kinds);
  return (
    <div className="timeline">
      <div className="timeline-bar"><Checkbox.Group value={kinds} onChange={(v) => setKinds(v as EntryKind[])} options={KINDS.map((k) => ({ value: k, label: t(`kind.${k}`) }))} /></div>
      {unread.length > 0 && <Alert type="warning" banner message={t('timeline.unread', { types: unread.map((u) => t(`type.${u}`, { defaultValue: u })).join('、') })} />}
      {episodes.length === 0 && <p className="empty">{t('timeline.empty')}</p>}
      {episodes.map((e) => <EpisodeBlock key={e.key} episode={e} shown={shown} patient={patient} pathways={pathways} current={current} />)}
    </div>
  );
}
