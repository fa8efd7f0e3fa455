import { en, type Key, type Words } from './en';
import { fill, type Args } from './format';

/** Languages that there are, in their own words; each but the first is loaded when somebody wants it. */
export const LANGUAGES = { en: 'English', es: 'Español' } as const;
export type Language = keyof typeof LANGUAGES;
const load: Record<Exclude<Language, 'en'>, () => Promise<{ words: Words }>> = { es: () => import('./es') };

const now = $state<{ language: Language; words: Words; plural: Intl.PluralRules }>({ language: 'en', words: en, plural: new Intl.PluralRules('en') });

/** t says a message in the language that is spoken. */
export const t = (key: Key, args: Args = {}): string => fill(now.words[key], args, (n) => now.plural.select(n));
export const language = (): Language => now.language;

/** choose picks what a person chose, else the first of the browser's that there is, else English. */
export function choose(kept: string | null, browser: readonly string[]): Language {
  const known = (s: string) => (s in LANGUAGES ? (s as Language) : null);
  return known(kept ?? '') ?? browser.map((b) => known(b.slice(0, 2).toLowerCase())).find((x) => x != null) ?? 'en';
}

type Say<K extends string> = (key: K, args?: Args) => string;
// What is spoken of a screen's own words, for each screen that was opened.
const screens: { load: (l: Language) => Promise<() => void> }[] = [];

/** catalogue is a screen's own words, which come with its script: English in it, another language before the screen is shown.
    What they lack is said by more. Where a language does not come, they stay in English. */
export async function catalogue<K extends string, P extends string = Key>(own: Record<K, string>, others: Record<Exclude<Language, 'en'>, () => Promise<{ words: Record<K, string> }>>, more: Say<P> = t as Say<P>): Promise<Say<K | P>> {
  let words = $state.raw(own);
  const load = async (l: Language) => {
    const w = l === 'en' ? own : await others[l]().then((x) => x.words, () => own);
    return () => { words = w; };
  };
  screens.push({ load });
  for (let l: Language | null = null; l !== now.language; ) { l = now.language; (await load(l))(); }
  return (key, args = {}) => (Object.hasOwn(words, key) ? fill(words[key as K], args, (n) => now.plural.select(n)) : more(key as P, args));
}

/** speak changes the language once its words are there, all of them at once; without them what is spoken stays. */
export async function speak(l: Language): Promise<void> {
  const words = l === 'en' ? en : (await load[l]()).words;
  const all = await Promise.all(screens.map((s) => s.load(l)));
  now.language = l; now.words = words; now.plural = new Intl.PluralRules(l);
  for (const set of all) set();
  if (typeof document !== 'undefined') document.documentElement.lang = l;
}
