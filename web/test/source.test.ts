import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { zh } from '../src/i18n/zh.ts';
import { en } from '../src/i18n/en.ts';

const WEB = (import.meta as unknown as { env: { WEB_DIR: string } }).env.WEB_DIR;

function sources(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? sources(join(dir, e.name)) : /\.tsx?$/.test(e.name) ? [join(dir, e.name)] : []));
}

const files = sources(join(WEB, 'src')).map((path) => ({ path, text: readFileSync(path, 'utf8') }));
const screens = files.filter((f) => !/\/i18n\//.test(f.path));

test('both languages have the same words, none empty, with the same placeholders', () => {
  const words: [Record<string, string>, Record<string, string>] = [zh, en];
  assert.deepEqual(Object.keys(words[0]).sort(), Object.keys(words[1]).sort());
  const holes = (s: string) => [...s.matchAll(/\{\{(\w+)\}\}/g)].map((m) => m[1]).sort();
  for (const key of Object.keys(words[0])) {
    assert.ok(words[0][key] && words[1][key], key);
    assert.deepEqual(holes(words[0][key]), holes(words[1][key]), key);
  }
});

test('zh-CN has no English but names of keys, codes and the product', () => {
  const allowed = /Menkou|menkou|lgz|English|CSV|X\b|N\b/g;
  for (const [key, text] of Object.entries(zh)) {
    if (key === 'lang.other') continue;
    const rest = text.replace(/\{\{\w+\}\}/g, '').replace(allowed, '');
    assert.ok(!/[A-Za-z]{2,}/.test(rest), `${key}: ${text}`);
  }
});

test('every word asked for exists', () => {
  for (const { path, text } of screens) {
    for (const m of text.matchAll(/\bt\('([^']+)'/g)) assert.ok(m[1] in zh, `${path}: ${m[1]}`);
    for (const m of text.matchAll(/\bt\(`([^`$]+)\$\{/g)) assert.ok(Object.keys(zh).some((k) => k.startsWith(m[1])), `${path}: ${m[1]}…`);
  }
});

test('no words for people stand in the screens themselves', () => {
  for (const { path, text } of screens) {
    if (/ecg|Ecg|idcard\.ts|register\.ts/.test(path)) continue;
    const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '').replace(/'[^'\n]*Sans[^'\n]*'|"[^"\n]*Sans[^"\n]*"/g, '');
    const found = code.match(/[\u4e00-\u9fff]+/);
    assert.equal(found?.[0], undefined, path);
  }
});

/** Codes of the packages that are also words of FHIR or of this program's own vocabulary. */
const SHARED = new Set(['start', 'time', 'note', 'person', 'close', 'draft', 'due', 'act', 'do', 'open', 'value', 'text', 'status', 'patient', 'date', 'result', 'type', 'measure', 'submit', 'reason', 'proposed']);

function codesOf(value: unknown, found: Set<string>): void {
  if (Array.isArray(value)) value.forEach((v) => codesOf(v, found));
  else if (typeof value === 'object' && value) {
    const object = value as Record<string, unknown>;
    for (const key of ['code', 'linkId', 'name', 'rule']) if (typeof object[key] === 'string') found.add(object[key] as string);
    Object.values(object).forEach((v) => codesOf(v, found));
  }
}

test('no pathway, state, action or question of a package is known here', (t) => {
  const packages = join(WEB, '../pathways');
  if (!existsSync(packages)) { t.skip('no packages beside the workstation'); return; }
  for (const name of readdirSync(packages)) {
    const file = join(packages, name, 'pathway.json');
    if (!existsSync(file)) continue;
    const pathway = JSON.parse(readFileSync(file, 'utf8')) as { states?: unknown; actions?: { code: string }[] };
    const codes = new Set<string>([name]);
    codesOf(pathway.states, codes);
    for (const action of pathway.actions ?? []) codes.add(action.code);
    const forms = join(packages, name, 'forms');
    for (const form of existsSync(forms) ? readdirSync(forms) : []) {
      const ids = new Set<string>();
      codesOf((JSON.parse(readFileSync(join(forms, form), 'utf8')) as { item?: { linkId: string }[] }).item?.map((i) => ({ linkId: i.linkId })), ids);
      ids.forEach((id) => codes.add(id));
    }
    for (const { path, text } of screens) {
      for (const m of text.matchAll(/(['"`])([a-z][a-z-]*)\1/g)) {
        assert.ok(!codes.has(m[2]) || SHARED.has(m[2]), `${path} names '${m[2]}' of ${name}`);
      }
      assert.ok(!text.includes(name), `${path} names ${name}`);
    }
  }
});
