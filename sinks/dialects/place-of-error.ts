/** Where a statement failed: names of the database's own catalogue, never a value. */
import { SIDE_TABLES, type TableShape } from './dialect.ts';

/** As the database named them. */
export type ErrorNames = {
  readonly table?: string | undefined;
  readonly column?: string | undefined;
  readonly constraint?: string | undefined;
};

export function placeText(names: ErrorNames, shape: TableShape | undefined, kind: string): string {
  const { column, constraint } = names;
  const table = names.table ?? shape?.table;
  const parts = [
    table,
    column === undefined ? undefined : `column ${column}`,
    constraint === undefined ? undefined : constraintText(constraint, shape?.table === table ? shape : undefined),
  ];
  return parts.filter((part) => part !== undefined).join(', ') || kind;
}

function constraintText(name: string, shape: TableShape | undefined): string {
  const index = shape?.uniqueIndexes.find((one) => one.name === name);
  if (index !== undefined) return `unique index ${name} (${index.columns.join(', ')})`;
  const reference = shape?.foreignKeys.find((one) => one.name === name);
  if (reference !== undefined) return `foreign key ${name} (${reference.columns.join(', ')}) to ${reference.parent}`;
  return `constraint ${name}`;
}

const SIDE = new Set<string>(Object.values(SIDE_TABLES));

/** The table that stops alone; without the side schema nothing can be written. */
export function haltedTable(shape: TableShape | undefined): string | undefined {
  return shape === undefined || SIDE.has(shape.table) ? undefined : shape.table;
}
