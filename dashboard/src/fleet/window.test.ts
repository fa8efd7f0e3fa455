import { expect, test } from 'vitest';
import { visible } from './window';

test('of ten thousand rows those in view are drawn, with a margin to both sides, whatever is scrolled to', () => {
  for (let scroll = 0; scroll < 500000; scroll += 777) {
    const [from, to] = visible(10000, 50, 300, scroll, 700);
    const first = Math.max(0, Math.floor((scroll - 300) / 50)), last = Math.min(9999, Math.ceil((scroll + 700 - 300) / 50));
    expect(from).toBeLessThanOrEqual(first);
    expect(to).toBeGreaterThan(Math.min(last, 9999));
    expect(to - from).toBeLessThanOrEqual(50);
  }
});

test('rows change by whole steps, few are drawn whole, and past the end there is the end', () => {
  expect(visible(10000, 50, 0, 2000, 700)).toEqual(visible(10000, 50, 0, 2249, 700));
  expect(visible(7, 50, 38, 0, 700)).toEqual([0, 7]);
  expect(visible(0, 50, 0, 0, 700)).toEqual([0, 0]);
  const [from, to] = visible(95, 50, 0, 1e6, 700);
  expect([from, to]).toEqual([90, 95]);
  expect(visible(40, 39, 5000, 0, 700)[0]).toBe(0); // below the view: its first rows wait
});
