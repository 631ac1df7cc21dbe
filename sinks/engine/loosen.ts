/**
 * Rows that hold each other's values: two that swap what must be unique, or that refer to each other. No order of single writes
 * lands them. So inside the transaction that writes them all, each row that is there first gives its value up for a spare one, and each
 * new row comes without what it refers to. No row is deleted, and no check is switched off. A target's triggers see the spare values.
 */
import type { SqlValue } from '../../core/target.ts';
import type { ColumnShape, Session, TableShape, Values } from '../dialects/dialect.ts';
import { column, countOf, pick } from '../dialects/values.ts';
import type { RowGroup } from './row-plan.ts';
import { sparesOf } from './spare-values.ts';

/** `way`: which of the possible spare values are tried. */
export type Loosening = { readonly way: number; readonly salt: number };

const WAYS_MAX = 12;

/** How many ways there are for rows of this table that write these columns. */
export function countOfWays(shape: TableShape, written: readonly string[]): number {
  const counts = looseIndexes(shape, written).map((columns) => optionsOf(shape, columns).length);
  return Math.min(WAYS_MAX, Math.max(1, ...counts));
}

export async function loosen(session: Session, groups: readonly RowGroup[], loosening: Loosening): Promise<void> {
  const written = groups.filter(({ kind, columns }) => kind !== 'remove' && columns.length > 0);
  const tables = new Set(written.map(({ shape }) => shape.table));
  const added: Added[] = [];
  for (const group of written) {
    const rows = await session.lookup(group.shape, { match: group.key, columns: [], lock: true });
    const there = new Set(rows.map(({ index }) => index));
    const all = Array.from({ length: countOf(group.key) }, (_, index) => index);
    await giveUp(
      session,
      group,
      all.filter((index) => there.has(index)),
      loosening,
    );
    const missing = all.filter((index) => !there.has(index));
    if (group.kind === 'upsert' && missing.length > 0) added.push(addedRows(group, missing, tables));
  }
  if (!added.some(({ isHollow }) => isHollow)) return;
  // those that refer to nothing yet, then those that can't do without what they refer to
  for (const isHollow of [true, false]) {
    for (const one of added) if (one.isHollow === isHollow) await session.insert(one.shape, one);
  }
}

/** One column of each unique index that these rows write. */
async function giveUp(
  session: Session,
  { shape, key, columns }: RowGroup,
  rows: readonly number[],
  { way, salt }: Loosening,
): Promise<void> {
  if (rows.length === 0) return;
  const names = columns.map((one) => one.column);
  for (const index of looseIndexes(shape, names)) {
    const options = optionsOf(shape, index);
    const option = options[Math.min(way, options.length - 1)];
    if (option === undefined) continue;
    const spares = rows.map((_, row) => option.spare(salt, row));
    const set = [column(option.column, spares)];
    await session.update(shape, { match: pick(key, rows), set, onlyIfDifferent: false });
  }
}

type Added = { readonly shape: TableShape; readonly columns: readonly Values[]; readonly isHollow: boolean };

/** New rows, with NULL where they refer to a table that is written with them. */
function addedRows(group: RowGroup, rows: readonly number[], tables: ReadonlySet<string>): Added {
  const { shape, key, columns, onInsert } = group;
  const references = new Set(
    shape.foreignKeys.filter(({ parent }) => tables.has(parent)).flatMap((one) => one.columns),
  );
  const isLoose = ({ column: name }: Values) => references.has(name) && shape.columns.get(name)?.nullable === true;
  const nulls = rows.map((): SqlValue => null);
  const hollow = columns.map((one) => (isLoose(one) ? column(one.column, nulls) : (pick([one], rows)[0] as Values)));
  return {
    shape,
    columns: [...pick(key, rows), ...hollow, ...pick(onInsert, rows)],
    isHollow: columns.some(isLoose),
  };
}

/** Written columns of each unique index that has some. */
function looseIndexes(shape: TableShape, written: readonly string[]): string[][] {
  return shape.uniqueIndexes
    .map(({ columns }) => columns.filter((name) => written.includes(name)))
    .filter((columns) => columns.length > 0);
}

type Option = { readonly column: string; readonly spare: (salt: number, row: number) => SqlValue };

/** Of every column its first choice, then of every column its second: NULL first, where a column takes it. */
function optionsOf(shape: TableShape, columns: readonly string[]): Option[] {
  const shapes = columns.map((name) => shape.columns.get(name)).filter((one): one is ColumnShape => one !== undefined);
  const referring = new Set(shape.foreignKeys.flatMap((one) => one.columns));
  const byColumn = shapes.map((one) => {
    const spares = sparesOf(one).map((spare) => ({ column: one.name, spare }));
    // only NULL refers to nothing
    return referring.has(one.name) ? spares.slice(0, one.nullable ? 1 : 0) : spares;
  });
  const nullableFirst = byColumn.toSorted((left, right) => rank(right, shape) - rank(left, shape));
  const longest = Math.max(0, ...nullableFirst.map((options) => options.length));
  return Array.from({ length: longest }, (_, turn) => nullableFirst.flatMap((options) => options[turn] ?? [])).flat();
}

function rank([first]: readonly Option[], shape: TableShape): number {
  return first !== undefined && shape.columns.get(first.column)?.nullable === true ? 1 : 0;
}
