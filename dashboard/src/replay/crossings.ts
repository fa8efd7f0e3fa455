import type { Column } from '../columns';

/** When a score passed a threshold upwards and stayed over it for `hold` ms: the moment it would have been said, ms. */
export interface Call { at: number; until: number }

export function crossings(c: Column, threshold: number, hold: number): Call[] {
  const out: Call[] = [];
  let since = NaN;
  for (let i = c.from; i < c.to; i++) {
    const v = (c.lo[i] + c.hi[i]) / 2;
    if (Number.isNaN(v)) continue; // not judged then: neither begins a call nor ends one
    if (v < threshold) { since = NaN; continue; }
    if (Number.isNaN(since)) since = c.t[i];
    if (c.t[i] - since < hold) continue;
    const last = out[out.length - 1];
    if (last && last.until >= since) last.until = c.t[i];
    else if (last && since - last.until < 1800000) last.until = c.t[i]; // back within 30 min is the same call
    else out.push({ at: since + hold, until: c.t[i] });
  }
  return out;
}

/** warning is how long before `event` the call that was still standing then began, ms; null where none did. */
export function warning(calls: Call[], event: number): number | null {
  const c = calls.find((x) => x.at <= event && x.until >= event - 1800000);
  return c ? event - c.at : null;
}
