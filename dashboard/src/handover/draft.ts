import type { Alarm, Drill } from '../types';
import { standing } from '../merge';
import { stamp } from '../format';
import { t as say } from '../words/words.svelte';

/** What one drill did in a tour: health when the crew came on and now, and the alarm that says why. */
export interface Worse { d: Drill; then: number | null; now: number | null; alarm: Alarm | null }

export interface Draft {
  worse: Worse[]; // most in need first
  over: Alarm[]; // raised in this tour and gone back, newest first
  left: { at: number | null; drill: string; text: string }[]; // for the next crew
  raised: number; // alarms in this tour
  split: [number, number, number];
}

/** draft gathers a tour from `began` (ms) on. then gives a drill's health at its beginning. */
export function draft(drills: Drill[], alarms: Alarm[], began: number, then: (d: Drill) => number | null): Draft {
  const mine = alarms.filter((a) => (stamp(a.raised) ?? 0) >= began && a.origin !== 'backfill');
  const top = (d: Drill): Alarm | null => alarms.filter((a) => a.drill === d.id && standing(a) && !a.cleared).sort((x, y) => x.priority - y.priority || (stamp(x.raised) ?? 0) - (stamp(y.raised) ?? 0))[0] ?? null;
  const worse: Worse[] = [];
  for (const d of drills) {
    const t = then(d), alarm = top(d);
    if (alarm || (t != null && d.health != null && t - d.health >= 5)) worse.push({ d, then: t, now: d.health, alarm });
  }
  worse.sort((x, y) => (x.alarm?.priority ?? 4) - (y.alarm?.priority ?? 4) || (x.now ?? 101) - (y.now ?? 101) || (x.d.id < y.d.id ? -1 : 1));
  const over = mine.filter((a) => a.cleared).sort((x, y) => (stamp(y.raised) ?? 0) - (stamp(x.raised) ?? 0));
  const left = [
    ...alarms.filter((a) => a.status === 'shelved').map((a) => ({ at: stamp(a.shelved_until), drill: a.drill, text: say('hand.left.shelved', { title: a.title, reason: a.shelve_reason }) })),
    ...alarms.filter((a) => standing(a) && !a.cleared && a.status === 'ack').map((a) => ({ at: null, drill: a.drill, text: say('hand.left.has', { title: a.title, who: a.acked_by }) + (a.note ? `; ${a.note}` : '') })),
    ...alarms.filter((a) => a.status === 'rtn_unack').map((a) => ({ at: null, drill: a.drill, text: say('hand.left.back', { title: a.title }) })),
  ];
  const split = [1, 2, 3].map((p) => mine.filter((a) => a.priority === p).length) as [number, number, number];
  return { worse, over, left, raised: mine.length, split };
}
