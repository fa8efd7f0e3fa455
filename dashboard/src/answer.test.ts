import { expect, test } from 'vitest';
import { drillAnswer, fleetAnswer, judgedAge, mayFail, needs, priority, silent, timeLeft, urgency } from './answer';
import { blank } from './merge';
import type { Alarm, Drill } from './types';
import { span } from './format';

const now = Date.parse('2026-11-22T02:12:44Z'), crew = Date.parse('2026-11-22T05:00:00Z');
const alarm = (priority: number, more: Partial<Alarm> = {}): Alarm => ({
  id: 'x', drill: 'RIG-07', rule: 'r', priority, subsystem: 'hydraulics', title: 'Wash-out in the drill string', reason: 'Pressure is low', advice: '', signal: 'SPP', unit: 'MPa', value: 1, limit: 2, rig_state: 'rotary',
  raised: '2026-11-22T02:04:44Z', cleared: null, status: 'unack', acked_by: '', acked_at: null, shelved_until: null, shelve_reason: '', note: '', disposition: '', time_left_h: null, model: '', model_sha256: '', origin: 'live', simulated: true, rule_version: 1, amended: false, incident: 'x', process: 'unack', suppressed_at: null, out_at: null, returns: 0, runs: [], ...more,
});
const drill = (id: string, more: Partial<Drill> = {}): Drill => ({ ...blank(id), health: 92, state: 'rotary', last_ts: '2026-11-22T02:12:43Z', ...more });
const fresh = () => 0.4;
const f = (drills: Drill[], lead: string, rest: string, age: (d: Drill) => number | null = fresh) => expect(fleetAnswer(drills, now, crew, age)).toEqual({ lead, rest });
const good = [drill('RIG-01'), drill('RIG-02')];

test('who sends and is not judged is not called silent, and nothing is said of it', () => {
  const tick = (s: number) => new Date(now - s * 1000).toISOString(), age = (ms: number | null) => (ms == null ? null : (now - ms) / 1000);
  const f = (last: number, scored: number, want: number | null) => expect(judgedAge({ last_ts: tick(last), score_tick: tick(scored) }, age)).toBe(want);
  f(1, 25, 25); f(1, 300, 300); f(400, 401, 401); f(12, 3, 12);
  expect(judgedAge({ last_ts: null, score_tick: null }, age)).toBe(null);
  const left = drill('RIG-04', { last_ts: tick(1), score_tick: tick(300) }), mute = drill('RIG-05', { last_ts: tick(600), score_tick: tick(601) }), well = drill('RIG-06', { last_ts: tick(1), score_tick: tick(1) });
  const of = (list: Drill[]) => fleetAnswer(list, now, crew, (d) => judgedAge(d, age));
  expect(of([left])).toEqual({ lead: 'Nothing is judged.', rest: 'Readings come, but the scorer does not answer: health, state and time left are of before.' });
  expect(of([left, mute, well]).rest).toBe('One rig is silent. One rig is not judged.');
});

test('the sentence of the night: one may not last, two want a hand, one is silent', () => {
  f([drill('RIG-07', { health: 31, top_alarm: alarm(1), time_left: { low: 2.4, median: 3.6, high: 5.1 } }), drill('RIG-22', { top_alarm: alarm(2), time_left: { low: 44, median: 68, high: 98 } }), drill('RIG-15', { top_alarm: alarm(2) }),
    drill('RIG-31', { top_alarm: alarm(2, { status: 'ack', acked_by: 'K. Nygård' }) }), drill('RIG-19'), ...good],
  'One drill may not last to crew change: RIG-07.', 'Two more want a hand this tour. One rig is silent.', (d) => (d.id === 'RIG-19' ? 2460 : 0.4));
});

test('nothing wrong says so, and says of whom', () => {
  f(good, 'Both drills should last to crew change.', 'Nothing wants a hand this tour.');
  f([drill('RIG-01')], 'RIG-01 should last to crew change.', 'Nothing wants a hand this tour.');
  f([...good, drill('RIG-03')], 'Both drills that report should last to crew change.', 'One rig is silent.', (d) => (d.id === 'RIG-03' ? null : 1));
});

test('several are named, many are counted, soonest first', () => {
  const at = (id: string, low: number) => drill(id, { time_left: { low, median: 3, high: 9 } });
  f([at('RIG-05', 2), at('RIG-06', 1)], 'Two drills may not last to crew change: RIG-06 and RIG-05.', '');
  f([at('A', 0.1), at('B', 0.2), at('C', 0.3), at('D', 0.4)], 'Four drills may not last to crew change: A, B and two more.', '');
});

test('an alarm to act on now comes before those that wait', () => {
  f([drill('RIG-07', { top_alarm: alarm(1) }), ...good], 'One drill needs somebody now: RIG-07.', '');
  f([drill('RIG-07', { top_alarm: alarm(1, { cleared: '2026-11-22T02:10:00Z' }) }), ...good], 'All three drills should last to crew change.', 'Nothing wants a hand this tour.');
});

test('without data nothing is claimed', () => {
  f([], 'No drill has reported yet.', 'This page fills as soon as one does.');
  f(good, 'Both drills are silent.', 'Nothing can be said until data comes: look at the gateways.', () => null);
  f([drill('RIG-07', { top_alarm: alarm(1), time_left: { low: 1, median: 2, high: 3 } }), ...good], 'Both drills that report should last to crew change.', 'One rig is silent.', (d) => (d.id === 'RIG-07' ? 600 : 1));
});

test('a drill that may fail before the crew changes is one whose early end is sooner', () => {
  const g = (low: number | null, want: boolean) => expect(mayFail(drill('A', { time_left: low == null ? null : { low, median: low, high: low } }), now, crew)).toBe(want);
  g(2.7, true); g(2.9, false); g(null, false);
  expect(mayFail(drill('A', { time_left: { low: 1, median: 1, high: 1 } }), now, null)).toBe(false);
});

test('who needs somebody gets a row, worst first, and the silent come last', () => {
  const p1 = drill('C', { top_alarm: alarm(1), health: 31 }), p2 = drill('B', { top_alarm: alarm(2), health: 20 }), low = drill('A', { health: 70 }), mute = drill('D', { health: 10 });
  const age = (d: Drill) => (d.id === 'D' ? 900 : 1);
  const first = (d: Drill) => urgency(d, priority(d), silent(age(d)));
  expect([low, mute, p2, p1].sort((a, b) => first(a) - first(b)).map((d) => d.id)).toEqual(['C', 'B', 'A', 'D']);
  expect([p1, low, mute, drill('E'), drill('F', { health: null })].map((d) => needs(d, age(d)))).toEqual([true, true, true, false, true]);
});

test('of one drill it says from when, what, and who has it', () => {
  const d = drill('RIG-07', { health: 31, top_alarm: alarm(1), time_left: { low: 2.4, median: 3.6, high: 5.1 } });
  expect(drillAnswer(d, now, crew, 0.4, 60, span)).toEqual({ lead: 'Do not count on crew change: it may fail from 05:36.', rest: 'Wash-out in the drill string. Nobody has answered for 8 min.' });
  expect(drillAnswer({ ...d, time_left: null, top_alarm: alarm(1, { status: 'ack', acked_by: 'T. Lund' }) }, now, crew, 0.4, 0, span)).toEqual({ lead: 'Act now.', rest: 'Wash-out in the drill string. T. Lund has it.' });
  expect(drillAnswer(drill('A'), now, crew, 0.4).lead).toBe('Nothing stands against drilling on.');
  expect(drillAnswer(drill('A', { health: null }), now, crew, 0.4).lead).toBe('Its health is not known yet.');
  expect(drillAnswer(d, now, crew, 600).lead).toBe('RIG-07 is silent since 02:12.');
});

test('where no model speaks any more, what it said when it raised the alarm runs down', () => {
  const d = drill('RIG-07', { top_alarm: alarm(1, { raised: '2026-11-22T01:12:44Z', time_left_h: 5.2 }) });
  expect(timeLeft(d, now)!.low).toBeCloseTo(4.2, 6);
  expect(timeLeft(d, now + 6 * 3600000)!.low).toBe(0);
  expect(timeLeft(drill('RIG-01'), now)).toBeNull();
  expect(timeLeft({ ...d, time_left: { low: 1, median: null, high: 3 } }, now)).toEqual({ low: 1, median: 1, high: 3 });
});
