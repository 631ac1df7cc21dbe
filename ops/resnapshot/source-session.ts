/** One plain SQL connection to a source, with the rights that Seam has there anyway. */
import { connectMariadb } from '../../adapters/mariadb-client.ts';
import { connectAsSet, connectPostgres } from '../../adapters/postgres-client.ts';
import { whenReachable } from '../../adapters/reachable.ts';
import type { ReadConnection } from '../verify/source-rows.ts';

type Value = string | number | null;

export type SourceSession = {
  readonly kind: ReadConnection['kind'];
  /** `?` stands for a value, in both kinds of database. */
  query<T>(sql: string, values?: readonly Value[]): Promise<T[]>;
  close(): Promise<void>;
};

/** `as-set`: with the settings that the connector's sessions get, which a check of these settings must see. */
export async function openSource(
  connection: ReadConnection,
  settings: 'pinned' | 'as-set' = 'pinned',
): Promise<SourceSession> {
  const { kind, host, port, database, user, password } = connection;
  const login = { host, port, database, user, password };
  if (kind === 'postgres') {
    const client = await whenReachable(connection, () =>
      settings === 'pinned' ? connectPostgres(login) : connectAsSet(login),
    );
    return {
      kind,
      query: async <T>(sql: string, values: readonly Value[] = []) =>
        (await client.query(values.length === 0 ? sql : numbered(sql), [...values])).rows as T[],
      close: () => client.end(),
    };
  }
  const client = await whenReachable(connection, () => connectMariadb(login));
  return {
    kind,
    query: async <T>(sql: string, values: readonly Value[] = []) => (await client.query(sql, [...values])) as T[],
    close: () => client.end(),
  };
}

function numbered(sql: string): string {
  let count = 0;
  return sql.replaceAll('?', () => {
    count += 1;
    return `$${count}`;
  });
}
