import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cellAt, missingLeads, pageOf, STANDARD, timeAt, voltsAt, xOf, yOf, type Layout, type Page } from '../src/viewers/ecgGeometry.ts';
import { keyDo, type Deeds } from '../src/viewers/ecgKeys.ts';
import { clockText, durationOf, extentOf, measureOf, measureText, mvPerStep, tracePoints, valueAt, type EcgLead } from '../src/viewers/ecgMath.ts';
import { recordingOf } from '../src/viewers/samples.ts';

const page = (names: string[], layout: Layout, more: object = {}): Page => pageOf(names, { layout, speed: 25, gain: 10, from: 0, ...more });
const lead = (part: Partial<EcgLead>): EcgLead => ({ name: 'I', unit: 'uV', gain: 5, rate: 500, samples: [], ...part });

test('twelve leads in three layouts, at true scale', () => {
  const three = page(STANDARD, '3x4');
  assert.deepEqual(three.cells.slice(0, 5).map((c) => c.name), ['I', 'aVR', 'V1', 'V4', 'II']);
  assert.equal(three.rows, 4);
  assert.equal(three.cells.length, 13);
  assert.deepEqual([three.cells[1]?.from, three.cells[1]?.seconds, three.cells[1]?.width], [2.5, 2.5, 62.5]);
  assert.deepEqual([three.cells[12]?.name, three.cells[12]?.seconds, three.cells[12]?.width], ['II', 10, 250]);
  assert.deepEqual(page(STANDARD, '6x2').cells.slice(0, 4).map((c) => c.name), ['I', 'V1', 'II', 'V2']);
  assert.deepEqual(page(STANDARD, '12x1').cells.map((c) => c.name), STANDARD);
  assert.equal(page(STANDARD, '12x1', { speed: 50 }).cells[0]?.seconds, 5);
});

test('missing leads keep their place, further ones get rows', () => {
  const names = ['I', 'II', 'V1', 'V2', 'V3', 'V4', 'V5', 'V6', 'vx'];
  assert.deepEqual(missingLeads(names), ['III', 'aVR', 'aVL', 'aVF']);
  const p = page(names, '3x4');
  assert.equal(p.cells.find((c) => c.name === 'aVR')?.lead, -1);
  assert.deepEqual([p.rows, p.cells.at(-1)?.name, p.cells.at(-1)?.row], [5, 'vx', 4]);
  const two = page(['MLII', 'V5'], '3x4');
  assert.deepEqual(two.cells.map((c) => [c.name, c.row]), [['MLII', 0], ['V5', 1]]);
});

test('a point on the paper is a time and a voltage, and back', () => {
  const p = page(STANDARD, '3x4', { from: 20 });
  const cell = p.cells[1];
  assert.ok(cell);
  const x = xOf(p, cell, 23), y = yOf(p, cell, 0.7);
  assert.equal(cellAt(p, x, y), cell);
  assert.ok(Math.abs(timeAt(p, cell, x) - 23) < 1e-9 && Math.abs(voltsAt(p, cell, y) - 0.7) < 1e-9);
  assert.equal(x - cell.x, 12.5);
  assert.equal(cellAt(p, 1, y), undefined);
});

test('no spike is lost between pixels, no gap is bridged', () => {
  const samples = new Array<number>(1000).fill(0);
  samples[503] = 400;
  const spike = tracePoints(lead({ samples }), 0, 2, 25, 10, 1);
  assert.equal(Math.min(...spike.map((q) => q.y)), -20);
  for (let i = 200; i < 300; i++) samples[i] = NaN;
  const gap = tracePoints(lead({ samples }), 0, 2, 25, 10, 1);
  assert.equal(gap.filter((q) => !q.down).length, 2);
  assert.deepEqual(extentOf([3, -7, NaN, 9], 0, 9), { low: -7, high: 9, highFirst: false });
  assert.equal(extentOf([NaN], 0, 1), undefined);
  assert.deepEqual(tracePoints(lead({ unit: 'mmHg', samples }), 0, 2, 25, 10, 1), []);
});

test('each sample is drawn where samples are wider apart than a pixel', () => {
  const points = tracePoints(lead({ samples: [1024, 1224, 1024], rate: 100, zero: 1024 }), 0, 0.03, 25, 10, 0.01);
  assert.deepEqual(points.map((q) => [q.x, Math.round(q.y * 1000) / 1000 + 0, q.down]), [[0, 0, false], [0.25, -10, true], [0.5, 0, true]]);
});

test('units, values and measures', () => {
  assert.equal(mvPerStep(lead({ gain: 2.5 })), 0.0025);
  assert.equal(mvPerStep(lead({ unit: 'mV', gain: 0.005 })), 0.005);
  assert.equal(mvPerStep(lead({ unit: 'mmHg' })), undefined);
  assert.equal(valueAt(lead({ samples: [0, 200], zero: 100 }), 0.002), 0.5);
  assert.equal(valueAt(lead({ samples: [0] }), 5), undefined);
  const m = measureOf({ time: 2, mv: 0.2 }, { time: 1.2, mv: -0.3 });
  assert.equal(measureText(m), '800 ms (75 bpm) · −0.50 mV');
  assert.equal(measureText(measureOf({ time: 0, mv: 0 }, { time: 0.08, mv: 0.1 })), '80 ms · +0.10 mV');
  assert.equal(durationOf([lead({ samples: new Array<number>(1000) })]), 2);
  assert.equal(clockText(83.25), '1:23.3');
});

test('Parameters of $ecg become leads', () => {
  const quantity = (value: number) => ({ value, unit: 'uV', system: 'http://unitsofmeasure.org', code: 'uV' });
  const recording = recordingOf({
    resourceType: 'Parameters',
    parameter: [
      { name: 'format', valueString: 'WFDB' }, { name: 'start', valueDateTime: '2026-11-22T08:30:00+08:00' }, { name: 'missing', valueString: 'I' },
      { name: 'leads', part: [
        { name: 'name', valueString: 'II' }, { name: 'gain', valueQuantity: quantity(2.5) }, { name: 'unit', valueString: 'uV' }, { name: 'rate', valueDecimal: 360 },
        { name: 'samples', valueSampledData: { origin: quantity(-2560), period: 2.77777777777778, factor: 2.5, dimensions: 1, data: '1025 E 1024' } },
      ] },
    ],
  } as Parameters<typeof recordingOf>[0]);
  assert.deepEqual(recording.missing, ['I']);
  assert.equal(recording.startTime, '2026-11-22T08:30:00+08:00');
  const first = recording.leads[0];
  assert.ok(first);
  assert.deepEqual([first.name, first.gain, first.unit, first.rate, first.zero], ['II', 2.5, 'uV', 360, 1024]);
  assert.equal(valueAt(first, 0), 0.0025);
  assert.ok(Number.isNaN(first.samples[1] as number));
});

test('keys', () => {
  const said: string[] = [];
  const say = (name: string) => (...values: unknown[]) => { said.push([name, ...values].join(' ')); };
  let caliper: unknown;
  const deeds: Deeds = {
    zoomBy: say('zoom'), trueScale: say('true'), fit: say('fit'), tool: say('tool'), layout: say('layout'), turn: say('turn'), move: say('move'),
    caliper: (f) => { caliper = f(caliper as never); }, report: say('report'),
  };
  const press = (key: string, tool: 'pan' | 'caliper' = 'pan', mods = {}) => keyDo(
    { page: page(STANDARD, '3x4'), tool, caliper: caliper as never, leadRate: () => 500 }, deeds,
    { key, shiftKey: false, ctrlKey: false, altKey: false, metaKey: false, ...mods });
  for (const key of ['+', '0', 'F', 'm', '2', 'PageDown', 'ArrowLeft']) assert.equal(press(key), true);
  assert.deepEqual(said, ['zoom 1.25', 'true', 'fit', 'tool caliper', 'layout 6x2', 'turn 1', 'move -10 0']);
  assert.equal(press('x'), false);
  assert.equal(press('+', 'pan', { ctrlKey: true }), false);
  assert.equal(press('Enter'), false);
  press('ArrowRight', 'caliper');
  const begun = caliper as { a: { time: number; mv: number }; b: { time: number; mv: number }; active: string };
  press('ArrowRight', 'caliper', { shiftKey: true });
  press('ArrowUp', 'caliper');
  const moved = caliper as typeof begun;
  assert.ok(Math.abs(moved.b.time - begun.b.time - 0.02) < 1e-9 && Math.abs(moved.b.mv - begun.b.mv - 0.01) < 1e-9);
  press(' ', 'caliper');
  assert.equal((caliper as typeof begun).active, 'a');
  press('Enter', 'caliper');
  assert.equal(said.at(-1), 'report');
  press('Escape', 'caliper');
  assert.equal(caliper, undefined);
});
