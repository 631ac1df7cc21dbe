/**
 * Reads a source's tables by plain SQL, apart from every part of the pipeline, into the same column values that change
 * events carry (core/change-event.ts). What verify compares targets with, and what a sweep takes for the keys that are there.
 */
import type { Row } from '../../core/change-event.ts';
import type { CanonicalMapping } from '../../core/mapping.ts';
import type { ReadConnection } from './connection.ts';
import type { NeededColumns } from './source-table.ts';
import { mariadbRows } from './mariadb/source.ts';
import { postgresRows } from './postgres/source.ts';

export type { ReadConnection } from './connection.ts';

const NOTHING: NeededColumns = { named: new Set(), required: new Set() };

/**
 * Rows of `<schema>.<table>` in chunks; nothing is locked and no more than one chunk is held. A column that nothing here can read is not
 * in the rows; one that is `needed` is a ContractError COLUMN_NOT_COMPARABLE, or COLUMN_GONE. ContractError TABLE_MISSING, READ_REFUSED, ROWS_HIDDEN.
 */
export function sourceRows(
  connection: ReadConnection,
  table: string,
  needed: NeededColumns = NOTHING,
): AsyncGenerator<Row[]> {
  return connection.kind === 'postgres'
    ? postgresRows(connection, table, needed)
    : mariadbRows(connection, table, needed);
}

/** Columns that mappings declare to read. */
export function neededBy(mappings: readonly CanonicalMapping[]): NeededColumns {
  const fields = mappings.flatMap(({ key, fields }) => [...Object.values(key), ...Object.values(fields)]);
  const required = new Set(fields.flatMap(({ columns }) => columns));
  return { named: new Set([...required, ...fields.flatMap(({ anyOf = [] }) => anyOf)]), required };
}
