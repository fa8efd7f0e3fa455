import { Column, Columns } from '../columns';

/** Along is the strip by depth instead of by time: what was read while the hole was made, each reading at the depth the bit
    had then, mm. Tripping, reaming and circulating off bottom are no part of it. */
export interface Along { columns: Columns; extra: Map<string, Column>; top: number; bottom: number }

const OFF = 0.15; // m off the deepest: still on bottom, for depth is read with a resolution and a stretch of pipe

/** depthAt is the bit's depth at a moment, m, between its two readings; NaN where there is none. */
export function depthAt(d: Column, t: number): number {
  const i = d.at(t), mid = (k: number) => (d.lo[k] + d.hi[k]) / 2;
  if (i >= d.to) return d.length && t - d.t[d.to - 1] < 60000 ? mid(d.to - 1) : NaN;
  if (d.t[i] === t || i === d.from) return i === d.from && d.t[i] - t > 60000 ? NaN : mid(i);
  const share = (t - d.t[i - 1]) / (d.t[i] - d.t[i - 1]);
  return mid(i - 1) + (mid(i) - mid(i - 1)) * share;
}

/** timeAt is when the bit first came to a depth, ms; NaN where it did not. */
export function timeAt(d: Column, depth: number): number {
  for (let i = d.from; i < d.to; i++) if (d.hi[i] >= depth) return d.t[i];
  return NaN;
}

/** along lays columns by depth, over the hole made between two moments; null where none was made. */
export function along(columns: Columns, extra: Map<string, Column>, from: number, to: number): Along | null {
  const d = columns.get('DBTM');
  if (!d) return null;
  let top = NaN, bottom = -Infinity;
  const deepest = new Column(d.capacity); // time → the deepest until then
  for (let i = d.at(from); i < d.to && d.t[i] <= to; i++) {
    const v = (d.lo[i] + d.hi[i]) / 2;
    if (Number.isNaN(v)) continue;
    if (Number.isNaN(top)) top = v;
    bottom = Math.max(bottom, v);
    deepest.add(d.t[i], bottom, bottom);
  }
  if (!(bottom - top > 0.1)) return null;
  const step = ((bottom - top) * 1000) / 600;
  const lay = (c: Column): Column => {
    const out = new Column(1024, step);
    for (let i = c.at(from); i < c.to && c.t[i] <= to; i++) {
      const depth = depthAt(d, c.t[i]);
      if (Number.isNaN(c.lo[i]) || Number.isNaN(depth) || depth < top || depth < deepest.value(c.t[i], 600000) - OFF) continue;
      const mm = Math.max(depth * 1000, out.length ? out.t[out.to - 1] : -Infinity); // it never goes up again
      out.add(mm, c.lo[i], c.hi[i]);
    }
    return out;
  };
  const by = new Columns(columns.channels, 1);
  columns.columns.forEach((c, i) => { if (columns.channels[i] !== 'state') by.columns[i] = lay(c); });
  return { columns: by, extra: new Map([...extra].map(([k, c]) => [k, lay(c)])), top: top * 1000, bottom: bottom * 1000 };
}

/** lines of a scale of depth: every so many mm a labelled one, and one between. */
export function depthLines(span: number): { major: number; minor: number } {
  const major = [500, 1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000, 500000].find((m) => span / m <= 8) ?? 1000000;
  return { major, minor: major / 2 };
}
