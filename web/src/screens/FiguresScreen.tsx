/**
 * The figures of a period: every indicator of every package as a card beside the period before, and the one chosen in
 * depth. Which indicators there are is said by the server; what is asked stands in the address.
 */
import { Button, Segmented, Select } from 'antd';
import { PrinterOutlined, UnorderedListOutlined } from '../app/icons.ts';
import { useTranslation } from 'react-i18next';
import { useFigures, type Figure, type FiguresAsked } from '../api/figures.ts';
import type { Pathway } from '../api/pathways.ts';
import { useSearch } from '../api/queries.ts';
import { serverNow, type User } from '../api/session.ts';
import { Failed, Waiting } from '../app/parts.tsx';
import { go } from '../app/route.ts';
import { dayText, timeText } from '../logic/clock.ts';
import type { Resource } from '../logic/fhir.ts';
import { intervalOf, isDay, kindOf, partsOf, periodCompared, periodOf, type Period, type PeriodKind } from '../logic/period.ts';
import { FigureCard } from './FigureCard.tsx';
import { FigureCharts } from './FigureCharts.tsx';
import { FigureRows } from './FigureRows.tsx';
import { valueText } from './figuresText.ts';
import './figures.css';

interface Asked extends FiguresAsked { measure?: string; rows: boolean }

function askedOf(search: string): Asked {
  const query = new URLSearchParams(search);
  const [from, to] = [query.get('from'), query.get('to')];
  const period = isDay(from) && isDay(to) && from <= to ? { from, to } : periodOf('month', dayText(serverNow()));
  return { period, organization: query.get('org') ?? undefined, measure: query.get('measure') ?? undefined, rows: query.get('rows') === '1' };
}

function ask(asked: Asked): void {
  const query = new URLSearchParams({ from: asked.period.from, to: asked.period.to });
  if (asked.organization) query.set('org', asked.organization);
  if (asked.measure) query.set('measure', asked.measure);
  if (asked.rows) query.set('rows', '1');
  go({ screen: 'figures', search: query.toString() });
}

interface Organization extends Resource { name?: string }

/** Own institution and those right beneath it, and beneath the one chosen. */
function useInstitutions(user: User, chosen: string | undefined) {
  const below = useSearch<Organization>('Organization', user.organization && `partof=${user.organization}&_count=500&_sort=name`);
  const deeper = useSearch<Organization>('Organization', chosen && chosen !== user.organization ? `partof=${chosen}&_count=500&_sort=name` : undefined);
  const seen = new Map([...(below.data ?? []), ...(chosen ? deeper.data ?? [] : [])].map((o) => [`Organization/${o.id}`, o.name ?? o.id ?? '']));
  return [...seen].map(([value, label]) => ({ value, label }));
}

function PeriodPicker({ asked }: { asked: Asked }) {
  const { t } = useTranslation();
  const today = dayText(serverNow());
  const kind = kindOf(asked.period, today);
  const set = (period: Period) => { if (isDay(period.from) && isDay(period.to) && period.from <= period.to) ask({ ...asked, period }); };
  const choose = (next: PeriodKind) => set(next === 'custom' ? { from: asked.period.from, to: asked.period.to } : periodOf(next, today));
  return (
    <>
      <Segmented value={kind} onChange={(k) => choose(k as PeriodKind)}
        options={(['month', 'last-month', 'quarter', 'custom'] as const).map((value) => ({ value, label: t(`figures.${value}`), disabled: value === 'custom' && kind !== 'custom' }))} />
      <label className="figures-day">{t('figures.start')}<input type="date" value={asked.period.from} max={asked.period.to} onChange={(e) => set({ ...asked.period, from: e.target.value })} data-from /></label>
      <label className="figures-day">{t('figures.end')}<input type="date" value={asked.period.to} min={asked.period.from} onChange={(e) => set({ ...asked.period, to: e.target.value })} data-to /></label>
    </>
  );
}

function Detail({ figure, asked }: { figure: Figure; asked: Asked }) {
  const { t } = useTranslation();
  return (
    <section className="figure-detail" aria-label={figure.title} data-detail={`${figure.pathway}/${figure.code}`}>
      <div className="figures-bar">
        <h3>{figure.pathwayTitle} · {figure.title}</h3>
        <b className="figure-now">{valueText(t, figure.kind, figure.score.value)}</b>
        <Button size="small" icon={<UnorderedListOutlined />} onClick={() => ask({ ...asked, measure: figure.measure, rows: true })} data-open-rows>{t('figures.open-rows')}</Button>
      </div>
      {figure.description && <p className="q-help">{figure.description}</p>}
      <FigureCharts figure={figure} parts={partsOf(asked.period, intervalOf(asked.period))} />
    </section>
  );
}

function Groups({ list, before, chosen, choose }: { list: Figure[]; before?: Figure[]; chosen?: Figure; choose: (f: Figure) => void }) {
  const titles = [...new Map(list.map((f) => [f.pathway, f.pathwayTitle]))];
  return (
    <div className="figures-groups">
      {titles.map(([pathway, title]) => (
        <section key={pathway} aria-label={title}>
          <h3>{title}</h3>
          <div className="figure-cards">
            {list.filter((f) => f.pathway === pathway).map((f) => (
              <FigureCard key={f.code} figure={f} before={before?.find((b) => b.measure === f.measure)} on={chosen?.measure === f.measure} choose={() => choose(f)} />
            ))}
          </div>
        </section>
      ))}
    </div>
  );
}

function Institutions({ user, asked }: { user: User; asked: Asked }) {
  const { t } = useTranslation();
  const options = useInstitutions(user, asked.organization);
  return (
    <Select className="figures-place" value={asked.organization ?? ''} onChange={(org) => ask({ ...asked, organization: org || undefined })} showSearch optionFilterProp="label"
      aria-label={t('figures.institution')} options={[{ value: '', label: user.organizationName ? t('figures.whole', { name: user.organizationName }) : t('figures.all') }, ...options]} />
  );
}

export default function FiguresScreen({ search, user, pathways }: { search: string; user: User; pathways: Pathway[] }) {
  const { t } = useTranslation();
  const asked = askedOf(search);
  const now = useFigures({ ...asked, interval: intervalOf(asked.period) });
  const past = periodCompared(asked.period, dayText(serverNow()));
  const before = useFigures({ period: past, organization: asked.organization });
  const list = now.data?.list ?? [];
  const chosen = list.find((f) => f.measure === asked.measure) ?? list.find((f) => f.score.value !== undefined) ?? list[0];
  if (asked.rows && chosen) return <FigureRows key={chosen.measure} figure={chosen} asked={asked} pathways={pathways} back={() => ask({ ...asked, rows: false })} />;
  return (
    <div className="screen figures">
      <div className="figures-bar">
        <h2>{t('figures.page')}</h2>
        <PeriodPicker asked={asked} />
        <Institutions user={user} asked={asked} />
        <Button icon={<PrinterOutlined />} onClick={() => window.print()}>{t('figures.print')}</Button>
      </div>
      <p className="q-help figures-note">
        {now.data?.at && <span data-fresh>{t('figures.fresh', { at: timeText(now.data.at) })}</span>} · {t('figures.compared', { from: past.from, to: past.to })}
      </p>
      {now.isError && <Failed error={now.error} again={() => void now.refetch()} />}
      {now.isPending && <Waiting />}
      {now.data && (
        <div className={now.isPlaceholderData ? 'figures-cols figures-old' : 'figures-cols'}>
          <Groups list={list} before={before.data?.list} chosen={chosen} choose={(f) => ask({ ...asked, measure: f.measure })} />
          {chosen && <Detail figure={chosen} asked={asked} />}
        </div>
      )}
    </div>
  );
}
