/** The figures of a period: the server's MeasureReports as plain objects. No indicator is known here. */
import { useQuery, keepPreviousData } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { extensionValue, resourcesOf, type Bundle, type Coding, type Concept, type Quantity, type Reference, type Resource } from '../logic/fhir.ts';
import type { Interval, Period } from '../logic/period.ts';
import { getJson } from './http.ts';
import { retryable } from './queries.ts';

export type FigureKind = 'count' | 'share' | 'median-minutes';
/** `value` undefined: nobody knows; never shown as 0. */
export interface Score { value?: number; above?: number; of?: number }
export interface Stratum { code: string; title: string; score: Score }
export interface Path { requester: string; receiver: string; state: string; count: number }
export interface Figure {
  measure: string; code: string; title: string; description?: string; kind: FigureKind; pathway: string; pathwayTitle: string;
  better?: 'increase' | 'decrease'; score: Score; institutions: Stratum[]; priorities: Stratum[]; intervals: Stratum[]; paths: Path[];
}
export interface FigureRow { task: string; above?: boolean; minutes?: number }
export interface Figures { at?: string; list: Figure[] }
export interface FiguresAsked { period: Period; organization?: string; interval?: Interval }

interface Population { code?: Concept; count?: number }
interface Component { code?: Concept; value?: Concept }
interface StratumPart { value?: Concept; component?: Component[]; population?: Population[]; measureScore?: Quantity }
interface Stratifier { code?: Concept[]; stratum?: StratumPart[] }
interface Group { code?: Concept; population?: Population[]; measureScore?: Quantity; stratifier?: Stratifier[] }
interface MeasureReport extends Resource { measure?: string; group?: Group[]; evaluatedResource?: Reference[]; improvementNotation?: Concept }

function coding(concept: Concept | undefined): Coding | undefined { return concept?.coding?.[0]; }

function population(list: Population[] | undefined, code: string): number | undefined {
  return list?.find((p) => coding(p.code)?.code === code)?.count;
}

function scoreOf(part: StratumPart): Score {
  return {
    value: part.measureScore?.value, above: population(part.population, 'numerator'),
    of: population(part.population, 'denominator') ?? population(part.population, 'measure-population'),
  };
}

function strata(group: Group, code: string): StratumPart[] {
  return group.stratifier?.find((s) => s.code?.some((c) => coding(c)?.code === code))?.stratum ?? [];
}

function plain(part: StratumPart): Stratum {
  return { code: coding(part.value)?.code ?? '', title: part.value?.text ?? coding(part.value)?.code ?? '', score: scoreOf(part) };
}

function pathOf(part: StratumPart): Path {
  const at = (code: string) => part.component?.find((c) => coding(c.code)?.code === code)?.value?.text ?? '';
  return { requester: at('requester'), receiver: at('receiver'), state: at('state'), count: part.measureScore?.value ?? 0 };
}

function figureOf(report: MeasureReport): Figure {
  const group = report.group?.[0] ?? {};
  const text = (url: string) => extensionValue(report, url) as string | undefined;
  return {
    measure: report.measure ?? '', code: coding(group.code)?.code ?? '', title: group.code?.text ?? '',
    description: text('urn:menkou:description'), kind: (text('urn:menkou:kind') ?? 'count') as FigureKind,
    pathway: text('urn:menkou:pathway') ?? '', pathwayTitle: text('urn:menkou:pathway-title') ?? '',
    better: coding(report.improvementNotation)?.code as Figure['better'],
    score: scoreOf(group), institutions: strata(group, 'institution').map(plain), priorities: strata(group, 'priority').map(plain),
    intervals: strata(group, 'interval').map(plain), paths: strata(group, 'path').map(pathOf),
  };
}

function pathOfQuery(asked: FiguresAsked, more: Record<string, string>): string {
  const query = new URLSearchParams({ 'period-start': asked.period.from, 'period-end': asked.period.to, ...more });
  if (asked.organization) query.set('organization', asked.organization);
  if (asked.interval) query.set('interval', asked.interval);
  return `/fhir/MeasureReport/$figures?${query}`;
}

export function useFigures(asked: FiguresAsked) {
  const lang = useTranslation().i18n.language;
  const path = pathOfQuery(asked, { level: 'branch', rows: '0' });
  return useQuery({
    queryKey: ['$figures', lang, path],
    queryFn: async ({ signal }): Promise<Figures> => {
      const bundle = await getJson<Bundle>(path, signal);
      return { at: bundle.timestamp as string | undefined, list: resourcesOf<MeasureReport>(bundle, 'MeasureReport').map(figureOf) };
    },
    placeholderData: keepPreviousData,
    staleTime: 60_000,
    retry: retryable,
  });
}

export const ROWS_MAX = 2000;

export function useFigureRows(asked: FiguresAsked, measure: string | undefined) {
  const path = pathOfQuery(asked, { level: 'branch', rows: String(ROWS_MAX), measure: measure ?? '' });
  return useQuery({
    queryKey: ['$figures', 'rows', path],
    queryFn: async ({ signal }): Promise<FigureRow[]> => {
      const report = resourcesOf<MeasureReport>(await getJson<Bundle>(path, signal), 'MeasureReport')[0];
      return (report?.evaluatedResource ?? []).map((r) => ({
        task: r.reference?.split('/')[1] ?? '',
        above: extensionValue(r as Resource & Reference, 'urn:menkou:numerator') as boolean | undefined,
        minutes: extensionValue(r as Resource & Reference, 'urn:menkou:minutes') as number | undefined,
      }));
    },
    enabled: Boolean(measure),
    retry: retryable,
  });
}
