/**
 * @platformatic/kafka behind core/ports.ts, as far as the comparison of clients needs it: one consumer, transactions that
 * carry its offsets. No fencing of zombies, no truncated log, no leases' starts: it is measured here, not shipped.
 */
import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { Consumer, type Message, Producer } from '@platformatic/kafka';
import type {
  ConsumerCallbacks,
  ConsumerOptions,
  Log,
  LogBatch,
  LogConsumer,
  LogRecord,
  TransactionalWriter,
} from '../../core/ports.ts';
import { partitionOf } from '../../adapters/kafka/partitioner.ts';

type Bytes = Buffer;
type BytesConsumer = Consumer<Bytes, Bytes, Bytes, Bytes>;
type BytesMessage = Message<Bytes, Bytes, Bytes, Bytes>;

const CLIENT_ID = 'bench-platformatic';
/** Of both partitions together: a transaction is as large as with the other client. */
const BATCH_RECORDS = 10_000;
/** A batch that isn't full is handed out after this long. */
const GATHER_MS = 50;
const FETCH_WAIT_MS = 50;
const FETCH_BYTES = 8 * 1024 ** 2;

export function platformaticLog(brokers: readonly string[], partitions: number): Log {
  const joined: { consumer?: BytesConsumer; last: Map<number, BytesMessage> } = { last: new Map() };
  return {
    consumer: (options) => new PlatformaticConsumer(brokers, options, joined),
    writer: (transactionalId) => platformaticWriter(brokers, transactionalId, { partitions, joined }),
    admin: () => Promise.reject(new Error('not part of the comparison')),
  };
}

type Joined = { consumer?: BytesConsumer; last: Map<number, BytesMessage> };

class PlatformaticConsumer implements LogConsumer {
  readonly #options: ConsumerOptions;
  readonly #joined: Joined;
  readonly #consumer: BytesConsumer;
  #isStopping = false;
  #arrived = Promise.withResolvers<void>();
  #stream: Awaited<ReturnType<BytesConsumer['consume']>> | undefined;

  constructor(brokers: readonly string[], options: ConsumerOptions, joined: Joined) {
    this.#options = options;
    this.#joined = joined;
    const common = { clientId: CLIENT_ID, bootstrapBrokers: [...brokers], groupId: options.groupId };
    this.#consumer = new Consumer({ ...common, autocommit: false, maxWaitTime: FETCH_WAIT_MS, maxBytes: FETCH_BYTES });
    joined.consumer = this.#consumer;
  }

  async run({ batch }: ConsumerCallbacks): Promise<void> {
    const stream = await this.#consumer.consume({
      topics: [...this.#options.topics],
      mode: 'committed',
      fallbackMode: 'earliest',
      maxFetches: BATCH_RECORDS,
    });
    this.#stream = stream;
    // one listener for good: while a stream has none it fetches nothing, and a fetch left out then is never made up for
    stream.on('readable', () => this.#arrived.resolve());
    while (!this.#isStopping) {
      const messages = await this.#gather(stream);
      for (const [partition, own] of Map.groupBy(messages, (message) => message.partition)) {
        this.#joined.last.set(partition, own.at(-1) as BytesMessage);
        await batch(batchOf(own));
      }
    }
  }

  async #gather(stream: Readable): Promise<BytesMessage[]> {
    const messages: BytesMessage[] = [];
    const endMs = performance.now() + GATHER_MS;
    while (messages.length < BATCH_RECORDS && !this.#isStopping) {
      take(stream, messages);
      const leftMs = endMs - performance.now();
      if (leftMs <= 0) break;
      if (messages.length < BATCH_RECORDS) await this.#readable(leftMs);
    }
    return messages;
  }

  async #readable(limitMs: number): Promise<void> {
    const limit = new AbortController();
    await Promise.race([
      this.#arrived.promise,
      pause(limitMs, undefined, { signal: limit.signal }).catch(() => undefined),
    ]);
    limit.abort();
    this.#arrived = Promise.withResolvers<void>();
  }

  async commit(offsets: Parameters<LogConsumer['commit']>[0]): Promise<void> {
    await this.#consumer.commit({ offsets: offsets.map((one) => ({ ...one, leaderEpoch: 0 })) });
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#stream?.close();
    await this.#consumer.close(true);
  }
}

/** What has been fetched by now, without a promise for each record. */
function take(stream: Readable, messages: BytesMessage[]): void {
  while (messages.length < BATCH_RECORDS) {
    const message = stream.read() as BytesMessage | null;
    if (message === null) break;
    messages.push(message);
  }
}

function batchOf(messages: readonly BytesMessage[]): LogBatch {
  const { topic, partition } = messages[0] as BytesMessage;
  const nextOffset = (messages.at(-1) as BytesMessage).offset + 1n;
  const records = messages.map(
    ({ offset, key, value, headerEntries, timestamp }): LogRecord => ({
      ...{ offset, key, value, timestampMs: Number(timestamp) },
      headers: Object.fromEntries(headerEntries.map(([name, bytes]) => [name.toString(), bytes])),
    }),
  );
  // it tells no end of the partition: a batch that isn't full is taken for the last
  return { topic, partition, records, count: records.length, nextOffset, highWatermark: nextOffset };
}

function platformaticWriter(
  brokers: readonly string[],
  transactionalId: string,
  { partitions, joined }: { partitions: number; joined: Joined },
): TransactionalWriter {
  const producer = new Producer<Bytes, Bytes, Bytes, Bytes>({
    ...{ clientId: CLIENT_ID, bootstrapBrokers: [...brokers], transactionalId, idempotent: true },
  });
  return {
    open: () => producer.initIdempotentProducer({}).then(() => undefined),
    async commit({ records, offsets }) {
      const transaction = await producer.beginTransaction();
      await transaction.addConsumer(joined.consumer as BytesConsumer);
      const messages = records.map(({ topic, key, value, headers }) => {
        const bytes = key === null ? undefined : Buffer.from(key);
        return {
          ...{ topic, value: value as Bytes, partition: partitionOf(bytes ?? null, partitions) },
          ...(bytes === undefined ? {} : { key: bytes }),
          headers: new Map(Object.entries(headers).map(([name, content]) => [Buffer.from(name), content as Bytes])),
        };
      });
      await transaction.send({ messages });
      for (const { partition, offset } of offsets) {
        const last = joined.last.get(partition) as BytesMessage;
        await transaction.addOffset({
          ...last,
          partition,
          offset: offset - 1n,
          topic: last.topic,
          metadata: last.metadata,
        } as BytesMessage);
      }
      await transaction.commit();
    },
    close: () => producer.close(),
  };
}
