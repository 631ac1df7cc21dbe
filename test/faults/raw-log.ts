/** Reading and writing topics beside Seam: what a broken producer, a zombie or a person with a tool would put there. */
import kafkajs, { type Kafka } from 'kafkajs';
import { createLogger } from '../../adapters/logger.ts';
import { readRange } from '../../core/log-range.ts';
import type { LogRecord, TopicPartition } from '../../core/ports.ts';
import { openLog } from '../../ops/log.ts';
import type { FaultChain } from './chain.ts';

export type Placed = TopicPartition & { readonly record: LogRecord };

let readings = 0;
/** Places of what was written here, by chain: a later row must not take it for what a connector wrote. */
const writtenHere = new WeakMap<FaultChain, Set<string>>();
const placeText = ({ topic, partition }: TopicPartition, offset: bigint) => `${topic}/${partition}/${offset}`;

function client(chain: FaultChain): Kafka {
  return new kafkajs.Kafka({
    brokers: [chain.direct.kafka.bootstrapServers],
    clientId: 'faults',
    logLevel: kafkajs.logLevel.NOTHING,
  });
}

/** Committed records of a topic from `from` of each partition on. */
export async function readTopic(
  chain: FaultChain,
  topic: string,
  from: (partition: number, latest: bigint) => bigint,
): Promise<Placed[]> {
  const log = openLog(chain.direct, 'faults-read', createLogger('error'));
  const admin = await log.admin();
  const ends = await admin.bounds(topic).finally(() => admin.close());
  const found: Placed[] = [];
  await readRange(log, {
    groupId: `faults-read-${process.pid}-${++readings}`,
    stretches: ends.map(({ partition, latest }) => ({ topic, partition, from: from(partition, latest), to: latest })),
    records: (place, records) => {
      for (const record of records) found.push({ ...place, record });
    },
  });
  return found;
}

/** The newest records of each partition, those left out that a row wrote. */
export async function newestRecords(chain: FaultChain, topic: string, count: bigint): Promise<Placed[]> {
  const found = await readTopic(chain, topic, (_, latest) => (latest > count ? latest - count : 0n));
  const written = writtenHere.get(chain);
  return found.filter((one) => !written?.has(placeText(one, one.record.offset)));
}

export type Written = { readonly partition: number; readonly key: Buffer | null; readonly value: Buffer | null };

/** One after the other, as an ordinary producer: answers where each one is. */
export async function writeTopic(
  chain: FaultChain,
  topic: string,
  records: readonly Written[],
): Promise<{ partition: number; offset: bigint }[]> {
  const producer = client(chain).producer({ allowAutoTopicCreation: false, idempotent: false });
  await producer.connect();
  const places: { partition: number; offset: bigint }[] = [];
  try {
    for (const [partition, own] of Map.groupBy(records, (record) => record.partition)) {
      const messages = own.map(({ key, value }) => ({ key, value, partition }));
      const [answer] = await producer.send({ topic, messages });
      const base = BigInt(answer?.baseOffset ?? -1);
      for (let index = 0; index < own.length; index += 1) places.push({ partition, offset: base + BigInt(index) });
      noteWritten(chain, { topic, partition }, places.slice(-own.length));
    }
  } finally {
    await producer.disconnect();
  }
  return places;
}

function noteWritten(chain: FaultChain, place: TopicPartition, places: readonly { readonly offset: bigint }[]): void {
  const written = writtenHere.get(chain) ?? new Set();
  writtenHere.set(chain, written);
  for (const { offset } of places) written.add(placeText(place, offset));
}

/** The group must be empty. */
export async function moveGroup(
  chain: FaultChain,
  groupId: string,
  topic: string,
  offsets: readonly { partition: number; offset: bigint }[],
): Promise<void> {
  const admin = client(chain).admin();
  await admin.connect();
  try {
    const partitions = offsets.map(({ partition, offset }) => ({ partition, offset: offset.toString() }));
    await admin.setOffsets({ groupId, topic, partitions });
  } finally {
    await admin.disconnect();
  }
}

/** By partition: where the group goes on reading. */
export async function committedOf(chain: FaultChain, groupId: string, topic: string): Promise<Map<number, bigint>> {
  const admin = await openLog(chain.direct, 'faults', createLogger('error')).admin();
  try {
    const offsets = await admin.committedOffsets(groupId, [topic]);
    return new Map(offsets.map(({ partition, offset }) => [partition, offset]));
  } finally {
    await admin.close();
  }
}

export function bufferOf(bytes: Uint8Array | null): Buffer | null {
  return bytes === null ? null : Buffer.from(bytes);
}
