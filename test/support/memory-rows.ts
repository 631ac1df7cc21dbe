/** Rows and columns of the database in memory, and the errors that its sessions throw. */
import { RecordError, TransientError } from '../../core/errors.ts';
import type { SqlValue } from '../../core/target.ts';
import type { FoundRow, StatementName, Values } from '../../sinks/dialects/dialect.ts';
import type { Row, Table } from './memory-database.ts';

/** What a transaction has written; undefined: the row is gone. */
export type Overlay = Map<Table, Map<string, Row | undefined>>;

export function at(columns: readonly Values[], index: number): Record<string, SqlValue> {
  const row: Record<string, SqlValue> = {};
  for (const { column, values } of columns) row[column] = values[index] ?? null;
  return row;
}

export function holds(row: Row, columns: readonly Values[], index: number): boolean {
  for (const { column, values } of columns) if (!same(row[column] ?? null, values[index] ?? null)) return false;
  return true;
}

/** As `holds`; key columns compare as the table's key does. */
export function holdsKey({ definition }: Table, row: Row, columns: readonly Values[], index: number): boolean {
  const { key, folds } = definition;
  if (folds === undefined) return holds(row, columns, index);
  return columns.every(({ column, values }) => {
    const [held, asked] = [row[column] ?? null, values[index] ?? null];
    return key.includes(column) ? same(folds(held), folds(asked)) : same(held, asked);
  });
}

export function same(left: SqlValue, right: SqlValue): boolean {
  if (left instanceof Uint8Array && right instanceof Uint8Array) return Buffer.compare(left, right) === 0;
  return left === right;
}

export function copyOf(overlay: Overlay): Overlay {
  return new Map([...overlay].map(([table, rows]) => [table, new Map(rows)]));
}

export function refused(message: string): RecordError {
  return new RecordError({ code: 'TARGET_REFUSED', message });
}

export function lost(): TransientError {
  return new TransientError({ code: 'TARGET_UNREACHABLE', message: 'connection lost' });
}

/** Keys of which a parked record is due: place of the oldest, and whether others lie elsewhere. */
function dueKeys(parked: readonly Row[], until: string): SqlValue[][] {
  const byKey = Map.groupBy(parked, ({ entity, key }) => `${entity}\n${key}`);
  return [...byKey.values()]
    .filter((rows) => rows.some(({ next_try_at: time }) => typeof time === 'string' && time <= until))
    .map((rows) => {
      const [oldest] = rows.sort(({ id: left }, { id: right }) => Number(left) - Number(right)) as [Row, ...Row[]];
      const place = ['entity', 'key', 'topic', 'partition'].map((name) => oldest[name] ?? null);
      return [...place, rows.some(({ partition }) => partition !== oldest.partition)];
    });
}

/** Keys of the ledger's entity older than a position, as `statements.ts` of the dialects says. */
function liveKeys(ledger: readonly Row[], [entity, position, after, limit]: readonly SqlValue[]): SqlValue[][] {
  const rows = ledger
    .filter((row) => row.entity === entity && row.deleted === false)
    .filter((row) => Buffer.compare(row.position as Uint8Array, position as Uint8Array) < 0)
    .filter((row) => (row.key as string) > String(after))
    .sort((left, right) => ((left.key as string) < (right.key as string) ? -1 : 1));
  return rows.slice(0, Number(limit)).map((row) => [row.key ?? null, row.position ?? null, row.source_table ?? null]);
}

function parkedKeys(parked: readonly Row[], [entity, after, limit]: readonly SqlValue[]): SqlValue[][] {
  const keys = parked.filter((row) => row.entity === entity).map(({ key }) => key as string);
  return [...new Set(keys)]
    .filter((key) => key > String(after))
    .sort()
    .slice(0, Number(limit))
    .map((key) => [key]);
}

/** `values` of the columns of `match`, in their order. */
export function isAsAsked({ index, values }: FoundRow, match: readonly Values[]): boolean {
  return match.every((one, place) => one.values[index] === values[place]);
}

/** What a statement of `StatementName` answers that only reads. */
export function answerOf(
  statement: Exclude<StatementName, 'takeLease'>,
  rowsOf: (table: string) => Row[],
  parameters: readonly SqlValue[],
): SqlValue[][] {
  switch (statement) {
    case 'dueParked':
      return dueKeys(rowsOf('seam.parked'), String(parameters[0]));
    case 'parkedCounts': {
      const parked = rowsOf('seam.parked');
      const waiting = parked.filter((row) => row.next_try_at !== null).length;
      const behind = parked.filter((row) => row.next_try_at === null && row.reason_code === 'KEY_PARKED').length;
      return [[waiting, parked.length - waiting - behind, behind]];
    }
    case 'liveKeys':
      return liveKeys(rowsOf('seam.applied'), parameters);
    case 'parkedKeys':
      return parkedKeys(rowsOf('seam.parked'), parameters);
    case 'rowOwners':
      return rowsOf('seam.row_owner').some(({ entity }) => entity === parameters[0]) ? [[1]] : [];
    case 'pruneEcho':
    case 'checkConstraints':
      return [];
  }
}
