/** Connections of the legacy applications themselves: what tills, clerks and planners use. Seam's own users are others. */
import mariadb, { type Pool } from 'mariadb';
import pg from 'pg';
import type { StackDescription } from '../stack/stack.ts';

export type Sessions = {
  readonly pos: Pool;
  readonly logistics: Pool;
  readonly erp: pg.Pool;
  readonly crm: pg.Pool;
  readonly finance: pg.Pool;
  readonly reporting: pg.Pool;
  close(): Promise<void>;
};

const CONNECTIONS_PER_SYSTEM = 4;

export function openSessions(stack: StackDescription): Sessions {
  const postgres = (system: string) => {
    const database = databaseOf(stack, system);
    const pool = new pg.Pool({ connectionString: database.adminUrl, max: CONNECTIONS_PER_SYSTEM });
    // an idle connection that breaks with its server is replaced by the next query
    pool.on('error', () => {});
    return pool;
  };
  const maria = (system: string) => {
    const { host, port, adminUser, adminPassword, name } = databaseOf(stack, system);
    return mariadb.createPool({
      host,
      port,
      user: adminUser,
      password: adminPassword,
      database: name,
      connectionLimit: CONNECTIONS_PER_SYSTEM,
      // tills write wall-clock text; a driver that shifts zones would change it
      timezone: 'Z',
      dateStrings: true,
    });
  };
  const sessions = {
    pos: maria('pos'),
    logistics: maria('logistics'),
    erp: postgres('erp'),
    crm: postgres('crm'),
    finance: postgres('finance'),
    reporting: postgres('reporting'),
  };
  return {
    ...sessions,
    close: async () => {
      await Promise.all(Object.values(sessions).map((session) => session.end()));
    },
  };
}

function databaseOf(stack: StackDescription, system: string) {
  const database = stack.databases[system];
  if (database === undefined) throw new Error(`the stack has no database ${system}`);
  return database;
}
