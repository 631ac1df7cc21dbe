/**
 * Decimal text ⇄ Avro's bytes: the unscaled number in two's complement, big-endian, as short as it goes.
 * One number has one text: exactly `scale` digits after the point, no leading zeros, no `+`, no `-0`. Two texts for one
 * number would hash differently and look like a change. Nothing is ever rounded.
 */
export const DECIMAL_RULE = 'not a decimal text with exactly the declared digits';

/** Up to here plain numbers are exact and `Buffer` writes them: 48 bits, 14 digits. */
export const SMALL_BYTES_MAX = 6;
const SMALL_DIGITS_MAX = 14;

const ZERO = 48;
const POINT = 46;
const MINUS = 45;

/** undefined where the text isn't this decimal: the caller knows the place and says so. */
export function decimalToBytes(text: string, precision: number, scale: number): Buffer | undefined {
  const small = smallUnscaled(text, precision, scale);
  if (!Number.isNaN(small)) return smallToBytes(small);
  const digits = digitsOf(text, scale);
  if (digits === undefined || digits.length > Math.max(precision, scale + 1)) return undefined;
  const isNegative = text.charCodeAt(0) === MINUS;
  const magnitude = BigInt(digits);
  if (magnitude.toString().length > precision || (magnitude === 0n && isNegative)) return undefined;
  return bigToBytes(isNegative ? -magnitude : magnitude);
}

/**
 * The unscaled number, for a text of at most 14 digits that is this decimal; NaN for any other: `decimalToBytes` looks closer.
 */
export function smallUnscaled(text: string, precision: number, scale: number): number {
  const start = text.charCodeAt(0) === MINUS ? 1 : 0;
  const point = scale === 0 ? text.length : text.length - scale - 1;
  const isShort = point > start && text.length - start <= SMALL_DIGITS_MAX;
  if (!isShort || (point - start > 1 && text.charCodeAt(start) === ZERO)) return Number.NaN;
  let magnitude = 0;
  for (let index = start; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (index === point && code === POINT) continue;
    if (index === point || code < ZERO || code > ZERO + 9) return Number.NaN;
    magnitude = magnitude * 10 + code - ZERO;
  }
  if (magnitude >= 10 ** precision || (start === 1 && magnitude === 0)) return Number.NaN;
  return start === 1 ? -magnitude : magnitude;
}

/** Digits without sign and point; undefined where the shape is wrong. */
function digitsOf(text: string, scale: number): string | undefined {
  const start = text.charCodeAt(0) === MINUS ? 1 : 0;
  const point = scale === 0 ? text.length : text.length - scale - 1;
  if (point <= start) return undefined;
  if (point - start > 1 && text.charCodeAt(start) === ZERO) return undefined;
  for (let index = start; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (index === point ? code !== POINT : code < ZERO || code > ZERO + 9) return undefined;
  }
  return scale === 0 ? text.slice(start) : text.slice(start, point) + text.slice(point + 1);
}

function smallToBytes(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(bytesNeeded(value));
  bytes.writeIntBE(value, 0, bytes.length);
  return bytes;
}

/** In two's complement. */
export function bytesNeeded(value: number): number {
  let length = 1;
  let limit = 0x80;
  while (value >= limit || value < -limit) {
    length += 1;
    limit *= 0x100;
  }
  return length;
}

function bigToBytes(value: bigint): Buffer {
  const magnitude = value < 0n ? -value - 1n : value;
  const length = Math.floor(magnitude.toString(2).length / 8) + 1;
  const hex = BigInt.asUintN(length * 8, value)
    .toString(16)
    .padStart(length * 2, '0');
  return Buffer.from(hex, 'hex');
}

export function bytesToDecimal(bytes: Buffer, scale: number): string {
  return placePoint(unscaledText(bytes), scale);
}

function unscaledText(bytes: Buffer): string {
  if (bytes.length === 0) return '0';
  if (bytes.length <= SMALL_BYTES_MAX) return bytes.readIntBE(0, bytes.length).toString();
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString('hex')}`)).toString();
}

/** A negative scale, which Java's BigDecimal knows, means zeros to the right. */
export function placePoint(unscaled: string, scale: number): string {
  if (scale === 0) return unscaled;
  if (scale < 0) return unscaled === '0' ? '0' : unscaled + '0'.repeat(-scale);
  const sign = unscaled.startsWith('-') ? '-' : '';
  const digits = unscaled.slice(sign.length).padStart(scale + 1, '0');
  return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}
