/** A transaction that was prepared and is neither committed nor rolled back holds back the slot, and its changes are not told. */
import type { SourceCheck } from '../check.ts';

const OPEN_SECONDS_MAX = 60;

export const transactionPrepared: SourceCheck = {
  id: 'TRANSACTION_PREPARED',
  severity: 'warning',
  async find({ system, session }) {
    const [row] = await session.query<{ count: number; seconds: number }>(
      `SELECT count(*)::int AS count, coalesce(extract(epoch FROM now() - min(prepared)), 0)::int AS seconds
         FROM pg_prepared_xacts WHERE database = current_database() AND prepared < now() - make_interval(secs => ${OPEN_SECONDS_MAX})`,
    );
    if (row === undefined || row.count === 0) return [];
    return [
      {
        text: `${row.count} prepared transactions of ${system} stay open, the oldest for ${row.seconds} s: their changes are not told yet, and the log is kept`,
        next: "as the database's owner: SELECT gid FROM pg_prepared_xacts, then COMMIT PREPARED or ROLLBACK PREPARED each",
      },
    ];
  },
};
