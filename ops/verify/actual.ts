/** What a target holds: its rows by plain SQL, and its ledger's live keys. */
import mariadb from 'mariadb';
import Cursor from 'pg-cursor';
import { connectPostgres } from '../../adapters/postgres-client.ts';
import { whenReachable } from '../../adapters/reachable.ts';
import type { SqlValue, TargetTable } from '../../core/target.ts';
import type { ColumnKind } from './normalise.ts';
import { mariadbKind, postgresKind } from './normalise.ts';
import { CHUNK_ROWS, type ReadConnection } from './source-rows.ts';

export type ColumnKinds = ReadonlyMap<string, ColumnKind>;

/** One open connection to a target, reading only. */
export interface TargetReader {
  kinds(table: string): Promise<ColumnKinds>;
  rows(table: string, columns: readonly string[]): AsyncGenerator<SqlValue[][]>;
  /** Canonical keys that the ledger says are there. */
  liveKeys(entity: string): Promise<ReadonlySet<string>>;
  /** Local key → canonical key. */
  identities(entity: string): Promise<ReadonlyMap<string, string>>;
  parked(): Promise<ReadonlyMap<string, number>>;
  close(): Promise<void>;
}

export async function openTargetReader(connection: ReadConnection): Promise<TargetReader> {
  return connection.kind === 'postgres' ? openPostgres(connection) : openMariadb(connection);
}

export function columnsOf(table: TargetTable): { key: string[]; columns: string[] } {
  const key = table.assignedKey === undefined ? Object.keys(table.key) : [table.assignedKey.column];
  return { key, columns: Object.keys(table.columns) };
}

const APPLIED = 'SELECT key FROM seam.applied WHERE entity = $1 AND NOT deleted';
const IDENTITY = 'SELECT local_key, canonical_key FROM seam.identity WHERE entity = $1';
const PARKED = 'SELECT reason_code, count(*) AS records FROM seam.parked GROUP BY reason_code';

async function openPostgres(connection: ReadConnection): Promise<TargetReader> {
  const options = { ...connection, options: '-c timezone=UTC -c datestyle=ISO' };
  const client = await whenReachable(connection, () => connectPostgres(options));
  const selected = async (sql: string, entity: string) =>
    (await client.query({ text: sql, values: [entity], rowMode: 'array' })).rows;
  const kinds = async (table: string): Promise<ColumnKinds> => {
    const [schema, name] = split(table, 'public');
    const found = await client.query(
      'SELECT column_name AS name, data_type AS type FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2',
      [schema, name],
    );
    return new Map(found.rows.map((row) => [row.name as string, postgresKind(row.type as string)]));
  };
  return {
    kinds,
    async *rows(table, columns) {
      const [schema, name] = split(table, 'public');
      const known = await kinds(table);
      const expressions = columns
        .map((column) => (known.get(column) === 'bytes' ? `encode("${column}", 'hex')` : `"${column}"::text`))
        .join(', ');
      const cursor = client.query(
        new Cursor(`SELECT ${expressions} FROM "${schema}"."${name}"`, [], { rowMode: 'array' }),
      );
      for (;;) {
        const rows = (await cursor.read(CHUNK_ROWS)) as unknown as SqlValue[][];
        if (rows.length === 0) return;
        yield rows;
      }
    },
    liveKeys: async (entity) => new Set((await selected(APPLIED, entity)).map((row) => row[0] as string)),
    identities: async (entity) =>
      new Map((await selected(IDENTITY, entity)).map((row) => [row[0], row[1]] as [string, string])),
    parked: async () => new Map((await client.query(PARKED)).rows.map((row) => [row.reason_code, Number(row.records)])),
    close: () => client.end(),
  };
}

async function openMariadb(connection: ReadConnection): Promise<TargetReader> {
  const { host, port, database, user, password } = connection;
  const client = await whenReachable(connection, () =>
    mariadb.createConnection({
      host,
      port,
      database,
      user,
      password,
      rowsAsArray: true,
      dateStrings: true,
    }),
  );
  const query = (sql: string, ...values: unknown[]) =>
    client.query(sql.replaceAll('$1', '?').replaceAll(' key ', ' `key` '), values);
  const kinds = async (table: string): Promise<ColumnKinds> => {
    const [schema, name] = split(table, database);
    const found = (await client.query(
      'SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = ? AND table_name = ?',
      [schema, name],
    )) as [string, string][];
    return new Map(found.map(([column, type]) => [column, mariadbKind(type)]));
  };
  return {
    kinds,
    async *rows(table, columns) {
      const [schema, name] = split(table, database);
      const known = await kinds(table);
      const expressions = columns.map((column) =>
        known.get(column) === 'bytes' ? `\`${column}\`` : `CAST(\`${column}\` AS CHAR CHARACTER SET utf8mb4)`,
      );
      let chunk: SqlValue[][] = [];
      for await (const row of client.queryStream(`SELECT ${expressions.join(', ')} FROM \`${schema}\`.\`${name}\``)) {
        chunk.push(row as SqlValue[]);
        if (chunk.length < CHUNK_ROWS) continue;
        yield chunk;
        chunk = [];
      }
      if (chunk.length > 0) yield chunk;
    },
    liveKeys: async (entity) => new Set(((await query(APPLIED, entity)) as [string][]).map(([key]) => key)),
    identities: async (entity) => new Map((await query(IDENTITY, entity)) as [string, string][]),
    parked: async () =>
      new Map(((await query(PARKED)) as [string, bigint][]).map(([code, count]) => [code, Number(count)])),
    close: () => client.end(),
  };
}

function split(table: string, schema: string): [string, string] {
  const dot = table.indexOf('.');
  return dot < 0 ? [schema, table] : [table.slice(0, dot), table.slice(dot + 1)];
}
