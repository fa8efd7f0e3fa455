// Old numbers look old, on every address that route.ts knows: a device of the test's own sends readings that are like no other
// number, and falls silent. What it sent may be shown, but nowhere as if it were of now.
import assert from 'node:assert/strict';
import test from 'node:test';
import { DESK, launch, PHONE } from './browser.mjs';
import { Device } from './mqtt.mjs';
import { Product } from './product.mjs';
import { routes, until } from './suite.mjs';

const SENT = { HKLD: 1113.7, WOB: 91.3, RPM: 117, TQ: 15.37, SPP: 23.47, FLIN: 2117, FLOUT: 2093, PVT: 61.9, DBTM: 2983.7, ROP: 19.3 };

test('a drill that fell silent, and one that never spoke, look so on every address', { timeout: 240000 }, async (t) => {
  const own = new Product(['--demo=false']), browser = await launch();
  t.after(async () => { await browser.close(); await own.close(); });
  await own.start();
  const device = new Device(await own.device('RIG-01'));
  await device.open();
  t.after(() => device.close());
  await own.call('PUT', '/drills/RIG-02', { field: 'North' });
  const gone = new Device(await own.device('RIG-03')); // what it sent last is older than a minute
  await gone.open();
  t.after(() => gone.close());
  for (let i = 0; i < 20; i++) gone.publish(JSON.stringify({ boot: 'a', seq: i + 1, ts: Date.now() - 120000 + i * 1000, channels: SENT }));
  let seq = 0;
  const speaking = setInterval(() => device.publish(JSON.stringify({ boot: 'a', seq: ++seq, ts: Date.now(), channels: SENT })), 500);
  t.after(() => clearInterval(speaking));
  const { every } = await routes();
  const sizes = [];
  for (const [name, viewport] of [['desk', DESK], ['phone', PHONE]]) {
    const page = await (await browser.newContext({ viewport, storageState: sizes[0] ? await sizes[0].page.context().storageState() : undefined, reducedMotion: 'reduce' })).newPage();
    page.setDefaultTimeout(30000);
    await page.goto(sizes[0] ? own.base : own.link);
    await page.locator('[data-drill="RIG-01"]').first().waitFor({ state: 'attached' });
    await page.evaluate(go, '/d/RIG-01');
    sizes.push({ name, page });
  }
  const { page } = sizes[0];
  // As the page writes them, in the units it shows.
  const feet = () => page.locator('.ft[data-channel] .v').allInnerTexts();
  await until('readings are shown', 60000, async () => (await feet()).filter((x) => /\d/.test(x)).length >= 9);
  const shown = (await feet()).filter((x) => /\d.*\d.*\d/.test(x));
  assert.ok(shown.includes('2,983.7') && shown.length >= 6, `shown: ${shown.join(' ')}`);
  assert.ok((await page.evaluate(fresh, shown)).length > 5, 'while it speaks its numbers are not marked: the check sees them');

  clearInterval(speaking);
  await until('it is stale', 60000, async () => (await page.evaluate(fresh, shown)).length === 0);
  const walk = async (what, drill) => {
    for (const { name, page: p } of sizes) {
      for (const path of every({ drill, device: 'none', model: 'none', alarm: '', waveform: '', at: 0 })) {
        await p.evaluate(go, path);
        await until(`${path} at ${name} is shown`, 20000, () => p.evaluate(() => (document.querySelector('main')?.innerText ?? '').length > 20));
        const black = await p.evaluate(fresh, shown);
        assert.deepEqual(black, [], `${what}, ${path} at ${name}: as if of now`);
      }
    }
  };
  await walk('stale', 'RIG-01');
  await page.evaluate(go, '/d/RIG-03');
  await until('its silence is said', 20000, async () => /RIG-03 is silent since/.test(await page.getByTestId('answer').textContent()));
  await walk('silent', 'RIG-03');
  // While its hour is read that is said where it will stand, and nothing moves when it comes; that it could not be read is said too.
  await page.evaluate(go, '/');
  let answers = () => new Promise(() => undefined);
  await page.route('**/series?*', (r) => answers(r));
  await page.evaluate(go, '/d/RIG-01');
  await page.getByText('Reading 1 h of history …').waitFor();
  const place = () => page.locator('.paper canvas').boundingBox(), empty = await place();
  answers = (r) => r.abort();
  await page.getByRole('button', { name: '10 min' }).click();
  await page.getByText('Not all of it could be read. The server does not answer.').waitFor();
  answers = (r) => r.continue();
  await page.getByRole('button', { name: 'Read it again' }).click();
  await page.locator('.unread').waitFor({ state: 'detached' });
  assert.deepEqual(await place(), empty);
  await page.unrouteAll({ behavior: 'ignoreErrors' });
  // One that never spoke: nothing is told of it, and that is said.
  await page.evaluate(go, '/d/RIG-02');
  await until('that it never spoke is said', 20000, async () => /RIG-02 is silent\./.test(await page.getByTestId('answer').textContent()));
  assert.equal((await page.locator('.ft[data-channel] .v').allInnerTexts()).filter((x) => /\d/.test(x)).length, 0);
  await page.evaluate(go, '/');
  await until('the fleet names it', 20000, async () => /never reported/.test(await page.locator('[data-drill="RIG-02"]').first().innerText()));
});

test('a page says that its session was ended, that it was asleep, and that the server has another build', { timeout: 120000 }, async (t) => {
  const own = new Product(['--demo=false']), browser = await launch();
  t.after(async () => { await browser.close(); await own.close(); });
  await own.start();
  const context = await browser.newContext({ viewport: DESK, reducedMotion: 'reduce' }), page = await context.newPage();
  page.setDefaultTimeout(20000);
  await page.addInitScript(() => { // its line can be made deaf, as a laptop's is that slept; its calendar goes on meanwhile
    const now = Date.now.bind(Date);
    globalThis.deaf = false; globalThis.slept = 0; globalThis.lines = [];
    Date.now = () => now() + globalThis.slept;
    globalThis.WebSocket = class extends WebSocket {
      constructor(...a) { super(...a); globalThis.lines.push(this); }
      set onmessage(f) { super.onmessage = f && ((e) => { if (!globalThis.deaf) f(e); }); }
    };
  });
  await page.goto(own.link);
  await page.getByText('No drill', { exact: false }).first().waitFor();
  await page.evaluate(go, '/data/devices');
  await page.getByText('No device is known here.').waitFor();
  await page.evaluate(() => { globalThis.deaf = true; globalThis.slept = 600000; });
  await page.getByText('Not connected for').waitFor();
  assert.ok(await page.evaluate(() => Number(getComputedStyle(document.querySelector('main')).opacity) < 1), 'numbers of a lost line are faint');
  await page.evaluate(() => { globalThis.deaf = false; });
  await page.getByText('Not connected for').waitFor({ state: 'detached' });

  // Another build: the server's first page names another script than this one's.
  await page.evaluate(() => { document.querySelector('script[type=module][src]').setAttribute('src', '/assets/older.js'); globalThis.lines.at(-1).close(); });
  await page.getByText('The server runs another version than this page.').waitFor();
  await Promise.all([page.waitForEvent('load'), page.getByRole('button', { name: 'Load it anew' }).click()]);
  await page.getByText('No device is known here.').waitFor();
  assert.equal(await page.getByText('another version').count(), 0);

  // Its session is ended from elsewhere: said, at the same address, and signing in leads back.
  const [{ id }] = (await own.call('GET', '/sessions')).filter((s) => s.name === 'admin');
  await own.call('DELETE', `/sessions/${id}`);
  await page.getByText('You are no longer signed in here.').waitFor();
  assert.equal(new URL(page.url()).pathname, '/data/devices');
  await page.getByLabel('The link, or what stands after').fill(own.token);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('No device is known here.').waitFor();
  assert.equal(await page.getByText('no longer signed in').count(), 0);
});

/** go moves within the page, as a link does. */
function go(path) { history.pushState(null, '', path); dispatchEvent(new PopStateEvent('popstate')); }

/** fresh lists what is shown of these texts without a mark of age: not hatched, and not in the grey of what is old. */
function fresh(texts) {
  const grey = document.createElement('i'), out = [];
  grey.style.color = 'var(--ink-3)';
  document.body.append(grey);
  const old = getComputedStyle(grey).color;
  grey.remove();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let n = walker.nextNode(); n; n = walker.nextNode()) {
    const text = texts.find((x) => n.data.includes(x)), el = n.parentElement;
    if (!text || !el.checkVisibility() || el.closest('.hatched') || getComputedStyle(el).color === old) continue;
    out.push(`${text} in ${el.closest('[class]')?.className ?? el.tagName}: ${n.data.slice(0, 60)}`);
  }
  return out;
}
