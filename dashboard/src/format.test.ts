import { expect, test } from 'vitest';
import { age, bytes, decimals, left, num, perDay, short, span, stamp, when, unbroken } from './format';

test('figures have commas, a minus that is one, and a dash for what is not known', () => {
  const f = (v: number | null, d: number, want: string) => expect(num(v, d)).toBe(want);
  f(3412.6, 1, '3,412.6');
  f(1234567, 0, '1,234,567');
  f(999, 0, '999');
  f(-6.1, 1, '−6.1');
  f(-0.001, 2, '0.00');
  f(0, 0, '0');
  f(null, 1, '—');
  f(NaN, 1, '—');
  f(Infinity, 1, '—');
});

test('a value whose resolution nobody told has three figures', () => {
  const f = (v: number | null, want: string) => expect(short(v)).toBe(want);
  f(410, '410'); f(41.25, '41.3'); f(2.8, '2.8'); f(0.9, '0.9'); f(10, '10'); f(100, '100'); f(-6, '−6'); f(0.0214, '0.021'); f(null, '—'); f(1e-9, '1.00e−9');
});

test('an age is as exact as it matters', () => {
  const f = (s: number | null, want: string) => expect(age(s)).toBe(want);
  f(0.42, '0.4 s'); f(9.96, '10 s'); f(14.2, '14 s'); f(59.6, '1 min'); f(41 * 60, '41 min'); f(3 * 3600 + 300, '3 h 05'); f(67 * 3600, '2 d 19 h'); f(-3, '0.0 s'); f(null, '—');
  expect(span(59.7 * 60000)).toBe('1 h 00');
});

test('time left is said in the unit a person would say it in', () => {
  const f = (low: number | null, high: number | null, want: string) => expect(left(low, high)).toBe(want);
  f(2.4, 5.1, '2½–5 h'); f(44, 98, '2–4 d'); f(140, 250, '6–10 d'); f(8, 15, '8–15 h'); f(0.3, 0.9, '18–54 min'); f(0.01, 0.1, 'now'); f(430, 800, 'over 18 d'); f(900, 1000, 'over 30 d');
  f(20, 60, '20 h–3 d'); f(null, null, '—'); f(3, null, '3 h'); f(0.4, 3, '½–3 h');
});

test('a change of less than half a point a day is none', () => {
  expect([perDay(-19.4), perDay(0.3), perDay(2), perDay(null)]).toEqual(['−19 a day', '', '+2 a day', '']);
});

test('resolution gives the decimals', () => {
  expect([1, 0.5, 0.05, 0.005, 5, 20, 0, undefined].map(decimals)).toEqual([0, 1, 2, 3, 0, 0, 2, 2]);
});

test('a moment is a time today and a day before', () => {
  const now = Date.parse('2026-11-22T02:12:44Z');
  expect(when('2026-11-22T02:04:40Z', now)).toBe('02:04:40');
  expect(when('2026-11-22T02:04:40Z', now, 60)).toBe('03:04:40');
  expect(when('2026-11-21T22:51:00Z', now)).toBe('21 Nov 22:51');
  expect(when(null, now)).toBe('—');
});

test('times come as text, milliseconds or nanoseconds', () => {
  const ms = Date.parse('2026-11-22T02:12:44Z');
  expect(stamp('2026-11-22T02:12:44.000Z')).toBe(ms);
  expect(stamp(ms)).toBe(ms);
  expect(stamp(String(ms * 1e6))).toBe(ms);
  expect([stamp(''), stamp(null), stamp('soon'), stamp('0001-01-01T00:00:00Z')]).toEqual([null, null, null, null]);
});

test('sizes', () => expect([bytes(64), bytes(3100), bytes(31200), bytes(3.14e6)]).toEqual(['64 B', '3.1 kB', '31 kB', '3.1 MB']));

test('a number and its unit stay on one line', () => {
  expect(unbroken('Motor winding 147 °C, 8 °C over; 20 strokes in 5 min at 26.2 MPa, 9 minutes')).toBe('Motor winding 147\u00a0°C, 8\u00a0°C over; 20 strokes in 5\u00a0min at 26.2\u00a0MPa, 9 minutes');
});
