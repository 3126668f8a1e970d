/**
 * Alerts: a red banner on every screen until the case leaves the alert list; nothing is closed by clicking it away. When a
 * screen has shown a case, it takes the step that the server marked as the receipt, once.
 */
import { useCallback, useEffect, useRef, useState } from 'react';
import { Button } from 'antd';
import { AlertFilled, SoundOutlined } from './icons.ts';
import { useQueries, useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { getJson, newKey } from '../api/http.ts';
import { useAlertEvents, type LiveEvent } from '../api/events.ts';
import { actionsOf, type ListInfo, type Pathway } from '../api/pathways.ts';
import { retryable } from '../api/queries.ts';
import { sendWork, workBody } from '../case/work.ts';
import { type Bundle, type Parameters, type Task } from '../logic/fhir.ts';
import { listPath, rowsOf, type WorkRow } from '../screens/useWorkList.ts';
import { openCase } from '../screens/WorkListScreen.tsx';
import { CaseClock, StateTag, pathwayTitle } from './parts.tsx';
import { nameText } from '../logic/fhir.ts';

const SOUND = 'menkou.sound';

function useAlertRows(lists: ListInfo[]): WorkRow[] {
  const results = useQueries({
    queries: lists.map((list) => ({
      queryKey: ['Task', 'list', list.query],
      queryFn: async ({ signal }: { signal: AbortSignal }) => rowsOf(await getJson<Bundle>(listPath(list.query), signal)),
      retry: retryable,
      refetchInterval: 60_000,
    })),
  });
  return results.flatMap((r) => r.data?.rows ?? []);
}

/** Two short tones, only where the person has switched sound on. */
function beep(): void {
  const context = new AudioContext();
  for (const [at, hertz] of [[0, 880], [0.25, 660]]) {
    const tone = context.createOscillator();
    const gain = context.createGain();
    tone.frequency.value = hertz;
    gain.gain.value = 0.2;
    tone.connect(gain).connect(context.destination);
    tone.start(context.currentTime + at);
    tone.stop(context.currentTime + at + 0.2);
  }
  setTimeout(() => void context.close(), 1000);
}

async function giveReceipt(task: Task, lang: string): Promise<boolean> {
  const actions = actionsOf(await getJson<Parameters>(`/fhir/Task/${task.id}/$actions`), lang);
  const receipt = actions.find((a) => a.receipt);
  if (!receipt) return false;
  const work = { kind: 'move', task, action: receipt } as const;
  await sendWork(work, workBody(work, undefined), newKey());
  return true;
}

/** Another screen may have been faster: a refusal of the receipt is no fault of this one, the list is simply read again. */
function useReceipts(rows: WorkRow[], visible: boolean): void {
  const client = useQueryClient();
  const lang = useTranslation().i18n.language;
  const given = useRef(new Set<string>());
  useEffect(() => {
    if (!visible) return;
    for (const { task } of rows) {
      const key = `${task.id}/${task.meta?.versionId}`;
      if (given.current.has(key)) continue;
      given.current.add(key);
      giveReceipt(task, lang).catch(() => true).then((moved) => { if (moved) void client.invalidateQueries({ queryKey: ['Task'] }); });
    }
  }, [rows, visible, lang, client]);
}

function useVisible(): boolean {
  const [visible, setVisible] = useState(document.visibilityState === 'visible');
  useEffect(() => {
    const look = () => setVisible(document.visibilityState === 'visible');
    document.addEventListener('visibilitychange', look);
    return () => document.removeEventListener('visibilitychange', look);
  }, []);
  return visible;
}

function AlertRow({ row, pathways }: { row: WorkRow; pathways: Pathway[] }) {
  const { t } = useTranslation();
  const { task, patient } = row;
  return (
    <div className="alert-row" role="alert" data-alert={task.id}>
      <AlertFilled />
      <b>{pathwayTitle(task, pathways)}</b>
      <b>{patient ? nameText(patient.name) : task.for?.display}</b>
      <span className="alert-what" title={task.description}>{task.description}</span>
      <StateTag task={task} pathways={pathways} />
      <CaseClock task={task} />
      <span>{task.requester?.display}</span>
      <Button size="small" onClick={() => openCase(row)} data-alert-open>{t('alert.open')}</Button>
    </div>
  );
}

export function AlertBanner({ pathways }: { pathways: Pathway[] }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const rows = useAlertRows(pathways.flatMap((p) => p.lists.filter((l) => l.alert)));
  const visible = useVisible();
  const [sound, setSound] = useState(localStorage.getItem(SOUND) === 'on');
  const [all, setAll] = useState(false);
  useReceipts(rows, visible);
  useAlertEvents(useCallback((_event: LiveEvent) => {
    void client.invalidateQueries({ queryKey: ['Task', 'list'] });
    if (localStorage.getItem(SOUND) === 'on') beep();
  }, [client]));
  useEffect(() => {
    const plain = document.title.replace(/^\(\d+\) /, '');
    document.title = rows.length > 0 ? `(${rows.length}) ${plain}` : plain;
  }, [rows.length]);
  if (rows.length === 0) return null;
  const shown = all ? rows : rows.slice(0, 2);
  return (
    <section className="alerts" aria-label={t('alert.title')}>
      <div className="alert-rows">{shown.map((row) => <AlertRow key={row.task.id} row={row} pathways={pathways} />)}</div>
      <div className="alert-foot">
        {rows.length > 2 && <button type="button" onClick={() => setAll(!all)}>{all ? t('alert.fewer') : t('alert.more', { n: rows.length - 2 })}</button>}
        <button type="button" onClick={() => { localStorage.setItem(SOUND, sound ? 'off' : 'on'); setSound(!sound); if (!sound) beep(); }}>
          <SoundOutlined /> {sound ? t('alert.sound-off') : t('alert.sound-on')}
        </button>
      </div>
    </section>
  );
}
