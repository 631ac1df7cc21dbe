/** One real PostgreSQL and one real MariaDB for a test file: the local stack's own servers, gone with the test's process. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type AdminConnection, queryRows, runScripts } from '../../adapters/sql-script.ts';
import type { DialectName } from '../../core/target.ts';
import type { Connection } from '../../sinks/dialects/dialect.ts';
import { dialects } from '../../sinks/dialects/index.ts';
import { type StackDescription, startStack, stopStack } from '../../stack/stack.ts';

export type TestDatabase = {
  readonly dialect: DialectName;
  /** As the sink's own user, with no more rights than set-up gives it. */
  readonly sink: Connection;
  /** Runs as the administrator; MariaDB takes several statements separated by lines `--;;`. */
  execute(sql: string): Promise<void>;
  rows<T = Record<string, unknown>>(sql: string): Promise<T[]>;
};

export type TestDatabases = {
  readonly all: readonly TestDatabase[];
  readonly stateDirectory: string;
  stop(): Promise<void>;
};

const SINK_USER = 'seam_sink';
const SINK_PASSWORD = 'sink';
const SYSTEMS = [
  { name: 'onpostgres', kind: 'postgres' },
  { name: 'onmariadb', kind: 'mariadb' },
] as const;

/** Each has the side schema, an empty schema or database `shop`, and the sink's user. */
export async function startDatabases(): Promise<TestDatabases> {
  const stateDirectory = await mkdtemp(path.join(tmpdir(), 'seam-databases-'));
  const only = SYSTEMS.map(({ name, kind }) => `${kind}-${name}`);
  const stack = await startStack({ stateDirectory, databases: SYSTEMS, only, ownerPid: process.pid });
  const all: TestDatabase[] = [];
  for (const { name, kind } of SYSTEMS) {
    const database = testDatabase(adminConnection(stack, name, kind));
    await database.execute(dialects[kind].sideSchemaSql());
    await database.execute(SINK_SETUP[kind]);
    all.push(database);
  }
  return { all, stateDirectory, stop: () => stopStack({ stateDirectory, removeData: true }) };
}

function adminConnection(stack: StackDescription, name: string, kind: DialectName): AdminConnection {
  const found = stack.databases[name];
  if (found === undefined) throw new Error(`the stack has no database ${name}`);
  const { host, port, adminUser: user, adminPassword: password } = found;
  return { kind, host, port, database: name, user, password };
}

function testDatabase(admin: AdminConnection): TestDatabase {
  const { kind, host, port, database } = admin;
  return {
    dialect: kind,
    sink: { host, port, database, user: SINK_USER, password: SINK_PASSWORD },
    execute: (text) => runScripts(admin, [{ name: 'test', text }], {}),
    rows: (sql) => queryRows(admin, sql),
  };
}

const SINK_SETUP: Readonly<Record<DialectName, string>> = {
  postgres: `
CREATE SCHEMA shop;
CREATE ROLE ${SINK_USER} LOGIN PASSWORD '${SINK_PASSWORD}';
GRANT USAGE ON SCHEMA seam, shop TO ${SINK_USER};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA seam TO ${SINK_USER};
ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ${SINK_USER};
ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT USAGE ON SEQUENCES TO ${SINK_USER};
GRANT EXECUTE ON FUNCTION pg_replication_origin_create(text), pg_replication_origin_session_setup(text),
  pg_replication_origin_xact_setup(pg_lsn, timestamptz) TO ${SINK_USER};`,
  mariadb: `
CREATE DATABASE shop CHARACTER SET utf8mb4;
--;;
CREATE USER ${SINK_USER}@'%' IDENTIFIED BY '${SINK_PASSWORD}';
--;;
GRANT SELECT, INSERT, UPDATE, DELETE ON seam.* TO ${SINK_USER}@'%';
--;;
GRANT SELECT, INSERT, UPDATE, DELETE ON shop.* TO ${SINK_USER}@'%';
--;;
GRANT SELECT ON onmariadb.* TO ${SINK_USER}@'%';
--;;
GRANT BINLOG REPLAY ON *.* TO ${SINK_USER}@'%';`,
};
