// The product in four processes, a page open while each is away: what each screen says, and that it comes back by itself.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { DESK, launch } from './browser.mjs';
import { Device } from './mqtt.mjs';
import { free, Product } from './product.mjs';
import { until } from './suite.mjs';

const bin = (name) => join(dirname(process.env.PRODUCT), name), env = Object.fromEntries(Object.entries(process.env).filter(([k]) => !k.startsWith('MUDPULSE_')));

/** A Part is one process; start it again and it goes on in the same folder. */
class Part {
  dir = mkdtempSync(join(tmpdir(), 'mudpulse-part-'));
  constructor(name, ...args) { this.name = name; this.args = args; }
  start() { this.child = spawn(bin(this.name), [...this.args, '--data', this.dir], { env, stdio: process.env.DEBUG ? 'inherit' : 'ignore' }); }
  get addresses() { return JSON.parse(readFileSync(join(this.dir, 'addresses.json'), 'utf8')); }
  async kill() { if (!this.child || this.child.exitCode != null || this.child.signalCode) return; const over = new Promise((ok) => this.child.once('exit', ok)); this.child.kill('SIGKILL'); await over; }
  async close() { await this.kill(); rmSync(this.dir, { recursive: true, force: true }); }
}

test('whichever process is away, the page says so, nothing old stays black, and it comes back without being loaded anew', { timeout: 280000 }, async (t) => {
  const kafka = `127.0.0.1:${await free()}`, mqtt = `127.0.0.1:${await free()}`, blobs = mkdtempSync(join(tmpdir(), 'mudpulse-blobs-')), shared = ['--brokers', kafka];
  const log = new Part('mudpulse', 'run', '--parts', 'log', '--demo=false', '--kafka', kafka), gateway = new Part('gateway', ...shared, '--mqtt', mqtt, '--http', '127.0.0.1:0'), scorer = new Part('scorer', ...shared, '--blobs', blobs, '--http', '127.0.0.1:0', '--checkpoint', '1s');
  const store = new Product(['--demo=false', ...shared, '--blobs', blobs, '--parts', 'writer,api'], await free()), browser = await launch();
  let device, speaking;
  t.after(async () => { clearInterval(speaking); device?.close(); await browser.close(); await Promise.all([gateway.close(), scorer.close(), store.close(), log.close()]); rmSync(blobs, { recursive: true, force: true }); });
  log.start();
  await until('the log is there', 30000, () => log.addresses.kafka);
  await store.start();
  gateway.start(); scorer.start();
  await until('the gateway is there', 30000, () => gateway.addresses.mqtt);
  const d = await store.call('POST', '/devices', { drill: 'RIG-01' });
  const [host, port] = mqtt.split(':');
  const dial = async () => { const x = new Device({ host, port: Number(port), username: d.username, password: d.password, topic: d.topic }); await x.open(); return x; };
  device = await until('the gateway knows the device', 60000, dial);
  let seq = 0;
  speaking = setInterval(() => { try { device?.publish(JSON.stringify({ boot: 'a', seq: ++seq, ts: Date.now(), channels: { HKLD: 1113.7, WOB: 91.3, RPM: 117, TQ: 15.37, SPP: 23.47, FLIN: 2117, FLOUT: 2093, PVT: 61.9, DBTM: 2983.7, ROP: 19.3 } })); } catch { device = null; } }, 500);
  const context = await browser.newContext({ viewport: DESK, reducedMotion: 'reduce' }), screens = {};
  for (const [name, path] of [['fleet', '/'], ['drill', '/d/RIG-01'], ['alarms', '/alarms'], ['wall', '/wall']]) {
    const page = screens[name] = await context.newPage();
    page.setDefaultTimeout(30000);
    await page.goto(Object.keys(screens).length === 1 ? store.link : store.base + path);
    await page.evaluate(() => { globalThis.here = true; }); // lost where a page was loaded anew
  }
  const said = async () => Object.fromEntries(await Promise.all(Object.entries(screens).map(async ([n, p]) => [n, (await p.evaluate(() => document.body.innerText)).replace(/\s+/g, ' ')])));
  const health = () => screens.drill.getByTestId('health').innerText();
  await until('readings come and are judged', 90000, async () => /\d/.test(await screens.drill.locator('.ft[data-channel=SPP] .v').innerText()) && /\d/.test(await health()));
  const judgedOld = () => Promise.all(Object.values(screens).map(async (p) => /nothing newer is judged/.test(await p.locator('main').innerText()))); // no screen is calm where nobody judges
  const calm = async () => !(await judgedOld()).some(Boolean) && (await screens.drill.locator('.ft[data-channel=SPP].grey').count()) === 0 && (await screens.drill.locator('[data-testid=health].hatched').count()) === 0 && (await screens.fleet.locator('.banner .hatched').count()) === 0;
  await until('all is of now', 60000, calm);
  const LOOK = Number(process.env.LOOK ?? 0); // s more, to read what is said
  const away = async (what, part, says, back = async () => part.start()) => {
    await part();
    const from = Date.now();
    await until(`${what} is away: the page says it`, 30000, says);
    t.diagnostic(`${what} away: said after ${((Date.now() - from) / 1000).toFixed(1)} s`);
    if (LOOK) { await new Promise((ok) => setTimeout(ok, LOOK * 1000)); for (const [n, text] of Object.entries(await said())) console.log(`${what} ${n}: ${text.slice(0, 700)}\n`); for (const [n, p] of Object.entries(screens)) await p.screenshot({ path: `${process.env.SHOTS_DIR ?? '.'}/${what}-${n}.png` }); }
    await back();
    const again = Date.now();
    await until(`${what} is back: all is of now`, 90000, calm);
    t.diagnostic(`${what} back: all of now after ${((Date.now() - again) / 1000).toFixed(1)} s`);
  };
  await away('gateway', () => gateway.kill(), async () => (await screens.drill.locator('.ft[data-channel=SPP].grey').count()) === 1, async () => { device = null; gateway.start(); device = await until('the device is back', 30000, dial); });
  await away('scorer', () => scorer.kill(), async () => (await screens.drill.locator('[data-testid=health].hatched').count()) === 1 && (await judgedOld()).every(Boolean), async () => scorer.start());
  await away('log', () => log.kill(), async () => (await screens.drill.locator('.ft[data-channel=SPP].grey').count()) === 1, async () => { log.start(); device = await until('the device speaks', 60000, async () => device ?? dial()); });
  await away('store', () => store.signal('SIGKILL'), async () => /Not connected for/.test(await screens.fleet.locator('.banner').innerText()), async () => { await store.ended(); await store.start(); });
  for (const [name, page] of Object.entries(screens)) assert.ok(await page.evaluate(() => globalThis.here), `${name} was loaded anew`);
});
