/** Totals: exact sums of decimal texts, and their group keys as text that comes back with its types. */
import { formatUnscaled, parseUnscaled } from '../../core/decimal.ts';
import type { SqlValue } from '../../core/target.ts';

/** JSON of the total row's key: text, numbers and booleans as they are, 64-bit integers as `{"i":"12"}`, bytes as `{"b":"00ff"}`. */
export function groupText(key: readonly SqlValue[]): string {
  return JSON.stringify(key.map(tagged));
}

export function groupKeyOf(text: string): SqlValue[] {
  return (JSON.parse(text) as unknown[]).map(untagged);
}

function tagged(value: SqlValue): unknown {
  if (typeof value === 'bigint') return { i: value.toString() };
  if (value instanceof Uint8Array) return { b: Buffer.from(value).toString('hex') };
  return value;
}

function untagged(value: unknown): SqlValue {
  if (typeof value !== 'object' || value === null) return value as SqlValue;
  const { i, b } = value as { i?: string; b?: string };
  return i === undefined ? Buffer.from(b ?? '', 'hex') : BigInt(i);
}

export function addDecimals(left: string, right: string): string {
  const a = parseUnscaled(left);
  const b = parseUnscaled(right);
  const scale = Math.max(a.scale, b.scale);
  return formatUnscaled(raise(a.digits, scale - a.scale) + raise(b.digits, scale - b.scale), scale);
}

export function subtractDecimals(left: string, right: string): string {
  return addDecimals(left, right.startsWith('-') ? right.slice(1) : `-${right}`);
}

export function isZero(amount: string): boolean {
  return parseUnscaled(amount).digits === 0n;
}

export function sameAmount(left: string, right: string): boolean {
  return left === right || isZero(subtractDecimals(left, right));
}

function raise(digits: bigint, places: number): bigint {
  return places === 0 ? digits : digits * 10n ** BigInt(places);
}
