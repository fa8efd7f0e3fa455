import type { Ledger, LedgerRow } from '../types';
import { counted, num } from '../format';
import { t } from './say';

const STAGES = ['sent', 'accepted', 'stored', 'scored', 'readable'] as const;
export type Stage = (typeof STAGES)[number];
export const stageWord = (s: Stage): string => t(`stage.${s}`);

/** sum adds a stage up; null where some device's number is not known. */
export function sum(rows: LedgerRow[], stage: Stage): number | null {
  let n = 0;
  for (const r of rows) { const v = r[stage]; if (v == null) return null; n += v; }
  return n;
}

/** sumKnown adds what is known of a stage. */
export const sumKnown = (rows: LedgerRow[], stage: Stage): number => rows.reduce((n, r) => n + (r[stage] ?? 0), 0);

/** behind says how many accepted frames of a row are not yet in the store; those on their way are no loss. */
export const behind = (r: LedgerRow): number => Math.max(0, (r.accepted ?? 0) - (r.stored ?? 0));

/** gone counts the frames of a row that a stage has named as lost; what is on its way is not. */
export const gone = (r: LedgerRow): number => (r.gaps ?? []).reduce((n, g) => n + (g.pending ? 0 : (g.count ?? 1)), 0);

/** share says how much of what a row sent is there or on its way: "99.76 %"; it is 100 only where nothing is gone. */
export function share(r: LedgerRow): string {
  if (!r.sent) return '—';
  const lost = gone(r);
  return lost ? `${Math.min(99.99, Math.max(0, (100 * (r.sent - lost)) / r.sent)).toFixed(2)} %` : '100 %';
}

/** lostFrames counts accepted frames that a stage after it has named as a gap. */
export function lostFrames(l: Ledger): number {
  let n = 0;
  for (const r of l.rows) for (const g of r.gaps ?? []) if (!g.pending && g.stage !== 'accepted' && g.stage !== 'sent') n += g.count ?? 1;
  return n;
}

/** ledgerAnswer says whether anything that was accepted is missing, and what never came. */
export function ledgerAnswer(l: Ledger | null): { lead: string; rest: string } {
  if (!l) return { lead: t('ledger.reading'), rest: '' };
  if (!l.rows?.length) return { lead: t('ledger.none'), rest: t('ledger.none.rest') };
  const lost = lostFrames(l), gaps = l.rows.flatMap((r) => r.gaps ?? []).filter((g) => !g.pending && (g.stage === 'accepted' || g.stage === 'sent')), way = l.rows.reduce((n, r) => n + behind(r), 0);
  const lead = lost ? t('ledger.lost', { n: lost, shown: num(lost) }) : t('ledger.whole');
  const rest = [gaps.length ? t('ledger.gaps', counted(gaps.length)) : t('ledger.came'), way && !lost ? t('ledger.way', { n: way, shown: num(way) }) : ''];
  return { lead, rest: rest.filter(Boolean).join(' ') };
}
