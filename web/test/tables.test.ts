// Columns of a table: what was found, what a person chose, and the map made of it.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { choicesOf, mapOf, missing, readMap, sameMap, twice } from '../src/logic/tables.ts';

const ELEMENTS = [{ code: 'name', needed: true, column: -1 }, { code: 'gender', needed: false, column: 1 }];
const HEADER = ['居民', '男女'];

test('what is needed is asked for; a column or a value for all rows will do', () => {
  const found = choicesOf(ELEMENTS, HEADER, undefined);
  assert.deepEqual(missing(ELEMENTS, found), ['name']);
  assert.deepEqual(missing(ELEMENTS, { ...found, name: { column: 0, otherwise: '' } }), []);
  assert.deepEqual(missing(ELEMENTS, { ...found, name: { column: -1, otherwise: ' x ' } }), []);
  assert.equal(twice(found), undefined);
  assert.equal(twice({ ...found, name: { column: 1, otherwise: '' } }), 1);
});

test('a map goes out and comes back as the same choices', () => {
  const words = { values: { gender: { 男: 'male' }, role: { 村医: 'village-doctor' } } };
  const choices = { name: { column: 0, otherwise: '' }, gender: { column: -1, otherwise: ' unknown ' } };
  const map = mapOf(ELEMENTS, HEADER, choices, words);
  assert.deepEqual(map, { columns: { name: ['居民'] }, values: { gender: { 男: 'male' } }, defaults: { gender: 'unknown' } });
  assert.deepEqual(choicesOf(ELEMENTS, HEADER, map), { name: { column: 0, otherwise: '' }, gender: { column: -1, otherwise: 'unknown' } });
  assert.ok(sameMap(JSON.parse(JSON.stringify(map)), map) && !sameMap(undefined, map) && !sameMap({ ...map, defaults: {} }, map));
});

test('a file that is no map is told', () => {
  assert.deepEqual(readMap('{"columns":{}}'), { columns: {} });
  for (const text of ['', '[]', 'null', 'x', '3']) assert.equal(readMap(text), undefined, text);
});
