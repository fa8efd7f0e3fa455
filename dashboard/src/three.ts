// Two people change what is written whole: what the other changed, what of it was changed here too, and both together.
// Lists whose items have an id are told apart by it; other lists are one value.

export interface Change { at: string; was: unknown; is: unknown; mine: unknown; both: boolean }

type Obj = Record<string, unknown>;
const isObj = (v: unknown): v is Obj => typeof v === 'object' && v !== null && !Array.isArray(v);
const isKeyed = (v: unknown): v is (Obj & { id: string })[] => Array.isArray(v) && v.every((x) => isObj(x) && typeof x.id === 'string');
const byId = (v: unknown): Obj => Object.fromEntries((isKeyed(v) ? v : []).map((x) => [x.id, x]));
// What is left out and what is empty are one; a limit of 0 is a limit.
const empty = (k: string, v: unknown) => k !== 'limit' && (v == null || v === '' || v === 0 || v === false || v === '0s' || (Array.isArray(v) && v.length === 0));
const text = (v: unknown): string => JSON.stringify(v, (_, x: unknown) => (isObj(x) ? Object.fromEntries(Object.entries(x).filter(([k, y]) => !empty(k, y)).sort(([a], [b]) => (a < b ? -1 : 1))) : x)) ?? '';
export const same = (a: unknown, b: unknown): boolean => (empty('', a) && empty('', b)) || text(a) === text(b);

/** changes lists what theirs has otherwise than base, and of each what stands in mine. */
export function changes(base: unknown, mine: unknown, theirs: unknown, at = ''): Change[] {
  if (same(base, theirs)) return [];
  const into = (b: Obj, m: Obj, t: Obj) => [...new Set([...Object.keys(b), ...Object.keys(t)])].flatMap((k) => changes(b[k], m[k], t[k], at ? `${at}, ${k}` : k));
  if (isObj(base) && isObj(theirs)) return into(base, isObj(mine) ? mine : {}, theirs);
  if (isKeyed(base ?? []) && isKeyed(theirs ?? []) && [base, theirs].some((v) => Array.isArray(v) && v.length)) return into(byId(base), byId(mine), byId(theirs));
  return [{ at, was: base, is: theirs, mine, both: !same(mine, base) && !same(mine, theirs) }];
}

/** merged is theirs with what was changed here on top; where both changed one thing, mine stands. */
export function merged(base: unknown, mine: unknown, theirs: unknown): unknown {
  if (same(mine, base)) return theirs;
  if (same(theirs, base) || same(mine, theirs)) return mine;
  if (isObj(mine) && isObj(theirs)) {
    const out: Obj = {};
    for (const k of new Set([...Object.keys(theirs), ...Object.keys(mine)])) {
      const v = merged(isObj(base) ? base[k] : undefined, mine[k], theirs[k]);
      if (v !== undefined) out[k] = v;
    }
    return out;
  }
  if (isKeyed(mine) && isKeyed(theirs)) {
    const b = byId(base), m = byId(mine), t = byId(theirs);
    return [...new Set([...theirs, ...mine].map((x) => x.id))].map((id) => merged(b[id], m[id], t[id])).filter((x) => x !== undefined);
  }
  return mine;
}
