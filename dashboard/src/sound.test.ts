import { expect, test } from 'vitest';
import { AGAIN, Chime } from './sound';
import type { Alarm } from './types';

const a = (id: string, priority: number, status = 'unack') => ({ id, priority, status }) as unknown as Alarm;

test('◆ sounds as it comes and again until somebody has answered; nothing else does', () => {
  const c = new Chime();
  expect(c.due([a('b', 2), a('c', 3)], 0)).toBe(false);
  expect(c.due([a('a', 1), a('b', 2)], 1000)).toBe(true);
  expect(c.due([a('a', 1)], 2000)).toBe(false);
  expect(c.due([a('a', 1)], 1000 + AGAIN)).toBe(true);
  expect(c.due([a('a', 1), a('d', 1)], 2000 + AGAIN)).toBe(true); // another
  expect(c.due([a('a', 1, 'ack'), a('d', 1, 'ack')], 9 * AGAIN)).toBe(false);
  expect(c.due([a('a', 1)], 9 * AGAIN + 1)).toBe(true); // it came back
});
