/** The index of searches: the county's own parameters and how far each is, and the whole made anew. */
import { useEffect, useState } from 'react';
import { Alert, Button, Progress, Tag } from 'antd';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { listSearchParams, reindex, reindexStatus, type SearchParam } from '../api/system.ts';
import { retryable } from '../api/queries.ts';
import { Confirm } from '../app/Confirm.tsx';
import { Failed, Waiting, useErrorText } from '../app/parts.tsx';

const COLORS = { building: 'gold', ready: 'green', faulty: 'red' };
const PLACE = 'menkou.reindex'; /* of the work that goes on: kept over a reload */

const percentOf = (p: SearchParam) => (p.total ? Math.floor((p.done ?? 0) / p.total * 100) : 0);

function Row({ param }: { param: SearchParam }) {
  const { t } = useTranslation();
  return (
    <tr data-param={param.code} data-state={param.status}>
      <td className="cell-name">{param.code}</td>
      <td>{param.type}</td>
      <td><Tag color={COLORS[param.status]}>{t(`index.${param.status}`)}</Tag></td>
      <td>{param.status === 'building' ? <Progress percent={percentOf(param)} size="small" aria-label={param.code} /> : param.reason}</td>
    </tr>
  );
}

/** What was begun here goes on behind the screen, also when it is left. */
function useReindex() {
  const client = useQueryClient();
  const errorText = useErrorText();
  const [place, setPlace] = useState(sessionStorage.getItem(PLACE) ?? '');
  const [failed, setFailed] = useState<string>();
  const [finished, setFinished] = useState(false);
  const state = useQuery({
    queryKey: ['reindex', place], queryFn: ({ signal }) => reindexStatus(place, signal), enabled: place !== '', retry: retryable,
    refetchInterval: (q) => (q.state.data?.done || q.state.error ? false : 1000),
  });
  const follow = (at: string) => {
    if (at) sessionStorage.setItem(PLACE, at);
    else sessionStorage.removeItem(PLACE);
    setPlace(at);
  };
  useEffect(() => {
    if (!place || !(state.data?.done || state.error)) return;
    setFinished(state.data?.done === true);
    setFailed(state.error ? errorText(state.error) : undefined);
    follow('');
    void client.invalidateQueries({ queryKey: ['search-params'] });
  }, [place, state.data, state.error, client, errorText]);
  const begin = () => {
    setFailed(undefined);
    setFinished(false);
    reindex().then(follow, (error: unknown) => setFailed(errorText(error)));
  };
  return { begin, busy: place !== '', progress: state.data?.progress, failed, finished };
}

export function IndexSection() {
  const { t } = useTranslation();
  const work = useReindex();
  const params = useQuery({
    queryKey: ['search-params'], queryFn: ({ signal }) => listSearchParams(signal), retry: retryable,
    refetchInterval: (q) => (q.state.data?.some((p) => p.status === 'building') ? 1000 : 30_000),
  });
  const rows = params.data ?? [];
  return (
    <section aria-labelledby="index-title" data-index>
      <div className="worklist-head">
        <h3 id="index-title">{t('index.title')}</h3>
        <span className="q-help">{t('index.help')}</span>
        <Confirm title={t('index.sure')} run={work.begin}><Button size="small" loading={work.busy} data-reindex>{t('index.anew')}</Button></Confirm>
      </div>
      {work.busy && <p role="status" data-progress>{t('index.working')} {work.progress}</p>}
      {work.finished && <Alert type="success" showIcon message={t('index.done')} />}
      {work.failed && <Alert type="error" showIcon message={work.failed} />}
      {params.isError && <Failed error={params.error} again={() => void params.refetch()} />}
      {params.isPending && <Waiting />}
      {params.data && rows.length === 0 && <p className="empty">{t('index.none')}</p>}
      {rows.length > 0 && (
        <table className="grid">
          <thead><tr>{['code', 'type', 'state', 'how'].map((c) => <th key={c}>{t(`index.col-${c}`)}</th>)}</tr></thead>
          <tbody>{rows.map((p) => <Row key={p.id} param={p} />)}</tbody>
        </table>
      )}
    </section>
  );
}
