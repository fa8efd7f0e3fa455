import type { Alarm, Channel } from '../types';
import { subsystemWord } from '../format';
import { words } from './feature';

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

/** readingOf finds the reading that a reason begins with: "Standpipe pressure 26.2 MPa, should be …" is about SPP. */
export function readingOf(text: string, traces: Iterable<string>, channels: Map<string, Channel>): string {
  const t = text.toLowerCase();
  for (const tag of traces) { const what = channels.get(tag)?.what.toLowerCase(); if (what && t.startsWith(what)) return tag; }
  return '';
}
/** A reading may be so far from what is expected, as a part of it, and is normal still. */
export const NORMAL_PART = 0.03;

const UNIT: Record<string, string> = { h: 'h', c: '°C', pct: '%', mm: 'mm', mpa: 'MPa', kn: 'kN', lpm: 'L/min', m: 'm', s: 's' };
const OUTPUT: Record<string, string> = {
  left: 'time left', time_left: 'time left, middle', time_left_low: 'time left, early end', time_left_high: 'time left, late end', probability: 'how likely', excess: 'over what is expected',
  deficit: 'under what is expected', hole: 'size of the hole', expected: 'expected',
};

/** outputWords says what a model's output is and its unit: "washout.deficit_pct" → ["under what is expected", "%"]. */
export function outputWords(name: string): [string, string] {
  const [model, output = ''] = name.includes('.') ? name.split('.') : ['', name];
  if (/^probability/.test(output)) return [`how likely, ${model.replace(/_/g, ' ')}`, '%'];
  const health = /^(health|normal)_(.+)$/.exec(output);
  if (health) return health[1] === 'health' ? [`health of the ${subsystemWord(health[2]).toLowerCase()}`, ''] : [`what it should be, ${subsystemWord(health[2]).toLowerCase()}`, ''];
  const m = /^(.*)_([a-z]+)$/.exec(output), unit = m ? UNIT[m[2]] : undefined, stem = unit ? m![1] : output;
  return [OUTPUT[stem] ?? stem.replace(/_/g, ' '), unit ?? ''];
}

/** shown turns a value of a signal into what people read: a probability is so many in a hundred. */
export const shown = (signal: string, v: number | null): number | null => (v != null && /\.probability/.test(signal) ? v * 100 : v);

/** signalWords says what a signal is in words: "SPP__slope__30m" → "slope of standpipe pressure over 30 min". */
export function signalWords(signal: string, channels: Map<string, Channel>): string {
  if (signal.includes('.')) return outputWords(signal)[0];
  const what = (tag: string): string => channels.get(tag)?.what ?? tag;
  return words(signal, what) || what(signal);
}
