/** Which PostgreSQL server answers, and how long it may take for it. */
import type { SourceSession } from '../../../resnapshot/source-session.ts';
import type { SourceLocks } from '../check.ts';

/** The first number of every lock of Seam, the second one is of its name. */
const KEY = `hashtext('seam'), hashtext(?)`;
/** The numbers are signed in the function, and not in the view. */
const HOLDERS = `SELECT pid FROM pg_locks
  WHERE locktype = 'advisory' AND granted AND objsubid = 2
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND classid = (hashtext('seam')::bigint & 4294967295)::oid AND objid = (hashtext(?)::bigint & 4294967295)::oid`;

export async function postgresIdentity(session: SourceSession): Promise<string> {
  const [server] = await session.query<{ identity: string }>(
    `SELECT (SELECT system_identifier FROM pg_control_system()) || ' timeline ' || (SELECT timeline_id FROM pg_control_checkpoint())
            AS identity`,
  );
  return server?.identity ?? '';
}

export async function limitStatements(session: SourceSession, limitMs: number): Promise<void> {
  await session.query(`SET statement_timeout = ${limitMs}`);
}

/** Advisory locks, which are of one database. */
export const postgresLocks: SourceLocks = {
  async take(session, name) {
    const [row] = await session.query<{ taken: boolean }>(`SELECT pg_try_advisory_lock(${KEY}) AS taken`, [name]);
    return row?.taken === true;
  },
  async isHeld(session, name) {
    const rows = await session.query(`SELECT 1 FROM (${HOLDERS}) holder WHERE pid = pg_backend_pid()`, [name]);
    return rows.length > 0;
  },
  async free(session, name) {
    await session.query(`SELECT pg_advisory_unlock(${KEY})`, [name]);
  },
  async endHolder(session, name) {
    // a user may end sessions of its own
    await session.query(`SELECT pg_terminate_backend(pid) FROM (${HOLDERS}) holder WHERE pid <> pg_backend_pid()`, [
      name,
    ]);
  },
};
