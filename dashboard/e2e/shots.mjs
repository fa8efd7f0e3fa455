// Pictures of every screen at both sizes, day and night, of whatever runs at MUDPULSE_URL (signed in by MUDPULSE_LINK or
// MUDPULSE_TOKEN), or of the made-up drills when neither is set. Written to SHOTS_DIR (default dashboard/shots), which git ignores.
import { copyFileSync, mkdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { DESK, launch, PHONE } from './browser.mjs';
import { enter } from './enter.mjs';

const out = process.env.SHOTS_DIR ?? fileURLToPath(new URL('../shots/', import.meta.url));
mkdirSync(out, { recursive: true });
const only = process.argv.slice(2);
let fake = null;
if (!process.env.MUDPULSE_URL) fake = await (await import('./fake/server.mjs')).start();
const base = process.env.MUDPULSE_URL ?? fake.url;
const browser = await launch();
const state = await enter(browser, base, fake ? fake.link : process.env.MUDPULSE_LINK);
for (const [theme, size, name] of [['day', DESK, 'desk'], ['day', PHONE, 'phone'], ['night', DESK, 'desk'], ['night', PHONE, 'phone']]) {
  const context = await browser.newContext({ viewport: size, storageState: state, deviceScaleFactor: name === 'phone' ? 2 : 1, hasTouch: name === 'phone', colorScheme: theme === 'night' ? 'dark' : 'light' });
  const page = await context.newPage();
  page.on('console', (m) => { if (m.type() === 'error') console.error('page:', m.text()); });
  page.on('pageerror', (e) => console.error('page:', e.message));
  await page.goto(base);
  await page.locator('[data-drill]').first().waitFor();
  const worst = process.env.DRILL ?? (await page.locator('[data-drill]').first().getAttribute('data-drill'));
  const screens = [['fleet', '/'], ['drill', `/d/${worst}`], ['spectrum', `/d/${worst}/spectrum`], ['hole', `/d/${worst}/hole`], ['scores', `/d/${worst}/scores`], ['alarms', '/alarms'], ['models', '/models'], ['data', '/data'], ['quarantine', '/data/quarantine'], ['devices', '/data/devices'], ['device-add', '/data/devices/add'], ['equipment', '/data/equipment'], ['exports', '/data/exports'], ['notifications', '/admin/notifications'], ['machine', `/d/${worst}`], ['people', '/admin'], ['rules', '/alarms/rules'], ['handover', '/handover'], ['replay', `/replay/${worst}`], ...(name === 'desk' ? [['wall', '/wall']] : [])];
  for (const [what, path] of screens) {
    if (only.length && !only.includes(what)) continue;
    await page.evaluate((r) => localStorage.setItem('mudpulse.readings', r), what === 'machine' ? 'all' : 'drilling');
    await page.goto(base + path);
    await page.waitForLoadState('networkidle', { timeout: 2500 }).catch(() => {});
    await page.waitForTimeout(['drill', 'replay'].includes(what) ? 7000 : 2500);
    await page.screenshot({ path: `${out}/${what}-${name}-${theme}.png` });
  }
  if (!only.length || only.includes('evidence')) {
    await page.goto(`${base}/alarms`);
    const to = page.locator('a[href^="/alarms/evidence"]').first();
    await to.waitFor({ timeout: 8000 }).catch(() => {});
    if (await to.count()) { await to.click(); await page.waitForTimeout(5000); await page.screenshot({ path: `${out}/evidence-${name}-${theme}.png` }); }
  }
  await context.close();
}
if (!only.length || only.includes('signin')) {
  const page = await (await browser.newContext({ viewport: DESK })).newPage();
  await page.goto(base);
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await page.screenshot({ path: `${out}/signin-desk-day.png` });
}
await browser.close();
await fake?.close();
console.log(`pictures in ${out}`);
if (process.env.SHOTS_DOCS) { // those that the README shows
  const docs = fileURLToPath(new URL('../../docs/screenshots/', import.meta.url));
  mkdirSync(docs, { recursive: true });
  for (const f of ['fleet-desk-day', 'drill-desk-day', 'evidence-desk-day', 'drill-desk-night']) {
    if (statSync(`${out}/${f}.png`).size > 250_000) throw new Error(`${f}.png is larger than 250 kB`);
    copyFileSync(`${out}/${f}.png`, `${docs}/${f}.png`);
  }
}
