import { band, judgedAge, needs, priority, SILENT, urgency, type Standing } from '../answer';
import { stamp } from '../format';
import type { Drill } from '../types';

export const KINDS = ['health', 'doing', 'field', 'contractor'] as const;
export type Kind = (typeof KINDS)[number];
export interface Filter { kind: Kind; value: string }

export interface Verdict {
  needing: string[]; // worst first; another array only where the order is another
  quiet: string[]; // by name, as the drills come
  tallies: Record<Kind, Map<string, number>>; // of all of them
  standing: Standing;
}

/** kindOf says where a drill is counted; what is silent has no health and is in no state that we know. */
export function kindOf(d: Drill, kind: Kind, mute: boolean): string {
  switch (kind) {
    case 'health': return mute ? 'none' : band(d.health);
    case 'doing': return mute ? 'unknown' : d.state || 'unknown';
    default: return kind === 'field' ? d.field : d.contractor;
  }
}

/** Judge judges a fleet once a second and keeps what it found, for there may be ten thousand. A drill is read when it changed; of the
    others time alone goes on, and what hangs on it (silence, the end of its time left) was made a number when the drill was read. So the
    counts are mended by those that went from one class to another, and those alone find a new place in the order. */
export class Judge {
  #needing: string[] = [];
  #quiet: string[] = [];
  readonly #tallies: Verdict['tallies'] = { health: new Map(), doing: new Map(), field: new Map(), contractor: new Map() };
  #drills: Drill[] = [];
  #place = new Map<string, number>();
  #order: number[] = []; // of those that need somebody, by key
  #kinds: string[][] = KINDS.map(() => []);
  // Of each drill: times in ms, NaN where none.
  #last = new Float64Array(0); // its newest reading
  #tick = new Float64Array(0); // what was scored last
  #since = new Float64Array(0); // the earlier of both: so old is what is said of it
  #low = new Float64Array(0); // time left as a model says it now, h
  #ends = new Float64Array(0); // else when what an alarm said of it runs out
  #key = new Float64Array(0); // of the order
  #p = new Uint8Array(0); // what stands open
  #mute = new Uint8Array(0);
  #needs = new Uint8Array(0);
  #now = NaN;
  #rate = 1;

  /** judge takes all drills, by name. now and crew on the rig's clock, ms; rate is how much faster than ours that runs. */
  judge(drills: Drill[], now: number, crew: number | null, rate = 1): Verdict {
    this.#now = now; this.#rate = rate;
    const had = this.#drills, same = had.length === drills.length && drills.every((d, i) => d === had[i] || d.id === had[i].id);
    if (!same) this.#begin(drills.length);
    this.#drills = drills;
    const moved: number[] = [], quiet = SILENT * 1000 * rate;
    let members = !same;
    for (let i = 0; i < drills.length; i++) {
      const read = !same || drills[i] !== had[i];
      if (read) this.#read(i, drills[i], same ? had[i] : null);
      const mute = now - this.#since[i] <= quiet ? 0 : 1; // NaN too
      if (!read && mute === this.#mute[i]) continue;
      const needed = this.#needs[i], key = this.#key[i];
      this.#classify(i, mute);
      if (needed !== this.#needs[i] || !same) members = true;
      if (needed !== this.#needs[i] || (needed && key !== this.#key[i]) || !same) moved.push(i);
    }
    if (!same) { this.#place = new Map(drills.map((d, i) => [d.id, i])); this.#order = []; }
    if (moved.length) this.#mend(moved);
    if (members) this.#quiet = drills.filter((_, i) => !this.#needs[i]).map((d) => d.id);
    return { needing: this.#needing, quiet: this.#quiet, tallies: this.#tallies, standing: this.#stand(crew) };
  }

  /** age of what is said of a drill, s. */
  age(d: Drill): number | null {
    const i = this.#place.get(d.id), ms = i !== undefined && this.#drills[i] === d ? this.#since[i] : NaN;
    return Number.isNaN(ms) ? judgedAge(d, (at) => (at == null ? null : this.#aged(at))) : this.#aged(ms);
  }

  drill(id: string): Drill | undefined { const i = this.#place.get(id); return i === undefined ? undefined : this.#drills[i]; }

  /** within leaves of a list those that the rail's filter asks for. */
  within(ids: string[], f: Filter | null): string[] {
    if (!f) return ids;
    const kinds = this.#kinds[KINDS.indexOf(f.kind)];
    return ids.filter((id) => kinds[this.#place.get(id)!] === f.value);
  }

  #aged(ms: number): number { return Math.max(0, (this.#now - ms) / 1000 / this.#rate); }

  #begin(n: number): void {
    for (const k of KINDS) this.#tallies[k].clear();
    this.#kinds = KINDS.map(() => new Array<string>(n).fill(''));
    [this.#last, this.#tick, this.#since, this.#low, this.#ends, this.#key] = Array.from({ length: 6 }, () => new Float64Array(n));
    [this.#p, this.#mute, this.#needs] = Array.from({ length: 3 }, () => new Uint8Array(n));
  }

  #read(i: number, d: Drill, had: Drill | null): void {
    if (!had || had.last_ts !== d.last_ts) this.#last[i] = stamp(d.last_ts) ?? NaN;
    if (!had || had.score_tick !== d.score_tick) this.#tick[i] = stamp(d.score_tick) ?? NaN;
    this.#since[i] = this.#tick[i] < this.#last[i] ? this.#tick[i] : this.#last[i];
    const t = d.time_left, a = d.top_alarm && !d.top_alarm.cleared ? d.top_alarm : null;
    this.#low[i] = t?.low ?? NaN;
    this.#ends[i] = t?.low == null && a?.time_left_h != null ? (stamp(a.raised) ?? NaN) + a.time_left_h * 3600000 : NaN;
  }

  #classify(i: number, mute: number): void {
    const d = this.#drills[i], p = priority(d);
    this.#mute[i] = mute; this.#p[i] = p; this.#key[i] = urgency(d, p, mute === 1);
    this.#needs[i] = Number(needs(d, mute ? null : 0));
    KINDS.forEach((k, j) => {
      const was = this.#kinds[j][i], is = kindOf(d, k, mute === 1), n = this.#tallies[k];
      if (was === is) return;
      if (was) n.set(was, n.get(was)! - 1);
      if (is) n.set(is, (n.get(is) ?? 0) + 1);
      this.#kinds[j][i] = is;
    });
  }

  /** Those that moved are taken out of the order and put in again where they belong now. */
  #mend(moved: number[]): void {
    const by = (a: number, b: number) => this.#key[a] - this.#key[b] || a - b;
    const away = new Set(moved), stay = this.#order.filter((i) => !away.has(i)), come = moved.filter((i) => this.#needs[i]).sort(by);
    const out: number[] = [];
    let a = 0, b = 0;
    while (a < stay.length || b < come.length) out.push(b >= come.length || (a < stay.length && by(stay[a], come[b]) < 0) ? stay[a++] : come[b++]);
    if (out.length !== this.#order.length || out.some((i, k) => i !== this.#order[k])) this.#needing = out.map((i) => this.#drills[i].id);
    this.#order = out;
  }

  #stand(crew: number | null): Standing {
    const s: Standing = { total: this.#drills.length, first: this.#drills[0]?.id ?? '', heard: 0, unscored: 0, failing: [], acting: [], tour: 0, old: null }, now = this.#now, failing: [number, number][] = [];
    let newest = -Infinity;
    for (let i = 0; i < s.total; i++) {
      if (this.#mute[i]) { if (this.#last[i] - this.#tick[i] > (now - this.#tick[i]) / 2) s.unscored++; continue; } // as answer.ts waits()
      newest = Math.max(newest, this.#since[i]);
      if (!s.heard++) s.first = this.#drills[i].id;
      const end = Number.isNaN(this.#low[i]) ? Math.max(now, this.#ends[i]) : now + this.#low[i] * 3600000;
      if (crew != null && end < crew) failing.push([i, end]);
      else if (this.#p[i] === 1) s.acting.push(this.#drills[i]);
      else if (this.#p[i] === 2 && this.#drills[i].top_alarm?.status !== 'ack') s.tour++;
    }
    if (s.heard) s.old = this.#aged(newest);
    s.failing = failing.sort((a, b) => a[1] - b[1] || a[0] - b[0]).map(([i]) => this.#drills[i]);
    return s;
  }
}
