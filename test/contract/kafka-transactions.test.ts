/** What core/ports.ts promises of transactions and of compacted topics, on a real Kafka; readers are those of kafka-log.test.ts. */
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readRange } from '../../core/log-range.ts';
import type { Log, LogRecord, OutputRecord } from '../../core/ports.ts';
import {
  makeTopicIn,
  numbers,
  Reader,
  readAll,
  record,
  startKafka,
  stopConsumer,
  type TestKafka,
  testLog,
  textOf,
  uniqueName,
  until,
  writeRecords,
} from '../support/kafka.ts';

let kafka: TestKafka;
let log: Log;
let client: kafkajs.Kafka;

beforeAll(async () => {
  kafka = await startKafka();
  log = testLog(kafka.brokers);
  client = new kafkajs.Kafka({ brokers: kafka.brokers, logLevel: kafkajs.logLevel.NOTHING });
}, 120_000);

afterAll(async () => {
  await kafka?.stop();
});

const makeTopic = (partitions?: number, config?: Record<string, string>) => makeTopicIn(log, partitions, config);
const write = (records: readonly OutputRecord[]) => writeRecords(log, records);

describe('a transaction', () => {
  it('takes records of megabytes, and more of them than one batch may hold', async () => {
    const topic = await makeTopic(1, { 'max.message.bytes': '10485760' });
    const small = await makeTopic();
    const large = 'x'.repeat(5_000_000);
    const many = numbers(40).map((text) => record(small, 'k', text + 'y'.repeat(100_000)));
    await write([record(topic, 'k', 'before'), record(topic, 'k', large), ...many, record(topic, 'k', 'after')]);
    const sizes = (await readAll(log, topic)).flatMap((batch) => batch.records.map((one) => one.value?.length));
    expect(sizes).toEqual([6, 5_000_000, 5]);
    const read = (await readAll(log, small)).flatMap((batch) =>
      batch.records.map((one) => textOf(one).replace(/y+$/, '')),
    );
    expect(read).toEqual(numbers(40));
  });

  it('is refused as a whole where a record is larger than its topic takes', async () => {
    const topic = await makeTopic(1, { 'max.message.bytes': '1000' });
    await expect(write([record(topic, 'k', 'small'), record(topic, 'k', 'x'.repeat(2_000))])).rejects.toMatchObject({
      class: 'contract',
      code: 'RECORD_TOO_LARGE',
    });
    expect(await readAll(log, topic)).toEqual([]);
  });

  it('keeps tombstones and records for a partition by number', async () => {
    const topic = await makeTopic(3);
    await write([0, 1, 2].map((partition) => record(topic, '\\truncate', null, partition)));
    const batches = await readAll(log, topic);
    expect(batches.map(({ partition }) => partition).sort()).toEqual([0, 1, 2]);
    expect(batches.flatMap(({ records }) => records.map(({ value }) => value))).toEqual([null, null, null]);
  });

  it('of a zombie is refused, and leaves nothing', async () => {
    const topic = await makeTopic();
    const input = await makeTopic();
    const id = uniqueName('writer');
    const offsets = [{ topic: input, partition: 0, offset: 1n }];
    const zombie = log.writer(id);
    await zombie.open();
    await zombie.commit({ records: [record(topic, 'k', 'one')], groupId: id, offsets });
    const owner = log.writer(id);
    await owner.open();
    const late = {
      records: [record(topic, 'k', 'zombie')],
      groupId: id,
      offsets: [{ ...offsets[0], offset: 9n } as never],
    };
    await expect(zombie.commit(late)).rejects.toMatchObject({ class: 'transient', code: 'PRODUCER_FENCED' });
    await owner.commit({
      records: [record(topic, 'k', 'two')],
      groupId: id,
      offsets: [{ topic: input, partition: 0, offset: 2n }],
    });
    expect((await readAll(log, topic)).flatMap(({ records }) => records.map(textOf))).toEqual(['one', 'two']);
    const admin = await log.admin();
    expect(await admin.committedOffsets(id, [input])).toEqual([{ topic: input, partition: 0, offset: 2n }]);
    await admin.close();
    await owner.close();
  });

  it('left open is ended by the next to open its id, before that one is told the committed offsets', async () => {
    const topic = await makeTopic();
    const input = await makeTopic();
    const id = uniqueName('writer');
    const produced = Promise.withResolvers<void>();
    const beforeCommit = () => {
      produced.resolve();
      return new Promise<void>(() => {});
    };
    const dying = testLog(kafka.brokers, { beforeCommit }).writer(id);
    await dying.open();
    void dying.commit({
      records: [record(topic, 'k', 'open')],
      groupId: id,
      offsets: [{ topic: input, partition: 0, offset: 5n }],
    });
    await produced.promise;
    const owner = log.writer(id);
    await owner.open();
    const admin = await log.admin();
    expect(await admin.committedOffsets(id, [input])).toEqual([]);
    await admin.close();
    await owner.commit({
      records: [record(topic, 'k', 'mine')],
      groupId: id,
      offsets: [{ topic: input, partition: 0, offset: 1n }],
    });
    expect((await readAll(log, topic)).flatMap(({ records }) => records.map(textOf))).toEqual(['mine']);
    await owner.close();
  });

  it('that was aborted shows no record, however several of them overlap', async () => {
    const topic = await makeTopic();
    const producers = await Promise.all(
      [1, 2, 3, 4].map(async (number) => {
        const producer = client.producer({
          transactionalId: uniqueName(`abort-${number}`),
          maxInFlightRequests: 1,
          idempotent: true,
        });
        await producer.connect();
        return producer;
      }),
    );
    const transactions: kafkajs.Transaction[] = [];
    for (const producer of producers) transactions.push(await producer.transaction());
    const send = (index: number, value: string) =>
      transactions[index]?.send({ topic, messages: [{ key: 'k', value }] });
    for (let round = 0; round < 3; round += 1) for (const index of [0, 1, 2, 3]) await send(index, `${index}.${round}`);
    // ended in another order than begun: how the broker lists them
    await transactions[2]?.abort();
    await transactions[3]?.commit();
    await transactions[0]?.abort();
    await transactions[1]?.abort();
    const read = (await readAll(log, topic)).flatMap(({ records }) => records.map(textOf));
    expect(read).toEqual(['3.0', '3.1', '3.2']);
    // a reader that starts in the middle of them
    const reader = new Reader();
    reader.starts = [{ topic, partition: 0, offset: 5n }];
    const consumer = log.consumer({ groupId: uniqueName('group'), topics: [topic], assignment: 'spread' });
    const running = consumer.run(reader);
    await until(() => reader.texts.length >= 2, 'two records');
    await stopConsumer(consumer, running);
    expect(reader.texts).toEqual(['3.1', '3.2']);
    await Promise.all(producers.map((producer) => producer.disconnect()));
  });
});

describe('a stretch of the log', () => {
  it('whose last records were aborted is read to its end, and no further', async () => {
    const topic = await makeTopic(2);
    await write([record(topic, 'k', 'first', 0), record(topic, 'k', 'second', 0)]);
    const producer = client.producer({
      transactionalId: uniqueName('abort'),
      maxInFlightRequests: 1,
      idempotent: true,
    });
    await producer.connect();
    const transaction = await producer.transaction();
    const messages = [0, 1].flatMap((partition) => numbers(3).map((value) => ({ key: 'k', value, partition })));
    await transaction.send({ topic, messages });
    await transaction.abort();
    await producer.disconnect();
    const admin = await log.admin();
    // two records, three that were aborted, and the markers of both transactions; in the other partition three and one
    const withMarkers = [7n, 4n];
    const ends = async () =>
      (await admin.bounds(topic)).map(({ partition, latest }) => latest - (withMarkers[partition] ?? 0n));
    await until(async () => (await ends()).every((over) => over === 0n), 'the markers');
    const stretches = (await admin.bounds(topic)).map(({ earliest, latest, ...place }) => {
      return { ...place, from: earliest, to: latest };
    });
    await admin.close();
    await write([record(topic, 'k', 'after', 0), record(topic, 'k', 'after', 1)]);
    const read: string[] = [];
    const records = (_: unknown, batch: readonly LogRecord[]) => void read.push(...batch.map(textOf));
    await readRange(log, { groupId: uniqueName('range'), stretches, records });
    expect(read).toEqual(['first', 'second']);
  });
});

describe('a compacted topic', () => {
  it('is read to its end where compaction left nothing but empty batches in a segment', async () => {
    const topic = await makeTopic(1, {
      'cleanup.policy': 'compact',
      'min.cleanable.dirty.ratio': '0.001',
      'segment.bytes': '1048576',
      'segment.ms': '500',
      'min.compaction.lag.ms': '0',
      'delete.retention.ms': '0',
      'max.message.bytes': '1048500',
    });
    // Kafka keeps the last batch of every producer, empty when need be: each of these leaves one behind
    const keys = numbers(20).map((text) => `key ${text}`);
    for (const round of numbers(8)) await produceIdempotent(topic, keys, round);
    await pause(700);
    // as large as a segment: the cleaner can't join it to the one before
    await produceIdempotent(topic, [...keys, 'filler'], 'last', 1_046_000);
    const read = async () => (await readAll(log, topic)).flatMap(({ records }) => records);
    await until(
      async () => {
        await pause(600);
        await produceIdempotent(topic, ['end'], 'end');
        const records = await read();
        return !records.some((one) => textOf(one) === '0');
      },
      'compaction',
      120_000,
    );
    const batches = await readAll(log, topic);
    const byKey = new Map(
      batches.flatMap(({ records }) => records.map((one) => [String(one.key), textOf(one)] as const)),
    );
    for (const key of keys) expect(byKey.get(key)).toBe('last');
    expect(byKey.get('end')).toBe('end');
    expect(batches.at(-1)?.nextOffset).toBe(await latest(topic));
  });
});

/** By a producer of its own. */
async function produceIdempotent(
  topic: string,
  keys: readonly string[],
  value: string,
  fillerBytes = 0,
): Promise<void> {
  const producer = client.producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  const messages = keys.map((key) => ({ key, value: key === 'filler' ? 'x'.repeat(fillerBytes) : value }));
  await producer.send({ topic, messages });
  await producer.disconnect();
}

function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

async function latest(topic: string): Promise<bigint> {
  const admin = await log.admin();
  const [bound] = await admin.bounds(topic);
  await admin.close();
  return bound?.latest ?? 0n;
}
