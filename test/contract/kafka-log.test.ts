/** What core/ports.ts promises of a log, on a real Kafka. A client that replaces kafkajs must pass this file unchanged. */
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../adapters/clock.ts';
import { dealSameNumberTogether, dealSpread } from '../../adapters/kafka/assigner.ts';
import type { ConsumerHealth } from '../../adapters/kafka/consumer.ts';
import { murmur2, partitionOf } from '../../adapters/kafka/partitioner.ts';
import type { Log, OutputRecord } from '../../core/ports.ts';
import { restartService } from '../../stack/stack.ts';
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

describe('partitions', () => {
  it('are chosen as Java’s default partitioner does', () => {
    expect(murmur2(Buffer.from('21'))).toBe(-973932308);
    expect(murmur2(Buffer.from('foobar'))).toBe(-790332482);
    expect(murmur2(Buffer.from('a-little-bit-long-string'))).toBe(-985981536);
    expect(murmur2(Buffer.from('a-little-bit-longer-string'))).toBe(-1486304829);
    expect(murmur2(Buffer.from('abc'))).toBe(479470107);
    expect(partitionOf(Buffer.from('foobar'), 8)).toBe((-790332482 & 0x7fffffff) % 8);
  });

  it('of one number go to one member, also where topics have different counts', () => {
    const counts = new Map([
      ['a', 4],
      ['b', 6],
      ['c', 1],
    ]);
    const hands = dealSameNumberTogether(counts, 3);
    expect(hands).toEqual([
      { a: [0, 3], b: [0, 3], c: [0] },
      { a: [1], b: [1, 4] },
      { a: [2], b: [2, 5] },
    ]);
    expect(dealSpread(counts, 3).map((hand) => Object.values(hand).flat().length)).toEqual([4, 4, 3]);
  });

  it('hold one key’s records in order, wherever they were written from', async () => {
    const topic = await makeTopic(4);
    await write(numbers(200).map((text) => record(topic, `key ${Number(text) % 7}`, text)));
    for (const batch of await readAll(log, topic)) {
      for (const { key } of batch.records) expect(partitionOf(key, 4)).toBe(batch.partition);
      const byKey = Map.groupBy(batch.records, ({ key }) => String(key));
      for (const records of byKey.values()) {
        const read = records.map((one) => Number(textOf(one)));
        expect(read).toEqual([...read].sort((left, right) => left - right));
      }
    }
  });
});

describe('a consumer', () => {
  it('starts at the beginning, then where its group committed', async () => {
    const topic = await makeTopic();
    const groupId = uniqueName('group');
    await write(numbers(10).map((text) => record(topic, 'k', text)));
    const writer = log.writer(uniqueName('writer'));
    await writer.open();

    const first = new Reader();
    const consumer = log.consumer({ groupId, topics: [topic], assignment: 'spread' });
    const running = consumer.run(first);
    await until(() => first.texts.length === 10, 'ten records');
    await stopConsumer(consumer, running);
    expect(first.texts).toEqual(numbers(10));
    expect(first.revocations).toEqual([[`${topic}:0`]]);

    await writer.commit({ records: [], groupId, offsets: [{ topic, partition: 0, offset: 4n }] });
    const second = new Reader();
    const again = log.consumer({ groupId, topics: [topic], assignment: 'spread' });
    const runningAgain = again.run(second);
    await until(() => second.texts.length === 6, 'six records');
    await stopConsumer(again, runningAgain);
    expect(second.texts).toEqual(numbers(6, 4));
    await writer.close();
  });

  it('starts where `assigned` says, with headers, offsets and the next offset behind the transaction marker', async () => {
    const topic = await makeTopic();
    await write(numbers(10).map((text) => record(topic, 'k', text)));
    const reader = new Reader();
    reader.starts = [{ topic, partition: 0, offset: 7n }];
    const consumer = log.consumer({ groupId: uniqueName('group'), topics: [topic], assignment: 'spread' });
    const running = consumer.run(reader);
    await until(() => reader.texts.length === 3, 'three records');
    await stopConsumer(consumer, running);
    expect(reader.texts).toEqual(['7', '8', '9']);
    expect(reader.records.map(({ offset }) => offset)).toEqual([7n, 8n, 9n]);
    expect(reader.records[0]?.headers).toEqual({ seam: Buffer.from([1, 2]) });
    expect(String(reader.records[0]?.key)).toBe('k');
    expect(reader.batches.at(-1)?.nextOffset).toBe(11n);
  });

  it('commits for the display of lag', async () => {
    const topic = await makeTopic();
    const groupId = uniqueName('group');
    await write([record(topic, 'k', 'a')]);
    const reader = new Reader();
    const consumer = log.consumer({ groupId, topics: [topic], assignment: 'spread' });
    const running = consumer.run(reader);
    await until(() => reader.texts.length === 1, 'one record');
    await consumer.commit([{ topic, partition: 0, offset: 2n }]);
    await stopConsumer(consumer, running);
    const admin = await log.admin();
    expect(await admin.committedOffsets(groupId, [topic])).toEqual([{ topic, partition: 0, offset: 2n }]);
    expect(await admin.bounds(topic)).toEqual([{ topic, partition: 0, earliest: 0n, latest: 2n }]);
    await admin.close();
  });

  it('lets other partitions flow while one batch takes long, and keeps that partition in order', async () => {
    const topic = await makeTopic(2);
    await write(numbers(3).map((text) => record(topic, null, `slow ${text}`, 0)));
    const reader = new Reader();
    const release = Promise.withResolvers<void>();
    reader.onBatch = (batch) =>
      batch.partition === 0 && reader.batches.length <= 1 ? release.promise : Promise.resolve();
    const consumer = log.consumer({ groupId: uniqueName('group'), topics: [topic], assignment: 'spread' });
    const running = consumer.run(reader);
    await until(() => reader.batches.length === 1, 'the slow batch');
    for (const text of numbers(5))
      await write([record(topic, null, `fast ${text}`, 1), record(topic, null, `slow ${3 + Number(text)}`, 0)]);
    await until(() => reader.texts.filter((text) => text.startsWith('fast')).length === 5, 'the fast partition');
    expect(reader.texts.filter((text) => text.startsWith('slow'))).toEqual(['slow 0', 'slow 1', 'slow 2']);
    release.resolve();
    await until(() => reader.texts.length === 13, 'the rest');
    await stopConsumer(consumer, running);
    expect(reader.texts.filter((text) => text.startsWith('slow'))).toEqual(numbers(8).map((text) => `slow ${text}`));
  });

  it('is given what one fetch brought in parts, and none of them once the partition went', async () => {
    const topic = await makeTopic();
    for (const first of [0, 1_500, 3_000, 4_500])
      await write(numbers(1_500, first).map((text) => record(topic, null, text)));
    const groupId = uniqueName('group');
    const reader = new Reader();
    const release = Promise.withResolvers<void>();
    reader.onBatch = () => release.promise;
    const consumer = log.consumer({ groupId, topics: [topic], assignment: 'spread' });
    const running = consumer.run(reader);
    await until(() => reader.batches.length === 1, 'the first part');
    // two transactions, up to the marker of the second
    expect(reader.batches[0]).toMatchObject({ count: 3_000, nextOffset: 3_001n });

    // who joins makes the group deal its partition again, and nothing was committed
    const other = new Reader();
    const joining = log.consumer({ groupId, topics: [topic], assignment: 'spread' });
    const runningToo = joining.run(other);
    await until(() => reader.revocations.length > 0, 'the partition to go');
    const before = reader.batches.length;
    release.resolve();
    await until(() => reader.batches.length + other.batches.length >= before + 2, 'both parts once more');
    await stopConsumer(consumer, running);
    await stopConsumer(joining, runningToo);
    const again = reader.batches.length > before ? reader.batches.slice(before) : other.batches;
    expect(again.flatMap(({ records }) => records.map(textOf)).slice(0, 6_000)).toEqual(numbers(6_000));
  });

  it('starts its client again when the clock of the machine is set back, and neither loses nor repeats a record', async () => {
    const topic = await makeTopic();
    const groupId = uniqueName('group');
    let wrongByMs = 0;
    const clock = { ...systemClock, nowMs: () => Date.now() + wrongByMs };
    const seen: string[] = [];
    const onHealth = (health: ConsumerHealth) =>
      seen.push(health.state === 'degraded' ? health.reason.code : health.state);
    const reader = new Reader();
    const watched = testLog(kafka.brokers, { clock, onHealth });
    const consumer = watched.consumer({ groupId, topics: [topic], assignment: 'spread' });
    const running = consumer.run(reader);
    await write(numbers(5).map((text) => record(topic, 'k', text)));
    await until(() => reader.texts.length === 5, 'five records');
    reader.starts = [{ topic, partition: 0, offset: 5n }];
    wrongByMs = -3_600_000;
    await until(() => seen.includes('CLOCK_SET_BACK'), 'the clock is noticed');
    await write(numbers(5, 5).map((text) => record(topic, 'k', text)));
    await until(() => reader.texts.length === 10, 'ten records');
    expect(reader.texts).toEqual(numbers(10));
    expect(seen.at(-1)).toBe('running');
    wrongByMs = 0;
    await write([record(topic, 'k', 'ahead again')]);
    await until(() => reader.texts.length === 11, 'the last record');
    expect(seen.filter((one) => one === 'CLOCK_SET_BACK')).toHaveLength(1);
    await stopConsumer(consumer, running);
  });

  it('passes an error of a callback on, and stops', async () => {
    const topic = await makeTopic();
    await write([record(topic, 'k', 'a')]);
    const reader = new Reader();
    reader.onBatch = async () => {
      throw new TypeError('a fault of ours');
    };
    const consumer = log.consumer({ groupId: uniqueName('group'), topics: [topic], assignment: 'spread' });
    await expect(consumer.run(reader)).rejects.toMatchObject({ class: 'invariant' });
    expect(reader.revocations).toHaveLength(1);
  });

  it('refuses to read on where records were removed unread', async () => {
    const topic = await makeTopic();
    const groupId = uniqueName('group');
    await write(numbers(10).map((text) => record(topic, 'k', text)));
    const writer = log.writer(uniqueName('writer'));
    await writer.open();
    await writer.commit({ records: [], groupId, offsets: [{ topic, partition: 0, offset: 2n }] });
    await writer.close();
    await removeRecords(topic, '6');
    const consumer = log.consumer({ groupId, topics: [topic], assignment: 'spread' });
    await expect(consumer.run(new Reader())).rejects.toMatchObject({
      class: 'contract',
      code: 'LOG_TRUNCATED',
      where: expect.stringContaining('next offset 2, beginning of the log 6'),
    });
    const admin = await log.admin();
    expect(await admin.committedOffsets(groupId, [topic])).toEqual([{ topic, partition: 0, offset: 2n }]);
    await admin.close();
  });

  it('refuses to read on where records are removed under its feet, and leaves the group’s offset alone', async () => {
    const topic = await makeTopic();
    const groupId = uniqueName('group');
    const reader = new Reader();
    const release = Promise.withResolvers<void>();
    reader.onBatch = () => release.promise;
    await write([record(topic, 'k', 'first')]);
    const consumer = log.consumer({ groupId, topics: [topic], assignment: 'spread' });
    const running = consumer.run(reader);
    const outcome = expect(running).rejects.toMatchObject({ class: 'contract', code: 'LOG_TRUNCATED' });
    await until(() => reader.batches.length === 1, 'the first record');
    await write(numbers(10).map((text) => record(topic, 'k', text)));
    await removeRecords(topic, '8');
    release.resolve();
    await outcome;
    const admin = await log.admin();
    expect(await admin.committedOffsets(groupId, [topic])).toEqual([]);
    await admin.close();
  });

  it('waits out a restart of the broker, says so, and neither loses nor repeats a record', async () => {
    const topic = await makeTopic();
    await write(numbers(5).map((text) => record(topic, 'k', text)));
    const states: string[] = [];
    const watched = testLog(kafka.brokers, {
      onHealth: ({ state }) => states.push(state),
      settings: { requestTimeoutMs: 5_000 },
    });
    const reader = new Reader();
    const consumer = watched.consumer({ groupId: uniqueName('group'), topics: [topic], assignment: 'spread' });
    reader.starts = [{ topic, partition: 0, offset: 0n }];
    reader.onBatch = async (batch) => {
      reader.starts = [{ topic, partition: 0, offset: batch.nextOffset }];
    };
    const running = consumer.run(reader);
    await until(() => reader.texts.length === 5, 'five records');
    await restartService(kafka.stateDirectory, 'kafka', 'SIGKILL');
    await write(numbers(5, 5).map((text) => record(topic, 'k', text)));
    await until(() => reader.texts.length >= 10, 'ten records', 90_000);
    await stopConsumer(consumer, running);
    expect(reader.texts).toEqual(numbers(10));
    expect(states[0]).toBe('running');
    expect(states.at(-1)).toBe('running');
  });
});

describe('topics', () => {
  it('of an earlier version take larger records afterwards, and keep their other settings', async () => {
    const topic = uniqueName('topic');
    const admin = await log.admin();
    try {
      const config = { 'max.message.bytes': '2000', 'min.compaction.lag.ms': '5000' };
      await admin.createTopics([{ topic, partitions: 1, config }]);
      const large = [record(topic, 'k', 'x'.repeat(9_000))];
      await expect(writeRecords(log, large)).rejects.toMatchObject({ code: 'RECORD_TOO_LARGE' });
      const raise = (setting: string, atLeast: number) => admin.raiseSetting([topic, 'not-there'], setting, atLeast);
      expect(await raise('max.message.bytes', 10_000)).toEqual([topic]);
      expect(await raise('max.message.bytes', 10_000)).toEqual([]);
      expect(await raise('min.compaction.lag.ms', 5_000)).toEqual([]);
      await writeRecords(log, large);
    } finally {
      await admin.close();
    }
  });

  it('are created once, and missing ones are left out of counts', async () => {
    const topic = uniqueName('topic');
    const other = uniqueName('topic');
    const admin = await log.admin();
    await admin.createTopics([{ topic, partitions: 3 }]);
    await admin.createTopics([
      { topic, partitions: 5 },
      { topic: other, partitions: 1 },
    ]);
    expect(await admin.partitionCounts([topic, other, 'not-there'])).toEqual(
      new Map([
        [topic, 3],
        [other, 1],
      ]),
    );
    await expect(
      admin.createTopics([{ topic: uniqueName('topic'), partitions: 1, config: { nonsense: '1' } }]),
    ).rejects.toMatchObject({
      class: 'config',
    });
    await admin.close();
  });
});

async function removeRecords(topic: string, offset: string): Promise<void> {
  const admin = client.admin();
  await admin.connect();
  await admin.fetchTopicOffsets(topic);
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset }] });
  await admin.disconnect();
}
