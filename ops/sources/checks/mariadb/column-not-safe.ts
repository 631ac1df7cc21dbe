/** Columns whose values the connector changes silently: only an audit would find it afterwards. */
import type { Finding, SourceCheck } from '../check.ts';
import { isInList } from '../lists.ts';

/** Debezium reads the log's sjis by an encoder that has another character in the place of the backslash. */
const MANGLED_CHARACTER_SETS = ['sjis'];

type Column = { readonly place: string; readonly name: string; readonly characterSet: string };

export const columnNotSafe: SourceCheck = {
  id: 'COLUMN_NOT_SAFE',
  severity: 'halt',
  async find({ system, session, config }) {
    const found = await session.query<Column>(
      `SELECT CONCAT(table_schema, '.', table_name) AS place, column_name AS name, character_set_name AS characterSet
         FROM information_schema.columns
        WHERE character_set_name IN (${MANGLED_CHARACTER_SETS.map(() => '?').join(', ')})`,
      MANGLED_CHARACTER_SETS,
    );
    const isCaptured = isInList(config['table.include.list']);
    const isLeftOut = isInList(config['column.exclude.list']);
    const unsafe = found.filter(({ place, name }) => isCaptured(place) && !isLeftOut(`${place}.${name}`));
    return [...Map.groupBy(unsafe, ({ place }) => place)].map(([table, columns]) => notSafe(system, table, columns));
  },
};

function notSafe(system: string, table: string, columns: readonly Column[]): Finding {
  const names = columns.map(({ name, characterSet }) => `${table}.${name} (${characterSet})`);
  return {
    table,
    text: `the connector would change values of ${system} silently: ${names.join(', ')}`,
    next: `ask the database's owner for utf8mb4, or leave the column out with column.exclude.list in connectors/${system}/connector.json`,
  };
}
