import type { Row } from '../../../core/change-event.ts';
import { partsOf, quoteName, quoteTable } from '../../../core/databases/postgres.ts';
import type { ReadConnection } from '../connection.ts';
import { type NeededColumns, rowMaker, type SourceColumn, tableName } from '../source-table.ts';
import { columnsOf, tablesOf } from './catalogue.ts';
import { openPostgres, texts } from './session.ts';
import { readerOf } from './values.ts';

export async function* postgresRows(
  connection: ReadConnection,
  asked: string,
  needed: NeededColumns,
): AsyncGenerator<Row[]> {
  const client = await openPostgres(connection);
  try {
    const [schema] = partsOf(asked, 'public');
    const table = tableName(asked, await tablesOf(client, schema));
    const columns = (await columnsOf(client, table)).map(({ name, type }): SourceColumn<string> => {
      const read = readerOf(type);
      return { name, type: type.item === undefined ? type.name : `${type.item.name}[]`, read };
    });
    const maker = rowMaker(asked, columns, needed);
    const names = maker.columns.map(({ name }) => quoteName(name)).join(', ');
    const quoted = quoteTable(table);
    const place = { table: asked, quoted, user: connection.user };
    for await (const rows of texts(client, `SELECT ${names} FROM ${quoted}`, place)) yield rows.map(maker.row);
  } finally {
    await client.end();
  }
}
