import { t } from './words/words.svelte';
import type { Key } from './words/en';

// Words and figures as screens write them. Unknown is a dash; minus is a minus; thousands have commas.

export const DASH = '—';

/** num writes v with d decimals, "−1,234.5"; a dash where it is null or no number. */
export function num(v: number | null | undefined, d = 0): string {
  if (v == null || !Number.isFinite(v)) return DASH;
  const s = Math.abs(v).toFixed(d), sign = v < 0 && Number(s) !== 0 ? '−' : '', whole = d ? s.length - d - 1 : s.length;
  return sign + (whole > 3 ? s.slice(0, whole).replace(/\B(?=(\d{3})+$)/g, ',') + s.slice(whole) : s);
}

/** short writes v with as many decimals as three figures want, for values whose resolution nobody told. */
export function short(v: number | null | undefined): string {
  if (v == null || !Number.isFinite(v)) return DASH;
  const a = Math.abs(v);
  if (a !== 0 && (a >= 1e7 || a < 1e-3)) return v.toExponential(2).replace(/-/g, '−').replace('e+', ' e');
  return num(v, a >= 100 ? 0 : a >= 10 ? 1 : a >= 1 ? 2 : 3).replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '');
}

/** decimals that a resolution asks for: 0.05 → 2, 5 → 0; 2 where it is not known. */
export function decimals(resolution: number | undefined): number {
  if (!resolution || resolution <= 0) return 2;
  return Math.max(0, Math.min(4, Math.ceil(-Math.log10(resolution) - 1e-9)));
}

/** age writes seconds as an age: "0.4 s", "12 s", "41 min", "3 h 05", "2 d 19 h". */
export function age(s: number | null | undefined): string {
  if (s == null || !Number.isFinite(s)) return DASH;
  if (s < 0) s = 0;
  if (s < 9.95) return s.toFixed(1) + ' s';
  if (s < 59.5) return Math.round(s) + ' s';
  return span(s * 1000);
}

/** span writes a length of time in ms: "22 s", "41 min", "3 h 05", "2 d 19 h". */
export function span(ms: number | null | undefined): string {
  if (ms == null || !Number.isFinite(ms)) return DASH;
  const s = Math.max(0, ms / 1000);
  if (s < 59.5) return Math.round(s) + ' s';
  const m = Math.round(s / 60);
  if (m < 60) return m + ' min';
  const h = Math.floor(m / 60);
  if (h < 48) return `${h} h ${two(m % 60)}`;
  return `${Math.floor(h / 24)} d ${h % 24} h`;
}

const half = (v: number): string => {
  const r = Math.round(v * 2) / 2;
  const whole = Math.floor(r);
  return r === whole ? String(whole) : (whole || '') + '½';
};

/** left writes the early and late end of what time is left, hours: "2½–5 h", "2–4 d", "over 30 d"; a dash for unknown. */
export function left(low: number | null | undefined, high: number | null | undefined): string {
  if (low == null || !Number.isFinite(low)) return DASH;
  if (high == null || !Number.isFinite(high)) high = low;
  if (low >= 720) return t('left.over', { time: '30 d' });
  if (high < 0.25) return t('left.now');
  const range = (a: string, b: string, unit: string) => (a === b ? `${a} ${unit}` : `${a}–${b} ${unit}`);
  if (high < 2) return range(String(Math.round(low * 60)), String(Math.round(high * 60)), 'min');
  if (high < 48) return range(high < 10 ? half(low) : String(Math.round(low)), high < 10 ? half(high) : String(Math.round(high)), 'h');
  if (high >= 720) return t('left.over', { time: low < 48 ? Math.round(low) + ' h' : Math.round(low / 24) + ' d' });
  if (low < 24) return `${Math.round(low)} h–${Math.round(high / 24)} d`;
  return range(String(Math.round(low / 24)), String(Math.round(high / 24)), 'd');
}

/** perDay writes a change of health: "−19 a day"; nothing where it is flat or unknown. */
export function perDay(v: number | null | undefined): string {
  if (v == null || !Number.isFinite(v) || Math.abs(v) < 0.5) return '';
  return t('perday', { change: `${v > 0 ? '+' : ''}${num(v)}` });
}

const two = (n: number) => String(n).padStart(2, '0');

/** hms and hm write the time of day of ms since the epoch, moved by the rig's offset from UTC in minutes. */
export function hms(ms: number, offset = 0): string {
  const d = new Date(ms + offset * 60000);
  return `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())}`;
}
export const hm = (ms: number, offset = 0): string => hms(ms, offset).slice(0, 5);

/** day writes "22 Nov". */
export function day(ms: number, offset = 0): string {
  const d = new Date(ms + offset * 60000);
  return `${d.getUTCDate()} ${t('months').split(',')[d.getUTCMonth()]}`;
}

/** when writes a moment as seen from now: "03:04:40" today, "21 Nov 22:51" before; a dash for null. */
export function when(at: string | number | null | undefined, now: number, offset = 0): string {
  const ms = stamp(at);
  if (ms == null) return DASH;
  return day(ms, offset) === day(now, offset) && Math.abs(now - ms) < 86400000 ? hms(ms, offset) : `${day(ms, offset)} ${hm(ms, offset)}`;
}

/** stamp reads an RFC 3339 time, or a number or string of ms or ns, as ms since the epoch; null where there is none. */
export function stamp(at: string | number | null | undefined): number | null {
  if (at == null || at === '') return null;
  if (typeof at === 'number' || /^\d+$/.test(at)) {
    const n = Number(at);
    return n > 1e16 ? n / 1e6 : n;
  }
  const ms = Date.parse(at);
  return Number.isFinite(ms) && ms > 0 ? ms : null;
}

/** count writes small numbers as words. */
export const count = (n: number): string => t('numbers').split(',')[n] ?? num(n);
export const upper = (s: string): string => s.charAt(0).toUpperCase() + s.slice(1);

/** counted gives a message a number, in words with a capital and without: {n}, {Count}, {count}. */
export const counted = (n: number): { n: number; Count: string; count: string } => ({ n, Count: upper(count(n)), count: count(n) });

/** bytes writes a size: "3.1 MB". */
export function bytes(n: number): string {
  if (!Number.isFinite(n)) return DASH;
  if (n < 1000) return `${n} B`;
  return n < 1e6 ? `${num(n / 1e3, n < 1e4 ? 1 : 0)} kB` : `${num(n / 1e6, n < 1e7 ? 1 : 0)} MB`;
}

const STATES = ['rotary', 'sliding', 'reaming', 'circulating', 'connection', 'tripping', 'idle', 'unknown'];
export const stateWord = (s: string | null | undefined): string => (!s || STATES.includes(s) ? t(`state.${s || 'unknown'}` as Key) : upper(s));

const SUBSYSTEMS = ['hydraulics', 'pumps', 'bit', 'topdrive', 'hoisting', 'instruments'];
export const subsystemWord = (s: string | null | undefined): string => (s ? (SUBSYSTEMS.includes(s) ? t(`sub.${s}` as Key) : upper(s)) : '');

export const priorityWord = (p: number): string => (p >= 1 && p <= 3 ? t(`priority.${p as 1 | 2 | 3}`) : '');

/** unbroken keeps a number and its unit on one line. */
export const unbroken = (s: string): string => s.replace(/(\d) (?=(?:°C|%|MPa|kN·m|kN|L\/min|rpm|min|mm|h|s|d|m|g)(?![\wµ]))/g, '$1\u00a0');
