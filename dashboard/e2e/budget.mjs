// After every build: the script that a page loads, compressed, against the design's 150 kB: all of it, with a language and one of the
// screens that come when they are opened, the largest. And that nothing it holds names another site.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const BUDGET = 150_000;
const dist = fileURLToPath(new URL('../dist/', import.meta.url));
const files = readdirSync(dist, { recursive: true }).map(String).filter((f) => /\.(js|css|html)$/.test(f));
const LATER = /\/(?:Admin|Data|Handover|Models|Replay|Rules|Spectrum)-[\w-]+\.js$/;
let script = 0, later = 0, all = 0;
const elsewhere = [];
for (const f of files) {
  const text = readFileSync(dist + f);
  const size = f.endsWith('.js') ? gzipSync(text, { level: 9 }).length : 0;
  all += size;
  if (LATER.test(f)) later = Math.max(later, size); else script += size;
  for (const m of text.toString().matchAll(/\b(?:https?|wss?):\/\/([\w.-]+\.[a-z]{2,})/g)) if (!/^(www\.)?w3\.org$|^svelte\.dev$/.test(m[1])) elsewhere.push(`${f}: ${m[0]}`);
}
script += later;
console.log(`script ${(script / 1000).toFixed(1)} kB compressed, budget ${BUDGET / 1000} kB; all screens and languages ${(all / 1000).toFixed(1)} kB`);
if (elsewhere.length) console.error(`names another site:\n  ${elsewhere.join('\n  ')}`);
if (script > BUDGET || elsewhere.length) process.exit(1);
