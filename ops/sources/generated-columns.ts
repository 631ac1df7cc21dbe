/**
 * Generated columns of PostgreSQL that no mapping reads. The log tells none of them, or stored ones alone, while tables and result sets
 * have all: Debezium 3.7.0 cannot read such a table again ("column not found in result set"), and fails in its stream afterwards. So
 * the connector leaves them out.
 */
import type { ConnectorConfig } from '../../adapters/connect-client.ts';
import type { SourceMapping } from '../../core/mapping.ts';

import type { SourceSession } from '../resnapshot/source-session.ts';
import { columnsRead, nameIn } from './checks/columns.ts';
import { isInList } from './checks/lists.ts';
import { messageKey } from './checks/message-key.ts';

export type GeneratedColumn = { readonly table: string; readonly column: string };

/** `schema.table` and column, sorted; of every table, the key's left out. */
export async function generatedColumns(session: SourceSession): Promise<GeneratedColumn[]> {
  if (session.kind !== 'postgres') return [];
  // before version 12 the catalogue has no such field, and tables no such columns
  return session.query<GeneratedColumn>(
    `SELECT n.nspname || '.' || c.relname AS "table", a.attname AS "column"
       FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
        AND coalesce(to_jsonb(a) ->> 'attgenerated', '') <> ''
        AND NOT EXISTS (SELECT 1 FROM pg_index i
                         WHERE i.indrelid = c.oid AND (i.indisprimary OR i.indisreplident) AND a.attnum = ANY (i.indkey))
      ORDER BY 1, 2`,
  );
}

/** Those that this mapping reads: such a table is read whole by a first snapshot only. */
export async function generatedAndMapped(
  session: SourceSession,
  mapping: SourceMapping,
  tables: readonly string[],
): Promise<GeneratedColumn[]> {
  const found = (await generatedColumns(session)).filter(({ table }) => tables.includes(table));
  return found.filter((one) => isMapped(mapping, one));
}

/** `column.exclude.list` with every generated column of a captured table that the mapping does not read. */
export async function withoutGenerated(
  session: SourceSession,
  mapping: SourceMapping,
  config: ConnectorConfig,
): Promise<ConnectorConfig> {
  const isCaptured = isInList(config['table.include.list']);
  const isKey = ({ table, column }: GeneratedColumn) => messageKey(config, table)?.includes(column) === true;
  const left = (await generatedColumns(session)).filter(
    (one) => isCaptured(one.table) && !isMapped(mapping, one) && !isKey(one),
  );
  if (left.length === 0) return config;
  const own = config['column.exclude.list'];
  const added = left.map(({ table, column }) => pattern(`${table}.${column}`));
  return { ...config, 'column.exclude.list': [...(own === undefined || own === '' ? [] : [own]), ...added].join(',') };
}

function isMapped(mapping: SourceMapping, { table, column }: GeneratedColumn): boolean {
  return columnsRead(mapping, table).some((read) => nameIn([column], read) !== undefined);
}

/** Debezium's list holds regular expressions, separated by commas. */
function pattern(name: string): string {
  return name.replaceAll(/[\\^$*+?()[\]{}|.,]/g, '\\$&');
}
