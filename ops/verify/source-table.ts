/** What reading a source's table has in common for all kinds of database: names, and columns that nothing here can read. */
import type { ColumnValue, Row } from '../../core/change-event.ts';
import { formerNames, formerTable, isNamed } from '../../core/names.ts';
import { ContractError } from '../../core/errors.ts';

export type SourceColumn<Raw> = {
  readonly name: string;
  /** As people know it. */
  readonly type: string;
  /** undefined: what the connector makes of it is not known here. */
  readonly read: ((raw: Raw) => ColumnValue) | undefined;
};

/** A mapping may say the table's name as earlier versions spelled it. */
export function tableName(asked: string, present: readonly string[]): string {
  const dot = asked.indexOf('.');
  const name = asked.slice(dot + 1);
  if (present.includes(name)) return asked;
  const meant = present.filter((one) => formerTable(one) === name);
  return meant.length === 1 ? `${asked.slice(0, dot)}.${meant[0]}` : asked;
}

/** What mappings read of a table. */
export type NeededColumns = {
  readonly named: ReadonlySet<string>;
  /** Those without an alternative. */
  readonly required: ReadonlySet<string>;
};

export type RowMaker<Raw> = {
  /** To be selected, in this order. */
  readonly columns: readonly SourceColumn<Raw>[];
  readonly row: (values: readonly (Raw | null)[]) => Row;
};

/**
 * Columns without a reader are left out, as the connector leaves out what it doesn't know; one of them that is needed refuses the
 * table: a wrong reading would look like a difference, or hide one.
 */
export function rowMaker<Raw>(
  table: string,
  columns: readonly SourceColumn<Raw>[],
  { named, required }: NeededColumns,
): RowMaker<Raw> {
  if (columns.length === 0) throw tableMissing(table);
  const known = columns.filter(({ read }) => read !== undefined);
  const unread = columns.filter(({ name, read }) => read === undefined && isNamed(named, name));
  if (unread.length > 0) throw notReadable(table, unread);
  const former = formerNames(known.map(({ name }) => name));
  const aliases = new Set([...known.map(({ name }) => name), ...[...former].map(([alias]) => alias)]);
  const gone = [...required].filter((name) => !aliases.has(name));
  if (gone.length > 0) throw columnsGone(table, gone);
  return {
    columns: known,
    row: (values) => {
      const row: Record<string, ColumnValue> = {};
      known.forEach(({ name, read }, index) => {
        const raw = values[index] ?? null;
        row[name] = raw === null ? null : (read as (raw: Raw) => ColumnValue)(raw);
      });
      for (const [alias, name] of former) row[alias] = row[name] as ColumnValue;
      return row;
    },
  };
}

function tableMissing(table: string): ContractError {
  return new ContractError({
    code: 'TABLE_MISSING',
    message: `table ${table} is not there or not readable`,
    where: `table ${table}`,
    hint: 'compare connectors/<system>/setup.sql with the database',
  });
}

function columnsGone(table: string, columns: readonly string[]): ContractError {
  return new ContractError({
    code: 'COLUMN_GONE',
    message: `table ${table} is not compared: it has no column ${columns.join(', ')}, which the mapping reads`,
    where: `table ${table}`,
    hint: 'correct the mapping, or give the table its column back',
  });
}

function notReadable(
  table: string,
  columns: readonly SourceColumn<never>[] | readonly SourceColumn<unknown>[],
): ContractError {
  const told = columns.map(({ name, type }) => `"${name}" (${type})`).join(', ');
  return new ContractError({
    code: 'COLUMN_NOT_COMPARABLE',
    message: `table ${table} is not compared: nothing is known of how the connector sends ${told}`,
    where: `table ${table}`,
    hint: 'map a generated column of type text in its place, or leave the column out of the mapping; all types: docs/reference/value-fidelity.md',
  });
}
