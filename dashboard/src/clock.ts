import type { Clock } from './types';

/** The server's clock, carried on between messages: the demo's runs at × 60. All of it in ms. */
export class RigClock {
  rate = 1;
  demo = false;
  offset = 0; // minutes that rig-local time is ahead of UTC
  known = false;
  #server = 0;
  #wall = 0;

  constructor(private wall: () => number = () => performance.now()) {}

  /** set takes the server's clock as it stood when the message arrived. */
  set(c: Clock | undefined): void {
    const now = c ? Date.parse(c.now) : NaN;
    if (!c || !Number.isFinite(now)) return;
    this.#server = now;
    this.#wall = this.wall();
    this.rate = c.rate > 0 ? c.rate : 1;
    this.demo = c.demo ?? this.demo;
    this.offset = c.utc_offset_min ?? this.offset;
    this.known = true;
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
