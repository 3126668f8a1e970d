// Periods and what charts are made of.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { intervalOf, isDay, kindOf, partsOf, periodBefore, periodCompared, periodOf } from '../src/logic/period.ts';
import { changeOf, compared, sankeyOf, trendOf } from '../src/logic/figures.ts';
import type { Figure } from '../src/api/figures.ts';

test('months, quarters and what went before', () => {
  assert.deepEqual(periodOf('month', '2028-02-10'), { from: '2028-02-01', to: '2028-02-29' });
  assert.deepEqual(periodOf('last-month', '2027-01-31'), { from: '2026-12-01', to: '2026-12-31' });
  assert.deepEqual(periodOf('quarter', '2026-11-22'), { from: '2026-10-01', to: '2026-12-31' });
  assert.equal(kindOf({ from: '2026-11-01', to: '2026-11-30' }, '2026-11-22'), 'month');
  assert.equal(kindOf({ from: '2026-11-02', to: '2026-11-30' }, '2026-11-22'), 'custom');
  assert.deepEqual(periodBefore({ from: '2026-10-01', to: '2026-12-31' }), { from: '2026-07-01', to: '2026-09-30' });
  assert.deepEqual(periodBefore({ from: '2026-01-01', to: '2026-01-31' }), { from: '2025-12-01', to: '2025-12-31' });
  assert.deepEqual(periodBefore({ from: '2026-11-10', to: '2026-11-16' }), { from: '2026-11-03', to: '2026-11-09' });
  assert.deepEqual(periodCompared({ from: '2026-11-01', to: '2026-11-30' }, '2026-11-22'), { from: '2026-10-01', to: '2026-10-22' });
  assert.deepEqual(periodCompared({ from: '2026-03-01', to: '2026-03-31' }, '2026-03-30'), { from: '2026-02-01', to: '2026-02-28' });
  assert.deepEqual(periodCompared({ from: '2026-10-01', to: '2026-10-31' }, '2026-11-22'), { from: '2026-09-01', to: '2026-09-30' });
  assert.ok(isDay('2026-02-28') && !isDay('2026-2-1') && !isDay(null));
});

test('parts as the server cuts them', () => {
  assert.deepEqual(partsOf({ from: '2026-11-01', to: '2026-11-30' }, 'week'), ['2026-11-01', '2026-11-02', '2026-11-09', '2026-11-16', '2026-11-23', '2026-11-30']);
  assert.deepEqual(partsOf({ from: '2026-11-15', to: '2027-01-10' }, 'month'), ['2026-11-15', '2026-12-01', '2027-01-01']);
  assert.equal(partsOf({ from: '2026-11-01', to: '2026-11-14' }, intervalOf({ from: '2026-11-01', to: '2026-11-14' })).length, 14);
});

test('what is not known stays unknown; a place on both sides is two', () => {
  const figure = { intervals: [{ code: '2026-11-02', title: '', score: { value: 0.5 } }], better: 'decrease', score: { value: 3 } } as unknown as Figure;
  assert.deepEqual(trendOf(figure, ['2026-11-01', '2026-11-02']).map((s) => s.score.value), [undefined, 0.5]);
  assert.deepEqual(compared([{ code: 'a', title: 'a', score: {} }, { code: 'b', title: 'b', score: { value: 0 } }]).map((s) => s.code), ['b', 'a']);
  assert.equal(changeOf({ value: 3 }, {}, 'increase'), undefined);
  assert.deepEqual(changeOf({ value: 3 }, { value: 5 }, 'decrease'), { by: -2, good: true });
  const { nodes, links } = sankeyOf([{ requester: 'A', receiver: 'A', state: 's', count: 2 }, { requester: 'B', receiver: 'A', state: 's', count: 1 }]);
  assert.equal(nodes.length, 4);
  assert.deepEqual(links.map((l) => l.value), [2, 3, 1]);
});
