/** Without SELECT a snapshot fails, and with it the first reading, a reading again, and `verify`. */
import { isInList } from '../lists.ts';
import type { SourceCheck } from '../check.ts';
import { byOwner, MAPPED_TABLES, quoteTable, wanted } from './captured.ts';
import { partsOf, quoteName } from '../../../../core/databases/postgres.ts';

type Row = {
  readonly table: string;
  readonly user: string;
  readonly mayUse: boolean;
  readonly hidden: readonly string[] | null;
};

export const tableNotReadable: SourceCheck = {
  id: 'TABLE_NOT_READABLE',
  severity: 'halt',
  async find(source) {
    const { session, config } = source;
    const rows = await session.query<Row>(
      `SELECT w.name AS "table", current_user AS "user", has_schema_privilege(n.oid, 'USAGE') AS "mayUse",
              (SELECT json_agg(a.attname ORDER BY a.attnum) FROM pg_attribute a
                WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                  AND NOT has_column_privilege(c.oid, a.attnum, 'SELECT')) AS hidden
         FROM ${MAPPED_TABLES}`,
      [wanted(source)],
    );
    const isLeftOut = isInList(config['column.exclude.list']);
    return rows.flatMap(({ table, user, mayUse, hidden }) => {
      const columns = (hidden ?? []).filter((column) => !isLeftOut(`${table}.${column}`));
      if (mayUse && columns.length === 0) return [];
      const [schema] = partsOf(table, 'public');
      const lacks = mayUse ? `SELECT on ${columns.join(', ')}` : `USAGE on schema ${schema}`;
      const grants = [
        `GRANT USAGE ON SCHEMA ${quoteName(schema)} TO ${user}`,
        `GRANT SELECT ON ${quoteTable(table)} TO ${user}`,
      ];
      return {
        table,
        text: `${user} may not read ${table}: it lacks ${lacks}`,
        next: byOwner(...(mayUse ? grants.slice(1) : grants)),
      };
    });
  },
};
