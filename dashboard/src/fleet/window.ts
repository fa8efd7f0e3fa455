const SPARE = 10;

/** visible says which of `count` rows, all `height` px high, are drawn: those between `top` (where the rows begin) and the end of a
    view `room` px high that is scrolled to `scroll`, with ten to spare, moved by whole steps so that not every pixel makes rows, and few are made at once. */
export function visible(count: number, height: number, top: number, scroll: number, room: number, step = 5): [number, number] {
  const first = Math.floor((scroll - top) / height / step) * step - SPARE;
  const from = Math.max(0, Math.min(first, Math.floor(Math.max(0, count - 1) / step) * step));
  return [from, Math.max(from, Math.min(count, Math.max(0, first) + Math.ceil(room / height) + 2 * SPARE + step))];
}
