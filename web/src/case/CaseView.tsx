/** One case in the centre: drawing, what was written, the steps taken, and the printed page; tabs, never a dialog. */
import { useEffect, useState } from 'react';
import { Tabs } from 'antd';
import { useTranslation } from 'react-i18next';
import type { Action, Pathway } from '../api/pathways.ts';
import { Failed, Waiting } from '../app/parts.tsx';
import { typeOf, type Attachment, type Reference, type Task } from '../logic/fhir.ts';
import { heldMedia } from '../logic/held.ts';
import { mediaOf, type Medium } from '../logic/media.ts';
import { MediaView } from '../viewers/MediaView.tsx';
import { CaseBar, printsFor } from './CaseBar.tsx';
import { CasePapers } from './CasePapers.tsx';
import { CaseSteps } from './CaseSteps.tsx';
import { PrintView } from './PrintView.tsx';
import { useHeld } from './useHeld.ts';

interface Props {
  task: Task;
  pathways: Pathway[] | undefined;
  actions: Action[] | undefined;
  active?: Action;
  choose: (action: Action) => void;
  fresh: Medium[];
  timeline: React.ReactNode;
}

function shownMedia(action: Action | undefined): Medium[] {
  const files = (action?.show ?? []).flatMap((s): Attachment[] => {
    const ref = (s as Reference).reference;
    if (ref) return typeOf(ref) === 'Binary' ? [{ url: ref, title: (s as Reference).display }] : [];
    return [s as Attachment];
  });
  return mediaOf(files);
}

/** Files just sent come first, then what the action's form asks to see, then what the case holds; each once. */
function union(...lists: Medium[][]): Medium[] {
  const seen = new Set<string>();
  return lists.flat().filter((m) => !seen.has(m.key) && Boolean(seen.add(m.key)));
}

export function CaseView({ task, pathways, actions, active, choose, fresh, timeline }: Props) {
  const { t } = useTranslation();
  const held = useHeld(task);
  const [print, setPrint] = useState<string>();
  const [tab, setTab] = useState<string>();
  useEffect(() => { setPrint(undefined); setTab(undefined); }, [task.id]);
  const media = union(fresh, shownMedia(active), heldMedia(task, held.data?.resources ?? []));
  useEffect(() => { if (fresh.length > 0) setTab('media'); }, [fresh.length]);
  const paper = printsFor(task, pathways).find((p) => p.code === print);
  const open = tab ?? (media.length > 0 ? 'media' : 'papers');
  const items = [
    ...(media.length > 0 ? [{ key: 'media', label: t('case.media'), children: <MediaView task={task} media={media} /> }] : []),
    { key: 'papers', label: t('case.papers'), children: held.isError ? <Failed error={held.error} again={() => void held.refetch()} /> : held.data ? <CasePapers task={task} held={held.data} pathways={pathways} /> : <Waiting /> },
    { key: 'steps', label: t('case.steps'), children: <CaseSteps task={task} steps={held.data?.steps ?? []} pathways={pathways} /> },
    { key: 'timeline', label: t('case.timeline'), children: timeline },
    ...(paper ? [{ key: 'print', label: paper.title, children: <PrintView task={task} print={paper} /> }] : []),
  ];
  return (
    <>
      <CaseBar task={task} pathways={pathways} actions={actions} held={held.data} active={active?.code} choose={choose} print={(p) => { setPrint(p.code); setTab('print'); }} />
      <Tabs className="case-tabs" size="small" activeKey={items.some((i) => i.key === open) ? open : 'papers'} onChange={setTab} items={items} destroyOnHidden />
    </>
  );
}
