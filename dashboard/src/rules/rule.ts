// A rule as it is edited, and what is said of it. Its keys are those of the rule file.
export interface Step { limit: number; priority: number }
export interface Rule {
  id: string; kind: 'limit' | 'rate' | 'model'; off?: boolean; title: string; subsystem: string; priority: number; drills?: string[];
  signal: string; op: string; limit: number; hysteresis?: number; unit?: string; on_delay?: string; off_delay?: string; n?: number; m?: number;
  states?: string[]; settle?: string; drop?: boolean; hold?: boolean; again?: string; escalate?: Step[]; reason: string; advice: string;
  [other: string]: unknown;
}

export const STATES = ['rotary', 'sliding', 'reaming', 'circulating', 'connection', 'tripping', 'idle', 'unknown'] as const; // of telemetry.States
export const OPS = ['>', '>=', '<', '<='] as const;

/** same says whether two rules are the same, in whatever order their keys stand and with what is empty left out. */
export function same(a: Rule | undefined, b: Rule | undefined): boolean {
  return !!a && !!b && text(a) === text(b);
}
const empty = (v: unknown) => v === undefined || v === '' || v === 0 || v === false || v === '0s' || (Array.isArray(v) && v.length === 0);
const text = (r: Rule) => JSON.stringify(Object.keys(r).sort().filter((k) => k === 'limit' || !empty(r[k])).map((k) => [k, r[k]]));

/** changed names the rules that are not as they are in force. */
export function changed(draft: Rule[], force: Rule[]): string[] {
  const was = new Map(force.map((r) => [r.id, r])), is = new Map(draft.map((r) => [r.id, r]));
  return [...new Set([...draft.filter((r) => !same(r, was.get(r.id))).map((r) => r.id), ...force.filter((r) => !is.has(r.id)).map((r) => r.id)])];
}

/** said is a rule in a line: its condition, with what keeps it quiet. */
export function said(r: Rule): string {
  const parts = [`${r.signal} ${r.op} ${r.limit}${r.unit && r.unit !== '–' ? ' ' + r.unit : ''}`];
  if (r.on_delay && r.on_delay !== '0s') parts.push(`for ${short(r.on_delay)}`);
  if (r.m) parts.push(`${r.n ?? 1} of ${r.m}`);
  if (r.states?.length) parts.push(`in ${r.states.join(', ').replaceAll('_', ' ')}`);
  return parts.join(', ');
}

/** short leaves the zeros out of a duration: 1m30s, 6h. */
export const short = (d: string): string => d.replace(/^0h/, '').replace(/(?<=[hm])0m(?=0s|$)/, '').replace(/(?<=[hm])0s$/, '') || '0s';

/** steps are written as «12 → 1, 48 → 2». */
export const stepsText = (s: Step[] | undefined): string => (s ?? []).map((x) => `${x.limit} → ${x.priority}`).join(', ');
export function stepsOf(t: string): Step[] | null {
  const parts = t.split(',').map((x) => x.trim()).filter(Boolean), out: Step[] = [];
  for (const p of parts) {
    const m = /^(-?[0-9.]+)\s*(?:→|->|:)\s*([123])$/.exec(p);
    if (!m || !Number.isFinite(Number(m[1]))) return null;
    out.push({ limit: Number(m[1]), priority: Number(m[2]) });
  }
  return out;
}
