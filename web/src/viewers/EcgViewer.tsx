/**
 * The ECG viewer: a recording on its paper at true scale (25 mm/s, 10 mm/mV), in the usual layouts, zoomed, moved,
 * measured in time and voltage with pointer or keyboard, beside or over an earlier one. It shows what was recorded:
 * missing leads are named, further leads have rows of their own, gaps stay gaps, nothing is filtered or derived.
 */
import { useEffect, useMemo, useState } from 'react';
import './ecg.css';
import { EcgCalibrate, savedScale } from './ecgCalibrate.tsx';
import type { Caliper } from './ecgDraw.ts';
import { EcgOverview } from './ecgOverview.tsx';
import { furtherLeads, hasGrid, missingLeads, pageOf, type Page } from './ecgGeometry.ts';
import { keyDo, type Deeds } from './ecgKeys.ts';
import { clamp, clockText, durationOf, measureOf, measureText, type EcgInput, type EcgLead } from './ecgMath.ts';
import { EcgSheet, keepOnSheet, zoomAt, type SheetView, type Size } from './ecgSheet.tsx';
import type { Envelope } from './samples.ts';
import { wordsOf, type EcgWords } from './ecgText.ts';
import { EcgToolbar, type Settings } from './ecgToolbar.tsx';

export interface EcgViewerProps extends EcgInput {
  compareWith?: EcgInput;
  lang: string;
  notForDiagnosis: boolean;
  /** Of a long recording, whose leads hold a window: the whole in outline, and where the person turned to. */
  overview?: Envelope[];
  onTurn?: (from: number) => void;
  loading?: boolean;
  omitted?: string[];
  /** Called with the measurement's text when the person notes it (Enter or the button). */
  onMeasure?: (text: string) => void;
}

const START: Settings = { layout: '3x4', speed: 25, gain: 10, from: 0, tool: 'pan', compare: 'overlay', shift: 0 };

function shortTime(text: string | undefined, words: EcgWords): string {
  return text ? text.replace('T', ' ').replace(/(\.\d+)?([+-]\d\d:\d\d|Z)$/, '') : words.noTime;
}

/** The earlier recording moved along time, so that its beats can be laid over the present ones. */
function shifted(leads: EcgLead[] | undefined, seconds: number): EcgLead[] | undefined {
  if (!leads || seconds === 0) return leads;
  return leads.map((l) => ({ ...l, first: (l.first ?? 0) + Math.round(seconds * l.rate) }));
}

/** Zoom and place; until the person changes it, true scale or, on a narrower sheet, the page's width. */
function useSheetView(page: Page, pxPerMm: number) {
  const [own, setOwn] = useState<SheetView>();
  const [size, setSize] = useState<Size>({ width: 0, height: 0 });
  const fitScale = size.width > 0 ? size.width / page.width : pxPerMm;
  const view = keepOnSheet(own ?? { scale: Math.min(pxPerMm, fitScale), x: 0, y: 0 }, page, size);
  const change = (f: (view: SheetView, size: Size) => SheetView) => setOwn(f(view, size));
  const scaleTo = (scale: number) => change((v) => keepOnSheet(zoomAt(v, scale / v.scale, size.width / 2, 0), page, size));
  return { view, size, setSize, change, scaleTo, fit: () => scaleTo(fitScale) };
}

function useCaliper(page: Page) {
  const [caliper, setCaliper] = useState<Caliper>();
  useEffect(() => setCaliper(undefined), [page]);
  return [caliper, setCaliper] as const;
}

function TimeSlider({ words, settings, page, duration, turnTo }: { words: EcgWords; settings: Settings; page: Page; duration: number; turnTo: (from: number) => void }) {
  if (duration <= page.seconds + 0.01) return null;
  return (
    <label className="ecg-time">
      {words.position} {clockText(settings.from)} – {clockText(Math.min(duration, settings.from + page.seconds))} / {clockText(duration)}
      <input type="range" min={0} max={Math.max(0, duration - page.seconds)} step={0.1} value={settings.from} onChange={(e) => turnTo(Number(e.target.value))} />
    </label>
  );
}

function Facts({ words, leads, startTime, omitted, settings, zoom }: { words: EcgWords; leads: EcgLead[]; startTime?: string; omitted?: string[]; settings: Settings; zoom: number }) {
  const names = leads.map((l) => l.name);
  const missing = missingLeads(names), further = furtherLeads(names);
  const rates = [...new Set(leads.map((l) => `${l.rate} Hz`))].join(', ');
  return (
    <p className="ecg-facts">
      <span>{startTime ? `${words.time} ${shortTime(startTime, words)}` : words.noTime}</span>
      <span>{leads.length} {words.leads}, {rates}, {clockText(durationOf(leads))}</span>
      <span>{settings.speed} mm/s, {settings.gain} mm/mV, {Math.round(zoom * 100)}%</span>
      {missing.length > 0 && <span className="ecg-warn">{words.missingLeads}: {missing.join(' ')}</span>}
      {further.length > 0 && <span>{words.furtherLeads}: {further.join(' ')}</span>}
      {omitted && omitted.length > 0 && <span>{words.omitted}: {omitted.join(', ')}</span>}
    </p>
  );
}

function Measured({ words, caliper, leads, report }: { words: EcgWords; caliper?: Caliper; leads: EcgLead[]; report?: () => void }) {
  return (
    <p className="ecg-measured" aria-live="polite">
      {caliper && <strong>{words.measured} {leads[caliper.cell.lead]?.name} {measureText(measureOf(caliper.a, caliper.b))}</strong>}
      {caliper && report && <button type="button" onClick={report}>{words.report}</button>}
    </p>
  );
}

function useDeeds(p: EcgViewerProps, state: ReturnType<typeof useViewer>): Deeds {
  const { sheet, change, turnTo, settings, page, pxPerMm, setCaliper, caliper } = state;
  return {
    zoomBy: (factor) => sheet.scaleTo(sheet.view.scale * factor),
    trueScale: () => sheet.scaleTo(pxPerMm),
    fit: sheet.fit,
    tool: (tool) => change({ tool }),
    layout: (layout) => change({ layout }),
    turn: (pages) => turnTo(settings.from + pages * page.seconds),
    move: (dx, dy) => sheet.change((v, size) => keepOnSheet({ ...v, x: v.x + dx, y: v.y + dy }, page, size)),
    caliper: (f) => setCaliper(f(caliper)),
    report: () => {
      if (caliper) p.onMeasure?.(`${p.leads[caliper.cell.lead]?.name ?? ''} ${measureText(measureOf(caliper.a, caliper.b))}`);
    },
  };
}

function useViewer(p: EcgViewerProps) {
  const [settings, setSettings] = useState(START);
  const [pxPerMm, setPxPerMm] = useState(savedScale);
  const [calibrating, setCalibrating] = useState(false);
  const duration = useMemo(() => durationOf(p.leads), [p.leads]);
  const names = p.leads.map((l) => l.name).join('\n'); // a window that arrives later has the same leads
  const page = useMemo(
    () => pageOf(names.split('\n'), { layout: settings.layout, speed: settings.speed, gain: settings.gain, from: settings.from }),
    [names, settings.layout, settings.speed, settings.gain, settings.from],
  );
  const sheet = useSheetView(page, pxPerMm);
  const [caliper, setCaliper] = useCaliper(page);
  const change = (part: Partial<Settings>) => setSettings((old) => ({ ...old, ...part }));
  const turnTo = (from: number) => change({ from: clamp(from, 0, duration - page.seconds) });
  const { onTurn } = p;
  useEffect(() => onTurn?.(settings.from), [onTurn, settings.from]);
  return { settings, change, turnTo, page, sheet, caliper, setCaliper, pxPerMm, setPxPerMm, calibrating, setCalibrating, duration };
}

function sheetHeight(page: Page, scale: number, sheets: number): number {
  return clamp(page.height * scale, 180, (window.innerHeight * 0.74) / sheets);
}

function Sheets({ p, state, words }: { p: EcgViewerProps; state: ReturnType<typeof useViewer>; words: EcgWords }) {
  const { page, sheet, settings, caliper, setCaliper, turnTo } = state;
  const earlier = useMemo(() => shifted(p.compareWith?.leads, settings.shift), [p.compareWith, settings.shift]);
  const beside = p.compareWith !== undefined && settings.compare === 'beside';
  const earlierPage = useMemo(() => (p.compareWith ? pageOf(p.compareWith.leads.map((l) => l.name), page) : page), [p.compareWith, page]);
  const names = p.leads.map((l) => l.name);
  const label = `ECG, ${shortTime(p.startTime, words)}, ${names.length} ${words.leads}: ${names.join(' ')}. ${settings.speed} mm/s, ${settings.gain} mm/mV. ${p.notForDiagnosis ? words.notForDiagnosis : ''}`;
  const common = { view: sheet.view, tool: settings.tool, words, onView: sheet.change, onSize: sheet.setSize, onTime: (s: number) => turnTo(settings.from + s) };
  const height = sheetHeight(page, sheet.view.scale, beside ? 1.6 : 1);
  return (
    <div className="ecg-sheets">
      <EcgSheet {...common} page={page} leads={p.leads} earlier={beside ? undefined : earlier} caliper={caliper} onCaliper={setCaliper} label={label} height={height}
        caption={p.compareWith ? `${words.current} ${shortTime(p.startTime, words)}${beside ? '' : `　/　${words.earlier} ${shortTime(p.compareWith.startTime, words)}`}` : undefined} />
      {beside && p.compareWith && (
        <EcgSheet {...common} page={earlierPage} leads={p.compareWith.leads} onCaliper={() => undefined} tool="pan" label={`ECG, ${words.earlier}, ${shortTime(p.compareWith.startTime, words)}`}
          height={height} caption={`${words.earlier} ${shortTime(p.compareWith.startTime, words)}`} />
      )}
    </div>
  );
}

export default function EcgViewer(p: EcgViewerProps) {
  const words = wordsOf(p.lang);
  const state = useViewer(p);
  const deeds = useDeeds(p, state);
  const { settings, page, sheet, caliper } = state;
  if (p.leads.length === 0) return <p className="ecg-facts">{words.none}</p>;
  const zoom = sheet.view.scale / state.pxPerMm;
  const onKeyDown = (e: React.KeyboardEvent) => {
    if (e.target instanceof HTMLInputElement) return;
    const button = e.target instanceof HTMLButtonElement && (e.key === ' ' || e.key === 'Enter');
    const keyboard = { page, tool: settings.tool, caliper, leadRate: (i: number) => p.leads[i]?.rate ?? 500 };
    if (!button && keyDo(keyboard, deeds, e)) { e.preventDefault(); e.stopPropagation(); }
  };
  return (
    <div className="ecg" onKeyDown={onKeyDown}>
      {p.notForDiagnosis && <p className="ecg-banner" role="note">{words.notForDiagnosis}</p>}
      <EcgToolbar words={words} settings={settings} change={state.change} zoom={zoom} zoomBy={deeds.zoomBy} trueScale={deeds.trueScale} fit={deeds.fit}
        march={caliper?.march ?? false} canMarch={caliper !== undefined} toggleMarch={() => deeds.caliper((c) => c && { ...c, march: !c.march })}
        hasEarlier={p.compareWith !== undefined} hasLayouts={hasGrid(p.leads.map((l) => l.name))} calibrate={() => state.setCalibrating((on) => !on)} />
      {state.calibrating && <EcgCalibrate help={words.calibrateHelp} scale={state.pxPerMm} change={state.setPxPerMm} />}
      <Facts words={words} leads={p.leads} startTime={p.startTime} omitted={p.omitted} settings={settings} zoom={zoom} />
      <Sheets p={p} state={state} words={words} />
      {p.overview
        ? <EcgOverview words={words} envelopes={p.overview} from={settings.from} seconds={page.seconds} duration={state.duration} startTime={p.startTime} loading={p.loading} turnTo={state.turnTo} />
        : <TimeSlider words={words} settings={settings} page={page} duration={state.duration} turnTo={state.turnTo} />}
      <Measured words={words} caliper={caliper} leads={p.leads} report={p.onMeasure && deeds.report} />
      <p className="ecg-help"><b>{words.keys}</b> {words.help}</p>
    </div>
  );
}
