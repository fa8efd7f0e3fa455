// An engineer's day, at a mudpulse of its own with one drill: there a model's test on the past is short.
import assert from 'node:assert/strict';
import test from 'node:test';
import { DESK, launch } from './browser.mjs';
import { Device } from './mqtt.mjs';
import { Product } from './product.mjs';
import { pmml, until } from './suite.mjs';

test('an engineer takes a model from the file through its report, beside, on, and back', { timeout: 300000 }, async (t) => {
  const own = new Product(['--demo=false']), browser = await launch();
  let beat, device;
  t.after(async () => { clearInterval(beat); device?.close(); await browser.close(); await own.close(); });
  await own.start();
  const { base } = own, name = 'probe', id = 'RIG-01';
  device = new Device(await own.device(id));
  await device.open();
  let seq = 0;
  const frame = (ts) => device.publish(JSON.stringify({ boot: 'b', seq: ++seq, ts, channels: { SPP: { every_ms: 100, values: Array(10).fill(22.4) }, FLIN: 2100 } }));
  for (let i = 120; i > 1; i--) frame(Date.now() - i * 1000);
  beat = setInterval(() => frame(Date.now() - 1000), 1000);
  const context = await browser.newContext({ viewport: DESK, reducedMotion: 'reduce' }), page = await context.newPage(), drill = await context.newPage();
  page.setDefaultTimeout(15000);
  page.on('pageerror', (e) => { page.failed = e; });
  await page.goto(own.link);
  await page.locator(`[data-drill="${id}"]`).waitFor({ timeout: 60000 });
  await page.goto(`${base}/models`);
  await drill.goto(`${base}/d/${id}/scores`);
  const scored = (version, how) => until(`version ${version} scores, ${how}`, 60000, async () => new RegExp(how).test(await drill.locator(`tr[data-model="${name}"][data-version="${version}"] td:nth-child(3)`).first().innerText({ timeout: 1000 })));
  const putOn = async (version) => {
    await page.locator(`.vs tr[data-version="${version}"]`).getByRole('button', { name: /Put on/ }).click();
    const why = page.getByLabel('Why all the same'), go = page.getByRole('button', { name: /^Put it on/ });
    await go.waitFor();
    if (await why.count()) await why.fill('the suite must see it score, whatever its report says');
    await go.click();
    await page.getByTestId('told').filter({ hasText: `${name} ${version} is on` }).waitFor();
    await until(`version ${version} is listed as on`, 15000, async () => (await page.locator(`tr[data-model="${name}"]`).getAttribute('data-version')) === String(version));
    await scored(version, '^on$');
  };
  for (const version of [1, 2]) {
    await page.getByTestId('file').setInputFiles({ name: `${name}.pmml`, mimeType: 'application/xml', buffer: Buffer.from(pmml(version)) });
    await page.getByLabel('Called').fill(name);
    await page.getByRole('button', { name: 'Only keep it' }).click();
    await page.getByRole('button', { name: 'Take it in' }).click();
    await page.getByTestId('told').filter({ hasText: `${name} ${version}` }).waitFor();
    if (version === 1) await putOn(1);
  }
  const report = await until('its test on the past has ended', 120000, () => page.evaluate((n) => fetch(`/api/v1/models/${n}/versions/2/report`).then((r) => r.json()).then((x) => (x.state === 'waiting' || !x.state ? null : x)), name));
  if (report.state === 'done') await until('the report is on the page', 10000, async () => /scored by the code that runs live/.test(await page.locator('section.rep').innerText()));
  else await page.getByText('It could not be tested on the past').waitFor();
  await page.getByRole('button', { name: /^Run 2 beside/ }).click();
  await page.getByTestId('told').filter({ hasText: `${name} 2 runs beside` }).waitFor();
  await scored(2, '^beside$');
  await scored(1, '^on$');
  await putOn(2);
  await page.getByRole('button', { name: /^Roll back to 1/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Roll back to 1' }).click();
  await scored(1, '^on$');
  await page.getByRole('button', { name: /^Take off/ }).click();
  await page.getByRole('button', { name: 'Take it off' }).click();
  await until('it is off', 15000, async () => /Off/.test(await page.locator(`tr[data-model="${name}"]`).innerText()));
  assert.equal(page.failed, undefined, String(page.failed));
});
