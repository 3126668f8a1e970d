/** The cases behind a figure, newest first; each opens. */
import { useState } from 'react';
import { Button, Segmented } from 'antd';
import { useTranslation } from 'react-i18next';
import { ROWS_MAX, useFigureRows, type Figure, type FiguresAsked } from '../api/figures.ts';
import type { Pathway } from '../api/pathways.ts';
import { Failed, Waiting } from '../app/parts.tsx';
import { CaseList } from './WorkListScreen.tsx';

const PAGE = 50;
type Which = 'all' | 'above' | 'below';

export function FigureRows({ figure, asked, pathways, back }: { figure: Figure; asked: FiguresAsked; pathways: Pathway[]; back: () => void }) {
  const { t } = useTranslation();
  const [which, setWhich] = useState<Which>('all');
  const [page, setPage] = useState(0);
  const rows = useFigureRows(asked, figure.measure);
  const kept = (rows.data ?? []).filter((r) => which === 'all' || r.above === (which === 'above'));
  const shown = kept.slice(page * PAGE, (page + 1) * PAGE).map((r) => r.task);
  const last = Math.max(0, Math.ceil(kept.length / PAGE) - 1);
  const choose = (next: string | number) => { setWhich(next as Which); setPage(0); };
  return (
    <div className="screen figures-rows">
      <div className="figures-bar">
        <Button onClick={back}>{t('figures.back')}</Button>
        <b>{figure.pathwayTitle} · {figure.title}</b>
        {figure.kind === 'share' && (
          <Segmented value={which} onChange={choose} options={(['all', 'above', 'below'] as const).map((value) => ({ value, label: t(`figures.rows-${value}`) }))} />
        )}
        <span className="q-help">{rows.data && t('figures.cases', { n: rows.data.length === ROWS_MAX ? `${ROWS_MAX}+` : kept.length })}</span>
        {last > 0 && (
          <span className="figures-pages">
            <Button size="small" disabled={page === 0} onClick={() => setPage(page - 1)}>{t('figures.newer')}</Button>
            {` ${page + 1} / ${last + 1} `}
            <Button size="small" disabled={page >= last} onClick={() => setPage(page + 1)}>{t('figures.older')}</Button>
          </span>
        )}
      </div>
      {rows.isError && <Failed error={rows.error} again={() => void rows.refetch()} />}
      {rows.isPending && <Waiting />}
      {rows.data && shown.length === 0 && <p className="empty">{t('figures.no-rows')}</p>}
      {shown.length > 0 && <CaseList title="" query={`_id=${shown.join(',')}&_sort=-authored-on`} pathways={pathways} empty={t('figures.no-rows')} />}
    </div>
  );
}
