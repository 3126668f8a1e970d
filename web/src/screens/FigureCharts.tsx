/** One figure in depth: over time, by institution, by urgency, from whom to whom; a table beside every drawing. */
import { Suspense, lazy, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { Figure, FigureKind, Path, Stratum } from '../api/figures.ts';
import type { ChartOption } from '../charts/chart.ts';
import { compared, sankeyOf, trendOf } from '../logic/figures.ts';
import { Waiting } from '../app/parts.tsx';
import { basisText, valueText } from './figuresText.ts';

const Chart = lazy(() => import('../charts/Chart.tsx'));

const BLUE = '#0b5cab';
const AXIS = { axisLabel: { color: '#5b6b7d' }, splitLine: { lineStyle: { color: '#e3e9f0' } } };

/** In the unit that is drawn: shares in per cent. */
function drawn(kind: FigureKind, value: number | undefined): number | null {
  if (value === undefined) return null;
  return kind === 'share' ? Math.round(value * 1000) / 10 : Math.round(value * 10) / 10;
}

function Side({ title, drawing, table, empty, wide }: { title: string; drawing: ReactNode; table: ReactNode; empty: boolean; wide?: boolean }) {
  const { t } = useTranslation();
  return (
    <section className="figure-part">
      <h4>{title}</h4>
      {empty ? <p className="q-help">{t('figures.missing')}</p> : (
        <div className={wide ? 'figure-side figure-wide' : 'figure-side'}>
          <div className="figure-drawing"><Suspense fallback={<Waiting />}>{drawing}</Suspense></div>
          <div className="figure-table">{table}</div>
        </div>
      )}
    </section>
  );
}

function StrataTable({ kind, head, rows }: { kind: FigureKind; head: string; rows: Stratum[] }) {
  const { t } = useTranslation();
  return (
    <table className="grid">
      <thead><tr><th>{head}</th><th className="cell-number">{t('figures.value')}</th>{kind !== 'count' && <th className="cell-number">{t('figures.basis')}</th>}</tr></thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.code}>
            <td title={row.title}>{row.title}</td>
            <td className="cell-number">{valueText(t, kind, row.score.value)}</td>
            {kind !== 'count' && <td className="cell-number">{basisText(t, kind, row.score)}</td>}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function valueAxis(kind: FigureKind, unit: string): NonNullable<ChartOption['yAxis']> {
  return { type: 'value', name: unit, min: 0, ...(kind === 'share' ? { max: 100 } : { minInterval: 1 }), nameTextStyle: { color: '#5b6b7d' }, ...AXIS };
}

function trendOption(figure: Figure, parts: Stratum[], unit: string): ChartOption {
  const data = parts.map((p) => drawn(figure.kind, p.score.value));
  const days = parts.map((p) => p.code.slice(5));
  return {
    grid: { left: 8, right: 12, top: 28, bottom: 4, containLabel: true },
    tooltip: { trigger: 'axis' },
    xAxis: { type: 'category', data: days, ...AXIS },
    yAxis: valueAxis(figure.kind, unit),
    series: [figure.kind === 'count'
      ? { type: 'bar', data, color: BLUE, barMaxWidth: 26 }
      : { type: 'line', data, color: BLUE, symbolSize: 7, connectNulls: false }],
  };
}

function barsOption(figure: Figure, rows: Stratum[], unit: string): ChartOption {
  const upward = [...rows].reverse();
  return {
    grid: { left: 8, right: 34, top: 8, bottom: 4, containLabel: true },
    tooltip: { trigger: 'item' },
    xAxis: { ...valueAxis(figure.kind, unit), name: '' } as ChartOption['xAxis'],
    yAxis: { type: 'category', data: upward.map((r) => r.title), axisLabel: { color: '#1f2d3d', width: 128, overflow: 'truncate' } },
    series: [{ type: 'bar', data: upward.map((r) => drawn(figure.kind, r.score.value)), color: BLUE, barMaxWidth: 18, label: { show: true, position: 'right' } }],
  };
}

function pathOption(paths: Path[]): ChartOption {
  const { nodes, links } = sankeyOf(paths);
  const label = new Map(nodes.map((n) => [n.name, n.label]));
  return {
    tooltip: { trigger: 'item' },
    series: [{
      type: 'sankey', left: 4, right: 108, top: 8, bottom: 8, nodeGap: 15, nodeWidth: 12, draggable: false, emphasis: { focus: 'adjacency' },
      data: nodes.map((n) => ({ name: n.name, depth: n.depth })), links,
      label: { formatter: (p) => label.get((p as { name: string }).name) ?? '', overflow: 'truncate', width: 104, color: '#1f2d3d' },
      lineStyle: { color: 'source', opacity: .35 },
    }],
  };
}

function PathTable({ paths }: { paths: Path[] }) {
  const { t } = useTranslation();
  const rows = [...paths].sort((a, b) => b.count - a.count);
  return (
    <table className="grid">
      <thead><tr><th>{t('figures.from')}</th><th>{t('figures.to')}</th><th>{t('figures.outcome')}</th><th className="cell-number">{t('figures.value')}</th></tr></thead>
      <tbody>{rows.map((p) => (
        <tr key={`${p.requester}|${p.receiver}|${p.state}`}><td title={p.requester}>{p.requester}</td><td title={p.receiver}>{p.receiver}</td><td>{p.state}</td><td className="cell-number">{p.count}</td></tr>
      ))}</tbody>
    </table>
  );
}

export function FigureCharts({ figure, parts }: { figure: Figure; parts: string[] }) {
  const { t } = useTranslation();
  const unit = t(figure.kind === 'share' ? 'figures.unit-share' : figure.kind === 'count' ? 'figures.unit-count' : 'figures.unit-minutes');
  const trend = trendOf(figure, parts);
  const rows = compared(figure.institutions);
  const steps = figure.paths.length > 0 ? sankeyOf(figure.paths).nodes.length : 0;
  return (
    <>
      {figure.paths.length > 0 && (
        <Side title={t('figures.path')} empty={false} wide table={<PathTable paths={figure.paths} />}
          drawing={<Chart option={pathOption(figure.paths)} height={Math.max(240, steps * 20)} label={`${figure.title}: ${t('figures.path')}`} />} />
      )}
      <Side title={t('figures.trend')} empty={figure.intervals.length === 0} table={<StrataTable kind={figure.kind} head={t('figures.part')} rows={trend} />}
        drawing={<Chart option={trendOption(figure, trend, unit)} height={210} label={`${figure.title}: ${t('figures.trend')}`} />} />
      <Side title={t('figures.institutions')} empty={rows.length === 0} table={<StrataTable kind={figure.kind} head={t('figures.institution')} rows={rows} />}
        drawing={<Chart option={barsOption(figure, rows, unit)} height={Math.max(130, rows.length * 26 + 40)} label={`${figure.title}: ${t('figures.institutions')}`} />} />
      {figure.priorities.length > 0 && (
        <section className="figure-part"><h4>{t('figures.priority')}</h4><StrataTable kind={figure.kind} head={t('col.priority')} rows={compared(figure.priorities)} /></section>
      )}
    </>
  );
}
