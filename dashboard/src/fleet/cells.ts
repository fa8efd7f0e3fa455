/** A drill's place in the dense view: by field, then name, so it stays where it is whatever happens to others. */
export interface Cell { i: number; x: number; y: number } // i: index into the drills given; x, y: px of its upper left corner
export interface Block { field: string; n: number; x: number; y: number; width: number }
export interface Layout { cells: Cell[]; blocks: Block[]; height: number; step: number }

export const ROWS = 17;
const GAP = 16, HEAD = 18, BAND = 12, EDGE = 6; // EDGE: a mark is wider than its cell, and the first column's would be cut

/** lay places drills, sorted by field and name, in blocks of a field each, ROWS high, wrapped at width. */
export function lay(drills: { id: string; field: string }[], width: number, step: number): Layout {
  const order = drills.map((d, i) => ({ d, i })).sort((a, b) => (a.d.field < b.d.field ? -1 : a.d.field > b.d.field ? 1 : a.d.id < b.d.id ? -1 : 1));
  const fields = new Map<string, number[]>();
  for (const { d, i } of order) { const f = fields.get(d.field); if (f) f.push(i); else fields.set(d.field, [i]); }
  const cells: Cell[] = [], blocks: Block[] = [];
  const most = Math.max(1, Math.floor((width - EDGE) / step)); // columns that a band can hold
  let x = EDGE, y = 0;
  for (const [field, list] of fields) {
    for (let from = 0; from < list.length; ) {
      const part = list.slice(from, from + most * ROWS), columns = Math.ceil(part.length / ROWS), w = Math.max(columns * step, 64);
      if (x > EDGE && x + w > width) { x = EDGE; y += HEAD + ROWS * step + BAND; }
      blocks.push({ field: from ? '' : field, n: list.length, x: x - EDGE, y, width: w });
      part.forEach((i, k) => cells.push({ i, x: x + Math.floor(k / ROWS) * step, y: y + HEAD + (k % ROWS) * step }));
      x += w + GAP;
      from += part.length;
    }
  }
  return { cells, blocks, height: y + HEAD + ROWS * step + BAND, step };
}
