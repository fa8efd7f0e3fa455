// Models that misbehave, at a mudpulse of its own: the others go on, and each is named on the models page with its reason,
// how often, where and since when.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { DESK, launch } from './browser.mjs';
import { Device } from './mqtt.mjs';
import { Product } from './product.mjs';
import { pmml, until } from './suite.mjs';

/** a regression of one channel: `terms` of it, `says` is what it is called, times `factor` */
const regression = (says, factor, terms = 1) => `<?xml version="1.0" encoding="UTF-8"?>
<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4"><Header/>
<DataDictionary numberOfFields="2"><DataField name="SPP" optype="continuous" dataType="double"/><DataField name="${says}" optype="continuous" dataType="double"/></DataDictionary>
<RegressionModel modelName="m" functionName="regression"><MiningSchema><MiningField name="SPP"/><MiningField name="${says}" usageType="target"/></MiningSchema>
<RegressionTable intercept="0">${`<NumericPredictor name="SPP" exponent="3" coefficient="${factor}"/>`.repeat(terms)}</RegressionTable></RegressionModel></PMML>
`;

test('a model that panics, one that toils and one that talks nonsense are named on their pages, and the others go on', { timeout: 300000 }, async (t) => {
  const panics = pmml(7), own = new Product(['--demo=false', '--panicking', createHash('sha256').update(panics).digest('hex')]), browser = await launch();
  let beat, device;
  t.after(async () => { clearInterval(beat); device?.close(); await browser.close(); await own.close(); });
  await own.start();
  const id = 'RIG-01';
  device = new Device(await own.device(id));
  await device.open();
  let seq = 0;
  const frame = (ts) => device.publish(JSON.stringify({ boot: 'b', seq: ++seq, ts, channels: { SPP: { every_ms: 100, values: Array(10).fill(22.4) }, FLIN: 2100 } }));
  for (let i = 60; i > 1; i--) frame(Date.now() - i * 1000);
  beat = setInterval(() => frame(Date.now() - 1000), 1000);

  // All of them pass the tests of an upload: the panic is made to order, the nonsense is a number like others until its name says health, the toil is within its budget.
  const files = { good: pmml(1), panics, raves: regression('health_bit', -1e6), toils: regression('work', 1e-9, 1500) };
  for (const [name, text] of Object.entries(files)) {
    const r = await fetch(`${own.base}/api/v1/models?name=${name}`, { method: 'POST', headers: { Authorization: `Bearer ${own.token}`, 'Content-Type': 'application/xml' }, body: text });
    assert.equal(r.status, 201, await r.text());
    await own.call('POST', `/models/${name}/promote`, { version: 1, override: 'the suite must see what becomes of it' });
  }
  const context = await browser.newContext({ viewport: DESK, reducedMotion: 'reduce' }), page = await context.newPage();
  page.setDefaultTimeout(15000);
  page.on('pageerror', (e) => { page.failed = e; });
  await page.goto(own.link);
  await page.locator(`[data-drill="${id}"]`).waitFor({ timeout: 60000 });

  await page.goto(`${own.base}/models`);
  const cells = (name) => page.locator(`tr[data-model="${name}"] td`).allInnerTexts();
  const failed = async (name) => Number((await cells(name))[8]);
  await until('both offenders are counted in the list', 60000, async () => (await failed('panics')) > 3 && (await failed('raves')) > 3);
  await until('the answer names them', 10000, async () => /panics, raves could not score some rows\./.test(await page.getByTestId('answer').or(page.locator('section.answer')).first().innerText()));
  const before = await failed('panics');
  await until('the count goes on', 20000, async () => (await failed('panics')) > before);

  const trouble = async (name, why) => {
    await page.goto(`${own.base}/models/${name}`);
    const told = page.getByTestId('trouble').filter({ hasText: why });
    await told.waitFor();
    const m = await own.call('GET', `/models/${name}`), said = await told.innerText(), since = new Date(m.trouble.since);
    assert.match(said, new RegExp(`^Others go on without it\\. Could not score \\d+ rows since .*${String(since.getUTCHours()).padStart(2, '0')}:${String(since.getUTCMinutes()).padStart(2, '0')}.*, last on ${id}: model ${name}@1: `));
    assert.ok(Math.abs(Date.now() - since) < 600000, `since ${m.trouble.since}`);
    assert.equal(m.trouble.drill, id);
  };
  await trouble('panics', 'failed inside: broken on purpose');
  await trouble('raves', 'and health is 0 to 100');

  for (const name of ['good', 'toils']) { // toils is seen by its time, which is all that is wrong with it
    await page.goto(`${own.base}/models/${name}`);
    await page.locator(`section[aria-label="${name}"]`).waitFor();
    assert.equal(await page.getByTestId('trouble').count(), 0);
    assert.equal(await failed(name), 0);
  }
  const micros = async (name) => { const m = await own.call('GET', `/models/${name}`); return m.mean_us; };
  await until('the one that toils is seen by its time', 20000, async () => (await micros('toils')) > 3 * (await micros('good')));

  // What the good one says is said at every second, and the drill's health does not rest on what was made up.
  await page.goto(`${own.base}/d/${id}/scores`);
  await until('the good one scores', 30000, async () => /^on$/.test(await page.locator('tr[data-model="good"][data-version="1"] td:nth-child(3)').first().innerText({ timeout: 1000 })));
  assert.equal(await page.locator('tr[data-model="raves"]').filter({ hasText: /-1e|-112/ }).count(), 0);
  await own.call('POST', '/models/panics/deactivate', {});
  await page.goto(`${own.base}/models/panics`);
  await until('what is off is not blamed any more', 20000, async () => (await page.getByTestId('trouble').count()) === 0);
  assert.equal(page.failed, undefined, String(page.failed));
});
