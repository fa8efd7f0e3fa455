/** hold keeps rows where they are while somebody points at them: rows that are gone leave, and new ones join at the
    end, but one that must be acted on now enters on top, unless the pointer's own row would move. */
export function hold(shown: string[], sorted: string[], urgent: (id: string) => boolean): string[] {
  const now = new Set(sorted), had = new Set(shown);
  const kept = shown.filter((id) => now.has(id));
  const fresh = sorted.filter((id) => !had.has(id));
  return [...fresh.filter(urgent), ...kept, ...fresh.filter((id) => !urgent(id))];
}

/** moved counts the rows that would stand elsewhere if they were sorted again. */
export function moved(shown: string[], sorted: string[]): number {
  let n = 0;
  for (let i = 0; i < sorted.length; i++) if (shown[i] !== sorted[i]) n++;
  return n;
}
