/** The floor of the processor: the same client behind the same port, that counts, or that writes again what it reads. */
import type {
  ConsumerCallbacks,
  Log,
  LogBatch,
  LogRecord,
  OutputRecord,
  TransactionalWriter,
} from '../../core/ports.ts';
import { platformaticLog } from '../clients/platformatic-log.ts';
import { plainLog } from '../support/plain-log.ts';
import { openLog } from '../support/servers.ts';
import { takeOrders, type Work } from './run-worker.ts';

export type FloorOrder = {
  readonly brokers: string;
  readonly groupId: string;
  readonly input: string;
  /** Left out: it only counts. */
  readonly output?: string;
  /** `shipped`: the client of the product. */
  readonly client?: 'shipped' | 'platformatic';
  /** false: written again at least once. */
  readonly isExact?: boolean;
  readonly partitions?: number;
};

/** As many as the processor puts into one transaction. */
const TRANSACTION_RECORDS = 10_000;

takeOrders(async (order: FloorOrder): Promise<Work> => {
  const log = logOf(order);
  const consumer = log.consumer({ groupId: order.groupId, topics: [order.input], assignment: 'same-number-together' });
  const counted = { records: 0 };
  const commit = (batch: LogBatch) =>
    consumer.commit([{ topic: batch.topic, partition: batch.partition, offset: batch.nextOffset }]);
  const { output, groupId } = order;
  const callbacks = output === undefined ? each(counted, commit) : repeating(counted, output, writing(log, groupId));
  const done = consumer.run(callbacks);
  return { done, stop: () => consumer.stop(), report: () => ({ state: 'running', figures: { ...counted } }) };
});

function logOf({ client, brokers, groupId, partitions = 1, isExact = true }: FloorOrder): Log {
  if (client === 'platformatic') return platformaticLog(brokers.split(','), partitions);
  const log = openLog(brokers, groupId);
  return isExact ? log : plainLog(log, brokers);
}

function each(counted: { records: number }, finish: (batch: LogBatch) => Promise<void>): ConsumerCallbacks {
  return {
    assigned: async () => [],
    revoked: async () => {},
    async batch(batch) {
      counted.records += batch.records.length;
      await finish(batch);
    },
  };
}

type Writing = {
  /** Of one partition, whose last batch this is. */
  write(records: readonly OutputRecord[], last: LogBatch): Promise<void>;
  close(): Promise<void>;
};

/** With one writer for each partition, as the processor writes. */
function writing(log: Log, groupId: string): Writing {
  const writers = new Map<number, Promise<TransactionalWriter>>();
  const writerOf = (partition: number) => {
    const opened = writers.get(partition) ?? openWriter(log, `${groupId}-${partition}`);
    writers.set(partition, opened);
    return opened;
  };
  return {
    async write(records, { topic, partition, nextOffset }) {
      const writer = await writerOf(partition);
      await writer.commit({ records, groupId, offsets: [{ topic, partition, offset: nextOffset }] });
    },
    async close() {
      for (const writer of writers.values()) await (await writer).close();
      writers.clear();
    },
  };
}

async function openWriter(log: Log, transactionalId: string): Promise<TransactionalWriter> {
  const writer = log.writer(transactionalId);
  await writer.open();
  return writer;
}

function repeating(counted: { records: number }, output: string, { write, close }: Writing): ConsumerCallbacks {
  const pending = new Map<number, LogBatch[]>();
  return {
    assigned: async () => [],
    revoked: close,
    async batch(batch) {
      const batches = [...(pending.get(batch.partition) ?? []), batch];
      const count = batches.reduce((sum, { records }) => sum + records.length, 0);
      const isAtEnd = batch.nextOffset >= batch.highWatermark;
      pending.set(batch.partition, count < TRANSACTION_RECORDS && !isAtEnd ? batches : []);
      if (count < TRANSACTION_RECORDS && !isAtEnd) return;
      await write(
        batches.flatMap(({ records }) => records.map((record) => repeated(record, output))),
        batch,
      );
      counted.records += count;
    },
  };
}

function repeated({ key, value, headers }: LogRecord, topic: string): OutputRecord {
  return { topic, key, value, headers };
}
