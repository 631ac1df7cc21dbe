/** What a set-up has to have given for each table, asked of the database itself: a set-up that gained a table is not done. */
import { quoteText } from './postgres.ts';

export type TablesAsked = {
  /** `<schema>.<table>`: read by `reader`, and told by the publication. */
  readonly captured: readonly string[];
  readonly publication: string;
  readonly reader: string;
  /** `<schema>.<table>`: written by `writer`. */
  readonly written: readonly string[];
  readonly writer: string;
  /** Is this system read, is it written: each needs its tables of the side schema too. */
  readonly isSource: boolean;
  readonly isTarget: boolean;
};

/** Where the connector writes, and what tells the processors their own echo. */
const BEATS = ['heartbeat', 'signal'];
const LEDGERS = ['applied', 'echo', 'identity'];

/**
 * A row for each table that the set-up left out. A table that is not there yet is none of them. Rights on some columns are enough:
 * which columns are needed is for the checks of the source and of the target.
 */
export function tablesLeftOutSql(asked: TablesAsked): string {
  const { captured, publication, reader, written, writer } = asked;
  const any = (user: string, rights: string) => `has_any_column_privilege(${quoteText(user)}, c.oid, '${rights}')`;
  const told = `EXISTS (
    SELECT FROM pg_publication p
    WHERE p.pubname = ${quoteText(publication)}
      AND (p.puballtables
        OR EXISTS (SELECT FROM pg_publication_rel r WHERE r.prpubid = p.oid AND r.prrelid = c.oid)
        OR EXISTS (SELECT FROM pg_publication_namespace s WHERE s.pnpubid = p.oid AND s.pnnspid = n.oid)))`;
  return `SELECT n.nspname || '.' || c.relname AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p')
     AND ((${isOneOf(captured)} AND NOT (${any(reader, 'SELECT')} AND ${told}))
       OR (${isOneOf(written)} AND NOT ${any(writer, 'INSERT, UPDATE')})
       OR (n.nspname = 'seam' AND (${sideTablesLeftOut(asked).join(' OR ')})))`;
}

function sideTablesLeftOut({ reader, writer, isSource, isTarget }: TablesAsked): string[] {
  const lacks = (user: string, rights: readonly string[]) =>
    `NOT (${rights.map((right) => `has_table_privilege(${quoteText(user)}, c.oid, '${right}')`).join(' AND ')})`;
  const is = (names: readonly string[]) => `c.relname IN (${names.map(quoteText).join(', ')})`;
  const all = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'];
  return [
    'FALSE',
    ...(isSource ? [`${is(LEDGERS)} AND ${lacks(reader, ['SELECT'])}`, `${is(BEATS)} AND ${lacks(reader, all)}`] : []),
    ...(isTarget ? [`NOT ${is(BEATS)} AND ${lacks(writer, all)}`] : []),
  ];
}

function isOneOf(tables: readonly string[]): string {
  return tables.length === 0 ? 'FALSE' : `n.nspname || '.' || c.relname IN (${tables.map(quoteText).join(', ')})`;
}
