/**
 * Invariants 3 and 5: each input record's outputs are visible exactly once and in order per key, whatever dies and when.
 * Workers are processes of their own; they are killed in the middle of transactions, halted and woken as zombies, and the
 * broker is killed under them.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../adapters/clock.ts';
import { ContractError, RecordError, TransientError } from '../../core/errors.ts';
import type { Log, LogRecord, OutputRecord } from '../../core/ports.ts';
import { DEAD_LETTER_HEADERS } from '../../processors/dead-letter.ts';
import { PLACE_HEADERS } from '../../processors/redrive.ts';
import { StageRuntime } from '../../processors/runtime.ts';
import { ProcessorSettings } from '../../processors/settings.ts';
import type { CrashPoint, Stage, Transformed } from '../../processors/stage.ts';
import { restartService } from '../../stack/stack.ts';
import {
  quietLogger,
  readAll,
  startKafka,
  type TestKafka,
  testLog,
  textOf,
  uniqueName,
  until,
  writeRecords,
} from '../support/kafka.ts';
import type { MemberOptions } from '../support/runtime-member.ts';

const PARTITIONS = 4;
const MEMBER = fileURLToPath(new URL('../support/runtime-member.ts', import.meta.url));

let kafka: TestKafka;
let log: Log;
const members: ChildProcess[] = [];

beforeAll(async () => {
  kafka = await startKafka();
  log = testLog(kafka.brokers);
  const admin = await log.admin();
  await admin.createTopics(['redrive.test', 'dead-letter.test'].map((topic) => ({ topic, partitions: PARTITIONS })));
  await admin.close();
}, 120_000);

afterEach(() => {
  for (const member of members.splice(0)) member.kill('SIGKILL');
});

afterAll(async () => {
  await kafka?.stop();
});

async function makeTopics(count: number, partitions = PARTITIONS): Promise<string[]> {
  const topics = Array.from({ length: count }, () => uniqueName('topic'));
  const admin = await log.admin();
  await admin.createTopics(topics.map((topic) => ({ topic, partitions })));
  await admin.close();
  return topics;
}

/** Keeps writing until stopped; `written`: how many records each topic got. */
class Source {
  readonly #topics: readonly string[];
  #isStopped = false;
  written = 0;
  readonly #running: Promise<void>;

  constructor(topics: readonly string[]) {
    this.#topics = topics;
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const records: OutputRecord[] = [];
      for (const topic of this.#topics) {
        for (let index = 0; index < 100; index += 1) {
          const number = this.written + index;
          records.push({ topic, key: `key ${number % 17}`, value: Buffer.from(String(number)), headers: {} });
        }
      }
      await writeRecords(log, records);
      this.written += 100;
      await systemClock.pause(50);
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }
}

function startMember(options: Omit<MemberOptions, 'brokers'>): ChildProcess {
  const argument = JSON.stringify({ ...options, brokers: kafka.brokers } satisfies MemberOptions);
  const member = spawn(process.execPath, [MEMBER, argument], { stdio: ['ignore', 'ignore', 'inherit'] });
  members.push(member);
  return member;
}

function exited(member: ChildProcess): Promise<void> {
  return new Promise((resolve) =>
    member.exitCode !== null || member.signalCode !== null ? resolve() : member.once('exit', () => resolve()),
  );
}

async function expectExactlyOnce(inputs: readonly string[], output: string, written: number): Promise<void> {
  const total = written * inputs.length;
  const admin = await log.admin();
  await until(
    async () => {
      const records = (await readAll(log, output)).reduce((sum, batch) => sum + batch.records.length, 0);
      return records >= total;
    },
    `${total} outputs`,
    120_000,
  );
  await admin.close();
  const batches = await readAll(log, output);
  const texts = batches.flatMap(({ records }) => records.map(textOf));
  expect(texts.length).toBe(total);
  expect(new Set(texts).size).toBe(total);
  const lastByKey = new Map<string, number>();
  for (const record of batches.flatMap(({ records }) => records)) {
    const [topic, , , number] = textOf(record).split(' ');
    const place = `${topic} ${record.key}`;
    expect(Number(number)).toBeGreaterThan(lastByKey.get(place) ?? -1);
    lastByKey.set(place, Number(number));
  }
}

describe('exactly once', () => {
  it.each<CrashPoint>([
    'before-produce',
    'before-commit',
    'after-commit',
  ])('when a worker is killed %s, and another goes on', async (point) => {
    const inputs = await makeTopics(2);
    const [output] = (await makeTopics(1)) as [string];
    const groupId = uniqueName('group');
    const source = new Source(inputs);
    const steady = startMember({ groupId, inputs, output });
    for (const at of [1, 7]) {
      const doomed = startMember({ groupId, inputs, output, crash: { point, at } });
      await exited(doomed);
    }
    await source.stop();
    await expectExactlyOnce(inputs, output, source.written);
    expect(steady.exitCode).toBe(null);
  });

  it('when a worker is halted until others have its work, then wakes in the middle of a transaction', async () => {
    const inputs = await makeTopics(2);
    const [output] = (await makeTopics(1)) as [string];
    const groupId = uniqueName('group');
    const source = new Source(inputs);
    const sleeper = startMember({ groupId, inputs, output });
    await until(async () => (await committed(groupId, inputs)) > 0n, 'the first commits');
    startMember({ groupId, inputs, output });
    await systemClock.pause(2_000);
    sleeper.kill('SIGSTOP');
    await systemClock.pause(12_000);
    sleeper.kill('SIGCONT');
    await systemClock.pause(3_000);
    await source.stop();
    await expectExactlyOnce(inputs, output, source.written);
  });

  it('when the broker is killed while transactions are under way', async () => {
    const inputs = await makeTopics(2);
    const [output] = (await makeTopics(1)) as [string];
    const groupId = uniqueName('group');
    const source = new Source(inputs);
    await until(() => source.written >= 1_000, 'something to read');
    await source.stop();
    startMember({ groupId, inputs, output });
    startMember({ groupId, inputs, output });
    await until(async () => (await committed(groupId, inputs)) > 0n, 'the first commits');
    await restartService(kafka.stateDirectory, 'kafka', 'SIGKILL');
    await expectExactlyOnce(inputs, output, source.written);
  });
});

async function committed(groupId: string, topics: readonly string[]): Promise<bigint> {
  const admin = await log.admin();
  const offsets = await admin.committedOffsets(groupId, topics).finally(() => admin.close());
  return offsets.reduce((sum, { offset }) => sum + offset, 0n);
}

describe('faults', () => {
  type Running = { readonly runtime: StageRuntime; readonly stop: () => Promise<void> };

  function run(inputs: readonly string[], transform: Stage['transform'], clock = systemClock): Running {
    const runtime = new StageRuntime({
      stage: { name: 'test', groupId: uniqueName('group'), inputs, transform },
      log,
      clock,
      logger: quietLogger,
      settings: ProcessorSettings.parse({ retryDelayMs: 20, retryDelayMsMax: 50 }),
    });
    const running = runtime.run();
    running.catch(() => {});
    return {
      runtime,
      stop: async () => {
        await runtime.stop();
        await running;
      },
    };
  }

  const write = (topic: string, values: readonly string[]) =>
    writeRecords(
      log,
      values.map((text) => ({ topic, key: text, value: Buffer.from(text), headers: { kept: Buffer.from('header') } })),
    );

  const copyTo = (output: string, records: readonly LogRecord[]): Transformed => ({
    outputs: records.map((record) => ({ topic: output, key: String(record.key), value: record.value, headers: {} })),
    rejected: [],
    counts: { produced: records.length },
  });

  const texts = async (topic: string) =>
    (await readAll(log, topic)).flatMap(({ records }) => records.map(textOf)).sort();

  it('of the clock, set back by an hour, hold nothing up', async () => {
    const [input, output] = (await makeTopics(2)) as [string, string];
    let wrongByMs = 0;
    const clock = { ...systemClock, nowMs: () => Date.now() + wrongByMs };
    const { stop } = run([input], async ({ records }) => copyTo(output, records), clock);
    await write(input, ['before']);
    await until(async () => (await texts(output)).length === 1, 'the record before');
    wrongByMs = -3_600_000;
    await write(input, ['after']);
    await until(async () => (await texts(output)).length === 2, 'the record after');
    await stop();
  });

  it('of a record set it aside with its reason, and the others flow', async () => {
    const [input, output] = (await makeTopics(2)) as [string, string];
    await write(input, ['good 1', 'bad', 'good 2']);
    const error = new RecordError({ code: 'MAPPING_REFUSED', message: 'member rejected: "phone" is odd' });
    const { runtime, stop } = run([input], async ({ records }) => ({
      ...copyTo(
        output,
        records.filter((record) => textOf(record) !== 'bad'),
      ),
      rejected: records.filter((record) => textOf(record) === 'bad').map((record) => ({ record, error })),
    }));
    await until(() => (runtime.status().topics[0]?.counts.received ?? 0) === 3, 'three records');
    await stop();
    expect(await texts(output)).toEqual(['good 1', 'good 2']);
    const [letter] = (await readAll(log, 'dead-letter.test')).flatMap(({ records }) => records);
    expect(letter?.value).toEqual(Buffer.from('bad'));
    expect(String(letter?.headers[DEAD_LETTER_HEADERS.key])).toBe('bad');
    const headers = Object.fromEntries(
      Object.entries(letter?.headers ?? {}).map(([name, bytes]) => [name, String(bytes)]),
    );
    expect(headers).toMatchObject({
      kept: 'header',
      [DEAD_LETTER_HEADERS.class]: 'record',
      [DEAD_LETTER_HEADERS.code]: 'MAPPING_REFUSED',
      [DEAD_LETTER_HEADERS.reason]: 'member rejected: "phone" is odd',
      [PLACE_HEADERS.topic]: input,
    });
    expect(runtime.status().topics[0]?.counts).toEqual({ received: 3, produced: 2, deadLetters: 1 });
  });

  it('of something away keep its topic waiting, uncommitted, and the others flow', async () => {
    const [away, well, output] = (await makeTopics(3)) as [string, string, string];
    await write(away, ['a 1', 'a 2']);
    await write(well, ['w 1']);
    let isAway = true;
    const { runtime, stop } = run([away, well], async ({ topic, records }) => {
      if (topic === away && isAway)
        throw new TransientError({ code: 'DATABASE_AWAY', message: 'the database is away' });
      return copyTo(output, records);
    });
    const stateOf = (topic: string) => runtime.status().topics.find((one) => one.topic === topic);
    await until(() => stateOf(well)?.counts.received === 1 && stateOf(away)?.state === 'degraded', 'one topic to flow');
    expect(runtime.status()).toMatchObject({ state: 'degraded', reason: { code: 'DATABASE_AWAY' } });
    expect(await texts(output)).toEqual(['w 1']);
    isAway = false;
    await until(() => stateOf(away)?.counts.received === 2, 'the other topic');
    expect(runtime.status().state).toBe('running');
    await stop();
    expect(await texts(output)).toEqual(['a 1', 'a 2', 'w 1']);
  });

  it('of a contract stop their topic at the very record, and the others flow', async () => {
    const [broken, well, output] = (await makeTopics(3, 1)) as [string, string, string];
    await write(broken, ['b 0', 'b 1', 'b 2']);
    await write(well, ['w 1']);
    const reason = new ContractError({
      code: 'SCHEMA_INCOMPATIBLE',
      message: 'a column changed its type',
      hint: 'look',
    });
    const { runtime, stop } = run([broken, well], async ({ topic, records }) => {
      const at = topic === broken ? records.findIndex((record) => textOf(record) === 'b 1') : -1;
      return at < 0 ? copyTo(output, records) : { ...copyTo(output, records.slice(0, at)), stop: { at, reason } };
    });
    const stateOf = (topic: string) => runtime.status().topics.find((one) => one.topic === topic);
    await until(() => stateOf(broken)?.state === 'failed' && stateOf(well)?.counts.received === 1, 'one topic to stop');
    await write(well, ['w 2']);
    await until(() => stateOf(well)?.counts.received === 2, 'the other to go on');
    expect(runtime.status()).toMatchObject({ state: 'degraded', reason: { code: 'SCHEMA_INCOMPATIBLE' } });
    await stop();
    expect(await texts(output)).toEqual(['b 0', 'w 1', 'w 2']);
  });

  it('of the cluster are shown, and waited out', async () => {
    const runtime = new StageRuntime({
      stage: {
        name: 'test',
        groupId: uniqueName('group'),
        inputs: ['anything'],
        transform: async () => copyTo('', []),
      },
      log: testLog(['127.0.0.1:1']),
      clock: systemClock,
      logger: quietLogger,
      settings: ProcessorSettings.parse({ joinPatienceMs: 500 }),
    });
    const running = runtime.run();
    expect(runtime.status().state).toBe('running');
    await until(() => runtime.status().state === 'degraded', 'the outage to show', 5_000);
    expect(runtime.status().reason?.code).toBe('GROUP_AWAY');
    await runtime.stop();
    await running;
  });

  it('of ours end the run and commit nothing', async () => {
    const [input, output] = (await makeTopics(2)) as [string, string];
    await write(input, ['one']);
    const groupId = uniqueName('group');
    const runtime = new StageRuntime({
      stage: {
        name: 'test',
        groupId,
        inputs: [input],
        transform: async () => {
          throw new TypeError('a fault of ours');
        },
      },
      log,
      clock: systemClock,
      logger: quietLogger,
      settings: ProcessorSettings.parse({}),
    });
    await expect(runtime.run()).rejects.toThrow('a fault of ours');
    expect(await committed(groupId, [input])).toBe(0n);
    expect(await texts(output)).toEqual([]);
  });
});
