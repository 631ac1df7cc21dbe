/**
 * A column's bytes in MariaDB's text protocol, under the pinned settings → the value that the same column has in a change event
 * (core/change-event.ts). One reader for each type that the connector delivers; docs/reference/value-fidelity.md holds each against it.
 */
import { extendedWkb } from '../../../adapters/avro/raw-types.ts';
import { daysOf, daysToText } from '../../../core/calendar-date.ts';
import { type ColumnValue, Unreadable } from '../../../core/change-event.ts';
import { DAY_US } from '../../../core/local-time.ts';

export type Read = (raw: Buffer) => ColumnValue;

/** As `information_schema.columns` describes it. */
export type ColumnType = {
  readonly dataType: string;
  /** With length, sign and labels: `bigint(20) unsigned`. */
  readonly columnType: string;
  readonly isNullable: boolean;
  /** An SQL expression; null: none. */
  readonly byDefault: string | null;
};

/** undefined: the connector leaves such a column out, or nobody has compared what it makes of it. */
export function readerOf(type: ColumnType): Read | undefined {
  if (type.dataType === 'int' || type.dataType === 'bigint') {
    const isLong = type.dataType === 'bigint' || type.columnType.includes('unsigned');
    return isLong ? (raw) => BigInt(raw.toString('latin1')) : asNumber;
  }
  if (type.dataType === 'bit') return /^bit\(1\)/.test(type.columnType) ? (raw) => raw[0] === 1 : bitBytes;
  const temporal = TEMPORAL[type.dataType];
  if (temporal !== undefined) return type.isNullable ? temporal : unlessZero(temporal, type.byDefault);
  return READERS[type.dataType];
}

const asText: Read = (raw) => raw.toString('utf8');
const asNumber: Read = (raw) => Number(raw.toString('latin1'));
const asBytes: Read = (raw) => Buffer.from(raw);

/** A year 0000 counts from 1900, which is no YEAR. */
const ZERO_YEAR = new Unreadable('ZERO_DATE', 'is the year 0000, which the connector takes for another');

const of = (names: readonly string[], read: Read) => Object.fromEntries(names.map((name) => [name, read]));

const READERS: Readonly<Record<string, Read>> = {
  ...of(['tinyint', 'smallint', 'mediumint', 'double'], asNumber),
  float: (raw) => Math.fround(Number(raw.toString('latin1'))),
  decimal: asText,
  year: (raw) => {
    const year = Number(raw.toString('latin1'));
    return year === 0 ? ZERO_YEAR : year;
  },
  time: timeMicros,
  ...of(['char', 'varchar', 'tinytext', 'text', 'mediumtext', 'longtext', 'enum', 'set', 'json', 'uuid'], asText),
  ...of(['binary', 'varbinary', 'tinyblob', 'blob', 'mediumblob', 'longblob'], asBytes),
  ...of(
    ['point', 'linestring', 'polygon', 'multipoint', 'multilinestring', 'multipolygon', 'geometry'].concat(
      'geometrycollection',
    ),
    shape,
  ),
};

const TEMPORAL: Readonly<Record<string, Read>> = { date: dayNumber, datetime: clockMicros, timestamp: instantText };

/** Lowest byte first, as the connector sends it. */
function bitBytes(raw: Buffer): Uint8Array {
  return Buffer.from(raw).reverse();
}

/** The reference system, then well-known binary. */
function shape(raw: Buffer): Uint8Array {
  return extendedWkb({ wkb: Buffer.from(raw.subarray(4)), srid: raw.readInt32LE(0) });
}

const DAY = /^(\d{4})-(\d\d)-(\d\d)/;

/** null for a day that no calendar has: 0000-00-00, 2017-00-00, 2017-01-00, and all of the year 0. */
function daysIn(text: string): number | null {
  const [, year, month, day] = DAY.exec(text) ?? [];
  const days = daysOf(Number(year), Number(month), Number(day));
  return daysToText(days) === text.slice(0, 10) ? days : null;
}

function dayNumber(raw: Buffer): number | null {
  return daysIn(raw.toString('latin1'));
}

function clockMicros(raw: Buffer): bigint | null {
  return microsOf(raw.toString('latin1'));
}

function microsOf(text: string): bigint | null {
  const days = daysIn(text);
  return days === null ? null : BigInt(days) * DAY_US + microsOfTime(text.slice(11));
}

/** A column that may be NULL has it for a zero date. */
function instantText(raw: Buffer): string | null {
  const text = raw.toString('latin1');
  if (daysIn(text) === null) return null;
  const [whole = '', fraction = ''] = text.split('.');
  const digits = fraction.replace(/0+$/, '');
  return `${whole.replace(' ', 'T')}${digits === '' ? '' : `.${digits}`}Z`;
}

function timeMicros(raw: Buffer): bigint {
  const text = raw.toString('latin1');
  return text.startsWith('-') ? -microsOfTime(text.slice(1)) : microsOfTime(text);
}

function microsOfTime(text: string): bigint {
  const [hours = '0', minutes = '0', seconds = '0'] = text.split(':');
  const [whole = '0', fraction = ''] = seconds.split('.');
  return (
    (BigInt(hours) * 3_600n + BigInt(minutes) * 60n + BigInt(whole)) * 1_000_000n + BigInt(fraction.padEnd(6, '0'))
  );
}

const ZERO_DATE = new Unreadable(
  'ZERO_DATE',
  'may be a zero date: in a NOT NULL column the connector sends this value for it',
);
const EPOCH = Buffer.from('1970-01-01 00:00:00');
const LITERAL = /^'(\d[\d:. -]*)'$/;

/** As the decoder of change events does: what the connector may have sent for a zero date is refused. */
function unlessZero(read: Read, byDefault: string | null): Read {
  const literal = LITERAL.exec(byDefault ?? '')?.[1];
  const zeros = [EPOCH, ...(literal === undefined ? [] : [Buffer.from(withTime(literal))])].map(read);
  return (raw) => {
    const value = read(raw);
    return value === null || zeros.includes(value) ? ZERO_DATE : value;
  };
}

function withTime(literal: string): string {
  return literal.length === 10 ? `${literal} 00:00:00` : literal;
}
