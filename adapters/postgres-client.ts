import pg from 'pg';
import { PINNED_SETTINGS, SHARED_SESSION_SETTINGS, startOptions } from '../core/databases/postgres.ts';

/** With the pinned settings. A client that could not connect is spent: each attempt needs a new one. */
export async function connectPostgres(options: pg.ClientConfig): Promise<pg.Client> {
  return connected({ ...options, options: startOptions(PINNED_SETTINGS) });
}

/** For scripts of others: their names are found by the database's own search path. */
export async function connectForPostgresScripts(options: pg.ClientConfig): Promise<pg.Client> {
  return connected({ ...options, options: startOptions(SHARED_SESSION_SETTINGS) });
}

/** With what server, database and role say, as a session of the connector. */
export async function connectAsSet(options: pg.ClientConfig): Promise<pg.Client> {
  return connected(options);
}

async function connected(options: pg.ClientConfig): Promise<pg.Client> {
  const client = new pg.Client(options);
  // a connection that breaks fails the query under way or the next one; without a listener it would end the process
  client.on('error', () => {});
  await client.connect();
  return client;
}
