/** A target database of a sink comparison: Seam's side schema, a schema `shop`, and the sink's own user. */
import { type AdminConnection, runScripts } from '../../adapters/sql-script.ts';
import mariadb from 'mariadb';
import pg from 'pg';
import type { DialectName } from '../../core/target.ts';
import type { Connection } from '../../sinks/dialects/dialect.ts';
import { dialects } from '../../sinks/dialects/index.ts';
import { cpuUsOf } from './cpu.ts';
import type { Servers } from './servers.ts';
import { until } from './until.ts';

const SINK_USER = 'seam_sink';
const SINK_PASSWORD = 'sink';

export type BenchDatabase = {
  readonly dialect: DialectName;
  readonly sink: Connection;
  readonly jdbcUrl: string;
  readonly cpuUs: () => number;
  query<T = Record<string, unknown>>(sql: string, values?: readonly unknown[]): Promise<T[]>;
  close(): Promise<void>;
};

export async function openBenchDatabase(
  servers: Servers,
  name: string,
  kind: DialectName,
  { isSetUp = false }: { isSetUp?: boolean } = {},
): Promise<BenchDatabase> {
  const found = servers.stack.databases[name];
  if (found === undefined) throw new Error(`the stack has no database ${name}`);
  const { host, port, adminUser: user, adminPassword: password } = found;
  const admin: AdminConnection = { kind, host, port, database: name, user, password };
  const scripts = [
    { name: 'side schema', text: dialects[kind].sideSchemaSql() },
    { name: 'bench', text: setup(kind, name) },
  ];
  if (!isSetUp) await runScripts(admin, scripts, {});
  const session = kind === 'postgres' ? await postgresSession(admin) : await mariadbSession(admin);
  const pid = servers.pid(`${kind}-${name}`);
  return {
    dialect: kind,
    sink: { host, port, database: name, user: SINK_USER, password: SINK_PASSWORD },
    jdbcUrl:
      kind === 'postgres'
        ? `jdbc:postgresql://${host}:${port}/${name}?ApplicationName=jdbc-sink`
        : `jdbc:mariadb://${host}:${port}/shop?tcpKeepAlive=true`,
    cpuUs: () => cpuUsOf([pid]),
    ...session,
  };
}

type Session = Pick<BenchDatabase, 'query' | 'close'>;

async function postgresSession({ host, port, database, user, password }: AdminConnection): Promise<Session> {
  const client = new pg.Client({ host, port, database, user, password });
  await client.connect();
  return {
    query: async <T>(sql: string, values?: readonly unknown[]) =>
      (await client.query(sql, values === undefined ? undefined : [...values])).rows as T[],
    close: () => client.end(),
  };
}

async function mariadbSession({ host, port, database, user, password }: AdminConnection): Promise<Session> {
  const connection = await mariadb.createConnection({ host, port, database, user, password, timezone: 'Z' });
  const once = async <T>(sql: string, values?: readonly unknown[]) =>
    (await connection.query(sql, values === undefined ? undefined : [...values])) as T[];
  return {
    query: (sql, values) => (OF_A_TABLE.test(sql) ? whenFree(() => once(sql, values)) : once(sql, values)),
    close: () => connection.end(),
  };
}

const OF_A_TABLE = /^(TRUNCATE|DROP) TABLE/;
const LOCK_WAIT_TIMEOUT = 1205;
const FREE_LIMIT_MS = 30_000;
const RETRY_MS = 100;

/** InnoDB gives a statement of this kind up at once, not after its limit, while its own statistics or purge hold the table. */
function whenFree<T>(action: () => Promise<T>): Promise<T> {
  const attempt = () =>
    action().catch((error: { errno?: number }) => {
      if (error.errno !== LOCK_WAIT_TIMEOUT) throw error;
      return undefined;
    });
  return until(attempt, 'a table that InnoDB does not hold itself', { limitMs: FREE_LIMIT_MS, everyMs: RETRY_MS });
}

function setup(kind: DialectName, database: string): string {
  if (kind === 'postgres') {
    return `
CREATE SCHEMA shop;
CREATE SCHEMA bench;
CREATE ROLE ${SINK_USER} LOGIN PASSWORD '${SINK_PASSWORD}';
GRANT USAGE ON SCHEMA seam, shop TO ${SINK_USER};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA seam TO ${SINK_USER};
ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ${SINK_USER};
GRANT EXECUTE ON FUNCTION pg_replication_origin_create(text), pg_replication_origin_session_setup(text),
  pg_replication_origin_xact_setup(pg_lsn, timestamptz) TO ${SINK_USER};`;
  }
  return `
CREATE DATABASE shop CHARACTER SET utf8mb4;
--;;
CREATE DATABASE bench CHARACTER SET utf8mb4;
--;;
CREATE USER ${SINK_USER}@'%' IDENTIFIED BY '${SINK_PASSWORD}';
--;;
GRANT SELECT, INSERT, UPDATE, DELETE ON seam.* TO ${SINK_USER}@'%';
--;;
GRANT SELECT, INSERT, UPDATE, DELETE ON shop.* TO ${SINK_USER}@'%';
--;;
GRANT SELECT ON ${database}.* TO ${SINK_USER}@'%';
--;;
GRANT BINLOG REPLAY ON *.* TO ${SINK_USER}@'%';`;
}
