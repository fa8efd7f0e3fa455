// Whole days at the running product, person by person: an operator's tour, an analyst's tables. The technician's stands in
// suite.mjs, the engineer's in engineer.mjs.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import pg from 'pg';
import { until } from './suite.mjs';

/** days runs them; `sql` is where the product speaks Postgres, host:port. */
export function days({ open, firstDrill, base, sql, whole }) {
  test('an operator comes on tour: alarm, evidence, acknowledgement, and the sheet for the next crew', async (t) => {
    const page = await open(t);
    await firstDrill(page);
    const a = await until('an alarm stands', 150000, () => page.evaluate(() => fetch('/api/v1/alarms?state=active&limit=50').then((r) => r.json()).then((x) => x.alarms.find((y) => !y.cleared && y.status !== 'returned') ?? null)));
    await page.keyboard.press('g');
    await page.keyboard.press('a');
    await page.waitForURL('**/alarms');
    const row = page.locator(`tr[data-alarm="${a.id}"]`);
    await row.waitFor();
    await page.goto(`${base}/alarms/evidence?id=${encodeURIComponent(a.id)}`);
    await page.getByText('What happened').waitFor();
    assert.match(await page.locator('main').innerText(), new RegExp(a.drill));
    const answer = page.getByTestId('acknowledge');
    if (await answer.count()) await answer.click();
    await until('the server knows who has it', 10000, () => page.evaluate((id) => fetch(`/api/v1/alarms/by-id?id=${encodeURIComponent(id)}`).then((r) => r.json()).then((x) => x.status !== 'unack'), a.id));
    await page.keyboard.press('w');
    await page.waitForURL('**/handover');
    await page.getByRole('heading', { name: /^What changed since/ }).waitFor();
    await until('the sheet has the alarm', 15000, async () => (await page.locator('article').innerText()).includes(a.drill));
    const note = `pump 2 is watched ${Date.now().toString(36)}`;
    await page.getByLabel('What the sheet does not know').fill(note);
    await page.reload();
    await until('what was written is kept', 10000, async () => (await page.getByLabel('What the sheet does not know').inputValue()) === note);
    await page.emulateMedia({ media: 'print' });
    assert.ok(await page.locator('.printed').isVisible(), 'paper shows the note');
    assert.ok(!(await page.getByRole('button', { name: /^Print/ }).isVisible()), 'paper shows no button');
    whole(page);
  });

  test('of two engineers who edit the same rules the second is shown what the first changed, and loses nothing', async (t) => {
    const [one, two] = [await open(t, '/alarms/rules'), await open(t, '/alarms/rules')], word = Date.now().toString(36);
    const put = async (page, why) => {
      await page.getByLabel('Why', { exact: true }).fill(why);
      await page.getByRole('button', { name: 'Put in force untried' }).click();
    };
    for (const page of [one, two]) await page.getByTestId('advice').waitFor();
    const id = await one.locator('tr[data-rule].sel').getAttribute('data-rule'), was = await one.getByTestId('advice').inputValue(), title = await two.getByLabel('Title').inputValue();
    await two.getByLabel('Title').fill(`${title} ${word}`);
    await one.getByTestId('advice').fill(`${was} ${word}`);
    await put(one, 'words of the first engineer');
    await one.getByText(/is in force from the next frame/).waitFor();
    await put(two, 'words of the second engineer');
    const told = two.getByTestId('meanwhile');
    await told.locator(`[data-change="${id}, advice"]`).waitFor();
    await told.getByRole('button', { name: 'Take it in, yours on top' }).click();
    assert.equal(await two.getByTestId('advice').inputValue(), `${was} ${word}`);
    assert.equal(await two.getByLabel('Title').inputValue(), `${title} ${word}`);
    await put(two, 'words of both engineers');
    await two.getByText(/is in force from the next frame/).waitFor();
    const rule = await two.evaluate((r) => fetch('/api/v1/rules').then((x) => x.json()).then((x) => x.rules.find((y) => y.id === r)), id);
    assert.deepEqual([rule.advice, rule.title], [`${was} ${word}`, `${title} ${word}`]);
    await two.getByTestId('advice').fill(was); // as it was, for who comes after
    await two.getByLabel('Title').fill(title);
    await put(two, 'as it was before the test');
    await two.getByText(/is in force from the next frame/).waitFor();
    for (const page of [one, two]) whole(page);
  });

  test('an analyst asks by SQL and takes the same readings away as CSV, Parquet and JSON', async (t) => {
    const page = await open(t, '/admin');
    const who = `analyst-${Date.now().toString(36)}`;
    await page.getByRole('button', { name: 'Make a token…' }).click();
    await page.getByLabel('For', { exact: true }).fill(who);
    await page.getByRole('button', { name: 'Make the token' }).click();
    const password = await page.getByTestId('secret').innerText();
    await page.getByRole('button', { name: 'Done' }).click();
    const [host, port] = sql.split(':');
    const db = new pg.Client({ host, port: Number(port), user: who, password, database: 'mudpulse' });
    await db.connect();
    t.after(() => db.end());
    const asked = await db.query('SELECT drill, count(*) AS n, max(value) AS most FROM readings WHERE channel = $1 GROUP BY drill ORDER BY drill', ['SPP']);
    assert.ok(asked.rows.length > 0 && asked.rows.every((r) => Number(r.n) > 0 && r.most < 100), JSON.stringify(asked.rows.slice(0, 3)));
    await assert.rejects(db.query('DELETE FROM readings'), /SELECT|only|refused/i);

    const drill = asked.rows[0].drill;
    await page.goto(`${base}/data/exports`);
    const way = page.getByTestId('way'); // what is offered for pasting has the address that is listened on
    assert.match(await way.innerText(), new RegExp(`@${host.replaceAll('.', '\\.')}:${port}/mudpulse\\?sslmode=disable`));
    for (const name of ['psycopg', 'Notebook', 'Grafana']) {
      await page.getByRole('button', { name, exact: true }).click();
      await until(name, 5000, async () => new RegExp(`${host.replaceAll('.', '\\.')}(?::|", port=)${port}\\b`).test(await way.innerText()));
      if (name === 'psycopg') assert.ok((await db.query(/execute\("([^"]*)"\)/.exec(await way.innerText())[1])).rows.length > 20);
    }
    const wants = { CSV: (b) => /^drill,/.test(b.toString('utf8', 0, 40)) && b.toString('utf8').includes(drill), Parquet: (b) => b.toString('latin1', 0, 4) === 'PAR1' && b.toString('latin1', b.length - 4) === 'PAR1', 'JSON lines': (b) => { const r = JSON.parse(b.toString('utf8').split('\n')[0]); return r.drill === drill && 'ts' in r; } };
    const rows = new Set();
    for (const [format, right] of Object.entries(wants)) {
      const before = await page.locator('[data-export]').count();
      await page.getByLabel('Drills').fill(drill);
      await page.getByLabel('Channels').fill('SPP WOB');
      await page.getByRole('button', { name: 'all there is' }).click();
      await page.getByRole('button', { name: format, exact: true }).click();
      await page.getByRole('button', { name: 'Make the file' }).click();
      await until('it is listed', 10000, async () => (await page.locator('[data-export]').count()) > before);
      const row = page.locator('[data-export]', { hasText: `Readings ${format}` });
      await until('it is made', 60000, async () => (await row.getAttribute('data-state')) === 'done');
      const [file] = await Promise.all([page.waitForEvent('download'), row.getByRole('link', { name: 'Fetch' }).click()]);
      assert.ok(right(await readFile(await file.path())), `${format}: not what it should be`);
      rows.add(/([\d,]+) rows/.exec(await row.innerText())?.[1]);
    }
    assert.ok(!rows.has(undefined) && !rows.has('0'));
    await page.getByRole('button', { name: 'Training table' }).click();
    await page.getByLabel('Columns').fill('SPP__mean__never');
    await page.getByRole('button', { name: 'Make the file' }).click();
    await page.getByRole('alert').filter({ hasText: 'SPP__mean__never' }).waitFor();
    whole(page);
  });
}
