/** A connector that runs reads on without the right, and nothing is lost yet. One that connects again tries for ever, and says so in its log only. */
import { quoteName } from '../../../../core/databases/postgres.ts';
import type { SourceCheck } from '../check.ts';

type Row = { readonly user: string; readonly may: boolean };

export const replicationNotGranted: SourceCheck = {
  id: 'REPLICATION_NOT_GRANTED',
  severity: 'halt',
  async find({ system, session, config }) {
    // on Amazon RDS no role has the attribute, and a membership stands for it
    const [row] = await session.query<Row>(
      `SELECT rolname AS user, rolreplication OR rolsuper OR EXISTS (
                SELECT FROM pg_roles g WHERE g.rolname = 'rds_replication' AND pg_has_role(r.oid, g.oid, 'MEMBER')) AS may
         FROM pg_roles r
        WHERE rolname = current_user
          AND NOT EXISTS (SELECT FROM pg_replication_slots s WHERE s.slot_name = ? AND s.active)`,
      [config['slot.name'] ?? ''],
    );
    if (row === undefined || row.may) return [];
    return [
      {
        text: `${row.user} may not read the log of ${system}: it lacks REPLICATION`,
        next: `as the server's administrator: ALTER ROLE ${quoteName(row.user)} REPLICATION; then: seam connectors status ${system}`,
      },
    ];
  },
};
