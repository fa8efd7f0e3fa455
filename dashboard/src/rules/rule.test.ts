import { describe, expect, it } from 'vitest';
import { changed, said, same, short, stepsOf, stepsText, type Rule } from './rule';

const rule = (more: Partial<Rule> = {}): Rule => ({ id: 'hot', kind: 'limit', title: 'Hot', subsystem: 'topdrive', priority: 2, signal: 'TDBT', op: '>', limit: 100, reason: 'r', advice: 'a', ...more });

describe('a rule that is edited', () => {
  it('is the same whatever the order of its keys, and with what is empty left out', () => {
    expect(same(rule({ hysteresis: 0, states: [], on_delay: '0s' }), rule())).toBe(true);
    expect(same({ ...rule(), limit: 0 }, rule())).toBe(false);
    expect(same(undefined, rule())).toBe(false);
  });
  it('is named where it differs, is new or is gone', () => {
    expect(changed([rule(), rule({ id: 'new' })], [rule({ limit: 99 }), rule({ id: 'gone' })])).toEqual(['hot', 'new', 'gone']);
    expect(changed([rule()], [rule()])).toEqual([]);
  });
  it('is said in a line', () => {
    expect(said(rule({ unit: '°C', on_delay: '3m0s', n: 3, m: 5, states: ['rotary', 'connection'] }))).toBe('TDBT > 100 °C, for 3m, 3 of 5, in rotary, connection');
    expect(['1m30s', '6h0m0s', '45m0s', '10s', '1h30m0s'].map(short)).toEqual(['1m30s', '6h', '45m', '10s', '1h30m']);
  });
  it('has steps that are written and read', () => {
    expect(stepsText(stepsOf('12 -> 1, 48:2')!)).toBe('12 → 1, 48 → 2');
    expect(stepsOf('12 → 4')).toBeNull();
    expect(stepsOf('')).toEqual([]);
  });
});
