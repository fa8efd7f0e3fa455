import type { AuditEntry, Person, Token } from '../types';
import { count, upper } from '../format';

export const ROLES = ['viewer', 'operator', 'engineer', 'administrator'] as const;
export type Role = (typeof ROLES)[number];
export const ROLE_WORD: Record<string, string> = { viewer: 'Looks', operator: 'Operator', engineer: 'Engineer', administrator: 'Administrator' };

/** What a role may do, as the API's description has it: each includes the one before. */
export const MAY: { what: string; from: Role }[] = [
  { what: 'Look', from: 'viewer' }, { what: 'Answer alarms', from: 'operator' }, { what: 'Devices', from: 'engineer' }, { what: 'Models, rules', from: 'engineer' }, { what: 'Channels', from: 'administrator' }, { what: 'People', from: 'administrator' },
];
export const may = (role: string, from: Role): boolean => ROLES.indexOf(role as Role) >= ROLES.indexOf(from);

/** peopleAnswer says who may change what raises an alarm, and what looks too strong. Times are wall times in ms. */
export function peopleAnswer(people: Person[], tokens: Token[], now: number): { lead: string; rest: string } {
  const in_ = people.filter((p) => !p.disabled), strong = in_.filter((p) => may(p.role, 'engineer')).length;
  const lead = in_.length ? `${upper(count(in_.length))} ${in_.length === 1 ? 'person' : 'people'}; ${count(strong)} may change what raises an alarm.` : 'Nobody is let in by name yet.';
  const idle = tokens.filter((t) => may(t.role, 'engineer') && (!t.seen || now - Date.parse(t.seen) > 30 * 86400000)).length;
  const old = in_.filter((p) => p.seen && now - Date.parse(p.seen) > 45 * 86400000).length;
  const rest = [
    idle ? `${upper(count(idle))} strong ${idle === 1 ? 'token has' : 'tokens have'} not been used for a month.` : '',
    old ? `${upper(count(old))} ${old === 1 ? 'person has' : 'people have'} not been here for 45 days.` : '',
    in_.length ? '' : 'Who starts the program is its administrator; invite the others.',
  ].filter(Boolean).join(' ');
  return { lead, rest };
}

const DID: Record<string, string> = {
  'sign-in': 'signed in', 'sign-out': 'signed out', invite: 'invited', 'change-person': 'changed', 'end-session': 'signed out a browser', 'make-token': 'made a token for', 'revoke-token': 'took a token away',
  'add-device': 'added device', 'revoke-device': 'revoked device', 'renew-password': 'new password for', 'upload-model': 'took in model', 'activate-model': 'put on model', 'roll-back-model': 'rolled back', 'deactivate-model': 'took off model',
  acknowledge: 'acknowledged', shelve: 'shelved', unshelve: 'took off the shelf', note: 'wrote a note to', judge: 'judged', redrive: 'sent again', 'register-channel': 'added channel', 'put-rules': 'put on rules', 'switch-limits': 'switched limits', 'put-drill': 'described', 'try-message': 'tried a message of',
};
export const didWord = (e: AuditEntry): string => `${DID[e.action] ?? e.action} ${e.subject.startsWith('/api/') ? '' : e.subject}`.trim();

/** agentWords says what browser a session is of: "Chrome on Windows"; what it called itself where that is not known. */
export function agentWords(agent: string): string {
  const browser = /Edg\//.test(agent) ? 'Edge' : /Firefox\//.test(agent) ? 'Firefox' : /Chrome\//.test(agent) ? 'Chrome' : /Safari\//.test(agent) ? 'Safari' : '';
  const on = /iPhone|iPad/.test(agent) ? 'iOS' : /Android/.test(agent) ? 'Android' : /Windows/.test(agent) ? 'Windows' : /Mac OS X/.test(agent) ? 'macOS' : /Linux/.test(agent) ? 'Linux' : '';
  return browser && on ? `${browser} on ${on}` : browser || agent;
}
