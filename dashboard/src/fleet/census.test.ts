import { expect, test } from 'vitest';
import { census } from './census';
import { blank } from '../merge';
import type { Drill } from '../types';

const drill = (id: string, field: string, health: number | null, state = 'rotary'): Drill => ({ ...blank(id), field, health, state });

test('a fleet is counted in one pass: who needs somebody, and what the rail filters by', () => {
  const all = [drill('A', 'North', 95), drill('B', 'North', 60), drill('C', 'South', 99, 'tripping'), drill('D', 'South', 97)];
  const age = (d: Drill) => (d.id === 'D' ? null : 1);
  const c = census(all, age, null);
  expect(c.needing.map((d) => d.id)).toEqual(['B', 'D']);
  expect(c.quiet.map((d) => d.id)).toEqual(['A', 'C']);
  expect(Object.fromEntries(c.tallies.field)).toEqual({ North: 2, South: 2 });
  expect(Object.fromEntries(c.tallies.doing)).toEqual({ rotary: 2, tripping: 1, unknown: 1 }); // what is silent is in no state that we know
  const south = census(all, age, { kind: 'field', value: 'South' });
  expect([south.needing.length, south.quiet.length]).toEqual([1, 1]);
  expect(south.tallies.field.get('North')).toBe(2); // the rail still offers the others
});
