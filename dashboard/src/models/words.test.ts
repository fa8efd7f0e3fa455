import { expect, test } from 'vitest';
import { readersOf, troubleOf } from './words';
import type { Model } from '../types';

test('a model that fails is named with its reason, how often and since when', () => {
  const m = (x: Partial<Model>): Model => ({ name: 'bearing', status: 'active', ...x }) as Model;
  const trouble = { version: 1, shadow: false, rows: 120, why: 'model bearing@1: failed inside: index out of range [7]', drill: 'RIG-07', since: '2026-11-22T11:59:00.000Z', last: '2026-11-22T12:00:00.000Z', stopped: false };
  expect(troubleOf(m({}), '')).toBe('');
  expect(troubleOf(m({ trouble }), '11:59')).toBe('Others go on without it. Could not score 120 rows since 11:59, last on RIG-07: model bearing@1: failed inside: index out of range [7].');
  expect(troubleOf(m({ trouble: { ...trouble, rows: 1, stopped: true } }), '11:59')).toContain('not run any more until it is put on again. Could not score 1 row since');
  expect(troubleOf(m({ status: 'refused', refused: 'waits for the models that give x.y' }), '')).toBe('The scorer does not run it: waits for the models that give x.y.');
});

test('what reads a model is known before it is taken off: rules in force by title, later models by name', () => {
  const m = (name: string, ...inputs: string[]): Model => ({ name, inputs: inputs.map((i) => ({ name: i, unit: '', known: true })) }) as Model;
  const all = [m('washout', 'SPP'), m('hazard', 'washout.probability__mean__5m', 'washout.probability', 'washout_2.excess')];
  const rules = [{ title: 'Wash-out', signal: 'washout.probability' }, { title: 'Put aside', signal: 'washout.excess', off: true }, { title: 'Other', signal: 'washout_2.excess' }];
  expect(readersOf(all[0], all, rules)).toEqual([{ kind: 'Rule', name: 'Wash-out', of: 'probability' }, { kind: 'Model', name: 'hazard', of: 'probability' }]);
  expect(readersOf(all[1], all, rules)).toEqual([]);
});
