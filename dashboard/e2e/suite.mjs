// What a person does at the page, in a real browser, against whatever runs at `base`: the product (run.mjs) or the made-up
// drills (fake/run.mjs). Every wait is for the thing itself, with a limit; none is for time to pass.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import test from 'node:test';
import { DESK, PHONE } from './browser.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const WCAG = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

/** a model that any drill can be scored by; `shift` makes each version say something else */
export const pmml = (shift) => `<?xml version="1.0" encoding="UTF-8"?>
<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4"><Header description="mean standpipe pressure and ${shift}"/>
<DataDictionary numberOfFields="2"><DataField name="SPP__mean__10s" optype="continuous" dataType="double"/><DataField name="shifted" optype="continuous" dataType="double"/></DataDictionary>
<RegressionModel modelName="probe" functionName="regression"><MiningSchema><MiningField name="SPP__mean__10s" missingValueReplacement="0"/><MiningField name="shifted" usageType="target"/></MiningSchema>
<RegressionTable intercept="${shift}"><NumericPredictor name="SPP__mean__10s" coefficient="1"/></RegressionTable></RegressionModel></PMML>
`;

/** until asks f again and again until it gives something true; what it gave, or an error naming `what` after `ms`. */
export async function until(what, ms, f) {
  const end = Date.now() + ms;
  for (let last; ; ) {
    try { last = await f(); } catch (err) { last = null; if (Date.now() > end) throw err; }
    if (last) return last;
    if (Date.now() > end) throw new Error(`${what}: not within ${ms / 1000} s`);
    await new Promise((ok) => setTimeout(ok, 100));
  }
}

/** suite runs every test; open(options) gives a page that is signed in, on the base. */
export function suite({ browser, base, state, alarmWithin = 150000 }) {
  const foreign = [];
  async function open(t, path = '/', { size = DESK, theme = 'day', touch = false } = {}) {
    const context = await browser.newContext({ viewport: size, storageState: state(), hasTouch: touch, reducedMotion: 'reduce' });
    t.after(() => context.close());
    await context.addInitScript((th) => localStorage.setItem('mudpulse.theme', th), theme);
    const page = await context.newPage();
    page.setDefaultTimeout(15000);
    page.on('request', (r) => { const u = new URL(r.url()); if (!['data:', 'blob:'].includes(u.protocol) && u.host !== new URL(base).host) foreign.push(r.url()); });
    page.on('pageerror', (e) => { page.failed = e; });
    page.on('console', (m) => { if (m.type() === 'error' && /Content Security Policy|Uncaught/.test(m.text())) page.failed = new Error(m.text()); });
    await page.goto(base + path);
    return page;
  }
  const whole = (page) => assert.equal(page.failed, undefined, String(page.failed));
  const firstDrill = async (page) => { await page.locator('[data-drill]').first().waitFor(); return page.locator('[data-drill]').first().getAttribute('data-drill'); };

  test('nothing about the drills is shown before somebody signs in', async (t) => {
    const context = await browser.newContext();
    t.after(() => context.close());
    const page = await context.newPage();
    const seen = [];
    page.on('response', (r) => { if (r.url().includes('/api/v1/') && r.ok()) seen.push(r.url()); });
    await page.goto(base + '/alarms');
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    assert.deepEqual(seen, []);
    await page.goto(base + '/#signin=used-or-made-up');
    await page.getByRole('alert').waitFor();
    assert.equal(new URL(page.url()).hash, '');
  });

  test('the fleet lives: ages stay young, the clock moves, the demo says so', async (t) => {
    const page = await open(t);
    await firstDrill(page);
    const clock = () => page.getByTestId('clock').textContent();
    const before = await clock();
    await until('the clock moves', 8000, async () => (await clock()) !== before);
    await until('the data is young', 8000, async () => /^\d\.\d s$/.test((await page.getByTestId('data-age').textContent()) ?? ''));
    assert.match(await page.locator('header').first().innerText(), /demo\s+× 60/);
    assert.match(await page.getByTestId('answer').innerText(), /\.$/);
    whole(page);
  });

  test('values change live on an opened drill, and ink is added at the bottom', async (t) => {
    const page = await open(t);
    const id = await firstDrill(page);
    await page.locator(`[data-drill="${id}"]`).first().click();
    await page.waitForURL('**/d/*');
    const digits = () => page.locator('.ft[data-channel] .v').allInnerTexts();
    await until('readings come', 15000, async () => (await digits()).filter((x) => /\d/.test(x)).length >= 8);
    const first = await digits();
    await until('digits change', 10000, async () => (await digits()).filter((x, i) => x !== first[i]).length >= 3);
    const ink = () => page.locator('canvas').evaluate((c) => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let h = 0; for (let i = 0; i < d.length; i += 52) h = (h * 31 + d[i] + d[i + 1]) | 0; return h; });
    const was = await ink();
    await until('the strip moves', 8000, async () => (await ink()) !== was);
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByRole('button', { name: /^Live \+/ }).waitFor();
    const still = await until('the strip stands', 8000, async () => { const a = await ink(); await new Promise((ok) => setTimeout(ok, 700)); return a === (await ink()) ? a : 0; });
    assert.ok(still);
    whole(page);
  });

  test('the keyboard opens the worst drill and comes back', async (t) => {
    const page = await open(t);
    const id = await firstDrill(page);
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.waitForURL(`**/d/${encodeURIComponent(id)}`);
    await page.locator('h1', { hasText: id }).waitFor();
    await page.keyboard.press('Escape');
    await page.waitForURL(base + '/');
    await page.keyboard.press('g');
    await page.keyboard.press('a');
    await page.waitForURL('**/alarms');
    await page.keyboard.press('/');
    await page.getByRole('searchbox').fill(id);
    await page.keyboard.press('Enter');
    await page.waitForURL(`**/d/${encodeURIComponent(id)}`);
    whole(page);
  });

  test('an alarm is acknowledged, and everybody sees by whom', async (t) => {
    const page = await open(t, '/alarms'), other = await open(t, '/alarms');
    const row = page.locator('tr[data-status=unack]').first();
    await row.waitFor({ timeout: alarmWithin });
    const id = await row.getAttribute('data-alarm');
    const count = async (p) => Number(await p.getByTestId('unacked-1').innerText()) + Number(await p.getByTestId('unacked-2').innerText()) + Number(await p.getByTestId('unacked-3').innerText());
    const mine = page.locator(`tr[data-alarm="${id}"]`), theirs = other.locator(`tr[data-alarm="${id}"]`);
    await theirs.waitFor();
    if ((await mine.locator('button[aria-expanded]').getAttribute('aria-expanded')) !== 'true') await mine.locator('button[aria-expanded]').click();
    const sum = await count(page);
    await page.getByTestId('acknowledge').click();
    await until('I have it', 5000, async () => /You/.test(await mine.innerText()));
    await until('the others see it', 5000, async () => (await theirs.getAttribute('data-status')) === 'ack');
    if (sum) await until('one less is unanswered', 5000, async () => (await count(page)) !== sum);
    await page.reload();
    await until('it holds', 15000, async () => (await mine.getAttribute('data-status')) === 'ack');
    assert.match(await mine.innerText(), /You/);
    await page.getByRole('link', { name: 'Evidence' }).first().or(mine.locator('button')).first().click();
    await page.goto(`${base}/alarms/evidence?id=${encodeURIComponent(id)}`);
    await page.getByText('What happened').waitFor();
    await until('the record names who', 8000, async () => /Acknowledged by admin/.test(await page.locator('main').innerText()));
    whole(page);
  });

  test('a model is uploaded on the page, and its version is on the next score', async (t) => {
    const page = await open(t, '/models'), drill = await open(t);
    const name = `probe-${Date.now().toString(36)}`;
    const id = await firstDrill(drill);
    await drill.goto(`${base}/d/${encodeURIComponent(id)}/scores`);
    for (const version of [1, 2]) {
      await page.getByTestId('file').setInputFiles({ name: `${name}.pmml`, mimeType: 'application/xml', buffer: Buffer.from(pmml(version)) });
      await page.getByLabel('Called').fill(name);
      await page.getByRole('button', { name: /at once/ }).click();
      await page.getByRole('button', { name: 'Take it in' }).click();
      await page.getByTestId('told').filter({ hasText: `${name} ${version}` }).waitFor();
      await until(`version ${version} is listed as on`, 15000, async () => (await page.locator(`tr[data-model="${name}"]`).getAttribute('data-version')) === String(version));
      await until(`version ${version} scores`, 30000, async () => (await drill.locator(`tr[data-model="${name}"][data-version="${version}"]`).count()) > 0);
    }
    await page.getByRole('button', { name: /^Roll back to 1/ }).click();
    await until('version 1 scores again', 30000, async () => (await drill.locator(`tr[data-model="${name}"][data-version="1"]`).count()) > 0);
    await page.getByRole('button', { name: /^Take off/ }).click();
    await until('it is off', 15000, async () => /Off/.test(await page.locator(`tr[data-model="${name}"]`).innerText()));
    whole(page);
  });

  test('a file that is no PMML is refused with every reason, and nothing changes', async (t) => {
    const page = await open(t, '/models');
    await page.locator('tr[data-model]').first().waitFor();
    const before = await page.locator('tr[data-model]').count();
    await page.getByTestId('file').setInputFiles({ name: 'broken.pmml', mimeType: 'application/xml', buffer: Buffer.from('<html>no model</html>') });
    await page.getByRole('button', { name: 'Take it in' }).click();
    const told = page.getByTestId('refused');
    await told.waitFor();
    assert.match(await told.innerText(), /broken\.pmml was refused/);
    assert.match(await told.innerText(), /Nothing was changed/);
    assert.ok((await told.locator('li').count()) >= 1);
    await page.keyboard.press('Escape');
    assert.equal(await page.locator('tr[data-model]').count(), before);
    whole(page);
  });

  test('a device is added: its password is shown once, with a line to paste', async (t) => {
    const page = await open(t, '/data/devices/add');
    const drill = `RIG-T${Date.now() % 100000}`;
    await page.getByLabel('Drill').fill(drill);
    await page.getByRole('button', { name: 'Give it a password' }).click();
    await page.locator('[data-given=Password]').waitFor();
    assert.match(await page.locator('[data-given="Topic, JSON"]').innerText(), new RegExp(`${drill}/frames$`));
    assert.match(await page.locator('pre').innerText(), /mosquitto_pub/);
    await page.goto(base + '/data/devices');
    await page.getByText(drill).first().waitFor();
    whole(page);
  });

  for (const theme of ['day', 'night']) {
    test(`every screen is accessible by ${theme}, at a desk and on a phone`, async (t) => {
      const page = await open(t, '/', { theme });
      const id = await firstDrill(page);
      const alarm = await page.evaluate(() => fetch('/api/v1/alarms?state=history&limit=1').then((r) => r.json()).then((a) => a.alarms?.[0]?.id ?? ''));
      const paths = ['/', `/d/${id}`, `/d/${id}/scores`, '/alarms', '/alarms/history', '/alarms/shelved', '/models', '/data', '/data/quarantine', '/data/devices', '/data/devices/add', '/data/channels', '/nowhere', ...(alarm ? [`/alarms/evidence?id=${encodeURIComponent(alarm)}`] : [])];
      const faults = [];
      for (const size of [DESK, PHONE]) {
        await page.setViewportSize(size);
        for (const path of paths) {
          await page.goto(base + path);
          await page.locator('main h1, main [data-testid=answer]').first().waitFor();
          await page.evaluate(axe);
          const r = await page.evaluate((tags) => globalThis.axe.run(document, { runOnly: tags, resultTypes: ['violations'] }), WCAG);
          for (const v of r.violations) faults.push(`${path} at ${size.width}: ${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.target.join(' ') + ' ' + (n.any[0]?.message ?? n.all[0]?.message ?? '')).join(' | ')}`);
          const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          if (wide > 0) faults.push(`${path} at ${size.width}: ${wide} px wider than the screen`);
        }
      }
      assert.deepEqual(faults, []);
      whole(page);
    });
  }

  test('at night the first paint is dark, before any script of the page runs', async (t) => {
    const context = await browser.newContext({ storageState: state() });
    t.after(() => context.close());
    await context.addInitScript(() => localStorage.setItem('mudpulse.theme', 'night'));
    const page = await context.newPage();
    await page.route('**/assets/*.js', (r) => r.abort());
    await page.goto(base);
    assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), 'rgb(35, 39, 43)');
  });

  test('no request left the site', () => assert.deepEqual(foreign, []));
  return { open, firstDrill };
}
