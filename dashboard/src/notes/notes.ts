import * as api from '../api';
import { store } from '../store.svelte';
import { stamp } from '../format';
import type { Annotation } from '../types';
import type { Note } from '../drill/strip';

/** drawn gives annotations as the strip draws them. */
export const drawn = (list: Annotation[]): Note[] => list.map((n) => { const from = stamp(n.from) ?? 0; return { from, to: stamp(n.to) ?? from, text: n.text }; });

/** follow calls back with what is written at a drill's time between two moments (ms; now where `to` is null), now and whenever
    that changes; call it in an effect. */
export function follow(drill: string, from: number, to: number | null, then: (list: Annotation[]) => void): () => void {
  void store.annotationsVersion;
  let gone = false;
  api.annotations({ drill, from: new Date(from).toISOString(), to: to == null ? undefined : new Date(to).toISOString(), limit: 200 })
    .then((list) => { if (!gone) then(list); }, (err) => { if (!gone) store.trouble = { what: 'read what is written on the strip', err }; });
  return () => { gone = true; };
}

const two = (n: number) => String(n).padStart(2, '0');
/** local writes ms as an input of date and time takes it, on the rig's clock; ms is its other half, NaN for none. */
export function local(at: number, offset: number): string {
  const d = new Date(at + offset * 60000);
  return `${d.getUTCFullYear()}-${two(d.getUTCMonth() + 1)}-${two(d.getUTCDate())}T${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())}`;
}
export const ms = (text: string, offset: number): number => Date.parse(`${text}Z`) - offset * 60000;
