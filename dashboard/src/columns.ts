import type { Series } from './types';

/** A Column is one channel's line on the strip: times ascending, and the lowest and highest reading at each.
    It keeps what a screen can draw: samples within `bucket` ms are one, and the oldest go when it is full. */
export class Column {
  t: Float64Array;
  lo: Float64Array;
  hi: Float64Array;
  from = 0; // first sample kept
  to = 0; // one past the last
  bucket: number;
  last = NaN; // the newest reading, unmerged
  lastT = NaN; // its time, ms
  quality = 0; // of it, as the contract counts: 0 good, 1 held, 2 out of range, 3 worked out by the device

  constructor(readonly capacity = 4096, bucket = 0) {
    this.t = new Float64Array(capacity * 2);
    this.lo = new Float64Array(capacity * 2);
    this.hi = new Float64Array(capacity * 2);
    this.bucket = bucket;
  }

  get length(): number { return this.to - this.from; }

  clear(): void { this.from = this.to = 0; this.last = this.lastT = NaN; }

  /** add takes one sample; one that is not newer than the last is put in its place. A NaN breaks the line. */
  add(t: number, lo: number, hi: number): void {
    if (!Number.isFinite(t)) return;
    if (!(t <= this.lastT)) { this.last = (lo + hi) / 2; this.lastT = t; }
    const end = this.to - 1;
    if (this.length && t <= this.t[end]) { this.#insert(t, lo, hi); return; }
    if (this.length && this.bucket > 0 && Math.floor(t / this.bucket) === Math.floor(this.t[end] / this.bucket)) { this.#merge(end, lo, hi); return; }
    this.#room();
    const i = this.to++;
    this.t[i] = t; this.lo[i] = lo; this.hi[i] = hi;
  }

  /** index of the first sample at or after t; `to` when there is none. */
  at(t: number): number {
    let a = this.from, b = this.to;
    while (a < b) {
      const m = (a + b) >> 1;
      if (this.t[m] < t) a = m + 1; else b = m;
    }
    return a;
  }

  /** value nearest to t within reach ms, the middle of its sample; NaN when there is none. */
  value(t: number, reach: number): number {
    const i = this.at(t);
    let best = -1;
    if (i < this.to) best = i;
    if (i > this.from && (best < 0 || t - this.t[i - 1] < this.t[best] - t)) best = i - 1;
    return best >= 0 && Math.abs(this.t[best] - t) <= reach ? (this.lo[best] + this.hi[best]) / 2 : NaN;
  }

  /** history puts a stored series before, and between, what came live: live samples newer than it stay. A short one, which
      fills a hole, comes finer than a screen draws: with merge its samples fall into this column's buckets. */
  history(s: Series, merge = false): void {
    const end = s.t.length ? s.t[s.t.length - 1] : -Infinity;
    const n = Math.max(0, this.to - this.at(end + 1e-6));
    const keep = { t: this.t.slice(this.to - n, this.to), lo: this.lo.slice(this.to - n, this.to), hi: this.hi.slice(this.to - n, this.to) };
    const older = s.t.length ? this.at(s.t[0]) : this.to - n; // what lies before the series stays as it is
    this.to = Math.min(older, this.to - n);
    const gaps = s.gaps ?? [];
    let g = 0;
    const bucket = this.bucket;
    if (!merge) this.bucket = 0;
    for (let i = 0; i < s.t.length; i++) {
      const t = s.t[i], lo = s.min[i], hi = s.max[i];
      while (g < gaps.length && gaps[g][1] <= t) {
        this.add(Math.max(gaps[g][0] + 1e-3, this.length ? this.t[this.to - 1] + 1e-3 : gaps[g][0]), NaN, NaN);
        g++;
      }
      this.add(t, lo ?? NaN, hi ?? NaN);
    }
    this.bucket = 0; // what came live lies in its buckets already
    for (let i = 0; i < n; i++) this.add(keep.t[i], keep.lo[i], keep.hi[i]);
    this.bucket = bucket;
    if (n === 0 && s.last?.length && this.lastT === end) this.last = s.last[s.last.length - 1] ?? NaN;
  }

  #merge(i: number, lo: number, hi: number): void {
    if (Number.isNaN(lo)) return;
    if (!(this.lo[i] <= lo)) this.lo[i] = lo;
    if (!(this.hi[i] >= hi)) this.hi[i] = hi;
  }

  #insert(t: number, lo: number, hi: number): void {
    const i = this.at(t);
    if (this.t[i] === t) { // the same moment again: what was amended counts
      this.lo[i] = lo; this.hi[i] = hi;
      return;
    }
    this.#room();
    const j = this.at(t);
    this.t.copyWithin(j + 1, j, this.to); this.lo.copyWithin(j + 1, j, this.to); this.hi.copyWithin(j + 1, j, this.to);
    this.to++;
    this.t[j] = t; this.lo[j] = lo; this.hi[j] = hi;
  }

  #room(): void {
    if (this.length >= this.capacity) this.from = this.to - this.capacity + 1;
    if (this.to < this.t.length) return;
    for (const a of [this.t, this.lo, this.hi]) a.copyWithin(0, this.from, this.to);
    this.to -= this.from;
    this.from = 0;
  }
}

/** Columns of one drill's channels, in the order they were subscribed. */
export class Columns {
  readonly columns: Column[];
  version = 0; // rises with every change: a drawing compares it

  constructor(readonly channels: string[], capacity = 4096) {
    this.columns = channels.map(() => new Column(capacity));
  }

  get(channel: string): Column | undefined {
    const i = this.channels.indexOf(channel);
    return i < 0 ? undefined : this.columns[i];
  }

  setBucket(ms: number): void { this.columns.forEach((c, i) => { c.bucket = this.channels[i] === 'state' ? 0 : ms; }); }
  clear(): void { for (const c of this.columns) c.clear(); this.version++; }

  /** newest sample's time over all channels, ms; NaN while empty. */
  newest(): number {
    let best = NaN;
    for (const c of this.columns) if (!(c.lastT <= best) && !Number.isNaN(c.lastT)) best = c.lastT;
    return best;
  }

  /** holes between neighbouring samples of the fullest column that are wider than ms, and than what is usual in it; oldest first. */
  holes(ms: number): [number, number][] {
    let c = this.columns[0];
    for (const x of this.columns) if (x.length > c.length) c = x;
    const out: [number, number][] = [];
    if (!c || c.length < 8) return out;
    const wide = Math.max(ms, (8 * (c.t[c.to - 1] - c.t[c.from])) / c.length);
    let last = -1; // the last reading: what only marks a gap is none
    for (let i = c.from; i < c.to; i++) {
      if (Number.isNaN(c.lo[i])) continue;
      if (last >= 0 && c.t[i] - c.t[last] > wide) out.push([c.t[last], c.t[i]]);
      last = i;
    }
    return out;
  }

  history(series: Series[], merge = false): void {
    // Between two states there is no middle: of a stretch of them the last counts.
    for (const s of series) this.get(s.channel)?.history(s.channel === 'state' && s.last ? { ...s, min: s.last, max: s.last } : s, merge);
    this.version++;
  }
}
