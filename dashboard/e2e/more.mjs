// What a person does with the past, the depth, the sound, and a server that is not there.
import assert from 'node:assert/strict';
import test from 'node:test';
import { PHONE } from './browser.mjs';
import { until } from './suite.mjs';

export function more({ open, firstDrill, base, whole }) {
  test('a link opens the strip at any moment, and leads back to now; the strip goes by depth too', async (t) => {
    const page = await open(t);
    await page.evaluate(() => localStorage.setItem('mudpulse.debug', 'on'));
    const id = await until('a drill makes hole', 60000, () => page.evaluate(() => fetch('/api/v1/drills').then((r) => r.json()).then((x) => (x.drills ?? x).find((d) => d.state === 'rotary' || d.state === 'sliding')?.id ?? null)));
    const now = await page.evaluate(() => fetch('/api/v1/meta').then((r) => r.json()).then((m) => Date.parse(m.clock.now)));
    const at = now - 300000; // five minutes on the demo’s clock
    await page.goto(`${base}/d/${encodeURIComponent(id)}?at=${at}`);
    const strip = () => page.evaluate(() => { const c = globalThis.mudpulse?.columns.get('SPP'); return c?.length ? [c.t[c.from], c.t[c.to - 1], c.length] : null; });
    const [from, to] = await until('the hour around the moment is there', 180000, async () => { const s = await strip(); return s && s[1] >= at && s; });
    assert.ok(from < at && to >= at && to <= at + 900000, `${from} ${at} ${to}`);
    assert.match(await page.getByTestId('as-of').innerText(), /^As of [\s\S]* ago: health, reasons and alarms are those of then/);
    await until('health is that of then', 40000, async () => { // asked for again, for what is behind may still come
      const then = await page.evaluate(([d, t]) => fetch(`/api/v1/drills/${d}?at=${new Date(t).toISOString()}`).then((r) => r.json()), [id, at]);
      return (await page.locator('section.right [data-testid=health]').innerText()) === (then.health == null ? '—' : String(Math.round(then.health)));
    });
    assert.equal(await page.getByTestId('acknowledge').count(), 0, 'nobody answers an alarm of the past here');
    await page.getByRole('button', { name: 'Back to live' }).click();
    await page.waitForURL((u) => u.search === '');
    assert.equal(await page.getByTestId('as-of').count(), 0);
    await until('the strip is of now', 20000, async () => { const s = await strip(); return s && s[1] > now; });
    const ink = () => page.locator('canvas').evaluate((c) => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let n = 0; for (let i = 0; i < d.length; i += 4) if (d[i] < 90 && d[i + 3] > 200) n++; return n; });
    await page.keyboard.press('t');
    await page.locator('button[aria-pressed=true]', { hasText: 'Depth' }).waitFor();
    await until('something is drawn by depth', 10000, async () => (await ink()) > 500);
    const box = await page.locator('canvas').boundingBox();
    await page.mouse.move(box.x + 300, box.y + box.height * 0.6);
    const link = page.getByRole('link', { name: 'Link to here' });
    await link.waitFor();
    assert.match(await link.getAttribute('href'), /\?at=\d+$/);
    whole(page);
  });

  test('a person writes on the strip; everybody sees it, the handover lists it, and it is taken away again', async (t) => {
    const page = await open(t), other = await open(t);
    const id = await firstDrill(page), text = `tight hole ${Date.now() % 100000}`;
    for (const p of [page, other]) await p.goto(`${base}/d/${encodeURIComponent(id)}`);
    await page.locator('.ft[data-channel=SPP] .v').waitFor();
    await page.keyboard.press('m');
    await page.getByLabel('What').fill(text);
    await page.getByLabel('For, minutes').fill('2');
    await page.getByLabel('From').evaluate((el) => { const d = new Date(Date.parse(el.value + 'Z') - 300000); el.value = d.toISOString().slice(0, 19); el.dispatchEvent(new Event('input', { bubbles: true })); });
    await page.getByRole('button', { name: 'Write it down' }).click();
    const row = (p) => p.locator('[data-note]', { hasText: text });
    await row(page).waitFor();
    await row(other).waitFor(); // told, not asked
    await page.goto(`${base}/handover`);
    await page.getByText(text).waitFor();
    await page.goto(`${base}/replay/${encodeURIComponent(id)}`);
    await row(page).waitFor();
    await row(page).getByRole('button', { name: /Take away/ }).click();
    for (const p of [page, other]) await row(p).waitFor({ state: 'detached' });
    for (const p of [page, other]) whole(p);
  });

  test('a thumb writes on the strip too', async (t) => {
    const page = await open(t, '/', { size: PHONE, touch: true });
    const id = await firstDrill(page), text = `new mud ${Date.now() % 100000}`;
    await page.goto(`${base}/d/${encodeURIComponent(id)}`);
    await page.getByRole('button', { name: 'Write here' }).tap();
    await page.getByLabel('What').fill(text);
    const write = page.getByRole('button', { name: 'Write it down' });
    assert.ok((await write.boundingBox()).height >= 44, 'a glove finds the button');
    await write.tap();
    const row = page.locator('[data-note]', { hasText: text });
    await row.waitFor();
    await row.getByRole('button', { name: /Take away/ }).tap();
    await row.waitFor({ state: 'detached' });
    whole(page);
  });

  test('the replay tells what was known then, and what was corrected since', async (t) => {
    const page = await open(t);
    const id = await firstDrill(page);
    await page.goto(`${base}/replay/${encodeURIComponent(id)}`);
    const asked = page.waitForRequest((r) => r.url().includes('/series') && new URL(r.url()).searchParams.has('known_at'));
    await page.getByTestId('answer').waitFor();
    await page.getByRole('button', { name: 'As known then' }).click();
    const q = new URL((await asked).url()).searchParams;
    assert.ok(Date.parse(q.get('known_at')) <= Date.parse(q.get('to')) + 60000 && Date.parse(q.get('known_at')) > Date.parse(q.get('from')), q.toString());
    const words = await until('it is said in words', 20000, async () => { const s = await page.getByTestId('known').innerText(); return /nown at \d\d:\d\d:\d\d/.test(s) && s; });
    assert.match(words, /corrected since|not there yet|came later|are others now/);
    const known = page.waitForRequest((r) => r.url().includes('known_at') && new URL(r.url()).searchParams.get('known_at') !== q.get('known_at'));
    await page.getByRole('slider', { name: 'Playhead' }).press('Home'); // it moves: asked anew
    await known;
    await page.getByRole('button', { name: 'As corrected' }).click();
    await page.getByTestId('known').waitFor({ state: 'detached' });
    whole(page);
  });

  test('the machine’s readings and all 24 are drawn live', async (t) => {
    const page = await open(t);
    await page.goto(`${base}/d/${encodeURIComponent(await firstDrill(page))}`);
    await page.getByRole('button', { name: 'All 24' }).click();
    const digits = () => page.locator('.ft[data-channel] .v').allInnerTexts();
    await until('all readings come', 20000, async () => (await digits()).filter((x) => /\d/.test(x)).length >= 20);
    await page.getByRole('button', { name: 'Machine', exact: true }).click();
    await until('the gear’s warmth is there', 20000, async () => /\d/.test(await page.locator('.ft[data-channel=GBOT] .v').innerText()));
    await page.getByRole('button', { name: 'Drilling', exact: true }).click();
    await page.locator('.ft[data-channel=SPP]').waitFor();
    whole(page);
  });

  test('a snapshot of vibration shows the lines of its bearing, beside an older one, and can be linked to', async (t) => {
    const page = await open(t);
    await firstDrill(page);
    const get = (path) => page.evaluate((p) => fetch('/api/v1' + p).then((r) => r.json()), path);
    const id = await until('a drill has two snapshots', 120000, async () => {
      for (const d of await get('/drills').then((x) => x.drills ?? x)) { const { waveforms: w } = await get(`/drills/${encodeURIComponent(d.id)}/waveforms?from=-720h`); if (w.length > 1) return d.id; }
      return null;
    });
    await page.goto(`${base}/d/${encodeURIComponent(id)}`);
    await page.getByRole('link', { name: 'Spectrum' }).click();
    await page.waitForURL('**/spectrum');
    const panel = page.getByTestId('spectrum'), row = panel.locator('tr[data-line=bpfo]');
    await row.waitFor();
    assert.deepEqual(await panel.locator('tr[data-line]').evaluateAll((r) => r.map((x) => x.dataset.line)), ['bpfo', 'bpfi', 'bsf', 'ftf', 'mesh', 'shaft']);
    const [hz, rpm] = await page.evaluate(() => { const n = (t) => Number(t.replace(',', '')); return [n(document.querySelector('tr[data-line=bpfo] td:nth-child(3)').textContent), n(/Shaft ([\d,.]+) rpm/.exec(document.querySelector('[data-testid=spectrum]').textContent)[1])]; });
    assert.ok(Math.abs(hz - (3.056 * rpm) / 60) < 0.6, `${hz} Hz at ${rpm} rpm`);
    assert.match(await panel.getByTestId('snapshot-age').innerText(), /\d (s|min|h \d\d) old/);
    await until('both are drawn', 10000, async () => (await panel.locator('.paper path').count()) === 2);
    await page.keyboard.press('ArrowRight'); // to the chosen line, then on
    await until('the cursor says where it stands', 5000, async () => /outer race/.test(await panel.getByTestId('cursor').innerText()));
    const stood = await panel.getByTestId('cursor').innerText();
    for (let i = 0; i < 40; i++) await page.keyboard.press('ArrowRight');
    await until('it moves', 5000, async () => (await panel.getByTestId('cursor').innerText()) !== stood);
    await page.keyboard.press('v');
    await panel.getByRole('button', { name: 'Spectrum', pressed: true }).waitFor();
    await page.keyboard.press('5');
    await panel.locator('tr[data-line=mesh] button[aria-pressed=true]').waitFor();
    const newest = await panel.getByTestId('snapshot').inputValue();
    await page.keyboard.press('['); // the one before
    await page.waitForURL('**/spectrum?waveform=*');
    const linked = page.url(), shown = new URL(linked).searchParams.get('waveform');
    assert.ok(shown.split('@')[1] < newest.split('@')[1], `${shown} is before ${newest}`);
    await until('it is shown', 5000, async () => (await panel.getByTestId('snapshot').inputValue()) === shown);
    await page.goto(linked);
    await until('the link opens it again', 15000, async () => (await panel.getByTestId('snapshot').inputValue()) === shown);
    whole(page);
  });

  test('the page speaks the browser’s language, or the one that a person chose', async (t) => {
    const page = await open(t, '/', { locale: 'es-MX' });
    await page.getByRole('link', { name: 'Flota' }).first().waitFor();
    await until('the answer is Spanish', 20000, async () => /perforadora|turno|transmite/.test(await page.getByTestId('answer').innerText()));
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'es');
    await page.keyboard.press('?');
    await page.getByRole('button', { name: 'English' }).click();
    await page.getByRole('link', { name: 'Fleet' }).first().waitFor({ state: 'attached' });
    await page.reload();
    await firstDrill(page);
    assert.equal(await page.getByRole('link', { name: 'Flota' }).count(), 0);
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'en');
    whole(page);
  });

  test('sound is off until somebody asks for it, and can be heard at once', async (t) => {
    const page = await open(t);
    await page.evaluate(() => { globalThis.tones = 0; const make = AudioContext.prototype.createOscillator; AudioContext.prototype.createOscillator = function () { globalThis.tones++; return make.call(this); }; });
    await firstDrill(page);
    await page.keyboard.press('?');
    const sound = page.getByRole('group', { name: 'Sound for act now' });
    assert.equal(await sound.getByRole('button', { name: 'Off' }).getAttribute('aria-pressed'), 'true');
    assert.equal(await page.evaluate(() => globalThis.tones), 0);
    await sound.getByRole('button', { name: 'On' }).click();
    await until('two tones', 5000, async () => (await page.evaluate(() => globalThis.tones)) >= 2);
    assert.equal(await page.evaluate(() => localStorage.getItem('mudpulse.sound')), 'on');
    whole(page);
  });

  test('without its server the page still opens, says so, shows nothing old, and goes on when it answers', async (t) => {
    const page = await open(t);
    await firstDrill(page);
    await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
    await page.reload(); // now through the worker
    await firstDrill(page);
    await page.context().setOffline(true);
    await page.reload();
    await page.getByRole('heading', { name: 'The server does not answer.' }).waitFor();
    assert.equal(await page.locator('[data-drill]').count(), 0);
    await page.context().setOffline(false);
    await page.locator('[data-drill]').first().waitFor({ timeout: 20000 });
    whole(page);
  });
}
