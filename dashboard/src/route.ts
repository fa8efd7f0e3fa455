// Addresses of the screens. A link to anything can be sent to somebody.

export type Route =
  | { screen: 'fleet' }
  | { screen: 'drill'; id: string; tab: DrillTab; at?: number; waveform?: string }
  | { screen: 'alarms'; tab: (typeof ALARM_TABS)[number] }
  | { screen: 'evidence'; id: string }
  | { screen: 'rules' }
  | { screen: 'models'; name: string | null }
  | { screen: 'data'; tab: (typeof DATA_TABS)[number]; add: boolean; of?: string }
  | { screen: 'admin'; tab: (typeof ADMIN_TABS)[number] }
  | { screen: 'handover' }
  | { screen: 'wall' }
  | { screen: 'replay'; id: string; at: number | null }
  | { screen: 'nowhere'; path: string };

export const DRILL_TABS = ['drilling', 'spectrum', 'hole', 'scores'] as const;
export type DrillTab = (typeof DRILL_TABS)[number];
export const ALARM_TABS = ['active', 'shelved', 'history'] as const;
export const DATA_TABS = ['ledger', 'quarantine', 'devices', 'equipment', 'channels', 'exports'] as const;
export const ADMIN_TABS = ['people', 'channels', 'notifications', 'audit'] as const;

/** read turns an address into a route. */
export function read(path: string, search = ''): Route {
  const parts = path.split('/').filter(Boolean).map((p) => { try { return decodeURIComponent(p); } catch { return p; } });
  const q = new URLSearchParams(search);
  switch (parts[0]) {
    case undefined: return { screen: 'fleet' };
    case 'd': if (parts[1]) return { screen: 'drill', id: parts[1], tab: DRILL_TABS.find((t) => t === parts[2]) ?? 'drilling', ...(Number(q.get('at')) > 0 ? { at: Number(q.get('at')) } : {}), ...(q.get('waveform') ? { waveform: q.get('waveform')! } : {}) }; break;
    case 'alarms':
      if (parts[1] === 'evidence' && q.get('id')) return { screen: 'evidence', id: q.get('id')! };
      if (parts[1] === 'rules') return { screen: 'rules' };
      { const tab = parts.length === 1 ? 'active' : ALARM_TABS.find((t) => t === parts[1]); if (tab) return { screen: 'alarms', tab }; }
      break;
    case 'models': return { screen: 'models', name: parts[1] ?? null };
    case 'handover': return { screen: 'handover' };
    case 'wall': return { screen: 'wall' };
    case 'replay': { const at = Number(q.get('at')); return { screen: 'replay', id: parts[1] ?? '', at: at > 0 ? at : null }; }
    case 'admin': {
      const tab = ADMIN_TABS.find((t) => t === (parts[1] ?? 'people'));
      if (tab) return { screen: 'admin', tab };
      break;
    }
    case 'data': {
      const tab = DATA_TABS.find((t) => t === (parts[1] ?? 'ledger'));
      const of = tab === 'devices' && parts[2] === 'names' ? q.get('of') : null;
      if (tab) return { screen: 'data', tab, add: parts[2] === 'add', ...(of ? { of } : {}) };
      break;
    }
  }
  return { screen: 'nowhere', path };
}

/** address is read's other half. */
export function address(r: Route): string {
  const e = encodeURIComponent;
  switch (r.screen) {
    case 'fleet': return '/';
    case 'drill': return `/d/${e(r.id)}` + (r.tab === 'drilling' ? '' : '/' + r.tab) + (r.waveform ? `?waveform=${e(r.waveform)}` : r.at ? `?at=${Math.round(r.at)}` : '');
    case 'alarms': return '/alarms' + (r.tab === 'active' ? '' : '/' + r.tab);
    case 'evidence': return `/alarms/evidence?id=${e(r.id)}`;
    case 'rules': return '/alarms/rules';
    case 'models': return '/models' + (r.name ? '/' + e(r.name) : '');
    case 'data': return '/data' + (r.tab === 'ledger' ? '' : '/' + r.tab) + (r.add ? '/add' : r.of ? `/names?of=${e(r.of)}` : '');
    case 'admin': return '/admin' + (r.tab === 'people' ? '' : '/' + r.tab);
    case 'handover': return '/handover';
    case 'wall': return '/wall';
    case 'replay': return '/replay' + (r.id ? '/' + e(r.id) : '') + (r.at ? `?at=${Math.round(r.at)}` : '');
    case 'nowhere': return r.path;
  }
}

/** every gives the address of each screen there is, with each of its tabs: of a drill, a device, a model, an alarm. A screen
    that is added to Route is missing here until it compiles, so the browser tests look at all of them. */
export function every(of: { drill: string; device: string; model: string; alarm: string; waveform: string; at: number }): string[] {
  const all: { [S in Route['screen']]: Extract<Route, { screen: S }>[] } = {
    fleet: [{ screen: 'fleet' }],
    drill: [...DRILL_TABS.map((tab) => ({ screen: 'drill' as const, id: of.drill, tab })), { screen: 'drill', id: of.drill, tab: 'drilling', at: of.at }, ...(of.waveform ? [{ screen: 'drill' as const, id: of.drill, tab: 'spectrum' as const, waveform: of.waveform }] : [])],
    alarms: ALARM_TABS.map((tab) => ({ screen: 'alarms', tab })),
    evidence: of.alarm ? [{ screen: 'evidence', id: of.alarm }] : [],
    rules: [{ screen: 'rules' }],
    models: [{ screen: 'models', name: null }, { screen: 'models', name: of.model }],
    data: [...DATA_TABS.map((tab) => ({ screen: 'data' as const, tab, add: false })), { screen: 'data', tab: 'devices', add: true }, { screen: 'data', tab: 'devices', add: false, of: of.device }],
    admin: ADMIN_TABS.map((tab) => ({ screen: 'admin', tab })),
    handover: [{ screen: 'handover' }],
    wall: [{ screen: 'wall' }],
    replay: [{ screen: 'replay', id: of.drill, at: null }],
    nowhere: [{ screen: 'nowhere', path: '/nowhere' }],
  };
  return Object.values(all).flat().map(address);
}
