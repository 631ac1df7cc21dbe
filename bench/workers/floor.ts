/** The floor of the processor: the same client behind the same port, that counts, or that writes again what it reads. */
import type { ConsumerCallbacks, Log, LogBatch, TransactionalWriter } from '../../core/ports.ts';
import { openLog } from '../support/servers.ts';
import { takeOrders, type Work } from './run-worker.ts';

export type FloorOrder = {
  readonly brokers: string;
  readonly groupId: string;
  readonly input: string;
  /** Left out: it only counts. */
  readonly output?: string;
};

/** As many as the processor puts into one transaction. */
const TRANSACTION_RECORDS = 5_000;

takeOrders(async (order: FloorOrder): Promise<Work> => {
  const log = openLog(order.brokers, order.groupId);
  const consumer = log.consumer({ groupId: order.groupId, topics: [order.input], assignment: 'same-number-together' });
  const counted = { records: 0 };
  const callbacks =
    order.output === undefined
      ? counting(counted, (batch) =>
          consumer.commit([{ topic: batch.topic, partition: batch.partition, offset: batch.nextOffset }]),
        )
      : repeating(counted, log, order as Required<FloorOrder>);
  const done = consumer.run(callbacks);
  return { done, stop: () => consumer.stop(), report: () => ({ state: 'running', figures: { ...counted } }) };
});

function counting(counted: { records: number }, commit: (batch: LogBatch) => Promise<void>): ConsumerCallbacks {
  return {
    assigned: async () => [],
    revoked: async () => {},
    async batch(batch) {
      counted.records += batch.records.length;
      await commit(batch);
    },
  };
}

function repeating(counted: { records: number }, log: Log, order: Required<FloorOrder>): ConsumerCallbacks {
  const writers = new Map<number, Promise<TransactionalWriter>>();
  const pending = new Map<number, LogBatch[]>();
  const writerOf = (partition: number) => {
    const opened = writers.get(partition) ?? openWriter(log, `${order.groupId}-${partition}`);
    writers.set(partition, opened);
    return opened;
  };
  return {
    assigned: async () => [],
    async revoked() {
      for (const writer of writers.values()) await (await writer).close();
      writers.clear();
    },
    async batch(batch) {
      const batches = [...(pending.get(batch.partition) ?? []), batch];
      const count = batches.reduce((sum, { records }) => sum + records.length, 0);
      const isAtEnd = batch.nextOffset >= batch.highWatermark;
      pending.set(batch.partition, count < TRANSACTION_RECORDS && !isAtEnd ? batches : []);
      if (count < TRANSACTION_RECORDS && !isAtEnd) return;
      const { topic, partition, nextOffset } = batch;
      const writer = await writerOf(partition);
      await writer.commit({
        records: batches.flatMap(({ records }) => records.map((record) => repeated(record, order.output))),
        groupId: order.groupId,
        offsets: [{ topic, partition, offset: nextOffset }],
      });
      counted.records += count;
    },
  };
}

async function openWriter(log: Log, transactionalId: string): Promise<TransactionalWriter> {
  const writer = log.writer(transactionalId);
  await writer.open();
  return writer;
}

function repeated({ key, value }: LogBatch['records'][number], topic: string) {
  return { topic, key: key === null ? null : Buffer.from(key).toString('utf8'), value, headers: {} };
}
