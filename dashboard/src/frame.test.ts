import { expect, test } from 'vitest';
import { decode } from './frame';
import { message } from './frame.sample';

test('readings come as columns, without being copied', () => {
  const b = message(1000, [{ index: 2, t: [0, 100], min: [1.5, 2], max: [1.75, NaN] }, { index: 0, t: [], min: [], max: [] }], 7);
  const r = decode(b);
  expect([r.base, r.subscription, r.runs.length]).toEqual([1000, 7, 2]);
  expect(r.runs[0].index).toBe(2);
  expect([...r.runs[0].t]).toEqual([0, 100]);
  expect([...r.runs[0].min]).toEqual([1.5, 2]);
  expect([...r.runs[0].max]).toEqual([1.75, NaN]);
  expect(r.runs[0].t.buffer).toBe(b);
  expect(r.runs[1].t.length).toBe(0);
});

test('the bytes are those that api.md draws', () => {
  const golden = '0101010009000000' + '00000000004c1d41' + '0300010002000000' + '0000000000005940' + '000000000000f83f' + '0000000000000040';
  const b = Uint8Array.from(golden.match(/../g)!, (x) => parseInt(x, 16)).buffer;
  const r = decode(b);
  expect(r).toMatchObject({ subscription: 9, base: 480000 });
  expect(r.runs.map((x) => [x.index, x.quality, [...x.t], [...x.min], [...x.max]])).toEqual([[3, 2, [100], [1.5], [2]]]);
});

test('a message that is wrong is refused by what is wrong with it', () => {
  const good = message(0, [{ index: 0, t: [0, 1], min: [1, 2], max: [3, 4] }]);
  const f = (change: (v: DataView) => void, want: string) => { const b = good.slice(0); change(new DataView(b)); expect(() => decode(b)).toThrow(want); };
  f((v) => v.setUint8(0, 2), 'version 2');
  f((v) => v.setUint8(1, 9), 'kind 9');
  f((v) => v.setUint16(2, 2, true), 'channel 1 of 2 begins after the end');
  f((v) => v.setUint16(18, 3, true), 'names 3 rows');
  f((v) => v.setUint16(18, 1, true), '24 bytes too many');
  f((v) => v.setFloat64(8, NaN, true), 'base time');
  expect(() => decode(new ArrayBuffer(5))).toThrow('less than the header');
});

test('no bytes at all make it do anything but refuse or read', () => {
  let seed = 1;
  const next = () => { seed = (Math.imul(seed, 1103515245) + 12345) >>> 0; return seed; };
  for (let i = 0; i < 3000; i++) {
    const b = new Uint8Array(next() % 120);
    for (let k = 0; k < b.length; k++) b[k] = next() >>> 16;
    if (b.length > 1) { b[0] = 1; b[1] = 1; }
    if (b.length > 3) { b[2] %= 4; b[3] = 0; }
    try { decode(b.buffer); } catch (err) { expect((err as Error).message).toMatch(/^readings: /); }
  }
});
