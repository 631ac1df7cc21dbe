/** One text for one value, whichever side and database it comes from; two values are equal when their texts are. */
import { asBuffer } from '../../core/bytes.ts';
import type { SqlValue } from '../../core/target.ts';

/** How a target column's values are compared. `own`: as the database itself spells them (TargetReader.spell), then as text. */
export type ColumnKind =
  | 'number'
  | 'double'
  | 'real'
  | 'instant'
  | 'wall-clock'
  | 'date'
  | 'time'
  | 'bytes'
  | 'padded-text'
  | 'boolean'
  | 'text'
  | 'own';

const NULL_TEXT = '\u0000null';

export function normalise(value: SqlValue, kind: ColumnKind): string {
  if (value === null) return NULL_TEXT;
  if (kind === 'bytes') return hexOf(value);
  if (value instanceof Uint8Array) return asBuffer(value).toString('hex');
  const text = String(value);
  switch (kind) {
    case 'number':
      return plainNumber(typeof value === 'boolean' ? (value ? '1' : '0') : text);
    case 'double':
      return doubleText(numberOf(value));
    case 'real':
      return doubleText(Math.fround(numberOf(value)));
    case 'instant':
    case 'wall-clock':
      return microsecondText(text);
    case 'date':
      return /^\d{4,}-\d\d-\d\d/.exec(text)?.[0] ?? text;
    case 'time':
      return timeText(text);
    case 'padded-text':
      return text.replace(/ +$/, '');
    case 'boolean':
      return text === 'true' || text === 't' || text === '1' ? 'true' : 'false';
    case 'text':
    case 'own':
      return text;
  }
}

/** PostgreSQL prints bytes as `\x…`, and takes a text for the bytes of its characters. */
function hexOf(value: Exclude<SqlValue, null>): string {
  if (value instanceof Uint8Array) return asBuffer(value).toString('hex');
  const text = String(value);
  return /^\\x(?:[0-9a-f]{2})*$/i.test(text) ? text.slice(2).toLowerCase() : Buffer.from(text, 'utf8').toString('hex');
}

function numberOf(value: Exclude<SqlValue, null>): number {
  return typeof value === 'boolean' ? Number(value) : Number(String(value));
}

/** A database that takes -0 for 0 would not write the one over the other. */
function doubleText(value: number): string {
  return String(value === 0 ? 0 : value);
}

/** `-012.500` → `-12.5`, `1.5e+3` → `1500`; never through a floating-point number. */
function plainNumber(text: string): string {
  const match = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(text.trim());
  if (match === null || (match[2] === '' && (match[3] ?? '') === '')) return text;
  const [, sign, whole = '', fraction = '', exponent = '0'] = match;
  const point = whole.length + Number(exponent);
  const digits = `${whole}${fraction}`.padEnd(point, '0');
  const left = digits.slice(0, Math.max(0, point)).replace(/^0+/, '');
  const right = `${'0'.repeat(Math.max(0, -point))}${digits.slice(Math.max(0, point))}`.replace(/0+$/, '');
  const plain = `${left === '' ? '0' : left}${right === '' ? '' : `.${right}`}`;
  return sign === '-' && plain !== '0' ? `-${plain}` : plain;
}

/** ISO or SQL date-time, `T` or blank, optional fraction, `Z`, `+00` or none → `2017-01-01 10:00:00.000000`. */
function microsecondText(text: string): string {
  const match = /^([+-]?\d{4,}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?\s*(?:Z|\+00(?::?00)?)?$/.exec(text);
  if (match === null) return text;
  return `${match[1]} ${match[2]}.${(match[3] ?? '').padEnd(6, '0')}`;
}

function timeText(text: string): string {
  const match = /^(-?\d\d+:\d\d:\d\d)(?:\.(\d{1,6}))?$/.exec(text);
  return match === null ? text : `${match[1]}.${(match[2] ?? '').padEnd(6, '0')}`;
}
