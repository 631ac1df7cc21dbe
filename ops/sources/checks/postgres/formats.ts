/** How the sessions of the capture user print values, where the log and a snapshot carry a value as that text. */
import { PINNED_SETTINGS } from '../../../../core/databases/postgres.ts';
import { mappedColumns, nameIn } from '../columns.ts';
import type { CheckedSource, SourceCheck } from '../check.ts';
import { MAPPED_TABLES, wanted } from './captured.ts';

/** Setting → types whose text depends on it. The driver pins the others itself for every session. */
const TYPES: Readonly<Record<string, readonly string[]>> = {
  intervalstyle: ['interval'],
  extra_float_digits: ['real', 'double precision', 'point', 'line', 'lseg', 'box', 'path', 'polygon', 'circle'],
  bytea_output: ['bytea'],
  lc_monetary: ['money'],
};

type Column = { readonly table: string; readonly name: string; readonly type: string };

export const formatsDiffer: SourceCheck = {
  id: 'FORMATS_DIFFER',
  severity: 'halt',
  losesChanges: true,
  async find(source) {
    const { system, session } = source;
    const settings = await session.query<{ name: string; setting: string; user: string }>(
      `SELECT lower(name) AS name, setting, current_user AS "user" FROM pg_settings WHERE lower(name) IN (SELECT json_array_elements_text(?::json))`,
      [JSON.stringify(Object.keys(TYPES))],
    );
    const wrong = settings.filter(({ name, setting }) => !isRight(name, setting));
    if (wrong.length === 0) return [];
    const columns = await columnsOfTypes(
      source,
      wrong.flatMap(({ name }) => TYPES[name] ?? []),
    );
    const byTable = Map.groupBy(columns, ({ table }) => table);
    return [...byTable].map(([table, own]) => {
      const concerned = wrong.filter(({ name }) => own.some(({ type }) => TYPES[name]?.includes(type)));
      const told = concerned.map(({ name, setting }) => `${name} = ${setting}, not ${PINNED_SETTINGS[name]}`);
      return {
        table,
        text: `sessions of ${concerned[0]?.user} print ${own.map(({ name }) => name).join(', ')} of ${table} in another form: ${told.join('; ')}`,
        next: `seam setup apply ${system} --yes; then, since sessions that run keep what they have: seam connectors recover ${system} --yes`,
      };
    });
  },
};

/** 1 and more print the shortest text that is exact. */
function isRight(name: string, setting: string): boolean {
  return name === 'extra_float_digits' ? Number(setting) >= 1 : setting === PINNED_SETTINGS[name];
}

/** Of those that the mapping reads; an array or a domain prints as what it is made of. */
async function columnsOfTypes(source: CheckedSource, types: readonly string[]): Promise<Column[]> {
  const columns = await source.session.query<Column>(
    `WITH RECURSIVE used AS (
       SELECT w.name AS "table", a.attname AS name, a.atttypid AS type
         FROM ${MAPPED_TABLES} JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
       UNION
       SELECT u."table", u.name, CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.typelem END
         FROM used u JOIN pg_type t ON t.oid = u.type WHERE t.typtype = 'd' OR t.typcategory = 'A')
     SELECT "table", name, format_type(type, NULL) AS type FROM used
      WHERE format_type(type, NULL) IN (SELECT json_array_elements_text(?::json)) ORDER BY 1, 2`,
    [wanted(source), JSON.stringify(types)],
  );
  return columns.filter(({ table, name }) =>
    mappedColumns(source, table).some((one) => nameIn([name], one) !== undefined),
  );
}
