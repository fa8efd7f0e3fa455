// The page itself opens without its server: what was loaded last is kept, and it says that nobody answers. Never the API:
// no reading, score or alarm is shown that the server did not give.
const SHELL = 'shell', MOST = 60, BASE = new URL('.', location).pathname; // "/", or below a proxy's prefix
const keeps = (url) => url.origin === location.origin && !url.pathname.startsWith(`${BASE}api/`) && (url.pathname.startsWith(`${BASE}assets/`) || ['theme.js', 'icon.svg', 'manifest.webmanifest'].includes(url.pathname.slice(BASE.length)));

async function put(key, answer) {
  const shell = await caches.open(SHELL);
  await shell.put(key, answer);
  const all = await shell.keys();
  for (const old of all.slice(0, Math.max(0, all.length - MOST))) await shell.delete(old); // of versions gone by
}

async function page(request) {
  try {
    const answer = await fetch(request);
    if (answer.ok) await put(BASE, answer.clone());
    return answer;
  } catch (err) {
    const kept = await caches.match(BASE);
    if (kept) return kept;
    throw err;
  }
}

async function asset(request) {
  const hashed = new URL(request.url).pathname.startsWith(`${BASE}assets/`); // its name changes with its content
  if (hashed) { const kept = await caches.match(request); if (kept) return kept; }
  try {
    const answer = await fetch(request);
    if (answer.ok) await put(request, answer.clone());
    return answer;
  } catch (err) {
    const kept = await caches.match(request);
    if (kept) return kept;
    throw err;
  }
}

self.addEventListener('install', (e) => { // fonts come when a letter first needs them: all are taken now
  e.waitUntil((async () => {
    const html = await (await fetch(BASE)).text(), css = [...html.matchAll(/<(?:script|link)[^>]* (?:src|href)="([^"]+)"/g)].map((m) => m[1]);
    await (await caches.open(SHELL)).addAll([BASE, ...css]);
    self.skipWaiting();
  })());
});
self.addEventListener('fetch', (e) => {
  const url = new URL(e.request.url);
  if (e.request.method !== 'GET' || url.origin !== location.origin || url.pathname.startsWith(`${BASE}api/`)) return;
  if (e.request.mode === 'navigate') e.respondWith(page(e.request));
  else if (keeps(url)) e.respondWith(asset(e.request));
});
