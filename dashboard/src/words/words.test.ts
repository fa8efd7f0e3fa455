import { parse } from 'svelte/compiler';
import { expect, test } from 'vitest';
import { en, type Key } from './en';
import { words as es } from './es';
import { fill, names } from './format';
import { catalogue, choose, language, speak, t } from './words.svelte';
import { fleetAnswer } from '../answer';
import { counted } from '../format';
import { blank } from '../merge';

const of = (n: number) => new Intl.PluralRules('en').select(n);

test('messages are filled: names, plurals with their number, choices, and one within another', () => {
  expect(fill('{id} is silent', { id: 'RIG-07' }, of)).toBe('RIG-07 is silent');
  const rows = '{n, plural, =0 {no row} one {# row of {who}} other {# rows of {who}}}!';
  expect([0, 1, 7].map((n) => fill(rows, { n, who: 'Mara' }, of))).toEqual(['no row!', '1 row of Mara!', '7 rows of Mara!']);
  expect(fill('was {v, select, right {right} other {unsure}}', { v: 'what' }, of)).toBe('was unsure');
  expect(fill('# {missing}', {}, of)).toBe('# {missing}');
  expect(names(rows)).toEqual(['n', 'who']);
});

// The desk's catalogues, a folder each, which come with its screens.
type Catalogue = { words: Record<string, string> };
const desk = import.meta.glob<Catalogue>('../*/en.ts', { eager: true }), abroad = import.meta.glob<Catalogue>('../*/es.ts', { eager: true });
const folders = Object.keys(desk).filter((f) => f.startsWith('../')).map((f) => f.split('/')[1]);

test('every language says every message with the same arguments', () => {
  for (const [own, other] of [[en, es], ...folders.map((f) => [desk[`../${f}/en.ts`].words, abroad[`../${f}/es.ts`].words])] as Record<string, string>[][]) {
    for (const k of Object.keys(own)) {
      expect(other[k], k).toBeTruthy();
      // A plural may do without its number, and a number in words be a figure: n, Count, count and shown are one.
      const wants = (m: string) => names(m).map((n) => (n === 'Count' || n === 'count' || n === 'shown' ? 'n' : n)).filter((n, i, all) => all.indexOf(n) === i).join();
      expect(wants(other[k]), k).toBe(wants(own[k]));
    }
    expect(Object.keys(other).sort()).toEqual(Object.keys(own).sort());
  }
  expect(es.numbers.split(',').length).toBe(en.numbers.split(',').length);
  expect(es.months.split(',').length).toBe(12);
});

test('what a person chose is spoken, else the first of the browser’s that there is, else English', () => {
  expect(choose('es', ['en-GB'])).toBe('es');
  expect(choose(null, ['nn', 'es-MX', 'en'])).toBe('es');
  expect(choose('tlh', ['fi'])).toBe('en');
  expect(choose(null, [])).toBe('en');
});

test('the answer of the shift is given in the language spoken, and English comes back', async () => {
  const drill = { ...blank('RIG-01'), health: 92, state: 'rotary', last_ts: '2026-11-22T02:12:43Z' };
  await speak('es');
  try {
    expect(language()).toBe('es');
    expect(fleetAnswer([drill], 0, null, () => 1)).toEqual({ lead: 'RIG-01 debería llegar al cambio de turno.', rest: 'Nada pide una mano en este turno.' });
    expect([t('answer.quiet', counted(1)), t('answer.quiet', counted(3))]).toEqual(['Un equipo no transmite.', 'Tres equipos no transmiten.']);
  } finally { await speak('en'); }
  expect(t('drill.act')).toBe('Act now.');
});

test('a screen’s own words come with it, in the language spoken; what it lacks the operator’s catalogue says', async () => {
  const es = () => Promise.resolve({ words: { 'a': 'hola {n}' } });
  await speak('es');
  try {
    const said = await catalogue({ 'a': 'hello {n}' }, { es }), lost = await catalogue({ 'b': 'stays' }, { es: () => Promise.reject(new Error('no line')) }, said);
    expect([said('a', { n: 1 }), lost('a', { n: 2 }), lost('b'), lost('drill.act')]).toEqual(['hola 1', 'hola 2', 'stays', 'Actúe ya.']);
    await speak('en');
    expect([said('a', { n: 1 }), lost('b'), lost('drill.act')]).toEqual(['hello 1', 'stays', 'Act now.']);
  } finally { await speak('en'); }
});

// No word that is seen stands in the operator's screens themselves: text, labels, and strings that an expression may show.
const WHOLE = ['signin/SignIn', 'fleet/Fleet', 'fleet/Row', 'fleet/Cells', 'wall/Wall', 'alarms/Alarms', 'alarms/Row', 'alarms/Actions', 'parts/Header', 'parts/Banner', 'parts/Mark',
  'drill/Drill', 'drill/Strip', 'drill/Why', 'drill/Left', 'drill/Mini', 'drill/Hole', 'drill/Scores', 'drill/Spectrum', 'notes/Notes',
  'handover/Handover', 'alarms/Evidence', 'alarms/Perf', 'parts/Help', 'parts/Find', 'parts/Dialog', 'App'];
const SAME = /^(?:mudpulse|mudpulse link|UTC|SI|JSON|TVD|SHA-256|Hz|kHz|kHz ×|drillsim --drills 12|Enter|Esc|Space|[a-z])$/; // names, keys, commands: the same everywhere
const SEEN = new Set(['aria-label', 'title', 'placeholder', 'alt', 'aria-valuetext', 'lead', 'label']);
const LINES = '../data/connect.ts: '; // what is pasted into other programs
const NAMED = new Set(['RIG-13', 'MPa', 'bit, pump_2, top_drive/bearing', 'top_drive/gearbox', '2-3-CT-S-X-I-NO-TD', 'SPP__mean__60s WOB health washout.probability', 'mudpulse export --help', 'mudpulse ledger',
  'smtp.example.com', 'mudpulse@example.com', 'TLS', 'starttls', 'tls', 'Authorization: Bearer']); // examples in the words of files and codes
interface Node { type: string; [k: string]: unknown }

function literals(file: string, source: string, headings = false): string[] {
  const out: string[] = [];
  const letters = (s: string) => /\p{L}{2,}/u.test(s.replace(/&\w+;/g, '')) && !SAME.test(s.trim());
  const say = (s: string) => { if (letters(s)) out.push(`${file}: ${s.trim()}`); };
  /** strings that the value of an expression may be. */
  function value(n: Node | null | undefined): void {
    if (!n) return;
    switch (n.type) {
      case 'Literal': if (typeof n.value === 'string') say(n.value); break;
      case 'TemplateLiteral': for (const q of n.quasis as { value: { cooked: string } }[]) say(q.value.cooked); for (const e of n.expressions as Node[]) value(e); break;
      case 'ConditionalExpression': value(n.consequent as Node); value(n.alternate as Node); break;
      case 'LogicalExpression': value(n.left as Node); value(n.right as Node); break;
      case 'BinaryExpression': if (n.operator === '+') { value(n.left as Node); value(n.right as Node); } break;
    }
  }
  function walk(n: Node, shown: boolean): void {
    const inside = shown || !headings || (n.type === 'RegularElement' && /^(?:h[1-6]|th)$/.test(n.name as string));
    if (n.type === 'Text' && inside) say(n.data as string);
    if (n.type === 'ExpressionTag' && inside) value(n.expression as Node);
    for (const a of (n.attributes as Node[] | undefined) ?? []) {
      if (headings || a.type !== 'Attribute' || !(SEEN.has(a.name as string))) continue;
      for (const v of Array.isArray(a.value) ? (a.value as Node[]) : [a.value as Node]) { if (v?.type === 'Text') say(v.data as string); else if (v?.type === 'ExpressionTag') value(v.expression as Node); }
    }
    for (const k of ['fragment', 'consequent', 'alternate', 'body', 'fallback', 'pending', 'then', 'catch']) {
      const c = n[k] as (Node & { nodes?: Node[] }) | undefined | null;
      if (c && typeof c === 'object' && (c.nodes || c.type === 'Fragment')) for (const x of c.nodes ?? []) walk(x, inside && (shown || !headings || n.type === 'RegularElement'));
    }
  }
  for (const n of (parse(source, { modern: true }) as unknown as { fragment: { nodes: Node[] } }).fragment.nodes) walk(n, false);
  return out;
}
const sources = import.meta.glob<string>(['../**/*.svelte', '../**/*.ts', '!../**/*.test.ts', '!../schema.gen.ts', '!../*/en.ts', '!../*/es.ts', '!./en.screens.ts', '!./es.screens.ts'], { query: '?raw', import: 'default', eager: true });
const read = (f: string) => sources[`../${f}.svelte`];

test('no visible word stands in the operator’s screens themselves', () => {
  expect(WHOLE.flatMap((f) => literals(f, read(f)))).toEqual([]);
}, 60000);

/** sentences of a script: strings that begin with a capital and have a space. */
const sentences = (file: string, source: string): string[] => [...source.split('</script>')[0].replace(/^\s*\/\/.*$|\s\/\/ .*$|\/\*[\s\S]*?\*\//gm, '').matchAll(/(['`])(\p{Lu}[^'`\n]* [^'`\n]*)\1/gu)].map((m) => `${file}: ${m[2]}`);

test('no visible word stands in the desk’s screens themselves, whole folders of them', () => {
  for (const f of folders) {
    const files = Object.entries(sources).filter(([p]) => p.startsWith(`../${f}/`));
    expect(files.length, f).toBeGreaterThan(1);
    expect(files.flatMap(([p, s]) => [...(p.endsWith('.svelte') ? literals(p, s) : []), ...sentences(p, s)].filter((x) => !x.startsWith(LINES) && !NAMED.has(x.slice(p.length + 2)))), f).toEqual([]);
  }
}, 60000);

test('such a word would be found', () => {
  expect(sentences('x', "const a = b ? 'Nothing yet.' : 'Kept'; // 'A word'\n  // 'Not this'\n</script>'Nor this'")).toEqual(['x: Nothing yet.']);
  const found = (s: string, headings = false) => literals('x', s, headings).map((x) => x.slice(3));
  expect(found('<p>Hello</p>')).toEqual(['Hello']);
  expect(found('{#if a}<b>{x ? "Yes" : t("no.key")}</b>{:else}{`${n} rows`}{/if}')).toEqual(['Yes', 'rows']);
  expect(found('<button aria-label="Shut" title={open ? "Open" : ""} class="btn">{t("a")}</button>')).toEqual(['Shut', 'Open']);
  expect(found('{#each l as x}<i>{x.name}</i> old{/each}')).toEqual(['old']);
  expect(found('<p>free</p><h2><b>Heading</b> {w}</h2>', true)).toEqual(['Heading']);
  expect(found('<p class={a === "page" ? "on" : "off"}>{a === "page" ? 1 : 2}</p>')).toEqual([]);
});

test('no message is left that nothing says', () => {
  const all = Object.values(sources).join('\n');
  const made = /^(?:state|sub|mark|priority)\.|^act\.(?:right|wrong|unsure)$|^(?:trace|tab|line|record|key)\.|^drill\.(?:drilling|machine|all)$/; // put together from what the server says
  expect((Object.keys(en) as Key[]).filter((k) => !made.test(k) && !all.includes(`'${k}'`))).toEqual([]);
  for (const f of folders) {
    const own = f === 'desk' ? all : Object.entries(sources).filter(([p]) => p.startsWith(`../${f}/`)).map(([, s]) => s).join('\n');
    const begun = [...own.matchAll(/`([\w.]+\.)\$\{/g)].map((m) => m[1]);
    expect(Object.keys(desk[`../${f}/en.ts`].words).filter((k) => !own.includes(`'${k}'`) && !begun.some((b) => k.startsWith(b))), f).toEqual([]);
  }
});
