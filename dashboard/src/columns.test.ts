import { expect, test } from 'vitest';
import { Column, Columns } from './columns';
import type { Series } from './types';

const rows = (c: Column) => Array.from({ length: c.length }, (_, i) => [c.t[c.from + i], c.lo[c.from + i], c.hi[c.from + i]]);
const series = (t: number[], gaps: [number, number][] = []): Series => ({ channel: 'SPP', unit: 'MPa', t, min: t.map((x) => x), max: t.map((x) => x + 1), gaps, resolution: 'raw' });

test('samples of one bucket are one, with the lowest and the highest kept', () => {
  const c = new Column(16, 1000);
  c.add(1000, 5, 5); c.add(1400, 3, 4); c.add(1900, 9, 9); c.add(2000, 1, 1);
  expect(rows(c)).toEqual([[1000, 3, 9], [2000, 1, 1]]);
  expect([c.last, c.lastT]).toEqual([1, 2000]);
});

test('it never grows: the oldest go, and the newest are all there', () => {
  const c = new Column(100);
  for (let i = 0; i < 1000; i++) c.add(i, i, i);
  expect(c.length).toBe(100);
  expect(rows(c)).toEqual(Array.from({ length: 100 }, (_, k) => [900 + k, 900 + k, 900 + k]));
  expect(c.t.length).toBe(200);
});

test('a late sample is put at its own time, and the same moment again replaces it', () => {
  const c = new Column(8);
  for (const t of [10, 20, 40]) c.add(t, t, t);
  c.add(30, 3, 3); c.add(20, 2, 2);
  expect(rows(c)).toEqual([[10, 10, 10], [20, 2, 2], [30, 3, 3], [40, 40, 40]]);
  expect([c.last, c.lastT]).toEqual([40, 40]);
});

test('late samples into a full column keep it in order', () => {
  const c = new Column(4);
  for (const t of [10, 20, 30, 40, 50, 60, 70, 80]) c.add(t, t, t);
  c.add(65, 1, 1);
  const t = rows(c).map((r) => r[0]);
  expect(t).toEqual([...t].sort((a, b) => a - b));
  expect(t).toContain(65);
  expect(t.length).toBeLessThanOrEqual(4);
});

test('history joins live without a seam: nothing twice, nothing lost, live samples newer than it stay', () => {
  const c = new Column(64);
  for (const t of [50, 60, 70]) c.add(t, -1, -1); // came live while history was on its way
  c.history(series([10, 20, 30, 40, 50]));
  expect(rows(c).map((r) => r[0])).toEqual([10, 20, 30, 40, 50, 60, 70]);
  expect(rows(c)[4]).toEqual([50, 50, 51]);
  expect(rows(c)[5]).toEqual([60, -1, -1]);
  expect(c.last).toBe(-1);
});

test('what passed while the line was down is filled in its place', () => {
  const c = new Column(64);
  for (const t of [10, 20, 30]) c.add(t, t, t);
  for (const t of [70, 80]) c.add(t, t, t); // live again
  c.history(series([30, 40, 50, 60]));
  expect(rows(c).map((r) => r[0])).toEqual([10, 20, 30, 40, 50, 60, 70, 80]);
});

test('a gap that the server names breaks the line', () => {
  const c = new Column(64);
  c.history(series([10, 20, 60, 70], [[20, 60]]));
  const r = rows(c);
  expect(r.map((x) => x[0])).toEqual([10, 20, 20.001, 60, 70]);
  expect(r[2][1]).toBeNaN();
});

test('nulls of a series are holes, and nothing is made up for them', () => {
  const c = new Column(8);
  c.history({ ...series([1, 2, 3]), min: [1, null, 3], max: [1, null, 3] });
  expect(rows(c)[1]).toEqual([2, NaN, NaN]);
});

test('a value is looked up only as far as was allowed', () => {
  const c = new Column(8);
  for (const t of [100, 200]) c.add(t, t, t + 2);
  expect(c.value(120, 50)).toBe(101);
  expect(c.value(160, 50)).toBe(201);
  expect(c.value(300, 50)).toBeNaN();
  expect(new Column(4).value(1, 1)).toBeNaN();
});

test('states are never mixed into a middle', () => {
  const c = new Columns(['SPP', 'state']);
  c.setBucket(1000);
  expect([c.get('SPP')!.bucket, c.get('state')!.bucket]).toEqual([1000, 0]);
  c.history([{ ...series([10]), channel: 'state', min: [0], max: [4], last: [4] }]);
  expect(rows(c.get('state')!)).toEqual([[10, 4, 4]]);
  expect(c.version).toBe(1);
});
