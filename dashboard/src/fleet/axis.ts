// Time left is a place: one log axis for all rows, 1 h to 30 d, and crew change is a line across it.

export const WIDTH = 292;
const TEXT = 70; // px at the right for the words
export const TICKS: [number, string][] = [[1, '1 h'], [6, '6 h'], [24, '1 d'], [72, '3 d'], [168, '7 d'], [720, '30 d']];

/** place of so many hours on the axis, px; what is nearer than 1 h stands at its left end. */
export function place(hours: number): number {
  const h = Math.min(720, Math.max(1, hours));
  return (Math.log(h) / Math.log(720)) * (WIDTH - TEXT) + 2;
}
