/**
 * Records of an earlier converter hide NULLs: Kafka Connect wrote the column's default in their place. Such a record says
 * nothing that can be trusted of that column; but where its key comes again later in the log, in a record whose NULLs were
 * kept or as a deletion, that later record is the whole truth of the row. So the rest of the partition is read once.
 */
import { readRange } from '../core/log-range.ts';
import type { Log, LogRecord, TopicPartition } from '../core/ports.ts';
import { keyIdOf } from './dead-letter.ts';

/** Does the key of this record come again, in a record that `isTrusted`? Asked of records that hide NULLs, seldom. */
export type SaidAgain = (
  place: TopicPartition,
  record: LogRecord,
  isTrusted: (value: Uint8Array) => boolean,
  loadSchemas: (records: readonly LogRecord[]) => Promise<void>,
) => Promise<boolean>;

/** By key: about 100 bytes each. Beyond this the answer is no, and the source is to be recovered. */
const KEYS_MAX = 2_000_000;

type Read = { upTo: bigint; readonly lastAt: Map<string, bigint> };

export function saidAgainIn(log: Log): SaidAgain {
  const known = new Map<string, Read>();
  let readings = 0;
  return async (place, record, isTrusted, loadSchemas) => {
    const { topic, partition } = place;
    const name = `${topic}/${partition}`;
    const keyId = keyIdOf(record.key);
    if (keyId === undefined) return false;
    const read: Read = known.get(name) ?? { upTo: record.offset + 1n, lastAt: new Map() };
    known.set(name, read);
    if ((read.lastAt.get(keyId) ?? -1n) > record.offset) return true;
    const to = await endOf(log, place);
    readings += 1;
    await readRange(log, {
      groupId: `seam-said-again-${process.pid}-${Date.now()}-${readings}`,
      stretches: [{ topic, partition, from: read.upTo, to }],
      records: async (_place, records) => {
        await loadSchemas(records);
        for (const { key, value, offset } of records) {
          const id = keyIdOf(key);
          const isWhole = value === null || isTrusted(value);
          if (id !== undefined && isWhole && read.lastAt.size < KEYS_MAX) read.lastAt.set(id, offset);
        }
      },
    });
    if (to > read.upTo) read.upTo = to;
    return (read.lastAt.get(keyId) ?? -1n) > record.offset;
  };
}

async function endOf(log: Log, { topic, partition }: TopicPartition): Promise<bigint> {
  const admin = await log.admin();
  try {
    const bounds = await admin.bounds(topic);
    return bounds.find((bound) => bound.partition === partition)?.latest ?? 0n;
  } finally {
    await admin.close();
  }
}
