// What a person does at the page, in a real browser, against the product that runs at `base` (run.mjs).
// Every wait is for the thing itself, with a limit; none is for time to pass.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import test from 'node:test';
import ts from 'typescript';
import { DESK, PHONE } from './browser.mjs';
import { publish } from './mqtt.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const WCAG = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

/** routes is src/route.ts, which knows every screen there is. */
export const routes = () => import('data:text/javascript,' + encodeURIComponent(ts.transpileModule(readFileSync(new URL('../src/route.ts', import.meta.url), 'utf8'), { compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 } }).outputText));

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

/** inaccessible lists what axe-core finds against WCAG 2.2 AA on a page as it stands, and whether it is wider than the screen. */
export async function inaccessible(page, where) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate((tags) => globalThis.axe.run(document, { runOnly: tags, resultTypes: ['violations'] }), WCAG);
  const faults = violations.map((v) => `${where}: ${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.target.join(' ') + ' ' + (n.any[0]?.message ?? n.all[0]?.message ?? '')).join(' | ')}`);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  return wide > 0 ? [...faults, `${where}: ${wide} px wider than the screen`] : faults;
}

/** suite runs every test; open(options) gives a page that is signed in, on the base. */
export function suite({ browser, base, state, alarmWithin = 150000 }) {
  const foreign = [];
  async function open(t, path = '/', { size = DESK, theme = 'day', touch = false, locale = 'en-GB' } = {}) {
    const context = await browser.newContext({ viewport: size, storageState: state(), hasTouch: touch, locale, reducedMotion: 'reduce' });
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

  test('while the alarms are still being read, a drill that has one is not said to be well', async (t) => {
    const page = await open(t, '/alarms');
    await page.locator('tr[data-status=unack]').first().waitFor({ timeout: alarmWithin });
    const { alarms } = await page.evaluate(() => fetch('/api/v1/alarms?state=active&limit=100').then((r) => r.json()));
    const alarm = alarms.filter((a) => a.status === 'unack').sort((a, b) => a.priority - b.priority)[0];
    let held = 0;
    await page.route('**/api/v1/alarms?*', () => { held++; }); // never answered
    await page.goto(`${base}/d/${encodeURIComponent(alarm.drill)}`);
    await until('its alarm is said', 20000, async () => (await page.locator('main').innerText()).includes(alarm.title));
    assert.ok(held > 0);
    await page.unrouteAll();
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

  test('a technician adds a device, sees its first frame, mends what was set aside and sends it again', async (t) => {
    const page = await open(t, '/data/devices/add');
    const drill = `RIG-T${Date.now() % 100000}`;
    await page.getByLabel('Drill', { exact: true }).fill(drill);
    await page.getByRole('button', { name: 'Give it a password' }).click();
    const given = async (k) => (await page.locator(`[data-given="${k}"]`).innerText()).trim();
    await page.locator('[data-given=password]').waitFor();
    assert.match(await given('topic'), new RegExp(`${drill}/frames$`));
    assert.match(await page.locator('pre').innerText(), /mosquitto_pub/);
    const [host, port] = (await given('server')).split(' : ');
    const device = { host, port: Number(port), username: await given('user'), password: await given('password'), topic: await given('topic') };
    const clock = await page.evaluate(() => fetch('/api/v1/meta').then((r) => r.json()).then((m) => Date.parse(m.clock.now)));

    await page.getByLabel('A message as the device').fill(`{"boot":"b","seq":1,"ts":${clock},"channels":{"SPP":3250}}`);
    await page.getByRole('button', { name: 'Try it' }).click();
    await until('a pressure in psi is said to be set aside', 10000, async () => /SPP/.test(await page.locator('.told').allInnerTexts().then((x) => x.join())));
    await page.getByLabel('A message as the device').fill(`{"boot":"b","seq":1,"ts":${clock},"channels":{"SPP":22.4}}`);
    await page.getByRole('button', { name: 'Try it' }).click();
    await until('the right one would be taken', 10000, async () => /taken whole/.test(await page.getByTestId('verdict').innerText()));

    await publish(device, ['{"boot":"b","seq":1,"ts":']);
    await page.locator('[data-step=message][data-seen=true]').waitFor({ timeout: 60000 });
    await page.getByRole('alert').filter({ hasText: 'set aside' }).waitFor({ timeout: 60000 });
    await publish(device, [2, 3, 4].map((seq) => `{"boot":"b","seq":${seq},"ts":${clock + seq * 1000},"channels":{"SPP":{"every_ms":100,"values":[22.4,22.5]},"WOB":97}}`));
    for (const step of ['connected', 'read', 'stored', 'glass']) await page.locator(`[data-step=${step}][data-seen=true]`).waitFor({ timeout: 90000 });
    await page.getByTestId('answer').filter({ hasText: `${drill} sends.` }).waitFor();

    await page.goto(`${base}/data/quarantine`);
    const row = page.locator('tr', { hasText: drill }).first();
    await row.getByRole('button', { name: 'Mend and send again' }).click();
    await page.getByRole('button', { name: 'Send it again as it was' }).click();
    await page.getByRole('alert').filter({ hasText: 'Nothing was sent' }).waitFor();
    await page.getByLabel('The message, to be mended').fill(`{"boot":"b","seq":1,"ts":${clock + 1000},"channels":{"SPP":22.4}}`);
    await page.getByRole('button', { name: 'Send the mended message' }).click();
    await page.getByTestId('driven').waitFor();
    await until('the mended frame is in the store', 30000, async () => (await page.evaluate((d) => fetch(`/api/v1/ledger?drill=${d}`).then((r) => r.json()), drill)).rows[0]?.stored === 4);

    // Its pressures come in psi: the list of its names is mended, tried on what waits, and what waits goes again.
    const ledger = () => page.evaluate((d) => fetch(`/api/v1/ledger?drill=${d}`).then((r) => r.json()), drill);
    const aside = () => page.evaluate((u) => fetch('/api/v1/quarantine?limit=200').then((r) => r.json()).then((q) => q.items.filter((x) => x.device === u && !x.driven.length).length), device.username);
    await publish(device, [5, 6].map((seq) => `{"boot":"b","seq":${seq},"ts":${clock + seq * 1000},"channels":{"SPP":3250,"WOB":97}}`));
    await until('both pressures are set aside', 60000, async () => (await aside()) === 2);
    await page.goto(`${base}/data/quarantine`);
    await page.locator('tr', { hasText: drill }).first().getByRole('button', { name: 'Mend and send again' }).click();
    await page.getByRole('link', { name: `Names and units of ${device.username}` }).click();
    await page.getByTestId('answer').filter({ hasText: `Two messages of ${device.username} wait` }).waitFor();
    await page.getByLabel('Unit of SPP').fill('kN');
    await page.getByRole('button', { name: 'Try on what waits' }).click();
    await page.getByRole('alert').filter({ hasText: 'cannot become the MPa of SPP' }).waitFor();
    await page.getByLabel('Unit of SPP').fill('psi');
    await page.getByRole('button', { name: 'Try on what waits' }).click();
    await page.locator('[data-fine=true]').nth(1).waitFor();
    await page.getByRole('button', { name: 'Keep, and send what waits again' }).click();
    await page.getByTestId('told').filter({ hasText: 'Two messages were sent again' }).waitFor();
    await until('their pressures are in the store', 30000, async () => { const r = await page.evaluate((d) => fetch(`/api/v1/drills/${d}/series?channels=SPP&from=-1h&points=400`).then((x) => x.json()), drill); return r.series[0].last.filter((v) => v != null && Math.abs(v - 22.408) < 0.01).length === 2; });
    await publish(device, [`{"boot":"b","seq":7,"ts":${clock + 7000},"channels":{"SPP":3250}}`]);
    await until('the next message is read so at once', 30000, async () => (await ledger()).rows[0]?.stored === 7 && (await aside()) === 0);

    await page.goto(`${base}/data/devices`);
    const mine = page.locator('tr', { hasText: device.username });
    await mine.getByRole('button', { name: 'New password' }).click();
    await page.getByRole('button', { name: 'Make a new password' }).click();
    await until('another password', 10000, async () => { const p = await page.locator('[data-given=password]').innerText(); return p && p !== device.password; });
    await page.getByRole('button', { name: 'Done' }).click();
    await assert.rejects(publish(device, ['{}']), /refused/);
    await mine.getByRole('button', { name: 'Revoke' }).click();
    await page.getByRole('button', { name: 'Revoke it' }).click();
    await until('it is gone', 10000, async () => (await mine.count()) === 0);
    whole(page);
  });

  test('an administrator lets an operator in, who may answer and not change; a token opens what its role may', async (t) => {
    const page = await open(t, '/admin');
    const name = `Op ${Date.now().toString(36)}`;
    await page.getByRole('button', { name: 'Invite somebody' }).click();
    await page.getByLabel('Name', { exact: true }).fill(name);
    await page.getByRole('dialog').getByRole('button', { name: 'Operator' }).click();
    await page.getByRole('button', { name: 'Make the link' }).click();
    const link = await page.getByTestId('link').innerText();
    await page.getByRole('button', { name: 'Done' }).click();
    const context = await browser.newContext();
    t.after(() => context.close());
    const other = await context.newPage();
    await other.goto(base + link.slice(link.indexOf('/#')));
    await other.getByTestId('answer').waitFor();
    assert.equal(await other.getByRole('link', { name: 'Administration' }).count(), 0);
    const asked = (path, method = 'GET') => other.evaluate(([p, m]) => fetch(p, { method: m }).then((r) => r.status), [path, method]);
    assert.deepEqual([await asked('/api/v1/people'), await asked('/api/v1/drills'), await asked('/api/v1/devices/x', 'DELETE')], [403, 200, 403]);
    await other.goto(`${base}/admin`);
    await other.getByText('This is for administrators.').waitFor();
    await page.getByRole('button', { name: 'Make a token…' }).click();
    await page.getByLabel('For', { exact: true }).fill(`tok ${name}`);
    await page.getByRole('button', { name: 'Make the token' }).click();
    const secret = await page.getByTestId('secret').innerText();
    await page.getByRole('button', { name: 'Done' }).click();
    const bearer = (path) => fetch(base + path, { headers: { Authorization: `Bearer ${secret}` } }).then((r) => r.status);
    assert.deepEqual([await bearer('/api/v1/drills'), await bearer('/api/v1/tokens')], [200, 403]);
    await page.locator(`tr[data-token="tok ${name}"]`).getByRole('button', { name: 'Take away' }).click();
    assert.equal(await bearer('/api/v1/drills'), 200, 'it is asked once more');
    await page.getByRole('button', { name: 'Take away for good' }).click();
    await until('the token is dead', 10000, async () => (await bearer('/api/v1/drills')) === 401);
    await page.locator(`tr[data-person="${name}"]`).getByRole('button', { name: 'Change…' }).click();
    await page.getByRole('button', { name: 'Close: shut out now' }).click();
    await until('they are out', 10000, async () => (await asked('/api/v1/drills')) === 401);
    whole(page);
  });

  test('the handover says what is worse and who has it; the wall says the same large', async (t) => {
    const page = await open(t);
    await firstDrill(page);
    await page.keyboard.press('w');
    await page.waitForURL('**/handover');
    await page.getByRole('heading', { name: /^What changed since \d\d:\d\d$/ }).waitFor();
    assert.match(await page.getByTestId('answer').innerText(), /\.$/);
    await page.keyboard.press('Escape');
    await page.waitForURL(base + '/');
    const said = await page.getByTestId('answer').innerText();
    await page.goto(base + '/wall');
    await until('the wall answers', 10000, async () => (await page.getByTestId('answer').innerText()).length > 10);
    assert.ok(said);
    whole(page);
  });

  test('the past is replayed: the playhead moves, and a threshold dragged says when it would have spoken', async (t) => {
    const page = await open(t, '/replay');
    await page.waitForURL('**/replay/*');
    await until('it says something', 30000, async () => /At |No alarm/.test(await page.getByTestId('answer').innerText()));
    const head = () => page.getByLabel('Playhead', { exact: true }).inputValue();
    await until('a period is laid', 15000, async () => Number(await head()) > 1e12);
    await page.keyboard.press('[');
    await page.getByRole('button', { name: '×1000' }).click();
    const was = await page.getByTestId('answer').innerText();
    for (let i = 0; i < 8; i++) await page.keyboard.press('ArrowLeft');
    await until('the sentence follows the threshold', 8000, async () => (await page.getByTestId('answer').innerText()) !== was);
    await page.getByLabel('Playhead', { exact: true }).evaluate((el) => { el.value = String(Number(el.min) + 600000); el.dispatchEvent(new Event('input', { bubbles: true })); });
    const before = Number(await head());
    await page.getByRole('button', { name: 'Play' }).click();
    await until('the playhead moves', 8000, async () => Number(await head()) > before + 60000);
    whole(page);
  });

  for (const theme of ['day', 'night']) {
    test(`every screen is accessible by ${theme}, at a desk and on a phone`, async (t) => {
      const page = await open(t, '/', { theme });
      const id = await firstDrill(page);
      const get = (path) => page.evaluate((p) => fetch('/api/v1' + p).then((r) => r.json()).catch(() => ({})), path);
      const { devices } = await get('/devices'), { alarms } = await get('/alarms?state=history&limit=1'), { models } = await get('/models'), { waveforms } = await get(`/drills/${encodeURIComponent(id)}/waveforms`), { clock } = await get('/meta');
      const paths = (await routes()).every({ drill: id, device: devices?.[0]?.id ?? 'none', model: models?.[0]?.name ?? 'none', alarm: alarms?.[0]?.id ?? '', waveform: waveforms?.[0] ? `${waveforms[0].channel}@${waveforms[0].at}` : '', at: Date.parse(clock.now) - 300000 });
      const faults = [];
      for (const path of paths) {
        await page.setViewportSize(DESK);
        await page.goto(base + path);
        for (const size of [DESK, PHONE]) {
          await page.setViewportSize(size);
          await page.locator('main h1, main [data-testid=answer]').first().waitFor({ state: 'attached' });
          await page.getByText(/^Reading .* …$/).first().waitFor({ state: 'detached' });
          faults.push(...(await inaccessible(page, `${path} at ${size.width}`)));
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
  return { open, firstDrill, whole };
}
