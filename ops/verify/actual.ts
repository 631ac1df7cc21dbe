/** What a target holds: its rows by plain SQL, and its ledger's live keys. */
import type { SqlValue, TargetTable } from '../../core/target.ts';
import type { ReadConnection } from './connection.ts';
import { openMariadbTarget } from './mariadb/target.ts';
import type { ColumnKind } from './normalise.ts';
import { openPostgresTarget } from './postgres/target.ts';

export type ColumnKinds = ReadonlyMap<string, ColumnKind>;

/** One open connection to a target, reading only. */
export interface TargetReader {
  kinds(table: string): Promise<ColumnKinds>;
  rows(table: string, columns: readonly string[]): AsyncGenerator<SqlValue[][]>;
  /** For a column of kind `own`: each value as the database itself prints it; one that its type doesn't take stays as it is. */
  spell(table: string, column: string, values: readonly string[]): Promise<readonly string[]>;
  /** Canonical keys that the ledger says are there. */
  liveKeys(entity: string): Promise<ReadonlySet<string>>;
  /** Local key → canonical key. */
  identities(entity: string): Promise<ReadonlyMap<string, string>>;
  parked(): Promise<ReadonlyMap<string, number>>;
  close(): Promise<void>;
}

export async function openTargetReader(connection: ReadConnection): Promise<TargetReader> {
  return connection.kind === 'postgres' ? openPostgresTarget(connection) : openMariadbTarget(connection);
}

export function columnsOf(table: TargetTable): { key: string[]; columns: string[] } {
  const key = table.assignedKey === undefined ? Object.keys(table.key) : [table.assignedKey.column];
  return { key, columns: Object.keys(table.columns) };
}
