/** One sheet of ECG paper on a canvas: sharp at any device pixel ratio, zoomed, moved and measured with the pointer. */
import { useEffect, useLayoutEffect, useRef, useState } from 'react';
import { cellAt, timeAt, voltsAt, xOf, type Page } from './ecgGeometry.ts';
import { drawScene, type Caliper, type View, type Words } from './ecgDraw.ts';
import { clamp, valueAt, type EcgLead, type Mark } from './ecgMath.ts';

/** CSS pixels a millimetre, and the page's point (mm) at the sheet's left top. */
export type SheetView = View;
export type Tool = 'pan' | 'caliper';

export interface SheetProps {
  page: Page;
  leads: EcgLead[];
  earlier?: EcgLead[];
  view: SheetView;
  tool: Tool;
  caliper?: Caliper;
  words: Words;
  label: string;
  caption?: string;
  height: number;
  onView: (change: (view: SheetView, size: Size) => SheetView) => void;
  /** Moving past the page's edge moves on in time. */
  onTime: (seconds: number) => void;
  onCaliper: (caliper: Caliper | undefined) => void;
  onSize: (size: Size) => void;
}

export interface Size { width: number; height: number }

/** Keeps the page on the sheet; a page smaller than the sheet stands in its middle, at the top. */
export function keepOnSheet(view: SheetView, page: Page, size: Size): SheetView {
  const spareX = page.width - size.width / view.scale, spareY = page.height - size.height / view.scale;
  return { scale: view.scale, x: spareX < 0 ? spareX / 2 : clamp(view.x, 0, spareX), y: spareY < 0 ? 0 : clamp(view.y, 0, spareY) };
}

export function zoomAt(view: SheetView, factor: number, px: number, py: number): SheetView {
  const scale = clamp(view.scale * factor, 0.8, 60);
  return { scale, x: view.x + px / view.scale - px / scale, y: view.y + py / view.scale - py / scale };
}

function useSize(ref: React.RefObject<HTMLElement | null>, onSize: (size: Size) => void): Size {
  const [size, setSize] = useState<Size>({ width: 0, height: 0 });
  const told = useRef(onSize);
  told.current = onSize;
  useLayoutEffect(() => {
    const node = ref.current;
    if (!node) return undefined;
    const measure = () => {
      const next = { width: node.clientWidth, height: node.clientHeight };
      setSize((old) => (old.width === next.width && old.height === next.height ? old : next));
      told.current(next);
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(node);
    return () => observer.disconnect();
  }, [ref]);
  return size;
}

/** The device pixel ratio, followed when the window moves to another screen or the browser zooms. */
function useRatio(): number {
  const [ratio, setRatio] = useState(window.devicePixelRatio || 1);
  useEffect(() => {
    const query = window.matchMedia(`(resolution: ${ratio}dppx)`);
    const changed = () => setRatio(window.devicePixelRatio || 1);
    query.addEventListener('change', changed);
    return () => query.removeEventListener('change', changed);
  }, [ratio]);
  return ratio;
}

type Drag = { kind: 'pan'; px: number; py: number } | { kind: 'caliper'; caliper: Caliper };

const GRAB_PX = 7;

/** A caliper that begins at the point, or the present one with its nearer end taken hold of. */
function caliperFrom(p: SheetProps, x: number, y: number): Caliper | undefined {
  const cell = cellAt(p.page, x, y);
  if (!cell || cell.lead < 0) return undefined;
  const mark: Mark = { time: timeAt(p.page, cell, x), mv: voltsAt(p.page, cell, y) };
  const c = p.caliper;
  if (c && c.cell.row === cell.row && c.cell.x === cell.x) {
    for (const end of ['a', 'b'] as const) {
      if (Math.abs(xOf(p.page, c.cell, c[end].time) - x) * p.view.scale < GRAB_PX) return { ...c, active: end };
    }
  }
  return { cell, a: mark, b: mark, active: 'b', march: c?.march ?? false };
}

function caliperMoved(p: SheetProps, c: Caliper, x: number, y: number): Caliper {
  const time = clamp(timeAt(p.page, c.cell, x), c.cell.from, c.cell.from + c.cell.seconds);
  return { ...c, [c.active]: { time, mv: voltsAt(p.page, c.cell, y) } };
}

/** What stands under the pointer, in words of numbers. */
function readout(p: SheetProps, x: number, y: number): string {
  const cell = cellAt(p.page, x, y);
  const lead = cell && p.leads[cell.lead];
  if (!cell || !lead) return '';
  const time = timeAt(p.page, cell, x);
  const mv = valueAt(lead, time);
  return `${lead.name}  ${time.toFixed(3)} s${mv === undefined ? '' : `  ${mv.toFixed(3)} mV`}`;
}

function usePointer(p: SheetProps, size: Size, canvas: React.RefObject<HTMLCanvasElement | null>, say: (text: string) => void) {
  const drag = useRef<Drag>();
  const place = (e: { clientX: number; clientY: number }): [number, number] => {
    const box = canvas.current?.getBoundingClientRect();
    return [e.clientX - (box?.left ?? 0), e.clientY - (box?.top ?? 0)];
  };
  const onPage = (px: number, py: number): [number, number] => [p.view.x + px / p.view.scale, p.view.y + py / p.view.scale];
  const pan = (px: number, py: number, from: { px: number; py: number }) => {
    const want = p.view.x - (px - from.px) / p.view.scale;
    const kept = keepOnSheet({ ...p.view, x: want, y: p.view.y - (py - from.py) / p.view.scale }, p.page, size);
    p.onView(() => kept);
    if (Math.abs(want - kept.x) > 1e-6) p.onTime((want - kept.x) / p.page.speed);
  };
  return {
    onPointerDown: (e: React.PointerEvent<HTMLCanvasElement>) => {
      const [px, py] = place(e);
      const caliper = p.tool === 'caliper' && e.button === 0 && !e.shiftKey ? caliperFrom(p, ...onPage(px, py)) : undefined;
      drag.current = caliper ? { kind: 'caliper', caliper } : { kind: 'pan', px, py };
      if (caliper) p.onCaliper(caliper);
      e.currentTarget.setPointerCapture(e.pointerId);
    },
    onPointerMove: (e: React.PointerEvent<HTMLCanvasElement>) => {
      const [px, py] = place(e);
      const d = drag.current;
      if (d?.kind === 'pan') {
        pan(px, py, d);
        drag.current = { kind: 'pan', px, py };
      } else if (d?.kind === 'caliper') {
        d.caliper = caliperMoved(p, d.caliper, ...onPage(px, py));
        p.onCaliper(d.caliper);
      }
      say(readout(p, ...onPage(px, py)));
    },
    onPointerUp: () => { drag.current = undefined; },
    onPointerCancel: () => { drag.current = undefined; },
    onPointerLeave: () => say(''),
  };
}

function useWheelZoom(p: SheetProps, canvas: React.RefObject<HTMLCanvasElement | null>) {
  const latest = useRef(p);
  latest.current = p;
  useEffect(() => {
    const node = canvas.current;
    if (!node) return undefined;
    const turn = (e: WheelEvent) => {
      e.preventDefault();
      const box = node.getBoundingClientRect();
      const now = latest.current;
      now.onView((view, size) => keepOnSheet(zoomAt(view, Math.exp(-e.deltaY * 0.0015), e.clientX - box.left, e.clientY - box.top), now.page, size));
    };
    node.addEventListener('wheel', turn, { passive: false });
    return () => node.removeEventListener('wheel', turn);
  }, [canvas]);
}

export function EcgSheet(p: SheetProps) {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const cursor = useRef<HTMLSpanElement>(null);
  const size = useSize(box, p.onSize);
  const ratio = useRatio();
  useWheelZoom(p, canvas);
  const pointer = usePointer(p, size, canvas, (text) => { if (cursor.current) cursor.current.textContent = text; });
  useLayoutEffect(() => {
    const node = canvas.current;
    if (!node || size.width === 0) return undefined;
    const frame = requestAnimationFrame(() => {
      const [w, h] = [Math.round(size.width * ratio), Math.round(size.height * ratio)];
      if (node.width !== w) node.width = w;
      if (node.height !== h) node.height = h;
      const { page, leads, earlier, caliper, words } = p;
      drawScene(node, { page, leads, earlier, caliper, words, view: { ...p.view, scale: p.view.scale * ratio } }, ratio);
    });
    return () => cancelAnimationFrame(frame);
  });
  return (
    <figure className="ecg-sheet">
      {p.caption && <figcaption>{p.caption}</figcaption>}
      <div className="ecg-canvas" ref={box} style={{ height: p.height }}>
        <canvas ref={canvas} role="img" aria-label={p.label} tabIndex={0} className={p.tool === 'caliper' ? 'ecg-cross' : 'ecg-grab'} {...pointer} />
        <span className="ecg-cursor" ref={cursor} aria-hidden="true" />
      </div>
    </figure>
  );
}
