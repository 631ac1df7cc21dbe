/** Which MariaDB server answers, how far its log reaches, and how long it may take for an answer. */
import type { SourceSession } from '../../../resnapshot/source-session.ts';

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
