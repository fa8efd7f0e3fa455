import { beforeEach, expect, test } from 'vitest';
import { Columns } from './columns';
import { message } from './frame.sample';
import { Live, type Line, type Socket, type Timers } from './live';
import type { LiveMessage, SeriesAnswer } from './types';

class Wire implements Socket {
  binaryType = ''; readyState = 0; sent: Record<string, unknown>[] = []; closed = false;
  onopen: ((e: never) => void) | null = null; onmessage: ((e: MessageEvent) => void) | null = null; onclose: ((e: CloseEvent) => void) | null = null;
  send(text: string) { this.sent.push(JSON.parse(text)); }
  close() { this.closed = true; this.readyState = 3; }
  opens() { this.readyState = 1; this.onopen?.(undefined as never); }
  says(data: unknown) { this.onmessage?.({ data: data instanceof ArrayBuffer ? data : JSON.stringify(data) } as MessageEvent); }
  breaks() { this.readyState = 3; this.onclose?.({} as CloseEvent); }
}

class Clock implements Timers {
  t = 0; waiting: { at: number; f: () => void }[] = [];
  now() { return this.t; }
  after(ms: number, f: () => void) { const w = { at: this.t + ms, f }; this.waiting.push(w); return () => { this.waiting = this.waiting.filter((x) => x !== w); }; }
  pass(ms: number) {
    const end = this.t + ms;
    for (;;) {
      const next = this.waiting.filter((w) => w.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.waiting = this.waiting.filter((w) => w !== next);
      this.t = next.at;
      next.f();
    }
    this.t = end;
  }
}

let wires: Wire[], clock: Clock, lines: [Line, number][], got: LiveMessage[], drawn: number, troubles: string[], asked: unknown[][], live: Live, answer: () => Promise<SeriesAnswer>;
const wire = () => wires[wires.length - 1];
const settle = async () => { for (let i = 0; i < 8; i++) await Promise.resolve(); };
const history = (t: number[]): SeriesAnswer => ({ drill: 'RIG-07', from: '', to: '', clock: '', series: [{ channel: 'SPP', unit: 'MPa', t, min: t, max: t, gaps: [], resolution: 'raw' }] });

beforeEach(() => {
  wires = []; clock = new Clock(); lines = []; got = []; drawn = 0; troubles = []; asked = [];
  answer = () => Promise.resolve(history([]));
  live = new Live(() => { const w = new Wire(); wires.push(w); return w; }, (...a) => { asked.push(a); return answer(); },
    { message: (m) => got.push(m), readings: () => { drawn++; }, line: (s, since) => lines.push([s, since]), history: (state) => { if (state !== 'read' || troubles.at(-1) !== 'read') troubles.push(state); }, trouble: (what) => troubles.push(what) }, clock);
});

test('what the page wants is asked for when the line opens, and again after every new line', () => {
  live.want('fleet', true);
  live.want('alarms', true);
  live.start();
  expect(wire().sent).toEqual([]);
  wire().opens();
  expect(wire().sent).toEqual([{ op: 'fleet', on: true }, { op: 'alarms', on: true }]);
  wire().says({ type: 'hello' });
  wire().breaks();
  clock.pass(1000);
  expect(wires.length).toBe(2);
  wire().opens();
  expect(wire().sent).toEqual([{ op: 'fleet', on: true }, { op: 'alarms', on: true }]);
});

test('each failure waits longer, up to eight seconds, and a line that speaks begins anew', () => {
  live.start();
  const waits: number[] = [];
  for (let i = 0; i < 9; i++) {
    const at = clock.t, n = wires.length;
    wire().breaks();
    while (wires.length === n) clock.pass(10);
    waits.push(clock.t - at);
  }
  expect(waits[0]).toBeLessThanOrEqual(330);
  expect(waits[4]).toBeGreaterThan(waits[0] * 4);
  expect(Math.max(...waits)).toBeLessThanOrEqual(10010);
  wire().opens();
  wire().says({ type: 'hello' });
  const at = clock.t, n = wires.length;
  wire().breaks();
  while (wires.length === n) clock.pass(10);
  expect(clock.t - at).toBeLessThanOrEqual(330);
});

test('silence is said within three seconds, counted from the last word heard', () => {
  live.start();
  wire().opens();
  wire().says({ type: 'hello' });
  clock.pass(1000);
  wire().says({ type: 'pong' });
  expect(lines).toEqual([['live', 0]]);
  clock.pass(3000);
  expect(lines[1]).toEqual(['quiet', 1000]);
  expect(wire().sent).toContainEqual({ op: 'ping' });
  wire().says({ type: 'pong' });
  expect(lines[2][0]).toBe('live');
});

test('after a sleep the line has a second to answer, and is quiet after it', () => {
  live.start();
  wire().opens();
  wire().says({ type: 'hello' });
  clock.pass(100);
  live.wake();
  expect(wire().sent.at(-1)).toEqual({ op: 'ping' });
  clock.pass(400);
  wire().says({ type: 'pong' });
  clock.pass(1500);
  expect(lines.map((l) => l[0])).toEqual(['live']);
  live.wake();
  clock.pass(1500);
  expect(lines.map((l) => l[0])).toEqual(['live', 'quiet']);
});

test('a line that stays silent is given up and another is tried', () => {
  live.start();
  wire().opens();
  wire().says({ type: 'hello' });
  const first = wire();
  clock.pass(9500);
  expect(first.closed).toBe(true);
  expect(wires.length).toBeGreaterThan(1);
  expect(lines.map((l) => l[0])).toEqual(['live', 'quiet', 'lost']);
  expect(lines[2][1]).toBe(0);
});

test('a drill is watched: history first, readings laid after it', async () => {
  live.start();
  wire().opens();
  answer = () => Promise.resolve(history([10, 20, 30]));
  const c = new Columns(['SPP']);
  live.watch('RIG-07', c, 3600000, 600);
  expect(wire().sent.at(-1)).toEqual({ op: 'drill', drill: 'RIG-07', channels: ['SPP'], sub: 1 });
  expect(asked[0]).toEqual(['RIG-07', ['SPP'], '-3600s', 'now', 600]);
  c.setBucket(0);
  wire().says(message(0, [{ index: 0, t: [30, 40], min: [1, 1], max: [2, 2] }], 1));
  await settle();
  expect([...c.get('SPP')!.t.slice(0, 4)]).toEqual([10, 20, 30, 40]);
  expect(drawn).toBe(2);
});

test('after a broken line only what passed since the last sample is read', async () => {
  live.start();
  wire().opens();
  const c = new Columns(['SPP']);
  answer = () => Promise.resolve(history([10, 20, 30]));
  live.watch('RIG-07', c, 3600000, 600);
  await settle();
  c.setBucket(0);
  wire().breaks();
  clock.pass(1000);
  answer = () => Promise.resolve(history([30, 40, 50]));
  wire().opens();
  expect(wire().sent.at(-1)).toMatchObject({ op: 'drill', drill: 'RIG-07' });
  await settle();
  expect(asked.at(-1)).toEqual(['RIG-07', ['SPP'], 30, 'now', 600]);
  expect([...c.get('SPP')!.t.slice(0, c.get('SPP')!.length)]).toEqual([10, 20, 30, 40, 50]);
});

test('history is asked again until it reaches what came live: no hole where they join', async () => {
  live.start();
  wire().opens();
  const c = new Columns(['SPP']), kept = () => [...c.get('SPP')!.t.slice(c.get('SPP')!.from, c.get('SPP')!.to)];
  answer = () => Promise.resolve(history([1000, 2000]));
  live.watch('RIG-07', c, 600000, 600);
  c.setBucket(0);
  await settle();
  wire().says(message(9000, [{ index: 0, t: [0, 1000], min: [1, 1], max: [1, 1] }], 1));
  expect(asked.length).toBe(1);
  answer = () => Promise.resolve(history([2000, 3000, 4000]));
  clock.pass(700);
  await settle();
  expect(asked.at(-1)).toEqual(['RIG-07', ['SPP'], 2000, 'now', 600]);
  answer = () => Promise.resolve(history([4000, 5000, 6000, 7000, 8000]));
  clock.pass(700);
  await settle();
  expect(asked.at(-1)).toEqual(['RIG-07', ['SPP'], 4000, 'now', 600]);
  clock.pass(5000);
  await settle();
  expect(asked.length).toBe(3);
  expect(kept()).toEqual([1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 10000]);
});

test('readings of the drill watched before are not drawn on the next', async () => {
  live.start();
  wire().opens();
  const a = new Columns(['SPP']), b = new Columns(['SPP']);
  live.watch('RIG-07', a, 3600000, 600);
  live.watch('RIG-08', b, 3600000, 600);
  await settle();
  wire().says(message(0, [{ index: 0, t: [1], min: [7], max: [7] }], 1));
  expect([a.get('SPP')!.length, b.get('SPP')!.length]).toEqual([0, 0]);
  wire().says(message(0, [{ index: 0, t: [1], min: [8], max: [8] }], 2));
  expect(b.get('SPP')!.last).toBe(8);
});

test('history that cannot be read is said, and tried again', async () => {
  live.start();
  wire().opens();
  answer = () => Promise.reject(new Error('no'));
  const c = new Columns(['SPP']);
  live.watch('RIG-07', c, 3600000, 600);
  await settle();
  expect(troubles).toEqual(['reading', 'failed']);
  answer = () => Promise.resolve(history([10]));
  clock.pass(4100);
  await settle();
  expect(troubles).toEqual(['reading', 'failed', 'reading', 'read']);
  expect(c.get('SPP')!.length).toBe(1);
});

test('leaving a drill stops its readings; a message that cannot be read stops nothing', () => {
  live.start();
  wire().opens();
  const stop = live.watch('RIG-07', new Columns(['SPP']), 1000, 10);
  stop();
  expect(wire().sent.at(-1)).toEqual({ op: 'off', what: 'drill' });
  wire().onmessage?.({ data: '{not json' } as MessageEvent);
  wire().says(new ArrayBuffer(3));
  wire().says({ type: 'pong' });
  expect(troubles).toEqual(['reading', 'read a live message']);
  expect(got).toEqual([{ type: 'pong' }]);
});

test('a line that breaks a thousand times leaves nothing behind', async () => {
  live.want('fleet', true);
  live.start();
  const leave = live.watch('RIG-07', new Columns(['SPP']), 3600000, 600);
  for (let i = 0; i < 1000; i++) {
    wire().opens();
    wire().says({ type: 'hello' });
    wire().says(message(1e9 + i * 60000, [{ index: 0, t: [0], min: [1], max: [1] }], 1));
    await settle();
    wire().breaks();
    clock.pass(1000);
    expect(clock.waiting.length).toBeLessThan(40);
  }
  expect(wires.length).toBe(1001);
  expect(wires.filter((w) => w.readyState !== 3).length).toBe(1);
  clock.pass(120000);
  leave();
  clock.pass(120000);
  expect(clock.waiting.length).toBeLessThan(4);
  live.stop();
  expect(clock.waiting.length).toBe(0);
});

test('stopping closes the line and starts no other', () => {
  live.start();
  wire().opens();
  const w = wire();
  live.stop();
  expect(w.closed).toBe(true);
  clock.pass(60000);
  expect(wires.length).toBe(1);
});

test('a hole that is drawn is asked for again, ever more seldom, until a backlog has filled it', async () => {
  live.start();
  wire().opens();
  wire().says({ type: 'hello' });
  const range = (from: number, n: number) => Array.from({ length: n }, (_, i) => from + i * 1000);
  const c = new Columns(['SPP']), holes = () => c.holes(5000);
  answer = () => Promise.resolve(history([...range(1000, 20), ...range(81000, 20)]));
  live.watch('RIG-07', c, 600000, 600);
  await settle();
  expect(holes()).toEqual([[20000, 81000]]);
  answer = () => Promise.resolve(history([]));
  const passed = async (ms: number) => { for (let i = 0; i < ms; i += 1000) { wire().says({ type: 'pong' }); clock.pass(1000); await settle(); } };
  await passed(60000);
  const tries = asked.length - 1;
  expect(tries).toBeGreaterThan(3);
  expect(tries).toBeLessThan(10);
  expect(asked.at(-1)).toEqual(['RIG-07', ['SPP'], 20000, 81000, 61]);
  answer = () => Promise.resolve(history(range(21000, 60)));
  await passed(60000);
  expect(holes()).toEqual([]);
  expect(c.get('SPP')!.length).toBe(100);
  const done = asked.length;
  await passed(60000);
  expect(asked.length).toBe(done);
});
