/** Which column of a table means what: a person's choices, and the map that the server is given. */

export interface TableMap {
  columns?: Record<string, string[]>;
  values?: Record<string, Record<string, string>>;
  defaults?: Record<string, string>;
}
export interface Choice { column: number; otherwise: string }
export type Choices = Record<string, Choice>;

interface Known { code: string; needed: boolean; column: number }

/** What the server found, or what was chosen when the table was last checked. */
export function choicesOf(elements: Known[], header: string[], before: TableMap | undefined): Choices {
  const columnOf = (e: Known) => (before ? header.indexOf(before.columns?.[e.code]?.[0] ?? '\n') : e.column);
  return Object.fromEntries(elements.map((e) => [e.code, { column: columnOf(e), otherwise: before?.defaults?.[e.code] ?? '' }]));
}

/** Words of cells come from the program's map or a file; columns and what holds for empty cells from the screen. */
export function mapOf(elements: Known[], header: string[], choices: Choices, words: TableMap): TableMap {
  const columns: Record<string, string[]> = {}, values: Record<string, Record<string, string>> = {}, defaults: Record<string, string> = {};
  for (const { code } of elements) {
    const { column, otherwise } = choices[code] ?? { column: -1, otherwise: '' };
    const title = header[column];
    const meant = words.values?.[code];
    if (title !== undefined) columns[code] = [title];
    if (meant) values[code] = meant;
    if (otherwise.trim()) defaults[code] = otherwise.trim();
  }
  return { columns, values, defaults };
}

/** Elements that are needed and have neither a column nor a value for all. */
export function missing(elements: Known[], choices: Choices): string[] {
  return elements.filter((e) => e.needed && (choices[e.code]?.column ?? -1) < 0 && !choices[e.code]?.otherwise.trim()).map((e) => e.code);
}

/** One column means one thing. */
export function twice(choices: Choices): number | undefined {
  const taken = Object.values(choices).map((c) => c.column).filter((c) => c >= 0);
  return taken.find((c, i) => taken.indexOf(c) !== i);
}

export function sameMap(a: TableMap | undefined, b: TableMap): boolean {
  return a !== undefined && JSON.stringify(a) === JSON.stringify(b);
}

/** A map from a file; undefined when it is none. */
export function readMap(text: string): TableMap | undefined {
  try {
    const map = JSON.parse(text) as TableMap;
    return typeof map === 'object' && map !== null && !Array.isArray(map) ? map : undefined;
  } catch {
    return undefined;
  }
}
