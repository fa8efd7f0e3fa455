import { decode } from './frame';
import type { Columns } from './columns';
import type { LiveMessage, SeriesAnswer } from './types';

/** Where the line stands. `quiet`: open, but nothing came for three seconds. */
export type Line = 'connecting' | 'live' | 'quiet' | 'lost';

export interface Listener {
  message(m: LiveMessage): void;
  /** readings were added to the columns being watched */
  readings(): void;
  line(state: Line, since: number): void;
  /** history of the watched drill is being read whole, was read, or could not be: then what is drawn has a hole until the next try */
  history(state: 'reading' | 'read' | 'failed', err?: unknown): void;
  trouble(what: string, err: unknown): void;
}

/** What of a WebSocket is used; the browser's fits, and so does a test's. */
export interface Socket {
  binaryType: string;
  readyState: number;
  send(text: string): void;
  close(): void;
  onopen: ((e: never) => void) | null;
  onmessage: ((e: MessageEvent) => void) | null;
  onclose: ((e: CloseEvent) => void) | null;
}

export interface Timers {
  now(): number; // ms, monotonic
  after(ms: number, f: () => void): () => void; // returns its cancel
}

const timers: Timers = {
  now: () => performance.now(),
  after: (ms, f) => { const id = setTimeout(f, ms); return () => clearTimeout(id); },
};

export type History = (drill: string, channels: string[], from: number | string, to: number | string, points: number) => Promise<SeriesAnswer>;

const QUIET = 2200; // the server speaks every second; three seconds of silence are said on the page
const WOKEN = 1000;
const DEAD = 8000; // then a new line is tried
const FIRST = 250, MOST = 8000; // back-off, ms

const HEAL = 4000, SELDOM = 60000; // holes that are drawn are asked for again: what was kept at a gateway comes later than what is live
const JOIN = 600, LONGEST = 3000, JOINS = 60; // the store is behind the stream, on a busy machine for a while: ask again until history reaches what came live

interface Watch {
  drill: string; channels: string[]; columns: Columns; span: number; points: number; asked: number; fresh: boolean; sub: number;
  live: number; // first sample that came on this line, ms; NaN before it
  stored: number; // last sample that history had, ms; NaN while it is being asked for
  joins: number; // how often history was asked again to reach it
  heals: number; // how often holes were asked for
}

/** Live owns the page's one WebSocket: it connects, waits longer after each failure, subscribes again after
    each new line, and reads from /series what passed meanwhile, so that history joins live without a seam. */
export class Live {
  #socket: Socket | null = null;
  #state: Line = 'connecting';
  #since: number;
  #heard = 0;
  #wait = FIRST;
  #cancel: (() => void)[] = [];
  #running = false;
  #wants = new Set<'fleet' | 'alarms'>();
  #watch: Watch | null = null;
  #sub = 0;

  constructor(
    private open: () => Socket,
    private history: History,
    private listener: Listener,
    private time: Timers = timers,
  ) { this.#since = time.now(); }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#connect();
    this.#beat();
  }

  stop(): void {
    this.#running = false;
    for (const c of this.#cancel) c();
    this.#cancel = [];
    this.#drop();
  }

  /** retry at once: the browser says that the network is back, or somebody pressed the button. */
  retry(): void {
    if (!this.#running || this.#socket?.readyState === 1 && this.#state === 'live') return;
    this.#wait = FIRST;
    this.#drop();
    this.#connect();
  }

  /** wake after a sleep, a network that changed, or a while out of sight: the line may be dead though nobody said so. It has a
      second to answer, then it counts as quiet. */
  wake(): void {
    if (!this.#running) return;
    if (this.#socket?.readyState !== 1) { if (this.#state === 'lost') this.retry(); return; }
    this.#heard = Math.min(this.#heard, this.time.now() - QUIET + WOKEN);
    this.#send({ op: 'ping' });
  }

  want(what: 'fleet' | 'alarms', on: boolean): void {
    if (on) this.#wants.add(what); else this.#wants.delete(what);
    this.#send({ op: what, on });
  }

  /** watch fills columns with a drill's readings: `span` ms of history at `points` a channel, then live, until
      the function returned is called. One drill is watched at a time. */
  watch(drill: string, columns: Columns, span: number, points: number): () => void {
    const w: Watch = { drill, channels: columns.channels, columns, span, points, asked: 0, fresh: true, sub: ++this.#sub, live: NaN, stored: NaN, joins: 0, heals: 0 };
    columns.setBucket(span / points);
    this.#watch = w;
    this.#subscribe(w);
    void this.#catchUp(w);
    this.#healLater(w);
    return () => {
      if (this.#watch !== w) return;
      this.#watch = null;
      this.#send({ op: 'off', what: 'drill' });
    };
  }

  /** readAgain asks for the history at once, not only with the next try. */
  readAgain(): void { if (this.#watch) void this.#catchUp(this.#watch); }

  #connect(): void {
    if (!this.#running) return;
    let s: Socket;
    try { s = this.open(); } catch (err) { this.listener.trouble('open the live channel', err); this.#again(); return; }
    this.#socket = s;
    this.#heard = this.time.now();
    s.binaryType = 'arraybuffer';
    s.onmessage = (e) => this.#take(s, e.data);
    s.onclose = () => { if (this.#socket === s) { this.#socket = null; this.#set('lost'); this.#again(); } };
    s.onopen = () => {
      if (this.#socket !== s) return;
      for (const what of this.#wants) this.#send({ op: what, on: true });
      if (this.#watch) { this.#subscribe(this.#watch); void this.#catchUp(this.#watch); }
    };
  }

  #again(): void {
    if (!this.#running) return;
    const wait = this.#wait * (0.75 + Math.random() / 2);
    this.#wait = Math.min(MOST, this.#wait * 2);
    this.#later(wait, () => { if (!this.#socket) this.#connect(); });
  }

  #drop(): void {
    const s = this.#socket;
    this.#socket = null;
    if (!s) return;
    s.onmessage = s.onclose = s.onopen = null;
    s.close();
  }

  #beat(): void {
    this.#later(250, () => {
      const silent = this.time.now() - this.#heard;
      if (this.#socket?.readyState === 1 && silent > QUIET) {
        if (this.#state === 'live') { this.#set('quiet', this.#heard); this.#send({ op: 'ping' }); }
      }
      if (this.#socket && silent > DEAD) { this.#drop(); this.#set('lost'); this.#connect(); }
      this.#beat();
    });
  }

  #take(s: Socket, data: unknown): void {
    if (this.#socket !== s) return;
    this.#heard = this.time.now();
    if (this.#state !== 'live') { this.#wait = FIRST; this.#set('live'); }
    try {
      if (typeof data === 'string') this.listener.message(JSON.parse(data) as LiveMessage);
      else if (data instanceof ArrayBuffer) this.#readings(data);
    } catch (err) {
      this.listener.trouble('read a live message', err);
    }
  }

  #readings(data: ArrayBuffer): void {
    const w = this.#watch;
    if (!w) return;
    const { subscription, base, runs } = decode(data);
    if (subscription && subscription !== w.sub) return; // of the drill watched before, still on its way
    for (const run of runs) {
      const c = w.columns.columns[run.index];
      if (!c) continue;
      for (let i = 0; i < run.t.length; i++) c.add(base + run.t[i], run.min[i], run.max[i]);
      c.quality = run.quality;
    }
    if (Number.isNaN(w.live) && runs.length) {
      w.live = base + Math.min(...runs.map((r) => r.t[0]));
      this.#join(w);
    }
    w.columns.version++;
    this.listener.readings();
  }

  #subscribe(w: Watch): void {
    w.live = NaN; w.joins = w.heals = 0;
    this.#send({ op: 'drill', drill: w.drill, channels: w.channels, sub: w.sub });
  }

  /** The first time the whole span, later only what passed since the last sample. */
  async #catchUp(w: Watch, from?: number): Promise<void> {
    const ask = ++w.asked;
    w.stored = NaN;
    const newest = from ?? w.columns.newest();
    const whole = w.fresh || Number.isNaN(newest);
    if (whole) this.listener.history('reading');
    try {
      const a = await this.history(w.drill, w.channels, whole ? `-${Math.round(w.span / 1000)}s` : newest, 'now', w.points);
      if (this.#watch !== w || ask !== w.asked) return;
      w.fresh = false;
      w.columns.history(a.series ?? [], !whole);
      w.stored = Math.max(whole ? -Infinity : newest, ...(a.series ?? []).map((x) => x.t[x.t.length - 1] ?? -Infinity));
      this.listener.history('read');
      this.listener.readings();
      this.#join(w);
    } catch (err) {
      if (this.#watch !== w || ask !== w.asked) return;
      this.listener.history('failed', err);
      this.#later(4000, () => { if (this.#watch === w && ask === w.asked) void this.#catchUp(w); });
    }
  }

  /** Between the last stored sample and the first that came live there must be no hole: what the writer had not yet
      committed is asked for until it has. */
  #join(w: Watch): void {
    if (this.#watch !== w || Number.isNaN(w.live) || Number.isNaN(w.stored) || w.joins >= JOINS) return;
    if (w.stored >= w.live - Math.max(1500, (2 * w.span) / w.points)) return;
    w.joins++;
    const from = w.stored, ask = w.asked;
    this.#later(Math.min(LONGEST, JOIN * 1.15 ** (w.joins - 1)), () => { if (this.#watch === w && ask === w.asked) void this.#catchUp(w, Number.isFinite(from) ? from : w.live - w.span); });
  }

  #healLater(w: Watch): void {
    this.#later(Math.min(SELDOM, HEAL * 1.3 ** w.heals), () => void this.#heal(w));
  }

  /** A hole in what is drawn may fill later: a backlog comes after what is live, at a bounded rate. One is asked for at a
      time, by turns, ever more seldom while nothing comes of it. */
  async #heal(w: Watch): Promise<void> {
    if (this.#watch !== w) return;
    const holes = this.#state === 'live' && !Number.isNaN(w.stored) ? w.columns.holes((5 * w.span) / w.points) : [];
    if (holes.length) {
      const [from, to] = holes[w.heals % holes.length];
      try {
        const a = await this.history(w.drill, w.channels, from, to, Math.max(2, Math.ceil((w.points * (to - from)) / w.span)));
        if (this.#watch !== w) return;
        const some = (a.series ?? []).filter((s) => s.t.some((t) => t > from && t < to));
        w.heals++;
        if (some.length) { w.columns.history(some, true); this.listener.readings(); w.heals = 0; }
      } catch { w.heals++; } // catching up says what is wrong
    }
    this.#healLater(w);
  }

  #set(state: Line, since = this.time.now()): void {
    if (state === this.#state) return;
    // Being away counts from the last word heard, whatever it is called meanwhile.
    if (state === 'live' || this.#state === 'live') this.#since = since;
    this.#state = state;
    this.listener.line(state, this.#since);
  }

  #send(m: object): void {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(m));
  }

  #later(ms: number, f: () => void): void {
    const cancel = this.time.after(ms, () => { this.#cancel = this.#cancel.filter((c) => c !== cancel); f(); });
    this.#cancel.push(cancel);
  }
}
