import { expect, test } from 'vitest';
import { hostOf, onlyHere, ways } from './connect';

const page = { hostname: 'rig.example', origin: 'http://rig.example:8080' };
const sql = (host: string, port = 6001, tls = false) => ({ host, port, tls });

test('the address is the one that is listened on, the page’s host where that is every one', () => {
  expect(hostOf(sql('127.0.0.1'), page.hostname)).toBe('127.0.0.1');
  expect(hostOf(sql(''), page.hostname)).toBe('rig.example');
  expect(hostOf(sql('::1'), page.hostname)).toBe('[::1]');
  expect(hostOf(undefined, '[::1]')).toBe('[::1]');
  expect([sql('127.0.0.1'), sql('::1'), sql(''), sql('10.0.0.7'), undefined].map(onlyHere)).toEqual([true, true, false, false, false]);
});

test('every way has the real host, port and TLS', () => {
  for (const w of ways(sql('10.0.0.7', 6001, true), page, '')) {
    if (w.key === 'duckdb') { expect(w.lines).toContain('http://rig.example:8080/api/v1/exports/ID/file'); continue; }
    expect(w.lines, w.key).toMatch(/10\.0\.0\.7(?::6001|", port=6001)/);
    expect(w.lines, w.key).toMatch(/sslmode(?:=|: |=")"?require/);
  }
  expect(ways(sql('', 6001), page, 'abc').find((w) => w.key === 'duckdb')!.lines).toContain('/exports/abc/file');
  expect(ways(undefined, page, '')[0].lines).toBe('psql "postgres://NAME:TOKEN@rig.example:5433/mudpulse?sslmode=disable"');
});
