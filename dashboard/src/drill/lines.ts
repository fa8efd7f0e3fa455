import { num } from '../format';
import type { Key } from '../words/en';
import { t } from '../words/words.svelte';
import type { DefectLine, Waveform } from '../types';

/** Lines of a spectrum at which something of the machine would show, in the order of the table: `key` is 1 for the first. */
export interface Family { key: number; name: string; what: string; part: string; hz: number; order: number; amplitude: number | null; height: number | null }
/** A place on the axis that has a name: the n-th harmonic of a family, or side lines to it, `side` shafts away. */
export interface Spot { hz: number; family: Family; n: number; side: number }

const ORDER = ['bpfo', 'bpfi', 'bsf', 'ftf', 'mesh', 'shaft'];
const HARMONICS = 8, SIDES = 2;

/** families puts what the server named in the order of the table: defects first, the shaft last. */
export function families(lines: DefectLine[]): Family[] {
  return lines.filter((l) => (l.hz ?? 0) > 0)
    .sort((a, b) => ORDER.indexOf(a.name) - ORDER.indexOf(b.name) || a.hz! - b.hz!)
    .map((l, i) => ({ key: i + 1, name: l.name, what: ORDER.includes(l.name) ? t(`line.${l.name}` as Key) : l.what, part: l.part, hz: l.hz!, order: l.order ?? NaN, amplitude: l.amplitude, height: l.height }));
}

/** spots of a family up to a frequency: its harmonics, and beside those of a mesh or an inner race, which the shaft carries
    round, the side lines. */
export function spots(f: Family, shaft: number, top: number): Spot[] {
  const out: Spot[] = [];
  for (let n = 1; n <= HARMONICS && n * f.hz <= top; n++) {
    out.push({ hz: n * f.hz, family: f, n, side: 0 });
    if ((f.name !== 'mesh' && f.name !== 'bpfi') || !(shaft > 0)) continue;
    for (let s = 1; s <= SIDES; s++) for (const side of [-s, s]) {
      const hz = n * f.hz + side * shaft;
      if (hz > 0 && hz <= top) out.push({ hz, family: f, n, side });
    }
  }
  return out;
}

/** nearest spot to a frequency within reach, Hz; a harmonic before a side line as far away. */
export function nearest(all: Spot[], hz: number, reach: number): Spot | null {
  let best: Spot | null = null, far = Infinity;
  for (const s of all) {
    const d = Math.abs(s.hz - hz) + (s.side ? 1e-6 : 0) + s.n * 1e-9;
    if (d < far && d <= reach + 1e-5) { best = s; far = d; }
  }
  return best;
}

/** spotWords names a place: "outer race × 3", "mesh − 1 shaft". */
export function spotWords(s: Spot): string {
  const name = (ORDER.includes(s.family.name) ? t(`line.short.${s.family.name}` as Key) : s.family.name) + (s.n > 1 ? ` × ${s.n}` : '');
  return s.side ? `${name} ${s.side < 0 ? '−' : '+'} ${Math.abs(s.side) === 1 ? t('line.side') : t('line.sides', { n: Math.abs(s.side) })}` : name;
}

/** merged names families that lie on top of each other: within a line of the transform, or ½ %. */
export function merged(all: Family[], step: number): [Family, Family, number][] {
  const out: [Family, Family, number][] = [];
  for (const a of all) for (const b of all) for (let n = 1; n <= 2; n++) {
    if (a !== b && (n > 1 || a.key < b.key) && Math.abs(a.hz - n * b.hz) <= Math.max(step, 0.005 * a.hz)) out.push([a, b, n]);
  }
  return out;
}

/** says is one sentence on an envelope's lines beside those of when the part was new: what stands out, and how often more. */
export function says(now: Family[], then: Family[]): string {
  const out = now.filter((f) => f.name !== 'shaft' && (f.height ?? 0) >= CLEAR)
    .map((f) => ({ f, was: then.find((x) => x.name === f.name && x.part === f.part)?.height ?? null }))
    .sort((a, b) => b.f.height! - a.f.height!);
  if (!now.some((f) => f.name !== 'shaft')) return '';
  if (!out.length) return t('line.none');
  const text = (v: number) => num(v, v < 10 ? 1 : 0);
  return out.map(({ f, was }) => {
    const said = { what: f.what.split(',')[0], n: text(f.height!), was: was == null ? '' : text(was) };
    return was == null ? t('line.stands', said) : t(was >= CLEAR / 2 && f.height! < 1.5 * was ? 'line.same' : 'line.more', said);
  }).join(' ');
}
const CLEAR = 6; // times the median around it: normal_high of TDENV, the same number made at the rig

/** wave of an address, "TDACC@2026-11-26T19:27:00.000Z", and back. */
export const waveKey = (w: Waveform): string => `${w.channel}@${w.at}`;
export const waveOf = (list: Waveform[], key: string | undefined): Waveform | undefined => (key ? list.find((w) => waveKey(w) === key) : undefined);

/** ticks of an axis: about n round steps up to top. */
export function steps(top: number, n: number): number[] {
  if (!(top > 0)) return [];
  const raw = top / n, e = 10 ** Math.floor(Math.log10(raw)), step = [1, 2, 2.5, 5, 10].map((k) => k * e).find((k) => k >= raw * 0.999) ?? 10 * e;
  return Array.from({ length: Math.floor(top / step + 1e-9) + 1 }, (_, i) => Number((i * step).toPrecision(12)));
}
