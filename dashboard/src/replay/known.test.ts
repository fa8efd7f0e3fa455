import { expect, test } from 'vitest';
import { Column } from '../columns';
import { difference } from './known';

const column = (values: (number | null)[]): Column => {
  const c = new Column(64);
  values.forEach((v, i) => { if (v != null) c.add(i * 1000, v, v); });
  return c;
};

test('what was corrected is told by how long, and where most', () => {
  const d = difference('health', column([90, 90, 88, 86, 86]), column([90, 90, 80, 70, 86.1]), 10000, 0.5);
  expect(d).toEqual({ channel: 'health', amended: 2000, later: 0, most: { at: 3000, then: 86, now: 70 } });
});

test('what came later was not there yet, and is no correction', () => {
  const d = difference('SPP', column([20, null, null, 20]), column([20, 21, 22, 20]), 10000, 0.1);
  expect([d.amended, d.later]).toEqual([0, 2000]);
});

test('after the playhead nothing is compared', () => {
  expect(difference('health', column([90]), column([90, 60, 50]), 500, 0.5)).toMatchObject({ amended: 0, later: 0, most: null });
});

test('where nothing was known all came later; where nothing is known there is no difference', () => {
  expect(difference('h', undefined, column([1, 1, 1]), 10000, 0).later).toBe(3000);
  expect(difference('h', column([1, 2]), undefined, 10000, 0)).toMatchObject({ amended: 0, later: 0 });
});
