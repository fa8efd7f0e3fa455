import type { GateReport, Model } from '../types';
import { count, upper } from '../format';

/** nameOf makes a model's name of its file's: "pump-rul-v7.pmml" → "pump-rul". */
export const nameOf = (file: string): string =>
  file.replace(/\.(pmml|xml)$/i, '').replace(/[-_ ]?v?\d+$/i, '').replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^-+|-+$/g, '').slice(0, 48) || 'model';

export const standing = (m: Model): string =>
  m.status === 'refused' ? 'Refused' : m.shadow || m.status === 'shadow' ? 'Beside, raises nothing' : m.active_version != null && m.status !== 'inactive' ? 'On' : 'Off';

export const isOn = (m: Model): boolean => standing(m) === 'On';

/** troubleOf says what a model fails of: how often, where, since when, and whether it is still run; '' if it does not. */
export function troubleOf(m: Model, since: string): string {
  const t = m.trouble;
  if (!t) return m.status === 'refused' && m.refused ? `The scorer does not run it: ${m.refused}.` : '';
  const rows = `${t.rows} ${t.rows === 1 ? 'row' : 'rows'} since ${since}, last on ${t.drill}`;
  return `${t.stopped ? 'It is not run any more until it is put on again' : 'Others go on without it'}. Could not score ${rows}: ${t.why}.`;
}

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

/** held says a span of hours: "40 min", "9.5 h", "4.2 d". */
export const held = (h: number): string => (h < 1 ? `${Math.round(h * 60)} min` : h < 100 ? `${h < 10 ? h.toFixed(1) : Math.round(h)} h` : `${(h / 24).toFixed(1)} d`);

export const per = (x: number): string => (x < 10 ? x.toFixed(2) : String(Math.round(x)));

/** ticksOf cuts 0 to most hours into about n round steps. */
export function ticksOf(most: number, n: number): number[] {
  const step = [0.1, 0.25, 0.5, 1, 2, 3, 6, 12, 24, 48, 72, 120, 240, 480, 960].find((s) => most / s <= n) ?? 1920;
  const out = [];
  for (let t = 0; t < most + step * 0.999; t += step) out.push(t);
  return out;
}

export const dayOf = (iso: string, offsetMin: number): string => new Date(Date.parse(iso) + offsetMin * 60000).toLocaleDateString('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });

/** changesIn says what would have been otherwise. */
export function changesIn(r: GateReport): string {
  const other = r.arms[1]?.name ?? 'what is on';
  const parts = [[r.earlier, 'earlier'], [r.later, 'later'], [r.gained, 'new'], [r.lost, 'gone']].filter(([n]) => Number(n) > 0).map(([n, w]) => `${n} ${w}`);
  return parts.length ? `Alarms against ${other}: ${parts.join(', ')}.` : `The same alarms as ${other}.`;
}

export interface Reader { kind: 'Rule' | 'Model'; name: string; of: string }

/** readersOf says who reads what a model says: rules by their title, later models by their name, each with the output. */
export function readersOf(m: Model, models: Model[], rules: { title: string; signal: string; off?: boolean }[]): Reader[] {
  const begins = `${m.name}.`, out = new Map<string, Reader>();
  const add = (r: Reader) => out.set(`${r.kind} ${r.name} ${r.of}`, r);
  for (const r of rules) if (!r.off && r.signal.startsWith(begins)) add({ kind: 'Rule', name: r.title, of: r.signal.slice(begins.length).split('__')[0] });
  for (const x of models) if (x.name !== m.name) for (const i of x.inputs ?? []) if (i.name.startsWith(begins)) add({ kind: 'Model', name: x.name, of: i.name.slice(begins.length).split('__')[0] });
  return [...out.values()];
}
