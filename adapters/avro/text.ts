import avro, { type Type } from 'avsc';
import { isAt, SHORT_ASCII_MAX, shortAscii } from './short-ascii.ts';
import type { Internals, Tap } from './tap.ts';

const REMEMBERED_LENGTH_MAX = 64;
const plain = avro.Type.forSchema('string') as unknown as Internals<string>;

const asItIs = (text: string): unknown => text;

/**
 * Avro's string, one for each place in a schema: much of what is read there (a table's name, a store, a code) is what was read
 * before, and is found to be without making it again. `convert` answers the same for the same text, or it would be remembered
 * wrongly. See `npm run bench -- --only translate`.
 */
export function rememberingString(convert: (text: string) => unknown = asItIs): Type {
  let last = '';
  let lastValue = convert(last);
  const read = (tap: Tap): unknown => {
    const start = tap.pos;
    const length = readLength(tap);
    if (length === last.length && isAt(tap.buf, tap.pos, last)) {
      tap.pos += length;
      return lastValue;
    }
    const short = length > 0 && length <= SHORT_ASCII_MAX ? shortAscii(tap.buf, tap.pos, length) : undefined;
    if (short !== undefined) {
      tap.pos += length;
      last = short;
      lastValue = convert(short);
      return lastValue;
    }
    tap.pos = start;
    const text = plain._read(tap);
    if (text === undefined) return undefined;
    // only ASCII has a byte for each character: of other texts the characters may be the bytes of another text
    if (length > REMEMBERED_LENGTH_MAX || length !== text.length) return convert(text);
    last = text;
    lastValue = convert(text);
    return lastValue;
  };
  // avsc freezes its types
  return Object.create(plain, { _read: { value: read }, _write: { value: write } }) as Type;
}

/** Of a length, or of a number: zigzag, it takes one byte. */
export const SHORT_MAX = 63;
const ASCII_MAX = 127;

/** avsc asks for the length in bytes first, which for a short text costs more than to write it. Throws for half a surrogate pair. */
function write(tap: Tap, value: unknown): void {
  if (typeof value === 'string') {
    if (writeShortAscii(tap, value)) return;
    if (!value.isWellFormed()) throw new Error('half a surrogate pair would come back as something else');
  }
  plain._write(tap, value);
}

/** false where it isn't written as it is, with its length in one byte: nothing counts as written then. */
export function writeShortAscii(tap: Pick<Tap, 'buf' | 'pos'>, text: string): boolean {
  if (text.length > SHORT_MAX) return false;
  const { buf } = tap;
  let at = tap.pos;
  buf[at++] = text.length * 2;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit > ASCII_MAX) return false;
    buf[at++] = unit;
  }
  tap.pos = at;
  return true;
}

/** Up to 63 it is one byte, twice the number. */
function readLength(tap: Tap): number {
  const first = tap.buf[tap.pos] as number;
  if ((first & 0x81) !== 0) return tap.readLong();
  tap.pos += 1;
  return first >>> 1;
}
