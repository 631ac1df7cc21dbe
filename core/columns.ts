/**
 * Canonical values → column values, for sinks/targets/<system>/target.ts. Each converter says what its column can hold and
 * refuses the rest: a value that the database would cut, round, pad or shift comes back as another one, and the two systems
 * would correct each other for ever. NULL is passed through: whether a column takes it is the database's own rule.
 *
 * | code               | the value …                                                            |
 * |--------------------|------------------------------------------------------------------------|
 * | VALUE_TYPE         | has another type than the canonical field: a fault in target.ts        |
 * | VALUE_TOO_LONG     | has more characters than the column                                    |
 * | VALUE_OUT_OF_RANGE | is a number that the column can't hold                                 |
 * | VALUE_HAS_NO_CODE  | has no code in the legacy system                                       |
 * | DIGITS_EXPECTED    | has other characters than digits                                       |
 * | TEXT_NUL           | holds a NUL character, which PostgreSQL can't store                    |
 * | TEXT_PADDED        | ends in spaces, which CHAR columns lose                                |
 * | DECIMAL_*          | see converters.ts                                                      |
 * | TIME_PRECISION     | has more decimals of a second than the column                          |
 * | NUMBER_NOT_FINITE  | is NaN or infinite, which MariaDB can't store                          |
 * | TIME_AMBIGUOUS     | is the second pass of an hour that local time has twice                |
 */
import type { CanonicalValue } from './canonical-record.ts';
import { fitDecimal } from './decimal.ts';
import { formatTimeUs, localTimeIn, rememberingTimes } from './local-time.ts';
import { Refusal } from './mapping.ts';
import { type ColumnConverter, keepsApart, type SqlValue, type Usual } from './target.ts';

const DIGITS = /^\d+$/;
const NUL = '\u0000';

/** Leading zeros make no difference to what is written. */
const WITHOUT_ZEROS: Usual = {
  is: (value) => typeof value !== 'string' || !/^0\d+$/.test(value),
  of: (text) => (DIGITS.test(text) ? text.replace(/^0+(?=\d)/, '') : text),
};

/** A text column without limit. */
export function unlimited(): ColumnConverter {
  return keepsApart(convertText((value) => value));
}

/** VARCHAR(n): both databases count characters, not bytes. */
export function maxLength(characters: number): ColumnConverter {
  const convert = convertText((value) => {
    if (value.length > characters && [...value].length > characters) {
      throw new Refusal('VALUE_TOO_LONG', `has more than ${characters} characters`);
    }
    return value;
  });
  return keepsApart(convert);
}

/** CHAR(n): trailing spaces would not come back. */
export function fixedLength(characters: number): ColumnConverter {
  const fits = maxLength(characters);
  const convert = convertText((value) => {
    if (value.endsWith(' ')) throw new Refusal('TEXT_PADDED', 'ends in spaces');
    return fits(value);
  });
  return keepsApart(convert);
}

/** `900` → `0000000900`. */
export function zeroPadded(characters: number): ColumnConverter {
  const fits = maxLength(characters);
  const convert = convertText((value) => {
    if (!DIGITS.test(value)) throw new Refusal('DIGITS_EXPECTED', 'is not made of digits');
    return fits(value.padStart(characters, '0'));
  });
  return keepsApart(convert, WITHOUT_ZEROS);
}

/** As `zeroPadded`, but a code with letters is kept as it is: `330` → `000330`, `W001` → `W001`. */
export function codeZeroPadded(characters: number): ColumnConverter {
  const padded = zeroPadded(characters);
  const kept = fixedLength(characters);
  const convert: ColumnConverter = (value) =>
    typeof value === 'string' && !DIGITS.test(value) ? kept(value) : padded(value);
  return keepsApart(convert, WITHOUT_ZEROS);
}

/** `code({ ACTIVE: 'A', CLOSED: 'C' })` */
export function code(codes: Readonly<Record<string, SqlValue>>): ColumnConverter {
  const byMeaning = new Map(Object.entries(codes));
  return convertText((value) => {
    const found = byMeaning.get(value);
    if (found === undefined) throw new Refusal('VALUE_HAS_NO_CODE', 'has no code in this system');
    return found;
  });
}

export function decimalFits(precision: number, scale: number): ColumnConverter {
  return keepsApart(convertText((value) => fitDecimal(value, precision, scale)));
}

/** An id made of digits for an integer column of 16, 32 or 64 bits. */
export function integerText(bits: 16 | 32 | 64): ColumnConverter {
  const convert = convertText((value) => {
    if (!DIGITS.test(value)) throw new Refusal('DIGITS_EXPECTED', 'is not made of digits');
    return fitInteger(BigInt(value), bits);
  });
  return keepsApart(convert, WITHOUT_ZEROS);
}

export function integerFits(bits: 16 | 32 | 64): ColumnConverter {
  return keepsApart((value) => {
    if (value === null) return null;
    if (typeof value !== 'number' && typeof value !== 'bigint') throw unexpected('a whole number');
    return fitInteger(BigInt(value), bits);
  });
}

function fitInteger(value: bigint, bits: number): bigint {
  if (BigInt.asIntN(bits, value) !== value) throw new Refusal('VALUE_OUT_OF_RANGE', `does not fit ${bits} bits`);
  return value;
}

export function bool01(): ColumnConverter {
  return keepsApart((value) => {
    if (value === null) return null;
    if (typeof value !== 'boolean') throw unexpected('a boolean');
    return value ? 1 : 0;
  });
}

/** A DATE column. */
export function date(): ColumnConverter {
  return keepsApart(convertText((value) => value));
}

/** A TIME column with `decimals` of a second. */
export function timeOfDay(decimals = 6): ColumnConverter {
  const unitUs = 10n ** BigInt(6 - decimals);
  const convert = convertTime((value) => {
    if (value % unitUs !== 0n) throw new Refusal('TIME_PRECISION', `has more than ${decimals} decimals of a second`);
    return formatTimeUs(value).slice(11);
  });
  return keepsApart(convert);
}

/** A floating-point column of a database without NaN and infinities. */
export function finite(): ColumnConverter {
  return (value) => {
    if (value === null) return null;
    if (typeof value !== 'number') throw unexpected('a number');
    if (!Number.isFinite(value)) throw new Refusal('NUMBER_NOT_FINITE', 'is NaN or infinite');
    return value;
  };
}

/** A column with time zone. */
export function instant(): ColumnConverter {
  return keepsApart(convertTime(rememberingTimes((value) => `${formatTimeUs(value)}+00`)));
}

/** A column without time zone whose clock hangs in `zone`, with `decimals` of a second. */
export function localTime(zone: string, decimals = 6): ColumnConverter {
  const time = localTimeIn(zone);
  const unitUs = 10n ** BigInt(6 - decimals);
  const textOf = (value: bigint): string => {
    if (value % unitUs !== 0n) throw new Refusal('TIME_PRECISION', `has more than ${decimals} decimals of a second`);
    const wallUs = time.toWallUs(value);
    if (time.toUtcUs(wallUs) !== value) throw new Refusal('TIME_AMBIGUOUS', `exists twice as a local time in ${zone}`);
    return formatTimeUs(wallUs);
  };
  return keepsApart(convertTime(rememberingTimes(textOf)));
}

/** The day on which an instant falls in `zone`, for a DATE column. */
export function localDate(zone: string): ColumnConverter {
  const time = localTimeIn(zone);
  return convertTime((value) => formatTimeUs(time.toWallUs(value)).slice(0, 10));
}

function convertText(convert: (value: string) => SqlValue): ColumnConverter {
  return (value: CanonicalValue) => {
    if (value === null) return null;
    if (typeof value !== 'string') throw unexpected('text');
    if (value.includes(NUL)) throw new Refusal('TEXT_NUL', 'holds a NUL character');
    return convert(value);
  };
}

function convertTime(convert: (value: bigint) => SqlValue): ColumnConverter {
  return (value: CanonicalValue) => {
    if (value === null) return null;
    if (typeof value !== 'bigint') throw unexpected('a time');
    return convert(value);
  };
}

function unexpected(expected: string): Refusal {
  return new Refusal('VALUE_TYPE', `is not ${expected}`);
}
