import { expect, test } from 'vitest';
import { changes, merged } from './three';

const rule = (id: string, more: object = {}) => ({ id, title: id, limit: 1, ...more });
const base = [rule('a'), rule('b'), rule('c'), rule('d')];

test('what the other changed is listed by rule and key, with what stands here where both changed it', () => {
  const theirs = [rule('a', { limit: 2 }), rule('b', { title: 'B' }), rule('d'), rule('e')], mine = [rule('a', { limit: 0 }), rule('b', { limit: 9 }), rule('c', { hysteresis: 0 }), rule('d')];
  expect(changes(base, mine, theirs)).toEqual([
    { at: 'a, limit', was: 1, is: 2, mine: 0, both: true }, { at: 'b, title', was: 'b', is: 'B', mine: 'b', both: false },
    { at: 'c', was: rule('c'), is: undefined, mine: rule('c', { hysteresis: 0 }), both: false }, { at: 'e', was: undefined, is: rule('e'), mine: undefined, both: false },
  ]);
  expect(changes(base, mine, structuredClone(base))).toEqual([]);
});

test('both together keep what only one changed, and mine where both did', () => {
  const theirs = [rule('b', { title: 'B' }), rule('a', { limit: 2 }), rule('d', { limit: 7 }), rule('e')], mine = [rule('a', { limit: 0 }), rule('b', { limit: 9 }), rule('c'), rule('f')];
  expect(merged(base, mine, theirs)).toEqual([rule('b', { title: 'B', limit: 9 }), rule('a', { limit: 0 }), rule('e'), rule('f')]); // c taken away there, d here
});

test('lists without ids and plain values are one value each', () => {
  const was = { hosts: ['x'], smtp: { host: '', port: 0 }, rules: [] as object[] };
  const theirs = { hosts: ['x', 'y'], smtp: { host: 'mail', port: 0 }, rules: [{ id: 'r' }] }, mine = { hosts: ['z'], smtp: { host: '', port: 25 }, rules: [] };
  expect(changes(was, mine, theirs).map((c) => [c.at, c.both])).toEqual([['hosts', true], ['smtp, host', false], ['rules, r', false]]);
  expect(merged(was, mine, theirs)).toEqual({ hosts: ['z'], smtp: { host: 'mail', port: 25 }, rules: [{ id: 'r' }] });
  expect(merged({ P1: { channel: 'SPP' } }, { P1: { channel: 'SPP' }, P2: { channel: 'WOB' } }, {})).toEqual({ P2: { channel: 'WOB' } });
});
