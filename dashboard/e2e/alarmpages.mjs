// The pages behind the alarms, at a mudpulse of the test's own with one drill: the rules that raise them, the parts they
// are about, and who is told.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { DESK, launch, PHONE } from './browser.mjs';
import { Device } from './mqtt.mjs';
import { free, Product } from './product.mjs';
import { inaccessible, until } from './suite.mjs';

const own = new Product(['--demo=false']), id = 'RIG-01';
let browser, device, beat;

before(async () => {
  browser = await launch();
  await own.start();
  device = new Device(await own.device(id));
  await device.open();
  let seq = 0;
  const frame = (ts) => device.publish(JSON.stringify({ boot: 'b', seq: ++seq, ts, channels: { SPP: { every_ms: 100, values: Array(10).fill(22.4) }, FLIN: 2100 } }));
  for (let i = 120; i > 1; i--) frame(Date.now() - i * 1000);
  beat = setInterval(() => frame(Date.now() - 1000), 1000);
  await until('two minutes are stored', 60000, async () => (await own.call('GET', '/ledger')).totals.stored >= 100);
}, { timeout: 240000 });
after(async () => { clearInterval(beat); device?.close(); await browser?.close(); await own.close(); });

/** as signs somebody in and opens a path; the page's errors fail the test. */
async function as(t, role, path, size = DESK) {
  const context = await browser.newContext({ viewport: size, reducedMotion: 'reduce' }), page = await context.newPage();
  page.setDefaultTimeout(20000);
  page.on('pageerror', (e) => { page.failed = e; });
  t.after(async () => { await context.close(); assert.equal(page.failed, undefined, String(page.failed)); });
  const { link } = await own.call('POST', '/people', { name: `${role} ${Date.now().toString(36)}${Math.random().toString(36).slice(2, 6)}`, role });
  await page.goto(own.base + '/' + link.slice(link.indexOf('#')));
  await page.getByTestId('answer').waitFor();
  await page.goto(own.base + path);
  return page;
}
async function lead(page, what) {
  let said = '';
  try { await until('', 30000, async () => { said = await page.locator('section.answer').innerText(); return what.test(said); }); } catch { assert.match(said, what); }
}

test('an engineer edits a rule, sees what it would have done, puts it in force and goes back', { timeout: 240000 }, async (t) => {
  const page = await as(t, 'engineer', '/alarms');
  await page.getByRole('link', { name: 'Rules' }).click();
  await page.waitForURL('**/alarms/rules');
  await lead(page, /rules watch, version \d+/);
  const first = Number(/version (\d+)/.exec(await page.getByTestId('answer').innerText())[1]);
  const row = page.locator('tr[data-rule="standpipe-pressure-high"]');
  await row.getByRole('button').click();
  await page.getByTestId('limit').fill('20');
  await page.getByTestId('on-delay').fill('5 seconds');
  await page.getByTestId('on-delay').blur();
  await lead(page, /1 rule is edited and not in force/);
  assert.match(await row.innerText(), /edited/);
  await page.getByRole('button', { name: 'Try them on the past' }).click();
  await page.getByRole('alert').filter({ hasText: 'write it as "90s" or "5m"' }).waitFor();
  await page.getByTestId('on-delay').fill('5s');
  await page.getByTestId('on-delay').blur();
  assert.ok(await page.getByRole('button', { name: 'Put in force untried' }).isDisabled(), 'untried it needs a reason');
  await page.getByRole('button', { name: 'Try them on the past' }).click();
  const tried = page.getByTestId('tried');
  await tried.waitFor({ timeout: 90000 });
  assert.match(await tried.innerText(), /They would have raised 1 alarm where those in force raise 0: 1 gained/);
  assert.match(await tried.locator('tr[data-count="standpipe-pressure-high"]').innerText(), /^standpipe-pressure-high\s+0\s+1\s+1/);
  assert.equal((await own.call('GET', '/alarms')).alarms.length, 0, 'a trial raises nothing');
  await page.getByLabel('Why', { exact: true }).fill('the hose is rated for 20 MPa');
  await page.getByRole('button', { name: 'Put in force', exact: true }).click();
  await lead(page, new RegExp(`version ${first + 1}`));
  await until('the new limit raises an alarm', 60000, async () => (await own.call('GET', '/alarms')).alarms.some((a) => a.rule === 'standpipe-pressure-high' && a.limit === 20));
  const version = page.locator(`tr[data-version="${first + 1}"]`);
  assert.match(await version.innerText(), /the hose is rated for 20 MPa Tried: They would have raised 1 alarm/);
  await page.locator(`tr[data-version="${first}"]`).getByRole('button', { name: 'Back to this' }).click();
  await page.getByLabel('Why back').fill('a sensor was at fault');
  await page.getByRole('button', { name: `Put version ${first} in force again` }).click();
  await lead(page, new RegExp(`version ${first + 2}`));
  const back = await own.call('GET', '/rules');
  assert.equal(back.rules.find((r) => r.id === 'standpipe-pressure-high').limit, 38);
  assert.equal(back.note, `version ${first} again: a sensor was at fault`);
  await until('its alarm is over by the old limit', 90000, async () => (await own.call('GET', '/alarms')).alarms.every((a) => a.cleared));
});

test('an operator reads the rules and may not change them', async (t) => {
  const page = await as(t, 'operator', '/alarms/rules', PHONE);
  await page.locator('tr[data-rule="stick-slip"]').getByRole('button').click();
  await until('the form is there, shut', 15000, () => page.getByTestId('limit').isDisabled());
  assert.equal(await page.getByRole('button', { name: /Try them|Put in force|Copy|Take this rule away|Back to this/ }).count(), 0);
  await page.getByRole('button', { name: 'All rules' }).click();
  await page.locator('tr[data-rule="stick-slip"]').waitFor();
});

test('a technician puts a bit in and takes it out, and the page counts its hours', async (t) => {
  const page = await as(t, 'engineer', '/data/equipment');
  await lead(page, /No part of RIG-01 is known/);
  await page.getByRole('button', { name: /^Part in/ }).click();
  await page.getByLabel('Position').fill('bit');
  await page.getByLabel('Serial number').fill('SN 1 ');
  await page.getByRole('button', { name: 'Put it in', exact: true }).click();
  await page.getByRole('alert').waitFor();
  await page.getByLabel('Serial number').fill('SN-1');
  await page.getByLabel('In since (UTC)').fill(new Date(Date.now() - 60_000).toISOString().slice(0, 19)); // a run has a length: out in the same second is refused
  await page.getByRole('button', { name: 'Put it in', exact: true }).click();
  await lead(page, /1 part is in place on RIG-01/);
  await until('scores name the run', 60000, async () => ((await own.call('GET', `/drills/${id}`)).runs ?? []).includes('bit:SN-1'));
  await page.getByRole('button', { name: /^Out/ }).click();
  await page.getByLabel('Why').fill('pulled for a look');
  await page.getByLabel('Dull grade (IADC)').fill('1-2-WT-A-X-I-NO-TD');
  await page.getByRole('button', { name: 'Take it out', exact: true }).click();
  await lead(page, /No part of RIG-01 is known|0 parts/);
  assert.match(await page.locator('main').innerText(), /SN-1[\s\S]*pulled for a look, 1-2-WT-A-X-I-NO-TD/);
  const phone = await as(t, 'viewer', '/data/equipment', PHONE);
  await phone.getByText('SN-1').first().waitFor();
  assert.equal(await phone.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, 'the page fits the phone');
});

test('an administrator says who is told; what was sent is listed, and what cannot be says why', async (t) => {
  const got = [], hook = createServer((q, r) => { let b = ''; q.on('data', (d) => { b += d; }); q.on('end', () => { got.push({ key: q.headers['idempotency-key'], body: JSON.parse(b) }); r.writeHead(204).end(); }); });
  const port = await free();
  await new Promise((ok) => hook.listen(port, '127.0.0.1', ok));
  t.after(() => hook.close());
  const page = await as(t, 'administrator', '/admin/notifications');
  await lead(page, /Nobody is told of alarms/);
  await page.getByRole('button', { name: 'Add a target' }).click();
  await page.getByLabel('Name', { exact: true }).fill('chat');
  await page.getByLabel(/^By/).selectOption('webhook');
  await page.getByLabel('Address', { exact: true }).fill(`http://127.0.0.1:${port}/hook`);
  await page.getByRole('button', { name: 'Keep' }).click();
  await until('it says which host is missing', 15000, async () => /is not among the hosts that may be spoken to: add it to hosts/.test(await page.getByRole('alert').innerText()));
  await page.getByLabel(/^One a line/).fill(`127.0.0.1:${port}`);
  await page.getByRole('button', { name: 'Add a rule' }).click();
  await page.getByRole('button', { name: 'Keep' }).click();
  await lead(page, /1 rule tells people of alarms/);
  await page.getByRole('button', { name: 'Send a test' }).click();
  await until('the test arrives', 30000, () => got.some((x) => x.body.kind === 'test' && x.key === x.body.id));
  await page.locator('tr[data-delivery="test"]').filter({ hasText: 'arrived' }).waitFor();
  const other = await as(t, 'engineer', '/admin/notifications');
  await other.getByText('This is for administrators.').waitFor();
  const phone = await as(t, 'administrator', '/admin/notifications', PHONE);
  await lead(phone, /1 rule tells people/);
  assert.equal(await phone.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, 'the page fits the phone');
});

test('a hole that bends too sharply raises an alarm, and the drill shows where', { timeout: 180000 }, async (t) => {
  const drill = 'RIG-02', mwd = new Device(await own.device(drill));
  await mwd.open();
  t.after(() => mwd.close());
  let seq = 0;
  const survey = (minutes, depth, inc) => mwd.publish(JSON.stringify({ boot: 'b', seq: ++seq, ts: Date.now() - minutes * 60000, channels: { DBTM: depth, DMEA: depth, INC: inc, AZI: 45 } }));
  for (let i = 0; i < 6; i++) survey(70 - 10 * i, 2000 + 30 * i, 10 + 2 * i); // 2° a stand
  survey(5, 2180, 22);
  survey(0, 2210, 30); // 8°
  const a = await until('the bend is an alarm', 60000, async () => (await own.call('GET', '/alarms')).alarms.find((x) => x.rule === 'dog-leg'));
  assert.equal(a.drill, drill);
  assert.match(a.reason, /^The hole bends 8\.0° in 30 m, limit 6\.0°, at 2,210 m: inclination 30\.0°, azimuth 45\.0°/);
  const page = await as(t, 'viewer', `/d/${drill}`);
  await page.getByRole('link', { name: 'Hole' }).first().click();
  await page.waitForURL(`**/d/${drill}/hole`);
  await until('the page says where it bends', 60000, async () => /bends more than 6\.0° in 30 m at one survey/.test(await page.getByTestId('hole').innerText()));
  assert.equal(await page.locator('tr[data-over=true]').count(), 1);
  assert.match(await page.locator('tr[data-over=true]').innerText(), /2,210\.0 m[\s\S]*30\.00°[\s\S]*8\.00/);
  assert.equal(await page.locator('figure svg').count(), 2);
  if (process.env.SHOTS_DIR) await page.screenshot({ path: `${process.env.SHOTS_DIR}/hole.png` });
  const faults = [];
  for (const theme of ['day', 'night']) for (const size of [DESK, PHONE]) {
    await page.setViewportSize(size);
    await page.evaluate((night) => { if (night) document.documentElement.dataset.theme = 'night'; else delete document.documentElement.dataset.theme; }, theme === 'night');
    faults.push(...(await inaccessible(page, `a hole by ${theme} at ${size.width}`)));
  }
  assert.deepEqual(faults, []);
});
