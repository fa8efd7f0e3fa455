import * as api from './api';
import { at, BASE, own } from './base';
import { RigClock } from './clock';
import { Columns } from './columns';
import type { Readings } from './drill/scales';
import { show } from './frames';
import { Live, type Line } from './live';
import { judgedAge } from './answer';
import { aside, blank, change, standing, urgent } from './merge';
import { address, read, type Route } from './route';
import { gauge, type Gauge, type System } from './units';
import { stamp } from './format';
import { choose, speak, type Language } from './words/words.svelte';
import type { Alarm, Channel, Clock, Counts, Drill, FleetChange, LiveMessage, Meta, ScoreMessage, Session } from './types';

export const kept = (key: string): string | null => { try { return localStorage.getItem('mudpulse.' + key); } catch { return null; } };
export const keep = (key: string, value: string): void => { try { localStorage.setItem('mudpulse.' + key, value); } catch { /* private window: until it closes */ } };

const SECOND = 900; // ms: the server tells of the fleet twice in a second

/** Store is what the screens read. Messages change plain maps; once a frame they become visible. */
class Store {
  session = $state.raw<Session | null | undefined>(undefined); // undefined: not asked yet
  meta = $state.raw<Meta | null>(null);
  channels = $state.raw(new Map<string, Channel>());
  drills = $state.raw<Drill[]>([]); // by name
  loaded = $state(false);
  alarms = $state.raw<Alarm[]>([]); // standing or shelved, most urgent first
  alarmsRead = $state(false); // until then a drill's own worst alarm is all that is known
  counts = $state.raw<Counts | null>(null);
  countsAt = $state(0); // performance.now() when they came
  line = $state<Line>('connecting');
  lineSince = $state(0); // performance.now()
  now = $state(Date.now()); // on the rig's clock, ms; once a second of ours
  wall = $state(0); // performance.now() with it
  second = $state(0); // of ours: what need not be newer than that looks at it, not at now
  demo = $state(false);
  rate = $state(1);
  offset = $state(0);
  night = $state(document.documentElement.dataset.theme === 'night');
  system = $state<System>(kept('units') === 'field' ? 'field' : 'SI');
  route = $state.raw<Route>(read(own(location.pathname), location.search));
  trouble = $state.raw<{ what: string; err: unknown } | null>(null);
  sending = $state.raw(new Set<string>()); // alarms whose acknowledgement is on its way
  unsent = $state.raw(new Map<string, string>()); // alarm → why its acknowledgement did not arrive
  history = $state.raw<{ state: 'reading' | 'read' | 'failed'; err?: unknown }>({ state: 'reading' }); // of the drill being watched
  score = $state.raw<ScoreMessage | null>(null); // of the drill being watched
  modelsVersion = $state(0); // rises when a model was uploaded or switched
  annotationsVersion = $state(0); // rises when somebody wrote on a strip
  watchVersion = $state(0); // rises when the strip has something new to draw
  phone = $state(matchMedia('(max-width:480px)').matches);
  jump = $state.raw<{ by: number; at: number } | null>(null); // the server's clock moved: by how much, ms, and when, performance.now()
  jumps = $state(0);
  mute = $state(kept('sound') !== 'on'); // ◆ sounds where somebody asked for it
  away = $state(false); // nobody answered when the page asked who it is for
  readings = $state<Readings>((kept('readings') as Readings | null) ?? 'drilling'); // of the strip
  renewed = $state(false); // the server has another build of this page
  held = $state(false); // a dialog is open: single keys do nothing behind it

  /** Which reading an output such as washout.normal_hydraulics is about: learned from reasons, and kept. */
  expects = $state.raw<Record<string, string>>(JSON.parse(kept('expects') ?? '{}'));

  readonly clock = new RigClock();
  readonly live: Live;
  #drills = new Map<string, Drill>();
  #names: string[] = []; // of the drills, sorted
  #alarms = new Map<string, Alarm>();
  #alarmsCame = false;
  #score: ScoreMessage | null = null; // the newest, shown with the next frame
  #dirty = { drills: false, alarms: false, watch: false, score: false };
  #waits = false; // drills that changed are shown with the clock's next second
  #gauges = new Map<string, Gauge>();
  #gaugesOf: unknown[] = [];
  #slept = Date.now() - performance.now(); // a machine that sleeps stops the second of them
  #crew: { tour: unknown; offset: number; from: number; end: number | null } | null = null;
  #timers: number[] = [];

  constructor() {
    this.live = new Live(
      () => new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${BASE}api/v1/live`),
      api.series,
      {
        message: (m) => this.#message(m),
        readings: () => { this.#dirty.watch = true; this.#soon(); },
        line: (state, since) => { this.line = state; this.lineSince = since; if (state === 'lost') void this.#stillIn(); },
        history: (state, err) => { this.history = { state, err }; },
        trouble: (what, err) => { console.error(what, err); void this.#sameBuild(); },
      },
    );
    window.addEventListener('popstate', () => { this.route = read(own(location.pathname), location.search); });
    matchMedia('(max-width:480px)').addEventListener('change', (e) => { this.phone = e.matches; });
    window.addEventListener('online', () => { this.live.wake(); this.live.retry(); });
    window.addEventListener('offline', () => this.live.wake());
    document.addEventListener('visibilitychange', () => { if (!document.hidden) this.live.wake(); });
    api.onEnded(() => this.#ended());
  }

  /** begin asks who is there and, once that is known, for everything else. */
  async begin(again?: string): Promise<void> {
    try { await speak(choose(kept('language'), navigator.languages)); } catch { /* in English, then */ }
    const secret = /[#&]signin=([^&]+)/.exec(location.hash)?.[1] ?? again;
    if (secret) {
      history.replaceState(null, '', location.pathname + location.search); // the secret leaves the address bar at once
      try {
        this.session = await api.signIn(decodeURIComponent(secret));
      } catch (err) {
        if (err instanceof api.Refusal) this.trouble = { what: 'sign in', err };
      }
    }
    if (!this.session) {
      try { this.session = await api.session(); } catch (err) {
        if (!(err instanceof api.Refusal)) { // asked again until somebody answers; the secret of a link is kept until then
          this.away = true;
          window.setTimeout(() => void this.begin(secret), 2000);
          return;
        }
        this.away = false;
        this.session = null;
        if (!api.signedOut(err) && !this.trouble) this.trouble = { what: 'sign in', err };
        return;
      }
    }
    this.away = false;
    await this.enter();
  }

  async signIn(token: string): Promise<void> {
    this.session = await api.signIn(token);
    this.trouble = null;
    await this.enter();
  }

  async signOut(): Promise<void> {
    await api.signOut();
    this.leave();
  }

  leave(): void {
    this.live.stop();
    for (const t of this.#timers) clearInterval(t);
    this.#timers = [];
    this.#drills.clear(); this.#names = []; this.#alarms.clear();
    this.drills = []; this.alarms = []; this.counts = null; this.loaded = this.alarmsRead = this.#alarmsCame = false;
    this.session = null;
  }

  async enter(): Promise<void> {
    this.live.want('fleet', true);
    this.live.want('alarms', true);
    this.live.start();
    this.#timers.push(window.setInterval(() => this.#second(SECOND + 200), 250), window.setInterval(() => void this.refresh(), 60000));
    this.#tick();
    try {
      const [m, c] = await Promise.all([api.meta(), api.channels()]);
      if (!this.clock.known) this.clock.set(m.clock);
      this.clock.offset = m.clock.utc_offset_min ?? 0;
      this.#clockSeen();
      this.#tick(); // before the tour's times are known: which tour it is rests on the server's clock
      this.meta = m;
      this.channels = new Map(c.map((x) => [x.tag, x]));
    } catch (err) { this.trouble = { what: 'read what this server is', err }; }
    await Promise.all([this.refresh(), this.refreshAlarms()]);
  }

  /** refresh reads every drill whole: seven days of health do not come over the live channel. */
  async refresh(): Promise<void> {
    try {
      for await (const page of api.drills()) for (const d of page) this.#drills.set(d.id, d);
      this.loaded = true;
      this.#dirty.drills = true;
      this.#soon();
    } catch (err) {
      if (api.signedOut(err)) this.leave(); else if (!this.loaded) this.trouble = { what: 'read the drills', err };
    }
  }

  async refreshAlarms(): Promise<void> {
    try {
      const lists = await Promise.all([api.alarms({ state: 'active', limit: 500 }), ...['shelved', 'suppressed', 'out_of_service'].map((state) => api.alarms({ state, limit: 200 }))]);
      this.#alarms = new Map(lists.flatMap((l) => l.alarms ?? []).map((a) => [a.id, a]));
      this.#alarmsCame = true;
      this.#dirty.alarms = true;
      this.#soon();
    } catch (err) { if (api.signedOut(err)) this.leave(); }
  }

  async refreshDrill(id: string): Promise<void> {
    const d = await api.drill(id);
    this.#drills.set(id, d);
    this.#dirty.drills = true;
    this.#soon();
  }

  drill(id: string): Drill | undefined { return this.drills.find((d) => d.id === id); }

  /** age of a drill's newest reading in seconds, as shown; null when it never sent. */
  age(d: { last_ts: string | null }): number | null { return this.clock.age(stamp(d.last_ts), this.now); }

  /** judged is the age of what is said of a drill, its health and state, in seconds; readings may be younger. */
  judged(d: Pick<Drill, 'last_ts' | 'score_tick'>): number | null { return judgedAge(d, (ms) => this.clock.age(ms, this.now)); }

  /** age of the newest reading anywhere, with the time since the server said so. */
  get dataAge(): number | null {
    if (!this.counts || this.counts.age_s == null) return this.line === 'live' ? null : (this.wall - this.lineSince) / 1000;
    return this.counts.age_s + Math.max(0, this.wall - this.countsAt - 1000) / 1000;
  }

  get crew(): number | null { return this.crewAfter(this.now); }
  crewAfter(at: number): number | null { // the same for hours, and asked for by every row
    const tour = this.meta?.tour, had = this.#crew;
    if (!tour) return null;
    if (had?.tour === tour && had.offset === this.offset && at >= had.from && (had.end ?? 0) > at) return had.end;
    const end = this.clock.tourEnd([tour.start, tour.end], at);
    this.#crew = { tour, offset: this.offset, from: at, end };
    return end;
  }

  /** tour is when the crew of now came on, ms; null until the server has said when they change. */
  get tour(): number | null {
    return this.meta?.tour ? this.clock.tourBegan([this.meta.tour.start, this.meta.tour.end], this.now) : null;
  }

  gauge(tag: string, unit = ''): Gauge {
    const of = [this.channels, this.system], key = `${tag} ${unit}`;
    if (of.some((x, i) => x !== this.#gaugesOf[i])) { this.#gauges.clear(); this.#gaugesOf = of; }
    let g = this.#gauges.get(key);
    if (!g) this.#gauges.set(key, (g = gauge(this.channels.get(tag) ?? this.channels.get(tag.split('__')[0]), this.system, unit)));
    return g;
  }

  may(what: 'operate' | 'manage' | 'administer'): boolean {
    const role = this.session?.role ?? '';
    if (what === 'administer') return role === 'administrator';
    return what === 'operate' ? role !== 'viewer' && role !== '' : role === 'administrator' || role === 'engineer';
  }

  go(r: Route, replace = false): void {
    const to = at(address(r));
    if (to !== location.pathname + location.search) history[replace ? 'replaceState' : 'pushState'](null, '', to);
    this.route = r;
  }

  setNight(on: boolean): void {
    this.night = on;
    keep('theme', on ? 'night' : 'day');
    if (on) document.documentElement.dataset.theme = 'night'; else delete document.documentElement.dataset.theme;
    document.querySelector<HTMLMetaElement>('meta[name=theme-color]')!.content = on ? '#23272B' : '#E7E9EB';
  }

  setReadings(r: Readings): void { this.readings = r; keep('readings', r); }

  async setLanguage(l: Language): Promise<void> {
    keep('language', l);
    try { await speak(l); } catch (err) { this.trouble = { what: 'read the words', err }; }
  }

  setMute(on: boolean): void { this.mute = on; keep('sound', on ? 'off' : 'on'); }

  setSystem(s: System): void { this.system = s; keep('units', s); }

  /** ack marks the alarm at once and says when it did not arrive; who has it shows when the server has it. */
  async ack(a: Alarm): Promise<void> {
    this.sending = new Set(this.sending).add(a.id);
    this.#without(a.id);
    try {
      await api.ack(a.id);
      window.setTimeout(() => { if (this.sending.has(a.id)) void this.refreshAlarms().then(() => this.#sent(a.id)); }, 5000);
    } catch (err) {
      this.#sent(a.id);
      this.unsent = new Map(this.unsent).set(a.id, err instanceof Error ? err.message : String(err));
    }
  }

  /** learn remembers that a model's word on what is normal for a subsystem is about this reading of the strip; a guess does not change what is known. */
  learn(model: string, subsystem: string, channel: string, guess = false): void {
    const output = `${model.split('@')[0]}.normal_${subsystem}`;
    if (!channel || !model || this.expects[output] === channel || (guess && this.expects[output])) return;
    this.expects = { ...this.expects, [output]: channel };
    keep('expects', JSON.stringify(this.expects));
  }

  watch(id: string, columns: Columns, span: number, points: number): () => void {
    this.score = this.#score = null;
    this.#dirty.score = false;
    return this.live.watch(id, columns, span, points);
  }

  #sent(id: string): void { const s = new Set(this.sending); s.delete(id); this.sending = s; }
  #without(id: string): void { if (this.unsent.has(id)) { const m = new Map(this.unsent); m.delete(id); this.unsent = m; } }

  async #stillIn(): Promise<void> {
    try { await api.session(); } catch { return; } // who is no longer known is told by onEnded
  }

  /** What was typed stays where it is kept; the address stays, and is where one is after signing in again. */
  #ended(): void {
    if (!this.session) return;
    this.leave();
    this.trouble = { what: 'sign in', err: new Error('ended') };
  }

  /** The server may have been replaced while this page stayed open: its first page names other scripts then. */
  async #sameBuild(): Promise<void> {
    const own = document.querySelector<HTMLScriptElement>('script[type=module][src]')?.getAttribute('src');
    try {
      const r = await fetch(BASE, { cache: 'no-store' }), page = await r.text();
      if (r.ok && own && page.includes('type="module"')) this.renewed = !page.includes(own);
    } catch { return; } // it is away again
  }

  #message(m: LiveMessage): void {
    switch (m.type) {
      case 'hello':
        this.#setClock(m.clock);
        if (this.loaded) { void this.refresh(); void this.refreshAlarms(); void this.#sameBuild(); }
        break;
      case 'fleet':
        for (const c of m.drills ?? []) this.#fleet(c);
        this.#waits = true;
        if (m.full) this.#drillsNow();
        this.#second(SECOND);
        break;
      case 'score':
        this.#score = m;
        this.#waits = true;
        if (this.score?.drill !== m.drill) this.#drillsNow();
        this.#second(SECOND);
        break;
      case 'alarm':
        this.#alarms.set(m.alarm.id, m.alarm);
        if (m.alarm.status !== 'unack') this.#sent(m.alarm.id);
        this.#dirty.alarms = true;
        this.#soon();
        break;
      case 'counts':
        this.counts = m;
        this.countsAt = performance.now();
        if (m.clock) this.#setClock({ ...m.clock, demo: m.clock.demo ?? this.clock.demo });
        break;
      case 'models':
        this.modelsVersion++;
        break;
      case 'annotations':
        this.annotationsVersion++;
        break;
    }
  }

  #fleet(c: FleetChange): void {
    const had = this.#drills.get(c.id) ?? blank(c.id);
    this.#drills.set(c.id, change(had, c));
    if (urgent(had, c)) this.#drillsNow();
  }

  /** A clock that was put right, or wrong: said, and what is drawn is read again, for none of its ages holds. */
  #setClock(c: Clock): void {
    const by = this.clock.set(c);
    this.#clockSeen();
    if (by) { this.jump = { by, at: performance.now() }; this.jumps++; }
  }

  #clockSeen(): void { this.demo = this.clock.demo; this.rate = this.clock.rate; this.offset = this.clock.offset; }

  #tick(): void { this.now = this.clock.now(); this.wall = performance.now(); this.second = Math.floor(this.wall / 1000); }

  /** Once a second the clock goes on, and with it, in the same frame, what the drills said since: ages and numbers are written together. */
  #second(least: number): void {
    const gap = Date.now() - performance.now();
    if (Math.abs(gap - this.#slept) > 5000) { this.#slept = gap; this.live.wake(); }
    if (performance.now() - this.wall < least) return;
    if (this.#waits) this.#drillsNow();
    show(this.#clockOn);
  }

  readonly #clockOn = (): void => this.#tick();
  #drillsNow(): void { this.#waits = false; this.#dirty.drills = this.#dirty.score = true; this.#soon(); }
  #soon(): void { show(this.#show); }

  readonly #show = (): void => {
    if (this.#dirty.drills) {
      if (this.#names.length !== this.#drills.size) this.#names = [...this.#drills.keys()].sort(); // none ever leaves but all at once
      this.drills = this.#names.map((id) => this.#drills.get(id)!);
    }
    if (this.#dirty.alarms) {
      for (const [id, a] of this.#alarms) if (!standing(a) && !aside(a)) this.#alarms.delete(id);
      this.alarms = [...this.#alarms.values()].sort(api.byUrgency);
      this.alarmsRead = this.#alarmsCame;
    }
    if (this.#dirty.watch) this.watchVersion++;
    if (this.#dirty.score && this.#score) this.score = this.#score;
    this.#dirty = { drills: false, alarms: false, watch: false, score: false };
  };
}

export const store = new Store();
