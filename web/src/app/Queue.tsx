/** The list a case was opened from stays at the left as a queue: the next one is a key away (Alt+↓, Alt+↑). */
import { Button } from 'antd';
import { LeftOutlined, MenuFoldOutlined, MenuUnfoldOutlined } from './icons.ts';
import { useTranslation } from 'react-i18next';
import type { Pathway } from '../api/pathways.ts';
import { nameText } from '../logic/fhir.ts';
import { GenderText } from '../screens/FindScreen.tsx';
import { openCase } from '../screens/WorkListScreen.tsx';
import { useWorkList } from '../screens/useWorkList.ts';
import { CaseClock, StateTag, UrgencyTag, useAgeText, useHotkey } from './parts.tsx';
import { routeText } from './route.ts';

interface Props { from: string; pathways: Pathway[]; current?: string; narrow: boolean; setNarrow: (on: boolean) => void }

export function Queue({ from, pathways, current, narrow, setNarrow }: Props) {
  const { t } = useTranslation();
  const age = useAgeText();
  const [pathway, code] = from.split('/');
  const list = pathways.find((p) => p.code === pathway)?.lists.find((l) => l.code === code);
  const rows = useWorkList(list).data?.rows ?? [];
  const at = rows.findIndex((r) => r.task.id === current);
  const step = (n: number) => { const row = rows[at < 0 ? 0 : at + n]; if (row) openCase(row, from); };
  useHotkey((e) => e.altKey && e.key === 'ArrowDown', () => step(1));
  useHotkey((e) => e.altKey && e.key === 'ArrowUp', () => step(-1));
  if (narrow) return <div className="queue queue-narrow"><Button type="text" size="small" icon={<MenuUnfoldOutlined />} title={t('queue.open')} onClick={() => setNarrow(false)} /></div>;
  return (
    <nav className="queue" aria-label={list?.title}>
      <div className="queue-head">
        <a href={routeText({ screen: 'list', pathway, list: code })}><LeftOutlined /> {list?.title ?? t('queue.back')}</a> <span className="nav-count">{rows.length}</span>
        <Button type="text" size="small" icon={<MenuFoldOutlined />} title={t('queue.fold')} onClick={() => setNarrow(true)} />
      </div>
      {rows.map((row) => (
        <button key={row.task.id} type="button" className={row.task.id === current ? 'queue-row queue-on' : 'queue-row'} onClick={() => openCase(row, from)}>
          <span className="queue-line"><b>{row.patient ? nameText(row.patient.name) : row.task.for?.display}</b> <GenderText code={row.patient?.gender} /> {age(row.patient)}<UrgencyTag priority={row.task.priority} /></span>
          <span className="queue-line"><StateTag task={row.task} pathways={pathways} /><CaseClock task={row.task} /></span>
        </button>
      ))}
    </nav>
  );
}
