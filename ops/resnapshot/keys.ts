/**
 * Which keys the canonical model holds of one entity: as its topic says, and as the ledgers of the targets say, for the time
 * when the topic itself was lost. One entry for each key that is there: about 200 bytes.
 */
import { createMetaCodec } from '../../adapters/avro/meta-codec.ts';
import { asBuffer } from '../../core/bytes.ts';
import type { RecordMeta } from '../../core/canonical-record.ts';
import type { Log } from '../../core/ports.ts';
import { comparePositions, type Position } from '../../core/position.ts';
import { readRange } from '../../core/log-range.ts';
import { isTruncation, reachOf } from '../../core/truncation.ts';
import { META_HEADER } from '../../processors/codecs.ts';
import type { ReadConnection } from '../verify/source-rows.ts';
import { openSource } from './source-session.ts';

export type HeldKey = {
  readonly position: Position;
  readonly isLive: boolean;
  readonly system: string | undefined;
  /** Only where several tables of a system feed the entity, and only since they are told apart. */
  readonly table: string | undefined;
};
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
  const truncations = new Map<string, RecordMeta>();
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
        const told = meta.decode(header);
        const name = asBuffer(key).toString('utf8');
        if (isTruncation(name)) noteNewest(truncations, name, told);
        else
          put(held, name, { position: told.position, isLive: value !== null, system: told.system, table: told.table });
      }
    },
  });
  for (const [name, by] of truncations) takeAway(held, name, by);
  return held;
}

/** Of a key whose table is not known the topic can't say whether it went: it stays held. */
function takeAway(held: HeldKeys, truncation: string, by: RecordMeta): void {
  for (const [key, one] of held) {
    const isTaken = comparePositions(one.position, by.position) < 0 && reachOf(truncation, by, one) === 'taken';
    if (isTaken && one.isLive) held.set(key, { ...one, isLive: false });
  }
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
      if (isTruncation(row.key)) continue;
      put(held, row.key, { position: row.position, isLive: !row.deleted, system: undefined, table: undefined });
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

function noteNewest(truncations: Map<string, RecordMeta>, name: string, meta: RecordMeta): void {
  const known = truncations.get(name);
  if (known === undefined || comparePositions(meta.position, known.position) > 0) truncations.set(name, meta);
}
