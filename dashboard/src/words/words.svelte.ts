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

/** speak changes the language once its words are there; without them what is spoken stays. */
export async function speak(l: Language): Promise<void> {
  const words = l === 'en' ? en : (await load[l]()).words;
  now.language = l; now.words = words; now.plural = new Intl.PluralRules(l);
  if (typeof document !== 'undefined') document.documentElement.lang = l;
}
