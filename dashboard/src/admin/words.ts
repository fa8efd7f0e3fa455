import type { AuditEntry, Person, Token } from '../types';
import { count, counted } from '../format';
import { words } from './en';
import { t, type AdminKey } from './say';

export const ROLES = ['viewer', 'operator', 'engineer', 'administrator'] as const;
export type Role = (typeof ROLES)[number];
export const roleWord = (r: string): string => (ROLES.includes(r as Role) ? t(`role.${r as Role}`) : r);

/** What a role may do, as the API's description has it: each includes the one before. */
export const MAY = [
  { what: 'may.look', from: 'viewer' }, { what: 'may.answer', from: 'operator' }, { what: 'may.devices', from: 'engineer' }, { what: 'may.models', from: 'engineer' }, { what: 'may.channels', from: 'administrator' }, { what: 'may.people', from: 'administrator' },
] as const;
export const may = (role: string, from: Role): boolean => ROLES.indexOf(role as Role) >= ROLES.indexOf(from);

/** peopleAnswer says who may change what raises an alarm, and what looks too strong. Times are wall times in ms. */
export function peopleAnswer(people: Person[], tokens: Token[], now: number): { lead: string; rest: string } {
  const in_ = people.filter((p) => !p.disabled), strong = in_.filter((p) => may(p.role, 'engineer')).length;
  const lead = in_.length ? t('people.lead', { ...counted(in_.length), strong: count(strong) }) : t('people.lead.none');
  const idle = tokens.filter((t) => may(t.role, 'engineer') && (!t.seen || now - Date.parse(t.seen) > 30 * 86400000)).length;
  const old = in_.filter((p) => p.seen && now - Date.parse(p.seen) > 45 * 86400000).length;
  const rest = [
    idle ? t('people.idle', counted(idle)) : '',
    old ? t('people.old', counted(old)) : '',
    in_.length ? '' : t('people.first'),
  ].filter(Boolean).join(' ');
  return { lead, rest };
}

export const didWord = (e: AuditEntry): string => `${Object.hasOwn(words, `did.${e.action}`) ? t(`did.${e.action}` as AdminKey) : e.action} ${e.subject.startsWith('/api/') ? '' : e.subject}`.trim();

/** agentWords says what browser a session is of: "Chrome on Windows"; what it called itself where that is not known. */
export function agentWords(agent: string): string {
  const browser = /Edg\//.test(agent) ? 'Edge' : /Firefox\//.test(agent) ? 'Firefox' : /Chrome\//.test(agent) ? 'Chrome' : /Safari\//.test(agent) ? 'Safari' : '';
  const on = /iPhone|iPad/.test(agent) ? 'iOS' : /Android/.test(agent) ? 'Android' : /Windows/.test(agent) ? 'Windows' : /Mac OS X/.test(agent) ? 'macOS' : /Linux/.test(agent) ? 'Linux' : '';
  return browser && on ? t('agent.on', { browser, system: on }) : browser || agent;
}
