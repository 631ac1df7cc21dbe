/** Rows and columns of the database in memory, and the errors that its sessions throw. */
import { RecordError, TransientError } from '../../core/errors.ts';
import type { SqlValue } from '../../core/target.ts';
import type { Values } from '../../sinks/dialects/dialect.ts';
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
export function dueKeys(parked: readonly Row[], until: string): SqlValue[][] {
  const byKey = Map.groupBy(parked, ({ entity, key }) => `${entity}\n${key}`);
  return [...byKey.values()]
    .filter((rows) => rows.some(({ next_try_at: time }) => typeof time === 'string' && time <= until))
    .map((rows) => {
      const [oldest] = rows.sort(({ id: left }, { id: right }) => Number(left) - Number(right)) as [Row, ...Row[]];
      const place = ['entity', 'key', 'topic', 'partition'].map((name) => oldest[name] ?? null);
      return [...place, rows.some(({ partition }) => partition !== oldest.partition)];
    });
}
