// The page below a prefix: a real proxy serves /mud/, takes the prefix off and says so; nothing is asked for outside of it.
import assert from 'node:assert/strict';
import { createServer, request } from 'node:http';
import { connect } from 'node:net';
import test from 'node:test';
import { DESK, launch } from './browser.mjs';
import { Device } from './mqtt.mjs';
import { Product } from './product.mjs';
import { until } from './suite.mjs';

/** proxy serves what answers at host:port below /mud/, the live channel too; outside of it there is nothing. */
async function proxy(upstream) {
  const [host, port] = upstream.split(':'), sockets = new Set();
  const outside = [];
  const inner = (q) => { if (q.url.startsWith('/mud/')) return q.url.slice(4); outside.push(q.url); return null; };
  const s = createServer((q, r) => {
    const path = inner(q);
    if (path == null) { r.writeHead(404).end(); return; }
    q.pipe(request({ host, port, path, method: q.method, headers: { ...q.headers, 'x-forwarded-prefix': '/mud' } }, (a) => { r.writeHead(a.statusCode, a.headers); a.pipe(r); }).on('error', () => r.destroy()));
  });
  s.on('connection', (c) => { sockets.add(c); c.on('close', () => sockets.delete(c)); });
  s.on('upgrade', (q, c, head) => {
    const path = inner(q);
    if (path == null) { c.destroy(); return; }
    const up = connect(Number(port), host, () => {
      up.write(`GET ${path} HTTP/1.1\r\n${Object.entries(q.headers).map(([k, v]) => `${k}: ${v}\r\n`).join('')}\r\n`);
      up.write(head); up.pipe(c); c.pipe(up);
    });
    up.on('error', () => c.destroy()); c.on('error', () => up.destroy()); c.on('close', () => up.destroy());
  });
  await new Promise((ok) => s.listen(0, '127.0.0.1', ok));
  return { base: `http://127.0.0.1:${s.address().port}`, outside, close: () => { for (const c of sockets) c.destroy(); s.close(); } };
}

test('below a proxy’s prefix one signs in, opens the fleet, a drill and a screen that is loaded then, and readings come', { timeout: 120000 }, async (t) => {
  const own = new Product(['--demo=false']), browser = await launch();
  await own.start();
  const front = await proxy(own.addresses.http), device = new Device(await own.device('RIG-01'));
  await device.open();
  let seq = 0;
  const speaking = setInterval(() => device.publish(JSON.stringify({ boot: 'a', seq: ++seq, ts: Date.now(), channels: { SPP: 23.47, DBTM: 2983.7 } })), 500);
  t.after(async () => { clearInterval(speaking); device.close(); await browser.close(); front.close(); await own.close(); });
  const page = await (await browser.newContext({ viewport: DESK, reducedMotion: 'reduce' })).newPage(), faults = [];
  page.setDefaultTimeout(30000);
  page.on('pageerror', (e) => faults.push(e.message));
  page.on('console', (m) => { if (m.type() === 'error' && /Content Security Policy|404/.test(m.text())) faults.push(m.text()); });
  await page.goto(`${front.base}/mud/#signin=${own.link.split('#signin=')[1]}`);
  const row = page.locator('[data-drill="RIG-01"]').first();
  await row.waitFor();
  assert.equal(await row.evaluate((a) => a.href), `${front.base}/mud/d/RIG-01`); // a tab of its own opens there too
  await row.click();
  assert.equal(page.url(), `${front.base}/mud/d/RIG-01`);
  const pressure = page.locator('.ft[data-channel=SPP] .v');
  await until('readings come', 30000, async () => /\d/.test(await pressure.innerText()));
  await page.reload(); // the same address again, and still signed in
  await until('readings come again', 30000, async () => /\d/.test(await pressure.innerText()));
  await page.locator('nav.places a[href$="/data"]').click();
  await page.getByText('RIG-01').first().waitFor();
  assert.equal(page.url(), `${front.base}/mud/data`);
  await page.goBack();
  await pressure.waitFor();
  assert.equal(await page.evaluate(() => navigator.serviceWorker.ready.then((r) => r.scope)), `${front.base}/mud/`);
  assert.deepEqual(front.outside.filter((u) => u !== '/favicon.ico'), []);
  assert.deepEqual(faults, []);
});
