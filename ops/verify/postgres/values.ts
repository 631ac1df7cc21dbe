/**
 * A column's text, as the server prints it under the pinned settings → the value that the same column has in a change event
 * (core/change-event.ts). One reader for each type that the connector delivers; docs/reference/value-fidelity.md holds each against it.
 */
import { sortedJson } from '../../../adapters/avro/raw-types.ts';
import { daysOf } from '../../../core/calendar-date.ts';
import { type ColumnValue, Unreadable } from '../../../core/change-event.ts';
import { DAY_US } from '../../../core/local-time.ts';
import { parseArray } from './arrays.ts';
import { boxShape, pointShape, polygonShape } from './shapes.ts';

export type Read = (text: string) => ColumnValue;

/** A column as the catalogue describes it, domains followed to their base. */
export type ColumnType = {
  readonly schema: string;
  readonly name: string;
  /** Of `pg_type`: `b`ase, `e`num, `r`ange, `m`ultirange, `c`omposite. */
  readonly kind: string;
  readonly modifier: number;
  readonly item: ColumnType | undefined;
};

/** undefined: the connector leaves such a column out, or nobody has compared what it makes of it. */
export function readerOf(type: ColumnType): Read | undefined {
  if (type.item !== undefined) return listReaderOf(type.item);
  if (type.kind === 'e' || type.kind === 'r') return asText;
  if (type.schema !== 'pg_catalog') return EXTENSIONS[type.name];
  if (type.name === 'bit') return type.modifier === 1 ? (text) => text === '1' : bitBytes;
  return READERS[type.name];
}

const asText: Read = (text) => text;

const READERS: Readonly<Record<string, Read>> = {
  int2: Number,
  int4: Number,
  int8: BigInt,
  oid: BigInt,
  float4: (text) => Math.fround(Number(text)),
  float8: Number,
  numeric: (text) => SPECIAL_NUMBERS[text] ?? text,
  money: (text) => text.replaceAll(/[$,]/g, ''),
  bool: (text) => text === 't',
  bytea: (text) => Buffer.from(text.slice(2), 'hex'),
  date: dayNumber,
  timestamp: clockMicros,
  timestamptz: instantText,
  time: timeMicros,
  timetz: timeInUtc,
  interval: isoInterval,
  point: pointShape,
  box: boxShape,
  polygon: polygonShape,
  lseg: ambiguousShape,
  path: ambiguousShape,
  ...Object.fromEntries(
    ['text', 'varchar', 'bpchar', 'char', 'json', 'jsonb', 'xml', 'uuid', 'inet', 'cidr', 'macaddr', 'macaddr8']
      .concat('tsvector', 'name')
      .map((name) => [name, asText]),
  ),
};

const EXTENSIONS: Readonly<Record<string, Read>> = { citext: asText, ltree: asText, hstore: hstoreJson };

/** Types whose arrays the connector sends item by item. */
const LISTED = new Set(
  ['int2', 'int4', 'int8', 'oid', 'float4', 'float8', 'numeric', 'bool', 'text', 'varchar', 'bpchar', 'uuid'].concat(
    ['json', 'jsonb', 'bytea', 'inet', 'cidr', 'macaddr', 'macaddr8'],
    ['date', 'timestamp', 'timestamptz'],
  ),
);
const NESTED = new Unreadable('LIST_NESTED', 'is an array of arrays, which the connector does not send');

function listReaderOf(item: ColumnType): Read | undefined {
  const isListed = item.schema === 'pg_catalog' ? LISTED.has(item.name) : item.kind === 'e';
  const read = isListed || item.kind === 'e' || item.kind === 'r' ? readerOf(item) : undefined;
  if (read === undefined) return undefined;
  return (text) => {
    const items = parseArray(text);
    if (items.some(Array.isArray)) return NESTED;
    return items.map((one) => (one === null ? null : read(one as string)));
  };
}

const SPECIAL_NUMBERS: Readonly<Record<string, string>> = {
  NaN: 'NAN',
  Infinity: 'POSITIVE_INFINITY',
  '-Infinity': 'NEGATIVE_INFINITY',
};

/** Lowest byte first, as the connector sends it. */
function bitBytes(text: string): Uint8Array {
  const bytes = Buffer.alloc(Math.ceil(text.length / 8));
  for (let bit = 0; bit < text.length; bit += 1) {
    if (text[text.length - 1 - bit] === '1') bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (1 << (bit & 7));
  }
  return bytes;
}

const DAY = /^(\d+)-(\d\d)-(\d\d)/;
const LARGEST_INT = 2 ** 31 - 1;
const LARGEST_LONG = 2n ** 63n - 1n;

/** Days since 1970; a year before Christ counts from 0 downwards. */
function daysIn(text: string): number {
  const [, year, month, day] = DAY.exec(text) as unknown as [string, string, string, string];
  return daysOf(text.endsWith(' BC') ? 1 - Number(year) : Number(year), Number(month), Number(day));
}

function dayNumber(text: string): number {
  if (text === 'infinity') return LARGEST_INT;
  return text === '-infinity' ? -LARGEST_INT : daysIn(text);
}

function timeMicros(text: string): bigint {
  const [hours = '', minutes = '', seconds = ''] = text.split(':');
  const [whole = '', fraction = ''] = seconds.split('.');
  return (
    (BigInt(hours) * 3_600n + BigInt(minutes) * 60n + BigInt(whole)) * 1_000_000n + BigInt(fraction.padEnd(6, '0'))
  );
}

const CLOCK = /(\d\d:\d\d:\d\d(?:\.\d+)?)/;

function clockMicros(text: string): bigint {
  if (text === 'infinity') return LARGEST_LONG;
  if (text === '-infinity') return -LARGEST_LONG;
  return BigInt(daysIn(text)) * DAY_US + timeMicros(CLOCK.exec(text)?.[1] ?? '');
}

/** `2017-03-12 02:30:00.123456+00` → `2017-03-12T02:30:00.123456Z`: ISO 8601 has signs for years beyond four digits. */
function instantText(text: string): string {
  const found = /^(\d+)(-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)\+00( BC)?$/.exec(text);
  if (found === null) return text;
  const [, year = '', day, clock, era] = found;
  const number = era === undefined ? Number(year) : 1 - Number(year);
  const sign = number < 0 ? '-' : number > 9_999 ? '+' : '';
  return `${sign}${String(Math.abs(number)).padStart(4, '0')}${day}T${clock}Z`;
}

/** Moved to UTC, its own offset dropped. */
function timeInUtc(text: string): string {
  const [, clock = '', sign, hours = '0', minutes = '0', seconds = '0'] =
    /^([\d:.]+)([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?$/.exec(text) ?? [];
  const offset = (BigInt(hours) * 3_600n + BigInt(minutes) * 60n + BigInt(seconds)) * 1_000_000n;
  if (offset === 0n) return `${clock}Z`;
  const moved = timeMicros(clock) + (sign === '+' ? -offset : offset);
  return `${clockText(((moved % DAY_US) + DAY_US) % DAY_US)}Z`;
}

function clockText(micros: bigint): string {
  const seconds = micros / 1_000_000n;
  const two = (value: bigint) => String(value).padStart(2, '0');
  const fraction = String(micros % 1_000_000n)
    .padStart(6, '0')
    .replace(/0+$/, '');
  const whole = `${two(seconds / 3_600n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}`;
  return fraction === '' ? whole : `${whole}.${fraction}`;
}

const INTERVAL_ZERO = new Unreadable('INTERVAL_ZERO', 'is zero or infinite, which the connector sends alike');

/** `1 year 2 mons 3 days 04:05:06.789` → `P1Y2M3DT4H5M6.789S`; a sign holds for the whole time. */
function isoInterval(text: string): ColumnValue {
  const part = (name: string) => Number(new RegExp(`([+-]?\\d+) ${name}s?`).exec(text)?.[1] ?? 0);
  const [, sign = '', hours = '0', minutes = '0', whole = '0', fraction = ''] =
    /([+-]?)(\d+):(\d\d):(\d\d)(?:\.(\d+))?$/.exec(text) ?? [];
  const signed = (value: string) => (sign === '-' && Number(value) !== 0 ? `-${Number(value)}` : String(Number(value)));
  const digits = fraction.replace(/0+$/, '');
  const isNegative = sign === '-' && (Number(whole) !== 0 || digits !== '');
  const seconds = `${isNegative ? '-' : ''}${Number(whole)}${digits === '' ? '' : `.${digits}`}`;
  const iso = `P${part('year')}Y${part('mon')}M${part('day')}DT${signed(hours)}H${signed(minutes)}M${seconds}S`;
  return iso === 'P0Y0M0DT0H0M0S' ? INTERVAL_ZERO : iso;
}

const SHAPE_AMBIGUOUS = new Unreadable(
  'SHAPE_AMBIGUOUS',
  'is a path, open or closed, or a segment: the connector sends them alike',
);

function ambiguousShape(): ColumnValue {
  return SHAPE_AMBIGUOUS;
}

/** `"a"=>"1", "b"=>NULL` → JSON, keys in order. */
function hstoreJson(text: string): string {
  const unquoted = (quoted: string) => quoted.slice(1, -1).replaceAll(/\\(.)/gs, '$1');
  const pairs = [...text.matchAll(/("(?:[^"\\]|\\.)*")=>(NULL|"(?:[^"\\]|\\.)*")/gs)];
  return sortedJson(
    Object.fromEntries(
      pairs.map(([, key = '', value = '']) => [unquoted(key), value === 'NULL' ? null : unquoted(value)]),
    ),
  );
}
