import { asBuffer } from '../../../core/bytes.ts';
import type { SqlValue } from '../../../core/target.ts';

const NEEDS_ESCAPE = /["\\]/;

/** A PostgreSQL array literal. The driver makes the same text at twice the cost: it escapes numbers too. */
export function arrayText(values: readonly SqlValue[]): string {
  let text = '{';
  for (let index = 0; index < values.length; index += 1) {
    if (index > 0) text += ',';
    text += elementText(values[index] as SqlValue);
  }
  return `${text}}`;
}

function elementText(value: SqlValue): string {
  if (value === null) return 'NULL';
  switch (typeof value) {
    case 'string':
      return NEEDS_ESCAPE.test(value) ? `"${value.replaceAll(/["\\]/g, '\\$&')}"` : `"${value}"`;
    case 'number':
      // JavaScript prints the double -0 as 0
      return Object.is(value, -0) ? '-0' : value.toString();
    case 'bigint':
      return value.toString();
    case 'boolean':
      return value ? 't' : 'f';
    default:
      return `"\\\\x${asBuffer(value).toString('hex')}"`;
  }
}
