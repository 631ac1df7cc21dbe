/**
 * Keys that a table holds and the canonical model does not, although the connector has read beyond a mark that was left after: rows
 * that no snapshot read. The order makes it safe beside traffic:
 *
 *   keys of the source by plain SQL → mark → the processors have done all in front of it → keys held
 *
 * A row that was deleted in between is held as deleted, which is known too. Rows that the mapping refuses or leaves out are no keys.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { type EntityDescription, keyText } from '../../core/canonical-record.ts';
import type { Row } from '../../core/change-event.ts';
import { TransientError } from '../../core/errors.ts';
import { type CanonicalMapping, type Lookups, Refusal } from '../../core/mapping.ts';
import { rawTopic } from '../../processors/topics.ts';
import { type ReadConnection, sourceRows } from '../verify/source-rows.ts';
import { heldKeys } from './keys.ts';
import type { SourceSession } from './source-session.ts';
import { passMark, type Watch } from './watch.ts';

export type KeyComparison = {
  readonly watch: Watch;
  readonly session: SourceSession;
  readonly source: ReadConnection;
  /** Consumer group of the first stage. */
  readonly groupId: string;
  readonly table: string;
  readonly mapping: CanonicalMapping;
  readonly description: EntityDescription;
  readonly lookups: Lookups;
  /** Databases whose ledgers know the entity. */
  readonly targets: readonly ReadConnection[];
};

const CAUGHT_UP_MS_MAX = 60_000;
const POLL_MS = 200;

/** How many keys were never read. */
export async function countUnreadKeys(comparison: KeyComparison): Promise<number> {
  const { watch, session, table, description, targets } = comparison;
  const present = await keysOf(comparison);
  await passMark(watch, session, 'seam-compare');
  await awaitProcessors(watch, rawTopic(watch.system, table), comparison.groupId);
  const held = await heldKeys(watch.log, description.topic, description.entity, targets);
  return [...present].filter((key) => !held.has(key)).length;
}

async function keysOf({ source, table, mapping, description, lookups }: KeyComparison): Promise<ReadonlySet<string>> {
  const keys = new Set<string>();
  for await (const rows of sourceRows(source, table)) {
    for (const row of rows) {
      const key = keyOf(row, mapping, description, lookups);
      if (key !== undefined) keys.add(key);
    }
  }
  return keys;
}

/** undefined: the row has no canonical record. */
function keyOf(row: Row, mapping: CanonicalMapping, { key }: EntityDescription, lookups: Lookups): string | undefined {
  if (mapping.where !== undefined && !mapping.where(row)) return undefined;
  try {
    for (const field of Object.values(mapping.fields)) field.read(row, lookups);
    return keyText(key.map((name) => mapping.key[name]?.read(row, lookups) as string));
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

async function awaitProcessors({ log, signal }: Watch, topic: string, groupId: string): Promise<void> {
  const admin = await log.admin();
  const deadlineMs = Date.now() + CAUGHT_UP_MS_MAX;
  try {
    const ends = await admin.bounds(topic);
    for (;;) {
      signal.throwIfAborted();
      const committed = await admin.committedOffsets(groupId, [topic]);
      const done = new Map(committed.map(({ partition, offset }) => [partition, offset]));
      if (ends.every(({ partition, latest }) => latest === 0n || (done.get(partition) ?? 0n) >= latest)) return;
      if (Date.now() > deadlineMs) throw processorsBehind(topic);
      await pause(POLL_MS, undefined, { signal });
    }
  } finally {
    await admin.close();
  }
}

function processorsBehind(topic: string): TransientError {
  return new TransientError({
    code: 'PROCESSORS_BEHIND',
    message: `the processors have not translated ${topic} to its end after ${CAUGHT_UP_MS_MAX / 1_000} s`,
    where: topic,
    hint: 'start them: seam run processors; then run the same command again',
  });
}
