/** ECG paper, traces and calipers on a canvas. All coordinates are millimetres on the page until `View` turns them into pixels. */
import { EDGE_MM, PULSE_MM, TRACE_MM, xOf, yOf, type Cell, type Page } from './ecgGeometry.ts';
import { measureOf, measureText, mvPerStep, tracePoints, type EcgLead, type Mark } from './ecgMath.ts';

/** Pixels (of the device) a millimetre, and the page's point at the canvas's left top. */
export interface View { scale: number; x: number; y: number }
export interface Caliper { cell: Cell; a: Mark; b: Mark; active: 'a' | 'b'; march: boolean }
export interface Words { missing: string; notVoltage: string; further: string }

export interface Scene {
  page: Page;
  leads: EcgLead[];
  earlier?: EcgLead[];
  view: View;
  caliper?: Caliper;
  words: Words;
}

const PAPER = '#fffdfb', THIN = '#f7d3d0', BOLD = '#eba7a2', INK = '#15181c', EARLIER = '#1668dc', LABEL = '#0b2a4a', FAINT = '#8a8f96', MARK = '#0a7d4f';
const FONT = "'Noto Sans CJK SC','Noto Sans SC','Microsoft YaHei',sans-serif";

type Ctx = CanvasRenderingContext2D;

/** Lines on whole device pixels are sharp; thin ones are left out where they would melt into each other. */
function gridLines(ctx: Ctx, s: Scene, step: number, color: string, width: number): void {
  const { view, page } = s;
  const { width: w, height: h } = ctx.canvas;
  const left = Math.max(0, -view.x * view.scale), right = Math.min(w, (page.width - view.x) * view.scale);
  const top = Math.max(0, -view.y * view.scale), bottom = Math.min(h, (page.height - view.y) * view.scale);
  const half = width % 2 ? 0.5 : 0;
  ctx.strokeStyle = color;
  ctx.lineWidth = width;
  ctx.beginPath();
  for (let mm = Math.max(0, Math.ceil(view.x / step) * step); mm <= Math.min(page.width, view.x + w / view.scale); mm += step) {
    const x = Math.round((mm - view.x) * view.scale) + half;
    ctx.moveTo(x, top);
    ctx.lineTo(x, bottom);
  }
  for (let mm = Math.max(0, Math.ceil(view.y / step) * step); mm <= Math.min(page.height, view.y + h / view.scale); mm += step) {
    const y = Math.round((mm - view.y) * view.scale) + half;
    ctx.moveTo(left, y);
    ctx.lineTo(right, y);
  }
  ctx.stroke();
}

function drawPaper(ctx: Ctx, s: Scene, dpr: number): void {
  ctx.setTransform(1, 0, 0, 1, 0, 0);
  ctx.fillStyle = '#e9edf2';
  ctx.fillRect(0, 0, ctx.canvas.width, ctx.canvas.height);
  ctx.fillStyle = PAPER;
  const { view, page } = s;
  ctx.fillRect(-view.x * view.scale, -view.y * view.scale, page.width * view.scale, page.height * view.scale);
  const fine = Math.max(1, Math.round(dpr * 0.6));
  if (view.scale >= 2.2 * dpr) gridLines(ctx, s, 1, THIN, fine);
  gridLines(ctx, s, 5, BOLD, view.scale >= 2.2 * dpr ? Math.max(1, Math.round(dpr)) : fine);
}

function toPage(ctx: Ctx, view: View): void {
  ctx.setTransform(view.scale, 0, 0, view.scale, -view.x * view.scale, -view.y * view.scale);
}

/** 1 mV high, 5 mm wide. */
function drawPulse(ctx: Ctx, page: Page, cell: Cell): void {
  ctx.beginPath();
  ctx.moveTo(EDGE_MM + 1, cell.middle);
  ctx.lineTo(EDGE_MM + 2, cell.middle);
  ctx.lineTo(EDGE_MM + 2, cell.middle - page.gain);
  ctx.lineTo(EDGE_MM + 7, cell.middle - page.gain);
  ctx.lineTo(EDGE_MM + 7, cell.middle);
  ctx.lineTo(EDGE_MM + PULSE_MM - 1, cell.middle);
  ctx.stroke();
}

function drawTrace(ctx: Ctx, s: Scene, cell: Cell, lead: EcgLead, color: string): void {
  const { page, view } = s;
  if (cell.middle + page.rowHeight * 2 < view.y || cell.middle - page.rowHeight * 2 > view.y + ctx.canvas.height / view.scale) return;
  ctx.strokeStyle = color;
  ctx.beginPath();
  for (const p of tracePoints(lead, cell.from, cell.seconds, page.speed, page.gain, 0.5 / view.scale)) {
    if (p.down) ctx.lineTo(cell.x + p.x, cell.middle + p.y);
    else ctx.moveTo(cell.x + p.x, cell.middle + p.y);
  }
  ctx.stroke();
}

/** Text of a legible size however small or large the page is drawn. */
function label(ctx: Ctx, s: Scene, dpr: number, text: string, x: number, y: number, mm: number, color: string, bold: boolean): void {
  const size = Math.min(Math.max(mm, (11 * dpr) / s.view.scale), (17 * dpr) / s.view.scale);
  ctx.font = `${bold ? '600 ' : ''}${size}px ${FONT}`;
  ctx.lineJoin = 'round';
  ctx.lineWidth = size / 5;
  ctx.strokeStyle = PAPER;
  ctx.strokeText(text, x, y);
  ctx.fillStyle = color;
  ctx.fillText(text, x, y);
}

/** Where a cell's name stands: at its left top, or at the sheet's when that is out of sight. */
function labelPlace(s: Scene, dpr: number, cell: Cell): [number, number] {
  const px = dpr / s.view.scale;
  const top = cell.middle - s.page.rowHeight / 2 + 4.2;
  const x = Math.min(Math.max(cell.x + 1, s.view.x + 6 * px), cell.x + cell.width - 40 * px);
  const y = Math.min(Math.max(top, s.view.y + 18 * px), cell.middle + s.page.rowHeight / 2 - 2 * px);
  return [Math.max(x, cell.x + 1), Math.max(y, top)];
}

function drawLabel(ctx: Ctx, s: Scene, dpr: number, cell: Cell): void {
  const [x, y] = labelPlace(s, dpr, cell);
  const lead = s.leads[cell.lead];
  if (!lead) {
    label(ctx, s, dpr, cell.name, x, y, 3.4, FAINT, true);
    label(ctx, s, dpr, s.words.missing, cell.x + 1, cell.middle, 3, FAINT, false);
    return;
  }
  label(ctx, s, dpr, cell.further ? `${cell.name}  ${s.words.further}` : cell.name, x, y, 3.4, LABEL, true);
  if (mvPerStep(lead) === undefined) label(ctx, s, dpr, `${s.words.notVoltage} (${lead.unit})`, cell.x + 1, cell.middle, 3, FAINT, false);
}

function sameLead(leads: EcgLead[] | undefined, name: string): EcgLead | undefined {
  return leads?.find((l) => l.name === name);
}

function drawCells(ctx: Ctx, s: Scene, dpr: number): void {
  const pen = Math.max(1.25 * dpr, Math.min(0.25 * s.view.scale, 2.2 * dpr)) / s.view.scale;
  const rows = new Set<number>();
  for (const cell of s.page.cells) drawLabel(ctx, s, dpr, cell); // below the traces, so that a name never hides a wave
  ctx.lineJoin = 'round';
  ctx.lineCap = 'round';
  for (const cell of s.page.cells) {
    ctx.lineWidth = pen;
    ctx.strokeStyle = INK;
    if (!rows.has(cell.row)) { rows.add(cell.row); drawPulse(ctx, s.page, cell); }
    const before = sameLead(s.earlier, cell.name);
    if (before) drawTrace(ctx, s, cell, before, EARLIER);
    const lead = s.leads[cell.lead];
    if (lead) drawTrace(ctx, s, cell, lead, INK);
  }
}

function caliperLines(ctx: Ctx, s: Scene, c: Caliper): void {
  const { page } = s;
  const top = c.cell.middle - page.rowHeight / 2, bottom = c.cell.middle + page.rowHeight / 2;
  const [ax, bx] = [xOf(page, c.cell, c.a.time), xOf(page, c.cell, c.b.time)];
  const [ay, by] = [yOf(page, c.cell, c.a.mv), yOf(page, c.cell, c.b.mv)];
  ctx.fillStyle = 'rgba(10,125,79,.08)';
  ctx.fillRect(Math.min(ax, bx), Math.min(ay, by), Math.abs(bx - ax), Math.abs(by - ay));
  ctx.beginPath();
  for (const x of [ax, bx]) { ctx.moveTo(x, top); ctx.lineTo(x, bottom); }
  for (const y of [ay, by]) { ctx.moveTo(Math.min(ax, bx) - 4, y); ctx.lineTo(Math.max(ax, bx) + 4, y); }
  ctx.stroke();
  if (c.march) marchLines(ctx, c, ax, bx, top, bottom);
}

/** The interval again and again to the row's end: is the rhythm regular? */
function marchLines(ctx: Ctx, c: Caliper, ax: number, bx: number, top: number, bottom: number): void {
  const width = Math.abs(bx - ax);
  if (width < 2) return;
  ctx.setLineDash([0.8, 0.8]);
  ctx.beginPath();
  for (let x = Math.max(ax, bx) + width; x <= c.cell.x + c.cell.width; x += width) { ctx.moveTo(x, top); ctx.lineTo(x, bottom); }
  for (let x = Math.min(ax, bx) - width; x >= c.cell.x; x -= width) { ctx.moveTo(x, top); ctx.lineTo(x, bottom); }
  ctx.stroke();
  ctx.setLineDash([]);
}

function drawCaliper(ctx: Ctx, s: Scene, dpr: number): void {
  const c = s.caliper;
  if (!c) return;
  ctx.strokeStyle = MARK;
  ctx.lineWidth = (1.2 * dpr) / s.view.scale;
  caliperLines(ctx, s, c);
  const end = c[c.active];
  ctx.fillStyle = MARK;
  ctx.beginPath();
  ctx.arc(xOf(s.page, c.cell, end.time), yOf(s.page, c.cell, end.mv), (4 * dpr) / s.view.scale, 0, Math.PI * 2);
  ctx.fill();
  const x = Math.min(Math.max(xOf(s.page, c.cell, c.a.time), xOf(s.page, c.cell, c.b.time)) + 1.5, EDGE_MM + PULSE_MM + TRACE_MM - 40);
  label(ctx, s, dpr, measureText(measureOf(c.a, c.b)), x, c.cell.middle - s.page.rowHeight / 2 + 4, 3.4, MARK, true);
}

export function drawScene(canvas: HTMLCanvasElement, s: Scene, dpr: number): void {
  const ctx = canvas.getContext('2d', { alpha: false });
  if (!ctx) return;
  drawPaper(ctx, s, dpr);
  toPage(ctx, s.view);
  drawCells(ctx, s, dpr);
  drawCaliper(ctx, s, dpr);
}
