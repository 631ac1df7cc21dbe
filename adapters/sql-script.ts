/** Runs a system's SQL files with administrator rights: set-up and demo schemas only, never part of the pipeline. */
import type { DialectName } from '../core/target.ts';
import * as inMariadb from '../core/databases/mariadb.ts';
import * as inPostgres from '../core/databases/postgres.ts';
import { ContractError } from '../core/errors.ts';
import { connectForMariadbScripts } from './mariadb-client.ts';
import { connectForPostgresScripts } from './postgres-client.ts';
import { whenReachable } from './reachable.ts';

export type AdminConnection = {
  readonly kind: DialectName;
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
};

export type SqlScript = { readonly name: string; readonly text: string };

/** PostgreSQL takes a file whole; MariaDB takes one statement at a time, separated by a line `--;;`. */
const MARIADB_SEPARATOR = /^--;;\s*$/m;

/** `variables` replace psql-style `:'name'` by a quoted literal. They may be secrets: no error says one. */
export async function runScripts(
  connection: AdminConnection,
  scripts: readonly SqlScript[],
  variables: Readonly<Record<string, string>>,
): Promise<void> {
  const session = await openSession(connection);
  try {
    for (const script of scripts) await runScript(session, script, variables, connection);
  } finally {
    await session.close();
  }
}

export async function queryRows<T>(connection: AdminConnection, sql: string): Promise<T[]> {
  const session = await openSession(connection);
  try {
    return (await session.query(sql)) as T[];
  } finally {
    await session.close();
  }
}

type Session = { query(sql: string): Promise<unknown[]>; close(): Promise<void> };

async function openSession(connection: AdminConnection): Promise<Session> {
  const { host, port, database, user, password } = connection;
  if (connection.kind === 'postgres') {
    const client = await whenReachable(connection, () =>
      connectForPostgresScripts({ host, port, database, user, password }),
    );
    return { query: async (sql) => (await client.query(sql)).rows ?? [], close: () => client.end() };
  }
  const client = await whenReachable(connection, () =>
    connectForMariadbScripts({ host, port, database, user, password, bigIntAsNumber: false }),
  );
  return { query: async (sql) => client.query(sql), close: () => client.end() };
}

async function runScript(
  session: Session,
  script: SqlScript,
  variables: Readonly<Record<string, string>>,
  connection: AdminConnection,
): Promise<void> {
  const { text } = script;
  const statements = connection.kind === 'mariadb' ? text.split(MARIADB_SEPARATOR) : [text];
  for (const [index, statement] of statements.entries()) {
    if (statement.replaceAll(/--.*$/gm, '').trim() === '') continue;
    try {
      await session.query(substitute(statement, variables, connection.kind));
    } catch (error) {
      const place = `${script.name}, statement ${index + 1}`;
      throw setupFailed(place, connection, withoutSecrets((error as Error).message.split('\n')[0] ?? '', variables));
    }
  }
}

/** Without the driver's error as its cause: that one holds the whole statement. */
function setupFailed(place: string, { host, port, database }: AdminConnection, told: string): ContractError {
  return new ContractError({
    code: 'SETUP_SQL_FAILED',
    message: `set-up statement refused by the database: ${told}`,
    where: `${place}, database ${database} at ${host}:${port}`,
    hint: 'an empty database of the demo needs --legacy-schema; else run it by hand as the administrator for the whole answer',
  });
}

/** The server quotes the statement from the place that it did not understand on. */
function withoutSecrets(told: string, variables: Readonly<Record<string, string>>): string {
  const beginnings = Object.values(variables).flatMap((value) => [value.slice(0, 4), bytesOf(value).slice(0, 8)]);
  const isTold = beginnings.some((beginning) => beginning !== '' && told.includes(beginning));
  return isTold ? 'its answer holds a password, and is not shown' : told;
}

function bytesOf(text: string): string {
  return Buffer.from(text, 'utf8').toString('hex');
}

/** MariaDB writes `IDENTIFIED BY 'text'` into its binary log as it stands: there a password goes as its hash. */
const IDENTIFIED_BY = /\bIDENTIFIED\s+BY\s+:'([a-z_]+)'/gi;

function substitute(text: string, variables: Readonly<Record<string, string>>, kind: DialectName): string {
  const { quoteText } = kind === 'mariadb' ? inMariadb : inPostgres;
  const hashed = (whole: string, name: string) => {
    const value = variables[name];
    return value === undefined ? whole : `IDENTIFIED BY PASSWORD '${inMariadb.passwordHash(value)}'`;
  };
  const ready = kind === 'mariadb' ? text.replaceAll(IDENTIFIED_BY, hashed) : text;
  return ready.replaceAll(/:'([a-z_]+)'/g, (whole, name: string) => {
    const value = variables[name];
    return value === undefined ? whole : quoteText(value);
  });
}
