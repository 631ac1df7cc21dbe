import type { Connection } from 'mariadb';
import { quoteName, quoteTable } from '../../../core/databases/mariadb.ts';
import type { SqlValue } from '../../../core/target.ts';
import type { ColumnKinds, TargetReader } from '../actual.ts';
import type { ReadConnection } from '../connection.ts';
import type { ColumnKind } from '../normalise.ts';
import { spelledBy } from '../spell.ts';
import { type CatalogueColumn, columnsOf, openMariadb, rawRows } from './session.ts';

const APPLIED = 'SELECT `key` FROM seam.applied WHERE entity = ? AND NOT deleted';
const IDENTITY = 'SELECT local_key, canonical_key FROM seam.identity WHERE entity = ?';
const PARKED = 'SELECT reason_code, count(*) AS records FROM seam.parked GROUP BY reason_code';

export async function openMariadbTarget(connection: ReadConnection): Promise<TargetReader> {
  const client = await openMariadb(connection);
  const columns = (table: string) => columnsOf(client, table, connection.database);
  const kinds = async (table: string): Promise<ColumnKinds> =>
    new Map((await columns(table)).map((column) => [column.name, kindOf(column)] as const));
  return {
    kinds,
    async *rows(table, names) {
      const described = await columns(table);
      const known = new Map(described.map((column) => [column.name, kindOf(column)]));
      const types = new Map(described.map(({ name, type }) => [name, type.dataType]));
      const expressions = names.map((name) => expressionOf(quoteName(name), types.get(name) ?? ''));
      const decode = names.map((name) => (known.get(name) === 'bytes' ? bytesOf : textOf));
      const sql = `SELECT ${expressions.join(', ')} FROM ${quoteTable(table)}`;
      for await (const rows of rawRows(client, sql)) {
        yield rows.map((row) => row.map((raw, index) => (raw === null ? null : (decode[index] as typeof textOf)(raw))));
      }
    },
    spell: async (table, column, values) => {
      const found = (await columns(table)).find(({ name }) => name === column);
      return found === undefined ? values : spelled(client, found, values);
    },
    liveKeys: async (entity) => new Set(((await client.query(APPLIED, [entity])) as [string][]).map(([key]) => key)),
    identities: async (entity) => new Map((await client.query(IDENTITY, [entity])) as [string, string][]),
    parked: async () =>
      new Map(((await client.query(PARKED)) as [string, bigint][]).map(([code, count]) => [code, Number(count)])),
    close: () => client.end(),
  };
}

function textOf(raw: Buffer): SqlValue {
  return raw.toString('utf8');
}

function bytesOf(raw: Buffer): SqlValue {
  return Buffer.from(raw);
}

const KINDS: Readonly<Record<string, ColumnKind>> = {
  tinyint: 'number',
  smallint: 'number',
  mediumint: 'number',
  int: 'number',
  bigint: 'number',
  decimal: 'number',
  year: 'number',
  bit: 'number',
  float: 'real',
  double: 'double',
  datetime: 'wall-clock',
  timestamp: 'wall-clock',
  date: 'date',
  time: 'time',
  binary: 'bytes',
  varbinary: 'bytes',
  tinyblob: 'bytes',
  blob: 'bytes',
  mediumblob: 'bytes',
  longblob: 'bytes',
  char: 'padded-text',
  enum: 'own',
  set: 'own',
  uuid: 'own',
  inet4: 'own',
  inet6: 'own',
};

function kindOf({ type }: CatalogueColumn): ColumnKind {
  return KINDS[type.dataType] ?? (SHAPES.test(type.dataType) ? 'bytes' : 'text');
}

const SHAPES = /point|linestring|polygon|geometry/;

/** A FLOAT is printed with six digits, a BIT as bytes. */
function expressionOf(column: string, dataType: string): string {
  if (dataType === 'float') return `CAST(${column} AS DOUBLE)`;
  return dataType === 'bit' ? `${column} + 0` : column;
}

const CASTS_MAX = 500;
/** Malformed or out of range. */
const NO_VALUE = new Set([1292, 1411, 1264]);
const CAST_TYPES: Readonly<Record<string, string>> = { uuid: 'UUID', inet4: 'INET4', inet6: 'INET6' };
const LABEL = /'((?:[^']|'')*)'/g;

async function spelled(
  client: Connection,
  { type }: CatalogueColumn,
  values: readonly string[],
): Promise<readonly string[]> {
  const castType = CAST_TYPES[type.dataType];
  if (castType === undefined) {
    const labels = [...type.columnType.matchAll(LABEL)].map(([, label = '']) => label.replaceAll("''", "'"));
    return values.map((value) => (type.dataType === 'set' ? setText(labels, value) : labelOf(labels, value)));
  }
  return spelledBy(values, async (part) => {
    if (part.length > CASTS_MAX) return undefined;
    try {
      const sql = `SELECT ${part.map(() => `CAST(? AS ${castType})`).join(', ')}`;
      const [row] = (await client.query(sql, [...part])) as [(string | null)[]];
      return row.includes(null) ? (part.length > 1 ? undefined : part) : (row as string[]);
    } catch (error) {
      if (NO_VALUE.has((error as { errno?: number }).errno ?? 0)) return undefined;
      throw error;
    }
  });
}

/** The collation of a label takes other cases and spaces at the end for the same. */
function labelOf(labels: readonly string[], value: string): string {
  const plain = (text: string) => text.replace(/ +$/, '').toLowerCase();
  return labels.find((label) => label === value) ?? labels.find((label) => plain(label) === plain(value)) ?? value;
}

function setText(labels: readonly string[], value: string): string {
  const chosen = new Set(value.split(',').map((one) => labelOf(labels, one)));
  return labels.filter((label) => chosen.delete(label)).join(',') + [...chosen].filter((one) => one !== '').join(',');
}
