import type pg from 'pg';
import { quoteName, quoteTable } from '../../../core/databases/postgres.ts';
import type { SqlValue } from '../../../core/target.ts';
import type { TargetReader } from '../actual.ts';
import type { ReadConnection } from '../connection.ts';
import type { ColumnKind } from '../normalise.ts';
import { spelledBy } from '../spell.ts';
import { type CatalogueColumn, columnsOf } from './catalogue.ts';
import { openPostgres, texts } from './session.ts';

const APPLIED = 'SELECT key FROM seam.applied WHERE entity = $1 AND NOT deleted';
const IDENTITY = 'SELECT local_key, canonical_key FROM seam.identity WHERE entity = $1';
const PARKED = 'SELECT reason_code, count(*) AS records FROM seam.parked GROUP BY reason_code';

export async function openPostgresTarget(connection: ReadConnection): Promise<TargetReader> {
  const client = await openPostgres(connection);
  const selected = async (sql: string, entity: string) =>
    (await client.query({ text: sql, values: [entity], rowMode: 'array' })).rows;
  return {
    kinds: async (table) =>
      new Map((await columnsOf(client, table)).map((column) => [column.name, kindOf(column)] as const)),
    rows: (table, columns) => {
      const quoted = quoteTable(table);
      const sql = `SELECT ${columns.map(quoteName).join(', ')} FROM ${quoted}`;
      return texts(client, sql, { table, quoted, user: connection.user }) as AsyncGenerator<SqlValue[][]>;
    },
    spell: async (table, column, values) => {
      const found = (await columnsOf(client, table)).find(({ name }) => name === column);
      return found === undefined ? values : spelled(client, found.sqlType, values);
    },
    liveKeys: async (entity) => new Set((await selected(APPLIED, entity)).map((row) => row[0] as string)),
    identities: async (entity) =>
      new Map((await selected(IDENTITY, entity)).map((row) => [row[0], row[1]] as [string, string])),
    parked: async () => new Map((await client.query(PARKED)).rows.map((row) => [row.reason_code, Number(row.records)])),
    close: () => client.end(),
  };
}

const KINDS: Readonly<Record<string, ColumnKind>> = {
  int2: 'number',
  int4: 'number',
  int8: 'number',
  numeric: 'number',
  float4: 'real',
  float8: 'double',
  timestamptz: 'instant',
  timestamp: 'wall-clock',
  date: 'date',
  time: 'time',
  bytea: 'bytes',
  bpchar: 'padded-text',
  bool: 'boolean',
  text: 'text',
  varchar: 'text',
};

function kindOf({ type }: CatalogueColumn): ColumnKind {
  return type.item === undefined && type.schema === 'pg_catalog' ? (KINDS[type.name] ?? 'own') : 'own';
}

const SPELL = (sqlType: string) =>
  `SELECT v::${sqlType} FROM unnest($1::text[]) WITH ORDINALITY AS u(v, row) ORDER BY row`;
const PRINTED = { getTypeParser: () => (text: string) => text };

async function spelled(client: pg.Client, sqlType: string, values: readonly string[]): Promise<readonly string[]> {
  return spelledBy(values, async (part) => {
    const query = { text: SPELL(sqlType), values: [[...part]], rowMode: 'array' as const, types: PRINTED as never };
    try {
      return (await client.query(query)).rows.map((row) => row[0] as string);
    } catch (error) {
      if (isRefusedValue(error)) return undefined;
      throw error;
    }
  });
}

/** Class 22: the text is none of the type; 23: a domain's check; 42: the type takes no text. */
function isRefusedValue(error: unknown): boolean {
  return /^(?:22|23|42)/.test((error as { code?: string }).code ?? '');
}
