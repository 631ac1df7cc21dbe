/** A log that writes at least once: records first, then how far was read, no transaction. What exactly once costs is the difference. */
import kafkajs, { type Producer } from 'kafkajs';
import { PartitionCounts } from '../../adapters/kafka/partition-counts.ts';
import { produceChunks } from '../../adapters/kafka/produce-chunks.ts';
import type { Log, LogConsumer, TransactionalWriter } from '../../core/ports.ts';

type Work = Parameters<TransactionalWriter['commit']>[0];

/** Same client, same requests, same number of records as the log it is made of. */
export function plainLog(log: Log, brokers: string): Log {
  const consumers = new Map<string, LogConsumer>();
  const partitionCounts = new PartitionCounts(() => log.admin());
  const client = new kafkajs.Kafka({ brokers: brokers.split(','), logLevel: kafkajs.logLevel.NOTHING });
  return {
    admin: () => log.admin(),
    consumer(options) {
      const consumer = log.consumer(options);
      consumers.set(options.groupId, consumer);
      return consumer;
    },
    writer() {
      const commit = async ({ groupId, offsets }: Work) => consumers.get(groupId)?.commit(offsets);
      return new PlainWriter(client.producer({ allowAutoTopicCreation: false }), partitionCounts, commit);
    },
  };
}

class PlainWriter implements TransactionalWriter {
  readonly #producer: Producer;
  readonly #partitionCounts: PartitionCounts;
  readonly #commit: (work: Work) => Promise<void>;

  constructor(producer: Producer, partitionCounts: PartitionCounts, commit: (work: Work) => Promise<void>) {
    this.#producer = producer;
    this.#partitionCounts = partitionCounts;
    this.#commit = commit;
  }

  open(): Promise<void> {
    return this.#producer.connect();
  }

  async commit(work: Work): Promise<void> {
    await this.#partitionCounts.load(work.records.map(({ topic }) => topic));
    for (const topicMessages of produceChunks(work.records, (topic) => this.#partitionCounts.of(topic)))
      await this.#producer.sendBatch({ acks: -1, topicMessages });
    await this.#commit(work);
  }

  close(): Promise<void> {
    return this.#producer.disconnect();
  }
}
