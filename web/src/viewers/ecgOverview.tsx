/**
 * A long recording in one strip: lowest and highest of each stretch of time, the window that the sheet shows, and the
 * hours. The strip is a slider: a click or drag goes there, arrow keys turn pages, with Shift six at a time.
 */
import { useLayoutEffect, useRef, useState } from 'react';
import { clamp, clockText, dayTimeText } from './ecgMath.ts';
import type { EcgWords } from './ecgText.ts';
import type { Envelope } from './samples.ts';

export interface OverviewProps {
  words: EcgWords;
  envelopes: Envelope[];
  from: number;
  /** Of the window on the sheet, and of the whole. */
  seconds: number;
  duration: number;
  startTime?: string;
  loading?: boolean;
  turnTo: (from: number) => void;
}

const HEIGHT = 72, TICK_ROOM = 16, TICKS_MAX = 13;
const TICK_STEPS = [10, 30, 60, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400];
const WAVE = '#8fa3b8', PAPER = '#fffdfb', HERE = '#1668dc', FAINT = '#5b6b7d';

/** The rhythm lead where there is one. */
function shownOf(envelopes: Envelope[]): Envelope | undefined {
  return envelopes.find((e) => e.name === 'II' || e.name === 'MLII') ?? envelopes[0];
}

function extremes(e: Envelope): [number, number] {
  let low = Infinity, high = -Infinity;
  for (const v of e.low) if (v < low) low = v;
  for (const v of e.high) if (v > high) high = v;
  return [low, high];
}

function drawEnvelope(ctx: CanvasRenderingContext2D, e: Envelope, width: number, height: number): void {
  const [low, high] = extremes(e);
  const n = e.low.length, scale = high > low ? (height - 4) / (high - low) : 0;
  ctx.fillStyle = WAVE;
  for (let x = 0; x < width; x++) {
    let a = Infinity, b = -Infinity;
    const end = Math.max(Math.floor(((x + 1) * n) / width), Math.floor((x * n) / width) + 1);
    for (let i = Math.floor((x * n) / width); i < end && i < n; i++) {
      if ((e.low[i] as number) < a) a = e.low[i] as number;
      if ((e.high[i] as number) > b) b = e.high[i] as number;
    }
    if (b >= a) ctx.fillRect(x, height - 2 - (b - low) * scale, 1, Math.max(1, (b - a) * scale)); // nothing recorded stays blank
  }
}

function drawTicks(ctx: CanvasRenderingContext2D, p: OverviewProps, width: number, height: number, ratio: number): void {
  const step = TICK_STEPS.find((s) => p.duration / s < TICKS_MAX) ?? 86400;
  ctx.fillStyle = FAINT;
  ctx.font = `${11 * ratio}px sans-serif`;
  for (let t = 0; t < p.duration; t += step) {
    const x = Math.round((t / p.duration) * width);
    ctx.fillRect(x, height - TICK_ROOM * ratio, ratio, 4 * ratio);
    if (x < width - 52 * ratio) ctx.fillText((dayTimeText(p.startTime, t) ?? clockText(t).replace(/\.\d$/, '')).slice(0, 8), x + 3 * ratio, height - 3 * ratio);
  }
}

function draw(canvas: HTMLCanvasElement, p: OverviewProps, width: number): void {
  const ratio = window.devicePixelRatio || 1;
  const ctx = canvas.getContext('2d', { alpha: false });
  if (!ctx || width === 0) return;
  const w = Math.round(width * ratio), h = Math.round(HEIGHT * ratio);
  if (canvas.width !== w) canvas.width = w;
  if (canvas.height !== h) canvas.height = h;
  ctx.fillStyle = PAPER;
  ctx.fillRect(0, 0, w, h);
  const shown = shownOf(p.envelopes);
  if (shown) drawEnvelope(ctx, shown, w, h - TICK_ROOM * ratio);
  drawTicks(ctx, p, w, h, ratio);
  const x = (p.from / p.duration) * w, wide = Math.max(3 * ratio, (p.seconds / p.duration) * w);
  ctx.fillStyle = 'rgba(22,104,220,.35)';
  ctx.fillRect(x, 0, wide, h - TICK_ROOM * ratio);
  ctx.fillStyle = HERE;
  ctx.fillRect(x, 0, 2 * ratio, h);
}

function useWidth(ref: React.RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const node = ref.current;
    if (!node) return undefined;
    const observer = new ResizeObserver(() => setWidth(node.clientWidth));
    observer.observe(node);
    return () => observer.disconnect();
  }, [ref]);
  return width;
}

export function EcgOverview(p: OverviewProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const width = useWidth(canvas);
  useLayoutEffect(() => { if (canvas.current) draw(canvas.current, p, width); });
  const go = (e: React.PointerEvent<HTMLCanvasElement>) => {
    const box = e.currentTarget.getBoundingClientRect();
    p.turnTo(clamp((e.clientX - box.left) / box.width, 0, 1) * p.duration - p.seconds / 2);
  };
  const key = (e: React.KeyboardEvent) => {
    const way = e.key === 'ArrowRight' || e.key === 'ArrowUp' ? 1 : e.key === 'ArrowLeft' || e.key === 'ArrowDown' ? -1 : 0;
    if (way === 0) return; // pages, beginning and end are the viewer's keys
    p.turnTo(p.from + way * p.seconds * (e.shiftKey ? 6 : 1));
    e.preventDefault();
    e.stopPropagation();
  };
  const end = Math.min(p.duration, p.from + p.seconds);
  const day = dayTimeText(p.startTime, p.from);
  const place = `${day ? `${day} · ` : ''}${clockText(p.from)} – ${clockText(end)} / ${clockText(p.duration)}`;
  return (
    <div className="ecg-overview">
      <p className="ecg-place" aria-live="polite">{p.words.overview} {shownOf(p.envelopes)?.name} · {place}{p.loading && <strong> {p.words.loading}</strong>}</p>
      <canvas ref={canvas} style={{ height: HEIGHT }} tabIndex={0} role="slider" aria-label={p.words.position} aria-valuemin={0} aria-valuemax={Math.floor(p.duration)}
        aria-valuenow={Math.floor(p.from)} aria-valuetext={place} onKeyDown={key}
        onPointerDown={(e) => { e.currentTarget.setPointerCapture(e.pointerId); go(e); }} onPointerMove={(e) => { if (e.buttons === 1) go(e); }} />
    </div>
  );
}
