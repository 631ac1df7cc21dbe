/** An array as PostgreSQL prints it: `{1,NULL,"a,b"}`, arrays in arrays, and bounds in front where they don't start at 1. */
export type ArrayItem = string | null | readonly ArrayItem[];

export function parseArray(text: string): readonly ArrayItem[] {
  const start = text.indexOf('{');
  const [items] = itemsFrom(text, start + 1);
  return items;
}

/** Up to the closing brace, which it passes. */
function itemsFrom(text: string, from: number): [readonly ArrayItem[], number] {
  const items: ArrayItem[] = [];
  let at = from;
  while (text[at] !== '}') {
    if (at >= text.length) throw new Error('an array without end');
    if (text[at] === ',') {
      at += 1;
      continue;
    }
    const [item, end] = itemFrom(text, at);
    items.push(item);
    at = end;
  }
  return [items, at + 1];
}

const QUOTED = /"((?:[^"\\]|\\.)*)"/sy;
const PLAIN = /[^,}]+/sy;

function itemFrom(text: string, at: number): [ArrayItem, number] {
  if (text[at] === '{') return itemsFrom(text, at + 1);
  const pattern = text[at] === '"' ? QUOTED : PLAIN;
  pattern.lastIndex = at;
  const [whole = '', quoted] = pattern.exec(text) ?? [];
  if (quoted !== undefined) return [quoted.replaceAll(/\\(.)/gs, '$1'), at + whole.length];
  return [whole === 'NULL' ? null : whole.replaceAll(/\\(.)/gs, '$1'), at + whole.length];
}
