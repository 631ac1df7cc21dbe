/** Longer texts are worth a call out of JavaScript. */
export const SHORT_ASCII_MAX = 15;

const ASCII_MAX = 127;
const of = String.fromCharCode;

/**
 * These bytes as text, in a third to two thirds of the time that `Buffer` takes for a text that short: by eights and fours, then
 * the rest. undefined where they aren't ASCII alone, or end too early. See `npm run bench -- --only translate`.
 */
export function shortAscii(bytes: Uint8Array, start: number, length: number): string | undefined {
  if (start + length > bytes.length || !isAscii(bytes, start, length)) return undefined;
  const at = start + (length & 12);
  let text = '';
  if ((length & 8) !== 0) text = eight(bytes, start);
  if ((length & 4) !== 0)
    text = joined(text, of(unit(bytes, at - 4), unit(bytes, at - 3), unit(bytes, at - 2), unit(bytes, at - 1)));
  switch (length & 3) {
    case 1:
      return joined(text, of(unit(bytes, at)));
    case 2:
      return joined(text, of(unit(bytes, at), unit(bytes, at + 1)));
    case 3:
      return joined(text, of(unit(bytes, at), unit(bytes, at + 1), unit(bytes, at + 2)));
    default:
      return text;
  }
}

function isAscii(bytes: Uint8Array, start: number, length: number): boolean {
  let all = 0;
  for (let index = start; index < start + length; index += 1) all |= unit(bytes, index);
  return all <= ASCII_MAX;
}

function eight(bytes: Uint8Array, at: number): string {
  return of(
    unit(bytes, at),
    unit(bytes, at + 1),
    unit(bytes, at + 2),
    unit(bytes, at + 3),
    unit(bytes, at + 4),
    unit(bytes, at + 5),
    unit(bytes, at + 6),
    unit(bytes, at + 7),
  );
}

/** Within its bounds. */
function unit(bytes: Uint8Array, at: number): number {
  return bytes[at] as number;
}

/** Nothing is joined to nothing: that alone would cost as much as the text. */
function joined(text: string, more: string): string {
  return text === '' ? more : text + more;
}

/** `text` is ASCII: of any other the characters may be the bytes of another text. */
export function isAt(bytes: Uint8Array, at: number, text: string): boolean {
  for (let index = 0; index < text.length; index += 1) if (bytes[at + index] !== text.charCodeAt(index)) return false;
  return true;
}

/** These bytes as text. */
export function textAt(bytes: Buffer, start: number, length: number): string {
  const short = length <= SHORT_ASCII_MAX ? shortAscii(bytes, start, length) : undefined;
  return short ?? bytes.toString('utf8', start, start + length);
}

/** For a place where nearly all texts are one and the same: it isn't made again. */
export class LastText {
  /** ASCII. */
  #last = '';

  read(bytes: Buffer, start: number, length: number): string {
    if (length === this.#last.length && isAt(bytes, start, this.#last)) return this.#last;
    const text = textAt(bytes, start, length);
    // only ASCII has a byte for each character
    if (text.length === length) this.#last = text;
    return text;
  }
}
