/** The grammar of the names of fields, scoring/feature/grammar.ebnf: its golden table is read by feature.test.ts too. */

export const FUNCTIONS = ['last', 'lag', 'count', 'sum', 'mean', 'std', 'min', 'max', 'range', 'median', 'q', 'slope', 'ewma', 'delta', 'rate', 'rms', 'kurtosis', 'skew', 'crest', 'peak', 'p2p', 'distinct', 'band', 'centroid', 'env', 'order'] as const;
export const STATES = ['rotary', 'sliding', 'reaming', 'connection', 'tripping', 'circulating', 'idle'] as const;

export type Name =
  | { kind: 'field'; channel: string }
  | { kind: 'output'; model: string; word: string }
  | { kind: 'since'; unit: string; word: string }
  /** window in seconds, p a percentile, order of the shaft or a part's number that says it, low and high in Hz, z against the drill's own baseline, gate a rig state or '' */
  | { kind: 'feature'; channel: string; fn: string; p: number; order: string; low: number; high: number; window: number; z: boolean; gate: string };

const CHANNEL = /^(?=.{1,24}$)[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*$/;
const WORD = /^[A-Za-z][A-Za-z0-9_]{0,99}$/;
const MODEL = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
const SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86400 };
const has = (list: readonly string[], s: string): boolean => list.includes(s);

/** parse reads a name; null if it is none. */
export function parse(name: string): Name | null {
  if (name.length > 200) return null;
  if (!name.includes('__')) {
    const dot = name.indexOf('.'), model = name.slice(0, dot), word = name.slice(dot + 1);
    if (dot >= 0) return MODEL.test(model) && WORD.test(word) ? { kind: 'output', model, word } : null;
    return CHANNEL.test(name) ? { kind: 'field', channel: name } : null;
  }
  const [first, fn, ...rest] = name.split('__');
  if (fn === 'since' && /^(seconds|minutes|hours|days)$/.test(first)) {
    const word = rest.length === 1 && rest[0].startsWith('event_') ? rest[0].slice(6) : '';
    return WORD.test(word) ? { kind: 'since', unit: first, word } : null;
  }
  if (!CHANNEL.test(first) || !has(FUNCTIONS, fn)) return null;
  let p = 0, z = false, gate = '';
  if (fn === 'q') {
    const m = /^p_(\d+(?:_\d+)?)$/.exec(rest.shift() ?? '');
    p = m ? Number(m[1].replace('_', '.')) : 101;
    if (p > 100) return null;
  }
  let order = '', low = 0, high = 0;
  if (fn === 'order' || fn === 'env') {
    const s = rest.shift() ?? '';
    order = s.startsWith('o_') ? s.slice(2) : '';
    const v = /^\d+(_\d+)?$/.test(order) ? Number(order.replace('_', '.')) : WORD.test(order) ? 1 : 0;
    if (!(v > 0 && v <= 1000)) return null;
  }
  if (fn === 'band' || fn === 'env') {
    const m = /^f_(0|[1-9]\d*)_([1-9]\d*)$/.exec(rest.shift() ?? '');
    if (!m) return null;
    low = Number(m[1]); high = Number(m[2]);
    if (low >= high || high > 1e6) return null;
  }
  const w = /^([1-9]\d*)([smhd])$/.exec(rest.shift() ?? '');
  const window = w ? Number(w[1]) * SECONDS[w[2]] : 0;
  if (!window || window > 30 * 86400 || (window > 600 && window % 60) || (window > 86400 && window % 3600)) return null;
  if (rest[0] === 'z') { z = true; rest.shift(); }
  if (rest[0]?.startsWith('in_')) {
    gate = rest.shift()!.slice(3);
    if (!has(STATES, gate)) return null;
  }
  if (rest.length || (has(['median', 'q', 'distinct'], fn) && window > 600) || (fn === 'ewma' && window > 30 * 86400 / 8)) return null;
  return { kind: 'feature', channel: first, fn, p, order, low, high, window, z, gate };
}

/** span says how long a window is: 90 → "90 s", 5400 → "90 min". */
export const span = (seconds: number): string =>
  seconds > 86400 && seconds % 86400 === 0 ? `${seconds / 86400} d` : seconds >= 3600 && seconds % 3600 === 0 ? `${seconds / 3600} h` : seconds > 60 && seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`;

const WORDS: Record<string, string> = {
  last: 'last value', lag: 'value before', count: 'number of readings', sum: 'sum', mean: 'mean', std: 'spread', min: 'lowest', max: 'highest', range: 'range', median: 'median', slope: 'slope', ewma: 'running mean',
  delta: 'change', rate: 'rate of change', rms: 'RMS', kurtosis: 'spikes', skew: 'lean', crest: 'crest factor', peak: 'largest', p2p: 'peak to peak', distinct: 'different values',
  centroid: 'mean frequency', band: 'vibration', env: 'envelope line', order: 'amplitude',
};

/** words says a name as people do: "WOB__mean__60s" → "mean of weight on bit over 60 s"; '' if it is no feature. what names a channel. */
export function words(name: string, what: (channel: string) => string): string {
  const n = parse(name);
  if (n?.kind === 'since') return `${n.unit} since ${n.word.replace(/_/g, ' ')}`;
  if (n?.kind !== 'feature') return '';
  const times = /^\d/.test(n.order) ? `${n.order.replace('_', '.')} × the shaft` : n.order.replace(/_/g, ' '), band = `${n.low} to ${n.high} Hz`;
  const with_: Record<string, string> = { band: ` from ${band}`, order: ` at ${times}`, env: ` at ${times}, ${band}` };
  const fn = n.fn === 'q' ? `${n.p} % quantile` : WORDS[n.fn] + (with_[n.fn] ?? '');
  return `${fn} of ${what(n.channel)} over ${span(n.window)}${n.z ? ', against its usual' : ''}${n.gate ? `, while ${n.gate === 'rotary' ? 'drilling' : n.gate}` : ''}`;
}
