/** A column that the mapping reads and the table lacks. While records flow the first one of the new shape stops the table itself. */
import { mappedColumns, nameIn } from '../columns.ts';
import type { SourceCheck } from '../check.ts';
import { MAPPED_TABLES, wanted } from './captured.ts';

export const columnMissing: SourceCheck = {
  id: 'COLUMN_MISSING_IN_SOURCE',
  severity: 'halt',
  async find(source) {
    const { system, session, offset } = source;
    if (offset !== undefined) return [];
    const rows = await session.query<{ table: string; columns: readonly string[] | null }>(
      `SELECT w.name AS "table", (SELECT json_agg(a.attname) FROM pg_attribute a
                                   WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns
         FROM ${MAPPED_TABLES}`,
      [wanted(source)],
    );
    return rows.flatMap(({ table, columns }) => {
      const lacking = mappedColumns(source, table).filter((column) => nameIn(columns ?? [], column) === undefined);
      if (lacking.length === 0) return [];
      return {
        table,
        text: `${table} has no column ${lacking.join(', ')}, which the mapping reads`,
        next: `correct connectors/${system}/mapping.ts, then run: seam connectors apply ${system} --yes`,
      };
    });
  },
};
