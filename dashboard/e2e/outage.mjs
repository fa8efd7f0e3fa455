// What an open page does when the server is killed, stopped, or started again: it starts and stops a mudpulse of its own,
// PRODUCT, and so stands beside suite.mjs.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { DESK, launch } from './browser.mjs';
import { free, Product } from './product.mjs';
import { until } from './suite.mjs';

test('a page says within three seconds that the server is gone, and catches up without gap, double or lost place', { timeout: 280000 }, async (t) => {
  const own = new Product([], await free()), browser = await launch();
  t.after(async () => { await browser.close(); await own.close(); });
  await own.start();
  const { base, link } = own;
  const page = await (await browser.newContext({ viewport: { ...DESK, height: 420 }, reducedMotion: 'reduce' })).newPage();
  page.setDefaultTimeout(30000);
  // By the page's own clock: when it heard something last, when its line was shut, and when the banner stood in the document.
  await page.addInitScript(() => {
    localStorage.setItem('mudpulse.debug', 'on');
    const own = (globalThis.line = { heard: 0, shut: 0, said: 0, on: false });
    globalThis.WebSocket = class extends WebSocket { constructor(...a) { super(...a); this.addEventListener('message', () => { own.heard = performance.now(); }); this.addEventListener('close', () => { if (!own.on) own.shut = performance.now(); }); } };
    new MutationObserver(() => { const on = /Not connected/.test(document.querySelector('.banner')?.textContent ?? ''); if (on && !own.on) own.said = performance.now(); own.on = on; }).observe(document, { subtree: true, childList: true, characterData: true });
  });
  const measured = {};
  await page.goto(link);
  await page.locator('[data-drill]').first().waitFor();
  await page.goto(`${base}/d/RIG-07`);
  await page.locator('.ft[data-channel=SPP] .v').waitFor();
  // Times of the pressure as the strip holds them, ms, and the widest hole between two of them.
  const strip = () => page.evaluate(() => { const c = globalThis.mudpulse.columns.get('SPP'), t = [...c.t.slice(c.from, c.to)]; let hole = 0, doubles = 0; for (let i = 1; i < t.length; i++) { hole = Math.max(hole, t[i] - t[i - 1]); if (t[i] <= t[i - 1]) doubles++; } return { n: t.length, first: t[0], last: t[t.length - 1], hole, doubles }; });
  const banner = page.getByText('Not connected for');
  await until('the strip has readings, joined', 60000, async () => { const s = await strip(); return s.n > 60 && s.hole < 30000; });
  const pane = page.locator('section.right');
  await pane.evaluate((el) => { el.scrollTop = 60; });
  const place = await pane.evaluate((el) => el.scrollTop);

  // Stopped, as a machine that swaps or a laptop that sleeps.
  const before = await strip();
  own.signal('SIGSTOP');
  const stopped = Date.now();
  await banner.waitFor({ timeout: 10000 });
  const said = Date.now() - stopped;
  measured.pause = await page.evaluate(() => Math.round(line.said - line.heard));
  assert.ok(said <= 6000, `said after ${said} ms: it is to be said within 3 s, and this machine may be busy`);
  await page.getByText(/Not connected for (3\d|[4-9]\d) s/).waitFor({ timeout: 60000 }); // half a minute
  own.signal('SIGCONT');
  await banner.waitFor({ state: 'detached', timeout: 40000 });
  await until('what passed meanwhile is drawn, without a hole', 60000, async () => { const s = await strip(); return s.last > before.last + 1800000 && s.hole < 30000; });
  const after = await strip();
  assert.equal(after.doubles, 0);
  assert.equal(await pane.evaluate((el) => el.scrollTop), place);

  // Killed, and started again: the same page goes on, signed in.
  own.signal('SIGKILL');
  await banner.waitFor({ timeout: 10000 });
  measured.kill = await page.evaluate(() => Math.round(line.said - line.shut));
  await own.ended();
  const kept = await strip();
  await own.start();
  await banner.waitFor({ state: 'detached', timeout: 90000 });
  await until('new readings are drawn after the old', 60000, async () => { const s = await strip(); return s.last > kept.last && s.doubles === 0; });
  assert.equal(await pane.evaluate((el) => el.scrollTop), place);

  // Away while its clock is put two hours forward: said within three seconds of the line, and nothing old looks new.
  own.signal('SIGKILL');
  await own.ended();
  const file = join(own.dir, 'demo.json'), state = JSON.parse(readFileSync(file, 'utf8'));
  writeFileSync(file, JSON.stringify({ ...state, now: new Date(Date.parse(state.now) + 7200000).toISOString() }));
  await page.evaluate(() => { // wherever on the page it is said, and whichever banner stands first
    const look = () => { const said = document.body.textContent; if (/Not connected/.test(said)) globalThis.away = performance.now(); else if (/clock moved/.test(said)) globalThis.moved ??= performance.now(); };
    globalThis.away = performance.now();
    look();
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  await own.start();
  await page.getByText(/The server’s clock moved forward by [12] h/).waitFor({ timeout: 90000 });
  const late = await page.evaluate(() => globalThis.moved - globalThis.away);
  assert.ok(late <= 6000, `said ${late} ms after the line came back: it is to be said within 3 s, and this machine may be busy`);
  await until('the strip is of the new time, without doubles', 60000, async () => { const s = await strip(); return s.last > kept.last + 6000000 && s.doubles === 0 && s.n > 10; });
  assert.equal(await pane.evaluate((el) => el.scrollTop), place);
  for (const [what, ms] of Object.entries(measured)) assert.ok(ms >= 0 && ms <= 6000, `${what} was said after ${ms} ms`);
  t.diagnostic(`by the page's own clock: a pause was said ${measured.pause} ms after the last message, a kill ${measured.kill} ms after the line was shut, a moved clock ${Math.round(late)} ms after the line came back`);
  t.diagnostic(`silence was said ${said} ms after it began; the jump ${Math.round(late)} ms after the line came back`);
});

test('a laptop whose own clock is put forward and back sees young readings all the while', async (t) => {
  const own = new Product(), browser = await launch();
  t.after(async () => { await browser.close(); await own.close(); });
  await own.start();
  const page = await (await browser.newContext({ viewport: DESK, reducedMotion: 'reduce' })).newPage();
  await page.addInitScript(() => { const now = Date.now.bind(Date); globalThis.shift = 0; Date.now = () => now() + globalThis.shift; });
  await page.goto(own.link);
  const young = () => until('the data is young', 30000, async () => /^\d\.\d s$/.test((await page.getByTestId('data-age').textContent()) ?? ''));
  await young();
  for (const shift of [86400000, -86400000, 0]) {
    await page.evaluate((x) => { globalThis.shift = x; }, shift);
    const before = await page.getByTestId('clock').textContent();
    await until('the rig\'s clock goes on', 8000, async () => (await page.getByTestId('clock').textContent()) !== before);
    await young();
    assert.equal(await page.locator('.banner .hatched').count(), 0);
  }
});
