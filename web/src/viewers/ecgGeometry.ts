/**
 * Where leads stand on ECG paper, in millimetres; the same rules as the server's print (src/ecg/ecg_geometry.h), so that
 * screen and paper agree. Nothing here draws. A standard lead that was not recorded keeps its place, named and empty;
 * leads beyond the twelve follow in whole rows; a recording with fewer than six standard leads has a row for each lead.
 */
export type Layout = '3x4' | '6x2' | '12x1';
export const LAYOUTS: Layout[] = ['3x4', '6x2', '12x1'];
export const SPEEDS = [12.5, 25, 50];
export const GAINS = [5, 10, 20];

export const STANDARD = ['I', 'II', 'III', 'aVR', 'aVL', 'aVF', 'V1', 'V2', 'V3', 'V4', 'V5', 'V6'];
const STANDARD_AT_LEAST = 6;

/** Free space at a row's left for the calibration pulse, the trace's length (10 s at 25 mm/s), and the page's edge. */
export const PULSE_MM = 10;
export const TRACE_MM = 250;
export const EDGE_MM = 5;
const ROW_MM: Record<Layout, number> = { '3x4': 30, '6x2': 25, '12x1': 18 };

export interface Cell {
  /** Index of the lead; -1 when it is missing. */
  lead: number;
  name: string;
  /** Beside a grid of standard leads: one of those below it. */
  further: boolean;
  row: number;
  x: number;
  width: number;
  /** y of 0 mV. */
  middle: number;
  /** Seconds of the recording. */
  from: number;
  seconds: number;
}

export interface PageOptions { layout: Layout; speed: number; gain: number; from: number }
export interface Page extends PageOptions { cells: Cell[]; rows: number; rowHeight: number; width: number; height: number; seconds: number }

const COLUMNS: Record<Layout, number> = { '3x4': 4, '6x2': 2, '12x1': 1 };

/** Standard leads in reading order: columns of three, of six, or one below the other. */
function gridNames(layout: Layout): string[] {
  const columns = COLUMNS[layout];
  const rows = STANDARD.length / columns;
  return STANDARD.map((_, i) => STANDARD[Math.floor(i / columns) + (i % columns) * rows] as string);
}

export function missingLeads(names: string[]): string[] {
  return STANDARD.filter((name) => !names.includes(name));
}

export function furtherLeads(names: string[]): string[] {
  return names.filter((name) => !STANDARD.includes(name));
}

/** The lead of the long row: II, else the first standard lead there is. */
function rhythmLead(names: string[]): string {
  return names.includes('II') ? 'II' : STANDARD.find((name) => names.includes(name)) ?? names[0] ?? '';
}

export function hasGrid(names: string[]): boolean {
  return STANDARD.length - missingLeads(names).length >= STANDARD_AT_LEAST;
}

export function pageOf(names: string[], options: PageOptions): Page {
  const { layout, speed, from } = options;
  const seconds = TRACE_MM / speed;
  const cells: Cell[] = [];
  const taken = new Set<number>();
  const grid = hasGrid(names);
  let row = 0;
  const add = (lead: number, name: string, column: number, columns: number) => {
    const share = seconds / columns;
    cells.push({ lead, name, further: grid && !STANDARD.includes(name), row, x: EDGE_MM + PULSE_MM + share * speed * column, width: share * speed, middle: 0, from: from + share * column, seconds: share });
    taken.add(lead);
  };
  if (grid) {
    const columns = COLUMNS[layout];
    gridNames(layout).forEach((name, i) => {
      add(names.indexOf(name), name, i % columns, columns);
      if (i % columns === columns - 1) row++;
    });
    if (layout === '3x4') { add(names.indexOf(rhythmLead(names)), rhythmLead(names), 0, 1); row++; }
  }
  names.forEach((name, i) => { if (!taken.has(i)) { add(i, name, 0, 1); row++; } });
  const rowHeight = Math.ceil((grid ? ROW_MM[layout] : ROW_MM['3x4']) * Math.max(0.8, options.gain / 10));
  for (const cell of cells) cell.middle = EDGE_MM + rowHeight * (cell.row + 0.5);
  return { ...options, cells, rows: row, rowHeight, seconds, width: EDGE_MM * 2 + PULSE_MM + TRACE_MM, height: EDGE_MM * 2 + rowHeight * row };
}

/** The cell whose row and columns hold a point; missing ones too. */
export function cellAt(page: Page, x: number, y: number): Cell | undefined {
  const row = Math.floor((y - EDGE_MM) / page.rowHeight);
  return page.cells.find((c) => c.row === row && x >= c.x && x < c.x + c.width);
}

export function timeAt(page: Page, cell: Cell, x: number): number {
  return cell.from + (x - cell.x) / page.speed;
}

export function xOf(page: Page, cell: Cell, time: number): number {
  return cell.x + (time - cell.from) * page.speed;
}

export function voltsAt(page: Page, cell: Cell, y: number): number {
  return (cell.middle - y) / page.gain;
}

export function yOf(page: Page, cell: Cell, mv: number): number {
  return cell.middle - mv * page.gain;
}
