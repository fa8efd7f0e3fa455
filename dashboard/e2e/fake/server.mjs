// A small server that speaks the dashboard's API with made-up drills, for developing the pages while no product runs:
// `npm run fake`, or imported by e2e/fake/run.mjs. Never part of the build, and no proof of anything about the product.
import { createHash, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WebSocketServer } from 'ws';
import { catalogue } from './catalogue.mjs';
import { alarmsAt, did, drillAt, ids, iso, results, series, SILENT, STATES, SUBSYSTEMS, value } from './drills.mjs';

const dist = fileURLToPath(new URL('../../dist/', import.meta.url));
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.woff2': 'font/woff2', '.svg': 'image/svg+xml', '.webmanifest': 'application/manifest+json' };
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/** start listens on a port of loopback; returns {url, link, secret, close, quiet(on), server}. */
export async function start({ port = 0, rate = 60, link = 'let-me-in', begin = Date.parse('2026-11-22T02:12:44Z') } = {}) {
  const t0 = begin, wall0 = Date.now();
  const now = () => t0 + (Date.now() - wall0) * rate;
  const clock = () => ({ now: iso(now()), rate, demo: rate !== 1 });
  const sessions = new Set();
  const devices = ids.map((drill, i) => ({ id: `edr-${i + 1}`, drill, username: `edr-${i + 1}`, created: iso(t0 - 9e8) }));
  const models = makeModels(t0), notes = [];
  let mute = false;
  const sockets = new Set();
  const tell = (m) => { for (const s of sockets) if (!mute) s.ws.send(JSON.stringify(m)); };

  const problem = (res, status, title, detail, errors) => send(res, status, { type: 'about:blank', title, status, detail, errors }, 'application/problem+json');
  const send = (res, status, body, kind = 'application/json') => { res.writeHead(status, { 'Content-Type': kind, 'Cache-Control': 'no-store' }); res.end(JSON.stringify(body)); };
  const read = (req) => new Promise((ok) => { const parts = []; req.on('data', (c) => parts.push(c)); req.on('end', () => ok(Buffer.concat(parts))); });
  const cookie = (req) => /mudpulse=([\w-]+)/.exec(req.headers.cookie ?? '')?.[1];

  async function api(req, res, url) {
    const path = url.pathname.slice('/api/v1'.length), q = url.searchParams, body = req.method === 'POST' ? await read(req) : Buffer.alloc(0);
    const j = () => JSON.parse(body.toString() || '{}');
    if (path === '/session' && req.method === 'POST') {
      if (j().token !== link) return problem(res, 401, 'Not signed in', 'this link was used, or is older than 30 minutes');
      const id = randomUUID();
      sessions.add(id);
      res.setHeader('Set-Cookie', `mudpulse=${id}; HttpOnly; SameSite=Strict; Path=/`);
      return send(res, 200, { name: 'admin', role: 'administrator' });
    }
    if (!sessions.has(cookie(req))) return problem(res, 401, 'Not signed in', 'open the sign-in link');
    if (path === '/session') { if (req.method === 'DELETE') { sessions.delete(cookie(req)); res.writeHead(204); return res.end(); } return send(res, 200, { name: 'admin', role: 'administrator' }); }
    if (path === '/meta') return send(res, 200, { version: 'fake', clock: clock(), simulated: true, tour: { start: '06:00', end: '18:00', hours: 12 }, subsystems: SUBSYSTEMS, states: STATES });
    if (path === '/channels') return send(res, 200, catalogue);
    if (path === '/channels/unregistered') return send(res, 200, { unregistered: [{ tag: 'MUDGAS', drills: ['RIG-02'], last_seen: iso(now()) }] });
    if (path === '/drills') return send(res, 200, { drills: ids.map((id) => drillAt(id, now(), t0)) });
    let m;
    if ((m = /^\/drills\/([^/]+)$/.exec(path))) {
      if (!ids.includes(m[1])) return problem(res, 404, 'No such drill', `no drill is called ${m[1]}`);
      return send(res, 200, { ...drillAt(m[1], now(), t0), results: scored(m[1], now()) });
    }
    if ((m = /^\/drills\/([^/]+)\/series$/.exec(path))) {
      const when = (x, d) => (!x ? d : x.startsWith('-') ? now() - parseFloat(x.slice(1)) * (x.endsWith('h') ? 3600000 : 1000) : Date.parse(x));
      const to = when(q.get('to'), now()), from = when(q.get('from'), to - 3600000), points = Number(q.get('points') ?? 600), known = q.get('known_at') ? Date.parse(q.get('known_at')) : 0;
      const told = (s) => { // what came later is not there, and health was judged better at first
        if (!known) return s;
        const n = s.t.filter((t) => t <= known).length, then = (v, i) => (s.channel === 'health' && s.t[i] > known - 900000 ? Math.min(100, v + 9) : v);
        return { ...s, t: s.t.slice(0, n), min: s.min.slice(0, n).map(then), max: s.max.slice(0, n).map(then), last: s.last.slice(0, n).map(then) };
      };
      return send(res, 200, { drill: m[1], from: iso(from), to: iso(to), clock: iso(now()), series: q.get('channels').split(',').map((c) => told(series(m[1], c, from, to, points, t0))) });
    }
    if (path === '/annotations' && req.method === 'GET') return send(res, 200, { annotations: notes.filter((n) => (!q.get('drill') || n.drill === q.get('drill'))) });
    if (path === '/annotations') { const n = { ...j(), id: randomUUID(), by: 'admin', told: iso(now()) }; notes.push(n); tell({ type: 'annotations', name: n.drill }); return send(res, 201, n); }
    if ((m = /^\/annotations\/([^/]+)$/.exec(path)) && req.method === 'DELETE') { const i = notes.findIndex((n) => n.id === m[1]), [n] = notes.splice(i, 1); tell({ type: 'annotations', name: n.drill }); res.writeHead(204); return res.end(); }
    if (path === '/alarms') {
      const state = q.get('state') ?? 'active', all = alarmsAt(t0).filter((a) => !q.get('drill') || a.drill === q.get('drill'));
      const old = { ...alarmsAt(t0)[1], id: 'RIG-02/old/1', drill: 'RIG-02', title: 'Stick-slip', reason: 'Stick-slip 1.4 for 6 min; bit stands still a third of the time', status: 'returned', cleared: iso(t0 - 5e6), raised: iso(t0 - 6e6), acked_by: 'T. Lund', subsystem: 'bit', signal: 'SSI', value: 1.4, limit: 0.6 };
      return send(res, 200, { alarms: state === 'history' ? [...all, old] : all.filter((a) => (state === 'shelved') === (a.status === 'shelved')), counts: {}, performance: {} });
    }
    if (path === '/alarms/performance') {
      const all = alarmsAt(t0), per = Array.from({ length: 144 }, (_, i) => (i % 17 === 3 ? 1 : i === 100 ? 7 : 0));
      return send(res, 200, { from: iso(t0 - 86400000), to: iso(t0), operators: 1, raised: 31, incidents: 28, per_operator_hour: 1.3, per_operator_day: 31, by_priority: [1, 5, 25], per_10min: per, most_10min: 7, flood_share: 0, floods: [], stale: 1, stale_alarms: [], chattering: 2,
        chattering_share: 0.06, top10_share: 0.38, right: 9, wrong: 2, worst: all.slice(0, 4).map((a, i) => ({ drill: a.drill, rule: a.rule, title: a.title, count: 9 - i, back: i === 0 ? 2 : 0, right: 3 - i, wrong: i })),
        targets: { per_operator_hour: 6, per_operator_day: 144, flood_share: 0.01, stale: 5, top10_share: 0.05, chattering_share: 0.01 } });
    }
    if (path === '/alarms/similar') return send(res, 200, { alarms: [], right: 0, wrong: 0, known: 0 });
    if (path === '/alarms/by-id') {
      const a = alarmsAt(t0).find((x) => x.id === q.get('id'));
      if (!a) return problem(res, 404, 'No such alarm', `no alarm has the id ${q.get('id')}`);
      return send(res, 200, { ...a, evidence: evidence(a), history: [{ at: a.raised, by: '', kind: 'raised', text: a.title }, ...(a.acked_at ? [{ at: a.acked_at, by: a.acked_by, kind: 'ack', text: '' }] : [])] });
    }
    if ((m = /^\/alarms\/(ack|shelve|unshelve|note|disposition)$/.exec(path))) {
      const { id, hours, reason, text, value: v } = j(), a = alarmsAt(t0).find((x) => x.id === id);
      if (!a) return problem(res, 404, 'No such alarm', `no alarm has the id ${id}`);
      if (m[1] === 'ack') did.acks.set(id, { by: 'admin', at: now() });
      if (m[1] === 'shelve') did.shelves.set(id, { until: now() + hours * 3600000, reason });
      if (m[1] === 'unshelve') did.shelves.delete(id);
      if (m[1] === 'note') did.notes.set(id, text);
      if (m[1] === 'disposition') did.verdicts.set(id, v);
      setTimeout(() => tell({ type: 'alarm', alarm: alarmsAt(t0).find((x) => x.id === id) }), 150);
      return send(res, 202, { command: randomUUID() });
    }
    if (path === '/models' && req.method === 'GET') return send(res, 200, { models });
    if (path === '/models') {
      const text = body.toString(), name = q.get('name') || /modelName="([^"]+)"/.exec(text)?.[1] || 'uploaded';
      if (!text.includes('<PMML')) return problem(res, 422, 'The model was refused', `${name} was refused, 2 problems`, [{ location: 'line 1', message: 'this is not PMML: the document element is not PMML' }, { location: 'whole file', message: 'no model element; PMML 3.0 to 4.4.1 has one of TreeModel, RegressionModel, …' }]);
      const old = models.find((x) => x.name === name), version = (old?.version ?? 0) + 1, sha256 = createHash('sha256').update(body).digest('hex'), checks = [{ name: 'Read', ok: true, detail: 'PMML 4.4' }];
      const v = { version, sha256, uploaded: iso(now()), by: 'admin', status: q.get('activate') === 'true' ? 'active' : 'inactive' };
      if (old) { old.version = version; old.sha256 = sha256; if (v.status === 'active') { old.versions.forEach((x) => (x.status = 'inactive')); old.active_version = version; } old.versions.unshift(v); }
      else models.push({ ...models[0], name, version, active_version: v.status === 'active' ? version : null, sha256, versions: [v], checks, status: v.status, uploadedHere: true });
      tell({ type: 'models', name });
      return send(res, 201, { name, version, sha256, checks, marker: randomUUID() });
    }
    if ((m = /^\/models\/([^/]+)\/(activate|rollback|deactivate)$/.exec(path))) {
      const x = models.find((y) => y.name === m[1]), v = m[2] === 'activate' ? j().version : m[2] === 'rollback' ? x.active_version - 1 : null;
      x.active_version = v; x.status = v ? 'active' : 'inactive'; x.versions.forEach((y) => (y.status = y.version === v ? 'active' : 'inactive'));
      tell({ type: 'models', name: x.name });
      return send(res, 202, { marker: randomUUID() });
    }
    if (path === '/ledger') return send(res, 200, ledger(t0, now()));
    if (path === '/quarantine') return send(res, 200, { total: 2, items: [
      { id: 'q1', gateway: 'gw-1', drill: 'RIG-05', device: 'edr-5', topic: 'mudpulse/v1/RIG-05/frames', received: iso(t0 - 4e6), code: 'physical_limit', field: 'channels.SPP', message: 'SPP 3,250 MPa is outside −1 to 150 MPa; looks like psi', cure: 'set the unit of SPP to psi for this device, then send again', raw_base64: 'eyJjaGFubmVscyI6e319', raw_text: '{"device":"edr-5","boot":"b1","seq":17,"channels":{"SPP":3250}}', size: 64 },
      { id: 'q2', gateway: 'gw-1', drill: 'RIG-08', device: 'edr-8', topic: 'mudpulse/v1/RIG-08/frames', received: iso(t0 - 9e6), code: 'malformed_json', field: 'byte 412', message: 'the JSON ends at byte 412, in channel TQ', cure: 'none: the message was cut off before it came', raw_base64: '', raw_text: '{"device":"edr-8","seq":', size: 412 }] });
    if (path === '/devices' && req.method === 'POST') {
      const d = { id: j().id || `edr-${devices.length + 1}`, drill: j().drill };
      if (!/^[A-Za-z][\w-]{1,40}$/.test(d.drill ?? '')) return problem(res, 422, 'The device was refused', 'drill: must be a name', [{ location: 'drill', message: 'must start with a letter and hold letters, digits, - and _', value: d.drill }]);
      devices.push({ ...d, username: d.id, created: iso(now()) });
      return send(res, 201, { username: d.id, password: 'kept-nowhere-else-1', topic: `mudpulse/v1/${d.drill}/frames`, proto_topic: `mudpulse/v1/${d.drill}/frames.pb`, example: `mosquitto_pub -h 127.0.0.1 -p 1883 -u ${d.id} -P kept-nowhere-else-1 -q 1 -t mudpulse/v1/${d.drill}/frames -m '{"values":{"WOB":101.2}}'` });
    }
    if (path === '/devices') return send(res, 200, { devices });
    if (path === '/gateways') return send(res, 200, { gateways: [{ id: 'gw-1', drills: 12, frames_per_s: 12, waiting: 0, last_seen: iso(now()) }] });
    return problem(res, 404, 'Nothing here', path);
  }

  const server = createServer(async (req, res) => {
    const url = new URL(req.url, 'http://localhost');
    try {
      if (url.pathname.startsWith('/api/')) return await api(req, res, url);
      const name = extname(url.pathname) ? url.pathname : '/index.html';
      const body = await readFile(join(dist, name));
      res.writeHead(200, { 'Content-Type': TYPES[extname(name)] ?? 'application/octet-stream', 'Content-Security-Policy': POLICY });
      res.end(body);
    } catch (err) { res.writeHead(err.code === 'ENOENT' ? 404 : 500); res.end(String(err)); }
  });
  const wss = new WebSocketServer({ noServer: true });
  server.on('upgrade', (req, socket, head) => {
    if (!sessions.has(cookie(req)) || !req.url.startsWith('/api/v1/live')) { socket.end('HTTP/1.1 401 Unauthorized\r\n\r\n'); return; }
    wss.handleUpgrade(req, socket, head, (ws) => {
      const s = { ws, fleet: false, drill: null, channels: [], sub: 0, sent: 0 };
      sockets.add(s);
      ws.on('close', () => sockets.delete(s));
      ws.on('message', (data) => {
        const m = JSON.parse(data.toString());
        if (m.op === 'fleet') { s.fleet = m.on; ws.send(JSON.stringify({ type: 'fleet', full: true, at: now(), drills: ids.map((id) => brief(id, now(), t0)) })); }
        if (m.op === 'drill') { s.drill = m.drill; s.channels = m.channels; s.sub = m.sub ?? 0; s.sent = now(); }
        if (m.op === 'off') s.drill = null;
        if (m.op === 'ping' && !mute) ws.send('{"type":"pong"}');
      });
      ws.send(JSON.stringify({ type: 'hello', clock: clock(), version: 'fake' }));
    });
  });
  const scored = (id, t) => {
    const known = results(id, t, t0).map((r) => ({ ...r, version: models.find((x) => x.name === r.model)?.active_version ?? r.version }));
    return [...known, ...models.filter((x) => x.active_version && x.uploadedHere).map((x) => ({ model: x.name, version: x.active_version, shadow: false, outputs: { shifted: value(id, 'SPP', t, t0) + x.active_version }, error: null, sha256: x.sha256 }))];
  };
  let beat = 0;
  const timer = setInterval(() => {
    if (mute) return;
    beat++;
    const t = now();
    if (beat % 5 === 0) {
      const open = alarmsAt(t0).filter((a) => a.status === 'unack');
      tell({ type: 'counts', p1: open.filter((a) => a.priority === 1).length, p2: open.filter((a) => a.priority === 2).length, p3: open.filter((a) => a.priority === 3).length, age_s: 0.4, readings_per_s: 1103, drills_reporting: 11, drills: 12, clock: clock() });
    }
    for (const s of sockets) {
      if (s.fleet && beat % 3 === 0) s.ws.send(JSON.stringify({ type: 'fleet', full: false, at: t, drills: ids.filter((id) => id !== SILENT).map((id) => brief(id, t, t0)) }));
      if (!s.drill || s.drill === SILENT) continue;
      if (beat % 3 === 0) { const d = drillAt(s.drill, t, t0); s.ws.send(JSON.stringify({ type: 'score', drill: s.drill, state: d.state, state_since: d.state_since, health: d.health, confidence: d.confidence, subsystems: d.subsystems, reasons: d.reasons, results: scored(s.drill, t), time_left: d.time_left, tick: iso(t) })); }
      s.ws.send(encode(s, t, t0, rate));
      s.sent = t;
    }
  }, 200);
  await new Promise((ok) => server.listen(port, '127.0.0.1', ok));
  const url = `http://127.0.0.1:${server.address().port}`;
  return {
    url, link: `${url}/#signin=${link}`, server, quiet: (on) => { mute = on; },
    cut: () => { for (const s of sockets) s.ws.terminate(); },
    close: () => new Promise((ok) => { clearInterval(timer); for (const s of sockets) s.ws.terminate(); server.close(ok); server.closeAllConnections(); }),
  };
}

function brief(id, t, t0) {
  const d = drillAt(id, t, t0);
  return { id, state: d.state, state_since: d.state_since, health: d.health, confidence: d.confidence, change: d.health_change_per_day, subsystems: d.subsystems, reason: d.reasons[0] ?? null, time_left: d.time_left, depth: d.depth, last_ts: d.last_ts, top_alarm: d.top_alarm, unacked: d.alarms.unacked };
}

/** as src/frame.ts draws it */
function encode(s, t, t0, rate) {
  const step = Math.max(100, rate * 100), times = [];
  for (let x = Math.floor(s.sent / step) * step + step; x <= t; x += step) times.push(x);
  const known = s.channels.map((c, i) => [c, i]).filter(([c]) => value(s.drill, c, t, t0) != null);
  const b = Buffer.alloc(16 + known.length * (8 + times.length * 24));
  b.writeUInt8(1, 0); b.writeUInt8(1, 1); b.writeUInt16LE(known.length, 2); b.writeUInt32LE(s.sub, 4); b.writeDoubleLE(t, 8);
  let at = 16;
  for (const [c, i] of known) {
    b.writeUInt16LE(i, at); b.writeUInt16LE(times.length, at + 2); at += 8;
    times.forEach((x, k) => {
      const v = value(s.drill, c, x, t0), w = value(s.drill, c, x + step / 2, t0);
      b.writeDoubleLE(x - t, at + k * 8); b.writeDoubleLE(Math.min(v, w), at + (times.length + k) * 8); b.writeDoubleLE(Math.max(v, w), at + (2 * times.length + k) * 8);
    });
    at += times.length * 24;
  }
  return b;
}

function evidence(a) {
  return {
    tick: a.raised, score: 5.4, baseline: 0.3, prev: '41d877a0'.repeat(8), hash: '9f2c41d877a0b3e5'.repeat(4), offset: 'frames-3-118967220',
    inputs: [{ name: a.signal, value: a.value, unit: a.unit, low: -3, high: 3 }, { name: 'SPP__slope__30m', value: -6, unit: '%/h', low: -0.5, high: 0.5 }, { name: 'FLIN__mean__5m', value: 2099, unit: 'L/min', low: 1200, high: 4000 }, { name: 'PVT__delta__30m', value: -0.02, unit: 'm³', low: -0.5, high: 0.5 }, { name: 'MDI__last__10m', value: 0, unit: 'kg/m³', missing: true }],
    contributions: [{ name: a.signal, value: 3.1 }, { name: 'SPP__slope__30m', value: 1.4 }, { name: 'PVT__delta__30m', value: -0.2 }], frames: Array.from({ length: 60 }, (_, i) => ({ device: 'edr-7', boot: '5c1e', seq: 8839917 + i })),
  };
}

function ledger(t0, t) {
  const sec = (t - t0) / 1000 + 1209600;
  const rows = ids.map((drill, i) => {
    const n = Math.round(sec / 60), lost = i === 9 ? 210 : 0;
    return { drill, device: `edr-${i + 1}`, boot: 'b1', first: 1, last: n, sent: drill === SILENT ? null : n, accepted: n - lost, stored: n - lost, scored: n - lost, readable: n - lost, gaps: lost ? [{ stage: 'accepted', from: 9001, to: 9210, count: 210, why: 'device restarted, boot 9a0c to 9a0d, kept nothing' }] : [] };
  });
  const sum = (k) => rows.reduce((a, r) => a + (r[k] ?? 0), 0);
  return { rows, totals: { sent: null, accepted: sum('accepted'), stored: sum('stored'), scored: sum('scored'), readable: sum('readable') } };
}

function makeModels(t0) {
  const m = (name, kind, fn, v, p50, status = 'active') => ({
    name, version: v, active_version: status === 'inactive' ? null : v, kind, function: fn, author: 'mudpulse', uploaded: iso(t0 - 8e9), sha256: createHash('sha256').update(name).digest('hex'), size: 31200,
    inputs: [{ name: 'SPP__mean__60s', unit: 'MPa', known: true }, { name: 'FLIN__mean__60s', unit: 'L/min', known: true }, { name: 'MUDGAS', unit: '', known: false }], outputs: [{ name: 'drift' }, { name: 'time_left_h' }], shadow: status === 'shadow', drills: ids, status,
    rows_per_s: 12, errors: 0, mean_us: p50, versions: Array.from({ length: v }, (_, i) => ({ version: v - i, sha256: createHash('sha256').update(name + i).digest('hex'), uploaded: iso(t0 - 8e9 - i * 9e8), by: 'mudpulse', status: i ? 'inactive' : status })),
    checks: [{ name: 'Read', ok: true, detail: 'PMML 4.4, 412 trees, 31,204 nodes' }, { name: 'Bound', ok: true, detail: '18 of 18 inputs found' }, { name: 'Verified', ok: true, detail: '200 of 200 rows in the file agree to 1e-9' }, { name: 'Speed', ok: true, detail: '24 µs a row, 50 at worst; limit 200 µs' }],
  });
  return [m('rig-state', 'TreeModel', 'classification', 3, 2), m('spp-expected', 'RegressionModel', 'regression', 5, 3), m('washout', 'MiningModel', 'regression', 4, 9), m('pump-rul', 'MiningModel', 'regression', 7, 22, 'shadow'), m('bearing-rul', 'MiningModel', 'regression', 4, 25), m('health', 'Scorecard', 'regression', 8, 1), m('toolpusher', 'RuleSetModel', 'classification', 2, 1, 'inactive')];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const s = await start({ port: Number(process.env.PORT ?? 8080), rate: Number(process.env.RATE ?? 60) });
  console.log(`made-up drills at ${s.link}`);
}
