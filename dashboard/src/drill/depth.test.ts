import { expect, test } from 'vitest';
import { Columns, Column } from '../columns';
import { along, depthAt, depthLines, timeAt } from './depth';

// Ten minutes of drilling 6 m, a pick-up of 5 m and back, then drilling again.
function hole(): Columns {
  const c = new Columns(['DBTM', 'ROP', 'state']);
  for (let s = 0; s <= 1800; s++) {
    const depth = s <= 600 ? 1000 + s / 100 : s <= 900 ? 1006 - (s - 600) / 60 : s <= 1200 ? 1001 + (s - 900) / 60 : 1006 + (s - 1200) / 100;
    c.get('DBTM')!.add(s * 1000, depth, depth);
    c.get('ROP')!.add(s * 1000, s, s);
    c.get('state')!.add(s * 1000, 0, 0);
  }
  return c;
}

test('by depth there is what was read while the hole was made, each reading once and in order', () => {
  const a = along(hole(), new Map([['MSE', new Column()]]), 0, 1800000)!;
  expect([a.top, a.bottom]).toEqual([1000000, 1012000]);
  const r = a.columns.get('ROP')!, t = [...r.t.slice(r.from, r.to)];
  expect(t.every((x, i) => !i || x > t[i - 1])).toBe(true);
  const read = [...r.hi.slice(r.from, r.to)];
  expect(read.some((s) => s > 620 && s < 1180)).toBe(false); // off bottom
  expect(read.at(-1)).toBe(1800);
  expect(a.columns.get('state')!.length).toBe(0);
});

test('where no hole is made there is no depth to draw by', () => {
  expect(along(hole(), new Map(), 620000, 900000)?.bottom ?? null).toBe(null);
});

test('a depth is a moment and a moment a depth', () => {
  const d = hole().get('DBTM')!;
  expect(depthAt(d, 150500)).toBeCloseTo(1001.505, 6);
  expect(timeAt(d, 1003)).toBe(300000);
  expect(timeAt(d, 2000)).toBeNaN();
  expect(depthLines(12000)).toEqual({ major: 2000, minor: 1000 });
});
