/** A real Kafka for one test file, and the words to talk to it in tests. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { systemClock } from '../../adapters/clock.ts';
import { type KafkaLogParts, KafkaSettings, kafkaLog } from '../../adapters/kafka/log.ts';
import { TransientError } from '../../core/errors.ts';
import type {
  ConsumerCallbacks,
  Log,
  LogBatch,
  LogConsumer,
  LogRecord,
  Logger,
  OutputRecord,
} from '../../core/ports.ts';
import { startStack, stopStack } from '../../stack/stack.ts';

export type TestKafka = {
  readonly brokers: string[];
  readonly registryUrl: string;
  readonly stateDirectory: string;
  stop(): Promise<void>;
};

export async function startKafka(others: readonly string[] = []): Promise<TestKafka> {
  const stateDirectory = await mkdtemp(path.join(tmpdir(), 'seam-kafka-'));
  const stack = await startStack({ stateDirectory, databases: [], only: ['kafka', ...others], ownerPid: process.pid });
  return {
    brokers: stack.kafka.bootstrapServers.split(','),
    registryUrl: stack.registry.url,
    stateDirectory,
    stop: () => stopStack({ stateDirectory, removeData: true }),
  };
}

export const quietLogger: Logger = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };

export function testLog(
  brokers: readonly string[],
  parts: Partial<Omit<KafkaLogParts, 'settings'>> & { settings?: Partial<KafkaSettings> } = {},
): Log {
  const settings = KafkaSettings.parse({ sessionTimeoutMs: 6_000, ...parts.settings, brokers });
  return kafkaLog({ clock: systemClock, logger: quietLogger, ...parts, settings });
}

let names = 0;
export function uniqueName(prefix: string): string {
  names += 1;
  return `${prefix}-${process.pid}-${names}`;
}

/** Collects what a consumer is given. */
export class Reader implements ConsumerCallbacks {
  readonly batches: LogBatch[] = [];
  readonly assignments: string[][] = [];
  readonly revocations: string[][] = [];
  starts: Awaited<ReturnType<ConsumerCallbacks['assigned']>> = [];
  onBatch: (batch: LogBatch) => Promise<void> = async () => {};

  async assigned(partitions: Parameters<ConsumerCallbacks['assigned']>[0]) {
    this.assignments.push(partitions.map(({ topic, partition }) => `${topic}:${partition}`));
    return this.starts;
  }

  async revoked(partitions: Parameters<ConsumerCallbacks['revoked']>[0]): Promise<void> {
    this.revocations.push(partitions.map(({ topic, partition }) => `${topic}:${partition}`));
  }

  async batch(batch: LogBatch): Promise<void> {
    this.batches.push(batch);
    await this.onBatch(batch);
  }

  get records(): LogRecord[] {
    return this.batches.flatMap((batch) => batch.records);
  }

  get texts(): string[] {
    return this.records.map(textOf);
  }
}

export function textOf(record: LogRecord): string {
  return Buffer.from(record.value ?? []).toString('utf8');
}

export async function until(isDone: () => boolean | Promise<boolean>, what: string, limitMs = 30_000): Promise<void> {
  const endMs = Date.now() + limitMs;
  while (!(await isDone())) {
    if (Date.now() > endMs) throw new Error(`gave up waiting: ${what}`);
    await systemClock.pause(20);
  }
}

export async function makeTopicIn(log: Log, partitions = 1, config: Record<string, string> = {}): Promise<string> {
  const topic = uniqueName('topic');
  const admin = await log.admin();
  await admin.createTopics([{ topic, partitions, config }]);
  await admin.close();
  return topic;
}

export function record(topic: string, key: string | null, value: string | null, partition?: number): OutputRecord {
  const bytes = value === null ? null : Buffer.from(value);
  const base = { topic, key, value: bytes, headers: { seam: Buffer.from([1, 2]) } };
  return partition === undefined ? base : { ...base, partition };
}

export function numbers(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, index) => String(from + index));
}

/** Records that belong to no input. Again where a new topic's broker isn't ready yet; whoever reads sees them once. */
export async function writeRecords(
  log: Log,
  records: readonly OutputRecord[],
  id = uniqueName('writer'),
): Promise<void> {
  const [{ topic } = { topic: '' }] = records;
  const writer = log.writer(id);
  for (let attempt = 1; ; attempt += 1) {
    try {
      await writer.open();
      await writer.commit({ records, groupId: id, offsets: [{ topic, partition: 0, offset: 0n }] });
      return await writer.close();
    } catch (error) {
      if (!(error instanceof TransientError) || attempt === 20) throw error;
      await systemClock.pause(100);
    }
  }
}

/** Everything committed in the topic, once and in order of each partition. */
export async function readAll(log: Log, topic: string): Promise<LogBatch[]> {
  const reader = new Reader();
  const consumer = log.consumer({ groupId: uniqueName('read-all'), topics: [topic], assignment: 'spread' });
  const ends = await settledEnds(log, topic);
  const running = consumer.run(reader);
  const reached = new Map<number, bigint>();
  reader.onBatch = async (batch) => {
    reached.set(batch.partition, batch.nextOffset);
  };
  const quiet = { sinceMs: Date.now(), count: 0 };
  await until(() => {
    if (reader.batches.length !== quiet.count)
      Object.assign(quiet, { sinceMs: Date.now(), count: reader.batches.length });
    const atEnd = [...ends].every(([partition, latest]) => (reached.get(partition) ?? 0n) >= latest);
    // an empty partition hands out nothing, nor does one that ends in aborted records
    return reader.assignments.length > 0 && (atEnd || Date.now() - quiet.sinceMs > 2_000);
  }, `the end of ${topic}`);
  await stopConsumer(consumer, running);
  return reader.batches;
}

/** The broker answers a commit first and writes its marker then: the end is where it no longer moves. */
async function settledEnds(log: Log, topic: string): Promise<Map<number, bigint>> {
  const admin = await log.admin();
  const read = async () => new Map((await admin.bounds(topic)).map(({ partition, latest }) => [partition, latest]));
  let ends = await read();
  await until(async () => {
    await systemClock.pause(300);
    const before = [...ends.values()].join();
    ends = await read();
    return [...ends.values()].join() === before;
  }, `${topic} to rest`);
  await admin.close();
  return ends;
}

export async function stopConsumer(consumer: LogConsumer, running: Promise<void>): Promise<void> {
  await consumer.stop();
  await running;
}
