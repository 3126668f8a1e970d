/** Tables of institutions, staff and residents: sent here, looked at, checked, then brought in. */
import { useRef, useState } from 'react';
import { Alert, Button, Progress, Segmented, Tag } from 'antd';
import { UploadOutlined } from '../app/icons.ts';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { isBusy, listImports, sendTable, type Import, type Kind, type Run } from '../api/imports.ts';
import { retryable } from '../api/queries.ts';
import { Failed, Waiting, useErrorText, useHotkey } from '../app/parts.tsx';
import { timeText } from '../logic/clock.ts';
import { useListKeys } from './FindScreen.tsx';
import { ImportPanel } from './ImportPanel.tsx';
import { RUN_COLORS } from './importWords.ts';
import './imports.css';

const KINDS: Kind[] = ['institutions', 'staff', 'residents'];

function Counts({ run }: { run: Run }) {
  const { t } = useTranslation();
  if (isBusy(run)) return <Progress size="small" percent={Math.floor(100 * (run.done ?? 0) / (run.total || 1))} />;
  if (run.made === undefined) return null;
  return <>{t(run.dry ? 'import.would-counts' : 'import.counts', { made: run.made, changed: run.changed, unchanged: run.unchanged, refused: run.refused })}</>;
}

function Row({ one, on, open }: { one: Import; on: boolean; open: () => void }) {
  const { t } = useTranslation();
  return (
    <tr className={on ? 'row row-on' : 'row'} aria-selected={on} onClick={open} data-import={one.table.id} data-run={one.run.state}>
      <td className="cell-name" title={one.table.name}>{one.table.name}</td>
      <td>{t(`import.${one.table.kind}`)}</td>
      <td><Tag color={RUN_COLORS[one.run.state]}>{t(`import.state-${one.run.state}`)}</Tag></td>
      <td className="import-counts"><Counts run={one.run} /></td>
      <td className="cell-number">{timeText(one.table.at)}</td>
    </tr>
  );
}

/** A table on its way to the server: the button, and how far it is. */
function Sender({ kind, sent }: { kind: Kind; sent: (one: Import) => void }) {
  const { t } = useTranslation();
  const errorText = useErrorText();
  const input = useRef<HTMLInputElement>(null);
  const [share, setShare] = useState<number>();
  const [failed, setFailed] = useState<string>();
  const send = async (file: File | undefined) => {
    if (!file) return;
    setShare(0);
    setFailed(undefined);
    try {
      sent(await sendTable(kind, file, setShare));
    } catch (error) {
      setFailed(errorText(error));
    } finally {
      setShare(undefined);
      if (input.current) input.current.value = '';
    }
  };
  useHotkey((e) => e.key === 'F3', () => input.current?.click());
  return (
    <>
      <input ref={input} type="file" accept=".csv,.txt,text/csv" hidden onChange={(e) => void send(e.target.files?.[0])} data-table-file />
      <Button type="primary" icon={<UploadOutlined />} loading={share !== undefined} onClick={() => input.current?.click()} data-send-table>{t('import.send')}<kbd>F3</kbd></Button>
      {share !== undefined && <Progress className="import-share" size="small" percent={Math.floor(share * 100)} />}
      {failed && <Alert type="error" showIcon closable message={failed} onClose={() => setFailed(undefined)} className="import-failed" />}
    </>
  );
}

export default function ImportScreen() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [kind, setKind] = useState<Kind>('institutions');
  const [chosen, setChosen] = useState<string>();
  const list = useQuery({
    queryKey: ['imports'], queryFn: ({ signal }) => listImports(signal), retry: retryable,
    refetchInterval: (query) => (query.state.data?.some((one) => isBusy(one.run)) ? 1000 : false),
  });
  const rows = list.data ?? [];
  const { at, keys } = useListKeys(rows.length, (n) => setChosen(rows[n]?.table.id));
  const changed = () => void client.invalidateQueries({ queryKey: ['imports'] });
  const open = rows.find((one) => one.table.id === chosen);
  return (
    <div className="beside imports">
      <div className="screen worklist">
        <div className="worklist-head"><h2>{t('import.title')}</h2><span className="q-help">{t('import.help')}</span></div>
        <div className="import-bar">
          <Segmented value={kind} onChange={(k) => setKind(k as Kind)} options={KINDS.map((k) => ({ value: k, label: t(`import.${k}`) }))} />
          <Sender kind={kind} sent={(one) => { client.setQueryData<Import[]>(['imports'], (before) => [one, ...(before ?? [])]); setChosen(one.table.id); changed(); }} />
        </div>
        <p className="q-help import-about">{t(`import.about-${kind}`)}</p>
        {list.isError && <Failed error={list.error} again={() => void list.refetch()} />}
        {list.isPending && <Waiting />}
        {list.data && rows.length === 0 && <p className="empty">{t('import.none')}</p>}
        {rows.length > 0 && (
          <div tabIndex={0} onKeyDown={keys} className="rows" role="group" aria-label={t('import.title')}>
            <table className="grid">
              <thead><tr>{['name', 'kind', 'state', 'result', 'at'].map((c) => <th key={c}>{t(`import.col-${c}`)}</th>)}</tr></thead>
              <tbody>{rows.map((one, n) => <Row key={one.table.id} one={one} on={n === at} open={() => setChosen(one.table.id)} />)}</tbody>
            </table>
          </div>
        )}
      </div>
      {open && <ImportPanel key={chosen} one={open} close={() => setChosen(undefined)} changed={changed} />}
    </div>
  );
}
