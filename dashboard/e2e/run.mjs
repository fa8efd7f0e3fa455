// Browser tests against the running product: MUDPULSE_URL, and MUDPULSE_LINK (its one-time sign-in link) or
// MUDPULSE_TOKEN (what stands in DIR/admin-token); MUDPULSE_SQL is where
// it speaks Postgres (127.0.0.1:5433). Chromium is the system's: CHROMIUM, or found on the PATH.
import { after } from 'node:test';
import { launch } from './browser.mjs';
import { days } from './days.mjs';
import { enter } from './enter.mjs';
import { more } from './more.mjs';
import { suite } from './suite.mjs';

const base = (process.env.MUDPULSE_URL ?? '').replace(/\/$/, '');
if (!base) {
  console.error('MUDPULSE_URL is not set: start the product (make run) and give its address, and MUDPULSE_LINK or MUDPULSE_TOKEN');
  process.exit(2);
}
const browser = await launch();
after(() => browser.close());
const state = await enter(browser, base, process.env.MUDPULSE_LINK);
const { open, firstDrill, whole } = suite({ browser, base, state: () => state });
more({ open, firstDrill, whole, base });
days({ open, firstDrill, whole, base, sql: process.env.MUDPULSE_SQL ?? '127.0.0.1:5433' });
