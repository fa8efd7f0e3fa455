// Addresses of the screens. A link to anything can be sent to somebody.

export type Route =
  | { screen: 'fleet' }
  | { screen: 'drill'; id: string; tab: 'drilling' | 'scores' | 'hole'; at?: number }
  | { screen: 'alarms'; tab: 'active' | 'shelved' | 'history' }
  | { screen: 'evidence'; id: string }
  | { screen: 'rules' }
  | { screen: 'models'; name: string | null }
  | { screen: 'data'; tab: 'ledger' | 'quarantine' | 'devices' | 'equipment' | 'channels' | 'exports'; add: boolean; of?: string }
  | { screen: 'admin'; tab: 'people' | 'channels' | 'notifications' | 'audit' }
  | { screen: 'handover' }
  | { screen: 'wall' }
  | { screen: 'replay'; id: string; at: number | null }
  | { screen: 'nowhere'; path: string };

/** read turns an address into a route. */
export function read(path: string, search = ''): Route {
  const parts = path.split('/').filter(Boolean).map((p) => { try { return decodeURIComponent(p); } catch { return p; } });
  const q = new URLSearchParams(search);
  switch (parts[0]) {
    case undefined: return { screen: 'fleet' };
    case 'd': if (parts[1]) return { screen: 'drill', id: parts[1], tab: parts[2] === 'scores' || parts[2] === 'hole' ? parts[2] : 'drilling', ...(Number(q.get('at')) > 0 ? { at: Number(q.get('at')) } : {}) }; break;
    case 'alarms':
      if (parts[1] === 'evidence' && q.get('id')) return { screen: 'evidence', id: q.get('id')! };
      if (parts[1] === 'rules') return { screen: 'rules' };
      if (parts.length === 1 || parts[1] === 'shelved' || parts[1] === 'history') return { screen: 'alarms', tab: (parts[1] ?? 'active') as 'active' };
      break;
    case 'models': return { screen: 'models', name: parts[1] ?? null };
    case 'handover': return { screen: 'handover' };
    case 'wall': return { screen: 'wall' };
    case 'replay': { const at = Number(q.get('at')); return { screen: 'replay', id: parts[1] ?? '', at: at > 0 ? at : null }; }
    case 'admin': {
      const tab = parts[1] ?? 'people';
      if (tab === 'people' || tab === 'channels' || tab === 'notifications' || tab === 'audit') return { screen: 'admin', tab };
      break;
    }
    case 'data': {
      const tab = parts[1] ?? 'ledger';
      if (tab === 'ledger' || tab === 'quarantine' || tab === 'devices' || tab === 'equipment' || tab === 'channels' || tab === 'exports') { const of = tab === 'devices' && parts[2] === 'names' ? q.get('of') : null; return { screen: 'data', tab, add: parts[2] === 'add', ...(of ? { of } : {}) }; }
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
    case 'drill': return `/d/${e(r.id)}` + (r.tab === 'drilling' ? '' : '/' + r.tab) + (r.at ? `?at=${Math.round(r.at)}` : '');
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
