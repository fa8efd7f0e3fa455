import { catalogue } from '../words/words.svelte';
import { words } from './en';

/** t says a message that the desk's screens share, or one of the operator's. */
export const t = await catalogue(words, { es: () => import('./es') });
export type DeskKey = Parameters<typeof t>[0];
