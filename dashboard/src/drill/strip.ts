import type { Column, Columns } from '../columns';
import type { AlarmStatus } from '../types';
import type { Track, Trace } from './scales';
import { day, hm, stateWord } from '../format';
import { t as say } from '../words/words.svelte';

/* The strip: time runs down, the newest line is the bottom line. Everything is drawn from columns, once a frame. */

export interface Tick { t: number; p: number; status: AlarmStatus; line: boolean }
/** What a person wrote at a moment, or a stretch where `to` is later. */
export interface Note { from: number; to: number; text: string }
/** A band at a moment: its lower and upper edge, SI; null where it has none, or none is known then. */
export type Edge = (t: number) => [number | null, number | null];
/** Where a trace left its band: drawn in the alarm's colour from then on, with the way to the band's edge washed. */
export interface Breach { channel: string; p: number; from: number; until: number; edge: Edge }
export interface Band { channel: string; edge: Edge }

/** around makes the edge of a column of expected values: so large a part of it to either side. */
export const around = (expected: Column, part: number, reach: number): Edge => (t) => {
  const v = expected.value(t, reach);
  return Number.isNaN(v) ? [null, null] : [v * (1 - part), v * (1 + part)];
};

export interface Picture {
  width: number; height: number; ratio: number; t0: number; t1: number; offset: number; rate: number;
  gutter: number; gap: number; timeX: number; stateX: number; tracks: Track[]; columns: Columns; extra: Map<string, Column>;
  states: Column | null; stateNames: string[]; ticks: Tick[]; breaches: Breach[]; bands: Band[]; cursor: number | null; major: number; minor: number;
  notes?: Note[];
  ghost?: Columns; // what the traces are compared with: drawn faint where it differs
  label?: (t: number) => string; // of a line, where it is no time of day
}

export interface Palette { [name: string]: string }
const NAMES = ['--field', '--ground', '--band', '--track', '--rule-2', '--ink', '--ink-2', '--hatch', '--t1', '--t2', '--t3', '--t4', '--p1', '--p2', '--p3', '--p1-wash', '--p2-wash', '--p3-wash'];

/** palette reads the colours of the day or the night once, not at every draw. */
export function palette(): Palette {
  const s = getComputedStyle(document.documentElement);
  return Object.fromEntries(NAMES.map((n) => [n, s.getPropertyValue(n).trim()]));
}

const DASH: number[][] = [[], [], [], [5, 3], [1.5, 2.5]];
const GHOST = [2, 2.5];
const FONT = '11px "Plex Cond"';
/** States in which no model judges: the strip says so instead of calling an absence of flow a fault. */
const UNJUDGED = new Set(['connection', 'tripping', 'idle']);
const FILLED = new Set(['rotary', 'sliding', 'reaming']);

/** tracksOf gives the left edge of each track and their common width, px. */
export function tracksOf(p: Pick<Picture, 'width' | 'gutter' | 'gap' | 'tracks'>): { xs: number[]; w: number } {
  const n = p.tracks.length, w = (p.width - p.gutter - p.gap * (n - 1)) / n;
  return { xs: p.tracks.map((_, i) => p.gutter + i * (w + p.gap)), w };
}

export function draw(g: CanvasRenderingContext2D, p: Picture, c: Palette): void {
  const { width: W, height: H } = p, { xs, w } = tracksOf(p);
  const y = (t: number) => ((t - p.t0) / (p.t1 - p.t0)) * H;
  g.setTransform(p.ratio, 0, 0, p.ratio, 0, 0);
  g.clearRect(0, 0, W, H);
  g.font = FONT;
  g.textBaseline = 'middle';
  g.lineJoin = 'round';
  g.fillStyle = c['--field'];
  for (const x of xs) g.fillRect(x, 0, w, H);
  const stretches = statesOf(p);
  for (const s of stretches) if (UNJUDGED.has(s.name)) for (const x of xs) hatch(g, x, y(s.from), w, y(s.to), c);
  grid(g, p, c, xs, w, y);
  stateColumn(g, p, c, stretches, y);
  p.tracks.forEach((track, k) => {
    g.save();
    g.beginPath(); g.rect(xs[k], 0, w, H); g.clip();
    for (const b of p.bands) {
      const tr = track.traces.find((x) => x.channel === b.channel);
      if (!tr) continue;
      g.fillStyle = c['--band'];
      g.beginPath();
      for (const s of stretches) if (!UNJUDGED.has(s.name) && s.name !== 'unknown') behind(g, p, tr, b.edge, xs[k], w, y(s.from), y(s.to));
      g.fill();
    }
    for (const tr of track.traces) {
      const col = p.extra.get(tr.channel) ?? p.columns.get(tr.channel);
      if (!col || !col.length) continue;
      const other = p.ghost?.get(tr.channel), reach = other?.length ? (0.6 * (other.t[other.to - 1] - other.t[other.from])) / other.length : 0;
      if (other?.length) line(g, p, other, tr, c['--ink-2'], 1.1, GHOST, xs[k], w, y, p.t0, Infinity, (t, v) => differs(tr, v, col.value(t, reach)));
      const breach = p.breaches.find((b) => b.channel === tr.channel);
      if (breach) for (const s of stretches) if (!UNJUDGED.has(s.name)) wash(g, p, c, col, tr, { ...breach, from: Math.max(s.from, breach.from), until: Math.min(s.to, breach.until) }, xs[k], w, y);
      const judged = stretches.filter((s) => !UNJUDGED.has(s.name));
      const out = (t: number, v: number) => !!breach && t >= breach.from && t <= breach.until && isOut(breach, t, v) && judged.some((s) => t >= s.from && t <= s.to);
      line(g, p, col, tr, c[`--t${tr.style}`], tr.style === 3 ? 1.25 : 1.5, DASH[tr.style], xs[k], w, y, p.t0, Infinity, (t, v) => !out(t, v));
      if (breach) line(g, p, col, tr, c[`--p${breach.p}`], 1.8, [], xs[k], w, y, Math.max(p.t0, breach.from), breach.until, out);
      if (p.cursor != null) {
        const v = col.value(p.cursor, (p.t1 - p.t0) / 40);
        if (!Number.isNaN(v)) {
          g.fillStyle = c['--field']; g.strokeStyle = c['--ink']; g.lineWidth = 1.4;
          g.beginPath(); g.arc(xs[k] + place(tr, v) * w, y(p.cursor), 3, 0, 7); g.fill(); g.stroke();
        }
      }
    }
    g.restore();
    g.strokeStyle = c['--rule-2']; g.lineWidth = 1;
    g.strokeRect(xs[k] + 0.5, 0.5, w - 1, H - 1);
  });
  for (const s of stretches) if (UNJUDGED.has(s.name) && y(s.to) - Math.max(0, y(s.from)) > 26) word(g, c, say('strip.unjudged', { state: s.name === 'connection' ? say('strip.connection') : stateWord(s.name).toLowerCase() }), xs[xs.length - 1] + w / 2, (Math.max(0, y(s.from)) + Math.min(H, y(s.to))) / 2);
  if (p.notes) written(g, p, c, p.notes, w, y);
  for (const k of p.ticks) if (k.t >= p.t0 && k.t <= p.t1) tick(g, p, c, k, y(k.t));
  if (p.cursor != null) cursor(g, p, c, y(p.cursor));
  g.fillStyle = c['--ink'];
  g.fillRect(p.timeX, H - 2, W, 2);
}

/** differs: by more than a line is wide, or there was nothing. */
export const differs = (tr: Trace, v: number, then: number): boolean => Number.isNaN(then) || Math.abs(v - then) > Math.abs(tr.hi - tr.lo) * 0.006;

const place = (tr: Trace, v: number): number => (v - tr.lo) / (tr.hi - tr.lo);

/** line draws a column between two moments: its middle as a line, and from lowest to highest of each sample a tone of it, so
    that no spike is lost and a trend is seen through the noise. A hole in the data is a hole in the line. Only what `takes`
    wants is drawn. */
function line(g: CanvasRenderingContext2D, p: Picture, col: Column, tr: Trace, color: string, width: number, dash: number[], x0: number, w: number, y: (t: number) => number, from: number, until: number, takes: (t: number, v: number) => boolean): void {
  const X = (v: number) => x0 + place(tr, v) * w;
  const apart = 4 * Math.max(col.bucket, 1000 * p.rate, (col.t[col.to - 1] - col.t[col.from]) / Math.max(1, col.length - 1));
  const first = Math.max(col.from, col.at(from) - 1);
  let broad = false;
  if (!dash.length) {
    g.beginPath();
    for (let i = first; i + 1 < col.to && col.t[i] <= until; i++) {
      const t = col.t[i], lo = col.lo[i], hi = col.hi[i], a = X(lo), b = X(hi), next = col.t[i + 1];
      if (Number.isNaN(lo) || Math.abs(b - a) < 1.6 || next - t > apart || !takes(t, (lo + hi) / 2)) continue;
      broad = true;
      g.rect(Math.min(a, b), y(t), Math.abs(b - a), y(next) - y(t) + 0.2);
    }
    if (broad) { g.globalAlpha = 0.34; g.fillStyle = color; g.fill(); g.globalAlpha = 1; }
  }
  g.strokeStyle = color; g.lineWidth = broad ? width - 0.25 : width; g.setLineDash(dash);
  g.beginPath();
  let up = true, before = 0;
  for (let i = first; i < col.to; i++) {
    const t = col.t[i], lo = col.lo[i], v = (lo + col.hi[i]) / 2;
    if (t > until) break;
    if (Number.isNaN(lo) || !takes(t, v)) { up = true; before = t; continue; }
    if (t - before > apart) up = true;
    before = t;
    if (up) g.moveTo(X(v), y(t)); else g.lineTo(X(v), y(t));
    up = false;
  }
  g.stroke();
  g.setLineDash([]);
}

/** behind lays a band's path between two heights, four pixels at a time. */
function behind(g: CanvasRenderingContext2D, p: Picture, tr: Trace, edge: Edge, x0: number, w: number, y0: number, y1: number): void {
  const per = (p.t1 - p.t0) / p.height, end = Math.min(p.height, y1);
  for (let y = Math.max(0, y0); y < end; y += 4) {
    const [low, high] = edge(p.t0 + (y + 2) * per);
    if (low == null && high == null) continue;
    const a = x0 + (low == null ? 0 : place(tr, low) * w), z = x0 + (high == null ? w : place(tr, high) * w);
    g.rect(Math.min(a, z), Math.round(y), Math.abs(z - a), Math.round(Math.min(y + 4, end)) - Math.round(y));
  }
}

/** Where the edge is not known, nothing is out. */
const isOut = (b: Breach, t: number, v: number): boolean => {
  const [low, high] = b.edge(t);
  return (low != null && v < low) || (high != null && v > high);
};

function wash(g: CanvasRenderingContext2D, p: Picture, c: Palette, col: Column, tr: Trace, b: Breach, x0: number, w: number, y: (t: number) => number): void {
  g.fillStyle = c[`--p${b.p}-wash`];
  g.beginPath();
  const X = (v: number) => x0 + place(tr, v) * w;
  for (let i = col.at(Math.max(b.from, p.t0)); i + 1 < col.to && col.t[i] < b.until; i++) {
    const v = (col.lo[i] + col.hi[i]) / 2;
    if (Number.isNaN(v) || col.t[i + 1] - col.t[i] > 8 * Math.max(col.bucket, 1000 * p.rate)) continue;
    const [low, high] = b.edge(col.t[i]), past = low != null && v < low ? low : high != null && v > high ? high : null;
    if (past == null) continue;
    const edge = X(past), x = X(v), top = Math.round(y(col.t[i])), bottom = Math.round(y(col.t[i + 1]));
    if (bottom > top) g.rect(Math.min(edge, x), top, Math.abs(edge - x), bottom - top);
  }
  g.fill();
}

function hatch(g: CanvasRenderingContext2D, x: number, y0: number, w: number, y1: number, c: Palette): void {
  const h = y1 - y0;
  g.save();
  g.beginPath(); g.rect(x, y0, w, h); g.clip();
  g.strokeStyle = c['--hatch']; g.lineWidth = 1;
  g.beginPath();
  for (let k = 0; k < w + h; k += 7) { g.moveTo(x + k, y0); g.lineTo(x + k - h, y1); }
  g.stroke();
  g.restore();
}

function grid(g: CanvasRenderingContext2D, p: Picture, c: Palette, xs: number[], w: number, y: (t: number) => number): void {
  const H = p.height, shift = p.offset * 60000;
  g.lineWidth = 1;
  for (let t = Math.ceil((p.t0 + shift) / p.minor) * p.minor - shift; t < p.t1; t += p.minor) {
    const big = (t + shift) % p.major === 0, yy = Math.round(y(t)) + 0.5;
    g.strokeStyle = c[big ? '--rule-2' : '--track'];
    g.globalAlpha = big ? 0.55 : 1;
    g.beginPath();
    for (const x of xs) { g.moveTo(x, yy); g.lineTo(x + w, yy); }
    g.stroke();
    g.globalAlpha = 1;
    if (!big || yy < 8 || yy > H - 9 || (p.cursor != null && Math.abs(yy - y(p.cursor)) < 15)) continue;
    g.fillStyle = c['--ink-2']; g.textAlign = 'left';
    g.fillText(p.label ? p.label(t) : p.major >= 86400000 ? day(t, p.offset) : hm(t, p.offset), p.timeX, yy);
  }
  g.strokeStyle = c['--track'];
  g.beginPath();
  for (const x of xs) for (let k = 1; k < 4; k++) { const xx = Math.round(x + (w * k) / 4) + 0.5; g.moveTo(xx, 0); g.lineTo(xx, H); }
  g.stroke();
}

interface Stretch { name: string; from: number; to: number }

/** statesOf gathers the column of states into stretches of one state each. */
function statesOf(p: Picture): Stretch[] {
  const s = p.states, out: Stretch[] = [];
  if (!s || !s.length) return out;
  for (let i = Math.max(s.from, s.at(p.t0) - 1); i < s.to; i++) {
    const name = Number.isNaN(s.hi[i]) ? 'unknown' : (p.stateNames[Math.round(s.hi[i])] ?? 'unknown'), last = out[out.length - 1], t = Math.max(p.t0, s.t[i]);
    if (last) last.to = Math.max(last.from, t);
    if (!last || last.name !== name) out.push({ name, from: t, to: t });
  }
  const last = out[out.length - 1];
  if (last) last.to = Math.min(p.t1, Math.max(last.to, s.t[s.to - 1] + 15000 * p.rate));
  return out;
}

function stateColumn(g: CanvasRenderingContext2D, p: Picture, c: Palette, stretches: Stretch[], y: (t: number) => number): void {
  const x = p.stateX, w = 16;
  for (const s of stretches) {
    const y0 = Math.max(0, y(s.from)), y1 = Math.min(p.height, y(s.to));
    if (y1 - y0 < 1) continue;
    g.fillStyle = c[FILLED.has(s.name) ? '--band' : '--ground'];
    g.fillRect(x, y0, w, y1 - y0);
    g.strokeStyle = c['--rule-2']; g.lineWidth = 1;
    g.strokeRect(x + 0.5, Math.round(y0) + 0.5, w - 1, Math.round(y1 - y0) - 1);
    const text = stateWord(s.name);
    if (y1 - y0 < g.measureText(text).width + 8) continue;
    g.save();
    g.translate(x + w / 2 + 0.5, (y0 + y1) / 2);
    g.rotate(-Math.PI / 2);
    g.textAlign = 'center'; g.fillStyle = c['--ink-2'];
    g.fillText(text, 0, 0);
    g.restore();
  }
}

function word(g: CanvasRenderingContext2D, c: Palette, text: string, x: number, y: number): void {
  const w = g.measureText(text).width;
  g.fillStyle = c['--field']; g.fillRect(x - w / 2 - 4, y - 8, w + 8, 16);
  g.fillStyle = c['--ink-2']; g.textAlign = 'center';
  g.fillText(text, x, y);
}

function tick(g: CanvasRenderingContext2D, p: Picture, c: Palette, k: Tick, at: number): void {
  const yy = Math.round(at) + 0.5, open = k.status === 'unack', over = k.status !== 'unack' && k.status !== 'ack' && k.status !== 'rtn_unack', color = over ? c['--ink-2'] : c[`--p${k.p}`];
  if (k.line) {
    g.strokeStyle = color; g.lineWidth = 1; g.setLineDash([2, 3]);
    g.beginPath(); g.moveTo(12, yy); g.lineTo(p.width, yy); g.stroke();
    g.setLineDash([]);
  }
  g.save();
  g.translate(7, yy);
  g.fillStyle = open ? color : c['--ground'];
  g.strokeStyle = open && k.p === 2 ? c['--ink'] : color;
  g.lineWidth = open ? 1 : 2;
  g.beginPath();
  if (k.p === 1) { g.moveTo(0, -6); g.lineTo(6, 0); g.lineTo(0, 6); g.lineTo(-6, 0); }
  else if (k.p === 2) { g.moveTo(0, -6); g.lineTo(6, 5); g.lineTo(-6, 5); }
  else g.rect(-4.5, -4.5, 9, 9);
  g.closePath(); g.fill(); g.stroke();
  g.restore();
}

/** written draws people's words as on paper: a flag at the right edge, a bar as long as the stretch, and as much of the text as
    the last track holds, unless the one above stands there. */
function written(g: CanvasRenderingContext2D, p: Picture, c: Palette, notes: Note[], w: number, y: (t: number) => number): void {
  const right = p.width - 2;
  let free = -Infinity;
  for (const n of [...notes].sort((a, b) => a.from - b.from)) {
    if (n.to < p.t0 || n.from > p.t1) continue;
    const top = Math.max(8, Math.min(p.height - 8, y(n.from))), end = Math.min(p.height, y(n.to));
    g.fillStyle = c['--ink'];
    if (end - top > 2) g.fillRect(right - 3, top, 3, end - top);
    g.beginPath(); g.moveTo(right, top - 6); g.lineTo(right - 9, top); g.lineTo(right, top + 6); g.closePath(); g.fill();
    if (top < free) continue;
    g.font = 'italic ' + FONT;
    let text = n.text.replace(/\s+/g, ' ');
    const room = w - 30;
    if (g.measureText(text).width > room) {
      while (text.length > 1 && g.measureText(text + '…').width > room) text = text.slice(0, Math.min(text.length - 1, Math.ceil((text.length * room) / g.measureText(text + '…').width)));
      text = text.trimEnd() + '…';
    }
    const tw = g.measureText(text).width;
    g.fillStyle = c['--field']; g.globalAlpha = 0.86; g.fillRect(right - 15 - tw, top - 8, tw + 5, 16); g.globalAlpha = 1;
    g.fillStyle = c['--ink']; g.textAlign = 'right'; g.fillText(text, right - 12, top);
    free = top + 17;
  }
  g.font = FONT; g.textAlign = 'left';
}

function cursor(g: CanvasRenderingContext2D, p: Picture, c: Palette, at: number): void {
  const yy = Math.round(at) + 0.5, t = p.cursor as number;
  g.strokeStyle = c['--ink']; g.lineWidth = 1;
  g.beginPath(); g.moveTo(p.stateX, yy); g.lineTo(p.width, yy); g.stroke();
  g.font = '600 ' + FONT;
  const text = p.label ? p.label(t) : p.t1 - p.t0 > 86400000 ? `${day(t, p.offset)} ${hm(t, p.offset)}` : new Date(t + p.offset * 60000).toISOString().slice(11, 19), w = g.measureText(text).width + 8;
  g.fillStyle = c['--ink']; g.fillRect(Math.max(0, p.timeX - 4), yy - 8.5, w, 16);
  g.fillStyle = c['--ground']; g.textAlign = 'left';
  g.fillText(text, Math.max(4, p.timeX), yy);
  g.font = FONT;
}
