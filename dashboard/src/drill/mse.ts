import type { Column } from '../columns';

const BIT = 0.2159; // m, 8½ in, where nobody said otherwise

/** mse works out Teale's mechanical specific energy, MPa, at every reading of ROP: weight over the bit's area, and the
    turning work over what was drilled by it. Off bottom (ROP under 1 m/h, WOB under 5 kN) there is none. */
export function mse(out: Column, wob: Column, rpm: Column, tq: Column, rop: Column, bit: number | undefined): void {
  const area = (Math.PI / 4) * (bit || BIT) ** 2; // m²
  out.from = out.to = 0;
  let w = wob.from, r = rpm.from, q = tq.from;
  const mid = (c: Column, i: number) => (c.lo[i] + c.hi[i]) / 2;
  for (let i = rop.from; i < rop.to && out.to < out.t.length; i++) {
    const t = rop.t[i];
    while (w + 1 < wob.to && wob.t[w + 1] <= t) w++;
    while (r + 1 < rpm.to && rpm.t[r + 1] <= t) r++;
    while (q + 1 < tq.to && tq.t[q + 1] <= t) q++;
    const v = mid(rop, i), weight = mid(wob, w); // m/h, kN
    let e = NaN;
    if (v >= 1 && weight >= 5) e = weight / area / 1000 + (2 * Math.PI * mid(rpm, r) * 60 * mid(tq, q)) / (area * v) / 1000;
    out.t[out.to] = t; out.lo[out.to] = e; out.hi[out.to] = e;
    out.to++;
  }
  const last = out.to - 1;
  out.last = last >= 0 ? out.lo[last] : NaN;
  out.lastT = last >= 0 ? out.t[last] : NaN;
}
