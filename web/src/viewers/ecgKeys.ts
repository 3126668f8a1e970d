/** The viewer's keys as a table from a key to what it does; the viewer gives the deeds. */
import type { Caliper } from './ecgDraw.ts';
import type { Page } from './ecgGeometry.ts';
import { clamp } from './ecgMath.ts';
import { LAYOUTS, type Layout } from './ecgGeometry.ts';
import type { Tool } from './ecgSheet.tsx';

export interface Deeds {
  zoomBy: (factor: number) => void;
  trueScale: () => void;
  fit: () => void;
  tool: (tool: Tool) => void;
  layout: (layout: Layout) => void;
  /** Pages of time forward or back; ±Infinity is the end or the beginning. */
  turn: (pages: number) => void;
  /** Millimetres. */
  move: (dx: number, dy: number) => void;
  caliper: (change: (old: Caliper | undefined) => Caliper | undefined) => void;
  report: () => void;
}

export interface Keyboard { page: Page; tool: Tool; caliper?: Caliper; leadRate: (cell: number) => number }

/** The first recorded cell's middle: where a caliper begins that is made without a pointer. */
function caliperNew(page: Page): Caliper | undefined {
  const cell = page.cells.find((c) => c.lead >= 0);
  if (!cell) return undefined;
  const time = cell.from + cell.seconds / 4;
  return { cell, a: { time, mv: 0 }, b: { time: time + 0.2, mv: 0.5 }, active: 'b', march: false };
}

/** One end by one sample and a hundredth of a millivolt; ten times that with Shift. */
function caliperStep(k: Keyboard, c: Caliper, dx: number, dy: number, fast: boolean): Caliper {
  const step = (fast ? 10 : 1) / k.leadRate(c.cell.lead);
  const end = c[c.active];
  const time = clamp(end.time + dx * step, c.cell.from, c.cell.from + c.cell.seconds);
  return { ...c, [c.active]: { time, mv: end.mv - dy * (fast ? 0.1 : 0.01) } };
}

const ARROWS: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function arrow(k: Keyboard, d: Deeds, dx: number, dy: number, fast: boolean): void {
  if (k.tool === 'caliper') d.caliper((old) => (old ? caliperStep(k, old, dx, dy, fast) : caliperNew(k.page)));
  else d.move(dx * (fast ? 50 : 10), dy * (fast ? 50 : 10));
}

function measureKey(k: Keyboard, d: Deeds, key: string): boolean {
  if (!k.caliper) return false;
  if (key === 'Escape') d.caliper(() => undefined);
  else if (key === ' ') d.caliper((c) => c && { ...c, active: c.active === 'a' ? 'b' : 'a' });
  else if (key === 'Enter') d.report();
  else if (key === 'r' || key === 'R') d.caliper((c) => c && { ...c, march: !c.march });
  else return false;
  return true;
}

/** True when the key was the viewer's. */
export function keyDo(k: Keyboard, d: Deeds, e: { key: string; shiftKey: boolean; ctrlKey: boolean; altKey: boolean; metaKey: boolean }): boolean {
  if (e.ctrlKey || e.altKey || e.metaKey) return false;
  if (measureKey(k, d, e.key)) return true;
  const by = ARROWS[e.key];
  if (by) { arrow(k, d, by[0], by[1], e.shiftKey); return true; }
  const table: Record<string, () => void> = {
    '+': () => d.zoomBy(1.25), '=': () => d.zoomBy(1.25), '-': () => d.zoomBy(1 / 1.25), 0: d.trueScale, f: d.fit,
    p: () => d.tool('pan'), m: () => d.tool('caliper'), PageDown: () => d.turn(e.shiftKey ? 6 : 1), PageUp: () => d.turn(e.shiftKey ? -6 : -1),
    Home: () => d.turn(-Infinity), End: () => d.turn(Infinity),
    1: () => d.layout(LAYOUTS[0] as Layout), 2: () => d.layout(LAYOUTS[1] as Layout), 3: () => d.layout(LAYOUTS[2] as Layout),
  };
  const deed = table[e.key.length === 1 ? e.key.toLowerCase() : e.key];
  deed?.();
  return deed !== undefined;
}
