/** What charts and tables are made of, from a figure's strata. */
import type { Figure, Path, Score, Stratum } from '../api/figures.ts';

/** Every part of the period, also those of which nothing is known. */
export function trendOf(figure: Figure, parts: string[]): Stratum[] {
  const known = new Map(figure.intervals.map((s) => [s.code, s]));
  return parts.map((day) => known.get(day) ?? { code: day, title: day, score: {} });
}

/** The greatest first; without a value last. */
export function compared(list: Stratum[]): Stratum[] {
  return [...list].sort((a, b) => (b.score.value ?? -1) - (a.score.value ?? -1) || a.title.localeCompare(b.title, 'zh'));
}

export interface SankeyNode { name: string; label: string; depth: number }
export interface SankeyLink { source: string; target: string; value: number }

/** From whom, to whom, what became of it: an institution on both sides is two nodes. */
export function sankeyOf(paths: Path[]): { nodes: SankeyNode[]; links: SankeyLink[] } {
  const nodes = new Map<string, SankeyNode>();
  const links = new Map<string, SankeyLink>();
  const node = (depth: number, label: string) => {
    const name = `${depth} ${label}`;
    nodes.set(name, { name, label, depth });
    return name;
  };
  const link = (source: string, target: string, value: number) => {
    const key = `${source}\n${target}`;
    links.set(key, { source, target, value: (links.get(key)?.value ?? 0) + value });
  };
  for (const path of paths) {
    const [from, to, end] = [node(0, path.requester), node(1, path.receiver), node(2, path.state)];
    link(from, to, path.count);
    link(to, end, path.count);
  }
  return { nodes: [...nodes.values()], links: [...links.values()] };
}

export interface Change { by: number; good?: boolean }

/** Against the period before; undefined where either is not known. */
export function changeOf(now: Score, before: Score | undefined, better: Figure['better']): Change | undefined {
  if (now.value === undefined || before?.value === undefined) return undefined;
  const by = now.value - before.value;
  return { by, good: by === 0 || !better ? undefined : (by > 0) === (better === 'increase') };
}
