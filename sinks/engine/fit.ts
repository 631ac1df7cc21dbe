/**
 * Both databases round silently: a numeric(12,2) column takes 1.005 as 1.01, a DATETIME(3) cuts microseconds. What a column
 * would round is refused before it is sent; what is too long or out of range they refuse themselves.
 */
import type { SqlValue } from '../../core/target.ts';
import type { ColumnShape } from '../dialects/dialect.ts';

const FRACTION = /\.(\d*[1-9])0*(?=\D|$)/;

/** undefined: nothing to check. */
export function fitOf(column: ColumnShape): ((value: SqlValue) => boolean) | undefined {
  const { kind, scale } = column;
  if (scale === undefined) return undefined;
  if (kind === 'integer') return (value) => digitsAfterPoint(value) === 0;
  if (kind === 'decimal' || kind === 'timestamp') return (value) => digitsAfterPoint(value) <= scale;
  return undefined;
}

/** Digits that count: trailing zeros don't. */
function digitsAfterPoint(value: SqlValue): number {
  if (typeof value === 'number') return Number.isInteger(value) ? 0 : digitsAfterPoint(String(value));
  if (typeof value !== 'string' || !value.includes('.')) return 0;
  return FRACTION.exec(value)?.[1]?.length ?? 0;
}
