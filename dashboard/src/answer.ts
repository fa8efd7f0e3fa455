import type { Drill } from './types';
import { age as ageWords, count, counted, hm, stamp, stateWord } from './format';
import { t } from './words/words.svelte';

export const BANDS = [
  { key: 'act', get word() { return t('band.act'); }, get long() { return t('band.act.long'); }, from: 0 },
  { key: 'plan', get word() { return t('band.plan'); }, get long() { return t('band.plan.long'); }, from: 40 },
  { key: 'watch', get word() { return t('band.watch'); }, get long() { return t('band.watch.long'); }, from: 60 },
  { key: 'good', get word() { return t('band.good'); }, get long() { return t('band.good.long'); }, from: 80 },
  { key: 'none', get word() { return t('band.none'); }, get long() { return t('band.none'); }, from: NaN },
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

/** judgedAge is how old what is said of a drill is, s: its readings may come while nobody judges them. now on the rig's clock, ms. */
export function judgedAge(d: Pick<Drill, 'last_ts' | 'score_tick'>, age: (ms: number | null) => number | null): number | null {
  const data = age(stamp(d.last_ts));
  return data == null || d.score_tick == null ? data : Math.max(data, age(stamp(d.score_tick)) ?? 0);
}

/** waits says of a drill of which nothing young is known that it is not its silence: it sends, and the scorer is behind. */
function waits(d: Drill, now: number): boolean {
  const last = stamp(d.last_ts), tick = stamp(d.score_tick);
  return last != null && tick != null && last - tick > (now - tick) / 2;
}

/** needs says whether a drill gets a row with its reason; the others are named below. */
export function needs(d: Drill, age: number | null): boolean {
  return silent(age) || priority(d) > 0 || d.health == null || d.health < 80;
}

/** urgency orders drills, the least first: what stands open, of priority p, then health; who says nothing comes last. */
export const urgency = (d: Drill, p: number, mute: boolean): number => (mute && !p ? 5 : p || 4) * 1000 + (d.health ?? 101);

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
  ids.length > 3 ? t('answer.names.more', { some: ids.slice(0, 2).join(', '), n: count(ids.length - 2) }) : ids.length > 1 ? t('answer.names.last', { some: ids.slice(0, -1).join(', '), last: ids[ids.length - 1] }) : ids[0];

/** Standing is what a fleet's answer rests on; first is the name of the first that is heard, else of the first; old is the age of the youngest that is said of any, s. */
export interface Standing { total: number; first: string; heard: number; unscored: number; failing: Drill[]; acting: Drill[]; tour: number; old: number | null } // failing: soonest first

/** fleetAnswer answers the shift's question, "can I drill until crew change?", by rule and from the data.
    now and crew in ms; age gives a drill's age of data in seconds. */
export function fleetAnswer(drills: Drill[], now: number, crew: number | null, age: (d: Drill) => number | null): Answer {
  const heard = drills.filter((d) => !silent(age(d))), failing = heard.filter((d) => mayFail(d, now, crew)).sort((a, b) => (timeLeft(a, now)?.low ?? 0) - (timeLeft(b, now)?.low ?? 0)), fails = new Set(failing);
  return sentence({
    total: drills.length, first: (heard[0] ?? drills[0])?.id ?? '', heard: heard.length, failing,
    unscored: drills.filter((d) => silent(age(d)) && waits(d, now)).length,
    acting: heard.filter((d) => priority(d) === 1 && !fails.has(d)),
    tour: heard.filter((d) => priority(d) === 2 && !fails.has(d) && d.top_alarm?.status !== 'ack').length,
    old: heard.length ? Math.min(...heard.map((d) => age(d)!)) : null,
  });
}

/** sentence says it, where the drills were counted already. */
export function sentence({ total, first, heard, unscored, failing, acting, tour, old }: Standing): Answer {
  if (!total) return { lead: t('answer.none'), rest: t('answer.none.rest') };
  const quiet = total - heard - unscored, rest: string[] = [];
  let lead: string;
  if (!heard && unscored === total) return { lead: t('answer.unscored.all'), rest: t('answer.unscored.rest') };
  if (!heard) {
    lead = t('answer.silent.all', { ...counted(total), name: first });
    return { lead, rest: t('answer.silent.rest') };
  }
  if (failing.length) {
    lead = t('answer.failing', { ...counted(failing.length), names: names(failing.map((d) => d.id)) });
    if (acting.length) rest.push(t('answer.acting.also', { n: acting.length, names: names(acting.map((d) => d.id)) }));
  } else if (acting.length) {
    lead = t('answer.acting', { ...counted(acting.length), names: names(acting.map((d) => d.id)) });
  } else {
    lead = heard === 1 ? t('answer.last.one', { name: first }) : heard === 2 ? t(quiet + unscored ? 'answer.last.two.report' : 'answer.last.two') : t(quiet + unscored ? 'answer.last.report' : 'answer.last', counted(heard));
  }
  if (old != null && old > STALE) rest.unshift(t('answer.old', { time: ageWords(old) }));
  if (tour) rest.push(t(failing.length || acting.length ? 'answer.tour.more' : 'answer.tour', counted(tour)));
  if (quiet) rest.push(t('answer.quiet', counted(quiet)));
  if (unscored) rest.push(t('answer.unscored', counted(unscored)));
  if (!rest.length && !failing.length && !acting.length) rest.push(t('answer.nothing'));
  return { lead, rest: rest.join(' ') };
}

/** drillAnswer answers it for one drill. */
export function drillAnswer(d: Drill, now: number, crew: number | null, age: number | null, offset = 0, words: (ms: number) => string = () => ''): Answer {
  const a = d.top_alarm && !d.top_alarm.cleared ? d.top_alarm : null;
  if (silent(age)) {
    const last = stamp(d.last_ts);
    return { lead: last ? t('drill.silent.since', { id: d.id, time: hm(last, offset) }) : t('drill.silent', { id: d.id }), rest: t('drill.silent.rest') };
  }
  const open = a && a.status === 'unack' ? t('drill.unanswered', { time: words(now - (stamp(a.raised) ?? now)) }) : a?.acked_by ? t('drill.has', { who: a.acked_by }) : '';
  const what = a ? `${a.title}.` : d.reasons?.[0] ? `${d.reasons[0].text.replace(/\.$/, '')}.` : '';
  const rest = [age! > STALE ? t('answer.old', { time: ageWords(age) }) : '', what, open].filter(Boolean).join(' ');
  const low = timeLeft(d, now)?.low;
  if (mayFail(d, now, crew) && low != null) {
    return { lead: low <= 0.1 ? t('drill.mayfail.now') : t('drill.mayfail', { time: hm(now + low * 3600000, offset) }), rest };
  }
  if (a?.priority === 1) return { lead: t('drill.act'), rest };
  if (d.health == null) return { lead: t('drill.unjudged'), rest: rest || t('drill.unjudged.rest', { state: stateWord(d.state) }) };
  if (a?.priority === 2) return { lead: t('drill.hand'), rest };
  if (d.health < 80) return { lead: t('drill.last'), rest };
  return { lead: t('drill.on'), rest: rest || t('drill.noalarm') };
}
