// Believable drills as pure functions of time, for looking at the dashboard while no product runs. Never part of the build.

export const STATES = ['rotary', 'sliding', 'reaming', 'circulating', 'connection', 'tripping', 'idle', 'unknown'];
export const SUBSYSTEMS = ['hydraulics', 'pumps', 'bit', 'topdrive', 'hoisting', 'instruments'];
const F = ['North Skerry', 'Mora Basin', 'Kestrel', 'Tarn Head'];
const C = ['Hallam Drilling', 'Orrin'];

/** noise of about one, the same for the same seed and time */
export function noise(seed, t) {
  let s = 0;
  for (let k = 0; k < 3; k++) {
    let h = Math.imul(Math.floor(t / 2000) ^ (seed * 7919 + k * 104729), 0x9e3779b1);
    h ^= h >>> 15; h = Math.imul(h, 0x85ebca6b); h ^= h >>> 13;
    s += (h >>> 0) / 4294967296;
  }
  return (s - 1.5) * 2;
}

const sick = {
  'RIG-07': { p: 1, sub: 'hydraulics', from: 93, to: 31, start: 0.94, title: 'Wash-out in the drill string', reason: 'Standpipe pressure 6.1 % under what this flow should give, and falling. Wash-out in the string', advice: 'Driller, now: pick up, hold 2,100 L/min, compare both pumps 5 min, weigh the mud.\nToolpusher, if it stays low: stop drilling, pull out, look for wet joints.', signal: 'SPP__resid_exp__60s', unit: '%', value: -6.1, limit: -3, left: [2.4, 3.6, 5.1], model: 'washout@4' },
  'RIG-11': { p: 2, sub: 'pumps', from: 95, to: 44, start: 0.55, title: 'Mud pump 2, fluid-end valve leaking', reason: 'Fluid-end valve pattern 2.8 (normal under 0.3), four times up in 36 h', advice: 'Derrickhand, this tour: listen at pump 2, have a valve and seat ready.', signal: 'PPULS__mean__10m', unit: '–', value: 2.8, limit: 0.9, left: [44, 68, 98], model: 'pump-rul@6' },
  'RIG-04': { p: 2, sub: 'topdrive', from: 94, to: 48, start: 0.3, ack: 'K. Nygård', title: 'Top drive bearing, outer race', reason: 'Bearing outer-race hits 35 above noise (normal 3–6). Spall growing', advice: 'Mechanic: grease, sample the oil, plan the bearing for the next trip.', signal: 'TDENV__mean__10m', unit: '–', value: 35, limit: 12, left: [140, 190, 250], model: 'bearing-rul@4' },
  'RIG-09': { p: 3, sub: 'topdrive', from: 91, to: 66, start: 0.1, title: 'Top drive motor runs warm for its load', reason: 'Motor winding 14 °C warmer than this load explains. Cooling filter fouled', advice: 'Electrician: change the filter at the next connection.', signal: 'TDWT__resid_load__1h', unit: '°C', value: 14, limit: 10, left: [210, 300, 400], model: 'winding@2' },
};

export const ids = Array.from({ length: 12 }, (_, i) => 'RIG-' + String(i + 1).padStart(2, '0'));
const nth = (id) => Number(id.slice(4));
export const SILENT = 'RIG-12';

const MIN = 60000;
export function stateAt(id, t) {
  const n = nth(id), period = 45 * MIN, x = ((t + n * 11 * MIN) % period) / MIN;
  if (n === 3) return ['idle', t - 3 * 60 * MIN];
  const at = t - (x - Math.floor(x)) * MIN;
  const since = (from) => t - (x - from) * MIN;
  void at;
  if (n === 6) return x < 40 ? ['tripping', since(0)] : ['connection', since(40)];
  return x < 31 ? [n === 8 ? 'sliding' : 'rotary', since(0)] : x < 33.2 ? ['reaming', since(31)] : x < 40 ? ['connection', since(33.2)] : ['circulating', since(40)];
}

/** how far gone a sick drill's fault is at t: 0 to 1, as its hour goes by */
const ill = (id, t, t0) => (sick[id] ? Math.max(0, Math.min(1.4, 1 + (t - t0) / (60 * MIN))) : 0);

export function value(id, channel, t, t0) {
  const n = nth(id), [st, since] = stateAt(id, t), on = st === 'rotary' || st === 'sliding', into = (t - since) / MIN;
  const ramp = (k) => Math.min(1, into / k), g = noise(n * 31 + channel.length * 7 + channel.charCodeAt(0) + channel.charCodeAt(1), t);
  const flow = st === 'connection' || st === 'tripping' || st === 'idle' ? 2100 * Math.max(0, 1 - into / 0.5) * (st === 'connection' ? 1 : 0) : 2100;
  const f = st === 'circulating' ? 2100 * ramp(1) : flow, w = on ? 98 * ramp(1.5) : 0;
  const wash = id === 'RIG-07' ? 0.01 + 0.051 * Math.pow(ill(id, t, t0), 1.3) : 0;
  switch (channel) {
    case 'HKLD': return st === 'connection' ? 182 + g * 2 : 1242 - w + g * 6;
    case 'WOB': return Math.max(0, w + (on ? g * 3.5 : 0));
    case 'BPOS': return st === 'tripping' ? 16 + 14 * Math.sin(t / (3 * MIN)) : on ? 30 - into * 0.85 : st === 'connection' ? Math.min(30, 4 + into * 4.4) : 4;
    case 'RPM': return st === 'rotary' ? 120 * ramp(0.7) + g : st === 'reaming' ? 60 + g : 0;
    case 'TQ': return st === 'rotary' ? 15.5 + w * 0.02 + g * 0.6 : st === 'reaming' ? 4.5 + g * 0.3 : 0.4;
    case 'SPP': return Math.max(0, 22.4 * Math.pow(f / 2100, 1.86) * (1 - wash) + (f > 100 ? g * 0.06 : 0));
    case 'FLIN': return Math.max(0, f + (f > 50 ? g * 7 : 0));
    case 'FLOUT': return Math.max(0, f * 0.99 + (f > 50 ? g * 24 : 0));
    case 'ROP': return on ? Math.max(0, 21 + 3 * Math.sin(t / (4 * MIN)) + g * 0.8) * ramp(2) : 0;
    case 'SSI': return on ? Math.max(0, 0.09 + g * 0.04) : 0;
    case 'PVT': return 62.2 + g * 0.05 + (f < 50 ? 0.9 : 0);
    case 'PPULS': return id === 'RIG-11' ? 0.3 + 2.5 * ill(id, t, t0) + g * 0.05 : 0.2 + g * 0.02;
    case 'TDENV': return id === 'RIG-04' ? 30 + 5 * ill(id, t, t0) + g : 4 + g * 0.5;
    case 'TDWT': return 92 + (id === 'RIG-09' ? 14 : 0) + g * 0.6;
    case 'TDBT': return 61 + g * 0.4;
    case 'GBOT': return 66 + g * 0.4;
    case 'GBPC': return 80 + g * 8;
    case 'TDVEL': return 1.8 + g * 0.1;
    case 'TDKW': return st === 'rotary' ? 210 + g * 8 : 12;
    case 'VIBAX': return 0.4 + g * 0.1;
    case 'VIBLAT': return 0.8 + g * 0.2;
    case 'DBTM': return depth(id, t);
    case 'MDI': return 1282;
    case 'MTO': return 48 + g * 0.2;
    case 'health': return health(id, t, t0);
    case 'state': return STATES.indexOf(st);
    default: return channel.startsWith('health.') ? (sick[id]?.sub === channel.slice(7) ? health(id, t, t0) : 92 + g) : null;
  }
}

export const depth = (id, t) => 1200 + nth(id) * 190 + ((t / 3600000) % 100) * 4;

export function health(id, t, t0) {
  const s = sick[id], g = noise(nth(id) * 977, t) * 0.8;
  if (!s) return Math.min(99, 86 + (nth(id) * 5) % 12 + g);
  const x = Math.max(0, (1 + (t - t0) / (7 * 86400000) - s.start) / (1 - s.start));
  return Math.max(5, s.from - (s.from - s.to) * Math.pow(x, 1.4) + g);
}

export const iso = (ms) => new Date(ms).toISOString();
const shelves = new Map(), acks = new Map(), notes = new Map(), verdicts = new Map();
export const did = { shelves, acks, notes, verdicts };

export function alarmsAt(t0) {
  return Object.entries(sick).map(([id, s]) => {
    const raised = t0 - (s.p === 1 ? 8 : s.p === 2 ? 260 : 490) * MIN, key = `${id}/${s.sub}-rule/${Math.floor(raised / 1000)}`;
    const by = acks.get(key) ?? (s.ack ? { by: s.ack, at: t0 - 200 * MIN } : null), shelf = shelves.get(key);
    return {
      id: key, drill: id, rule: `${s.sub}-rule`, priority: s.p, subsystem: s.sub, title: s.title, reason: s.reason, advice: s.advice, signal: s.signal, unit: s.unit,
      value: s.value, limit: s.limit, rig_state: 'rotary', raised: iso(raised), cleared: null, status: shelf ? 'shelved' : by ? 'ack' : 'unack', acked_by: by?.by ?? '',
      acked_at: by ? iso(by.at) : null, shelved_until: shelf ? iso(shelf.until) : null, shelve_reason: shelf?.reason ?? '', note: notes.get(key) ?? '', disposition: verdicts.get(key) ?? '',
      time_left_h: s.left[1], model: s.model, model_sha256: 'c41f9be207d3a96e5512f0ab8e6d14c7b09a3f7126dc58e4901b7ad53ec6f820', origin: 'live', simulated: true,
    };
  });
}

export function drillAt(id, t, t0) {
  const s = sick[id], last = id === SILENT ? t0 - 130 * MIN : t - 400 - nth(id) * 20, [state, since] = stateAt(id, last), a = alarmsAt(t0).find((x) => x.drill === id) ?? null;
  const h = health(id, last, t0), unacked = a && a.status === 'unack' ? 1 : 0;
  return {
    id, field: F[nth(id) % F.length], contractor: C[nth(id) % 2], state, state_since: iso(since), depth: depth(id, last), hole_depth: depth(id, last), health: h,
    confidence: id === 'RIG-05' ? 0.4 : 1, health_change_per_day: s ? (s.to - s.from) / ((1 - s.start) * 7) : 0,
    health_7d: Array.from({ length: 84 }, (_, i) => health(id, t - (83 - i) * 7200000, t0)),
    subsystems: SUBSYSTEMS.map((name, i) => ({ name, health: s?.sub === name ? h : Math.min(99, 88 + ((nth(id) + i * 3) % 10)), confidence: 1 })),
    reasons: s ? [
      { subsystem: s.sub, code: 'r1', text: s.reason, points: Math.round((100 - h) * 0.55), feature: s.signal, value: s.value, normal: 0, unit: s.unit, model: s.model, since: iso(t0 - 30 * MIN) },
      { subsystem: s.sub, code: 'r2', text: 'Falling 6 % an hour, faster as the hole grows', points: Math.round((100 - h) * 0.3), feature: 'SPP__slope__30m', value: -6, normal: 0, unit: '%/h', model: s.model, since: iso(t0 - 18 * MIN) },
      { subsystem: s.sub, code: 'r3', text: 'Flow out, pit and both pumps steady: mud not lost', points: Math.round((100 - h) * 0.15), feature: 'PVT__delta__30m', value: -0.02, normal: 0, unit: 'm³', model: s.model, since: null },
    ] : [],
    time_left: s ? { low: s.left[0], median: s.left[1], high: s.left[2] } : null,
    alarms: { p1: s?.p === 1 ? 1 : 0, p2: s?.p === 2 ? 1 : 0, p3: s?.p === 3 ? 1 : 0, unacked }, top_alarm: a && a.status !== 'shelved' ? a : null,
    last_ts: iso(last), age_s: (t - last) / 60000, simulated: true, run: 4,
  };
}

export function results(id, t, t0) {
  return [
    { model: 'rig-state', version: 3, shadow: false, outputs: { state: stateAt(id, t)[0] }, error: null, sha256: 'ab12'.repeat(16) },
    { model: 'spp-expected', version: 5, shadow: false, outputs: { SPP_expected: 22.4, SPP_low: 21.73, SPP_high: 23.07 }, error: null, sha256: 'cd34'.repeat(16) },
    { model: 'washout', version: 4, shadow: false, outputs: { drift: ill(id, t, t0) * 5.4, time_left_h: sick[id]?.left[1] ?? null }, error: null, sha256: 'c41f'.repeat(16) },
    { model: 'pump-rul', version: 7, shadow: true, outputs: {}, error: 'PPULS__slope__12h: no reading for 12 h', sha256: 'ef56'.repeat(16) },
  ];
}

export function series(id, name, from, to, points, t0) {
  const out = { channel: name, unit: '', t: [], min: [], max: [], last: [], gaps: [], resolution: to - from > 6 * 3600000 ? '1m' : 'raw' };
  const end = id === SILENT ? Math.min(to, t0 - 130 * MIN) : to, step = Math.max(1000, (to - from) / points);
  const probe = value(id, name, from, t0);
  if (probe == null) return out;
  const hole = name !== 'state' && id === 'RIG-10' ? [t0 - 22 * MIN, t0 - 17 * MIN] : null;
  if (hole && hole[1] > from) out.gaps.push(hole);
  for (let t = from; t <= end; t += step) {
    if (hole && t > hole[0] && t < hole[1]) continue;
    const a = value(id, name, t, t0), b = name === 'state' ? a : value(id, name, t + step / 2, t0);
    out.t.push(t); out.min.push(Math.min(a, b)); out.max.push(Math.max(a, b)); out.last.push(b);
  }
  return out;
}
