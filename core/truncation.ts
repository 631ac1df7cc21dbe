/**
 * A truncation takes away what one table said of an entity, and nothing that another table said. It travels as a record of its own:
 *
 * | key                           | takes                                                        | sent where                                       |
 * |-------------------------------|--------------------------------------------------------------|--------------------------------------------------|
 * | `\truncate`                   | every key of the entity                                      | one table alone feeds the entity                 |
 * | `\truncate <system>`          | keys that this system said last                              | the entity is shared by systems                  |
 * | `\truncate <system> <table>`  | keys of which this table said the newest record (`RecordMeta.table`) | several tables of the system feed the entity     |
 */
import type { RecordMeta } from './canonical-record.ts';
import { comparePositions, isStamp, isStampOf, type Position } from './position.ts';

/** `keyText` never begins so: there a backslash escapes. */
export const TRUNCATE_KEY = '\\truncate';
const SCOPED = `${TRUNCATE_KEY} `;

type Origin = Pick<RecordMeta, 'system' | 'table'>;

/** Position of the newest truncation, by its key. */
export type Truncations = ReadonlyMap<string, Position>;

export function isTruncation(key: string): boolean {
  return key.startsWith('\\') && (key === TRUNCATE_KEY || key.startsWith(SCOPED));
}

export function scopedTruncateKey({ system, table }: Origin): string {
  return table === undefined ? `${SCOPED}${system}` : `${SCOPED}${system} ${table}`;
}

/** The truncation that can take this record away beside `\truncate`; undefined: no other. */
export function scopedTruncationOf({ system, table, position }: Origin & Pick<RecordMeta, 'position'>) {
  return table === undefined && !isStamp(position) ? undefined : scopedTruncateKey({ system, table });
}

/** Said before its table was truncated. */
export function isTruncated(truncations: Truncations, meta: RecordMeta): boolean {
  if (truncations.size === 0) return false;
  const isBefore = (at: Position | undefined) => at !== undefined && comparePositions(meta.position, at) < 0;
  const scoped = scopedTruncationOf(meta);
  return isBefore(truncations.get(TRUNCATE_KEY)) || (scoped !== undefined && isBefore(truncations.get(scoped)));
}

/** `unknown`: what wrote the row did not say from which table it came, so it may be one of this table or of another. */
export type TruncationReach = 'taken' | 'left' | 'unknown';

/** What a truncation by `origin` under `key` does with a row of the ledger. */
export function reachOf(
  key: string,
  origin: Origin,
  row: { readonly position: Position; readonly table: string | undefined },
): TruncationReach {
  if (key === TRUNCATE_KEY) return 'taken';
  if (isStamp(row.position) && !isStampOf(row.position, origin.system)) return 'left';
  if (origin.table === undefined || row.table === origin.table) return 'taken';
  return row.table === undefined ? 'unknown' : 'left';
}
