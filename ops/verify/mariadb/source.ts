import type { Row } from '../../../core/change-event.ts';
import { partsOf, quoteName, quoteTable } from '../../../core/databases/mariadb.ts';
import type { ReadConnection } from '../connection.ts';
import { type NeededColumns, rowMaker, tableName } from '../source-table.ts';
import { columnsOf, openMariadb, rawRows, tablesOf } from './session.ts';
import { readerOf } from './values.ts';

export async function* mariadbRows(
  connection: ReadConnection,
  asked: string,
  needed: NeededColumns,
): AsyncGenerator<Row[]> {
  const client = await openMariadb(connection);
  try {
    const [database] = partsOf(asked, connection.database);
    const table = tableName(asked, await tablesOf(client, database));
    const columns = await columnsOf(client, table, database);
    const described = columns.map(({ name, type }) => ({ name, type: type.columnType, read: readerOf(type) }));
    const maker = rowMaker(asked, described, needed);
    const names = maker.columns.map(({ name }) => quoteName(name)).join(', ');
    for await (const rows of rawRows(client, `SELECT ${names} FROM ${quoteTable(table)}`)) yield rows.map(maker.row);
  } finally {
    await client.end();
  }
}
