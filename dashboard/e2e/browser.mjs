// The system's Chromium, found by CHROMIUM or on the PATH; nothing is downloaded.
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium } from 'playwright-core';

export function findChromium() {
  const tries = [process.env.CHROMIUM, ...['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'].flatMap((n) => (process.env.PATH ?? '').split(delimiter).map((d) => join(d, n)))].filter(Boolean);
  for (const p of tries) { try { accessSync(p, constants.X_OK); return p; } catch { continue; } }
  return null;
}

export async function launch(...more) {
  const executablePath = findChromium();
  if (!executablePath) throw new Error('no Chromium on this machine: install the package "chromium", or name one in the variable CHROMIUM');
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage', '--force-color-profile=srgb', ...more] });
}

export const DESK = { width: 1440, height: 900 };
export const PHONE = { width: 390, height: 844 };
