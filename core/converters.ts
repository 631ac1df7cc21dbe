/**
 * Column values → canonical values, for connectors/<system>/mapping.ts. What comes in is the table in change-event.ts.
 * A converter refuses rather than rounds, cuts or guesses; a refusal names what is wrong, never the value.
 *
 * | code              | the value …                                                         |
 * |-------------------|---------------------------------------------------------------------|
 * | VALUE_MISSING     | is NULL where the entity needs one                                  |
 * | VALUE_TYPE        | has another type than the mapping expects: the column was altered   |
 * | VALUE_NEGATIVE    | is below zero where that has no meaning                             |
 * | TEXT_EMPTY        | is empty or blank where the entity needs a text                     |
 * | DIGITS_EXPECTED   | has other characters than digits                                    |
 * | INTEGER_RANGE     | doesn't fit 32 or 64 bits, signed                                   |
 * | DECIMAL_*         | INVALID (NaN, infinity), SCALE or PRECISION: would have to be cut   |
 * | DATE_RANGE        | is outside the years 1 to 9999 (PostgreSQL's infinity is)           |
 * | DATE_AMBIGUOUS    | is near the calendar reform of 1582, where the connector errs       |
 * | TIME_*            | INVALID, RANGE, NOT_EXISTING: see local-time.ts                     |
 * | CODE_UNKNOWN      | is a code without canonical meaning: add it to the mapping          |
 * | UUID_INVALID      | is not a UUID                                                       |
 * | BITS_LENGTH       | has more bits than the mapping says                                 |
 * | LIST_NULL         | is an array with NULL in it, or of several dimensions               |
 * | JSON_NUMBER       | is an array with NaN or infinity, which JSON can't write            |
 */
import type { ColumnValue, Unavailable, Unreadable } from './change-event.ts';
import { fitDecimal } from './decimal.ts';
import { DAY_US, dayText, localTimeIn, parseIsoUs } from './local-time.ts';
import type { Converter } from './mapping.ts';
import { Refusal } from './mapping.ts';

type Value = Exclude<ColumnValue, Unavailable | Unreadable>;

const INT_MAX = 2 ** 31 - 1;
const FIRST_DAY = -719_162;
const LAST_DAY = 2_932_896;
/** 1582-10-05 to 1582-10-24: a snapshot of PostgreSQL moves the first ten days, which no Julian calendar has, onto the others. */
const SHIFTED_FIRST_DAY = -141_437;
const SHIFTED_LAST_DAY = -141_418;
const [SPACE, ZERO, NINE] = [32, 48, 57];
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function text(value: Value): string {
  if (typeof value === 'string') return value;
  throw unexpected(value, 'text');
}

/** CHAR padding taken off. Spaces in front belong to the value. */
export function trimmed(value: Value): string {
  const whole = text(value);
  return whole.charCodeAt(whole.length - 1) === SPACE ? whole.replace(/ +$/, '') : whole;
}

/** A text that says something. */
export function filled(value: Value): string {
  const kept = trimmed(value);
  if (kept.trim() === '') throw new Refusal('TEXT_EMPTY', 'is empty');
  return kept;
}

/** For values where case carries no meaning, such as mail addresses. */
export function lowerCase(value: Value): string {
  return trimmed(value).toLowerCase();
}

export function optional<T>(convert: Converter<T>): Converter<T | null> {
  return (value) => (value === null ? null : convert(value));
}

/** Legacy systems write '' where they mean "none"; so does a CHAR column full of blanks. */
export function emptyAsNull<T>(convert: Converter<T>): Converter<T | null> {
  return (value) => (isBlank(value) ? null : convert(value));
}

/** For a mapping's `where`: NULL or nothing but blanks. An unavailable value is not blank: it was there before. */
export function isBlank(value: ColumnValue | undefined): boolean {
  return value === null || (typeof value === 'string' && value.trim() === '');
}

/** 32 bits, signed. */
export function integer(value: Value): number {
  if (typeof value === 'bigint') {
    if (BigInt.asIntN(32, value) !== value) throw new Refusal('INTEGER_RANGE', 'does not fit 32 bits');
    return Number(value);
  }
  if (typeof value !== 'number' || !Number.isInteger(value)) throw unexpected(value, 'a whole number');
  if (value > INT_MAX || value < -INT_MAX - 1) throw new Refusal('INTEGER_RANGE', 'does not fit 32 bits');
  return value;
}

/** 64 bits, signed: an unsigned column's upper half is refused. */
export function bigInteger(value: Value): bigint {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  if (typeof value !== 'bigint') throw unexpected(value, 'a whole number');
  if (BigInt.asIntN(64, value) !== value) throw new Refusal('INTEGER_RANGE', 'does not fit 64 bits');
  return value;
}

/** Text with exactly `scale` digits after the point. */
export function decimal(precision: number, scale: number): Converter<string> {
  return (value) => {
    if (typeof value === 'string') return fitDecimal(value, precision, scale);
    if (typeof value === 'bigint' || (typeof value === 'number' && Number.isSafeInteger(value))) {
      return fitDecimal(value.toString(), precision, scale);
    }
    throw unexpected(value, 'a decimal');
  };
}

/** A floating-point number; PostgreSQL's NaN and infinities are kept, and a MariaDB target refuses them. */
export function double(value: Value): number {
  if (typeof value === 'number') return value;
  throw unexpected(value, 'a floating-point number');
}

/** Where the direction is told by another column. */
export function notNegative(convert: Converter<string>): Converter<string> {
  return (value) => {
    const converted = convert(value);
    if (converted.startsWith('-')) throw new Refusal('VALUE_NEGATIVE', 'is negative');
    return converted;
  };
}

/** `2017-01-31` */
export function date(value: Value): string {
  if (typeof value !== 'number' || !Number.isInteger(value)) throw unexpected(value, 'a date');
  if (value < FIRST_DAY || value > LAST_DAY) throw new Refusal('DATE_RANGE', 'is outside the years 1 to 9999');
  if (value >= SHIFTED_FIRST_DAY && value <= SHIFTED_LAST_DAY) {
    throw new Refusal('DATE_AMBIGUOUS', 'lies between 1582-10-05 and 1582-10-24, where the connector confuses days');
  }
  return dayText(value);
}

/** A column without time zone whose clock hangs in `zone`: µs since 1970 UTC. */
export function localTime(zone: string): Converter<bigint> {
  const time = localTimeIn(zone);
  return (value) => {
    if (typeof value !== 'bigint') throw unexpected(value, 'a time without zone');
    return time.toUtcUs(value);
  };
}

/** A column with time zone: µs since 1970 UTC. */
export function instant(value: Value): bigint {
  if (typeof value !== 'string') throw unexpected(value, 'a time with zone');
  return parseIsoUs(value);
}

/** A clock's time, µs since midnight. A MariaDB TIME that counts hours rather than telling them is `microseconds`. */
export function timeOfDay(value: Value): bigint {
  if (typeof value !== 'bigint') throw unexpected(value, 'a time of day');
  if (value < 0n || value >= DAY_US) throw new Refusal('TIME_RANGE', 'is no time of day');
  return value;
}

/** A MariaDB TIME as the span it may be: negative or beyond a day. */
export function microseconds(value: Value): bigint {
  if (typeof value === 'bigint') return value;
  throw unexpected(value, 'a span of time');
}

/** BIT(n) with the n of the column, as text of zeros and ones, highest first: `00000101`. */
export function bits(length: number): Converter<string> {
  return (value) => {
    if (typeof value === 'boolean') return value ? '1' : '0';
    if (!(value instanceof Uint8Array)) throw unexpected(value, 'bits');
    // Debezium writes the lowest byte first
    const text = [...value]
      .reverse()
      .map((byte) => byte.toString(2).padStart(8, '0'))
      .join('');
    const surplus = text.length - length;
    if (text.slice(0, Math.max(0, surplus)).includes('1'))
      throw new Refusal('BITS_LENGTH', `has more than ${length} bits`);
    return text.slice(Math.max(0, surplus)).padStart(length, '0');
  };
}

/**
 * An array as JSON text, each item by its own converter; 64-bit integers keep every digit. NULL items are refused: an array
 * of arrays arrives as NULLs, and nothing tells the two apart.
 */
export function list(convert: Converter<string | number | bigint | boolean>): Converter<string> {
  const item = (value: ColumnValue): string => {
    if (value === null) throw new Refusal('LIST_NULL', 'holds NULL, or arrays, which the connector sends as NULL');
    const converted = convert(value as Value);
    if (typeof converted === 'bigint') return converted.toString();
    if (typeof converted === 'number' && !Number.isFinite(converted))
      throw new Refusal('JSON_NUMBER', 'is no number of JSON');
    return Object.is(converted, -0) ? '-0' : JSON.stringify(converted);
  };
  return (value) => {
    if (!Array.isArray(value)) throw unexpected(value, 'an array');
    return `[${value.map(item).join(',')}]`;
  };
}

/** `oneOf({ A: 'ACTIVE', C: 'CLOSED' })`; codes that are numbers are written as text: `{ '0': 'REQUESTED' }`. */
export function oneOf<const T extends string>(meanings: Readonly<Record<string, T>>): Converter<T> {
  const byCode = new Map(Object.entries(meanings));
  return (value) => {
    if (typeof value !== 'string' && typeof value !== 'number') throw unexpected(value, 'a code');
    const meaning = byCode.get(typeof value === 'number' ? String(value) : trimmed(value));
    if (meaning === undefined) throw new Refusal('CODE_UNKNOWN', 'has a code without canonical meaning');
    return meaning;
  };
}

/** A boolean, or a number that legacy code uses as one: 0 or 1, nothing else. */
export function flag(value: Value): boolean {
  if (typeof value === 'boolean') return value;
  if (typeof value !== 'number') throw unexpected(value, 'a flag');
  if (value !== 0 && value !== 1) throw new Refusal('CODE_UNKNOWN', 'is neither 0 nor 1');
  return value === 1;
}

export function uuid(value: Value): string {
  const lower = text(value).toLowerCase();
  if (!UUID.test(lower)) throw new Refusal('UUID_INVALID', 'is not a UUID');
  return lower;
}

export function bytes(value: Value): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw unexpected(value, 'bytes');
}

/** An id made of digits, without the zeros in front: `0000000900`, 900 and 900n are all `900`. */
export function digits(value: Value): string {
  const id = typeof value === 'number' || typeof value === 'bigint' ? String(value) : trimmed(value);
  if (!isDigits(id)) throw new Refusal('DIGITS_EXPECTED', 'is not made of digits');
  return withoutLeadingZeros(id);
}

/** As `digits`, but a code with letters is kept as it is: `000330` → `330`, `W001` → `W001`. */
export function codeDigits(value: Value): string {
  const code = filled(value);
  return isDigits(code) ? withoutLeadingZeros(code) : code;
}

/** `prefixed('FI-', digits)` */
export function prefixed(prefix: string, convert: Converter<string>): Converter<string> {
  return (value) => prefix + convert(value);
}

function isDigits(code: string): boolean {
  for (let index = 0; index < code.length; index += 1) {
    const unit = code.charCodeAt(index);
    if (unit < ZERO || unit > NINE) return false;
  }
  return code !== '';
}

function withoutLeadingZeros(id: string): string {
  let first = 0;
  while (first < id.length - 1 && id.charCodeAt(first) === ZERO) first += 1;
  return first === 0 ? id : id.slice(first);
}

function unexpected(value: Value, expected: string): Refusal {
  if (value === null) return new Refusal('VALUE_MISSING', 'is NULL');
  return new Refusal('VALUE_TYPE', `is not ${expected}`);
}
