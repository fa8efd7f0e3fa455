import type { Alarm } from '../types';
import { stamp } from '../format';

/** Our own rate beside what EEMUA 191 and ISA-18.2 ask for. Shares are 0 to 1; null where there is nothing to share. */
export interface Performance {
  bins: number[]; // alarms raised in each 10 minutes of the last 24 h, oldest first; 144 of them
  perTen: number; inDay: number; standing: number; topTen: number | null; chatter: number | null; split: [number, number, number] | null;
  peak: { n: number; at: number } | null;
  worst: { drill: string; title: string; times: number; right: number; judged: number }[]; // of seven days
}

const TEN = 600000, DAY = 86400000;

/** perform counts alarms as they stand at `now` (ms); simulated history counts as it came. */
export function perform(alarms: Alarm[], now: number): Performance {
  const bins = new Array<number>(144).fill(0), sorted = alarms.map((a) => ({ a, at: stamp(a.raised) ?? 0 })).filter((x) => x.at && x.at <= now + TEN).sort((x, y) => x.at - y.at);
  const day = sorted.filter((x) => now - x.at < DAY);
  for (const x of day) bins[Math.max(0, Math.min(143, 143 - Math.floor((now - x.at) / TEN)))]++;
  const standing = sorted.filter((x) => !x.a.cleared && x.a.status !== 'returned' && now - x.at > DAY).length;
  const kinds = new Map<string, { drill: string; title: string; times: number; right: number; judged: number }>();
  const cleared = new Map<string, number>();
  let again = 0;
  for (const { a, at } of sorted) {
    const key = `${a.drill}\n${a.rule}`, before = cleared.get(key);
    if (now - at < DAY && before != null && at - before < 3 * TEN) again++;
    const over = stamp(a.cleared);
    if (over != null) cleared.set(key, over);
    if (now - at > 7 * DAY) continue;
    const k = kinds.get(key) ?? { drill: a.drill, title: a.title, times: 0, right: 0, judged: 0 };
    k.times++;
    if (a.disposition === 'right' || a.disposition === 'wrong') k.judged++;
    if (a.disposition === 'right') k.right++;
    kinds.set(key, k);
  }
  const worst = [...kinds.values()].sort((x, y) => y.times - x.times), week = worst.reduce((s, k) => s + k.times, 0);
  const p = [1, 2, 3].map((n) => day.filter((x) => x.a.priority === n).length) as [number, number, number];
  const most = Math.max(...bins), at = bins.lastIndexOf(most);
  return {
    bins, perTen: day.length / 144, inDay: day.length, standing, topTen: week && kinds.size > 10 ? worst.slice(0, 10).reduce((s, k) => s + k.times, 0) / week : null,
    chatter: day.length ? again / day.length : null, split: day.length ? (p.map((n) => n / day.length) as [number, number, number]) : null,
    peak: most > 0 ? { n: most, at: now - (143 - at) * TEN } : null, worst: worst.slice(0, 6),
  };
}
