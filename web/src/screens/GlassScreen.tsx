/** Openings in an emergency: what waits for a review, what was found; one is read and judged in the right panel. */
import { useEffect, useRef, useState } from 'react';
import { Alert, Button, Input, Radio, Segmented, Tag } from 'antd';
import { CloseOutlined } from '../app/icons.ts';
import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { VERDICTS, openingsPage, openingsPath, reviewOpening, type Opening, type Verdict } from '../api/glass.ts';
import { retryable } from '../api/queries.ts';
import type { User } from '../api/session.ts';
import { Failed, Waiting, useErrorText, useFocusBack, useHotkey } from '../app/parts.tsx';
import { timeText } from '../logic/clock.ts';
import { useListKeys } from './FindScreen.tsx';
import './glass.css';

const COLUMNS = ['sent', 'person', 'resident', 'reason', 'words', 'until', 'verdict'] as const;
const VERDICT_COLORS: Record<string, string> = { justified: 'green', unjustified: 'red', unclear: 'orange' };
const TEXT_MIN = 4;

function VerdictTag({ opening }: { opening: Opening }) {
  const { t } = useTranslation();
  const verdict = opening.review?.verdict;
  return <Tag color={verdict ? VERDICT_COLORS[verdict] : 'blue'} data-verdict={verdict ?? 'none'}>{t(`glass.verdict-${verdict ?? 'none'}`)}</Tag>;
}

function Row({ opening, on, open }: { opening: Opening; on: boolean; open: () => void }) {
  const { t } = useTranslation();
  const line = useRef<HTMLTableRowElement>(null);
  useEffect(() => { if (on) line.current?.scrollIntoView({ block: 'nearest' }); }, [on]);
  return (
    <tr ref={line} className={on ? 'row row-on' : 'row'} aria-selected={on} onClick={open} data-opening={opening.id}>
      <td className="cell-number">{timeText(opening.sent)}</td>
      <td className="cell-name">{opening.person}</td>
      <td>{opening.resident}</td>
      <td>{t(`glass.reason-${opening.reason}`, { defaultValue: opening.reason })}</td>
      <td className="glass-words" title={opening.words}>{opening.words}</td>
      <td className="cell-number">{timeText(opening.until)}</td>
      <td><VerdictTag opening={opening} /></td>
    </tr>
  );
}

function ReviewForm({ opening, done }: { opening: Opening; done: () => void }) {
  const { t } = useTranslation();
  const errorText = useErrorText();
  const [verdict, setVerdict] = useState<Verdict>();
  const [text, setText] = useState('');
  const [state, setState] = useState<{ busy?: boolean; failed?: string }>({});
  const may = Boolean(verdict) && text.trim().length >= TEXT_MIN && !state.busy;
  const send = () => {
    if (!verdict || !may) return;
    setState({ busy: true });
    reviewOpening(opening.id, verdict, text.trim()).then(done, (error: unknown) => setState({ failed: errorText(error) }));
  };
  useHotkey((e) => e.key === 'F8', send);
  return (
    <form className="glass-review" onSubmit={(e) => { e.preventDefault(); send(); }}>
      <Radio.Group value={verdict} onChange={(e) => setVerdict(e.target.value as Verdict)} aria-label={t('glass.col-verdict')}>
        {VERDICTS.map((v, n) => <Radio key={v} value={v} autoFocus={n === 0} data-choose={v}>{t(`glass.verdict-${v}`)}</Radio>)}
      </Radio.Group>
      <Input.TextArea value={text} rows={4} maxLength={500} placeholder={t('glass.review-text')} aria-label={t('glass.review-text')}
        onChange={(e) => setText(e.target.value)} />
      {state.failed && <Alert type="error" showIcon message={state.failed} />}
      <Button type="primary" htmlType="submit" block loading={state.busy} disabled={!may} data-review>{t('glass.review-send')}<kbd>F8</kbd></Button>
    </form>
  );
}

function Panel({ opening, user, close, done }: { opening: Opening; user: User; close: () => void; done: () => void }) {
  const { t } = useTranslation();
  const { review } = opening;
  useFocusBack();
  useHotkey((e) => e.key === 'Escape', close);
  const own = opening.sender === user.practitioner;
  const reader = user.role === 'audit-administrator';
  return (
    <aside className="panel" aria-label={t('glass.review')}>
      <header className="panel-head">
        <strong>{t('glass.review')} <small>{timeText(opening.sent)}</small></strong>
        <Button type="text" size="small" icon={<CloseOutlined />} title="Esc" aria-label={t('close')} onClick={close} />
      </header>
      <div className="panel-body">
        <p className="glass-sentence">{opening.sentence.replace(opening.until, timeText(opening.until))}</p>
        {review && (
          <>
            <p><VerdictTag opening={opening} /> {t('glass.reviewed-by', { by: review.by, at: timeText(review.at) })}</p>
            <p className="glass-sentence">{review.text}</p>
          </>
        )}
        {!review && (own || reader) && <p className="q-help">{t(own ? 'glass.own' : 'glass.read-only')}</p>}
        {!review && !own && !reader && <ReviewForm opening={opening} done={done} />}
      </div>
    </aside>
  );
}

function useOpenings(reviewed: boolean) {
  const lang = useTranslation().i18n.language;
  return useInfiniteQuery({
    queryKey: ['Communication', '$break-glass', reviewed, lang], queryFn: ({ pageParam, signal }) => openingsPage(pageParam, lang, signal),
    initialPageParam: openingsPath(reviewed), getNextPageParam: (last) => last.next, retry: retryable,
    placeholderData: (previous, query) => (query?.queryKey[2] === reviewed ? previous : undefined),
  });
}

export default function GlassScreen({ user }: { user: User }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [reviewed, setReviewed] = useState(false);
  const [chosen, setChosen] = useState<string>();
  const pages = useOpenings(reviewed);
  const rows = pages.data?.pages.flatMap((p) => p.openings) ?? [];
  const table = useRef<HTMLDivElement>(null);
  const { at, setAt, keys } = useListKeys(rows.length, (n) => setChosen(rows[n]?.id));
  const opening = rows.find((r) => r.id === chosen);
  useEffect(() => { table.current?.focus({ preventScroll: true }); }, [pages.isPending]);
  const done = () => {
    setChosen(undefined);
    void client.invalidateQueries({ queryKey: ['Communication'] });
  };
  return (
    <div className="beside">
      <div className="screen worklist glass-list">
        <div className="worklist-head">
          <h2>{t('glass.title')}</h2>
          <Segmented value={reviewed ? 'reviewed' : 'waiting'} onChange={(v) => { setChosen(undefined); setAt(0); setReviewed(v === 'reviewed'); }}
            options={[{ value: 'waiting', label: t('glass.open-ones') }, { value: 'reviewed', label: t('glass.done-ones') }]} data-reviewed />
          <span className="q-help">{t('glass.help')}</span>
        </div>
        {pages.isError && <Failed error={pages.error} again={() => void pages.refetch()} />}
        {pages.isPending && <Waiting />}
        {pages.data && rows.length === 0 && <p className="empty">{t('glass.none')}</p>}
        {rows.length > 0 && (
          <div ref={table} tabIndex={0} onKeyDown={keys} className="rows" role="group" aria-label={t('glass.title')}>
            <table className="grid">
              <thead><tr>{COLUMNS.map((c) => <th key={c}>{t(`glass.col-${c}`)}</th>)}</tr></thead>
              <tbody>{rows.map((r, n) => <Row key={r.id} opening={r} on={n === at} open={() => { setAt(n); setChosen(r.id); }} />)}</tbody>
            </table>
          </div>
        )}
        {pages.hasNextPage && <Button block loading={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>{t('audit.older')}</Button>}
      </div>
      {opening && <Panel key={opening.id} opening={opening} user={user} close={() => setChosen(undefined)} done={done} />}
    </div>
  );
}
