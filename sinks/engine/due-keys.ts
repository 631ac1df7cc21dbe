/** Keys whose parked records are to be tried again. */
import type { TopicPartition } from '../../core/ports.ts';
import type { Session } from '../dialects/dialect.ts';
import { timeText } from './execute.ts';
import type { SinkSettings } from './settings.ts';
import { entityKey } from './side-tables.ts';

export const END_OF_TIME_MS = Date.UTC(9999, 0);

/** The place is the oldest record's. */
export type DueKey = TopicPartition & {
  readonly entity: string;
  readonly key: string;
  readonly isAcross: boolean;
  /** It waits for a unique value. */
  readonly isHeld: boolean;
  /** It waits for a row. */
  readonly isChild: boolean;
};

export async function dueKeys(session: Session, untilMs: number, keysMax: number): Promise<DueKey[]> {
  const rows = await session.run('dueParked', [timeText(untilMs), keysMax]);
  return rows.map(([entity, key, topic, partition, isAcross, isHeld, isChild]) => ({
    entity: entity as string,
    key: key as string,
    topic: topic as string,
    partition: Number(partition),
    isAcross: Boolean(isAcross),
    isHeld: Boolean(isHeld),
    isChild: Boolean(isChild),
  }));
}

/**
 * Keys of other owners that may only land together with these: they wait for a unique value of the same table, or refer to
 * each other (`circular`).
 */
export async function dueTogether(
  session: Session,
  own: readonly DueKey[],
  circular: ReadonlySet<string>,
  { parkedRecordsMax, batchRecordsMax }: SinkSettings,
): Promise<DueKey[]> {
  const held = new Set(own.flatMap(({ entity, isHeld }) => (isHeld ? [entity] : [])));
  const hasChild = own.some(({ entity, isChild }) => isChild && circular.has(entity));
  if (held.size === 0 && !hasChild) return [];
  const names = new Set(own.map(({ entity, key }) => entityKey(entity, key)));
  const all = await dueKeys(session, END_OF_TIME_MS, parkedRecordsMax);
  const together = all.filter(
    ({ entity, key, isHeld, isChild }) =>
      !names.has(entityKey(entity, key)) &&
      ((isHeld && held.has(entity)) || (isChild && hasChild && circular.has(entity))),
  );
  return together.slice(0, batchRecordsMax);
}
