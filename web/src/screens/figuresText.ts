/** A figure's number in words: what is not known is said, never shown as 0. */
import type { TFunction } from 'i18next';
import type { Figure, FigureKind, Score } from '../api/figures.ts';
import { changeOf } from '../logic/figures.ts';

export function minutesText(t: TFunction, minutes: number): string {
  const whole = Math.round(minutes);
  if (minutes < 10) return t('figures.minutes', { n: Math.round(minutes * 10) / 10 });
  if (whole < 120) return t('figures.minutes', { n: whole });
  if (whole < 48 * 60) return t('figures.hours', { n: Math.round(whole / 6) / 10 });
  return t('figures.days', { n: Math.round(whole / 144) / 10 });
}

export function valueText(t: TFunction, kind: FigureKind, value: number | undefined): string {
  if (value === undefined) return t('figures.missing');
  if (kind === 'share') return `${(value * 100).toFixed(1)}%`;
  return kind === 'count' ? String(value) : minutesText(t, value);
}

/** What the number is made of. */
export function basisText(t: TFunction, kind: FigureKind, score: Score): string {
  if (score.value === undefined || kind === 'count') return '';
  return kind === 'share' ? `${score.above ?? 0} / ${score.of ?? 0}` : t('figures.cases', { n: score.of ?? 0 });
}

export interface ChangeText { text: string; good?: boolean }

export function changeText(t: TFunction, figure: Figure, before: Score | undefined): ChangeText {
  const change = changeOf(figure.score, before, figure.better);
  if (!change) return { text: before && before.value === undefined ? t('figures.before-missing') : '' };
  if (change.by === 0) return { text: t('figures.same') };
  const size = Math.abs(change.by);
  const amount = figure.kind === 'share' ? t('figures.points', { n: (size * 100).toFixed(1) }) : valueText(t, figure.kind, size);
  const judged = change.good === undefined ? '' : ` · ${t(change.good ? 'figures.better' : 'figures.worse')}`;
  return { text: `${change.by > 0 ? '▲' : '▼'} ${amount}${judged}`, good: change.good };
}
