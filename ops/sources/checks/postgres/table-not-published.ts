/**
 * The connector asks for tables by name, the publication holds them by object id: a table that was dropped and made again, renamed or
 * swapped keeps its name and leaves the publication.
 */
import { quoteName } from '../../../../core/databases/postgres.ts';
import type { CheckedSource, Finding, SourceCheck } from '../check.ts';
import { byOwner, MAPPED_TABLES, quoteTable, readAgain, wanted } from './captured.ts';
import { type Publication, publicationName, publicationOf } from './publication.ts';

type Row = { readonly table: string; readonly kind: string; readonly isPartition: boolean };

export const tableNotPublished: SourceCheck = {
  id: 'TABLE_NOT_PUBLISHED',
  severity: 'halt',
  losesChanges: true,
  async find(source) {
    const publication = await publicationOf(source);
    // by their present names: what the publication says of a renamed table is said under its new name
    const rows = await source.session.query<Row>(
      `SELECT w.name AS "table", c.relkind AS kind, c.relispartition AS "isPartition" FROM ${MAPPED_TABLES}
        WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p'
          AND NOT EXISTS (SELECT FROM pg_publication_tables t
                           WHERE t.pubname = ? AND t.schemaname = n.nspname AND t.tablename = c.relname)`,
      [wanted(source), publicationName(source.config)],
    );
    return rows.map((row) => finding(source, publication, row));
  },
};

function finding({ system, config }: CheckedSource, publication: Publication | undefined, row: Row): Finding {
  const { table, kind, isPartition } = row;
  const name = publicationName(config);
  const then = `; then: ${readAgain(system, table)}`;
  if (publication === undefined) {
    const text = `the log tells no change of ${table}: there is no publication ${name}`;
    return { table, text, next: `run connectors/${system}/setup.sql as the database's administrator${then}` };
  }
  if (kind === 'p' && !publication.isViaRoot) {
    const text = `changes of ${table} come under the names of its partitions: publication ${name} does not publish via the root`;
    const alter = `ALTER PUBLICATION ${quoteName(name)} SET (publish_via_partition_root = true)`;
    return { table, text, next: `${byOwner(alter)}${then}` };
  }
  if (isPartition && publication.isViaRoot) {
    const text = `changes of ${table} come under the name of its partitioned table: publication ${name} publishes via the root`;
    return {
      table,
      text,
      next: `capture the partitioned table in its place, in connectors/${system}/mapping.ts${then}`,
    };
  }
  const text = `${table} is not in publication ${name}: it was never added, or another table has its name now`;
  return {
    table,
    text,
    next: `${byOwner(`ALTER PUBLICATION ${quoteName(name)} ADD TABLE ${quoteTable(table)}`)}${then}`,
  };
}
