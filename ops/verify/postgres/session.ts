import type pg from 'pg';
import Cursor from 'pg-cursor';
import { connectPostgres } from '../../../adapters/postgres-client.ts';
import { whenReachable } from '../../../adapters/reachable.ts';
import { ContractError } from '../../../core/errors.ts';
import { CHUNK_ROWS, type ReadConnection } from '../connection.ts';

export type Texts = (string | null)[];

export async function openPostgres(connection: ReadConnection): Promise<pg.Client> {
  const { host, port, database, user, password } = connection;
  return whenReachable(connection, () => connectPostgres({ host, port, database, user, password }));
}

const AS_PRINTED = { getTypeParser: () => (text: string) => text };

/** Every value as the server prints it. `place` names the table for an error. */
export async function* texts(client: pg.Client, sql: string, place: ReadPlace): AsyncGenerator<Texts[]> {
  const cursor = client.query(new Cursor(sql, [], { rowMode: 'array', types: AS_PRINTED as never }));
  let isOpen = true;
  try {
    for (;;) {
      const rows = (await cursor.read(CHUNK_ROWS)) as unknown as Texts[];
      isOpen = rows.length > 0;
      if (!isOpen) return;
      yield rows;
    }
  } catch (error) {
    isOpen = false;
    throw await readError(client, error, place);
  } finally {
    // the driver would wait for ever to close one that has failed
    if (isOpen) await cursor.close();
  }
}

/** `quoted`: the table as SQL names it. */
export type ReadPlace = { readonly table: string; readonly quoted: string; readonly user: string };

const NOT_ALLOWED = '42501';

/** PostgreSQL has one code for a missing right and for rows that a policy would hide. */
async function readError(client: pg.Client, error: unknown, { table, quoted, user }: ReadPlace): Promise<unknown> {
  if ((error as { code?: string }).code !== NOT_ALLOWED) return error;
  const { rows } = await client.query('SELECT row_security_active($1) AS active', [quoted]);
  const isPolicy = rows[0].active === true;
  return new ContractError({
    code: isPolicy ? 'ROWS_HIDDEN' : 'READ_REFUSED',
    message: isPolicy ? `row-level security hides rows of ${table} from ${user}` : `user ${user} may not read ${table}`,
    where: `table ${table}`,
    hint: isPolicy
      ? `as a superuser: ALTER ROLE ${user} BYPASSRLS`
      : 'run setup.sql of the system again as the administrator: seam setup plan prints it',
    cause: error,
  });
}
