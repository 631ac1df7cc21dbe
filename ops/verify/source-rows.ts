/**
 * Reads a source's tables by plain SQL, apart from every part of the pipeline, into the same column values that change
 * events carry (core/change-event.ts). What verify holds targets against.
 */
import mariadb from 'mariadb';
import Cursor from 'pg-cursor';
import { connectPostgres } from '../../adapters/postgres-client.ts';
import { whenReachable } from '../../adapters/reachable.ts';
import type { ColumnValue, Row } from '../../core/change-event.ts';
import { ContractError } from '../../core/errors.ts';
import type { DialectName } from '../../core/target.ts';

export type ReadConnection = {
  readonly kind: DialectName;
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
};

export const CHUNK_ROWS = 5_000;

type Decode = (value: unknown) => ColumnValue;
type ColumnReader = { readonly expression: string; readonly decode: Decode };

/** Rows of `<schema>.<table>` in chunks; nothing is locked and no more than one chunk is held. */
export async function* sourceRows(connection: ReadConnection, table: string): AsyncGenerator<Row[]> {
  if (connection.kind === 'postgres') yield* postgresRows(connection, table);
  else yield* mariadbRows(connection, table);
}

const text: Decode = (value) => (value === null ? null : String(value));
const number: Decode = (value) => (value === null ? null : Number(value));
const bigint: Decode = (value) => (value === null ? null : BigInt(String(value)));
const asIs: Decode = (value) => value as ColumnValue;

async function* postgresRows(connection: ReadConnection, table: string): AsyncGenerator<Row[]> {
  const options = { ...connection, options: '-c timezone=UTC -c datestyle=ISO' };
  const client = await whenReachable(connection, () => connectPostgres(options));
  try {
    const [schema, name] = splitTable(table);
    const columns = await client.query(
      `SELECT column_name AS name, data_type AS type FROM information_schema.columns
       WHERE table_schema = $1 AND table_name = $2 ORDER BY ordinal_position`,
      [schema, name],
    );
    const readers = readersOf(columns.rows, postgresReader, table);
    const cursor = client.query(new Cursor(selectOf(readers, `"${schema}"."${name}"`), [], { rowMode: 'array' }));
    for (;;) {
      const rows = (await cursor.read(CHUNK_ROWS)) as unknown as unknown[][];
      if (rows.length === 0) return;
      yield rows.map((row) => toRow(readers, row));
    }
  } finally {
    await client.end();
  }
}

async function* mariadbRows(connection: ReadConnection, table: string): AsyncGenerator<Row[]> {
  const { host, port, database, user, password } = connection;
  const client = await whenReachable(connection, () =>
    mariadb.createConnection({ host, port, database, user, password, rowsAsArray: true }),
  );
  try {
    const [schema, name] = splitTable(table);
    const columns = (await client.query(
      `SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position`,
      [schema, name],
    )) as [string, string][];
    const described = columns.map(([column, type]) => ({ name: column, type }));
    const readers = readersOf(described, mariadbReader, table);
    let chunk: Row[] = [];
    for await (const row of client.queryStream(selectOf(readers, `\`${schema}\`.\`${name}\``))) {
      chunk.push(toRow(readers, row as unknown[]));
      if (chunk.length < CHUNK_ROWS) continue;
      yield chunk;
      chunk = [];
    }
    if (chunk.length > 0) yield chunk;
  } finally {
    await client.end();
  }
}

function splitTable(table: string): [string, string] {
  const dot = table.indexOf('.');
  return [table.slice(0, dot), table.slice(dot + 1)];
}

function readersOf(
  columns: readonly { name: string; type: string }[],
  readerOf: (name: string, type: string) => ColumnReader,
  table: string,
): ReadonlyMap<string, ColumnReader> {
  if (columns.length === 0) {
    throw new ContractError({
      code: 'TABLE_MISSING',
      message: `table ${table} is not there or not readable`,
      hint: 'compare connectors/<system>/setup.sql with the database',
    });
  }
  return new Map(columns.map(({ name, type }) => [name, readerOf(name, type)]));
}

function selectOf(readers: ReadonlyMap<string, ColumnReader>, table: string): string {
  return `SELECT ${[...readers.values()].map((reader) => reader.expression).join(', ')} FROM ${table}`;
}

function toRow(readers: ReadonlyMap<string, ColumnReader>, values: readonly unknown[]): Row {
  const row: Record<string, ColumnValue> = {};
  let index = 0;
  for (const [name, reader] of readers) {
    row[name] = reader.decode(values[index]);
    index += 1;
  }
  return row;
}

function postgresReader(name: string, type: string): ColumnReader {
  const column = `"${name}"`;
  switch (type) {
    case 'smallint':
    case 'integer':
      return { expression: column, decode: number };
    case 'bigint':
      return { expression: `${column}::text`, decode: bigint };
    case 'boolean':
    case 'bytea':
      return { expression: column, decode: asIs };
    case 'date':
      return { expression: `${column} - DATE '1970-01-01'`, decode: number };
    case 'timestamp without time zone':
      return { expression: `(extract(epoch FROM ${column}) * 1000000)::bigint::text`, decode: bigint };
    case 'timestamp with time zone':
      return { expression: `to_char(${column}, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`, decode: text };
    case 'time without time zone':
      return { expression: `(extract(epoch FROM ${column}) * 1000000)::bigint::text`, decode: bigint };
    case 'character':
      return { expression: column, decode: text };
    default:
      return { expression: `${column}::text`, decode: text };
  }
}

function mariadbReader(name: string, type: string): ColumnReader {
  const column = `\`${name}\``;
  switch (type) {
    case 'tinyint':
    case 'smallint':
    case 'mediumint':
    case 'int':
    case 'year':
      return { expression: column, decode: number };
    case 'bigint':
      return { expression: `CAST(${column} AS CHAR)`, decode: bigint };
    case 'date':
      return { expression: `DATEDIFF(NULLIF(${column}, '0000-00-00'), '1970-01-01')`, decode: number };
    case 'datetime':
      return {
        expression: `CAST(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', NULLIF(${column}, '0000-00-00 00:00:00')) AS CHAR)`,
        decode: bigint,
      };
    case 'timestamp':
      return { expression: `DATE_FORMAT(${column}, '%Y-%m-%dT%H:%i:%s.%fZ')`, decode: text };
    case 'binary':
    case 'varbinary':
    case 'tinyblob':
    case 'blob':
    case 'mediumblob':
    case 'longblob':
      return { expression: column, decode: asIs };
    default:
      return { expression: `CAST(${column} AS CHAR CHARACTER SET utf8mb4)`, decode: text };
  }
}
