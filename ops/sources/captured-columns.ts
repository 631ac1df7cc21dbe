import type { ConnectorConfig } from '../../adapters/connect-client.ts';
import type { SourceSession } from '../resnapshot/source-session.ts';
import { isInList } from './checks/lists.ts';

/** By `<schema>.<table>`: the columns of what a connector captures, less those that it leaves out. */
export async function capturedColumns(
  session: SourceSession,
  config: ConnectorConfig,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const rows = await session.query<{ t: string; c: string }>(
    `SELECT CONCAT(table_schema, '.', table_name) AS t, column_name AS c FROM information_schema.columns`,
  );
  const isCaptured = isInList(config['table.include.list']);
  const isLeftOut = isInList(config['column.exclude.list']);
  const captured = rows.filter(({ t, c }) => isCaptured(t) && !isLeftOut(`${t}.${c}`));
  return new Map([...Map.groupBy(captured, ({ t }) => t)].map(([table, found]) => [table, found.map(({ c }) => c)]));
}
