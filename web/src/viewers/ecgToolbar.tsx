/** The viewer's controls: layout, speed, gain, zoom, tools, comparison. Every one has its key. */
import { GAINS, LAYOUTS, SPEEDS, type Layout } from './ecgGeometry.ts';
import type { Tool } from './ecgSheet.tsx';
import type { EcgWords } from './ecgText.ts';

export type CompareMode = 'overlay' | 'beside';

export interface Settings { layout: Layout; speed: number; gain: number; from: number; tool: Tool; compare: CompareMode; shift: number }

export interface ToolbarProps {
  words: EcgWords;
  settings: Settings;
  change: (part: Partial<Settings>) => void;
  /** Of true scale: 1 is 25 mm on the screen for 25 mm of paper. */
  zoom: number;
  zoomBy: (factor: number) => void;
  trueScale: () => void;
  fit: () => void;
  march: boolean;
  toggleMarch: () => void;
  canMarch: boolean;
  hasEarlier: boolean;
  /** False for a recording of few leads, which has a row for each in every layout. */
  hasLayouts: boolean;
  calibrate: () => void;
}

interface ChoiceProps<T> { name: string; values: T[]; value: T; text: (value: T) => string; choose: (value: T) => void }

function Choice<T extends string | number>({ name, values, value, text, choose }: ChoiceProps<T>) {
  return (
    <span className="ecg-group" role="group" aria-label={name}>
      {values.map((v) => (
        <button key={v} type="button" aria-pressed={v === value} title={`${name} ${text(v)}`} onClick={() => choose(v)}>{text(v)}</button>
      ))}
    </span>
  );
}

function CompareTools({ words, settings, change }: Pick<ToolbarProps, 'words' | 'settings' | 'change'>) {
  const names: Record<CompareMode, string> = { overlay: words.overlay, beside: words.beside };
  return (
    <>
      <Choice name={words.earlier} values={['overlay', 'beside'] as CompareMode[]} value={settings.compare} text={(v) => names[v]} choose={(compare) => change({ compare })} />
      {settings.compare === 'overlay' && (
        <label className="ecg-shift">
          {words.earlier} {settings.shift >= 0 ? '+' : '−'}{Math.abs(settings.shift).toFixed(2)} s
          <input type="range" min={-1} max={1} step={0.02} value={settings.shift} onChange={(e) => change({ shift: Number(e.target.value) })} />
        </label>
      )}
    </>
  );
}

export function EcgToolbar(p: ToolbarProps) {
  const { words, settings, change } = p;
  const layouts: Record<Layout, string> = { '3x4': words.rhythm, '6x2': words.sixByTwo, '12x1': words.twelveByOne };
  const tools: Record<Tool, string> = { pan: words.pan, caliper: words.measure };
  return (
    <div className="ecg-tools" role="toolbar">
      {p.hasLayouts && <Choice name={words.layout} values={LAYOUTS} value={settings.layout} text={(v) => layouts[v]} choose={(layout) => change({ layout })} />}
      <Choice name={`${words.speed} mm/s`} values={SPEEDS} value={settings.speed} text={String} choose={(speed) => change({ speed })} />
      <span className="ecg-unit">mm/s</span>
      <Choice name={`${words.gain} mm/mV`} values={GAINS} value={settings.gain} text={String} choose={(gain) => change({ gain })} />
      <span className="ecg-unit">mm/mV</span>
      <Choice name={words.measure} values={['pan', 'caliper'] as Tool[]} value={settings.tool} text={(v) => tools[v]} choose={(tool) => change({ tool })} />
      {p.canMarch && <button type="button" aria-pressed={p.march} onClick={p.toggleMarch}>{words.march}</button>}
      <span className="ecg-group" role="group" aria-label={words.zoomIn}>
        <button type="button" aria-label={words.zoomOut} onClick={() => p.zoomBy(1 / 1.25)}>−</button>
        <button type="button" title={words.trueScale} onClick={p.trueScale} className="ecg-zoom">{Math.round(p.zoom * 100)}%</button>
        <button type="button" aria-label={words.zoomIn} onClick={() => p.zoomBy(1.25)}>+</button>
        <button type="button" onClick={p.fit}>{words.fit}</button>
      </span>
      <button type="button" onClick={p.calibrate}>{words.calibrate}</button>
      {p.hasEarlier && <CompareTools words={words} settings={settings} change={change} />}
    </div>
  );
}
