/** Tables whose rows in the log have more columns than the connector knows: the first streamed row stops it, and with it the whole source. */
import { partsOf, quoteName } from '../../../../core/databases/mariadb.ts';
import type { CheckedSource, Finding, SourceCheck } from '../check.ts';

export const tableShapes: SourceCheck = {
  id: 'TABLE_SHAPE_UNREADABLE',
  severity: 'halt',
  find: async (source) => [...(await versioned(source)), ...(await hashed(source)), ...(await unreadTypes(source))],
};

/** Types in whose declaration the connector finds no SQL. */
const UNREAD_TYPES = ['inet4', 'inet6', 'vector'];

async function versioned({ session, tables }: CheckedSource): Promise<Finding[]> {
  const rows = await session.query<{ name: string }>(
    `SELECT CONCAT(table_schema, '.', table_name) AS name FROM information_schema.tables WHERE table_type = 'SYSTEM VERSIONED'`,
  );
  return onlyOf(tables, rows).map(({ table }) => ({
    table,
    text: 'it keeps its history (WITH SYSTEM VERSIONING), in two columns that the connector does not know: its first change stops the source',
    next: `the database's owner drops system versioning of ${table}, or ${leaveOut(table)}`,
  }));
}

/** A unique key over a TEXT or BLOB column has a hidden column with a hash. */
async function hashed({ session, tables }: CheckedSource): Promise<Finding[]> {
  const rows = await session.query<{ name: string; key: string }>(
    `SELECT DISTINCT CONCAT(s.table_schema, '.', s.table_name) AS name, s.index_name AS \`key\`
       FROM information_schema.statistics s
       JOIN information_schema.tables t ON t.table_schema = s.table_schema AND t.table_name = s.table_name
      WHERE s.index_type = 'HASH' AND s.non_unique = 0 AND t.engine <> 'MEMORY'`,
  );
  return onlyOf(tables, rows).map(({ table, key }) => ({
    table,
    text: `its unique key ${key} has a hidden column, which the connector does not know: its first change stops the source`,
    next: `the database's owner makes ${quoteName(key)} unique over a prefix of the column (UNIQUE (column(255))), or ${leaveOut(table)}`,
  }));
}

async function unreadTypes({ session, tables }: CheckedSource): Promise<Finding[]> {
  const rows = await session.query<{ name: string; column: string; type: string }>(
    `SELECT CONCAT(table_schema, '.', table_name) AS name, column_name AS \`column\`, data_type AS type
       FROM information_schema.columns WHERE data_type IN (${UNREAD_TYPES.map(() => '?').join(', ')})`,
    UNREAD_TYPES,
  );
  return onlyOf(tables, rows).map(({ table, column, type }) => ({
    table,
    text: `its column ${column} is of type ${type}, which the connector cannot read: it does not start`,
    next: `the database's owner gives ${column} another type, VARCHAR(45) for example, or ${leaveOut(table)}`,
  }));
}

function onlyOf<T extends { name: string }>(tables: readonly string[], rows: readonly T[]): (T & { table: string })[] {
  return rows.flatMap((row) => {
    const table = tables.find((one) => one === row.name);
    return table === undefined ? [] : { ...row, table };
  });
}

function leaveOut(table: string): string {
  return `leave ${partsOf(table, '')[1]} out of the mapping and of table.include.list`;
}
