// The same browser tests over the made-up drills, and what only they can do on demand: a line that breaks or falls silent.
import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { launch } from '../browser.mjs';
import { enter } from '../enter.mjs';
import { more } from '../more.mjs';
import { suite, until } from '../suite.mjs';
import { start } from './server.mjs';

const fake = await start();
const browser = await launch();
after(async () => { await browser.close(); await fake.close(); });
const state = await enter(browser, fake.url, fake.link);
const { open, firstDrill, whole } = suite({ made: true, browser, base: fake.url, state: () => state, alarmWithin: 10000 });
more({ open, firstDrill, whole, base: fake.url, made: true });

test('a silent line is said within three seconds, and heals', async (t) => {
  const page = await open(t);
  await firstDrill(page);
  const began = Date.now();
  fake.quiet(true);
  t.after(() => fake.quiet(false));
  await page.getByText('Not connected for').waitFor({ timeout: 5000 });
  assert.ok(Date.now() - began < 4000, `said after ${Date.now() - began} ms`);
  fake.quiet(false);
  await until('it heals', 15000, async () => (await page.getByText('Not connected for').count()) === 0);
});

test('a broken line comes back by itself, with the readings of the time between', async (t) => {
  const page = await open(t);
  const id = await firstDrill(page);
  await page.goto(`${fake.url}/d/${id}`);
  const asked = [];
  page.on('request', (r) => { if (r.url().includes('/series')) asked.push(new URL(r.url()).searchParams.get('from')); });
  await until('readings come', 10000, async () => (await page.locator('.ft[data-channel] .v').allInnerTexts()).filter((x) => /\d/.test(x)).length > 8);
  fake.cut();
  await until('the hole is asked for', 10000, async () => asked.some((x) => x && x.startsWith('20')));
});
