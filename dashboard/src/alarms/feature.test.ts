import { expect, test } from 'vitest';
import table from '../../../scoring/feature/testdata/names.tsv?raw';
import { parse, span, words } from './feature';

test('names are those of the golden table that Go and Python read', () => {
  const rows = table.split('\n').filter((l) => l && !l.startsWith('#')).map((l) => l.split('\t'));
  expect(rows.length).toBeGreaterThan(70);
  for (const [good, name, kind, channel, fn, window, z, gate] of rows) {
    const n = parse(name);
    expect(n !== null, `${JSON.stringify(name)} is ${good}`).toBe(good === 'good');
    if (!n) continue;
    expect(n.kind, name).toBe(kind);
    if (n.kind === 'field') expect(n.channel, name).toBe(channel);
    if (n.kind === 'feature') expect([n.channel, n.fn, String(n.window), String(n.z), n.gate], name).toEqual([channel, fn, window, z, gate]);
  }
});

test('a feature is said in words', () => {
  const what = (c: string) => ({ WOB: 'weight on bit', SPP: 'standpipe pressure' })[c] ?? c;
  expect(words('WOB__mean__60s', what)).toBe('mean of weight on bit over 60 s');
  expect(words('SPP__std__5m__z__in_rotary', what)).toBe('spread of standpipe pressure over 5 min, against its usual, while drilling');
  expect(words('SPP__q__p_99_9__10m', what)).toBe('99.9 % quantile of standpipe pressure over 10 min');
  expect(words('TDACC__env__o_top_drive_bearing_bpfo__f_2500_3500__2h', () => 'bearing acceleration')).toBe('envelope line at top drive bearing bpfo, 2500 to 3500 Hz of bearing acceleration over 2 h');
  expect(words('TDACC__order__o_3_06__2h', () => 'bearing acceleration')).toBe('amplitude at 3.06 × the shaft of bearing acceleration over 2 h');
  expect(words('hours__since__event_bit_change', what)).toBe('hours since bit change');
  expect([words('WOB', what), words('washout.drift', what), words('SPP__resid_exp__60s', what)]).toEqual(['', '', '']);
  expect([60, 90, 600, 5400, 86400, 172800].map(span)).toEqual(['60 s', '90 s', '10 min', '90 min', '24 h', '2 d']);
});
