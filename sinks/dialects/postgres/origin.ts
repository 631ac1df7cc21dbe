/**
 * The echo tag: a replication origin. Debezium shows its name on every row of our transactions. An origin belongs to one live
 * connection at a time, so each connection takes the first free number.
 */
import type pg from 'pg';
import { ConfigError, TransientError } from '../../../core/errors.ts';

const ORIGINS_MAX = 32;
const IN_USE = '55006';
const EXISTS = new Set(['23505', '42710']);
const NO_RIGHT = '42501';

/**
 * Goes before every COMMIT. With an origin, PostgreSQL writes into the log the time that the session names for the transaction it
 * repeats, and without one that of an earlier commit: what a trigger derives from our write would count as that old.
 */
export function nameCommitTime(notBeforeUs = 0n): string {
  const notBefore = `timestamptz 'epoch' + ${notBeforeUs} * interval '1 microsecond'`;
  return `SELECT pg_catalog.pg_replication_origin_xact_setup('0/0', greatest(pg_catalog.clock_timestamp(), ${notBefore}))`;
}

export async function setOrigin(client: pg.Client, system: string, user: string): Promise<string> {
  for (let number = 0; number < ORIGINS_MAX; number += 1) {
    const name = `seam_${system}_${number}`;
    if (await isTaken(client, name, user)) return name;
  }
  throw new TransientError({
    code: 'ORIGINS_EXHAUSTED',
    message: `all ${ORIGINS_MAX} replication origins of ${system} are in use`,
    hint: 'end the connections of workers that are gone: SELECT * FROM pg_replication_origin_status',
  });
}

async function isTaken(client: pg.Client, name: string, user: string): Promise<boolean> {
  try {
    await createOrigin(client, name);
    await client.query('SELECT pg_catalog.pg_replication_origin_session_setup($1)', [name]);
    await client.query(nameCommitTime());
    return true;
  } catch (error) {
    const code = (error as { code?: string }).code;
    if (code === IN_USE) return false;
    if (code !== NO_RIGHT) throw error;
    throw new ConfigError({
      code: 'ECHO_TAG_REFUSED',
      message: `user "${user}" may not set a replication origin, so its writes would come back as news`,
      hint: `GRANT EXECUTE ON FUNCTION pg_replication_origin_create(text), pg_replication_origin_session_setup(text), pg_replication_origin_xact_setup(pg_lsn, timestamptz) TO ${user}`,
      cause: error,
    });
  }
}

async function createOrigin(client: pg.Client, name: string): Promise<void> {
  const found = await client.query('SELECT 1 FROM pg_catalog.pg_replication_origin WHERE roname = $1', [name]);
  if (found.rows.length > 0) return;
  try {
    await client.query('SELECT pg_catalog.pg_replication_origin_create($1)', [name]);
  } catch (error) {
    if (!EXISTS.has((error as { code?: string }).code ?? '')) throw error;
  }
}
