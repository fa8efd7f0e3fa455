// make bench-live. Published is the frame's own time, taken as it is given to the socket; drawn is when the strip's canvas had
// it. Parts: a page; 500 clients beside it; one that stops reading; 24 traces; 10,000 drills on the wall; SOAK seconds of soak.
import { connect } from 'node:net';
import { cpus, loadavg } from 'node:os';
import { extname, join } from 'node:path';
import WebSocket from 'ws';
import { DESK, launch, PHONE } from './browser.mjs';
import { Device } from './mqtt.mjs';
import { Product } from './product.mjs';

const number = (name, otherwise) => Number(process.env[name] ?? otherwise);
const DRILLS = number('DRILLS', 100), CLIENTS = number('CLIENTS', 500), SECONDS = number('SECONDS_EACH', 30), WALL = number('WALL', 10000), SOAK = number('SOAK', 0);
const wanted = (part) => !process.env.PARTS || process.env.PARTS.split(',').includes(part); // page, clients, traces, wall
const sleep = (ms) => new Promise((ok) => setTimeout(ok, ms));
const part = (a, p) => { const s = [...a].sort((x, y) => x - y); return s.length ? s[Math.min(s.length - 1, Math.floor(p * s.length))] : NaN; };
const own = new Product(['--demo=false']);
process.on('exit', () => own.child?.kill('SIGKILL'));
await own.start();
const { base, token } = own, auth = { Authorization: `Bearer ${token}` };

// A default frame and what else the strip can draw: 8 channels at 10 Hz, 8 at 2 Hz, the rest once a second.
const FAST = ['HKLD', 'WOB', 'BPOS', 'RPM', 'TQ', 'SPP', 'FLIN', 'TDKW'], MEDIUM = ['FLOUT', 'ROP', 'VIBAX', 'VIBLAT', 'SSI', 'PPULS', 'TDVEL', 'TDENV'], SLOW = ['DBTM', 'PVT', 'MDI', 'MDO', 'MTO', 'TDWT', 'TDBT', 'GBOT'];
const LIKE = { HKLD: 1100, WOB: 90, BPOS: 20, RPM: 120, TQ: 15, SPP: 22, FLIN: 2100, TDKW: 190, FLOUT: 2080, ROP: 20, VIBAX: 0.3, VIBLAT: 0.5, SSI: 0.2, PPULS: 0.2, TDVEL: 1.5, TDENV: 4, DBTM: 3000, PVT: 60, MDI: 1280, MDO: 1285, MTO: 45, TDWT: 80, TDBT: 60, GBOT: 55 };
const round = (v) => Math.round(v * 1000) / 1000, about = (c) => round(LIKE[c] * (1 + (Math.random() - 0.5) / 50));
function frame(seq, ts, part = 1) { // part: of a second's frame that much is in it
  const channels = {};
  if (part > 1) for (const c of [...FAST, ...MEDIUM]) channels[c] = about(c);
  else for (const c of FAST) channels[c] = { every_ms: 100, values: Array.from({ length: 10 }, () => about(c)) };
  if (part === 1) for (const c of MEDIUM) channels[c] = { every_ms: 500, values: [about(c), about(c)] };
  for (const c of SLOW) channels[c] = about(c);
  return JSON.stringify({ boot: 'bench', seq, ts, channels });
}
const devices = [];
for (let i = 1; i <= DRILLS; i++) {
  const drill = `RIG-${String(i).padStart(3, '0')}`;
  devices.push({ drill, at: new Device(await own.device(drill)) });
}
await Promise.all(devices.map((d) => d.at.open()));
let seq = 0, running = true;
// Each at its own part of the second; the drill that is watched has an hour behind it, as much as its strip draws. The last sample's time is the moment it is sent: that is what the page is asked for.
let often = 1; // frames a second of the drill that is watched
const beats = devices.map(async (d, i) => { let n = 0; if (!i) for (let k = 600; k; k--) d.at.publish(frame(++n, Date.now() - k * 6000, 10)); await sleep((i * 1000) / DRILLS); while (running) { const due = Date.now(), part = i ? 1 : often; d.at.publish(frame(++n, due - (part > 1 ? 0 : 900), part)); seq++; await sleep(Math.max(0, 1000 / part - (Date.now() - due))); } });

const browser = await launch(...(process.env.PAGE ? ['--disable-features=LocalNetworkAccessChecks'] : [])), context = await browser.newContext({ viewport: DESK });
if (process.env.PAGE) await context.route((u) => !u.pathname.startsWith('/api/'), (r) => { // another build's page on this product: two are compared in one run
  const { pathname } = new URL(r.request().url()), path = extname(pathname) ? pathname : '/index.html';
  return r.fulfill({ path: join(process.env.PAGE, path) });
});
const page = await context.newPage(), cdp = await context.newCDPSession(page);
await cdp.send('Performance.enable');
await page.addInitScript(() => {
  localStorage.setItem('mudpulse.debug', 'on');
  globalThis.long = [];
  new PerformanceObserver((l) => { for (const e of l.getEntries()) globalThis.long.push(Math.round(e.duration)); }).observe({ type: 'longtask' });
});
if (process.env.LOUD) page.on("console", (m) => console.log(m.text())).on("pageerror", (e) => console.log(e));
await page.goto(own.link);
await page.getByTestId('answer').waitFor();
const script = async () => { const { metrics } = await cdp.send('Performance.getMetrics'); return metrics.find((m) => m.name === 'ScriptDuration').value * 1000; };
const heap = async () => { await cdp.send('HeapProfiler.collectGarbage'); return (await page.evaluate(() => performance.memory.usedJSHeapSize)) / 1e6; };

/** perFrame sums the page's script between one animation frame's end and the next one's: messages, timers, effects and the draw. In
    ms of the processor's own time, an entry a frame. */
let scripts = [];
const SCRIPT = new Set(['FunctionCall', 'FireAnimationFrame', 'TimerFire', 'RunMicrotasks', 'EvaluateScript', 'MinorGC', 'MajorGC', 'EventDispatch']);
function perFrame(events) {
  const out = [];
  let end = -1, sum = 0;
  for (const e of events.filter((e) => e.ph === 'X' && SCRIPT.has(e.name)).sort((a, b) => a.ts - b.ts || b.dur - a.dur)) {
    if (e.ts >= end) { sum += e.tdur ?? e.dur; end = e.ts + e.dur; } // what lies within another is in it
    if (e.name === 'FireAnimationFrame') { out.push(sum / 1000); sum = 0; }
  }
  return out;
}

/** tasks follows the page's main thread: longest first, the time a task took and of it the processor's own, ms. On a busy machine the two
    differ by what others ran meanwhile. */
async function tasks() {
  await cdp.send('Tracing.start', { transferMode: 'ReturnAsStream', traceConfig: { includedCategories: ['devtools.timeline', 'toplevel'], excludedCategories: ['*'] } });
  return async () => {
    const done = new Promise((ok) => cdp.once('Tracing.tracingComplete', ok));
    await cdp.send('Tracing.end');
    const { stream } = await done;
    let text = '';
    for (let r = {}; !r.eof; ) { r = await cdp.send('IO.read', { handle: stream, size: 1 << 22 }); text += r.base64Encoded ? Buffer.from(r.data, 'base64').toString() : r.data; }
    await cdp.send('IO.close', { handle: stream });
    const events = JSON.parse(text).traceEvents, frames = new Map();
    for (const e of events) if (e.name === 'FireAnimationFrame') frames.set(`${e.pid} ${e.tid}`, (frames.get(`${e.pid} ${e.tid}`) ?? 0) + 1);
    const main = [...frames].sort((a, b) => b[1] - a[1])[0]?.[0];
    scripts = perFrame(events.filter((e) => `${e.pid} ${e.tid}` === main));
    const of = events.filter((e) => e.ph === 'X' && `${e.pid} ${e.tid}` === main).sort((a, b) => a.ts - b.ts || b.dur - a.dur);
    return of.filter((e) => /RunTask$/.test(e.name)).map((e) => ({ ms: e.dur / 1000, cpu: (e.tdur ?? e.dur) / 1000, inside: () => inside(e, of) }));
  };
}

/** inside says what a task did, longest first: events that lie in no other of it, and the processor's time of each. */
function inside(task, events) {
  const sums = new Map();
  let end = -1;
  for (const e of events) {
    if (e === task || e.ts < task.ts || e.ts + e.dur > task.ts + task.dur || e.ts < end || /Task|Frame$|^(ThreadControllerImpl|SimpleWatcher|SequenceManager)/.test(e.name)) continue;
    end = e.ts + e.dur;
    sums.set(e.name, (sums.get(e.name) ?? 0) + (e.tdur ?? e.dur) / 1000);
  }
  return [...sums].filter(([, ms]) => ms >= 1).sort((a, b) => b[1] - a[1]).map(([name, ms]) => `${name} ${ms.toFixed(0)}`).join(', ');
}

/** drill opens the worst watched page there is and listens to what it draws. */
async function drill(readings) {
  await page.evaluate((r) => localStorage.setItem('mudpulse.readings', r), readings);
  await page.goto(`${base}/d/RIG-001`);
  for (let n = 0; n <= 20; ) { await sleep(250); n = await page.evaluate(() => globalThis.mudpulse?.columns.get('SPP')?.length ?? 0); }
  await page.evaluate(() => {
    const m = globalThis.mudpulse;
    m.late = []; m.ms = []; let seen = 0;
    // Readings are of the last tenth of the second: the newest sample's time is when its frame was sent.
    m.drawn = (newest, ms) => { m.ms.push(ms); if (newest > seen) { seen = newest; m.late.push(Date.now() - newest); } };
  });
  await sleep(3000); // the page's first work is not a frame's
}
/** slower makes the page's processor n times slower, and its screen that of a phone: for information, no budget is of it. */
async function slower(n, size = DESK) { await page.setViewportSize(size); await cdp.send('Emulation.setCPUThrottlingRate', { rate: n }); }
/** profile prints, where PROFILE is set, which functions of the page took the processor, until its function is called. */
async function profile() {
  if (!process.env.PROFILE) return async () => undefined;
  await cdp.send('Profiler.enable');
  await cdp.send('Profiler.setSamplingInterval', { interval: 200 });
  await cdp.send('Profiler.start');
  return async () => {
    const { profile: p } = await cdp.send('Profiler.stop'), self = new Map(), at = new Map(p.nodes.map((n) => [n.id, n.callFrame]));
    p.samples.forEach((id, i) => { const f = at.get(id), name = `${f.functionName || '(anonymous)'} ${f.url.split('/').pop()}:${f.lineNumber + 1}:${f.columnNumber + 1}`; self.set(name, (self.get(name) ?? 0) + p.timeDeltas[i] / 1000); });
    for (const [name, ms] of [...self].sort((a, b) => b[1] - a[1]).slice(0, 25)) console.log(`  ${(ms / SECONDS).toFixed(2)} ms/s  ${name}`);
  };
}
async function measure(what) {
  const told = await profile();
  await page.evaluate(() => { const m = globalThis.mudpulse; m.late.length = m.ms.length = globalThis.long.length = 0; });
  const sent = seq, before = await script();
  await sleep(SECONDS * 1000);
  const used = (await script()) - before;
  await told();
  const m = await page.evaluate(() => { const { late, ms } = globalThis.mudpulse; return { late: [...late], ms: [...ms], long: [...globalThis.long] }; });
  if (!process.env.PROFILE) { const traced = await tasks(); await sleep(Math.min(SECONDS, 15) * 1000); await traced(); }
  console.log(`${what}: ${m.late.length} frames drawn; published → drawn p50 ${Math.round(part(m.late, 0.5))} ms, p99 ${Math.round(part(m.late, 0.99))} ms; all script ${(used / SECONDS).toFixed(1)} ms a second, ${scripts.length ? `of each of ${(scripts.length / Math.min(SECONDS, 15)).toFixed(1)} frames a second p50 ${part(scripts, 0.5).toFixed(1)} ms, p99 ${part(scripts, 0.99).toFixed(1)} ms, ` : ''} the draw itself p50 ${part(m.ms, 0.5).toFixed(1)} ms, p99 ${part(m.ms, 0.99).toFixed(1)} ms; tasks over 50 ms: ${m.long.length}${m.long.length ? ` (${m.long.join(', ')})` : ''}; heap ${(await heap()).toFixed(1)} MB; ${((seq - sent) / SECONDS).toFixed(0)} frames/s sent; server ${own.megabytes.toFixed(0)} MB; load ${loadavg()[0].toFixed(0)}`);
}
if (!process.env.PARTS || wanted('page') || wanted('clients')) await drill('drilling');
const paint = await page.evaluate(() => Math.round(performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN));
console.log(`${DRILLS} drills × 1 frame/s × ${FAST.length * 10 + MEDIUM.length * 2 + SLOW.length} readings; ${cpus().length} cores, load ${loadavg()[0].toFixed(0)}; first contentful paint ${paint} ms after navigation (budget 500)`);
if (wanted('page')) await measure('one page');

/** silent describes drills that say nothing, up to n of them. */
let described = 0;
async function silent(n) { for (; described < n; described++) await own.call('PUT', `/drills/RIG-${String(DRILLS + described + 1).padStart(5, '0')}`, { field: `Field ${described % 40}`, contractor: 'bench' }); }
let closed = 0;
const clients = [], got = new Array(CLIENTS).fill(0);
for (let i = 0; i < CLIENTS && wanted('clients'); i++) {
  const s = new WebSocket(`ws://${own.addresses.http}/api/v1/live`, { headers: auth, perMessageDeflate: false });
  s.on('open', () => { for (const w of [{ op: 'fleet', on: true }, { op: 'alarms', on: true }, { op: 'drill', drill: devices[i % DRILLS].drill, channels: FAST.slice(0, 8), sub: 1 }]) s.send(JSON.stringify(w)); });
  s.on('message', (_, binary) => { if (binary) got[i]++; });
  s.on('close', () => { closed++; });
  s.on('error', () => undefined);
  clients.push(s);
  if (i % 20 === 19) await sleep(50);
}
const frames = () => `  frames of its drill that each of the ${CLIENTS} clients got, fewest / middle: ${Math.min(...got)} / ${part(got, 0.5)} in ${SECONDS} s`;
if (CLIENTS && wanted('clients')) {
  await sleep(2000);
  got.fill(0);
  await measure(`one page and ${CLIENTS} clients`);
  console.log(frames());
  // What a client does not read lies in the kernel's buffers first, megabytes of it: only a large message asked for again and again
  // fills them in seconds. So there are more drills first, that say nothing, and what is compared is before and after with them.
  await silent(1500);
  await sleep(5000);
  got.fill(0);
  await measure('the same with 1,500 more drills that say nothing');
  console.log(frames());
  const slow = async () => Number(/^api_live_slow_total (\S+)/m.exec(await (await fetch(`${base}/metrics`)).text())?.[1] ?? NaN);
  let stopped = true, cuts = [], end = () => undefined;
  const ignore = () => { // it asks for the whole fleet four times a second and never reads; cut off, it comes again
    const s = connect(Number(own.addresses.http.split(':')[1]), '127.0.0.1'), began = Date.now(), mask = Buffer.from([1, 2, 3, 4]);
    const wish = Buffer.from(JSON.stringify({ op: 'fleet', on: true })), frame = Buffer.concat([Buffer.from([0x81, 0x80 | wish.length]), mask, wish.map((b, i) => b ^ mask[i % 4])]);
    s.on('error', () => undefined);
    s.write(`GET /api/v1/live HTTP/1.1\r\nHost: ${own.addresses.http}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer ${token}\r\n\r\n`);
    s.pause();
    const timer = setInterval(() => s.write(frame), 250);
    end = () => { clearInterval(timer); s.destroy(); };
    s.on('close', () => { clearInterval(timer); if (stopped) { cuts.push(Math.round((Date.now() - began) / 1000)); ignore(); } });
  };
  ignore();
  const before = closed, slowBefore = await slow();
  got.fill(0);
  await measure('and one client that never reads');
  stopped = false; end();
  console.log(`${frames()}; of the ${CLIENTS} cut off meanwhile: ${closed - before}; the one that never reads was cut off ${(await slow()) - slowBefore} times, after ${cuts.join(', ') || '—'} s`);
  for (const c of clients) c.terminate();
}

if (wanted('traces')) {
  await drill('all');
  await measure('24 traces');
  often = 10;
  await sleep(3000);
  await measure('24 traces, 10 frames a second');
  often = 1;
  await slower(4);
  await measure('24 traces, a processor 4 times slower');
  await slower(4, PHONE);
  await drill('drilling');
  await measure('a phone’s strip, a processor 4 times slower');
  await slower(1);
}

if (WALL > DRILLS && wanted('wall')) {
  await silent(WALL - DRILLS);
  for (const [view, slow, size] of [['rows', 1, DESK], ['cells', 1, DESK], ['rows', 4, PHONE]]) { // the last for information: a phone, its processor 4 times slower
    await slower(1, size);
    await page.evaluate((v) => localStorage.setItem('mudpulse.fleet', v), view);
    await page.goto(base);
    await page.locator('[data-drill]').first().waitFor();
    let shown = 0;
    for (const end = Date.now() + 60000; shown < WALL && Date.now() < end; await sleep(1000)) shown = await page.evaluate(() => fetch('/api/v1/drills').then((r) => r.json()).then((d) => d.drills.length));
    await page.reload();
    await page.locator('[data-drill]').first().waitFor();
    await sleep(8000); // until the page has them all
    await slower(slow, size);
    if (size === PHONE) await page.locator('.quiet button').first().click({ timeout: 2000 }).catch(() => undefined); // the quiet ones are folded there
    await page.evaluate(() => { globalThis.long.length = 0; });
    const traced = await tasks();
    await sleep(500);
    await page.evaluate(() => { globalThis.long.length = 0; }); // what starting to look took is not the page's
    await page.mouse.move(size.width / 2, 500);
    const until = Date.now() + Math.min(SECONDS, 20) * 1000, before = await script(), began = Date.now();
    for (let i = 0; Date.now() < until; i++) { await page.mouse.wheel(0, i % 60 < 30 ? 240 : -240); await sleep(33); }
    const long = await page.evaluate(() => globalThis.long), used = (await script()) - before, took = Date.now() - began, all = await traced();
    const cpu = all.sort((a, b) => b.cpu - a.cpu);
    console.log(`${shown} drills as ${view}${size === PHONE ? `, a phone, a processor ${slow} times slower` : ''}, scrolled: tasks over 50 ms: ${long.length}${long.length ? ` (${long.join(', ')})` : ''}; of the processor's own time ${cpu.filter((x) => x.cpu > 50).length}, the longest ${cpu[0]?.cpu.toFixed(0)} ms (${cpu[0]?.inside()}), script of a frame p99 ${part(scripts, 0.99).toFixed(1)} ms, at most ${part(scripts, 1).toFixed(1)} ms; script ${((used / took) * 100).toFixed(0)} % of the time; heap ${(await heap()).toFixed(1)} MB; load ${loadavg()[0].toFixed(0)}`);
  }
}

if (SOAK) { // one page that stays open; the rest of the world goes on. Flat: the last third no higher than the middle one.
  await drill('drilling');
  const heaps = [], servers = [], every = Math.max(5, SOAK / 40);
  for (let t = 0; t < SOAK; t += every) { await sleep(every * 1000); heaps.push(await heap()); servers.push(own.megabytes); }
  const third = (a, k) => part(a.slice(Math.floor((k * a.length) / 3), Math.floor(((k + 1) * a.length) / 3)), 0.5).toFixed(1);
  console.log(`soak of ${(SOAK / 60).toFixed(0)} min: page heap after collection, middle of each third ${[0, 1, 2].map((k) => third(heaps, k)).join(' → ')} MB; server ${[0, 1, 2].map((k) => third(servers, k)).join(' → ')} MB; documents' nodes ${await page.evaluate(() => document.getElementsByTagName('*').length)}`);
}
running = false;
await browser.close();
await Promise.all(beats);
for (const d of devices) d.at.close();
await own.close();
process.exit(0);
