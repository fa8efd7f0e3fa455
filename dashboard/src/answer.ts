import type { Drill } from './types';
import { count, hm, stamp, stateWord, upper } from './format';

export const BANDS = [
  { key: 'act', word: 'Act', long: 'Act, under 40', from: 0 },
  { key: 'plan', word: 'Plan', long: 'Plan, 40–60', from: 40 },
  { key: 'watch', word: 'Watch', long: 'Watch, 60–80', from: 60 },
  { key: 'good', word: 'Good', long: 'Good, 80 and over', from: 80 },
  { key: 'none', word: 'No data', long: 'No data', from: NaN },
] as const;
export type Band = (typeof BANDS)[number]['key'];

/** After this many seconds (ours, not the rig's) a drill that says nothing is silent, and its health is a dash. */
export const SILENT = 60;
export const STALE = 10;

export function band(health: number | null): Band {
  if (health == null || !Number.isFinite(health)) return 'none';
  return health < 40 ? 'act' : health < 60 ? 'plan' : health < 80 ? 'watch' : 'good';
}

/** Priority of what stands open on a drill, 1 to 3; 0 for nothing. */
export function priority(d: Drill): number {
  if (d.top_alarm && !d.top_alarm.cleared) return d.top_alarm.priority;
  const n = d.alarms;
  return n?.p1 ? 1 : n?.p2 ? 2 : n?.p3 ? 3 : 0;
}

export const silent = (age: number | null): boolean => age == null || age > SILENT;

/** needs says whether a drill gets a row with its reason; the others are named below. */
export function needs(d: Drill, age: number | null): boolean {
  return silent(age) || priority(d) > 0 || d.health == null || d.health < 80;
}

/** worst first: what stands open, then health; who says nothing comes last. */
export function worstFirst(a: Drill, b: Drill, age: (d: Drill) => number | null): number {
  const rank = (d: Drill) => (silent(age(d)) && !priority(d) ? 5 : priority(d) || 4);
  return rank(a) - rank(b) || (a.health ?? 101) - (b.health ?? 101) || (a.id < b.id ? -1 : 1);
}

/** worstOf sorts many worst first, as worstFirst does two: what is compared is worked out once a drill. They come by name. */
export function worstOf(drills: Drill[], age: (d: Drill) => number | null): Drill[] {
  const key = new Float64Array(drills.length);
  drills.forEach((d, i) => { const p = priority(d); key[i] = (silent(age(d)) && !p ? 5 : p || 4) * 1000 + (d.health ?? 101); });
  return Array.from(drills.keys()).sort((a, b) => key[a] - key[b] || a - b).map((i) => drills[i]);
}

/** timeLeft is what is known of a drill's time left, h: what a model says now, else what it said when its alarm was raised less
    what passed since; null where nobody says. */
export function timeLeft(d: Drill, now: number): { low: number; median: number; high: number } | null {
  const t = d.time_left;
  if (t?.low != null) return { low: t.low, median: t.median ?? t.low, high: t.high ?? t.median ?? t.low };
  const a = d.top_alarm && !d.top_alarm.cleared ? d.top_alarm : null, raised = stamp(a?.raised);
  if (a?.time_left_h == null || raised == null) return null;
  const left = Math.max(0, a.time_left_h - (now - raised) / 3600000);
  return { low: left, median: left, high: left };
}

/** mayFail says whether the early end of what time is left comes before the crew changes. */
export function mayFail(d: Drill, now: number, crew: number | null): boolean {
  const left = timeLeft(d, now);
  return crew != null && left != null && now + left.low * 3600000 < crew;
}

export interface Answer { lead: string; rest: string }

const names = (ids: string[]): string =>
  ids.length > 3 ? `${ids.slice(0, 2).join(', ')} and ${count(ids.length - 2)} more` : ids.length > 1 ? `${ids.slice(0, -1).join(', ')} and ${ids[ids.length - 1]}` : ids[0];
const many = (n: number, one: string, more: string): string => `${upper(count(n))} ${n === 1 ? one : more}`;

/** fleetAnswer answers the shift's question, "can I drill until crew change?", by rule and from the data.
    now and crew in ms; age gives a drill's age of data in seconds. */
export function fleetAnswer(drills: Drill[], now: number, crew: number | null, age: (d: Drill) => number | null): Answer {
  if (!drills.length) return { lead: 'No drill has reported yet.', rest: 'This page fills as soon as one does.' };
  const heard = drills.filter((d) => !silent(age(d)));
  const quiet = drills.length - heard.length;
  const rest: string[] = [];
  const failing = heard.filter((d) => mayFail(d, now, crew)).sort((a, b) => (timeLeft(a, now)?.low ?? 0) - (timeLeft(b, now)?.low ?? 0));
  const fails = new Set(failing);
  const acting = heard.filter((d) => priority(d) === 1 && !fails.has(d));
  const tour = heard.filter((d) => priority(d) === 2 && !fails.has(d) && d.top_alarm?.status !== 'ack').length;
  let lead: string;
  if (!heard.length) {
    lead = drills.length === 1 ? `${drills[0].id} is silent.` : `${drills.length === 2 ? 'Both' : `All ${count(drills.length)}`} drills are silent.`;
    return { lead, rest: 'Nothing can be said until data comes: look at the gateways.' };
  }
  if (failing.length) {
    lead = `${many(failing.length, 'drill', 'drills')} may not last to crew change: ${names(failing.map((d) => d.id))}.`;
    if (acting.length) rest.push(`${names(acting.map((d) => d.id))} ${acting.length === 1 ? 'needs' : 'need'} somebody now.`);
  } else if (acting.length) {
    lead = `${many(acting.length, 'drill needs', 'drills need')} somebody now: ${names(acting.map((d) => d.id))}.`;
  } else {
    const all = heard.length === 2 ? 'Both' : `All ${count(heard.length)}`;
    lead = `${heard.length === 1 ? heard[0].id : quiet ? `${all} drills that report` : `${all} drills`} should last to crew change.`;
  }
  if (tour) rest.push(`${many(tour, failing.length || acting.length ? 'more wants' : 'wants', failing.length || acting.length ? 'more want' : 'want')} a hand this tour.`);
  if (quiet) rest.push(`${many(quiet, 'rig is', 'rigs are')} silent.`);
  if (!rest.length && !failing.length && !acting.length) rest.push('Nothing wants a hand this tour.');
  return { lead, rest: rest.join(' ') };
}

/** drillAnswer answers it for one drill. */
export function drillAnswer(d: Drill, now: number, crew: number | null, age: number | null, offset = 0, words: (ms: number) => string = () => ''): Answer {
  const a = d.top_alarm && !d.top_alarm.cleared ? d.top_alarm : null;
  if (silent(age)) {
    const last = stamp(d.last_ts);
    return { lead: `${d.id} is silent${last ? ` since ${hm(last, offset)}` : ''}.`, rest: 'Nothing below is newer than that. What it sent is kept on the rig and will follow.' };
  }
  const open = a && a.status === 'unack' ? `Nobody has answered for ${words(now - (stamp(a.raised) ?? now))}.` : a?.acked_by ? `${a.acked_by} has it.` : '';
  const what = a ? `${a.title}.` : d.reasons?.[0] ? `${d.reasons[0].text.replace(/\.$/, '')}.` : '';
  const rest = [what, open].filter(Boolean).join(' ');
  const low = timeLeft(d, now)?.low;
  if (mayFail(d, now, crew) && low != null) {
    return { lead: low <= 0.1 ? 'Do not count on crew change: it may fail now.' : `Do not count on crew change: it may fail from ${hm(now + low * 3600000, offset)}.`, rest };
  }
  if (a?.priority === 1) return { lead: 'Act now.', rest };
  if (d.health == null) return { lead: 'Its health is not known yet.', rest: rest || `${stateWord(d.state)}; the models have not said anything.` };
  if (a?.priority === 2) return { lead: 'It should last to crew change, and wants a hand this tour.', rest };
  if (d.health < 80) return { lead: 'It should last to crew change.', rest };
  return { lead: 'Nothing stands against drilling on.', rest: rest || 'No alarm is open.' };
}
