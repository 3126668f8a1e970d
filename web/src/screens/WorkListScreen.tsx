/** A work list: dense rows in the server's order, clocks that tick, live without reloading; arrows move, Enter opens. */
import { useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import type { Pathway } from '../api/pathways.ts';
import { go } from '../app/route.ts';
import { CaseClock, Failed, StateTag, UrgencyTag, Waiting, pathwayTitle, useAgeText, useNow } from '../app/parts.tsx';
import { claimantOf } from '../case/CaseBar.tsx';
import { shortTime } from '../logic/clock.ts';
import { idOf, nameText } from '../logic/fhir.ts';
import { GenderText, useListKeys } from './FindScreen.tsx';
import { useCases, type WorkRow } from './useWorkList.ts';

export function openCase(row: WorkRow, from?: string): void {
  const patient = idOf(row.task.for?.reference);
  if (patient) go({ screen: 'patient', patient, task: row.task.id, from });
}

const COLUMNS = ['priority', 'state', 'clock', 'name', 'gender', 'age', 'what', 'requester', 'owner', 'claimant', 'asked'];

function CaseRow({ row, on, pathways, open }: { row: WorkRow; on: boolean; pathways: Pathway[]; open: () => void }) {
  const { t } = useTranslation();
  const age = useAgeText();
  const now = useNow();
  const { task, patient } = row;
  const line = useRef<HTMLTableRowElement>(null);
  useEffect(() => { if (on) line.current?.scrollIntoView({ block: 'nearest' }); }, [on]);
  return (
    <tr ref={line} className={on ? 'row row-on' : 'row'} onClick={open} aria-selected={on} data-task={task.id}>
      <td><UrgencyTag priority={task.priority} /></td>
      <td><StateTag task={task} pathways={pathways} /></td>
      <td><CaseClock task={task} /></td>
      <td className="cell-name">{patient ? nameText(patient.name) : task.for?.display}</td>
      <td><GenderText code={patient?.gender} /></td>
      <td>{age(patient)}</td>
      <td className="cell-what" title={task.description}>{task.description ?? pathwayTitle(task, pathways)}</td>
      <td data-label={t('col.requester')}>{task.requester?.display}</td>
      <td data-label={t('col.owner')}>{task.owner?.display}</td>
      <td data-label={t('col.claimant')}>{claimantOf(task)?.who?.display}</td>
      <td className="cell-number" data-label={t('col.asked')}>{shortTime(task.authoredOn, now)}</td>
    </tr>
  );
}

interface Props { title: string; query: string; pathways: Pathway[]; from?: string; empty: string }

export function CaseList({ title, query, pathways, from, empty }: Props) {
  const { t } = useTranslation();
  const list = useCases(query);
  const rows = list.data?.rows ?? [];
  const open = (n: number) => { if (rows[n]) openCase(rows[n], from); };
  const { at, keys } = useListKeys(rows.length, open);
  const table = useRef<HTMLDivElement>(null);
  useEffect(() => { table.current?.focus({ preventScroll: true }); }, [query, list.isPending]);
  return (
    <div className="screen worklist">
      <div className="worklist-head">
        <h2>{title}</h2>
        <span className="q-help">{list.data && t('list.count', { n: `${rows.length}${list.data.more ? '+' : ''}` })}</span>
      </div>
      {list.isError && <Failed error={list.error} again={() => void list.refetch()} />}
      {list.isPending && <Waiting />}
      {list.data && rows.length === 0 && <p className="empty">{empty}</p>}
      {rows.length > 0 && (
        <div ref={table} tabIndex={0} onKeyDown={keys} className="rows" role="group" aria-label={title || t('figures.open-rows')}>
          <table className="grid grid-fold">
            <thead><tr>{COLUMNS.map((c) => <th key={c}>{t(`col.${c}`)}</th>)}</tr></thead>
            <tbody>{rows.map((row, n) => <CaseRow key={row.task.id} row={row} on={n === at} pathways={pathways} open={() => open(n)} />)}</tbody>
          </table>
        </div>
      )}
    </div>
  );
}
