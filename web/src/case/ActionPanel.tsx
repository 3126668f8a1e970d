/**
 * The right panel: one action's form. It pushes the chart and never covers it. What is typed is kept until
 * it is sent; a refusal is shown at the field it names; the version acted on is the one this screen shows.
 */
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import { Alert, Button } from 'antd';
import { CloseOutlined } from '../app/icons.ts';
import { useTranslation } from 'react-i18next';
import { useQueryClient } from '@tanstack/react-query';
import { ApiError, IntentKey } from '../api/http.ts';
import { serverNow, type User } from '../api/session.ts';
import { SaveNote, refusedSave, useErrorText, useHotkey } from '../app/parts.tsx';
import { dateTimeOf, timeText } from '../logic/clock.ts';
import { extensionValue, type Attachment, type Issue, type Task } from '../logic/fhir.ts';
import { sortIssues } from '../logic/outcome.ts';
import { checkForm, type Fault } from '../logic/faults.ts';
import { linkIdsOf, needsDryRun, setAnswers, walkItems, type FormState, type Item, type Questionnaire } from '../logic/questionnaire.ts';
import { assembleResponse, colorsOf, draftState, mergeServerFilled, openForm, proposalsOf, takeProposals, withoutProposals, type Response } from '../logic/response.ts';
import { QuestionnaireForm } from '../forms/QuestionnaireForm.tsx';
import { ClockLine } from './ClockLine.tsx';
import { SignField, isSecretRefusal } from './SignField.tsx';
import { useKeptForm } from './useKeptForm.ts';
import { dryRun, sendWork, workBody, type Secret, type Work } from './work.ts';

interface Props {
  work: Work;
  /** What a step without a form was refused for, when this form was opened to mend it. */
  refusal?: Issue[];
  user: User;
  patient: string;
  done: (task: Task, title: string) => void;
  close: () => void;
  onFiles: (item: Item, files: Attachment[]) => void;
}

const EMPTY_FORM: Questionnaire = { resourceType: 'Questionnaire' };

function labelsOf(form: Questionnaire): Map<string, string> {
  const labels = new Map<string, string>();
  walkItems(form.item, (item) => labels.set(item.linkId, item.text ?? item.linkId));
  return labels;
}

/** Nothing has the focus where a panel was closed: it goes back to what opened it, or what is next. */
function giveFocus(selectors: string[]): void {
  if (document.activeElement && document.activeElement !== document.body) return;
  selectors.map((s) => document.querySelector<HTMLElement>(s)).find(Boolean)?.focus({ preventScroll: true });
}

function without<T>(map: Map<string, T>, key: string): Map<string, T> {
  const next = new Map(map);
  next.delete(key);
  return next;
}

/** Runs the server's expressions a moment after the last key (what opens is computed already); an older answer never overwrites a newer one. */
function useDryRun(work: Work, form: Questionnaire, state: FormState, touched: number, take: (s: (old: FormState) => FormState) => void) {
  const [colors, setColors] = useState<Record<string, string>>(() => (work.action.response ? colorsOf(form, work.action.response) : {}));
  const [refused, setRefused] = useState<Map<string, string[]>>(new Map());
  const needed = useMemo(() => needsDryRun(form), [form]);
  const opening = useMemo(() => proposalsOf(form, openForm(form, work.action.response)), [form, work.action.response]);
  const proposed = useRef(opening);
  useEffect(() => {
    if (!needed || touched === 0) return undefined;
    const abort = new AbortController();
    const timer = setTimeout(() => {
      const response = assembleResponse(form, withoutProposals(state, proposed.current), { authored: dateTimeOf(serverNow()), base: work.action.response });
      const show = (filled: Response) => {
        setColors(colorsOf(form, filled));
        const before = proposed.current;
        const now = proposalsOf(form, draftState(form, filled));
        proposed.current = now;
        take((old) => takeProposals(mergeServerFilled(form, old, filled), before, now));
      };
      dryRun(work, response, abort.signal).then((filled) => {
        setRefused(new Map());
        show(filled);
      }).catch((error: unknown) => {
        if (!(error instanceof ApiError)) return;
        if (error.refusal.beside) show(error.refusal.beside as Response);
        const answered = new Set(Object.keys(state.answers).filter((p) => state.answers[p].length > 0).map((p) => p.split('/').pop() ?? ''));
        const found = sortIssues(error.refusal.issues, linkIdsOf(form)).fields;
        setRefused(new Map([...found].filter(([link]) => answered.has(link))));
      });
    }, 400);
    return () => { clearTimeout(timer); abort.abort(); };
    // The server's own values come back into the state; only what the person touched asks again.
  }, [touched, needed, form]);
  return { colors, refused, reopen: () => { proposed.current = opening; } };
}

/** A list or calendar that lies open takes the Esc for itself; a field that merely has the focus does not. */
const listOpen = () => document.querySelector('.ant-select-open, .ant-picker-dropdown:not(.ant-picker-dropdown-hidden)') !== null;

export function ActionPanel({ work, refusal, user, patient, done, close, onFiles }: Props) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const errorText = useErrorText();
  const form = work.action.questionnaire ?? EMPTY_FORM;
  const { state, setState, touched, change, save, setSave, restored, hold, release, end, startOver } = useKeptForm(work, user, form);
  const [faults, setFaults] = useState<Map<string, Fault>>(new Map());
  const [refused, setRefused] = useState<Map<string, string[]>>(() => sortIssues(refusal ?? [], linkIdsOf(form)).fields);
  const [general, setGeneral] = useState<string[]>([]);
  const [uploads, setUploads] = useState<Set<string>>(new Set());
  const [secret, setSecret] = useState<Secret>({ by: 'password', value: '' });
  const [secretFault, setSecretFault] = useState('');
  const intent = useRef(new IntentKey());
  const root = useRef<HTMLElement>(null);
  const labels = useMemo(() => labelsOf(form), [form]);
  const dry = useDryRun(work, form, state, touched, setState);
  const sending = save.state === 'sending';
  const authored = useRef('');

  useLayoutEffect(() => {
    const focus = root.current?.querySelector<HTMLElement>('.q-form input:not([type=file]), .q-form textarea, [data-submit]');
    focus?.focus({ preventScroll: true });
    const back = [`[data-action="${work.action.code}"]`, '[data-action]', '[data-begin]'];
    return () => { setTimeout(() => giveFocus(work.kind === 'begin' ? [...back].reverse() : back), 0); };
  }, []);

  const refuse = (error: unknown) => {
    const next = refusedSave(error, errorText(error));
    if (error instanceof ApiError && isSecretRefusal(error)) {
      setSecretFault(errorText(error));
      setSecret((old) => ({ ...old, value: '' }));
    } else if (error instanceof ApiError) {
      const sorted = sortIssues(error.refusal.issues, linkIdsOf(form));
      setRefused(sorted.fields);
      setGeneral(sorted.general);
      if (next.state === 'denied' && sorted.fields.size > 0 && sorted.general.length === 0) next.why = t('save.see-fields');
    }
    if (next.state === 'conflict') void client.invalidateQueries({ predicate: (q) => ['Task', 'Slot'].includes(String(q.queryKey[0])) });
    setSave(next);
  };

  const submit = async () => {
    if (sending || uploads.size > 0) return;
    const found = checkForm(form, state);
    setFaults(found);
    if (found.size > 0) {
      const path = [...found.keys()][0];
      document.getElementById(`f-${path}`)?.focus();
      document.getElementById(`f-${path}`)?.scrollIntoView({ block: 'center' });
      return;
    }
    if (work.action.signPassword && !secret.value) {
      setSecretFault(t('sign.needed'));
      return;
    }
    authored.current ||= dateTimeOf(serverNow());
    const response = work.action.questionnaire && assembleResponse(form, state, {
      subject: { reference: patient }, author: user.practitioner ? { reference: user.practitioner } : undefined, authored: authored.current, base: work.action.response,
    });
    const body = workBody(work, response, secret);
    setSave({ state: 'sending' });
    setRefused(new Map());
    setGeneral([]);
    setSecretFault('');
    try {
      await hold();
      const answer = await sendWork(work, body, intent.current.keyFor(body));
      end();
      done(answer.body, work.action.title);
    } catch (error) {
      release();
      refuse(error);
    }
  };
  useHotkey((e) => e.key === 'F8' || (e.key === 'Enter' && e.ctrlKey), () => void submit());
  useHotkey((e) => e.key === 'Escape' && !listOpen(), close);

  const large = extensionValue(form, 'urn:menkou:large') === true;
  const words = new Map([...dry.refused, ...refused]);
  return (
    <aside className={large ? 'panel panel-large' : 'panel'} aria-label={work.action.title} ref={root}>
      <header className="panel-head">
        <strong>{work.kind === 'begin' && work.pathway.title !== work.action.title ? `${work.pathway.title} · ${work.action.title}` : work.action.title}</strong>
        <ClockLine end={work.action.deadline} />
        <Button type="text" size="small" icon={<CloseOutlined />} title="Esc" aria-label={t('close')} onClick={close} />
      </header>
      <div className="panel-body">
        {restored && (
          <Alert type={restored.moved ? 'warning' : 'info'} banner
            message={t(restored.moved ? 'form.restored-moved' : 'form.restored', { at: timeText(new Date(restored.at).toISOString()) })}
            action={<Button size="small" onClick={() => { dry.reopen(); startOver(); }}>{t('form.start-over')}</Button>} />
        )}
        {!work.action.questionnaire && <p className="q-help">{t('form.no-form', { action: work.action.title })}</p>}
        <QuestionnaireForm form={form} scope={{
          state, faults, refused: words, colors: dry.colors, patient, large, disabled: sending,
          labelOf: (id) => labels.get(id) ?? id,
          change: (path, answers) => { setFaults((f) => without(f, path)); setRefused((r) => without(r, path.split('/').pop() ?? '')); change((old) => setAnswers(old, path, answers)); },
          replace: (next) => change(() => next),
          busy: (k, on) => setUploads((old) => { const n = new Set(old); if (on) n.add(k); else n.delete(k); return n; }),
          onFiles,
        }} />
        {general.map((g) => <Alert key={g} type="error" showIcon message={g} className="q-general" />)}
      </div>
      {work.action.sign && (
        <SignField secret={secret} fault={secretFault} compulsory={work.action.signPassword} disabled={sending}
          change={(next) => { setSecret(next); setSecretFault(''); }} />
      )}
      <footer className="panel-foot">
        <SaveNote save={save} />
        <Button type="primary" danger={work.action.danger} data-submit loading={sending} disabled={uploads.size > 0} onClick={() => void submit()} title="F8 / Ctrl+Enter">
          {uploads.size > 0 ? t('files.waiting') : work.action.title}
          <kbd>F8</kbd>
        </Button>
      </footer>
    </aside>
  );
}
