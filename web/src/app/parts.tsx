/** Small pieces that several screens share: the ticking clock, tags of state and urgency, save states, waiting and failing. */
import { useEffect, useLayoutEffect, useState, useSyncExternalStore } from 'react';
import { Alert, Button, Spin, Tag } from 'antd';
import { useTranslation } from 'react-i18next';
import { ApiError } from '../api/http.ts';
import { serverNow } from '../api/session.ts';
import type { Pathway } from '../api/pathways.ts';
import { ageOf, clockOf, dayText, timeText } from '../logic/clock.ts';
import { pathwayOf, stateOf, type Patient, type Task } from '../logic/fhir.ts';
import { issueText } from '../logic/outcome.ts';

let tick = serverNow();
const listeners = new Set<() => void>();
setInterval(() => {
  tick = serverNow();
  listeners.forEach((tell) => tell());
}, 1000);

/** The server's time, once a second, for all clocks together. */
export function useNow(): number {
  return useSyncExternalStore((tell) => { listeners.add(tell); return () => listeners.delete(tell); }, () => tick);
}

export function CaseClock({ task }: { task: Task }) {
  const { t } = useTranslation();
  const now = useNow();
  const end = task.restriction?.period?.end;
  const clock = clockOf(end, task.restriction?.period?.start ?? task.lastModified ?? task.authoredOn, now, { day: t('unit.day'), hour: t('unit.hour') });
  if (clock.level === 'none') return null;
  return (
    <span className={`clock clock-${clock.level}`} title={t('case.deadline', { at: timeText(end) })}>
      {clock.level === 'over' ? t('clock.over', { span: clock.text }) : clock.text}
    </span>
  );
}

export function StateTag({ task, pathways }: { task: Task; pathways: Pathway[] | undefined }) {
  const info = pathways?.find((p) => p.code === pathwayOf(task))?.states.find((s) => s.code === stateOf(task));
  return <Tag color={info?.color} className="state">{info?.title ?? task.businessStatus?.text ?? task.businessStatus?.coding?.[0]?.display ?? stateOf(task)}</Tag>;
}

const URGENCY_COLORS: Record<string, string | undefined> = { stat: 'red', asap: 'volcano', urgent: 'orange' };

export function UrgencyTag({ priority }: { priority?: string }) {
  const { t, i18n } = useTranslation();
  const key = `priority.${priority ?? 'routine'}`;
  return <Tag color={URGENCY_COLORS[priority ?? '']} className="priority">{i18n.exists(key) ? t(key) : priority}</Tag>;
}

export function pathwayTitle(task: Task, pathways: Pathway[] | undefined): string {
  const found = pathways?.find((p) => p.code === pathwayOf(task));
  return found?.title ?? task.code?.text ?? task.code?.coding?.[0]?.display ?? pathwayOf(task) ?? '';
}

export function useAgeText(): (patient: Patient | undefined) => string {
  const { t } = useTranslation();
  return (patient) => {
    const age = ageOf(patient?.birthDate, dayText(serverNow()));
    return age ? t(`age.${age.unit}`, { n: age.count }) : '';
  };
}

export type SaveState =
  | { state: 'clean' } | { state: 'local'; at: number } | { state: 'draft'; at: number } | { state: 'unkept' } | { state: 'sending' } | { state: 'county'; at: string }
  | { state: 'conflict'; why: string } | { state: 'denied'; why: string } | { state: 'unreached' } | { state: 'ended' };

/** Where the words stand after a write that did not succeed. */
export function refusedSave(error: unknown, why: string): SaveState {
  const status = error instanceof ApiError ? error.status : undefined;
  if (status === 0) return { state: 'unreached' };
  if (status === 401) return { state: 'ended' };
  return status === 409 || status === 412 ? { state: 'conflict', why } : { state: 'denied', why };
}

/** Always says where the words stand: on this machine, on the way, at the county, in conflict, refused and why. */
export function SaveNote({ save }: { save: SaveState }) {
  const { t } = useTranslation();
  switch (save.state) {
    case 'clean': return null;
    case 'local': return <span className="save save-local">{t('save.local', { at: timeText(new Date(save.at).toISOString()).slice(11) })}</span>;
    case 'draft': return <span className="save save-local save-draft">{t('save.draft', { at: timeText(new Date(save.at).toISOString()).slice(11) })}</span>;
    case 'unkept': return <span className="save save-refused">{t('save.unkept')}</span>;
    case 'sending': return <span className="save save-local">{t('save.sending')}</span>;
    case 'county': return <span className="save save-county">{t('save.county-at', { at: save.at })}</span>;
    case 'conflict': return <span className="save save-refused" role="alert">{t('save.conflict', { why: save.why })}</span>;
    case 'denied': return <span className="save save-refused" role="alert">{t('save.refused', { why: save.why })}</span>;
    case 'ended': return <span className="save save-refused" role="alert">{t('save.ended')}</span>;
    case 'unreached': return <span className="save save-refused" role="alert">{t('save.unreached-kept')}</span>;
  }
}

export function useErrorText(): (error: unknown) => string {
  const { t } = useTranslation();
  return (error) => {
    if (!(error instanceof ApiError)) return error instanceof Error ? error.message : String(error);
    if (error.status === 0) return t('save.unreached');
    const words = error.refusal.issues.map(issueText).join('; ');
    const seconds = error.refusal.retryAfterS;
    const wait = seconds && !words.includes(String(seconds)) ? t('error.wait', { seconds }) : '';
    return `${words || t('error.status', { status: error.status })}${wait}`;
  };
}

export function Failed({ error, again }: { error: unknown; again?: () => void }) {
  const { t } = useTranslation();
  const text = useErrorText();
  return <Alert type="error" showIcon message={text(error)} action={again && <Button size="small" onClick={again}>{t('again')}</Button>} />;
}

export function Waiting() {
  return <div className="waiting"><Spin /></div>;
}

let locked = false;

/** While the log-in covers the screen, no key reaches the work behind it. */
export function lockKeys(on: boolean): void { locked = on; }

/** A key that works anywhere on the screen as soon as the screen is seen, with the text box's own keys left alone. */
export function useHotkey(matches: (e: KeyboardEvent) => boolean, run: () => void): void {
  useLayoutEffect(() => {
    const listen = (e: KeyboardEvent) => {
      if (locked || e.isComposing || !matches(e)) return;
      e.preventDefault();
      run();
    };
    window.addEventListener('keydown', listen);
    return () => window.removeEventListener('keydown', listen);
  });
}

/** Esc closes this before anything else hears it: the panel behind stays open. */
export function useEscapeFirst(close: () => void): void {
  useEffect(() => {
    const listen = (e: KeyboardEvent) => {
      if (e.key !== 'Escape') return;
      e.stopImmediatePropagation();
      close();
    };
    window.addEventListener('keydown', listen, true);
    return () => window.removeEventListener('keydown', listen, true);
  }, [close]);
}

/** What had the focus before this was shown has it again after, unless something else took it. */
export function useFocusBack(): void {
  const [before] = useState(() => document.activeElement);
  useEffect(() => () => {
    setTimeout(() => {
      const nowhere = !document.activeElement || document.activeElement === document.body;
      if (nowhere && before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
    }, 0);
  }, [before]);
}

export function isTyping(e: KeyboardEvent): boolean {
  const el = e.target as HTMLElement | null;
  return Boolean(el && (/^(INPUT|TEXTAREA|SELECT)$/.test(el.tagName) || el.isContentEditable));
}
