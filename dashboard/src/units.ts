import type { Channel } from './types';
import { decimals, num } from './format';

/** A reader of one quantity in the units a person chose: SI as on the wire, or oilfield. */
export interface Gauge { unit: string; decimals: number; of(si: number): number; text(si: number | null | undefined): string }

export type System = 'SI' | 'field';

/** gauge reads channel c in the system asked for; without a channel, plain numbers. */
export function gauge(c: Channel | undefined, system: System, unit = ''): Gauge {
  const field = system === 'field' && c && c.factor && c.field && c.field !== c.unit;
  const factor = field ? c.factor : 1;
  const shift = field ? c.shift || 0 : 0;
  const u = (field ? c.field : (c?.unit ?? unit)) || '';
  const d = c ? decimals(Math.abs(c.resolution * factor)) : 2;
  const of = (si: number) => si * factor + shift;
  return { unit: u === '–' ? '' : u, decimals: Math.min(d, 2), of, text: (si) => (si == null || !Number.isFinite(si) ? num(null) : num(of(si), Math.min(d, 2))) };
}
