/**
 * With REPLICA IDENTITY FULL and a generated column that is not published, PostgreSQL 18 refuses the application's own updates and
 * deletions of a published table: the owner's system stands, and Seam's publication is why.
 */
import type { CheckedSource, Finding, SourceCheck } from '../check.ts';

type Column = { readonly name: string; readonly kind: 's' | 'v' };

export const updatesRefused: SourceCheck = {
  id: 'UPDATES_REFUSED',
  severity: 'halt',
  async find(source) {
    const findings: Finding[] = [];
    for (const table of source.tables) {
      for (const column of await refusing(source, table)) findings.push(finding(source, table, column));
    }
    return findings;
  },
};

/** PostgreSQL before 18 publishes no generated column, and never refuses a change for one. */
function refusing({ session, config }: CheckedSource, table: string): Promise<readonly Column[]> {
  return session.query<Column>(
    `SELECT a.attname AS name, a.attgenerated AS kind
       FROM pg_attribute a
       JOIN pg_class c ON c.oid = a.attrelid
       JOIN pg_namespace n ON n.oid = c.relnamespace
       JOIN pg_publication_tables p ON p.pubname = ? AND p.schemaname = n.nspname AND p.tablename = c.relname
      WHERE n.nspname || '.' || c.relname = ? AND c.relreplident = 'f' AND NOT a.attisdropped
        AND a.attgenerated <> '' AND a.attname <> ALL (p.attnames)
        AND current_setting('server_version_num')::int >= 180000
      ORDER BY a.attnum`,
    [config['publication.name'] ?? '', table],
  );
}

function finding({ config }: CheckedSource, table: string, { name, kind }: Column): Finding {
  return {
    table,
    text: `PostgreSQL refuses updates and deletions of its rows: REPLICA IDENTITY FULL holds the generated column "${name}", which is not published`,
    next:
      kind === 's'
        ? `as the publication's owner: ALTER PUBLICATION ${config['publication.name'] ?? ''} SET (publish_generated_columns = stored)`
        : `as the table's owner: ALTER TABLE ${table} REPLICA IDENTITY DEFAULT`,
  };
}
