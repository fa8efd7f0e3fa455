import { BASE } from './base';
import type {
  Alarm, Annotation, AlarmDetail, AlarmList, Channel, Device, DeviceAdded, Drill, ExportJob, ExportRequest, Gateway, Ledger, Meta, NameOf, Model, ModelReport, Outcome, Person, Invited, SignedIn, Token, AuditEntry, Delivery, EquipmentOf, Imported, Kinds, NotifySettings, Part, PartRun, Performance, Problem, Quarantined, Rules, RuleTrial, RuleVersion, SimilarAlarms, SeriesAnswer, Session, Spectrum, Trajectory, Unregistered, Waveform,
} from './types';

/** A Refusal is what the server answered instead; `problems` has every one of them, in words. */
export class Refusal extends Error {
  constructor(readonly status: number, readonly problem: Problem | null, what: string) {
    super(problem?.detail || problem?.title || `${what}: the server answered ${status}`);
  }
  get problems(): string[] {
    return (this.problem?.errors ?? []).map((e) => {
      const value = e.value == null || typeof e.value === 'object' ? '' : ` (${String(e.value)})`;
      return `${e.location ? e.location + ': ' : ''}${e.message}${value}`;
    });
  }
}

/** reasons says why something was not done, a line each: what the server said, then every field with its cure; or that nothing came back. */
export function reasons(err: unknown): string[] {
  if (err instanceof Refusal) return [...new Set([err.message, ...err.problems])];
  if (err instanceof TypeError) return ['The server does not answer. Whether it was done is not known: look before you try again.']; // what fetch throws
  return [err instanceof Error ? err.message : String(err)];
}

let ended: () => void = () => undefined;
/** onEnded is told when the server no longer knows who asks: the session ended, or was ended. */
export const onEnded = (f: () => void): void => { ended = f; };

export const signedOut = (err: unknown): boolean => err instanceof Refusal && err.status === 401;

const ROOT = BASE + 'api/v1';

async function call(method: string, path: string, body?: unknown, more: Record<string, string> = {}): Promise<Response> {
  const init: RequestInit = { method, headers: { Accept: 'application/json', ...more }, credentials: 'same-origin' };
  if (body !== undefined) { init.body = JSON.stringify(body); init.headers = { ...init.headers, 'Content-Type': 'application/json' }; }
  const r = await fetch(ROOT + path, init);
  if (r.ok) return r;
  let problem: Problem | null = null;
  try { problem = (await r.json()) as Problem; } catch { problem = null; } // a proxy's page, perhaps
  if (r.status === 401 && method + path !== 'POST/session') ended();
  throw new Refusal(r.status, problem, `${method} ${path}`);
}

async function json<T>(method: string, path: string, body?: unknown): Promise<T> {
  const r = await call(method, path, body);
  const text = await r.text();
  return (text ? JSON.parse(text) : {}) as T;
}

/** Kept is a document that is written whole, with the tag that says which of them was read; no tag: whatever it is. */
export interface Kept<T> { doc: T; tag: string }
async function kept<T>(path: string): Promise<Kept<T>> {
  const r = await call('GET', path);
  return { doc: (await r.json()) as T, tag: r.headers.get('ETag') ?? '' };
}
async function keep<T>(method: string, path: string, body: unknown, tag: string): Promise<Kept<T>> {
  const r = await call(method, path, body, tag ? { 'If-Match': tag } : {});
  return { doc: (await r.json()) as T, tag: r.headers.get('ETag') ?? '' };
}
/** overtaken says who has written meanwhile, and when, where that is why it was refused; null where it is not. */
export function overtaken(err: unknown): { by: string; at: string } | null {
  if (!(err instanceof Refusal) || err.status !== 412) return null;
  const of = (what: string) => String(err.problem?.errors?.find((e) => e.location === what)?.value ?? '');
  return { by: of('by'), at: of('at') };
}

const query = (q: Record<string, string | number | boolean | undefined>): string => {
  const p = new URLSearchParams();
  for (const [k, v] of Object.entries(q)) if (v !== undefined && v !== '') p.set(k, String(v));
  const s = p.toString();
  return s ? '?' + s : '';
};

const list = <T>(a: T[] | Record<string, unknown> | null, key: string): T[] => (Array.isArray(a) ? a : ((a?.[key] as T[] | null | undefined) ?? []));

export const session = (): Promise<Session> => json('GET', '/session');
export const signIn = (token: string): Promise<Session> => json('POST', '/session', { token });
export const signOut = async (): Promise<void> => { await call('DELETE', '/session'); };
export const meta = (): Promise<Meta> => json('GET', '/meta');
export const channels = async (): Promise<Channel[]> => list<Channel>(await json('GET', '/channels'), 'channels');
export const unregistered = async (): Promise<Unregistered[]> => list<Unregistered>(await json('GET', '/channels/unregistered'), 'unregistered');
export const addChannel = (c: { tag: string; unit: string; what?: string }): Promise<Channel> => json('POST', '/channels', c);
/** drills comes page by page: thousands at once hold up whoever draws meanwhile. */
export async function* drills(page = 400): AsyncGenerator<Drill[]> {
  for (let after: string | undefined; ; ) {
    const some = list<Drill>(await json('GET', '/drills' + query({ after, limit: page })), 'drills');
    yield some;
    if (some.length < page) return;
    after = some[some.length - 1].id;
  }
}
/** drill now, or as it was last scored before a moment, ms: then without depth and alarms. */
export const drill = (id: string, at?: number): Promise<Drill> => json('GET', `/drills/${encodeURIComponent(id)}` + query({ at: at === undefined ? undefined : new Date(at).toISOString() }));

/** series reads channels between two moments: ms since the epoch, RFC 3339, or relative ("-1h", "now"); as they were known at one, where it is given. */
export function series(id: string, names: string[], from: number | string, to: number | string, points: number, knownAt?: number): Promise<SeriesAnswer> {
  const at = (x: number | string) => (typeof x === 'number' ? new Date(x).toISOString() : x === 'now' ? undefined : x);
  return json('GET', `/drills/${encodeURIComponent(id)}/series` + query({ channels: names.join(','), from: at(from), to: at(to), points, known_at: knownAt === undefined ? undefined : at(knownAt) }));
}

export const annotations = async (q: { drill?: string; from?: string; to?: string; limit?: number }): Promise<Annotation[]> => list<Annotation>(await json('GET', '/annotations' + query(q)), 'annotations');
export const annotate = (n: { drill: string; from: string; to: string; text: string }): Promise<Annotation> => json('POST', '/annotations', n);
export const removeAnnotation = async (id: string): Promise<void> => { await call('DELETE', `/annotations/${encodeURIComponent(id)}`); };

export const alarms = (q: { state?: string; drill?: string; limit?: number; before?: string }): Promise<AlarmList> => json('GET', '/alarms' + query(q));
export const alarm = (id: string): Promise<AlarmDetail> => json('GET', '/alarms/by-id' + query({ id }));
export const performance = (hours: number): Promise<Performance> => json('GET', '/alarms/performance' + query({ hours }));
export const similar = (id: string): Promise<SimilarAlarms> => json('GET', '/alarms/similar' + query({ id }));
export const evidenceAddress = (id: string): string => ROOT + '/alarms/evidence' + query({ id });
export const ack = (id: string): Promise<{ command: string }> => json('POST', '/alarms/ack', { id, incident: true });
export const shelve = (id: string, hours: number, reason: string): Promise<{ command: string }> => json('POST', '/alarms/shelve', { id, hours, reason });
export const unshelve = (id: string): Promise<{ command: string }> => json('POST', '/alarms/unshelve', { id });
export const note = (id: string, text: string): Promise<{ command: string }> => json('POST', '/alarms/note', { id, text });
export const disposition = (id: string, value: 'right' | 'wrong' | 'unsure'): Promise<{ command: string }> => json('POST', '/alarms/disposition', { id, value });

// The server gives the rules themselves as a list, and takes them as a file of rules.
export const rules = async (): Promise<Kept<Rules>> => { const { doc: r, tag } = await kept<Omit<Rules, 'rules'> & { rules: unknown[] }>('/rules'); return { doc: { ...r, rules: { version: r.version, rules: r.rules } }, tag }; };
export const ruleVersions = async (): Promise<RuleVersion[]> => list<RuleVersion>(await json('GET', '/rules/versions'), 'versions');
export const tryRules = (set: unknown, days: number): Promise<RuleTrial> => json('POST', '/rules/trials' + query({ days }), set);
export const ruleTrial = (id: string): Promise<RuleTrial> => json('GET', `/rules/trials/${encodeURIComponent(id)}`);
export const putRules = (set: unknown, note: string, untried: boolean, tag: string): Promise<{ version: number }> => keep<{ version: number }>('PUT', '/rules' + query({ note, untried: untried || undefined }), set, tag).then((k) => k.doc);
export const restoreRules = (version: number, note: string, tag: string): Promise<{ version: number }> => keep<{ version: number }>('POST', `/rules/versions/${version}/restore`, { note }, tag).then((k) => k.doc);

export const models = async (): Promise<Model[]> => list<Model>(await json('GET', '/models'), 'models');
export interface Uploaded { name: string; version: number; sha256: string; checks?: { name: string; ok: boolean; detail: string }[]; marker?: string }
/** MODEL_MAX is how large a model may be, in bytes: models.MaxBytes of the server, which cuts the line where more comes. */
export const MODEL_MAX = 64 << 20;
/** upload sends a model; went is told what share of it has gone, and stop ends it. fetch cannot tell how far it is. */
export const upload = (file: Blob, name: string, activate: boolean, shadow: boolean, went: (share: number) => void, stop: AbortSignal): Promise<Uploaded> => new Promise((ok, no) => {
  const x = new XMLHttpRequest(), path = '/models' + query({ name, activate, shadow });
  x.open('POST', ROOT + path);
  x.setRequestHeader('Accept', 'application/json');
  x.setRequestHeader('Content-Type', 'application/xml');
  x.upload.onprogress = (e) => { if (e.lengthComputable) went(e.loaded / e.total); };
  x.onload = () => {
    let body: unknown = null;
    try { body = JSON.parse(x.responseText); } catch { body = null; } // a proxy's page, perhaps
    if (x.status >= 200 && x.status < 300) ok(body as Uploaded); else no(new Refusal(x.status, body as Problem | null, `POST ${path}`));
  };
  x.onerror = () => no(new TypeError('the line broke'));
  x.onabort = () => no(new DOMException('stopped', 'AbortError'));
  stop.addEventListener('abort', () => x.abort());
  x.send(file);
});
const model = (name: string) => `/models/${encodeURIComponent(name)}`;
export const activate = (name: string, version: number, shadow: boolean): Promise<{ marker: string }> => json('POST', model(name) + '/activate', { version, shadow });
export const promote = (name: string, p: { version: number; canary?: number; override?: string }): Promise<{ marker: string }> => json('POST', model(name) + '/promote', p);
export const report = (name: string, version: number): Promise<ModelReport> => json('GET', `${model(name)}/versions/${version}/report`);
export const test = async (name: string, version: number): Promise<void> => { await call('POST', `${model(name)}/versions/${version}/report`); };
export const rollBack = (name: string): Promise<{ marker: string }> => json('POST', model(name) + '/rollback');
export const deactivate = (name: string): Promise<{ marker: string }> => json('POST', model(name) + '/deactivate');
export const pmmlAddress = (name: string, version: number): string => `${ROOT}${model(name)}/versions/${version}/pmml`;

export const ledger = (q: { drill?: string; device?: string } = {}): Promise<Ledger> => json('GET', '/ledger' + query(q));
export const quarantine = (limit = 100): Promise<{ items: Quarantined[] | null; total: number }> => json('GET', '/quarantine' + query({ limit }));
export const devices = async (): Promise<Device[]> => list<Device>(await json('GET', '/devices'), 'devices');
export const addDevice = (drillID: string, id?: string): Promise<DeviceAdded> => json('POST', '/devices', id ? { drill: drillID, id } : { drill: drillID });
export const revokeDevice = async (id: string): Promise<void> => { await call('DELETE', `/devices/${encodeURIComponent(id)}`); };
export const renewDevice = (id: string): Promise<DeviceAdded> => json('POST', `/devices/${encodeURIComponent(id)}/password`);
export const tryMessage = (id: string, message: string): Promise<Outcome> => json('POST', `/devices/${encodeURIComponent(id)}/try`, { message });
type Names = Record<string, NameOf>;
export const deviceNames = (id: string): Promise<Kept<Names>> => kept<{ names: Names }>(`/devices/${encodeURIComponent(id)}/names`).then((k) => ({ doc: k.doc.names, tag: k.tag }));
export const putDeviceNames = (id: string, names: Names, tag: string): Promise<Kept<Names>> => keep<{ names: Names }>('PUT', `/devices/${encodeURIComponent(id)}/names`, { names }, tag).then((k) => ({ doc: k.doc.names, tag: k.tag }));
export const tryItem = (id: string, item: string, names: Record<string, NameOf>): Promise<Outcome> => json('POST', `/devices/${encodeURIComponent(id)}/try`, { item, names });
export const redrive = (id: string, message?: string): Promise<Outcome> => json('POST', `/quarantine/${encodeURIComponent(id)}/redrive`, message === undefined ? {} : { message });

export const people = (): Promise<Person[]> => json('GET', '/people');
export const invitations = (): Promise<Invited[]> => json('GET', '/invitations');
export const invite = (name: string, role: string): Promise<{ name: string; role: string; link: string; expires: string }> => json('POST', '/people', { name, role });
export const changePerson = async (name: string, role: string, disabled: boolean): Promise<void> => { await call('PUT', `/people/${encodeURIComponent(name)}`, { role, disabled }); };
export const sessions = (): Promise<SignedIn[]> => json('GET', '/sessions');
export const endSession = async (id: string): Promise<void> => { await call('DELETE', `/sessions/${encodeURIComponent(id)}`); };
export const tokens = (): Promise<Token[]> => json('GET', '/tokens');
export const makeToken = (name: string, role: string, days: number): Promise<Token & { token: string }> => json('POST', '/tokens', { name, role, days });
export const revokeToken = async (id: string): Promise<void> => { await call('DELETE', `/tokens/${encodeURIComponent(id)}`); };
export const audit = async (limit: number, before?: number): Promise<AuditEntry[]> => list<AuditEntry>(await json('GET', '/audit' + query({ limit, before })), 'entries');
export const gateways = async (): Promise<Gateway[]> => list<Gateway>(await json('GET', '/gateways'), 'gateways');

/** worst first: priority, then unanswered before answered, then the newest. */
export const byUrgency = (a: Alarm, b: Alarm): number =>
  a.priority - b.priority || Number(a.status !== 'unack') - Number(b.status !== 'unack') || Date.parse(b.raised) - Date.parse(a.raised);

export const trajectory = (id: string): Promise<Trajectory> => json('GET', `/drills/${encodeURIComponent(id)}/trajectory`);
/** waveforms lists a drill's snapshots of the last thirty days, newest first. */
export const waveforms = async (id: string): Promise<Waveform[]> => list<Waveform>(await json('GET', `/drills/${encodeURIComponent(id)}/waveforms` + query({ from: '-720h', limit: 1000 })), 'waveforms');
export const spectrum = (id: string, w: { channel: string; at: string }, to: number, points: number, band: readonly [number, number] | null): Promise<Spectrum> =>
  json('GET', `/drills/${encodeURIComponent(id)}/spectrum` + query({ channel: w.channel, at: w.at, to, points, envelope_low: band?.[0], envelope_high: band?.[1] }));
export const kinds = (): Promise<Kinds> => json('GET', '/equipment/kinds');
export const parts = async (): Promise<Part[]> => list<Part>(await json('GET', '/parts'), 'parts');
export const equipment = (drill: string): Promise<EquipmentOf> => json('GET', '/equipment' + query({ drill }));
/** newPart describes a part that there was none of; one that somebody has described meanwhile is left as it is. */
export const newPart = async (serial: string, p: { kind: string }): Promise<void> => { try { await call('PUT', `/parts/${encodeURIComponent(serial)}`, p, { 'If-None-Match': '*' }); } catch (err) { if (!(err instanceof Refusal) || err.status !== 412) throw err; } };
export const install = (r: { drill: string; position: string; serial: string; from: string }): Promise<PartRun> => json('POST', '/equipment/runs', r);
export const endRun = (id: string, r: { at: string; reason: string; grade: string }): Promise<PartRun> => json('POST', `/equipment/runs/${encodeURIComponent(id)}/end`, r);
export const maintain = (m: { drill: string; position: string; at: string; activity: string; failure_mode?: string; note: string }): Promise<unknown> => json('POST', '/equipment/maintenance', m);
export const importEquipment = (table: string): Promise<Imported> => json('POST', '/equipment/import', { table });
export const notifications = (): Promise<Kept<NotifySettings>> => kept('/notifications');
export const putNotifications = (s: NotifySettings, tag: string): Promise<Kept<NotifySettings>> => keep('PUT', '/notifications', s, tag);
export const testTarget = (id: string): Promise<unknown> => json('POST', `/notifications/targets/${encodeURIComponent(id)}/test`);
export const deliveries = async (): Promise<Delivery[]> => list<Delivery>(await json('GET', '/notifications/deliveries?limit=50'), 'deliveries');

export const exportJobs = async (): Promise<ExportJob[]> => list<ExportJob>(await json('GET', '/exports'), 'exports');
export const makeExport = (r: ExportRequest): Promise<ExportJob> => json('POST', '/exports', r);
export const deleteExport = async (id: string): Promise<void> => { await call('DELETE', `/exports/${encodeURIComponent(id)}`); };
export const exportAddress = (id: string, what: 'file' | 'schema'): string => `${ROOT}/exports/${encodeURIComponent(id)}/${what}`;
