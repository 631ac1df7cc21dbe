/** One text for one value, whichever side and database it comes from; two values are equal when their texts are. */
import type { SqlValue } from '../../core/target.ts';

/** How a target column's values are compared. */
export type ColumnKind = 'number' | 'instant' | 'wall-clock' | 'date' | 'bytes' | 'padded-text' | 'boolean' | 'text';

const NULL_TEXT = '\u0000null';

export function normalise(value: SqlValue | Date, kind: ColumnKind): string {
  if (value === null) return NULL_TEXT;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  const text = String(value);
  switch (kind) {
    case 'number':
      return plainNumber(typeof value === 'boolean' ? (value ? '1' : '0') : text);
    case 'instant':
    case 'wall-clock':
      return microsecondText(text);
    case 'date':
      return text.slice(0, 10);
    case 'padded-text':
      return text.trimEnd();
    case 'boolean':
      return text === 'true' || text === 't' || text === '1' ? 'true' : 'false';
    case 'bytes':
    case 'text':
      return text;
  }
}

/** `-012.500` → `-12.5`; never through a floating-point number. */
function plainNumber(text: string): string {
  const match = /^([+-]?)0*(\d*)(?:\.(\d*?)0*)?$/.exec(text.trim());
  if (match === null) return text;
  const [, sign, whole, fraction] = match;
  const digits = `${whole === '' ? '0' : whole}${fraction === undefined || fraction === '' ? '' : `.${fraction}`}`;
  return sign === '-' && digits !== '0' ? `-${digits}` : digits;
}

/** ISO or SQL date-time, `T` or blank, optional fraction, `Z`, `+00` or none → `2017-01-01 10:00:00.000000`. */
function microsecondText(text: string): string {
  const match = /^([+-]?\d{4,}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?\s*(?:Z|\+00(?::?00)?)?$/.exec(text);
  if (match === null) return text;
  return `${match[1]} ${match[2]}.${(match[3] ?? '').padEnd(6, '0')}`;
}

export function postgresKind(type: string): ColumnKind {
  switch (type) {
    case 'smallint':
    case 'integer':
    case 'bigint':
    case 'numeric':
    case 'real':
    case 'double precision':
      return 'number';
    case 'timestamp with time zone':
      return 'instant';
    case 'timestamp without time zone':
      return 'wall-clock';
    case 'date':
      return 'date';
    case 'bytea':
      return 'bytes';
    case 'character':
      return 'padded-text';
    case 'boolean':
      return 'boolean';
    default:
      return 'text';
  }
}

export function mariadbKind(type: string): ColumnKind {
  switch (type) {
    case 'tinyint':
    case 'smallint':
    case 'mediumint':
    case 'int':
    case 'bigint':
    case 'decimal':
    case 'float':
    case 'double':
    case 'year':
      return 'number';
    case 'datetime':
    case 'timestamp':
      return 'wall-clock';
    case 'date':
      return 'date';
    case 'binary':
    case 'varbinary':
    case 'blob':
    case 'mediumblob':
    case 'longblob':
      return 'bytes';
    case 'char':
      return 'padded-text';
    default:
      return 'text';
  }
}
