/** A slot that nobody reads keeps the log, until the disk is full or the log that it needs is removed. */
import { firstSnapshot } from '../../../resnapshot/first-snapshot.ts';
import type { SourceCheck } from '../check.ts';

const INACTIVE_SECONDS_MAX = 60;

type Row = {
  readonly status: string | null;
  readonly isActive: boolean;
  readonly kept: string;
  readonly limit: string;
  /** null: not known, before version 17. */
  readonly inactiveSeconds: number | null;
};

export const slotAtRisk: SourceCheck = {
  id: 'SLOT_AT_RISK',
  severity: 'warning',
  async find({ system, session, offset, config }) {
    // the slot is made at the beginning of the first snapshot, and read when that has ended
    if (firstSnapshot(offset) !== 'finished') return [];
    const slot = config['slot.name'] ?? '';
    const [row] = await session.query<Row>(
      `SELECT wal_status AS status, active AS "isActive", current_setting('max_slot_wal_keep_size') AS "limit",
              pg_size_pretty(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                                                  ELSE pg_current_wal_lsn() END, restart_lsn)) AS kept,
              extract(epoch FROM now() - (to_jsonb(s) ->> 'inactive_since')::timestamptz)::int AS "inactiveSeconds"
         FROM pg_replication_slots s WHERE slot_name = ? AND database = current_database()`,
      [slot],
    );
    if (row === undefined || row.status === 'lost') return [];
    const limit = row.limit === '-1' ? 'without a limit' : `up to ${row.limit}`;
    const isIdle = !row.isActive && (row.inactiveSeconds ?? 0) > INACTIVE_SECONDS_MAX;
    if (row.status !== 'unreserved' && !isIdle) return [];
    const keeps = `the replication slot "${slot}" keeps ${row.kept} of log, ${limit}`;
    if (row.status === 'unreserved') {
      return [
        {
          text: `${keeps}: the next checkpoint may remove log that it needs`,
          next: `as the server's administrator: raise max_slot_wal_keep_size until the connector has caught up; does it read: seam connectors status ${system}`,
        },
      ];
    }
    return [
      {
        text: `${keeps}: no connector reads it`,
        next: `what keeps its connector from reading: seam connectors status ${system}`,
      },
    ];
  },
};
