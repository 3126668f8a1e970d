/** The trail, for the audit administrator: who saw this patient, and what did this person see. */
import { useState } from 'react';
import { Alert, Button, Input, Segmented, Tag } from 'antd';
import { DownloadOutlined, PrinterOutlined, SearchOutlined } from '../app/icons.ts';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { retryable } from '../api/queries.ts';
import { serverNow } from '../api/session.ts';
import { namesOf, trailCsv, trailPage, trailPath, type TrailAsked, type TrailKind, type TrailRow } from '../api/trail.ts';
import { ClearIcon } from '../app/inputs.tsx';
import { Failed, Waiting } from '../app/parts.tsx';
import { dayText, timeText } from '../logic/clock.ts';
import './audit.css';

const COLUMNS = ['at', 'account', 'person', 'role', 'organization', 'doing', 'what', 'patients', 'status', 'address'] as const;
const MONTH_MS = 30 * 86_400_000;

function useWords() {
  const { t } = useTranslation();
  return {
    doing: (code: string) => t(`audit.do-${code}`, { defaultValue: code }),
    role: (code: string) => (code ? t(`role.${code}`, { defaultValue: code }) : ''),
    column: (code: string) => t(`audit.col-${code}`),
  };
}

function Row({ row, names }: { row: TrailRow; names: Map<string, string> }) {
  const words = useWords();
  const patients = row.patients.slice(0, 3).join('、') + (row.patients.length > 3 ? ` +${row.patients.length - 3}` : '');
  return (
    <tr data-record={row.id}>
      <td className="cell-number" data-label={words.column('at')}>{timeText(row.at, true)}</td>
      <td data-label={words.column('account')}>{row.account}</td>
      <td className="cell-name" data-label={words.column('person')}>{names.get(row.person) ?? row.person}</td>
      <td data-label={words.column('role')}>{words.role(row.role)}</td>
      <td data-label={words.column('organization')}>{names.get(row.organization) ?? row.organization}</td>
      <td data-label={words.column('doing')}>{words.doing(row.doing)}</td>
      <td className="audit-what" title={row.what} data-label={words.column('what')}>{row.what}</td>
      <td className="audit-what" title={row.patients.join('\n')} data-label={words.column('patients')}>{patients}</td>
      <td data-label={words.column('status')}><Tag color={row.good ? undefined : 'orange'}>{row.status.replace('HTTP ', '')}</Tag></td>
      <td className="cell-number" data-label={words.column('address')}>{row.address}</td>
    </tr>
  );
}

function Question({ ask }: { ask: (asked: TrailAsked) => void }) {
  const { t } = useTranslation();
  const [asked, set] = useState<TrailAsked>({ kind: 'patient', who: '', from: dayText(serverNow() - MONTH_MS), to: dayText(serverNow()) });
  const may = asked.who.trim() !== '' && asked.from !== '' && asked.to !== '' && asked.from <= asked.to;
  return (
    <form className="audit-bar" onSubmit={(e) => { e.preventDefault(); if (may) ask({ ...asked }); }}>
      <Segmented value={asked.kind} onChange={(kind) => set({ ...asked, kind: kind as TrailKind })}
        options={[{ value: 'patient', label: t('audit.by-patient') }, { value: 'person', label: t('audit.by-person') }]} />
      <Input value={asked.who} allowClear={{ clearIcon: <ClearIcon /> }} autoFocus placeholder={t(`audit.who-${asked.kind}`)} aria-label={t(`audit.who-${asked.kind}`)} data-who
        onChange={(e) => set({ ...asked, who: e.target.value })} />
      <label>{t('figures.start')} <input type="date" required value={asked.from} max={asked.to} onChange={(e) => set({ ...asked, from: e.target.value })} data-from /></label>
      <label>{t('figures.end')} <input type="date" required value={asked.to} min={asked.from} onChange={(e) => set({ ...asked, to: e.target.value })} data-to /></label>
      <Button type="primary" htmlType="submit" icon={<SearchOutlined />} disabled={!may} data-ask>{t('audit.ask')}</Button>
    </form>
  );
}

/** The file is made here, from the same pages that the table shows. */
function useCsv(path: string, names: Map<string, string>) {
  const { t } = useTranslation();
  const words = useWords();
  const [state, setState] = useState<'idle' | 'busy' | 'cut' | 'failed'>('idle');
  const lineOf = (r: TrailRow) => [
    r.at, r.account, names.get(r.person) ?? r.person, words.role(r.role), names.get(r.organization) ?? r.organization, words.doing(r.doing), r.what,
    r.patients.join(' '), r.status, r.address,
  ];
  const save = async () => {
    setState('busy');
    try {
      const { text, whole } = await trailCsv(path, COLUMNS.map((c) => t(`audit.col-${c}`)), lineOf);
      const link = document.createElement('a');
      link.href = URL.createObjectURL(new Blob([text], { type: 'text/csv;charset=utf-8' }));
      link.download = `audit-${dayText(serverNow())}.csv`;
      link.click();
      URL.revokeObjectURL(link.href);
      setState(whole ? 'idle' : 'cut');
    } catch {
      setState('failed');
    }
  };
  return { state, save };
}

function Answer({ asked }: { asked: TrailAsked }) {
  const { t } = useTranslation();
  const words = useWords();
  const path = trailPath(asked);
  const pages = useInfiniteQuery({
    queryKey: ['trail', path], queryFn: ({ pageParam, signal }) => trailPage(pageParam, signal), initialPageParam: path,
    getNextPageParam: (last) => last.next, retry: retryable, staleTime: Infinity,
  });
  const rows = pages.data?.pages.flatMap((p) => p.rows) ?? [];
  const references = [...new Set(rows.flatMap((r) => [r.person, r.organization]))].filter(Boolean).sort();
  const names = useQuery({ queryKey: ['trail-names', references], queryFn: ({ signal }) => namesOf(references, signal), enabled: references.length > 0, retry: retryable }).data ?? new Map<string, string>();
  const csv = useCsv(path, names);
  if (pages.isPending) return <Waiting />;
  if (pages.isError) return <Failed error={pages.error} again={() => void pages.refetch()} />;
  return (
    <>
      <div className="audit-doings">
        <b>{t(`audit.title-${asked.kind}`, { who: asked.who.trim() })}</b>
        <span className="q-help" data-count>{t('audit.count', { n: rows.length })}{pages.hasNextPage && '+'} · {asked.from} – {asked.to}</span>
        <Button size="small" icon={<DownloadOutlined />} loading={csv.state === 'busy'} disabled={rows.length === 0} onClick={() => void csv.save()} data-csv>{t('audit.csv')}</Button>
        <Button size="small" icon={<PrinterOutlined />} disabled={rows.length === 0} onClick={() => window.print()} data-print>{t('figures.print')}</Button>
      </div>
      {(csv.state === 'cut' || csv.state === 'failed') && <Alert type="warning" showIcon message={t(`audit.csv-${csv.state}`)} />}
      {rows.length === 0 ? <p className="empty">{t('audit.none')}</p> : (
        <table className="grid grid-fold audit-grid">
          <thead><tr>{COLUMNS.map((c) => <th key={c}>{words.column(c)}</th>)}</tr></thead>
          <tbody>{rows.map((r) => <Row key={r.id} row={r} names={names} />)}</tbody>
        </table>
      )}
      {pages.hasNextPage && <Button block loading={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()} data-older>{t('audit.older')}</Button>}
    </>
  );
}

export default function AuditScreen() {
  const { t } = useTranslation();
  const [asked, ask] = useState<TrailAsked>();
  return (
    <div className="screen worklist audit">
      <div className="worklist-head"><h2>{t('audit.title')}</h2><span className="q-help">{t('audit.help')}</span></div>
      <Question ask={ask} />
      {asked && <Answer key={JSON.stringify(asked)} asked={asked} />}
    </div>
  );
}
