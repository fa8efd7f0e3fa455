import type { Alarm, Channel } from '../types';

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

const FUNCTION: Record<string, string> = {
  mean: 'mean', median: 'median', min: 'lowest', max: 'highest', last: '', std: 'spread', var: 'spread', range: 'range', slope: 'slope', delta: 'change', sum: 'sum', count: 'count',
  kurtosis: 'spikes', skew: 'lean', rms: 'RMS', cusum: 'summed drift', ewma: 'running mean', resid: 'against expected', resid_exp: 'against expected', z: 'against its usual',
};
const WINDOW = (w: string): string => w.replace(/^(\d+)([smhd])$/, (_, n: string, u: string) => `${n} ${{ s: 's', m: 'min', h: 'h', d: 'd' }[u] ?? u}`);

/** signalWords says what a signal is in words: "SPP__slope__30m" → "standpipe pressure, slope, 30 min". */
export function signalWords(signal: string, channels: Map<string, Channel>): string {
  if (signal.includes('.')) { const [model, output] = signal.split('.'); return `${output.replace(/_/g, ' ')} of ${model}`; }
  const [tag, ...rest] = signal.split('__');
  return [channels.get(tag)?.what ?? tag, ...rest.map((r) => (r in FUNCTION ? FUNCTION[r] : r === 'in_rotary' ? 'while drilling' : r.startsWith('in_') ? `while ${r.slice(3)}` : r.startsWith('resid') ? 'against expected' : WINDOW(r)))].filter(Boolean).join(', ');
}
