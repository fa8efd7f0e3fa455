// For tests only: a message as the server writes it.

/** message writes one as the server does: header of 16 bytes, 8 a channel, then three columns of f64. */
export function message(base: number, runs: { index: number; t: number[]; min: number[]; max: number[] }[], subscription = 0): ArrayBuffer {
  const b = new ArrayBuffer(16 + runs.reduce((n, r) => n + 8 + r.t.length * 24, 0)), v = new DataView(b);
  v.setUint8(0, 1); v.setUint8(1, 1); v.setUint16(2, runs.length, true); v.setUint32(4, subscription, true); v.setFloat64(8, base, true);
  let at = 16;
  for (const r of runs) {
    v.setUint16(at, r.index, true); v.setUint16(at + 2, r.t.length, true);
    at += 8;
    for (const column of [r.t, r.min, r.max]) for (const x of column) { v.setFloat64(at, x, true); at += 8; }
  }
  return b;
}
