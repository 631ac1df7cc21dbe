/** A restored server: new changes would get positions that were given out before. */
import type { SourceCheck } from '../check.ts';

export const sourceWentBack: SourceCheck = {
  id: 'SOURCE_WENT_BACK',
  severity: 'halt',
  isFinal: true,
  async find({ system, session, offset }) {
    if (offset === undefined) return [];
    const [server] = await session.query<{ position: string }>(
      `SELECT (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END - '0/0')::text
              AS position`,
    );
    if (BigInt(String(offset.lsn ?? 0)) <= BigInt(server?.position ?? 0)) return [];
    return [
      {
        text: `the log of ${system} ends before what was read already: it was restored or reset (LSN)`,
        next: `read what it holds now: seam connectors recover ${system} --yes`,
      },
    ];
  },
};
