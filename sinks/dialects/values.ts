/** Sets of rows, column by column. */
import type { SqlValue } from '../../core/target.ts';
import type { Values } from './dialect.ts';

export function column(name: string, values: readonly SqlValue[]): Values {
  return { column: name, values };
}

/** Rows. */
export function countOf(columns: readonly Values[]): number {
  return columns[0]?.values.length ?? 0;
}

/** The rows at these indexes, which rise. */
export function pick(columns: readonly Values[], rows: readonly number[]): readonly Values[] {
  return rows.length === countOf(columns) ? columns : columns.map((one) => pickOne(one, rows));
}

export function pickOne({ column, values }: Values, rows: readonly number[]): Values {
  return { column, values: rows.map((row) => values[row] as SqlValue) };
}
