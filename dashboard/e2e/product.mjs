// A mudpulse of a test's own, PRODUCT, in a folder of its own: for what a test must start, stop, or have to itself.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './suite.mjs';

export const free = () => new Promise((ok) => { const s = createServer().listen(0, '127.0.0.1', () => { const { port } = s.address(); s.close(() => ok(port)); }); });
const own = Object.fromEntries(Object.entries(process.env).filter(([k]) => !k.startsWith('MUDPULSE_'))); // it refuses settings that it does not know

/** A Product is started and stopped as often as one likes; close() ends it and takes its folder away. */
export class Product {
  link = '';
  constructor(args = [], port = 0) {
    this.args = args;
    this.port = port;
    this.dir = mkdtempSync(join(tmpdir(), 'mudpulse-own-'));
  }

  /** start returns when it answers. more: for this start only. */
  async start(...more) {
    this.child = spawn(process.env.PRODUCT, ['run', '--data', this.dir, '--http', `127.0.0.1:${this.port}`, '--mqtt', '127.0.0.1:0', '--kafka', '127.0.0.1:0', '--sql', '127.0.0.1:0', ...this.args, ...more], { env: own, stdio: ['ignore', 'pipe', process.env.DEBUG ? 'inherit' : 'ignore'] });
    let said = '';
    this.link = '';
    this.child.stdout.on('data', (d) => { said += d; this.link = /http:\/\/\S+#signin=\S+/.exec(said)?.[0] ?? ''; });
    await until('the product is up', 90000, async () => { if (this.child.exitCode != null) throw new Error('it ended with ' + this.child.exitCode); return this.link && (await fetch(this.base + '/healthz')).ok; });
  }

  get base() { return this.link.split('/#')[0]; }
  get addresses() { return JSON.parse(readFileSync(join(this.dir, 'addresses.json'), 'utf8')); }
  get token() { return readFileSync(join(this.dir, 'admin-token'), 'utf8').trim(); }
  get megabytes() { return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.child.pid}/status`, 'utf8'))[1]) / 1024; }

  /** call asks its API as the administrator. */
  async call(method, path, body) {
    const r = await fetch(`${this.base}/api/v1${path}`, { method, headers: { Authorization: `Bearer ${this.token}`, 'Content-Type': 'application/json' }, body: body === undefined ? undefined : JSON.stringify(body) });
    if (!r.ok) throw new Error(`${method} ${path}: ${r.status} ${await r.text()}`);
    return r.status === 204 ? null : r.json();
  }

  /** device adds one for a drill: what mqtt.mjs wants to know of it. */
  async device(drill) {
    const d = await this.call('POST', '/devices', { drill }), [host, port] = this.addresses.mqtt.split(':');
    return { host, port: Number(port), username: d.username, password: d.password, topic: d.topic };
  }

  signal(name) { this.child.kill(name); }
  ended() { return new Promise((ok) => { if (this.child.exitCode != null || this.child.signalCode) ok(); else this.child.once('exit', ok); }); }

  async close() {
    if (this.child) { this.child.kill('SIGKILL'); await this.ended(); }
    rmSync(this.dir, { recursive: true, force: true });
  }
}
