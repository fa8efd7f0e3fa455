import { t as desk } from '../desk/words';
import { catalogue } from '../words/words.svelte';
import { words } from './en';

/** t says a message of the administration’s screens, one that the desk's share, or one of the operator's. */
export const t = await catalogue(words, { es: () => import('./es') }, desk);
export type AdminKey = Parameters<typeof t>[0];
