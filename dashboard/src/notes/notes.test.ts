import { expect, test, vi } from 'vitest';

vi.mock('../store.svelte', () => ({ store: {} })); // it wants a browser
const { drawn, local, ms } = await import('./notes');

test('a time goes into an input on the rig’s clock and comes back the same', () => {
  const at = Date.parse('2026-11-22T23:30:05Z');
  expect(local(at, 0)).toBe('2026-11-22T23:30:05');
  expect(local(at, 60)).toBe('2026-11-23T00:30:05');
  for (const offset of [0, 60, -210]) expect(ms(local(at, offset), offset)).toBe(at);
  expect(ms('2026-11-22T23:30', 0)).toBe(Date.parse('2026-11-22T23:30:00Z')); // browsers leave out seconds that are 0
  expect(ms('', 0)).toBeNaN();
});

test('a moment is drawn where it begins', () => {
  const n = { id: 'a', drill: 'R', text: 'x', by: 'Mara', told: null };
  expect(drawn([{ ...n, from: '2026-11-22T10:00:00.000Z', to: '2026-11-22T10:20:00.000Z' }, { ...n, from: '2026-11-22T10:00:00.000Z', to: null }]).map((d) => d.to - d.from)).toEqual([1200000, 0]);
});
