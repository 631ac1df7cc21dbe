/** What is right today by chance is pinned to stay so: a setting of the role in this database beats every other. */
import { notPinned } from '../../../../core/databases/postgres.ts';
import type { SourceCheck } from '../check.ts';

export const formatsNotPinned: SourceCheck = {
  id: 'FORMATS_NOT_PINNED',
  severity: 'warning',
  async find({ system, session }) {
    const [row] = await session.query<{ user: string; settings: string[] | null }>(
      `SELECT current_user AS "user", (SELECT to_json(s.setconfig) FROM pg_db_role_setting s
                JOIN pg_database d ON d.oid = s.setdatabase JOIN pg_roles r ON r.oid = s.setrole
               WHERE d.datname = current_database() AND r.rolname = current_user) AS settings`,
    );
    const open = notPinned(row?.settings ?? []);
    if (open.length === 0) return [];
    return [
      {
        text: `how values are printed for ${row?.user} is not pinned in this database: ${open.join(', ')}`,
        next: `seam setup apply ${system} --yes`,
      },
    ];
  },
};
