import avro, { type Type } from 'avsc';
import type { Internals, Tap } from './tap.ts';

const REMEMBERED_LENGTH_MAX = 64;
const plain = avro.Type.forSchema('string') as unknown as Internals<string>;

/**
 * Avro's string, one for each place in a schema: much of what is read there (a table's name, a store, a code) is what was read
 * before, and is found to be without making it anew. See `npm run bench -- --only translate`.
 */
export function rememberingString(): Type {
  let last = '';
  const read = (tap: Tap): string | undefined => {
    const start = tap.pos;
    const length = tap.readLong();
    if (length === last.length && isAt(tap, last)) {
      tap.pos += length;
      return last;
    }
    tap.pos = start;
    const text = plain._read(tap);
    if (length <= REMEMBERED_LENGTH_MAX && text !== undefined) last = text;
    return text;
  };
  // avsc freezes its types
  return Object.create(plain, { _read: { value: read } }) as Type;
}

/** Only ASCII is ever found: of any other text the units differ from the bytes. */
function isAt({ buf, pos }: Tap, text: string): boolean {
  for (let index = 0; index < text.length; index += 1) if (buf[pos + index] !== text.charCodeAt(index)) return false;
  return true;
}
