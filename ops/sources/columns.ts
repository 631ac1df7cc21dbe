/** Columns whose values a connector changes without a word: refused before the first row, or only an audit would find it. */
import type { ConnectorConfig } from '../../adapters/connect-client.ts';
import { ContractError } from '../../core/errors.ts';
import { openSource } from '../resnapshot/source-session.ts';
import type { ReadConnection } from '../verify/source-rows.ts';

/** Debezium reads the log's sjis by an encoder that has another character in the place of the backslash. */
const MANGLED_CHARACTER_SETS = ['sjis'];

/** Of the tables that the connector captures, less those columns that it leaves out. undefined: all are safe. */
export async function checkColumns(
  system: string,
  connection: ReadConnection,
  config: ConnectorConfig,
): Promise<ContractError | undefined> {
  if (connection.kind !== 'mariadb') return undefined;
  const session = await openSource(connection);
  try {
    const found = await session.query<{ name: string; characterSet: string }>(
      `SELECT CONCAT(table_schema, '.', table_name, '.', column_name) AS name, character_set_name AS characterSet
         FROM information_schema.columns
        WHERE character_set_name IN (${MANGLED_CHARACTER_SETS.map(() => '?').join(', ')})`,
      MANGLED_CHARACTER_SETS,
    );
    const isCaptured = matches(config['table.include.list']);
    const isLeftOut = matches(config['column.exclude.list']);
    const unsafe = found.filter(({ name }) => isCaptured(name.slice(0, name.lastIndexOf('.'))) && !isLeftOut(name));
    return unsafe.length === 0 ? undefined : notSafe(system, unsafe);
  } finally {
    await session.close();
  }
}

/** Debezium's lists: regular expressions for whole names, by commas. */
function matches(list: string | undefined): (name: string) => boolean {
  const patterns = (list ?? '').split(',').filter((pattern) => pattern.trim() !== '');
  const expressions = patterns.map((pattern) => new RegExp(`^(?:${pattern.trim()})$`, 'i'));
  return (name) => expressions.some((expression) => expression.test(name));
}

function notSafe(system: string, columns: readonly { name: string; characterSet: string }[]): ContractError {
  const names = columns.map(({ name, characterSet }) => `${name} (${characterSet})`);
  return new ContractError({
    code: 'COLUMN_NOT_SAFE',
    message: `the connector would change values of ${system} without a word: ${names.join(', ')}`,
    where: `source ${system}`,
    hint: `ask the database's owner for utf8mb4, or leave the column out with column.exclude.list in connectors/${system}/connector.json`,
  });
}
