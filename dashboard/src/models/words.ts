import type { Model } from '../types';
import { count, upper } from '../format';

/** nameOf makes a model's name of its file's: "pump-rul-v7.pmml" → "pump-rul". */
export const nameOf = (file: string): string =>
  file.replace(/\.(pmml|xml)$/i, '').replace(/[-_ ]?v?\d+$/i, '').replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^-+|-+$/g, '').slice(0, 64) || 'model';

export const standing = (m: Model): string =>
  m.status === 'refused' ? 'Refused' : m.shadow || m.status === 'shadow' ? 'Beside, raises nothing' : m.active_version != null && m.status !== 'inactive' ? 'On' : 'Off';

export const isOn = (m: Model): boolean => standing(m) === 'On';

/** modelsAnswer says in a sentence what judges the drills. */
export function modelsAnswer(all: Model[]): { lead: string; rest: string } {
  if (!all.length) return { lead: 'No model judges the drills yet.', rest: 'Drop a .pmml file anywhere on this page.' };
  const on = all.filter(isOn).length, beside = all.filter((m) => standing(m).startsWith('Beside')).length, off = all.length - on - beside, bad = all.filter((m) => m.errors > 0);
  const lead = on ? `${upper(count(on))} ${on === 1 ? 'model judges' : 'models judge'} the drills.` : 'No model judges the drills.';
  const rest = [
    beside ? `${upper(count(beside))} ${beside === 1 ? 'runs' : 'run'} beside and ${beside === 1 ? 'raises' : 'raise'} nothing.` : '', off ? `${upper(count(off))} ${off === 1 ? 'is' : 'are'} off.` : '',
    bad.length ? `${bad.map((m) => m.name).join(', ')} could not score some rows.` : '',
  ];
  return { lead, rest: rest.filter(Boolean).join(' ') };
}

export const drillsOf = (m: Model): string =>
  m.drills == null || (Array.isArray(m.drills) && !m.drills.length) ? 'all' : Array.isArray(m.drills) ? String(m.drills.length) : String(m.drills);

export const outputName = (o: Model['outputs'][number]): string => (typeof o === 'string' ? o : o.name);
