// Signs in once and returns what a browser then holds: by the one-time link, or, where that was used before, by the
// administrator's token (MUDPULSE_TOKEN), which the session endpoint takes as it takes a link's secret.
export async function enter(browser, base, link) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(link ?? `${base}/#signin=${process.env.MUDPULSE_TOKEN ?? ''}`);
  await page.getByTestId('answer').waitFor({ timeout: 15000 });
  const state = await context.storageState();
  await context.close();
  return state;
}
