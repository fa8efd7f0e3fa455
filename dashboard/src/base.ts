// Where the page lies on its server: "/", or "/mud/" where a proxy serves it below a prefix. The server writes it into index.html.
// Links of the page are relative to it; routes, and all else that is named here, begin with "/" as if it lay at the root.

export const BASE = typeof document === 'undefined' ? '/' : new URL('.', document.baseURI).pathname;

/** at is the address of one of the page's own paths. */
export const at = (path: string): string => BASE + path.slice(1);

/** own is the path that an address names; one outside the base is taken as it is. */
export const own = (pathname: string): string => (pathname.startsWith(BASE) ? pathname.slice(BASE.length - 1) : pathname);
