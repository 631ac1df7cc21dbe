/** A log in memory behind the port: partitions that are appended to and read again from any offset. Contract tests of sinks need databases, not Kafka. */
import { deserialize, serialize } from 'node:v8';
import type { CanonicalFields, CanonicalRecord, EntityDescription } from '../../core/canonical-record.ts';
import { keyText } from '../../core/canonical-record.ts';
import type { Operation } from '../../core/change-event.ts';
import { RecordError } from '../../core/errors.ts';
import type { ConsumerCallbacks, Log, LogConsumer, LogRecord, TopicPartition } from '../../core/ports.ts';
import { encodePosition, sharedStamp } from '../../core/position.ts';
import { scopedTruncateKey, TRUNCATE_KEY } from '../../core/truncation.ts';
import { entities } from '../../avro/generated/entities.ts';
import { type DecodeBatch, META_HEADER } from '../../sinks/engine/record.ts';

export type RecordOptions = {
  readonly at: number;
  readonly system?: string;
  readonly operation?: Operation;
  readonly absent?: readonly string[];
  readonly hops?: number;
  /** Of an entity that several tables feed. */
  readonly table?: string;
};

/** `fields` holds the key's fields as well; `gone`: a tombstone for that key. */
export function record(
  entity: keyof typeof entities,
  fields: CanonicalFields,
  options: RecordOptions & { readonly gone?: boolean },
): CanonicalRecord {
  const description: EntityDescription = entities[entity];
  const system = options.system ?? 'elsewhere';
  const commitTimeUs = BigInt(options.at) * 1_000n;
  const isGone = options.gone === true;
  const place = encodePosition({ epoch: 1, phase: 'stream', major: BigInt(options.at), minor: 0n, isDelete: isGone });
  const value = Object.fromEntries(description.fields.map(({ name }) => [name, fields[name] ?? null]));
  return {
    entity,
    key: keyText(description.key.map((name) => fields[name] ?? null)),
    value: isGone ? null : value,
    meta: {
      system,
      position: description.owner === 'shared' ? sharedStamp(system, commitTimeUs, place) : place,
      operation: options.operation ?? (isGone ? 'd' : 'u'),
      commitTimeUs,
      hops: options.hops ?? 0,
      traceId: '0123456789abcdef',
      absent: options.absent ?? [],
      ...(options.table === undefined ? {} : { table: options.table }),
    },
  };
}

/** With a table: of its keys alone. */
export function truncation(entity: keyof typeof entities, at: number, table?: string): CanonicalRecord {
  const of = table === undefined ? {} : { table };
  const gone = record(entity, {}, { at, gone: true, operation: 't', ...of });
  const isScoped = table !== undefined || entities[entity].owner === 'shared';
  return { ...gone, key: isScoped ? scopedTruncateKey(gone.meta) : TRUNCATE_KEY };
}

/** `value` is the canonical record without its key; bytes that don't read are a record that can't be decoded. */
export const decodeTestBatch: DecodeBatch = async ({ topic, records }) =>
  records.map(({ key, value, headers }) => {
    const entity = topic.replace('canonical.', '');
    const meta = headers[META_HEADER];
    try {
      return {
        entity,
        key: Buffer.from(key ?? []).toString('utf8'),
        value: value === null ? null : (deserialize(value) as CanonicalFields),
        meta: deserialize(meta ?? Buffer.alloc(0)) as CanonicalRecord['meta'],
      };
    } catch {
      return new RecordError({ code: 'AVRO_DECODE_FAILED', message: `${entity} record doesn't read` });
    }
  });

type Stored = {
  readonly key: string;
  readonly value: Uint8Array | null;
  readonly meta: Uint8Array;
  readonly timestampMs: number;
};

export class TestLog implements Log {
  readonly #partitionsPerTopic: number;
  readonly #partitions = new Map<string, Stored[]>();
  readonly #consumers = new Set<TestConsumer>();
  readonly #assigned = new Map<string, readonly number[]>();
  /** What consumers committed to their group, call by call. */
  readonly shownOffsets: (readonly (TopicPartition & { offset: bigint })[])[] = [];

  constructor(partitionsPerTopic = 2) {
    this.#partitionsPerTopic = partitionsPerTopic;
  }

  /** To a partition that its key doesn't name: partitions were added to the topic. */
  appendTo(partition: number, one: CanonicalRecord): void {
    this.#store(one, partition, storedOf(one));
    for (const consumer of this.#consumers) consumer.wake();
  }

  append(...records: readonly CanonicalRecord[]): void {
    for (const one of records) {
      const stored = storedOf(one);
      if (one.meta.operation === 't') {
        for (let number = 0; number < this.#partitionsPerTopic; number += 1) this.#store(one, number, stored);
      } else {
        this.#store(one, testPartitionOf(one.key, this.#partitionsPerTopic), stored);
      }
    }
    for (const consumer of this.#consumers) consumer.wake();
  }

  appendUnreadable(entity: string, key: string): void {
    const stored = { key, value: Buffer.from('?'), meta: Buffer.from('?'), timestampMs: 0 };
    this.#store({ entity }, testPartitionOf(key, this.#partitionsPerTopic), stored);
    for (const consumer of this.#consumers) consumer.wake();
  }

  #store({ entity }: { entity: string }, partition: number, stored: Stored): void {
    this.read({ topic: `canonical.${entity}`, partition }).push(stored);
  }

  read({ topic, partition }: TopicPartition): Stored[] {
    const name = `${topic}/${partition}`;
    const found = this.#partitions.get(name) ?? [];
    this.#partitions.set(name, found);
    return found;
  }

  partitionsOf(topics: readonly string[]): TopicPartition[] {
    const numbers = Array.from({ length: this.#partitionsPerTopic }, (_, partition) => partition);
    return topics.flatMap((topic) => numbers.map((partition) => ({ topic, partition })));
  }

  /** From now on new consumers of this group get these partitions, and those of groups not named none; running ones aren't told. */
  assign(groupId: string, numbers: readonly number[]): void {
    this.#assigned.set(groupId, numbers);
  }

  consumer({ topics, groupId }: { readonly topics: readonly string[]; readonly groupId: string }): LogConsumer {
    const numbers = this.#assigned.size === 0 ? undefined : (this.#assigned.get(groupId) ?? []);
    const partitions = this.partitionsOf(topics).filter(
      ({ partition }) => numbers === undefined || numbers.includes(partition),
    );
    const consumer = new TestConsumer(this, partitions, () => this.#consumers.delete(consumer));
    this.#consumers.add(consumer);
    return consumer;
  }

  writer(): never {
    throw new Error('sinks write to no log');
  }

  async admin() {
    return {
      createTopics: async () => undefined,
      raiseSetting: async () => [],
      listTopics: async () => [],
      partitionCounts: async () => new Map<string, number>(),
      committedOffsets: async () => [],
      bounds: async (topic: string) =>
        this.partitionsOf([topic]).map((partition) => ({
          ...partition,
          earliest: 0n,
          latest: BigInt(this.read(partition).length),
        })),
      offsetsAt: async (topic: string, timeMs: number) =>
        this.partitionsOf([topic]).map((partition) => {
          const all = this.read(partition);
          const first = all.findIndex(({ timestampMs }) => timestampMs >= timeMs);
          return { ...partition, offset: BigInt(first < 0 ? all.length : first) };
        }),
      close: async () => undefined,
    };
  }
}

const FETCHED_RECORDS_MAX = 1_000;

class TestConsumer implements LogConsumer {
  readonly #log: TestLog;
  readonly #partitions: readonly TopicPartition[];
  readonly #onStop: () => void;
  #isStopped = false;
  #wake: () => void = () => undefined;

  constructor(log: TestLog, partitions: readonly TopicPartition[], onStop: () => void) {
    this.#log = log;
    this.#partitions = partitions;
    this.#onStop = onStop;
  }

  wake(): void {
    this.#wake();
  }

  async run(callbacks: ConsumerCallbacks): Promise<void> {
    const starts = await callbacks.assigned(this.#partitions);
    const next = new Map(starts.map(({ topic, partition, offset }) => [`${topic}/${partition}`, offset]));
    try {
      while (!this.#isStopped) {
        const batches = this.#partitions.flatMap((partition) => {
          const name = `${partition.topic}/${partition.partition}`;
          const from = next.get(name) ?? 0n;
          const all = this.#log.read(partition);
          const records = all
            .slice(Number(from), Number(from) + FETCHED_RECORDS_MAX)
            .map((one, index) => logRecord(one, from + BigInt(index)));
          if (records.length === 0) return [];
          const nextOffset = from + BigInt(records.length);
          next.set(name, nextOffset);
          return [{ ...partition, records, count: records.length, nextOffset, highWatermark: BigInt(all.length) }];
        });
        if (batches.length > 0) await Promise.all(batches.map((batch) => callbacks.batch(batch)));
        else
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
      }
      await callbacks.revoked(this.#partitions);
    } finally {
      this.#onStop();
    }
  }

  async commit(offsets: readonly (TopicPartition & { offset: bigint })[]): Promise<void> {
    this.#log.shownOffsets.push(offsets);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#wake();
  }
}

function storedOf({ key, value, meta }: CanonicalRecord): Stored {
  const timestampMs = Number(meta.commitTimeUs / 1_000n);
  return { key, value: value === null ? null : serialize(value), meta: serialize(meta), timestampMs };
}

function logRecord({ key, value, meta, timestampMs }: Stored, offset: bigint): LogRecord {
  return { offset, key: Buffer.from(key, 'utf8'), value, headers: { [META_HEADER]: meta }, timestampMs };
}

export function testPartitionOf(key: string, count: number): number {
  let hash = 0;
  for (const byte of Buffer.from(key, 'utf8')) hash = (hash * 31 + byte) >>> 0;
  return hash % count;
}
