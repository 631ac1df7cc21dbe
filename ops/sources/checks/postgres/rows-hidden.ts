/** Row-level security filters what is read, and never what is told by the log: a snapshot, a sweep and `verify` would see less. */
import type { SourceCheck } from '../check.ts';
import { MAPPED_TABLES, wanted } from './captured.ts';

export const rowsHidden: SourceCheck = {
  id: 'ROWS_HIDDEN',
  severity: 'halt',
  async find(source) {
    // of the user's own rights: superuser, BYPASSRLS, and an owner whom FORCE does not bind see everything
    const rows = await source.session.query<{ table: string; user: string }>(
      `SELECT w.name AS "table", current_user AS "user" FROM ${MAPPED_TABLES} WHERE row_security_active(c.oid)`,
      [wanted(source)],
    );
    return rows.map(({ table, user }) => ({
      table,
      text: `row level security hides rows of ${table} from ${user}`,
      next: `as the server's administrator: ALTER ROLE ${user} BYPASSRLS`,
    }));
  },
};
