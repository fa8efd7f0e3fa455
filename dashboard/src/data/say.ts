import { t as desk } from '../desk/words';
import { catalogue } from '../words/words.svelte';
import { words } from './en';

/** t says a message of the data's screens, one that the desk's share, or one of the operator's. */
export const t = await catalogue(words, { es: () => import('./es') }, desk);
export type DataKey = Parameters<typeof t>[0];
