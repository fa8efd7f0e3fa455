// Messages are ICU's, the part of it that the catalogues use: {name}, {n, plural, =0 {…} one {…} other {…}} with # for the number,
// {p, select, a {…} other {…}}. Written here because libraries of it are larger than all our words.

export type Args = Record<string, string | number>;
export type Of = (n: number) => string; // the plural's category of a number

/** fill writes a message with its arguments; what is missing stays in braces, so that a test sees it. */
export function fill(message: string, args: Args, of: Of, hash = ''): string {
  if (!hash && !message.includes('{')) return message;
  let out = '';
  for (let i = 0; i < message.length; i++) {
    const c = message[i];
    if (c === '#' && hash) { out += hash; continue; }
    if (c !== '{') { out += c; continue; }
    const end = close(message, i), inside = message.slice(i + 1, end), [name, kind] = inside.split(',', 2).map((s) => s.trim());
    i = end;
    const v = args[name];
    if (v === undefined) { out += `{${name}}`; continue; }
    if (kind !== 'plural' && kind !== 'select') { out += String(v); continue; }
    const arms = branches(inside.slice(inside.indexOf(',', inside.indexOf(',') + 1) + 1));
    const arm = kind === 'select' ? arms.get(String(v)) : (arms.get(`=${v}`) ?? arms.get(of(Number(v))));
    out += fill(arm ?? arms.get('other') ?? '', args, of, kind === 'plural' ? String(v) : hash);
  }
  return out;
}

/** close finds the brace that closes the one at i. */
function close(s: string, i: number): number {
  for (let depth = 0; i < s.length; i++) {
    if (s[i] === '{') depth++;
    else if (s[i] === '}' && --depth === 0) return i;
  }
  return s.length;
}

function branches(s: string): Map<string, string> {
  const out = new Map<string, string>();
  for (let i = 0; i < s.length; ) {
    const open = s.indexOf('{', i);
    if (open < 0) break;
    const end = close(s, open);
    out.set(s.slice(i, open).trim(), s.slice(open + 1, end));
    i = end + 1;
  }
  return out;
}

/** names lists the arguments that a message wants: two languages of one message want the same. */
export function names(message: string): string[] {
  const out = new Set<string>();
  const walk = (s: string) => {
    for (let i = 0; i < s.length; i++) {
      if (s[i] !== '{') continue;
      const end = close(s, i), inside = s.slice(i + 1, end), [name, kind] = inside.split(',', 2).map((x) => x.trim());
      out.add(name);
      if (kind === 'plural' || kind === 'select') for (const arm of branches(inside.slice(inside.indexOf(',', inside.indexOf(',') + 1) + 1)).values()) walk(arm);
      i = end;
    }
  };
  walk(message);
  return [...out].sort();
}
