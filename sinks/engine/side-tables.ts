import type { RawRecord } from './record.ts';
import type { TableShape } from '../dialects/dialect.ts';
import type { SIDE_TABLES } from '../dialects/dialect.ts';

/** Shapes of the side schema's tables, as found in the database. */
export type SideTables = { readonly [Name in keyof typeof SIDE_TABLES]: TableShape };

/** The row of `seam.applied`. */
export type LedgerRow = {
  readonly position: Uint8Array;
  readonly hash: Uint8Array;
  readonly deleted: boolean;
  readonly seamWrote: boolean;
  /** Of a shared entity: the record that was applied. */
  readonly raw: RawRecord | undefined;
};

/** The row of `seam.effect`: what a key has contributed to which total. */
export type EffectRow = { readonly groupKey: string; readonly amount: string };

/** Contents unknown or deleted. */
export const NO_HASH: Uint8Array = Buffer.alloc(0);

/** One key of one entity; an entity's name holds no line break. */
export function entityKey(entity: string, key: string): string {
  return `${entity}\n${key}`;
}
