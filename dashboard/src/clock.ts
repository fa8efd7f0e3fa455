import type { Clock } from './types';

const JUMP = 10000, SURE = 1000; // ms of ours

/** The server's clock, carried on between messages: the demo's runs at × 60. All of it in ms. */
export class RigClock {
  rate = 1;
  demo = false;
  offset = 0; // minutes that rig-local time is ahead of UTC
  known = false;
  #server = 0;
  #wall = 0;

  #steady: { server: number; wall: number; date: number; rate: number } | null = null; // the last clock that was believed
  #odd = NaN; // since when it tells another time, on wall

  constructor(private wall: () => number = () => performance.now(), private date: () => number = () => Date.now()) {}

  /** set takes the server's clock as it stood when the message arrived, and returns by how much it jumped, ms; 0 where it
      ran on, give or take ten seconds of ours. A jump is one that lasts: messages that lay in a queue while the page was
      held up tell old times, and a laptop that slept missed what its own calendar did not. */
  set(c: Clock | undefined): number {
    const now = c ? Date.parse(c.now) : NaN;
    if (!c || !Number.isFinite(now)) return 0;
    const by = this.#jumped(now, Math.max(this.rate, c.rate));
    this.#server = now;
    this.#wall = this.wall();
    this.rate = c.rate > 0 ? c.rate : 1;
    this.demo = c.demo ?? this.demo;
    this.offset = c.utc_offset_min ?? this.offset;
    this.known = true;
    return by;
  }

  #jumped(now: number, rate: number): number {
    const wall = this.wall(), date = this.date(), s = this.#steady;
    const here = { server: now, wall, date };
    if (!s || s.rate !== rate) { this.#steady = { ...here, rate }; this.#odd = NaN; return 0; }
    const by = now - s.server - (wall - s.wall) * rate, slept = now - s.server - (date - s.date) * rate;
    if (Math.min(Math.abs(by), Math.abs(slept)) <= JUMP * rate) { this.#steady = { ...here, rate }; this.#odd = NaN; return 0; }
    if (Number.isNaN(this.#odd)) this.#odd = wall;
    if (wall - this.#odd < SURE) return 0;
    this.#steady = { ...here, rate }; this.#odd = NaN;
    return by;
  }

  /** now on the rig, ms since the epoch. */
  now(): number {
    return this.known ? this.#server + (this.wall() - this.#wall) * this.rate : Date.now();
  }

  /** age of a moment on the rig's clock in seconds of ours; null where there is none. */
  age(ms: number | null, at = this.now()): number | null {
    return ms == null ? null : Math.max(0, (at - ms) / 1000 / this.rate);
  }

  /** tourBegan is the last change of crew before now; null without times. */
  tourBegan(times: string[], now = this.now()): number | null {
    let best: number | null = null;
    for (const t of times) {
      const next = this.tourEnd([t], now);
      if (next != null && (best == null || next - 86400000 > best)) best = next - 86400000;
    }
    return best;
  }

  /** tourEnd is the next change of crew after now: the first of the clock times given, "06:00". */
  tourEnd(times: string[], now = this.now()): number | null {
    let best: number | null = null;
    const midnight = Math.floor((now + this.offset * 60000) / 86400000) * 86400000 - this.offset * 60000;
    for (const t of times) {
      const m = /^(\d{1,2}):(\d{2})$/.exec(t);
      if (!m) continue;
      let at = midnight + (Number(m[1]) * 60 + Number(m[2])) * 60000;
      if (at <= now) at += 86400000;
      if (best == null || at < best) best = at;
    }
    return best;
  }
}
