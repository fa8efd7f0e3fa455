// make bench-live. Published is the frame's own time, taken as it is given to the socket; drawn is when the strip's canvas had it.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import WebSocket from 'ws';
import { DESK, launch } from './browser.mjs';
import { Device } from './mqtt.mjs';

const DRILLS = Number(process.env.DRILLS ?? 100), CLIENTS = Number(process.env.CLIENTS ?? 500), SECONDS = Number(process.env.SECONDS_EACH ?? 40);
const sleep = (ms) => new Promise((ok) => setTimeout(ok, ms));
const dir = mkdtempSync(join(tmpdir(), 'mudpulse-bench-'));
const child = spawn(process.env.PRODUCT, ['run', '--demo=false', '--data', dir, '--http', '127.0.0.1:0', '--mqtt', '127.0.0.1:0', '--kafka', '127.0.0.1:0', '--sql', '127.0.0.1:0'], { stdio: 'ignore' });
process.on('exit', () => { child.kill('SIGKILL'); rmSync(dir, { recursive: true, force: true }); });
let at;
for (let i = 0; i < 200 && !at; i++) { await sleep(200); try { at = JSON.parse(readFileSync(join(dir, 'addresses.json'), 'utf8')); } catch { at = null; } }
const token = readFileSync(join(dir, 'admin-token'), 'utf8').trim(), base = `http://${at.http}`, auth = { Authorization: `Bearer ${token}` };
const [host, port] = at.mqtt.split(':');

// A default frame: 8 channels at 10 Hz, 8 at 2 Hz, 8 at 0.5 Hz, rounded to 100 readings a second.
const FAST = ['HKLD', 'WOB', 'BPOS', 'RPM', 'TQ', 'SPP', 'FLIN', 'TDKW'], MEDIUM = ['FLOUT', 'ROP', 'VIBAX', 'VIBLAT', 'SSI', 'PPULS', 'TDVEL', 'TDENV'], SLOW = ['DBTM', 'PVT', 'MDI', 'MTO'];
const LIKE = { HKLD: 1100, WOB: 90, BPOS: 20, RPM: 120, TQ: 15, SPP: 22, FLIN: 2100, TDKW: 190, FLOUT: 2080, ROP: 20, VIBAX: 0.3, VIBLAT: 0.5, SSI: 0.2, PPULS: 0.2, TDVEL: 1.5, TDENV: 4, DBTM: 3000, PVT: 60, MDI: 1280, MTO: 45 };
const round = (v) => Math.round(v * 1000) / 1000;
function frame(seq, ts) {
  const channels = {};
  for (const c of FAST) channels[c] = { every_ms: 100, values: Array.from({ length: 10 }, () => round(LIKE[c] * (1 + (Math.random() - 0.5) / 50))) };
  for (const c of MEDIUM) channels[c] = { every_ms: 500, values: [0, 1].map(() => round(LIKE[c] * (1 + (Math.random() - 0.5) / 50))) };
  for (const c of SLOW) channels[c] = LIKE[c];
  return JSON.stringify({ boot: 'bench', seq, ts, channels });
}
const devices = [];
for (let i = 1; i <= DRILLS; i++) {
  const drill = `RIG-${String(i).padStart(3, '0')}`;
  const d = await fetch(`${base}/api/v1/devices`, { method: 'POST', headers: { ...auth, 'Content-Type': 'application/json' }, body: JSON.stringify({ drill }) }).then((r) => r.json());
  devices.push({ drill, at: new Device({ host, port: Number(port), username: d.username, password: d.password, topic: d.topic }) });
}
await Promise.all(devices.map((d) => d.at.open()));
let seq = 0, running = true;
// Each at its own part of the second. The last sample's time is the moment it is sent: that is what the page is asked for.
const beats = devices.map(async (d, i) => { await sleep((i * 1000) / DRILLS); let n = 0; while (running) { const due = Date.now(); d.at.publish(frame(++n, due - 900)); seq++; await sleep(Math.max(0, 1000 - (Date.now() - due))); } });

const browser = await launch();
const page = await (await browser.newContext({ viewport: DESK })).newPage();
await page.addInitScript(() => localStorage.setItem('mudpulse.debug', 'on'));
await page.goto(`${base}/#signin=${token}`);
await page.getByTestId('answer').waitFor();
await page.goto(`${base}/d/RIG-001`);
for (let n = 0; n <= 20; ) { await sleep(250); n = await page.evaluate(() => globalThis.mudpulse?.columns.get('SPP')?.length ?? 0); }
const paint = await page.evaluate(() => performance.getEntriesByType('paint').map((e) => [e.name, Math.round(e.startTime)]));
await page.evaluate(() => {
  const m = globalThis.mudpulse;
  m.late = []; m.ms = []; m.long = []; let seen = 0;
  // Readings are of the last tenth of the second: the newest sample's time is when its frame was sent.
  m.drawn = (newest, ms) => { m.ms.push(ms); if (newest > seen) { seen = newest; m.late.push(Date.now() - newest); } };
  new PerformanceObserver((l) => { for (const e of l.getEntries()) m.long.push(Math.round(e.duration)); }).observe({ type: 'longtask' });
});
const part = (a, p) => { const s = [...a].sort((x, y) => x - y); return s.length ? s[Math.min(s.length - 1, Math.floor(p * s.length))] : NaN; };
const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]) / 1024;
async function measure(what) {
  await page.evaluate(() => { const m = globalThis.mudpulse; m.late.length = m.ms.length = m.long.length = 0; });
  const sent = seq;
  await sleep(SECONDS * 1000);
  const m = await page.evaluate(() => { const { late, ms, long } = globalThis.mudpulse; return { late: [...late], ms: [...ms], long: [...long], heap: performance.memory.usedJSHeapSize / 1e6 }; });
  console.log(`${what}: ${m.late.length} frames drawn; published → drawn p50 ${Math.round(part(m.late, 0.5))} ms, p99 ${Math.round(part(m.late, 0.99))} ms; draw p50 ${part(m.ms, 0.5).toFixed(1)} ms, p99 ${part(m.ms, 0.99).toFixed(1)} ms; long tasks ${m.long.length}; heap ${m.heap.toFixed(1)} MB; ${((seq - sent) / SECONDS).toFixed(0)} frames/s sent; server ${rss().toFixed(0)} MB`);
}
console.log(`${DRILLS} drills × 1 frame/s × ${FAST.length * 10 + MEDIUM.length * 2 + SLOW.length} readings; ${cpus().length} cores; first paint ${JSON.stringify(paint)}`);
await measure('one page');

let got = 0, closed = 0;
const clients = [];
for (let i = 0; i < CLIENTS; i++) {
  const s = new WebSocket(`ws://${at.http}/api/v1/live`, { headers: auth, perMessageDeflate: false });
  s.on('open', () => { for (const w of [{ op: 'fleet', on: true }, { op: 'alarms', on: true }, { op: 'drill', drill: devices[i % DRILLS].drill, channels: FAST.slice(0, 8), sub: 1 }]) s.send(JSON.stringify(w)); });
  s.on('message', () => { got++; });
  s.on('close', () => { closed++; });
  s.on('error', () => undefined);
  clients.push(s);
  if (i % 20 === 19) await sleep(50);
}
await sleep(2000);
await measure(`one page and ${CLIENTS} clients`);
console.log(`  the ${CLIENTS} clients read ${got} messages`);
const lazy = connect(Number(at.http.split(':')[1]), '127.0.0.1');
lazy.write(`GET /api/v1/live HTTP/1.1\r\nHost: ${at.http}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer ${token}\r\n\r\n`);
await sleep(300);
lazy.pause(); // it never reads again
const wish = Buffer.from(JSON.stringify({ op: 'fleet', on: true })), mask = Buffer.from([1, 2, 3, 4]);
lazy.write(Buffer.concat([Buffer.from([0x81, 0x80 | wish.length]), mask, wish.map((b, i) => b ^ mask[i % 4])]));
const before = closed;
await measure('and one client that stopped reading');
console.log(`  clients cut off meanwhile: ${closed - before} of the ${CLIENTS} that read`);
running = false;
for (const c of clients) c.terminate();
lazy.destroy();
await browser.close();
await Promise.all(beats);
for (const d of devices) d.at.close();
process.exit(0);
