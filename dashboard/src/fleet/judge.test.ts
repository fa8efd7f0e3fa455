import { expect, test } from 'vitest';
import { fleetAnswer, judgedAge, needs, priority, sentence, silent, urgency } from '../answer';
import { blank } from '../merge';
import type { Alarm, Drill } from '../types';
import { Judge, kindOf, KINDS } from './judge';

const drill = (id: string, field: string, health: number | null, more: Partial<Drill> = {}): Drill => ({ ...blank(id), field, health, state: 'rotary', ...more });
const T0 = Date.parse('2026-11-22T02:12:44Z'), at = (ms: number) => new Date(ms).toISOString();

test('a fleet is counted: who needs somebody, and what the rail filters by', () => {
  const j = new Judge(), young = { last_ts: at(T0 - 1000) };
  const all = [drill('A', 'North', 95, young), drill('B', 'North', 60, young), drill('C', 'South', 99, { ...young, state: 'tripping' }), drill('D', 'South', 97)];
  const v = j.judge(all, T0, null);
  expect([v.needing, v.quiet]).toEqual([['B', 'D'], ['A', 'C']]);
  expect(Object.fromEntries(v.tallies.field)).toEqual({ North: 2, South: 2 });
  expect(Object.fromEntries(v.tallies.doing)).toEqual({ rotary: 2, tripping: 1, unknown: 1 }); // what is silent is in no state that we know
  expect(j.within(v.needing, { kind: 'field', value: 'South' })).toEqual(['D']);
  expect(v.tallies.field.get('North')).toBe(2); // the rail still offers the others
  expect(j.judge(all, T0 + 1000, null).needing).toBe(v.needing); // nothing moved
});

test('however drills change, come and fall silent, what was mended is what a fleet judged anew would be', () => {
  let seed = 11;
  const next = (n: number) => { seed = (seed * 1103515245 + 12345) % 2147483648; return seed % n; };
  const alarm = (now: number) => ({ id: 'x', priority: 1 + next(3), status: next(2) ? 'ack' : 'unack', cleared: next(4) ? null : at(now), raised: at(now - next(5) * 1800000), time_left_h: next(2) ? next(60) / 10 : null }) as Alarm;
  for (const rate of [1, 60]) {
    const j = new Judge();
    let all: Drill[] = [], now = T0;
    for (let step = 0; step < 60; step++) {
      now += next(9) ? 1000 * rate : 20000 * rate;
      const crew = step < 30 ? T0 + 10800000 : null;
      if (step % 15 === 0) all = [...all, ...Array.from({ length: 25 }, (_, i) => drill(`RIG-${step}-${String(i).padStart(2, '0')}`, `F${next(3)}`, 90))];
      all = all.map((d) => (next(3) ? d : {
        ...d, health: next(8) ? next(101) : null, state: ['rotary', 'sliding', ''][next(3)], last_ts: next(9) ? at(now - next(70) * 1000 * rate) : null, score_tick: next(3) ? at(now - next(90) * 1000 * rate) : null,
        top_alarm: next(3) ? null : alarm(now), time_left: next(3) ? null : { low: next(50) / 10, median: null, high: null }, contractor: next(2) ? 'bench' : '',
      }));
      const v = j.judge(all, now, crew, rate), age = (d: Drill) => judgedAge(d, (ms) => (ms == null ? null : Math.max(0, (now - ms) / 1000 / rate)));
      expect(v.needing).toEqual(all.filter((d) => needs(d, age(d))).sort((a, b) => urgency(a, priority(a), silent(age(a))) - urgency(b, priority(b), silent(age(b)))).map((d) => d.id));
      expect(v.quiet).toEqual(all.filter((d) => !needs(d, age(d))).map((d) => d.id));
      expect(sentence(v.standing)).toEqual(fleetAnswer(all, now, crew, age));
      expect(all.map((d) => j.age(d))).toEqual(all.map(age));
      for (const k of KINDS) {
        const counts: Record<string, number> = {};
        for (const d of all) { const is = kindOf(d, k, silent(age(d))); if (is) counts[is] = (counts[is] ?? 0) + 1; }
        expect(Object.fromEntries([...v.tallies[k]].filter(([, n]) => n)), `${k} at ${step}`).toEqual(counts);
      }
    }
  }
});
