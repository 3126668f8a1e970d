/** One figure as a card that can be chosen: its number, what it is made of, how it stands against the time before. */
import { useTranslation } from 'react-i18next';
import type { Figure } from '../api/figures.ts';
import { basisText, changeText, valueText } from './figuresText.ts';
import './figures.css';

export function FigureCard({ figure, before, on, choose }: { figure: Figure; before?: Figure; on: boolean; choose: () => void }) {
  const { t } = useTranslation();
  const change = changeText(t, figure, before?.score);
  const missing = figure.score.value === undefined;
  const tone = change.good === undefined ? '' : change.good ? ' figure-good' : ' figure-bad';
  return (
    <button type="button" className={on ? 'figure-card figure-on' : 'figure-card'} aria-pressed={on} onClick={choose} title={figure.description} data-figure={`${figure.pathway}/${figure.code}`}>
      <span className="figure-title">{figure.title}</span>
      <span className={missing ? 'figure-number figure-missing' : 'figure-number'}>{valueText(t, figure.kind, figure.score.value)}</span>
      <span className="figure-basis">{basisText(t, figure.kind, figure.score)}</span>
      <span className={`figure-change${tone}`}>{change.text}</span>
    </button>
  );
}
