/** A publication may hold back rows (WHERE), columns (a list, generated ones) of a table that it publishes. */
import { quoteName } from '../../../../core/databases/postgres.ts';
import { mappedColumns, nameIn } from '../columns.ts';
import type { CheckedSource, Finding, SourceCheck } from '../check.ts';
import { byOwner, MAPPED_TABLES, quoteTable, readAgain, wanted } from './captured.ts';
import { publicationName } from './publication.ts';

type Row = {
  readonly table: string;
  /** Before version 15 the view has neither columns nor a filter, and a publication could not have any. */
  readonly published: { readonly attnames?: readonly string[]; readonly rowfilter?: string | null };
  /** Column → how it is generated: `s` stored, `v` virtual, empty: not at all. */
  readonly columns: Readonly<Record<string, string>>;
};

export const publicationFilters: SourceCheck = {
  id: 'PUBLICATION_FILTERS',
  severity: 'halt',
  losesChanges: true,
  async find(source) {
    const rows = await source.session.query<Row>(
      `SELECT w.name AS "table", to_json(t) AS published,
              (SELECT json_object_agg(a.attname, a.attgenerated) FROM pg_attribute a
                WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns
         FROM ${MAPPED_TABLES}
         JOIN pg_publication_tables t ON t.schemaname = n.nspname AND t.tablename = c.relname AND t.pubname = ?`,
      [wanted(source), publicationName(source.config)],
    );
    return rows.flatMap((row) => [...rowFilter(source, row), ...heldBack(source, row)]);
  },
};

function rowFilter({ system, config }: CheckedSource, { table, published }: Row): Finding[] {
  if (published.rowfilter == null) return [];
  const name = publicationName(config);
  const text = `publication ${name} tells only rows of ${table} that fit its WHERE`;
  return [{ table, text, next: `${addedAgain(name, table)}; then: ${readAgain(system, table)}` }];
}

function heldBack(source: CheckedSource, { table, published, columns }: Row): Finding[] {
  const { attnames } = published;
  if (attnames === undefined) return [];
  const { system, config } = source;
  const name = publicationName(config);
  const read = mappedColumns(source, table).map((column) => nameIn(Object.keys(columns), column) ?? column);
  const hidden = read.filter((column) => column in columns && !attnames.includes(column));
  const virtual = hidden.filter((column) => columns[column] === 'v');
  const stored = hidden.filter((column) => columns[column] === 's');
  const plain = hidden.filter((column) => columns[column] === '');
  const then = `; then: ${readAgain(system, table)}`;
  const found: Finding[] = [];
  if (virtual.length > 0) {
    const text = `${table} ${virtual.join(', ')}: the log never tells a virtual generated column`;
    found.push({
      table,
      text,
      next: `derive the field from the columns behind it, in connectors/${system}/mapping.ts`,
    });
  }
  if (stored.length > 0) {
    const text = `${table} ${stored.join(', ')}: publication ${name} does not publish generated columns`;
    const alter = `ALTER PUBLICATION ${quoteName(name)} SET (publish_generated_columns = stored)`;
    found.push({
      table,
      text,
      next: `${byOwner(alter)} (PostgreSQL 18; before it, derive the field in the mapping)${then}`,
    });
  }
  if (plain.length > 0) {
    const text = `${table} ${plain.join(', ')}: the column list of publication ${name} leaves out what the mapping reads`;
    found.push({ table, text, next: `${addedAgain(name, table)}${then}` });
  }
  return found;
}

/** Without its filter and its list. */
function addedAgain(name: string, table: string): string {
  const publication = quoteName(name);
  return byOwner(
    `ALTER PUBLICATION ${publication} DROP TABLE ${quoteTable(table)}`,
    `ALTER PUBLICATION ${publication} ADD TABLE ${quoteTable(table)}`,
  );
}
