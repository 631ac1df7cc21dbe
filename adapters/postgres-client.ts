import pg from 'pg';

/** A client that could not connect is spent: each attempt needs a new one. */
export async function connectPostgres(options: pg.ClientConfig): Promise<pg.Client> {
  const client = new pg.Client(options);
  await client.connect();
  return client;
}
