// After every build: the script that a page loads, compressed, against the design's 150 kB: what opens first, with a language, and the
// largest way of screens that come when they are opened, with its words in that language. And that nothing it holds names another site.
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const BUDGET = 150_000;
const dist = fileURLToPath(new URL('../dist/', import.meta.url));
const files = readdirSync(dist, { recursive: true }).map(String).filter((f) => /\.(js|css|html)$/.test(f));
const scripts = new Map(), elsewhere = [];
for (const f of files) {
  const text = readFileSync(dist + f, 'utf8');
  const refs = (re) => [...text.matchAll(re)].map((m) => basename(m[1])).filter((x) => x.endsWith('.js'));
  if (f.endsWith('.js')) scripts.set(basename(f), { size: gzipSync(text, { level: 9 }).length, needs: refs(/(?:from|import)\s*["'`]\.\/([\w.-]+\.js)["'`]/g), later: refs(/import\(\s*["'`]\.\/([\w.-]+\.js)["'`]/g) });
  for (const m of text.matchAll(/\b(?:https?|wss?):\/\/([\w.-]+\.[a-z]{2,})/g)) if (!/^(www\.)?w3\.org$|^svelte\.dev$/.test(m[1])) elsewhere.push(`${f}: ${m[0]}`);
}
const html = readFileSync(dist + 'index.html', 'utf8');
const first = [...html.matchAll(/(?:src|href)="[^"]*?([\w.-]+\.js)"/g)].map((m) => m[1]).concat('sw.js');
const isWords = (f) => /^es-/.test(f);

/** opened adds to have what comes with these scripts, their words among it; what may be opened from them. */
function opened(names, have) {
  const later = new Set();
  for (const todo = [...names]; todo.length; ) {
    const f = todo.pop(), s = scripts.get(f);
    if (have.has(f) || !s) continue;
    have.add(f);
    todo.push(...s.needs);
    for (const x of s.later) if (isWords(x)) todo.push(x); else later.add(x);
  }
  return later;
}
const size = (have) => [...have].reduce((n, f) => n + scripts.get(f).size, 0);

/** largest is the most that can have come when a way of screens was opened, one out of another. */
function largest(names, before) {
  const have = new Set(before), later = opened(names, have);
  let most = { size: size(have), way: [] };
  for (const f of later) if (!have.has(f)) { const m = largest([f], have); if (m.size > most.size) most = { size: m.size, way: [f.replace(/-[\w-]{8}\.js$/, ''), ...m.way] }; }
  return most;
}
const start = new Set();
opened(first, start);
const most = largest(first, new Set()), all = [...scripts.values()].reduce((n, s) => n + s.size, 0);
const kB = (n) => (n / 1000).toFixed(1);
console.log(`script ${kB(most.size)} kB compressed (with ${most.way.join(', then ')}), budget ${BUDGET / 1000} kB; first page ${kB(size(start))} kB, all screens and languages ${kB(all)} kB`);
if (size(start) < 50_000) { console.error('the scripts of the first page were not found'); process.exit(1); }
if (elsewhere.length) console.error(`names another site:\n  ${elsewhere.join('\n  ')}`);
if (most.size > BUDGET || elsewhere.length) process.exit(1);
