/** Which MariaDB server answers, how far its log reaches, and how long it may take for an answer. */
import type { SourceSession } from '../../../resnapshot/source-session.ts';
import type { SourceLocks } from '../check.ts';

export async function mariadbIdentity(session: SourceSession): Promise<string> {
  const [server] = await session.query<{ identity: string }>(
    `SELECT CONCAT('server_id ', @@server_id, ' domain ', @@gtid_domain_id) AS identity`,
  );
  return server?.identity ?? '';
}

export async function limitStatements(session: SourceSession, limitMs: number): Promise<void> {
  await session.query(`SET SESSION max_statement_time = ${limitMs / 1_000}`);
}

/** `0-1001-24,7-2-5` → domain → its last number. Several servers may have written one domain. */
export function lastOfDomains(gtids: string): Map<string, bigint> {
  const last = new Map<string, bigint>();
  for (const [, domain = '', number = '0'] of gtids.matchAll(/(\d+)-\d+-(\d+)/g)) {
    const known = last.get(domain) ?? 0n;
    if (BigInt(number) >= known) last.set(domain, BigInt(number));
  }
  return last;
}

/** Of the whole server; the name of a lock holds the name of the system. */
export const mariadbLocks: SourceLocks = {
  async take(session, name) {
    const [row] = await session.query<{ taken: number | bigint | null }>('SELECT GET_LOCK(?, 0) AS taken', [name]);
    return Number(row?.taken ?? 0) === 1;
  },
  async isHeld(session, name) {
    const [row] = await session.query<{ held: number | null }>('SELECT IS_USED_LOCK(?) = CONNECTION_ID() AS held', [
      name,
    ]);
    return Number(row?.held ?? 0) === 1;
  },
  async free(session, name) {
    await session.query('SELECT RELEASE_LOCK(?) AS freed', [name]);
  },
  async endHolder(session, name) {
    const [row] = await session.query<{ holder: number | bigint | null }>('SELECT IS_USED_LOCK(?) AS holder', [name]);
    // a user may end sessions of its own
    if (row?.holder != null) await session.query(`KILL CONNECTION ${BigInt(row.holder)}`);
  },
};
