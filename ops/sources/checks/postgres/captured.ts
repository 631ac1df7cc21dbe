/** The mapped tables of a source as the catalogue has them now. */
import { partsOf, quoteTable } from '../../../../core/databases/postgres.ts';
import type { CheckedSource } from '../check.ts';

/** For FROM; its one value is `wanted(source)`. Gives `w.name` as the mapping spells it, `n` and `c` of the catalogue. */
export const MAPPED_TABLES = `json_to_recordset(?::json) AS w(name text, schema text, relation text)
  JOIN pg_namespace n ON n.nspname = w.schema
  JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.relation AND c.relkind IN ('r', 'p', 'v', 'm', 'f')`;

/** Next to `MAPPED_TABLES`: where the rows are stored, which is every leaf of a partitioned table, or the table itself. */
export const STORED_TABLES = `LEFT JOIN LATERAL (SELECT relid FROM pg_partition_tree(c.oid) WHERE isleaf) leaf ON true
  JOIN pg_class stored ON stored.oid = coalesce(leaf.relid, c.oid)
  JOIN pg_namespace sn ON sn.oid = stored.relnamespace`;

export function wanted({ tables }: Pick<CheckedSource, 'tables'>): string {
  return JSON.stringify(
    tables.map((name) => {
      const [schema, relation] = partsOf(name, 'public');
      return { name, schema, relation };
    }),
  );
}

/** What brings rows that the log did not tell of: nothing else needs to be stopped for it. */
export function readAgain(system: string, table: string): string {
  return `seam resnapshot --system ${system} --table ${table} --yes`;
}

/** SQL that the owner of the table runs. */
export function byOwner(...statements: readonly string[]): string {
  return `as the table's owner: ${statements.join('; ')}`;
}

export { quoteTable };
