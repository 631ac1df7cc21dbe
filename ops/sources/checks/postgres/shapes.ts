/** What stands behind a table's name: which object, how the publication holds it, and where its rows are stored. */
import type { CheckedSource } from '../check.ts';
import { MAPPED_TABLES, wanted } from './captured.ts';
import { publicationName } from './publication.ts';

export type TableShape = {
  /** Object id of the table. */
  readonly oid: string;
  /** Of its entry in the publication, which is another one when it was taken out and added again; null: none of its own. */
  readonly entry: string | null;
  /** Of a partitioned table: object id of each leaf → its file, which is another one after TRUNCATE. */
  readonly leaves: Readonly<Record<string, string>>;
};

export type Shape = TableShape & {
  /** Leaves without rows: whatever comes into them is told by the log. */
  readonly empty: readonly string[];
};

export async function shapesOf(
  source: Pick<CheckedSource, 'session' | 'tables' | 'config'>,
): Promise<Map<string, Shape>> {
  type Row = Omit<Shape, 'leaves' | 'empty'> & {
    readonly table: string;
    readonly leaves: TableShape['leaves'] | null;
    readonly empty: readonly string[] | null;
  };
  const rows = await source.session.query<Row>(
    `SELECT w.name AS "table", c.oid::text AS oid,
            (SELECT r.oid::text FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
              WHERE r.prrelid = c.oid AND p.pubname = ?) AS entry,
            l.leaves, l.empty
       FROM ${MAPPED_TABLES}
       LEFT JOIN LATERAL (
         SELECT json_object_agg(relid::oid::text, coalesce(pg_relation_filenode(relid), 0)::text) AS leaves,
                json_agg(relid::oid::text) FILTER (WHERE pg_relation_size(relid) = 0) AS empty
           FROM pg_partition_tree(c.oid) WHERE isleaf AND c.relkind = 'p') l ON true`,
    [publicationName(source.config), wanted(source)],
  );
  return new Map(
    rows.map(({ table, oid, entry, leaves, empty }) => [
      table,
      { oid, entry, leaves: leaves ?? {}, empty: empty ?? [] },
    ]),
  );
}
