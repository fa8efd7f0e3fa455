/* Readings as they travel: columns, little endian.

   0  u8 version = 1 │ u8 kind = 1 │ u16 channels n │ u32 subscription │ f64 base, ms since the epoch
   16 n × ( u16 index into the subscribed channels │ u16 rows m │ u32 quality of the newest │ m × f64 t − base, ms │ m × f64 min │ m × f64 max )

   The subscription is the number that the page gave with its wish; 0 where the server does not say.
   Every f64 lies on a multiple of 8, so the columns are views on the message and nothing is copied. */

export interface Run { index: number; quality: number; t: Float64Array; min: Float64Array; max: Float64Array }
export interface Readings { subscription: number; base: number; runs: Run[] }

/** decode reads one binary message; throws an Error naming what is wrong with it. */
export function decode(buffer: ArrayBuffer): Readings {
  if (buffer.byteLength < 16) throw new Error(`readings: ${buffer.byteLength} bytes are less than the header's 16`);
  const view = new DataView(buffer);
  const version = view.getUint8(0), kind = view.getUint8(1), channels = view.getUint16(2, true);
  if (version !== 1) throw new Error(`readings: version ${version}, this page reads 1; reload it`);
  if (kind !== 1) throw new Error(`readings: kind ${kind} is not known`);
  const base = view.getFloat64(8, true);
  if (!Number.isFinite(base)) throw new Error('readings: base time is no number');
  const runs: Run[] = [];
  let at = 16;
  for (let i = 0; i < channels; i++) {
    if (at + 8 > buffer.byteLength) throw new Error(`readings: channel ${i} of ${channels} begins after the end`);
    const index = view.getUint16(at, true), rows = view.getUint16(at + 2, true), quality = view.getUint32(at + 4, true);
    at += 8;
    if (at + rows * 24 > buffer.byteLength) throw new Error(`readings: channel ${i} names ${rows} rows, the message ends before`);
    const column = (k: number) => new Float64Array(buffer, at + k * rows * 8, rows);
    runs.push({ index, quality, t: column(0), min: column(1), max: column(2) });
    at += rows * 24;
  }
  if (at !== buffer.byteLength) throw new Error(`readings: ${buffer.byteLength - at} bytes too many`);
  return { subscription: view.getUint32(4, true), base, runs };
}
