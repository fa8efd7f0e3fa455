import type { Column, Columns } from '../columns';
import type { Gauge } from '../units';
import type { Key } from '../words/en';
import { t } from '../words/words.svelte';

/** A trace of the strip: which channel, how it is called there, its fixed scale in SI, and its order in the track (1–4),
    which is its line: ink, mid-grey, ink dashed, grey dotted. lo > hi draws it from right to left. */
export interface Trace { channel: string; name: string; lo: number; hi: number; style: 1 | 2 | 3 | 4; unit?: string; decimals?: number }
export interface Track { title: string; traces: Trace[] }

/** trace has its name in the language that is spoken. */
const trace = (channel: string, lo: number, hi: number, style: Trace['style'], more: { unit?: string; decimals?: number } = {}): Trace => ({ channel, get name() { return t(`trace.${channel}` as Key); }, lo, hi, style, ...more });

export const TRACKS: Track[] = [
  { get title() { return t('track.hook'); }, traces: [
    trace('HKLD', 0, 2000, 1),
    trace('BPOS', 0, 40, 2),
  ] },
  { get title() { return t('track.weight'); }, traces: [
    trace('WOB', 0, 200, 1),
    trace('ROP', 60, 0, 2),
    trace('MSE', 0, 2000, 3, { unit: 'MPa', decimals: 0 }),
  ] },
  { get title() { return t('track.rotation'); }, traces: [
    trace('RPM', 0, 200, 1),
    trace('TQ', 0, 60, 2),
    trace('SSI', 0, 2, 3),
  ] },
  { get title() { return t('track.flow'); }, traces: [
    trace('SPP', 0, 40, 1),
    trace('FLIN', 0, 5000, 2),
    trace('FLOUT', 0, 5000, 4),
    trace('PVT', 0, 150, 3),
  ] },
];

/** The machine behind the drilling: what shakes, what turns, what gets warm, what flows. */
export const MACHINE: Track[] = [
  { get title() { return t('track.shake'); }, traces: [
    trace('VIBAX', 0, 3, 1),
    trace('VIBLAT', 0, 5, 2),
    trace('PPULS', 0, 2, 3),
  ] },
  { get title() { return t('track.topdrive'); }, traces: [
    trace('TDKW', 0, 1000, 1),
    trace('TDVEL', 0, 10, 2),
    trace('TDENV', 0, 20, 3),
  ] },
  { get title() { return t('track.warmth'); }, traces: [
    trace('TDWT', 0, 160, 1),
    trace('TDBT', 0, 120, 2),
    trace('GBOT', 0, 120, 3),
  ] },
  { get title() { return t('track.mud'); }, traces: [
    trace('MDI', 900, 1800, 1),
    trace('MDO', 900, 1800, 4),
    trace('MTO', 0, 100, 3),
  ] },
];

/** What of both is drawn: four tracks, or all eight over the whole width. */
export type Readings = 'drilling' | 'machine' | 'all';
export const tracksFor = (r: Readings): Track[] => (r === 'drilling' ? TRACKS : r === 'machine' ? MACHINE : [...TRACKS, ...MACHINE]);
/** channelsFor: what the server is asked for, drilling first: health, scales and bands are read from it. */
export const channelsFor = (r: Readings): string[] => [...CHANNELS, ...(r === 'drilling' ? [] : MACHINE.flatMap((t) => t.traces.map((x) => x.channel)))];

/** What the server is asked for: every trace but those that the page works out itself, and the bit's depth. */
export const CHANNELS = [...TRACKS.flatMap((t) => t.traces.map((x) => x.channel)).filter((c) => c !== 'MSE'), 'DBTM'];

export const SPANS = [
  { word: '10 min', ms: 600000, major: 120000, minor: 60000 },
  { word: '1 h', ms: 3600000, major: 600000, minor: 300000 },
  { word: '12 h', ms: 43200000, major: 7200000, minor: 3600000 },
  { word: '7 d', ms: 604800000, major: 86400000, minor: 43200000 },
];

/** A scale's end in the units chosen: round in SI, so as round as it comes in the other. */
export const scaleEnd = (g: Gauge, v: number): string => {
  const x = g.of(v);
  return Number.isInteger(x) || Math.abs(x) >= 100 ? Math.round(x).toLocaleString('en-US').replace('-', '−') : x.toFixed(1).replace('-', '−');
};

/** The readings whose usual value differs from hole to hole: their scale is laid around it, so that a fall of 5 % is seen. */
const AROUND: Record<string, { below: number; above: number; step: number; least: number }> = {
  SPP: { below: 0.2, above: 0.12, step: 1, least: 2 },
  PVT: { below: 0.25, above: 0.25, step: 5, least: 5 },
};

/** usual is the middle of a column's readings over the part of their way where the pumps run: its upper nine tenths. */
function usual(c: Column): number {
  const v: number[] = [];
  for (let i = c.from; i < c.to; i++) if (!Number.isNaN(c.hi[i])) v.push((c.lo[i] + c.hi[i]) / 2);
  v.sort((a, b) => a - b);
  const top = v[Math.floor(v.length * 0.98)], on = v.filter((x) => x > top * 0.3);
  return on.length > 20 ? on[on.length >> 1] : NaN;
}

/** fit lays the scales of the tracks around what this drill's hole usually gives. `kept` are the scales it had last
    time: they stay, as a crew expects, while the usual value lies well inside them. */
export function fit(columns: Columns, kept: Record<string, [number, number]>): Record<string, [number, number]> {
  const out = { ...kept };
  for (const [channel, r] of Object.entries(AROUND)) {
    const c = columns.get(channel), m = c ? usual(c) : NaN;
    if (Number.isNaN(m) || m < r.least) continue; // the pumps were off all the while: nothing usual was seen
    const had = kept[channel];
    if (had && m > had[0] + (had[1] - had[0]) * 0.3 && m < had[0] + (had[1] - had[0]) * 0.9) continue;
    out[channel] = [Math.floor((m * (1 - r.below)) / r.step) * r.step, Math.ceil((m * (1 + r.above)) / r.step) * r.step];
  }
  return out;
}

/** tracks with the scales of one drill. */
export const scaled = (s: Record<string, [number, number]>, tracks: Track[] = TRACKS): Track[] =>
  tracks.map((t) => ({ ...t, traces: t.traces.map((x) => (s[x.channel] ? { ...x, lo: s[x.channel][0], hi: s[x.channel][1] } : x)) }));
