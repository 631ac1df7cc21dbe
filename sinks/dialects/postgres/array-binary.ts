/**
 * A column of rows as PostgreSQL's binary array: neither side makes or reads a text. Types and values that aren't written
 * here go as text, a whole column at a time (array-text.ts): the server then says what it thinks of them.
 * The formats are those of the server's own array_recv, numeric_recv and their like.
 */
import { digitsAt, leadingDays, textToDays } from '../../../core/calendar-date.ts';
import { ByteWriter } from '../../../core/byte-writer.ts';
import type { SqlValue } from '../../../core/target.ts';

/** Writes one value that isn't NULL; false: it's none of those that this type takes. */
type Element = (slab: ByteWriter, value: SqlValue) => boolean;
type Format = { readonly oid: number; readonly write: Element };

const NULL_LENGTH = -1;
const HEADER_BYTES = 20;
const MINUS = 45;
const NUMERIC_NEGATIVE = 0x4000;
const DIGITS_A_GROUP = 4;
const NUMERIC_DIGITS_MAX = 500;
/** From 1970, where our days begin, to 2000, where PostgreSQL's do. */
const EPOCH_DAYS = 10_957;
const TWO_TO_32 = 2 ** 32;
const TIME_LENGTH = 26;

const SYSTEM_TYPE = 'pg_catalog.';
const FORMATS: Readonly<Record<string, Format>> = {
  bool: { oid: 16, write: writeBoolean },
  bytea: { oid: 17, write: writeBytes },
  int8: { oid: 20, write: writeInt64 },
  int2: { oid: 21, write: writeInt16 },
  int4: { oid: 23, write: writeInt32 },
  text: { oid: 25, write: writeText },
  bpchar: { oid: 1042, write: writeText },
  varchar: { oid: 1043, write: writeText },
  date: { oid: 1082, write: writeDate },
  timestamp: { oid: 1114, write: (slab, value) => writeTime(slab, value, '') },
  timestamptz: { oid: 1184, write: (slab, value) => writeTime(slab, value, '+00') },
  numeric: { oid: 1700, write: writeNumeric },
};

/** By the name that `quote_ident` gives it; undefined for a domain, whose binary form is its base type's business. */
function formatOf(sqlType: string): Format | undefined {
  return sqlType.startsWith(SYSTEM_TYPE) ? FORMATS[sqlType.slice(SYSTEM_TYPE.length).replaceAll('"', '')] : undefined;
}

const slab = new ByteWriter(1 << 16);

/** undefined: not this column. The hot loop: see `npm run bench -- --only sink-postgres`. */
export function binaryArray(sqlType: string, values: readonly SqlValue[]): Buffer | undefined {
  const format = formatOf(sqlType);
  if (format === undefined) return undefined;
  const { oid, write } = format;
  slab.begin();
  slab.at = HEADER_BYTES;
  let hasNull = 0;
  for (const value of values) {
    slab.ensure(16);
    if (value === null) {
      slab.int32(NULL_LENGTH);
      hasNull = 1;
      continue;
    }
    const lengthAt = slab.at;
    slab.at += 4;
    if (!write(slab, value)) return undefined;
    slab.bytes.writeInt32BE(slab.at - lengthAt - 4, lengthAt);
  }
  const { bytes, at } = slab;
  bytes.writeInt32BE(1, 0); // dimensions
  bytes.writeInt32BE(hasNull, 4);
  bytes.writeInt32BE(oid, 8);
  bytes.writeInt32BE(values.length, 12);
  bytes.writeInt32BE(1, 16); // index of the first
  return values.length === 0 ? emptyArray(oid) : Buffer.from(bytes.subarray(0, at));
}

function emptyArray(oid: number): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeInt32BE(oid, 8);
  return bytes;
}

function writeBoolean(slab: ByteWriter, value: SqlValue): boolean {
  if (typeof value !== 'boolean') return false;
  slab.int8(value ? 1 : 0);
  return true;
}

function writeBytes(slab: ByteWriter, value: SqlValue): boolean {
  if (!(value instanceof Uint8Array)) return false;
  slab.ensure(value.length);
  slab.bytes.set(value, slab.at);
  slab.at += value.length;
  return true;
}

function writeInt16(slab: ByteWriter, value: SqlValue): boolean {
  const number = Number(value);
  if (!isNumber(value) || number !== (number << 16) >> 16) return false;
  slab.int16(number);
  return true;
}

function writeInt32(slab: ByteWriter, value: SqlValue): boolean {
  const number = Number(value);
  if (!isNumber(value) || number !== (number | 0)) return false;
  slab.int32(number);
  return true;
}

function isNumber(value: SqlValue): boolean {
  return typeof value === 'bigint' || typeof value === 'number';
}

function writeInt64(slab: ByteWriter, value: SqlValue): boolean {
  if (typeof value === 'bigint') {
    if (BigInt.asIntN(64, value) !== value) return false;
    slab.at = slab.bytes.writeBigInt64BE(value, slab.at);
    return true;
  }
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) return false;
  writeLong(slab, value);
  return true;
}

/** A whole number within ±2^53. */
function writeLong(slab: ByteWriter, value: number): void {
  slab.int32(Math.floor(value / TWO_TO_32));
  slab.int32(value >>> 0);
}

function writeText(slab: ByteWriter, value: SqlValue): boolean {
  if (typeof value !== 'string') return false;
  slab.text(value);
  return true;
}

/** Digits in groups of four, on either side of the point; the server drops the groups that are zero at the ends. */
function writeNumeric(slab: ByteWriter, value: SqlValue): boolean {
  if (typeof value !== 'string' || value.length > NUMERIC_DIGITS_MAX) return false;
  const first = value.charCodeAt(0) === MINUS ? 1 : 0;
  const dot = value.indexOf('.');
  const point = dot < 0 ? value.length : dot;
  const scale = dot < 0 ? 0 : value.length - dot - 1;
  if (point === first || (dot >= 0 && scale === 0)) return false;
  const wholeGroups = Math.ceil((point - first) / DIGITS_A_GROUP);
  const groups = wholeGroups + Math.ceil(scale / DIGITS_A_GROUP);
  slab.ensure(8 + 2 * groups);
  slab.int16(groups);
  slab.int16(wholeGroups - 1);
  slab.int16(first === 1 ? NUMERIC_NEGATIVE : 0);
  slab.int16(scale);
  let from = point - wholeGroups * DIGITS_A_GROUP;
  for (let group = 0; group < groups; group += 1, from += DIGITS_A_GROUP) {
    if (group === wholeGroups) from = point + 1;
    const digits = groupOf(value, from, first);
    if (digits < 0) return false;
    slab.int16(digits);
  }
  return true;
}

/** Four digits from there on; what lies before the first or behind the last is zero. -1: something else is there. */
function groupOf(text: string, from: number, first: number): number {
  const end = Math.min(from + DIGITS_A_GROUP, text.length);
  let digits = digitsAt(text, Math.max(from, first), end);
  for (let index = end; index < from + DIGITS_A_GROUP; index += 1) if (digits >= 0) digits *= 10;
  return digits;
}

function writeDate(slab: ByteWriter, value: SqlValue): boolean {
  const days = typeof value === 'string' ? textToDays(value) : undefined;
  if (days === undefined) return false;
  slab.int32(days - EPOCH_DAYS);
  return true;
}

/** `2017-01-31 08:15:30.123456` and the zone: what core/columns.ts makes of a time. */
function writeTime(slab: ByteWriter, value: SqlValue, zone: '' | '+00'): boolean {
  if (typeof value !== 'string' || value.length !== TIME_LENGTH + zone.length || !value.endsWith(zone)) return false;
  const days = leadingDays(value);
  const [hours, minutes] = [digitsAt(value, 11, 13), digitsAt(value, 14, 16)];
  const [seconds, micros] = [digitsAt(value, 17, 19), digitsAt(value, 20, 26)];
  if (days === undefined || hours < 0 || minutes < 0 || seconds < 0 || micros < 0) return false;
  if (hours > 23 || minutes > 59 || seconds > 59 || !hasTimeMarks(value)) return false;
  const total = ((((days - EPOCH_DAYS) * 24 + hours) * 60 + minutes) * 60 + seconds) * 1_000_000 + micros;
  if (!Number.isSafeInteger(total)) return false;
  writeLong(slab, total);
  return true;
}

function hasTimeMarks(text: string): boolean {
  return text[10] === ' ' && text[13] === ':' && text[16] === ':' && text[19] === '.';
}
