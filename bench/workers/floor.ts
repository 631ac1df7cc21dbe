/** The floor of the processor: the same client behind the same port, that counts, or that writes again what it reads. */
import kafkajs from 'kafkajs';
import type { ConsumerCallbacks, Log, LogBatch, TransactionalWriter } from '../../core/ports.ts';
import { platformaticLog } from '../clients/platformatic-log.ts';
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
  /** Without it written again at least once: records first, then the offset, no transaction. */
  readonly isExact?: boolean;
  readonly partitions?: number;
};

/** As many as the processor puts into one transaction. */
const TRANSACTION_RECORDS = 5_000;

takeOrders(async (order: FloorOrder): Promise<Work> => {
  const log =
    order.client === 'platformatic'
      ? platformaticLog(order.brokers.split(','), order.partitions ?? 1)
      : openLog(order.brokers, order.groupId);
  const consumer = log.consumer({ groupId: order.groupId, topics: [order.input], assignment: 'same-number-together' });
  const counted = { records: 0 };
  const commit = (batch: LogBatch) =>
    consumer.commit([{ topic: batch.topic, partition: batch.partition, offset: batch.nextOffset }]);
  const { output } = order;
  const callbacks =
    output === undefined
      ? each(counted, commit)
      : order.isExact === false
        ? each(counted, await plainRepeater(order.brokers, output, commit))
        : repeating(counted, log, { output, groupId: order.groupId });
  const done = consumer.run(callbacks);
  return { done, stop: () => consumer.stop(), report: () => ({ state: 'running', figures: { ...counted } }) };
});

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

/** Same client and same batches as in a transaction, so that the difference is the transaction. */
async function plainRepeater(brokers: string, topic: string, commit: (batch: LogBatch) => Promise<void>) {
  const client = new kafkajs.Kafka({ brokers: brokers.split(','), logLevel: kafkajs.logLevel.NOTHING });
  const producer = client.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  return async (batch: LogBatch) => {
    const messages = batch.records.map(({ key, value, headers }) => ({
      ...{ key: key as Buffer, value: value as Buffer, headers: headers as Record<string, Buffer> },
      partition: batch.partition,
    }));
    await producer.send({ topic, messages, acks: -1 });
    await commit(batch);
  };
}

type Repeat = { readonly output: string; readonly groupId: string };

function repeating(counted: { records: number }, log: Log, order: Repeat): ConsumerCallbacks {
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

function repeated({ key, value, headers }: LogBatch['records'][number], topic: string) {
  return { topic, key: key === null ? null : Buffer.from(key).toString('utf8'), value, headers };
}
