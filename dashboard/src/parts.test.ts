import { expect, test } from 'vitest';
import { RigClock } from './clock';
import { blank, change, leads, standing, stoodAt } from './merge';
import { keys, press } from './keys';
import { address, read, type Route } from './route';
import { lay, ROWS } from './fleet/cells';
import { crossings, warning } from './replay/crossings';
import { draft } from './handover/draft';
import { agentWords, didWord, peopleAnswer } from './admin/words';
import { reasons, Refusal } from './api';
import { gauge } from './units';
import { hold, moved } from './fleet/order';
import { place } from './fleet/axis';
import { Column, Columns } from './columns';
import { mse } from './drill/mse';
import { fit, scaled } from './drill/scales';
import { channelOf, edge, onChannel, outputWords, readingOf, shown, signalWords, steps, who } from './alarms/words';
import { ledgerAnswer, share } from './data/words';
import { modelsAnswer, nameOf } from './models/words';
import type { Alarm, Channel, LedgerRow, Model, Drill } from './types';

test('the clock runs on at the rate of the rig, and ages are in seconds of ours', () => {
  let wall = 5000;
  const c = new RigClock(() => wall), t = Date.parse('2026-11-22T02:00:00Z');
  c.set({ now: '2026-11-22T02:00:00Z', rate: 60, demo: true });
  wall += 1000;
  expect(c.now()).toBe(t + 60000);
  expect(c.age(t)).toBe(1);
  expect(c.age(null)).toBe(null);
  c.set({ now: 'nonsense', rate: 1, demo: false });
  expect(c.rate).toBe(60);
});

test('a clock that was moved is said once it lasts; a held-up page and a laptop that slept are no jump', () => {
  let wall = 0, date = 1e12;
  const c = new RigClock(() => wall, () => date), t0 = Date.parse('2026-11-22T02:00:00Z');
  const tell = (ms: number) => c.set({ now: new Date(t0 + ms).toISOString(), rate: 1, demo: false });
  const pass = (ms: number, calendar = ms) => { wall += ms; date += calendar; };
  expect(tell(0)).toBe(0);
  pass(1000); expect(tell(1000)).toBe(0);
  pass(15000); expect(tell(2000)).toBe(0); // it lay in the queue
  expect(tell(16000)).toBe(0);
  pass(1000, 3600000); expect(tell(3616000)).toBe(0); // an hour's sleep
  pass(1000); expect(tell(3617000 - 7200000)).toBe(0); // two hours back: not yet sure
  pass(1000); expect(tell(3618000 - 7200000)).toBe(-7200000);
  pass(1000); expect(tell(3619000 - 7200000)).toBe(0);
});

test('crew change is the next of the times, by the rig’s own clock', () => {
  const c = new RigClock(() => 0);
  const f = (now: string, offset: number, want: string) => { c.offset = offset; expect(new Date(c.tourEnd(['06:00', '18:00'], Date.parse(now))!).toISOString()).toBe(want); };
  f('2026-11-22T02:12:44Z', 0, '2026-11-22T06:00:00.000Z');
  f('2026-11-22T02:12:44Z', 60, '2026-11-22T05:00:00.000Z');
  f('2026-11-22T18:00:00Z', 0, '2026-11-23T06:00:00.000Z');
  f('2026-11-22T23:30:00Z', 480, '2026-11-23T10:00:00.000Z');
  expect(c.tourEnd(['soon'])).toBe(null);
});

test('what the live channel does not say stays as it was', () => {
  const d = { ...blank('A'), field: 'Kestrel', health: 90, reasons: [] };
  const n = change(d, { id: 'A', health: null, reason: { subsystem: 'bit', text: 'Dull' }, top_alarm: null });
  expect([n.field, n.health, n.reasons[0].text, n.reasons[0].subsystem]).toEqual(['Kestrel', null, 'Dull', 'bit']);
  expect(change(n, { id: 'A' }).reasons[0].text).toBe('Dull');
  expect(change(n, { id: 'A', reason: 'Duller' }).reasons[0].text).toBe('Duller');
  expect(change(n, { id: 'A', reason: null }).reasons).toEqual([]);
  expect(d.reasons).toEqual([]);
});

test('an alarm stands until it went back and somebody saw it', () => {
  const f = (status: Alarm['status'], cleared: string | null, want: boolean) => expect(standing({ status, cleared } as Alarm)).toBe(want);
  f('unack', null, true); f('ack', null, true); f('rtn_unack', 'x', true); f('returned', 'x', false); f('shelved', null, false); f('ack', 'x', false);
});

test('every address leads to its screen and back', () => {
  const f = (path: string, want: Route) => { const [p, q] = path.split('?'); expect(read(p, q ? '?' + q : '')).toEqual(want); expect(address(want)).toBe(path); };
  f('/', { screen: 'fleet' });
  f('/d/RIG-07', { screen: 'drill', id: 'RIG-07', tab: 'drilling' });
  f('/d/a%2Fb/scores', { screen: 'drill', id: 'a/b', tab: 'scores' });
  f('/alarms', { screen: 'alarms', tab: 'active' });
  f('/alarms/history', { screen: 'alarms', tab: 'history' });
  f('/alarms/evidence?id=RIG-07%2Fwash%2F17', { screen: 'evidence', id: 'RIG-07/wash/17' });
  f('/models/pump-rul', { screen: 'models', name: 'pump-rul' });
  f('/data', { screen: 'data', tab: 'ledger', add: false });
  f('/data/devices/add', { screen: 'data', tab: 'devices', add: true });
  f('/admin', { screen: 'admin', tab: 'people' });
  f('/admin/audit', { screen: 'admin', tab: 'audit' });
  f('/handover', { screen: 'handover' });
  f('/wall', { screen: 'wall' });
  f('/elsewhere', { screen: 'nowhere', path: '/elsewhere' });
  expect(read('/d/%zz')).toMatchObject({ screen: 'drill', id: '%zz' });
});

test('keys do nothing while somebody types, and the newest screen answers first', () => {
  const did: string[] = [];
  const off = keys({ a: () => did.push('page'), 'g f': () => did.push('fleet') });
  const top = keys({ a: () => did.push('alarm') });
  const e = (key: string, more = {}) => press({ key, ctrlKey: false, metaKey: false, altKey: false, target: null, timeStamp: 0, ...more }, false)?.();
  e('a'); top(); e('a'); e('g'); e('f'); e('f');
  e('a', { target: { tagName: 'INPUT', type: 'text' } }); e('a', { ctrlKey: true });
  expect(press({ key: 'a', ctrlKey: false, metaKey: false, altKey: false, target: null, timeStamp: 0 }, true)).toBe(null);
  off();
  expect(did).toEqual(['alarm', 'page', 'fleet']);
});

const spp: Channel = { tag: 'SPP', what: 'standpipe pressure', unit: 'MPa', field: 'psi', factor: 145.0377, shift: 0, resolution: 0.02, low: 0, high: 60, normal_low: 10, normal_high: 30, class: 'fast', subsystem: 'hydraulics' };

test('units are a display choice', () => {
  expect(gauge(spp, 'SI').text(21)).toBe('21.00');
  expect(gauge(spp, 'field').text(21)).toBe('3,046');
  expect(gauge(spp, 'field').unit).toBe('psi');
  expect(gauge({ ...spp, tag: 'MTO', unit: '°C', field: '°F', factor: 1.8, shift: 32, resolution: 0.1 }, 'field').text(100)).toBe('212.0');
  expect(gauge(undefined, 'field', 'kN').unit).toBe('kN');
  expect(gauge(spp, 'SI').text(null)).toBe('—');
});

test('rows keep their place while pointed at; only what must be acted on now enters on top', () => {
  expect(hold(['a', 'b', 'c'], ['c', 'x', 'a', 'n'], (id) => id === 'n')).toEqual(['n', 'a', 'c', 'x']);
  expect(moved(['a', 'c'], ['c', 'a'])).toBe(2);
  expect(moved(['a'], ['a'])).toBe(0);
});

test('time left is a place from one hour to thirty days', () => {
  expect(place(0.1)).toBe(place(1));
  expect(place(5000)).toBe(place(720));
  expect(place(24) - place(6)).toBeCloseTo(place(96) - place(24), 6);
});

test('specific energy is Teale’s, and there is none off bottom', () => {
  const one = (v: number) => { const c = new Column(8); c.add(0, v, v); return c; };
  const out = new Column(8);
  mse(out, one(100), one(120), one(15), one(20), 0.2159);
  // by hand: A = 0.036610 m²; 100/A + 2π·120·60·15/(A·20) = 2,731.5 + 926,787.6 kPa
  expect(out.last).toBeCloseTo(929.52, 1);
  mse(out, one(100), one(120), one(15), one(0.5), 0.2159);
  expect(out.last).toBeNaN();
  mse(out, one(2), one(120), one(15), one(20), undefined);
  expect(out.last).toBeNaN();
});

test('a drill’s scale is laid around its usual pressure, once, and stays', () => {
  const c = new Columns(['SPP']);
  for (let i = 0; i < 100; i++) c.get('SPP')!.add(i, i % 4 ? 21 : 0, i % 4 ? 21 : 0);
  const s = fit(c, {});
  expect(s.SPP).toEqual([16, 24]);
  expect(fit(c, { SPP: [15, 25] })).toEqual({ SPP: [15, 25] });
  expect(fit(c, { SPP: [0, 10] }).SPP).toEqual([16, 24]);
  expect(scaled(s)[3].traces[0]).toMatchObject({ channel: 'SPP', lo: 16, hi: 24 });
  expect(fit(new Columns(['SPP']), {})).toEqual({});
  const off = new Columns(['SPP']);
  for (let i = 0; i < 100; i++) off.get('SPP')!.add(i, 0.4, 0.5);
  expect(fit(off, {})).toEqual({});
});

test('what a signal is made of, and in words', () => {
  expect([channelOf('SPP__resid_exp__60s'), channelOf('SSI'), channelOf('washout.drift')]).toEqual(['SPP', 'SSI', '']);
  expect([onChannel('SSI'), onChannel('SPP__mean__60s'), onChannel('SPP__slope__30m'), onChannel('m.out')]).toEqual([true, true, false, false]);
  expect(edge({ signal: 'SSI', value: 1.4, limit: 0.6 } as Alarm)).toEqual([null, 0.6]);
  expect(edge({ signal: 'SPP', value: 18, limit: 20 } as Alarm)).toEqual([20, null]);
  expect(edge({ signal: 'washout.drift', value: 18, limit: 20 } as Alarm)).toEqual([null, null]);
  const c = new Map([['SPP', spp]]);
  expect(signalWords('SPP__slope__30m', c)).toBe('slope of standpipe pressure over 30 min');
  expect(signalWords('SPP__std__5m__in_rotary', c)).toBe('spread of standpipe pressure over 5 min, while drilling');
  expect(signalWords('pump-rul.time_left_h', c)).toBe('time left, middle');
  expect(signalWords('stick_slip.probability', c)).toBe('how likely, stick slip');
  expect([outputWords('washout.deficit_pct'), outputWords('cooling.excess_c'), outputWords('m.y')]).toEqual([['under what is expected', '%'], ['over what is expected', '°C'], ['y', '']]);
  expect([shown('washout.probability', 0.98), shown('washout.hole_mm', 4)]).toEqual([98, 4]);
  expect([readingOf('Standpipe pressure 26.2 MPa, should be 27.8', ['HKLD', 'SPP'], c), readingOf('Motor winding 114 °C', ['SPP'], c)]).toEqual(['SPP', '']);
});

test('advice is numbered by who does what', () => {
  expect(steps('Driller, now: pick up. If it stays low: stop drilling.')).toEqual(['Driller, now: pick up.', 'If it stays low: stop drilling.']);
  expect(steps('One.\nTwo.')).toEqual(['One.', 'Two.']);
  expect(who('Driller, now: pick up.')).toEqual(['Driller, now:', 'pick up.']);
  expect(who('Pick up')).toEqual(['', 'Pick up']);
});

test('one fault is one line: whoever is unanswered leads, then the most urgent', () => {
  const a = (id: string, more: Partial<Alarm> = {}) => ({ id, incident: 'x', priority: 2, status: 'ack', raised: '2026-11-22T08:00:00Z', ...more }) as Alarm;
  const f = (want: string[][], ...list: Alarm[]) => expect([...leads(list).values()].map((l) => l.map((x) => x.id))).toEqual(want);
  f([['x', 'y']], a('y', { raised: '2026-11-22T08:00:01Z' }), a('x'));
  f([['y', 'x']], a('x'), a('y', { priority: 1 }));
  f([['y', 'x']], a('x', { priority: 1 }), a('y', { status: 'unack' }));
  f([['x'], ['z']], a('x'), a('z', { incident: '' }));
});

test('the ledger’s sentence names what is missing, and never calls a frame on its way a loss', () => {
  const row = (more: Partial<LedgerRow>): LedgerRow => ({ drill: 'A', device: 'e', boot: 'b', first: 1, last: 10, sent: 10, accepted: 10, stored: 10, scored: 10, readable: 10, gaps: [], ...more });
  const f = (rows: LedgerRow[], lead: string, rest: string) => expect(ledgerAnswer({ rows, totals: {} })).toEqual({ lead, rest });
  f([row({})], 'Nothing accepted has been lost.', 'Every frame that was sent has come.');
  f([row({ stored: 8 })], 'Nothing accepted has been lost.', 'Every frame that was sent has come. 2 frames are on the way.');
  f([row({ gaps: [{ stage: 'stored', from: 3, to: 4, count: 2, why: '' }] })], '2 accepted frames are missing after the gateway.', 'Every frame that was sent has come.');
  f([row({ gaps: [{ stage: 'scored', from: 9, to: 10, count: 2, why: '', pending: true }, { stage: 'accepted', from: 9, to: 10, count: 2, why: '', pending: true }] })], 'Nothing accepted has been lost.', 'Every frame that was sent has come.');
  f([row({ gaps: [{ stage: 'accepted', from: 3, to: 3, count: 1, why: 'restart' }] })], 'Nothing accepted has been lost.', 'One gap happened before the gateway and is named below.');
  f([], 'No device has sent a frame yet.', 'Each frame will be counted here, from the device to the glass.');
});

test('a model is called by its file, without its version', () => {
  expect(['pump-rul-v7.pmml', 'Wash out 3.xml', 'a.pmml', '.pmml'].map(nameOf)).toEqual(['pump-rul', 'Wash-out', 'a', 'model']);
  const m = (status: string, errors = 0) => ({ name: 'x', status, shadow: status === 'shadow', active_version: status === 'inactive' ? null : 1, errors }) as Model;
  expect(modelsAnswer([m('active'), m('active'), m('shadow'), m('inactive', 3)])).toEqual({ lead: 'Two models judge the drills.', rest: 'One runs beside and raises nothing. One is off. x could not score some rows.' });
  expect(modelsAnswer([]).lead).toBe('No model judges the drills yet.');
});

test('a threshold speaks when the score stays over it, and again within half an hour is the same call', () => {
  const c = new Column(64);
  [0, 0, 9, 9, 9, 0, 9, 9, 9, NaN, 9].forEach((v, i) => c.add(i * 60000, v, v));
  expect(crossings(c, 5, 120000)).toEqual([{ at: 240000, until: 600000 }]);
  expect(crossings(c, 10, 120000)).toEqual([]);
  expect(crossings(c, 5, 600000)).toEqual([]);
  expect([warning(crossings(c, 5, 120000), 600000), warning(crossings(c, 5, 120000), 100000), warning([], 5)]).toEqual([360000, null, null]);
});

test('a tour is drafted from what was raised in it, what it left, and how health has changed', () => {
  const began = Date.parse('2026-11-22T06:00:00Z');
  const al = (id: string, more: Partial<Alarm>) => ({ id, drill: 'A', title: 'Stick-slip', priority: 2, status: 'unack', raised: '2026-11-22T08:00:00Z', cleared: null, origin: 'live', ...more }) as Alarm;
  const drills = [{ id: 'A', health: 40 }, { id: 'B', health: 90 }, { id: 'C', health: 70 }] as Drill[];
  const t = draft(drills, [al('1', {}), al('2', { drill: 'B', cleared: '2026-11-22T09:00:00Z', status: 'returned' }), al('3', { drill: 'B', raised: '2026-11-22T01:00:00Z', cleared: '2026-11-22T02:00:00Z', status: 'returned' }), al('4', { drill: 'C', status: 'shelved', shelved_until: '2026-11-22T19:00:00Z', shelve_reason: 'float sticks' })], began, (d) => (d.id === 'C' ? 92 : d.id === 'A' ? 44 : 91));
  expect(t.worse.map((w) => [w.d.id, w.then, w.alarm?.id ?? null])).toEqual([['A', 44, '1'], ['C', 92, null]]);
  expect(t.over.map((a) => a.id)).toEqual(['2']);
  expect(t.left).toEqual([{ at: Date.parse('2026-11-22T19:00:00Z'), drill: 'C', text: 'Stick-slip: shelved, float sticks' }]);
  expect([t.raised, t.split]).toEqual([3, [0, 3, 0]]);
});

test('who may change what raises an alarm is counted, and what is too strong is said', () => {
  const p = (name: string, role: string, more = {}) => ({ name, role, disabled: false, created: '', by: '', seen: null, sessions: 0, ...more });
  const now = Date.parse('2026-11-22T12:00:00Z');
  expect(peopleAnswer([p('a', 'administrator'), p('b', 'operator'), p('c', 'engineer', { disabled: true })], [], now)).toEqual({ lead: 'Two people; one may change what raises an alarm.', rest: '' });
  expect(peopleAnswer([p('a', 'viewer', { seen: '2026-09-01T00:00:00Z' })], [{ id: '', name: 't', role: 'engineer', created: '', expires: null, seen: null, by: '' }], now).rest).toBe('One strong token has not been used for a month. One person has not been here for 45 days.');
  expect(didWord({ id: 1, at: '', by: 'a', role: '', action: 'invite', subject: 'Mara', detail: '', remote: '', status: 201 })).toBe('invited Mara');
});

test('ten thousand drills are laid by field and name, each on a place of its own that others do not move', () => {
  const all = Array.from({ length: 10000 }, (_, i) => ({ id: `D-${String(i).padStart(5, '0')}`, field: `Field ${i % 40}` }));
  const a = lay(all, 1080, 8), at = new Map(a.cells.map((c) => [all[c.i].id, `${c.x} ${c.y}`]));
  expect(a.cells.length).toBe(10000);
  expect(new Set(at.values()).size).toBe(10000);
  expect(Math.max(...a.cells.map((c) => c.x))).toBeLessThanOrEqual(1080);
  const shuffled = [...all].reverse(), b = lay(shuffled, 1080, 8);
  for (const c of b.cells) expect(`${c.x} ${c.y}`).toBe(at.get(shuffled[c.i].id));
  expect(Math.max(...a.cells.filter((c) => all[c.i].field === 'Field 0').map((c) => c.y)) - Math.min(...a.cells.map((c) => c.y))).toBe((ROWS - 1) * 8);
});

test('at a moment of the past those alarms stand that stood then, as far as they were answered then', () => {
  const one = (id: string, raised: string, cleared: string | null, acked: string | null, priority = 2) => ({ id, raised: `2026-11-22T${raised}:00Z`, cleared: cleared && `2026-11-22T${cleared}:00Z`, acked_at: acked && `2026-11-22T${acked}:00Z`, acked_by: acked ? 'M. Aas' : '', status: 'returned', priority }) as unknown as Alarm;
  const all = [one('a', '08:00', '09:00', '08:10'), one('b', '09:30', '11:00', '10:30'), one('c', '09:40', null, '09:50', 1), one('d', '10:05', null, null)];
  const at = stoodAt(all, Date.parse('2026-11-22T10:00:00Z'));
  expect(at.map((a) => [a.id, a.status, a.acked_by, a.cleared])).toEqual([['c', 'ack', 'M. Aas', null], ['b', 'unack', '', null]]);
  // Of two of one rule whose end nobody told, the later stands; before it was raised, the earlier.
  const twice = [{ ...one('x', '08:00', null, null), rule: 'r' }, { ...one('y', '09:00', null, null), rule: 'r' }];
  expect(['08:30', '09:30'].map((time) => stoodAt(twice, Date.parse(`2026-11-22T${time}:00Z`)).map((a) => a.id))).toEqual([['x'], ['y']]);
});

test('a row of the ledger is whole but for what is named as gone; what is on its way is not gone', () => {
  const row = (more: Partial<LedgerRow>): LedgerRow => ({ drill: 'RIG-01', device: 'd', boot: 'b', first: 1, last: 1000, sent: 1000, accepted: 1000, stored: 1000, scored: 1000, readable: 1000, gaps: null, ...more });
  expect([row({}), row({ stored: 800 }), row({ gaps: [{ stage: 'accepted', from: 1, to: 3, count: 3, why: '' }] }), row({ gaps: [{ stage: 'stored', from: 1, to: 3, count: 3, why: '', pending: true }] }), row({ sent: 1e9, gaps: [{ stage: 'stored', from: 1, to: 1, count: 1, why: '' }] }), row({ sent: null })].map(share))
    .toEqual(['100 %', '100 %', '99.70 %', '100 %', '99.99 %', '—']);
});

test('a session is of a browser on a machine, as people say it', () => {
  expect(agentWords('Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.0.0 Safari/537.36')).toBe('Chrome on Linux');
  expect(agentWords('Mozilla/5.0 (Windows NT 10.0) Gecko/20100101 Firefox/140.0')).toBe('Firefox on Windows');
  expect(agentWords('Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1 Version/19.0 Mobile Safari/604.1')).toBe('Safari on iOS');
  expect(agentWords('curl/8.5')).toBe('curl/8.5');
});

test('what was not done is said with every field and its cure, or that nothing came back', () => {
  const r = new Refusal(422, { title: 'Unprocessable', status: 422, detail: 'validation failed', errors: [{ location: 'body.on_delay', message: 'write it as "90s"', value: '5 seconds' }] }, 'PUT /rules');
  expect(reasons(r)).toEqual(['validation failed', 'body.on_delay: write it as "90s" (5 seconds)']);
  expect(reasons(new TypeError('Failed to fetch'))[0]).toMatch(/^The server does not answer/);
  expect(reasons(new Error('odd'))).toEqual(['odd']);
});
