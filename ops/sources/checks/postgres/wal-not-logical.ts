/** With another level the log does not hold rows, and the slot is invalidated. */
import type { SourceCheck } from '../check.ts';

export const walNotLogical: SourceCheck = {
  id: 'WAL_NOT_LOGICAL',
  severity: 'halt',
  async find({ system, session }) {
    const [row] = await session.query<{ level: string }>(`SELECT current_setting('wal_level') AS level`);
    if (row?.level === 'logical') return [];
    return [
      {
        text: `the log of ${system} does not tell rows: wal_level is ${row?.level}`,
        next: `as the server's administrator: ALTER SYSTEM SET wal_level = 'logical', and restart the server; then: seam connectors status ${system}`,
      },
    ];
  },
};
