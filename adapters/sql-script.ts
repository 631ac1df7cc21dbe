/** Runs a system's SQL files with administrator rights: set-up and demo schemas only, never part of the pipeline. */
import type { DialectName } from '../core/target.ts';
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

/** `variables` replace psql-style `:'name'` by a quoted literal. */
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
  const text = substitute(script.text, variables);
  const statements = connection.kind === 'mariadb' ? text.split(MARIADB_SEPARATOR) : [text];
  for (const [index, statement] of statements.entries()) {
    if (statement.replaceAll(/--.*$/gm, '').trim() === '') continue;
    try {
      await session.query(statement);
    } catch (cause) {
      throw new ContractError({
        code: 'SETUP_SQL_FAILED',
        message: `set-up statement refused by the database: ${(cause as Error).message.split('\n')[0]}`,
        where: `${script.name}, statement ${index + 1}, database ${connection.database} at ${connection.host}:${connection.port}`,
        hint: 'an empty database of the demo needs --legacy-schema; else run it by hand as the administrator for the whole answer',
        cause,
      });
    }
  }
}

function substitute(text: string, variables: Readonly<Record<string, string>>): string {
  return text.replaceAll(/:'([a-z_]+)'/g, (whole, name: string) => {
    const value = variables[name];
    return value === undefined ? whole : `'${value.replaceAll("'", "''")}'`;
  });
}
