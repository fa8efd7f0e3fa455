// Pictures of every screen at both sizes, day and night, of whatever runs at MUDPULSE_URL (signed in by MUDPULSE_LINK or
// MUDPULSE_TOKEN). Written to SHOTS_DIR (default dashboard/shots), which git ignores.
// Names of screens as arguments, SHOTS_THEMES=day and SHOTS_SIZES=phone take fewer; DRILL=RIG-05 takes another drill than the worst;
// SHOTS_LANGUAGE=es takes them in Spanish, "-es" at the end of their names.
import { copyFileSync, mkdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { DESK, launch, PHONE } from './browser.mjs';
import { enter } from './enter.mjs';
import { routes } from './suite.mjs';

const out = process.env.SHOTS_DIR ?? fileURLToPath(new URL('../shots/', import.meta.url));
mkdirSync(out, { recursive: true });
const only = process.argv.slice(2);
const language = process.env.SHOTS_LANGUAGE ?? 'en', tongue = language === 'en' ? '' : `-${language}`;
const { every, read } = await routes();
/** named says what a picture of an address is called. */
function named(path) {
  const u = new URL(path, 'http://page'), r = read(u.pathname, u.search), first = { drilling: 'drill', active: 'alarms', ledger: 'data', people: 'people' };
  if (r.screen === 'drill' && r.at) return 'drill-moment';
  if (r.waveform) return 'waveform';
  if (r.screen === 'models' && r.name) return 'model';
  if (r.add) return 'device-add';
  if (r.of) return 'names';
  return first[r.tab] ?? (r.screen === 'alarms' ? `alarms-${r.tab}` : r.screen === 'admin' && r.tab === 'channels' ? 'admin-channels' : (r.tab ?? r.screen));
}
const base = process.env.MUDPULSE_URL;
if (!base) throw new Error('MUDPULSE_URL is not set: the address of the running product');
const browser = await launch();
const state = await enter(browser, base, process.env.MUDPULSE_LINK);
for (const [theme, size, name] of [['day', DESK, 'desk'], ['day', PHONE, 'phone'], ['night', DESK, 'desk'], ['night', PHONE, 'phone']].filter(([theme, , name]) => (process.env.SHOTS_THEMES ?? 'day,night').includes(theme) && (process.env.SHOTS_SIZES ?? 'desk,phone').includes(name))) {
  const context = await browser.newContext({ viewport: size, storageState: state, deviceScaleFactor: name === 'phone' ? 2 : 1, hasTouch: name === 'phone', colorScheme: theme === 'night' ? 'dark' : 'light', reducedMotion: 'reduce' }); // else a mark is met between two blinks
  await context.addInitScript((l) => localStorage.setItem('mudpulse.language', l), language);
  const page = await context.newPage();
  page.on('console', (m) => { if (m.type() === 'error') console.error('page:', m.text()); });
  page.on('pageerror', (e) => console.error('page:', e.message));
  await page.goto(base);
  await page.locator('[data-drill]').first().waitFor();
  const worst = process.env.DRILL ?? (await page.locator('[data-drill]').first().getAttribute('data-drill'));
  const get = (path) => page.evaluate((x) => fetch('/api/v1' + x).then((r) => r.json()).catch(() => ({})), path);
  const { devices } = await get('/devices'), { models } = await get('/models'), { waveforms } = await get(`/drills/${encodeURIComponent(worst)}/waveforms`), { clock } = await get('/meta');
  const alarm = (await get('/alarms?state=active')).alarms?.[0] ?? (await get('/alarms?state=history&limit=1')).alarms?.[0];
  // Every screen that route.ts knows, and what a person opens on some of them.
  const screens = every({ drill: worst, device: devices?.[0]?.id ?? 'none', model: models?.[0]?.name ?? 'none', alarm: alarm?.id ?? '', waveform: waveforms?.[0] ? `${waveforms[0].channel}@${waveforms[0].at}` : '', at: Date.parse(clock.now) - 600000 }).map((path) => [named(path), path]);
  const drill = `/d/${encodeURIComponent(worst)}`, press = (key) => async () => { await page.keyboard.press(key); };
  screens.push(['machine', drill], ['write', drill, async () => {
    const open = page.getByRole('button', { name: 'Write here' });
    await open.click();
    await page.getByLabel('What').fill('Tight hole at the last stand, reamed twice; then free');
    await page.screenshot({ path: `${out}/write-${name}-${theme}.png` });
    await page.getByLabel('For, minutes').fill('4');
    await page.getByRole('button', { name: 'Write it down' }).click();
    await page.locator('[data-note]').first().waitFor();
  }], ['written', drill], ['replay-then', `/replay/${encodeURIComponent(worst)}`, async () => { await page.getByRole('button', { name: 'As known then' }).click(); await page.getByText(/nown at \d/).waitFor(); }], ['find', '/', press('/')], ['help', '/', press('?')], ['cells', '/', press('-')]);
  for (const [what, path, act] of screens) {
    if (only.length && !only.includes(what)) continue;
    await page.evaluate((r) => localStorage.setItem('mudpulse.readings', r), what === 'machine' ? 'all' : 'drilling');
    await page.goto(base + path);
    await page.waitForLoadState('networkidle', { timeout: 1000 }).catch(() => {});
    await page.waitForTimeout(['drill', 'machine', 'replay', 'evidence'].includes(what) ? 3500 : 1500);
    await page.getByText(/^Reading .* …$/).first().waitFor({ state: 'detached', timeout: 30000 }).catch(() => console.error(`${what} at ${name}: still reading after 30 s`));
    try { await act?.(); } catch (err) { console.error(`${what} at ${name}: ${err.message.split('\n')[0]}`); process.exitCode = 1; continue; }
    if (act) await page.waitForTimeout(800);
    if (what === 'cells') await page.evaluate(() => localStorage.removeItem('mudpulse.fleet'));
    if (what !== 'write') await page.screenshot({ path: `${out}/${what}-${name}-${theme}${tongue}.png` });
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
console.log(`pictures in ${out}`);
if (process.env.SHOTS_DOCS) { // those that the README shows
  const docs = fileURLToPath(new URL('../../docs/screenshots/', import.meta.url));
  mkdirSync(docs, { recursive: true });
  for (const f of ['fleet-desk-day', 'drill-desk-day', 'evidence-desk-day', 'drill-desk-night']) {
    if (statSync(`${out}/${f}.png`).size > 300_000) throw new Error(`${f}.png is larger than 300 kB`);
    copyFileSync(`${out}/${f}.png`, `${docs}/${f}.png`);
  }
}
