import type { Connection } from 'mariadb';
import { connectMariadb } from '../../../adapters/mariadb-client.ts';
import { whenReachable } from '../../../adapters/reachable.ts';
import { partsOf } from '../../../core/databases/mariadb.ts';
import { CHUNK_ROWS, type ReadConnection } from '../connection.ts';
import type { ColumnType } from './values.ts';

export async function openMariadb(connection: ReadConnection): Promise<Connection> {
  const { host, port, database, user, password } = connection;
  return whenReachable(connection, () =>
    connectMariadb({ host, port, database, user, password, rowsAsArray: true, bigIntAsNumber: false }),
  );
}

/** Every value as the server's text protocol has it. */
export async function* rawRows(client: Connection, sql: string): AsyncGenerator<(Buffer | null)[][]> {
  const rows = client.queryStream({ sql, rowsAsArray: true, typeCast: (column) => column.buffer() });
  let chunk: (Buffer | null)[][] = [];
  for await (const row of rows) {
    chunk.push(row as (Buffer | null)[]);
    if (chunk.length < CHUNK_ROWS) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}

export type CatalogueColumn = { readonly name: string; readonly type: ColumnType };

/** In their order; empty where the table is not there, or not to be seen. */
export async function columnsOf(client: Connection, table: string, database: string): Promise<CatalogueColumn[]> {
  const rows = (await client.query(
    `SELECT column_name, data_type, column_type, is_nullable, column_default FROM information_schema.columns
      WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position`,
    partsOf(table, database),
  )) as [string, string, string, string, string | null][];
  return rows.map(([name, dataType, columnType, isNullable, byDefault]) => ({
    name,
    type: { dataType: dataType.toLowerCase(), columnType, isNullable: isNullable === 'YES', byDefault },
  }));
}

export async function tablesOf(client: Connection, database: string): Promise<string[]> {
  const rows = (await client.query('SELECT table_name FROM information_schema.tables WHERE table_schema = ?', [
    database,
  ])) as [string][];
  return rows.map(([name]) => name);
}
