import { flushSync } from 'svelte';

/** All that the page shows changes in one animation frame: first what was heard becomes visible, then the canvases that look at
    it are drawn, in the same frame. Asked for once, however many ask; nothing is asked for while nothing changes. A page that
    nobody sees gets no frames: what was heard becomes visible by a timer there, for an alarm is to sound, and nothing is drawn. */
const shows = new Set<() => void>(), draws = new Set<() => void>();
let asked = false, running = false;

function ask(): void {
  if (asked || running) return;
  asked = true;
  if (document.hidden) setTimeout(run); else requestAnimationFrame(run);
}

function run(): void {
  if (!asked) return;
  asked = false; running = true;
  try {
    for (const f of take(shows)) f();
    flushSync(); // effects ask for drawings
    if (!document.hidden) for (const f of take(draws)) f();
  } finally {
    running = false;
    if (shows.size || (draws.size && !document.hidden)) ask();
  }
}

function take(all: Set<() => void>): (() => void)[] { const now = [...all]; all.clear(); return now; }

export const show = (f: () => void): void => { shows.add(f); ask(); };
export const paint = (f: () => void): void => { draws.add(f); if (!document.hidden) ask(); };
/** gone forgets a drawing whose canvas leaves. */
export const gone = (f: () => void): void => { draws.delete(f); };

// A frame that was asked for does not come once the page is hidden; drawings that waited meanwhile are due when it is seen again.
if (typeof document !== 'undefined') document.addEventListener('visibilitychange', () => { if (asked) setTimeout(run); else if (draws.size) ask(); });
