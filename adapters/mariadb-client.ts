import mariadb, { type Connection, type ConnectionConfig } from 'mariadb';
import { PINNED_SETTINGS, setStatement } from '../core/databases/mariadb.ts';

/** With the pinned settings, which beat the server's own and those of `init_connect`. */
export async function connectMariadb(options: ConnectionConfig): Promise<Connection> {
  const connection = await mariadb.createConnection({ charset: 'utf8mb4', ...options });
  try {
    await connection.query(setStatement(PINNED_SETTINGS));
    return connection;
  } catch (error) {
    await connection.end();
    throw error;
  }
}
