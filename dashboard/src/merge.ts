import { stamp } from './format';
import type { Alarm, Drill, FleetChange, Reason } from './types';

/** blank is a drill of which nothing is known yet. */
export function blank(id: string): Drill {
  return {
    id, field: '', contractor: '', state: 'unknown', state_since: null, depth: null, hole_depth: null, health: null, confidence: 0,
    health_change_per_day: null, health_7d: [], subsystems: [], reasons: [], time_left: null, alarms: { p1: 0, p2: 0, p3: 0, unacked: 0 },
    top_alarm: null, last_ts: null, score_tick: null, age_s: null, simulated: false,
  };
}

/** change lays what came live over what is known of a drill; what it does not say stays. */
export function change(d: Drill, c: FleetChange): Drill {
  const n: Drill = { ...d };
  if (c.field) n.field = c.field;
  if (c.contractor) n.contractor = c.contractor;
  if (c.state !== undefined) n.state = c.state;
  if (c.state_since !== undefined) n.state_since = c.state_since;
  if (c.health !== undefined) n.health = c.health;
  if (c.confidence !== undefined) n.confidence = c.confidence;
  if (c.change !== undefined) n.health_change_per_day = c.change;
  if (c.subsystems) n.subsystems = c.subsystems;
  if (c.reason !== undefined) n.reasons = reasons(d.reasons, c.reason);
  if (c.time_left !== undefined) n.time_left = c.time_left;
  if (c.depth !== undefined) n.depth = c.depth;
  if (c.last_ts !== undefined) n.last_ts = c.last_ts;
  if (c.score_tick !== undefined) n.score_tick = c.score_tick;
  if (c.top_alarm !== undefined) n.top_alarm = c.top_alarm;
  if (c.unacked !== undefined) n.alarms = { ...d.alarms, unacked: c.unacked };
  return n;
}

/** urgent says whether a change is shown at once: an alarm came, went or was answered. The others wait for the clock's next second. */
export const urgent = (d: Drill, c: FleetChange): boolean =>
  c.top_alarm !== undefined && (c.top_alarm?.id !== d.top_alarm?.id || c.top_alarm?.status !== d.top_alarm?.status || c.top_alarm?.priority !== d.top_alarm?.priority);

// The fleet's message has the first reason only, in words: the others are asked for when the drill is opened.
function reasons(known: Reason[], first: FleetChange['reason']): Reason[] {
  if (!first) return [];
  const r = typeof first === 'string' ? { text: first, subsystem: undefined } : first;
  const had = known[0];
  const next = {
    ...(had ?? { subsystem: '', code: '', text: '', points: 0, feature: '', value: null, normal: null, unit: '', model: '', since: null }),
    ...r, text: r.text ?? had?.text ?? '', subsystem: r.subsystem ?? had?.subsystem ?? '',
  } as Reason;
  return [next, ...known.slice(1)];
}

/** aside: somebody or the rig's state has set it apart; it asks nobody for an answer. */
export const aside = (a: Alarm): boolean => a.status === 'shelved' || a.status === 'suppressed' || a.status === 'out_of_service';
/** leads picks one alarm of each incident: who is still unanswered, then the most urgent, then the first. The rest follow from it. */
export function leads(alarms: Alarm[]): Map<string, Alarm[]> {
  const by = new Map<string, Alarm[]>();
  for (const a of alarms) { const k = a.incident || a.id, l = by.get(k); if (l) l.push(a); else by.set(k, [a]); }
  const out = new Map<string, Alarm[]>();
  for (const l of by.values()) {
    l.sort((x, y) => Number(unanswered(y)) - Number(unanswered(x)) || x.priority - y.priority || Date.parse(x.raised) - Date.parse(y.raised) || (x.id < y.id ? -1 : 1));
    out.set(l[0].id, l);
  }
  return out;
}
export const standing = (a: Alarm): boolean => a.status !== 'returned' && !aside(a) && !(a.cleared && a.status !== 'rtn_unack');
export const unanswered = (a: Alarm): boolean => a.status === 'unack' || a.status === 'rtn_unack';

/** stoodAt is which of a drill's alarms stood at a moment of the past, ms, as far as it was answered then; most urgent first. */
export function stoodAt(all: Alarm[], at: number): Alarm[] {
  const by = (t: string | null | undefined) => { const ms = stamp(t); return ms != null && ms <= at; };
  // History that never said when an alarm ended: the next of its rule does.
  const followed = (a: Alarm) => a.status === 'returned' && !a.cleared && all.some((b) => b !== a && b.rule === a.rule && b.drill === a.drill && by(b.raised) && Date.parse(b.raised) > Date.parse(a.raised));
  return all.filter((a) => by(a.raised) && !by(a.cleared) && !followed(a))
    .map((a) => { const acked = by(a.acked_at); return { ...a, cleared: null, status: acked ? ('ack' as const) : ('unack' as const), acked_by: acked ? a.acked_by : '' }; })
    .sort((a, b) => a.priority - b.priority || Number(a.status !== 'unack') - Number(b.status !== 'unack') || Date.parse(b.raised) - Date.parse(a.raised));
}
