/**
 * Both databases round silently: a numeric(12,2) column takes 1.005 as 1.01, a DATETIME(3) cuts microseconds. What a column
 * would round is refused before it is sent; what is too long or out of range they refuse themselves.
 */
import type { SqlValue } from '../../core/target.ts';
import type { ColumnShape } from '../dialects/dialect.ts';

const [ZERO, NINE] = [48, 57];

/** undefined: nothing to check. */
export function fitOf(column: ColumnShape): ((value: SqlValue) => boolean) | undefined {
  const { kind, scale } = column;
  if (kind === 'real') return (value) => fitsFloat(value, REAL);
  if (kind === 'double') return (value) => fitsFloat(value, DOUBLE);
  if (scale === undefined) return undefined;
  if (kind === 'integer') return (value) => hasDigitsAtMost(value, 0);
  if (kind === 'decimal' || kind === 'timestamp' || kind === 'time') return (value) => hasDigitsAtMost(value, scale);
  return undefined;
}

type Float = { readonly round: (value: number) => number; readonly digits: number };
const DOUBLE: Float = { round: (value) => value, digits: 15 };
const REAL: Float = { round: Math.fround, digits: 6 };

/** A decimal comes back as it was while its digits are no more than the column guarantees. */
function fitsFloat(value: SqlValue, { round, digits }: Float): boolean {
  if (typeof value === 'number') return Object.is(round(value), value);
  if (typeof value !== 'string' && typeof value !== 'bigint') return true;
  const text = String(value);
  if (!Number.isFinite(round(Number(text)))) return true;
  return (
    text
      .replace(/[eE].*$/, '')
      .replace(/\D/g, '')
      .replace(/^0+|0+$/g, '').length <= digits
  );
}

/** After the point, of those that count: trailing zeros don't. */
function hasDigitsAtMost(value: SqlValue, scale: number): boolean {
  if (typeof value === 'number') return Number.isInteger(value) || hasDigitsAtMost(String(value), scale);
  if (typeof value !== 'string') return true;
  const point = value.indexOf('.');
  if (point < 0 || value.length - point - 1 <= scale) return true;
  for (let index = point + 1; index < value.length; index += 1) {
    const code = value.charCodeAt(index);
    if (code < ZERO || code > NINE) return true;
    if (code > ZERO && index - point > scale) return false;
  }
  return true;
}
