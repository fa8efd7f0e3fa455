import type { Alarm } from '../types';

/** steps of an advice, one a line, as they are numbered on the page. */
export const steps = (advice: string): string[] => advice.split(/\n+|(?<=[.!])\s+(?=(?:If|Driller|Toolpusher|Derrickhand|Mechanic|Electrician|Then|Before|Plan)\b)/).map((s) => s.trim()).filter(Boolean);

/** split takes the part of a step that says who and when: "Now, driller. Pick up …" → ["Now, driller.", "Pick up …"]. */
export function who(step: string): [string, string] {
  const m = /^([^.:]{2,60}[:.])\s+(.+)$/s.exec(step);
  return m ? [m[1], m[2]] : ['', step];
}

/** channelOf is the reading that an alarm's signal is made of: "SPP__resid_exp__60s" → "SPP"; "" for a model's output. */
export const channelOf = (signal: string): string => (signal.includes('.') ? '' : signal.split('__')[0]);

/** onChannel says whether the limit of a is a limit of the reading itself, not of something worked out from it. */
export const onChannel = (signal: string): boolean => !signal.includes('.') && /^[^_]+(?:_[^_]+)*?(?:__(?:mean|median|min|max|last|p\d+)__\w+)?$/.test(signal);

/** edge is the band that a left: [low, high], one of them null. */
export function edge(a: Alarm): [number | null, number | null] {
  if (!onChannel(a.signal) || a.value == null || a.limit == null) return [null, null];
  return a.value >= a.limit ? [null, a.limit] : [a.limit, null];
}
