/** Which PostgreSQL server answers, and how long it may take for it. */
import type { SourceSession } from '../../../resnapshot/source-session.ts';

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
