/**
 * Connect's and Debezium's semantic types → the domain of core/change-event.ts. Connect's Avro converter keeps a type's
 * name in `connect.name`; raw-schema.ts turns it into avsc's `logicalType`, and the classes here read it.
 */
import { createHash } from 'node:crypto';
import avro from 'avsc';
import type { Schema, Type } from 'avsc';
import type { ColumnValue } from '../../core/change-event.ts';
import { UNAVAILABLE, Unreadable } from '../../core/change-event.ts';
import { readEntries, readItems } from './bounded.ts';
import { bytesToDecimal } from './decimal.ts';
import { bigintLong, readPlain } from './long.ts';
import { isNullable, nullable } from './nullable.ts';
import type { Internals, Tap } from './tap.ts';
import { rememberingString } from './text.ts';

/** Debezium's default for `unavailable.value.placeholder`; in an array of integers, the same byte by byte. */
const PLACEHOLDER = '__debezium_unavailable_value';
const PLACEHOLDER_BYTES = Buffer.from(PLACEHOLDER);
const PLACEHOLDER_UUID = nameUuid(PLACEHOLDER_BYTES);

export const PLAIN_TEXT = 'seam.text';
/** Text that the connector decoded from the column's character set itself. */
export const DECODED_TEXT = 'seam.decoded-text';
export const PLAIN_BYTES = 'seam.bytes';
const TIMESTAMP = 'io.debezium.time.Timestamp';
export const LIST = 'seam.list';
export const TEXT_MAP = 'seam.map';

export type ConnectSchema = {
  readonly type: unknown;
  readonly logicalType?: string;
  readonly scale?: number;
  /** What stands for a zero date in a column that can't be NULL, beside 1970-01-01. */
  readonly zero?: unknown;
  readonly 'connect.name'?: string;
  readonly 'connect.parameters'?: Readonly<Record<string, string>>;
};
type Read = (value: never) => ColumnValue;

/** By semantic type: given the schema once, reads each value. A type not listed is read as its Avro type. */
const readers: Readonly<Record<string, (schema: ConnectSchema) => Read>> = {
  [PLAIN_BYTES]: () => (bytes: Buffer | undefined) =>
    bytes?.equals(PLACEHOLDER_BYTES) ? UNAVAILABLE : (bytes ?? null),
  [LIST]: () => listValue,
  [TEXT_MAP]: () => textOfMap,
  'org.apache.kafka.connect.data.Decimal': decimalReader,
  'io.debezium.data.VariableScaleDecimal': () => (value: { scale: number; value: Buffer }) =>
    bytesToDecimal(value.value, value.scale),
  'org.apache.kafka.connect.data.Timestamp': () => millisToMicros,
  'org.apache.kafka.connect.data.Time': () => millisToMicros,
  [TIMESTAMP]: () => millisToMicros,
  'io.debezium.time.Time': () => millisToMicros,
  'io.debezium.time.NanoTimestamp': () => nanosToMicros,
  'io.debezium.time.NanoTime': () => nanosToMicros,
  'io.debezium.time.Interval': () => (text: string) => (text === ZERO_INTERVAL ? INTERVAL_ZERO : text),
  'mariadb:io.debezium.time.ZonedTimestamp': () => (text: string) => (EPOCH_TEXT.test(text) ? null : text),
  'mariadb:io.debezium.time.Year': () => (year: number) => (year === YEAR_OF_ZERO ? ZERO_YEAR : year),
  'seam.zero:io.debezium.time.Date': unlessZero((days: number) => days),
  'seam.zero:io.debezium.time.Timestamp': unlessZero(millisToMicros),
  'seam.zero:io.debezium.time.MicroTimestamp': unlessZero((micros: bigint) => micros),
  'seam.zero:io.debezium.time.ZonedTimestamp': unlessZero((text: string) => text),
  'io.debezium.data.geometry.Point': () => extendedWkb,
  'postgresql:io.debezium.data.geometry.Geometry': () => postgresShape,
  'io.debezium.data.geometry.Geometry': () => extendedWkb,
  'io.debezium.data.geometry.Geography': () => extendedWkb,
};

/** Of columns that hold text and nothing more. */
const texts: Readonly<Record<string, (text: string) => ColumnValue>> = {
  [PLAIN_TEXT]: (text) => (text === PLACEHOLDER ? UNAVAILABLE : text),
  [DECODED_TEXT]: decodedText,
};

/** For a column that can't be NULL: the reader that refuses what may stand for a zero date. */
export function zeroReaderOf(name: string | undefined): string | undefined {
  const reader = `seam.zero:${name}`;
  return hasReader(reader) ? reader : undefined;
}

const ZERO_INTERVAL = 'P0Y0M0DT0H0M0S';
const INTERVAL_ZERO = new Unreadable('INTERVAL_ZERO', 'is zero or infinite, which the connector sends alike');
const EPOCH_TEXT = /^1970-01-01T00:00:00(?:\.0+)?Z$/;
/** A YEAR of 0000 counts from 1900, which is no YEAR. */
const YEAR_OF_ZERO = 1900;
const ZERO_YEAR = new Unreadable('ZERO_DATE', 'is the year 0000, which the connector takes for another');
const ZERO_DATE = new Unreadable(
  'ZERO_DATE',
  'may be a zero date: in a NOT NULL column the connector sends this value for it',
);
const REPLACEMENT = '\ufffd';
const UNDECODABLE = new Unreadable('TEXT_UNDECODABLE', 'holds bytes that its character set does not know');

function decodedText(text: string): ColumnValue {
  if (text === PLACEHOLDER) return UNAVAILABLE;
  return text.includes(REPLACEMENT) ? UNDECODABLE : text;
}

/** The default as the schema writes it is the value as the wire carries it, before any conversion. */
function unlessZero(read: (value: never) => ColumnValue): (schema: ConnectSchema) => Read {
  return ({ zero }) => {
    const known = zero === undefined ? undefined : String(zero);
    const knownPlain = Number(known);
    const isZero = (value: string | number | bigint): boolean => {
      const plain = typeof value === 'string' ? 0 : Number(value);
      if (plain !== 0 && plain !== knownPlain) return false;
      const text = String(value);
      return text === '0' || text === known || EPOCH_TEXT.test(text);
    };
    return (value: never): ColumnValue => (isZero(value) ? ZERO_DATE : read(value));
  };
}

export function hasReader(name: string | undefined): name is string {
  return name !== undefined && Object.hasOwn(readers, name);
}

/**
 * Unsigned 64-bit integers arrive as a Decimal(20, 0) too (`bigint.unsigned.handling.mode=precise`), told from a real
 * one only where the connector propagates source types. With `decimal.handling.mode=string` there are no others.
 */
function decimalReader(schema: ConnectSchema): Read {
  const parameters = schema['connect.parameters'] ?? {};
  const scale = schema.scale ?? Number(parameters.scale ?? 0);
  const sourceType = parameters['__debezium.source.column.type'];
  const precision = parameters['connect.decimal.precision'];
  const isUnsignedLong =
    sourceType === undefined ? scale === 0 && precision === '20' : /^bigint unsigned/i.test(sourceType);
  if (isUnsignedLong) return (bytes: Buffer) => BigInt(bytesToDecimal(bytes, 0));
  return (bytes: Buffer) => bytesToDecimal(bytes, scale);
}

function millisToMicros(millis: bigint | number): bigint {
  return BigInt(millis) * 1000n;
}

function nanosToMicros(nanos: bigint): bigint {
  if (nanos % 1000n !== 0n) throw new Error('a time is finer than a microsecond');
  return nanos / 1000n;
}

/** How Java prints an array that it was not meant to print. */
const JAVA_ARRAY = /^\[+(?:L[\w.$]+;|[BCDFIJSZ])@[0-9a-f]+$/;
const NESTED = new Unreadable('LIST_NESTED', 'is an array of arrays, which the connector does not send');

function listValue(items: readonly ColumnValue[]): ColumnValue {
  if (isPlaceholderList(items)) return UNAVAILABLE;
  return items.some((item) => typeof item === 'string' && JAVA_ARRAY.test(item)) ? NESTED : items;
}

function isPlaceholderList(items: readonly ColumnValue[]): boolean {
  const [first] = items;
  if (items.length === 1) return first === UNAVAILABLE || first === PLACEHOLDER_UUID;
  if (items.length !== PLACEHOLDER_BYTES.length || Number(first) !== PLACEHOLDER_BYTES[0]) return false;
  return items.every((item, index) => Number(item) === PLACEHOLDER_BYTES[index]);
}

/** hstore with `hstore.handling.mode=map`: JSON text, keys in order, so that equal contents are equal texts. */
function textOfMap(entries: Readonly<Record<string, ColumnValue>>): ColumnValue {
  return Object.hasOwn(entries, PLACEHOLDER) ? UNAVAILABLE : sortedJson(entries);
}

export function sortedJson(entries: Readonly<Record<string, ColumnValue>>): string {
  return JSON.stringify(Object.fromEntries(Object.entries(entries).sort(([left], [right]) => (left < right ? -1 : 1))));
}

const WKB_HAS_SRID = 0x20000000;

/** Debezium keeps the reference system beside the geometry; EWKB, which PostGIS and others read, keeps it inside. */
export function extendedWkb(value: { wkb: Buffer; srid: number | null }): Uint8Array {
  const { wkb, srid } = value;
  if (srid === null || srid === 0) return wkb;
  const isLittleEndian = wkb[0] === 1;
  const type = isLittleEndian ? wkb.readUInt32LE(1) : wkb.readUInt32BE(1);
  if ((type & WKB_HAS_SRID) !== 0) return wkb;
  const head = Buffer.alloc(9);
  head[0] = isLittleEndian ? 1 : 0;
  if (isLittleEndian) head.writeUInt32LE((type | WKB_HAS_SRID) >>> 0, 1);
  else head.writeUInt32BE((type | WKB_HAS_SRID) >>> 0, 1);
  if (isLittleEndian) head.writeInt32LE(srid, 5);
  else head.writeInt32BE(srid, 5);
  return Buffer.concat([head, wkb.subarray(5)]);
}

const WKB_LINE = 2;
const LINE = new Unreadable(
  'SHAPE_AMBIGUOUS',
  'is a path, open or closed, or a segment: the connector sends them alike',
);

/** PostgreSQL's own shapes have no reference system; those of PostGIS do. */
function postgresShape(value: { wkb: Buffer; srid: number | null }): ColumnValue {
  const type = value.wkb[0] === 1 ? value.wkb.readUInt32LE(1) : value.wkb.readUInt32BE(1);
  return value.srid === null && type === WKB_LINE ? LINE : extendedWkb(value);
}

/** Java's `UUID.nameUUIDFromBytes`: what stands for an unchanged array of uuid. */
function nameUuid(name: Buffer): string {
  const hash = createHash('md5').update(name).digest();
  hash[6] = ((hash[6] as number) & 0x0f) | 0x30;
  hash[8] = ((hash[8] as number) & 0x3f) | 0x80;
  return hash.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

class SemanticType extends avro.types.LogicalType {
  readonly #read: (value: unknown) => ColumnValue;
  readonly #inner: Internals;

  constructor(schema: ConnectSchema, options: unknown) {
    // `isUnderlying` keeps the hook below from making the type inside this one a SemanticType again
    super({ ...schema, isUnderlying: true } as unknown as Schema, options);
    const reader = readers[schema.logicalType ?? ''];
    if (reader === undefined) throw new Error(`no reader for ${schema.logicalType}`);
    this.#read = reader(schema) as (value: unknown) => ColumnValue;
    this.#inner = this.underlyingType as Internals;
  }

  _read(tap: Tap): ColumnValue {
    return this.#read(this.#inner._read(tap));
  }

  protected override _fromValue(value: unknown): ColumnValue {
    return this.#read(value);
  }
}

const MILLIS_MAX = Number.MAX_SAFE_INTEGER / 1_000;

/** Without a number in between that is thrown away. */
class MillisType extends SemanticType {
  override _read(tap: Tap): ColumnValue {
    const start = tap.pos;
    const millis = readPlain(tap);
    if (Math.abs(millis) <= MILLIS_MAX) return BigInt(millis * 1_000);
    tap.pos = start;
    return super._read(tap);
  }
}

class ListType extends SemanticType {
  override _read(tap: Tap): ColumnValue {
    return this._fromValue(readItems(tap, this.underlyingType));
  }
}

class TextMapType extends SemanticType {
  override _read(tap: Tap): ColumnValue {
    return this._fromValue(readEntries(tap, this.underlyingType));
  }
}

/** A part of the envelope that nobody reads: passed over without making objects of it. */
class PassedOver extends avro.types.LogicalType {
  readonly #inner: Internals;

  constructor(inner: Type) {
    super({ type: 'null', logicalType: 'seam.passed-over' } as unknown as Schema);
    this.#inner = inner as Internals;
  }

  _read(tap: Tap): undefined {
    this.#inner._skip(tap);
    return undefined;
  }

  _skip(tap: Tap): void {
    this.#inner._skip(tap);
  }
}

type HookedSchema = ConnectSchema & { readonly isUnderlying?: boolean; readonly passOver?: Schema };

/** As its Avro type, and not by a semantic type around it. */
function isRead({ isUnderlying, logicalType }: HookedSchema): boolean {
  return isUnderlying === true || !hasReader(logicalType);
}

export function compileRaw(schema: unknown): Type {
  const semantic = Object.fromEntries(Object.keys(readers).map((name) => [name, SemanticType]));
  const logicalTypes = { ...semantic, [TIMESTAMP]: MillisType, [LIST]: ListType, [TEXT_MAP]: TextMapType };
  const hook = (part: HookedSchema | string, options: unknown): Type | undefined => {
    if (part === 'long') return bigintLong;
    if (part === 'string') return rememberingString();
    if (typeof part === 'string') return undefined;
    if (isNullable(part)) return nullable(part, options);
    const ofText = texts[part.logicalType ?? ''];
    if (ofText !== undefined) return rememberingString(ofText);
    if (part.passOver !== undefined) return new PassedOver(avro.Type.forSchema(part.passOver, options as object));
    if (part.type === 'string' && isRead(part)) return rememberingString();
    return part.type === 'long' && isRead(part) ? bigintLong : undefined;
  };
  return avro.Type.forSchema(schema as Schema, {
    assertLogicalTypes: true,
    logicalTypes: logicalTypes as never,
    omitRecordMethods: true,
    typeHook: hook as never,
    wrapUnions: 'never',
  });
}
