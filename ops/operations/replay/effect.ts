/** What came, or would come, of records that were written once more. */
import { z } from 'zod';
import type { Written } from '../../../sinks/engine/transaction.ts';

const Count = z.int().min(0);

export const Effect = z.strictObject({
  /** Records given to the target: of each key the newest of the range. */
  records: Count,
  inserted: Count,
  updated: Count,
  deleted: Count,
  /** The target holds this very record, or is given a newer one of its key in the same transaction. */
  unchanged: Count,
  /** The target holds a newer one. */
  newer: Count,
  /** The target's own news. */
  own: Count,
  /** By reason code: waits, or a dead letter. */
  setAside: z.record(z.string(), Count),
});
export type Effect = z.infer<typeof Effect>;

export function noEffect(): Effect {
  return {
    records: 0,
    inserted: 0,
    updated: 0,
    deleted: 0,
    unchanged: 0,
    newer: 0,
    own: 0,
    setAside: {},
  };
}

export function effectOf(records: number, { counts, parks }: Written): Effect {
  const setAside: Record<string, number> = {};
  for (const { code } of parks) setAside[code] = (setAside[code] ?? 0) + 1;
  return {
    records,
    inserted: counts.inserted,
    updated: counts.applied - counts.inserted,
    deleted: counts.deleted,
    unchanged: counts.unchanged + counts.superseded,
    newer: counts.stale,
    own: counts.own,
    setAside,
  };
}

export function addEffects(left: Effect, right: Effect): Effect {
  const setAside = { ...left.setAside };
  for (const [code, count] of Object.entries(right.setAside)) setAside[code] = (setAside[code] ?? 0) + count;
  return {
    records: left.records + right.records,
    inserted: left.inserted + right.inserted,
    updated: left.updated + right.updated,
    deleted: left.deleted + right.deleted,
    unchanged: left.unchanged + right.unchanged,
    newer: left.newer + right.newer,
    own: left.own + right.own,
    setAside,
  };
}

/** Rows of the target that are made, changed or taken away. */
export function changedRows({ inserted, updated, deleted }: Effect): number {
  return inserted + updated + deleted;
}
