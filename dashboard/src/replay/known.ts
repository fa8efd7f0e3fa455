import type { Column } from '../columns';

/** How a channel as it was known at a moment differs from what is known now. Lengths in ms. */
export interface Difference {
  channel: string;
  amended: number; // where another value stood
  later: number; // where nothing stood yet
  most: { at: number; then: number; now: number } | null; // where the two are furthest apart
}

/** difference compares, up to `until`, what stood then with what stands now; values apart by `least` or less are the same. */
export function difference(channel: string, then: Column | undefined, now: Column | undefined, until: number, least: number): Difference {
  const out: Difference = { channel, amended: 0, later: 0, most: null };
  if (!now?.length) return out;
  const step = now.length > 1 ? (now.t[now.to - 1] - now.t[now.from]) / (now.length - 1) : 1000;
  for (let i = now.from; i < now.to && now.t[i] <= until; i++) {
    const v = (now.lo[i] + now.hi[i]) / 2;
    if (Number.isNaN(v)) continue;
    const wide = i + 1 < now.to ? Math.min(now.t[i + 1] - now.t[i], 3 * step) : step;
    const was = then?.length ? then.value(now.t[i], wide * 0.6) : NaN;
    if (Number.isNaN(was)) { out.later += wide; continue; }
    const apart = Math.abs(was - v);
    if (apart <= least) continue;
    out.amended += wide;
    if (!out.most || apart > Math.abs(out.most.then - out.most.now)) out.most = { at: now.t[i], then: was, now: v };
  }
  return out;
}
