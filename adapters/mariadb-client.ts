import mariadb, { type Connection, type ConnectionConfig } from 'mariadb';
import { PINNED_SETTINGS, setStatement } from '../core/databases/mariadb.ts';

/** With the pinned settings, which beat the server's own and those of `init_connect`. */
export async function connectMariadb(options: ConnectionConfig): Promise<Connection> {
  return connected(options, PINNED_SETTINGS);
}

/** For scripts of others: how strict the server is, is for them to say. */
export async function connectForMariadbScripts(options: ConnectionConfig): Promise<Connection> {
  const { sql_mode: _, ...settings } = PINNED_SETTINGS;
  return connected(options, settings);
}

async function connected(options: ConnectionConfig, settings: Readonly<Record<string, string>>): Promise<Connection> {
  const connection = await mariadb.createConnection({ charset: 'utf8mb4', ...options });
  // a connection that breaks while it is idle would end the process without a listener; the next query on it fails
  connection.on('error', () => {});
  try {
    await connection.query(setStatement(settings));
    return connection;
  } catch (error) {
    await connection.end();
    throw error;
  }
}
