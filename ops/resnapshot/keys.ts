/**
 * Which keys the canonical model holds of one entity: as its topic says, and as the ledgers of the targets say, for the time
 * when the topic itself was lost. One entry for each key that is there: about 200 bytes.
 */
import { createMetaCodec } from '../../adapters/avro/meta-codec.ts';
import { asBuffer } from '../../core/bytes.ts';
import type { Log } from '../../core/ports.ts';
import { comparePositions, type Position } from '../../core/position.ts';
import { readRange } from '../../core/log-range.ts';
import { META_HEADER } from '../../processors/codecs.ts';
import { TRUNCATE_KEY } from '../../processors/map-event.ts';
import type { ReadConnection } from '../verify/source-rows.ts';
import { openSource } from './source-session.ts';

export type HeldKey = { readonly position: Position; readonly isLive: boolean; readonly system: string | undefined };
export type HeldKeys = Map<string, HeldKey>;

export async function heldKeys(
  log: Log,
  topic: string,
  entity: string,
  targets: readonly ReadConnection[],
): Promise<HeldKeys> {
  const held = await keysOfTopic(log, topic);
  for (const target of targets) await addLedger(held, entity, target);
  return held;
}

/** Newest by position, whatever their order in the topic. */
export async function keysOfTopic(log: Log, topic: string, from?: ReadonlyMap<number, bigint>): Promise<HeldKeys> {
  const meta = createMetaCodec();
  const held: HeldKeys = new Map();
  let truncatedAt: Position | undefined;
  const admin = await log.admin();
  const bounds = await admin.bounds(topic).finally(() => admin.close());
  await readRange(log, {
    groupId: `seam-keys-${Math.random().toString(36).slice(2)}`,
    stretches: bounds.map(({ partition, earliest, latest }) => {
      return { topic, partition, from: from?.get(partition) ?? earliest, to: latest };
    }),
    records: (_, records) => {
      for (const { key, value, headers } of records) {
        const header = headers[META_HEADER];
        if (key === null || header === undefined) continue;
        const { position, system } = meta.decode(header);
        const name = asBuffer(key).toString('utf8');
        if (name === TRUNCATE_KEY) truncatedAt = newest(truncatedAt, position);
        else put(held, name, { position, isLive: value !== null, system });
      }
    },
  });
  if (truncatedAt !== undefined) {
    for (const [key, { position }] of held) if (comparePositions(position, truncatedAt) < 0) held.delete(key);
  }
  return held;
}

async function addLedger(held: HeldKeys, entity: string, target: ReadConnection): Promise<void> {
  const session = await openSource(target);
  const key = target.kind === 'postgres' ? 'key' : '`key`';
  try {
    const rows = await session.query<{ key: string; position: Uint8Array; deleted: boolean | number }>(
      `SELECT ${key}, position, deleted FROM seam.applied WHERE entity = ?`,
      [entity],
    );
    for (const row of rows) {
      if (row.key === TRUNCATE_KEY) continue;
      put(held, row.key, { position: row.position, isLive: !row.deleted, system: undefined });
    }
  } finally {
    await session.close();
  }
}

function put(held: HeldKeys, key: string, fresh: HeldKey): void {
  const known = held.get(key);
  const order = known === undefined ? 1 : comparePositions(fresh.position, known.position);
  if (order > 0 || (order === 0 && known?.system === undefined)) held.set(key, fresh);
}

function newest(left: Position | undefined, right: Position): Position {
  return left === undefined || comparePositions(right, left) > 0 ? right : left;
}
