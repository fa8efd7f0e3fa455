// Single keys, as a screen names them. "g f" is two in a row. Nothing happens while somebody types or a dialog is open.

export type Keys = Record<string, () => void>;

const stack: Keys[] = [];
let first = '';
let firstAt = 0;

/** keys adds a screen's keys until the function returned is called; the newest answers first. */
export function keys(k: Keys): () => void {
  stack.push(k);
  return () => { const i = stack.indexOf(k); if (i >= 0) stack.splice(i, 1); };
}

/** press finds what a key does. e carries what of a KeyboardEvent matters. */
export function press(e: { key: string; ctrlKey: boolean; metaKey: boolean; altKey: boolean; target: unknown; timeStamp: number }, held: boolean): (() => void) | null {
  if (held || e.ctrlKey || e.metaKey || e.altKey || typing(e.target)) return null;
  const two = first && e.timeStamp - firstAt < 1200 ? `${first} ${e.key}` : '';
  first = '';
  for (let i = stack.length - 1; i >= 0; i--) {
    const f = (two && stack[i][two]) || (!two && stack[i][e.key]);
    if (f) return f;
  }
  if (e.key === 'g') { first = 'g'; firstAt = e.timeStamp; }
  return null;
}

function typing(t: unknown): boolean {
  const el = t as { tagName?: string; type?: string; isContentEditable?: boolean } | null;
  if (!el?.tagName) return false;
  return el.isContentEditable === true || el.tagName === 'TEXTAREA' || el.tagName === 'SELECT' || (el.tagName === 'INPUT' && el.type !== 'checkbox' && el.type !== 'radio');
}
