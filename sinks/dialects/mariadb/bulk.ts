/**
 * Rows as the driver's bulk protocol takes them. It sends a new packet where a column's type changes from row to row, so each
 * column gets one type. See `npm run bench -- --only sink-mariadb`.
 */
import { asBuffer } from '../../../core/bytes.ts';
import type { SqlValue } from '../../../core/target.ts';
import type { TableShape, Values } from '../dialect.ts';
import { columnOf } from './sql.ts';

export function bulkRows(shape: TableShape, columns: readonly Values[]): SqlValue[][] {
  const converted = columns.map(({ column, values }) =>
    columnOf(shape, column).kind === 'integer' ? integers(values) : withBuffers(values),
  );
  const count = converted[0]?.length ?? 0;
  const rows: SqlValue[][] = new Array(count);
  for (let row = 0; row < count; row += 1) {
    const values: SqlValue[] = new Array(converted.length);
    for (let index = 0; index < converted.length; index += 1)
      values[index] = (converted[index] as SqlValue[])[row] as SqlValue;
    rows[row] = values;
  }
  return rows;
}

/** What goes as a number of four bytes, in the driver's eyes. */
const INT_MIN = -2_147_483_648;
const INT_MAX = 2_147_483_646;
const DIGITS = /^-?\d+$/;
const SHORT_DIGITS_MAX = 9;

/** Text for an integer column would be compared as a double. Small numbers cost a fraction of bigints. */
function integers(values: readonly SqlValue[]): readonly SqlValue[] {
  if (values.every(isBooleanOrNull)) return values;
  return values.every(isSmallOrNull) ? values.map(smallInteger) : values.map(bigInteger);
}

function isBooleanOrNull(value: SqlValue): boolean {
  return value === null || typeof value === 'boolean';
}

function isSmallOrNull(value: SqlValue): boolean {
  if (typeof value === 'number') return Number.isInteger(value) && value >= INT_MIN && value <= INT_MAX;
  if (typeof value === 'string') return value.length <= SHORT_DIGITS_MAX && DIGITS.test(value);
  return value === null;
}

function smallInteger(value: SqlValue): SqlValue {
  return typeof value === 'string' ? Number(value) : value;
}

function bigInteger(value: SqlValue): SqlValue {
  if (typeof value === 'number' && Number.isInteger(value)) return BigInt(value);
  if (typeof value === 'string' && DIGITS.test(value)) return BigInt(value);
  return typeof value === 'boolean' ? (value ? 1n : 0n) : value;
}

/** The driver takes only its own kind of bytes. */
function withBuffers(values: readonly SqlValue[]): readonly SqlValue[] {
  return values.some(isOtherBytes) ? values.map(driverValue) : values;
}

function isOtherBytes(value: SqlValue): boolean {
  return typeof value === 'object' && value !== null && !Buffer.isBuffer(value);
}

export function driverValue(value: SqlValue): SqlValue {
  return value instanceof Uint8Array ? asBuffer(value) : value;
}
