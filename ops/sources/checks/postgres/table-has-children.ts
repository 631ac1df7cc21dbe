/** Rows of a child are read as the parent's rows by a snapshot, and told under the child's name by the log. */
import type { SourceCheck } from '../check.ts';
import { MAPPED_TABLES, wanted } from './captured.ts';

export const tableHasChildren: SourceCheck = {
  id: 'TABLE_HAS_CHILDREN',
  severity: 'halt',
  losesChanges: true,
  async find(source) {
    const { system, session } = source;
    const rows = await session.query<{ table: string; children: string }>(
      `SELECT w.name AS "table", string_agg(format('%I.%I', childn.nspname, child.relname), ', ' ORDER BY child.oid) AS children
         FROM ${MAPPED_TABLES} JOIN pg_inherits i ON i.inhparent = c.oid AND c.relkind = 'r'
         JOIN pg_class child ON child.oid = i.inhrelid JOIN pg_namespace childn ON childn.oid = child.relnamespace
        GROUP BY w.name`,
      [wanted(source)],
    );
    return rows.map(({ table, children }) => ({
      table,
      text: `${table} shows rows of ${children}, which inherit from it, and their changes come under their own names`,
      next: `as the table's owner: end the inheritance, or make ${table} a partitioned table; or ignore it in connectors/${system}/mapping.ts`,
    }));
  },
};
