import { band, needs, silent } from '../answer';
import type { Drill } from '../types';

/** Counts of a fleet, by what the rail filters by: one pass, for there may be ten thousand. */
export interface Census {
  needing: Drill[];
  quiet: Drill[];
  ages: Map<Drill, number | null>; // s; a time is read once, not at every comparison of a sort
  tallies: Record<'health' | 'doing' | 'field' | 'contractor', Map<string, number>>;
}

export const KINDS = ['health', 'doing', 'field', 'contractor'] as const;

/** kindOf says where a drill is counted; what is silent has no health and is in no state that we know. */
export function kindOf(d: Drill, kind: string, age: number | null): string {
  switch (kind) {
    case 'health': return silent(age) ? 'none' : band(d.health);
    case 'doing': return silent(age) ? 'unknown' : d.state || 'unknown';
    default: return kind === 'field' ? d.field : d.contractor;
  }
}

export function census(drills: Drill[], age: (d: Drill) => number | null, filter: { kind: string; value: string } | null): Census {
  const out: Census = { needing: [], quiet: [], ages: new Map(), tallies: { health: new Map(), doing: new Map(), field: new Map(), contractor: new Map() } };
  const tallies = KINDS.map((k) => out.tallies[k]);
  for (const d of drills) {
    const a = age(d);
    out.ages.set(d, a);
    for (let i = 0; i < KINDS.length; i++) { const v = kindOf(d, KINDS[i], a); tallies[i].set(v, (tallies[i].get(v) ?? 0) + 1); }
    if (filter && kindOf(d, filter.kind, a) !== filter.value) continue;
    (needs(d, a) ? out.needing : out.quiet).push(d);
  }
  return out;
}
