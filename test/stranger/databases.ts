/** The round's own sessions: the legacy applications', the owner's and the checker's. Nothing of Seam is used here. */
import mariadb from 'mariadb';
import pg from 'pg';
import { type Kind, type Names, named } from './plan.ts';

export type Server = { readonly host: string; readonly port: number; readonly user: string; readonly password: string };
export type Servers = Readonly<Record<Kind, Server>>;

const STATEMENT_MS_MAX = 60_000;

export interface Session {
  /** A value is text or null, as the statement makes it. */
  rows(sql: string): Promise<(string | null)[][]>;
  run(sql: string): Promise<void>;
  close(): Promise<void>;
}

export async function openSession(kind: Kind, server: Server, database: string): Promise<Session> {
  return kind === 'postgres' ? openPostgres(server, database) : openMariadb(server, database);
}

/** Pins what its own texts depend on: the database's settings are among the things that people change. */
const PINS = [
  `SET datestyle = 'ISO, YMD'`,
  `SET timezone = 'UTC'`,
  `SET intervalstyle = 'postgres'`,
  'SET extra_float_digits = 1',
  `SET bytea_output = 'hex'`,
  `SET lock_timeout = '20s'`,
  'SET standard_conforming_strings = on',
];

async function openPostgres(server: Server, database: string): Promise<Session> {
  const client = new pg.Client({
    ...server,
    database,
    statement_timeout: STATEMENT_MS_MAX,
    application_name: 'legacy',
  });
  client.on('error', () => {});
  await client.connect();
  for (const pin of PINS) await client.query(pin);
  return {
    rows: async (text) => (await client.query({ text, rowMode: 'array' })).rows as (string | null)[][],
    run: async (text) => void (await client.query(text)),
    close: () => client.end(),
  };
}

async function openMariadb(server: Server, database: string): Promise<Session> {
  const connection = await mariadb.createConnection({
    ...server,
    database,
    rowsAsArray: true,
    charset: 'utf8mb4',
    bigIntAsNumber: false,
    autoJsonMap: false,
    queryTimeout: STATEMENT_MS_MAX,
  });
  connection.on('error', () => {});
  await connection.query(
    `SET time_zone = '+00:00', sql_mode = '', lock_wait_timeout = 20, innodb_lock_wait_timeout = 20, group_concat_max_len = 1000000`,
  );
  return {
    rows: async (sql) => (await connection.query(sql)) as (string | null)[][],
    run: async (sql) => void (await connection.query(sql)),
    close: () => connection.end(),
  };
}

/** A session for each statement list: as an application that comes and goes. Returns what was refused. */
export async function runSql(kind: Kind, servers: Servers, names: Names, sql: readonly string[]): Promise<string[]> {
  const session = await openSession(kind, servers[kind], names[kind]);
  const refused: string[] = [];
  try {
    for (const statement of sql) {
      await session
        .run(named(statement, names))
        .catch((error: Error) => refused.push(`${statement.slice(0, 160)}: ${error.message.slice(0, 200)}`));
    }
  } finally {
    await session.close().catch(() => {});
  }
  return refused;
}
