/** Erasing for good: proposed by one administrator, confirmed by another; each with the own password again. */
import { useEffect, useRef, useState } from 'react';
import { Alert, Button, Form, Input, Tag } from 'antd';
import { CloseOutlined, DeleteOutlined } from '../app/icons.ts';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { SecretFields, useSending } from '../app/Secret.tsx';
import { decidePurge, listPurges, lookPurge, proposePurge, type Purge, type PurgeExtent, type PurgeLook, type Secret } from '../api/system.ts';
import { retryable } from '../api/queries.ts';
import { Failed, Waiting, useFocusBack, useHotkey } from '../app/parts.tsx';
import { timeText } from '../logic/clock.ts';
import { nameText } from '../logic/fhir.ts';
import { useListKeys } from './FindScreen.tsx';
import './accounts.css';

const COLORS: Record<string, string | undefined> = { proposed: 'gold', confirmed: 'red', erasing: 'red', tidying: 'volcano', erased: 'default', denied: 'default' };
const AT_WORK = ['confirmed', 'erasing'];
const COLUMNS = ['proposed', 'targets', 'reason', 'proposer', 'state', 'decider'];

function Row({ purge, on, open }: { purge: Purge; on: boolean; open: () => void }) {
  const { t } = useTranslation();
  const line = useRef<HTMLTableRowElement>(null);
  useEffect(() => { if (on) line.current?.scrollIntoView({ block: 'nearest' }); }, [on]);
  return (
    <tr ref={line} className={on ? 'row row-on' : 'row'} aria-selected={on} onClick={open} data-purge={purge.id} data-state={purge.state}>
      <td className="cell-number">{timeText(purge.proposed)}</td>
      <td className="cell-what" title={purge.targets.join(' ')}>{purge.targets.join(' ')}</td>
      <td className="cell-what" title={purge.reason}>{purge.reason}</td>
      <td>{purge.proposer}</td>
      <td><Tag color={COLORS[purge.state]}>{t(`purge.${purge.state}`)}</Tag></td>
      <td>{purge.decider}</td>
    </tr>
  );
}

function ExtentLine({ extent }: { extent: PurgeExtent }) {
  const { t } = useTranslation();
  return (
    <p data-extent>
      {t('purge.extent', { resources: extent.resources, versions: extent.versions })}
      {extent.blobs > 0 && ` ${t('purge.blobs', { n: extent.blobs })}`}
      {extent.kept > 0 && ` ${t('purge.kept', { n: extent.kept })}`}
    </p>
  );
}

const targetsOf = (text: string | undefined): string[] => (text ?? '').split(/\s+/).filter(Boolean);

function ProposeForm({ close, done }: { close: () => void; done: () => void }) {
  const { t } = useTranslation();
  const [form] = Form.useForm<Secret & { targets: string; reason: string }>();
  const [look, setLook] = useState<PurgeLook>();
  const { failed, busy, run } = useSending();
  const rules = [{ required: true, message: t('fault.required') }];
  const lookNow = () => run(async () => setLook(await lookPurge(targetsOf(form.getFieldValue('targets') as string))), () => undefined);
  useFocusBack();
  useHotkey((e) => e.key === 'F8' && !!look, () => form.submit());
  useHotkey((e) => e.key === 'Escape', close);
  return (
    <aside className="panel" aria-label={t('purge.new')}>
      <header className="panel-head"><strong>{t('purge.new')}</strong><Button type="text" size="small" icon={<CloseOutlined />} aria-label={t('close')} onClick={close} /></header>
      <Form form={form} layout="vertical" requiredMark={false} className="panel-body" data-purge-form onValuesChange={(v) => { if ('targets' in v) setLook(undefined); }}
        onFinish={(v) => run(() => proposePurge({ ...v, targets: targetsOf(v.targets) }), done)}>
        <Alert type="warning" showIcon message={t('purge.warning')} />
        <Form.Item name="targets" label={t('purge.targets')} extra={<code>Patient/ID · Type/ID · Type/ID/_history/N</code>} rules={rules}><Input.TextArea autoFocus autoSize={{ minRows: 2, maxRows: 6 }} autoComplete="off" /></Form.Item>
        <Button onClick={lookNow} loading={busy} block data-look>{t('purge.look')}</Button>
        {look && <ExtentLine extent={look} />}
        {look?.patients.map((p) => <p key={p.id} data-masked>{t('purge.patient', { name: nameText(p.name), born: p.birthDate, card: p.identifier?.[0]?.value?.slice(-4) ?? '—' })}</p>)}
        <Form.Item name="reason" label={t('purge.reason')} rules={[...rules, { min: 4, message: t('purge.reason-rule') }]}><Input.TextArea autoSize={{ minRows: 2, maxRows: 6 }} maxLength={500} /></Form.Item>
        <SecretFields />
        {failed && <Alert type="error" showIcon message={failed} />}
        <Button type="primary" danger htmlType="submit" disabled={!look} loading={busy} block data-propose>{t('purge.propose')}<kbd>F8</kbd></Button>
      </Form>
    </aside>
  );
}

/** What this person may still decide about it. */
function decisions(purge: Purge, may: Set<string>, username: string): string[] {
  if (purge.state !== 'proposed') return [];
  return ['confirm', 'deny', 'withdraw'].filter((what) => may.has(what) && (what === 'withdraw') === (purge.proposer === username));
}

function PurgePanel({ purge, may, username, close, done }: { purge: Purge; may: Set<string>; username: string; close: () => void; done: () => void }) {
  const { t } = useTranslation();
  const [form] = Form.useForm<Secret>();
  const { failed, busy, run } = useSending();
  const offered = decisions(purge, may, username);
  useFocusBack();
  useHotkey((e) => e.key === 'Escape', close);
  const decide = (what: string) => void form.validateFields().then((secret) => run(() => decidePurge(purge.id, what, secret), () => { form.resetFields(); done(); }), () => undefined);
  useHotkey((e) => e.key === 'F8' && offered.length > 0, () => decide(offered[0]!));
  return (
    <aside className="panel" aria-label={t('purge.one')}>
      <header className="panel-head"><strong>{t('purge.one')}</strong><Tag color={COLORS[purge.state]} data-panel-state={purge.state}>{t(`purge.${purge.state}`)}</Tag><Button type="text" size="small" icon={<CloseOutlined />} aria-label={t('close')} onClick={close} /></header>
      <div className="panel-body">
        <ul className="account-list">{purge.targets.map((x) => <li key={x}><code>{x}</code></li>)}</ul>
        <p>{purge.reason}</p>
        <ExtentLine extent={purge} />
        <p className="q-help">{t('purge.proposed-by', { by: purge.proposer, at: timeText(purge.proposed), until: timeText(purge.expires) })}</p>
        {purge.decider && <p className="q-help">{t('purge.decided-by', { by: purge.decider, at: timeText(purge.decided) })}</p>}
        {purge.state === 'tidying' && <Alert type="info" showIcon message={t('purge.tidying-help')} />}
        {purge.state === 'erased' && <p className="q-help">{t('purge.done-at', { at: timeText(purge.finished) })}</p>}
        <p className="q-help">{t('purge.backups')}</p>
        {offered.length > 0 && (
          <Form form={form} layout="vertical" requiredMark={false} data-decide>
            <SecretFields />
            {failed && <Alert type="error" showIcon message={failed} />}
            <div className="account-doings">
              {offered.map((what, n) => <Button key={what} danger={what === 'confirm'} type={what === 'confirm' ? 'primary' : 'default'} loading={busy} onClick={() => decide(what)} data-do={what}>{t(`purge.do-${what}`)}{n === 0 && <kbd>F8</kbd>}</Button>)}
            </div>
          </Form>
        )}
      </div>
    </aside>
  );
}

export default function PurgesScreen() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [chosen, setChosen] = useState<string>();
  const [making, setMaking] = useState(false);
  const page = useQuery({
    queryKey: ['purges'], queryFn: ({ signal }) => listPurges(signal), retry: retryable,
    refetchInterval: (q) => (q.state.data?.purges.some((p) => AT_WORK.includes(p.state)) ? 1000 : 30_000),
  });
  const rows = page.data?.purges ?? [];
  const may = new Set(page.data?.may);
  const open = (n: number) => { if (rows[n]) { setMaking(false); setChosen(rows[n].id); } };
  const { at, setAt, keys } = useListKeys(rows.length, open);
  const one = rows.find((p) => p.id === chosen);
  const make = () => { setChosen(undefined); setMaking(true); };
  const done = () => { setMaking(false); void client.invalidateQueries({ queryKey: ['purges'] }); };
  const table = useRef<HTMLDivElement>(null);
  useEffect(() => { table.current?.focus({ preventScroll: true }); }, [page.isPending]);
  useHotkey((e) => e.key === 'F3' && may.has('propose'), make);
  return (
    <div className="beside accounts">
      <div className="screen worklist">
        <div className="worklist-head">
          <h2>{t('purge.title')}</h2>
          <span className="q-help">{t('purge.help')}</span>
          {may.has('propose') && <Button danger icon={<DeleteOutlined />} onClick={make} data-new-purge>{t('purge.new')}<kbd>F3</kbd></Button>}
        </div>
        {page.isError && <Failed error={page.error} again={() => void page.refetch()} />}
        {page.isPending && <Waiting />}
        {page.data && rows.length === 0 && <p className="empty">{t('purge.none')}</p>}
        {rows.length > 0 && (
          <div ref={table} tabIndex={0} onKeyDown={keys} className="rows" role="group" aria-label={t('purge.title')}>
            <table className="grid">
              <thead><tr>{COLUMNS.map((c) => <th key={c}>{t(`purge.col-${c}`)}</th>)}</tr></thead>
              <tbody>{rows.map((p, n) => <Row key={p.id} purge={p} on={n === at} open={() => { setAt(n); open(n); }} />)}</tbody>
            </table>
          </div>
        )}
      </div>
      {making && <ProposeForm close={() => setMaking(false)} done={done} />}
      {one && !making && <PurgePanel key={one.id} purge={one} may={may} username={page.data?.username ?? ''} close={() => setChosen(undefined)} done={done} />}
    </div>
  );
}
