/**
 * Invariant 6 in the processors, on a real Kafka: a refused record stops its key and no other; what waits behind it waits
 * in order, through restarts and rebalances, until an operator asks on the redrive lane.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../adapters/clock.ts';
import type { Deployment } from '../../core/deployment.ts';
import { RecordError } from '../../core/errors.ts';
import type { Log, LogRecord } from '../../core/ports.ts';
import type { Choice, Found } from '../../ops/operations/dead-letters.ts';
import {
  discardDeadLetters,
  givenUp,
  planRedrive,
  retryDeadLetters,
} from '../../ops/operations/dead-letters-redrive.ts';
import { appendToLane, readLetters } from '../../ops/redrive.ts';
import { type Letter, placeText } from '../../processors/dead-letter.ts';
import { type RedriveAction, redriveRecord, refused } from '../../processors/redrive.ts';
import { StageRuntime } from '../../processors/runtime.ts';
import { ProcessorSettings } from '../../processors/settings.ts';
import { deadLetterTopic, redriveTopic, type Stage } from '../../processors/stage.ts';
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

const PARTITIONS = 2;

let kafka: TestKafka;
let log: Log;

beforeAll(async () => {
  kafka = await startKafka();
  log = testLog(kafka.brokers);
}, 120_000);

afterAll(async () => {
  await kafka?.stop();
});

/** A stage of its own with its topics; refuses values that begin with one of `bad`. */
class Bench {
  readonly name: string;
  readonly input: string;
  readonly output = uniqueName('out');
  readonly bad = new Set<string>();
  readonly #settings: Partial<ProcessorSettings>;
  readonly #running: { runtime: StageRuntime; done: Promise<void> }[] = [];

  constructor(settings: Partial<ProcessorSettings> = {}, name = uniqueName('stage'), input = uniqueName('in')) {
    this.#settings = settings;
    this.name = name;
    this.input = input;
  }

  async open(): Promise<this> {
    const admin = await log.admin();
    const compacted = { 'cleanup.policy': 'compact' };
    await admin.createTopics([
      ...[this.input, this.output, redriveTopic(this.name)].map((topic) => ({ topic, partitions: PARTITIONS })),
      { topic: deadLetterTopic(this.name), partitions: PARTITIONS, config: compacted },
    ]);
    await admin.close();
    return this;
  }

  async start(): Promise<StageRuntime> {
    const stage: Stage = {
      name: this.name,
      groupId: this.name,
      inputs: [this.input],
      transform: async ({ records }) => {
        const error = new RecordError({ code: 'ODD', message: 'the value is odd', hint: 'look at it' });
        const rejected = records.filter((record) => this.#isBad(record)).map((record) => ({ record, error }));
        const good = records.filter((record) => !this.#isBad(record));
        const outputs = good.map(({ key, value }) => ({ topic: this.output, key, value, headers: {} }));
        return { outputs, rejected, counts: { produced: outputs.length } };
      },
    };
    const settings = ProcessorSettings.parse({ transactionEveryMs: 0, ...this.#settings });
    const runtime = new StageRuntime({ stage, log, clock: systemClock, logger: quietLogger, settings });
    const done = runtime.run();
    this.#running.push({ runtime, done });
    await until(() => runtime.status().tasks.length > 0, 'an assignment');
    return runtime;
  }

  async stop(): Promise<void> {
    for (const { runtime, done } of this.#running.splice(0)) {
      await runtime.stop();
      await done;
    }
  }

  /** `key value` each. */
  async write(...texts: string[]): Promise<void> {
    await writeRecords(
      log,
      texts.map((text) => {
        const [key = '', value = ''] = text.split(' ');
        const bytes = value === '' ? null : Buffer.from(value);
        return { topic: this.input, key, value: bytes, headers: { kept: Buffer.from(key) } };
      }),
    );
  }

  async out(): Promise<Record<string, string>> {
    const found: Record<string, string> = {};
    for (const record of (await readAll(log, this.output)).flatMap(({ records }) => records)) {
      const key = String(record.key);
      const value = record.value === null ? '-' : textOf(record);
      found[key] = found[key] === undefined ? value : `${found[key]} ${value}`;
    }
    return found;
  }

  async letters(): Promise<Letter[]> {
    return (await readLetters(log, this.name)).sort((left, right) => (left.place.offset < right.place.offset ? -1 : 1));
  }

  async states(): Promise<string[]> {
    return (await this.letters()).map(({ original, state, attempts }) => {
      return `${original.key === null ? '?' : String(original.key)} ${state} ${attempts}`;
    });
  }

  async ask(action: Exclude<RedriveAction, 'delete'>, letters: readonly Letter[]): Promise<void> {
    const asked = { by: 'ann', reason: 'seen' };
    await appendToLane(
      log,
      letters.map(({ place, original }) => redriveRecord(this.name, action, place, original, asked)),
    );
  }

  count(runtime: StageRuntime, name: string): number {
    return runtime.status().topics.reduce((sum, { counts }) => sum + (counts[name] ?? 0), 0);
  }

  #isBad(record: LogRecord): boolean {
    return [...this.bad].some((start) => textOf(record).startsWith(start));
  }
}

describe('a refused record', () => {
  it('stops its key, in order, through a restart and a rebalance, until a retry lands it', async () => {
    const bench = await new Bench().open();
    bench.bad.add('bad');
    const first = await bench.start();
    await bench.write('a a1', 'a bad2', 'a a3', 'b b1');
    await until(() => bench.count(first, 'received') === 4, 'the first records');
    await bench.write('a', 'b b2');
    await until(() => bench.count(first, 'received') === 6, 'the rest');
    expect(first.status()).toMatchObject({ state: 'running', deadLetters: 1, waiting: 2 });
    expect(await bench.out()).toEqual({ a: 'a1', b: 'b1 b2' });
    const letters = await bench.letters();
    const [bad] = letters as [Letter];
    expect(letters.map(({ state, code, behind }) => [state, code, behind])).toEqual([
      ['refused', 'ODD', undefined],
      ['waiting', 'KEY_PARKED', placeText(bad.place)],
      ['waiting', 'KEY_PARKED', placeText(bad.place)],
    ]);
    expect(bad).toMatchObject({ reason: 'the value is odd', hint: 'look at it', original: { key: Buffer.from('a') } });
    expect(String(bad.original.headers.kept)).toBe('a');
    expect(letters[2]?.original.value).toBe(null);

    await bench.stop();
    const second = await bench.start();
    await until(() => second.status().deadLetters === 1 && second.status().waiting === 2, 'what was set aside');
    await bench.start();
    await bench.write('a a5', 'b b3');
    await until(async () => (await bench.states()).length === 4, 'the record behind, whoever has the partition');

    await bench.ask('retry', await bench.letters());
    await until(async () => (await bench.states())[0] === 'a refused 1', 'the attempt');
    expect((await bench.out()).a).toBe('a1');
    bench.bad.clear();
    await bench.ask('retry', await bench.letters());
    await until(async () => (await bench.states()).length === 0, 'all to land');
    await bench.write('a a6');
    await until(async () => (await bench.out()).a === 'a1 bad2 a3 - a5 a6', 'the key to flow again');
    await bench.stop();
  });

  it('is discarded on record, and what waited goes on in order; asked twice is asked once', async () => {
    const bench = await new Bench().open();
    bench.bad.add('bad');
    const runtime = await bench.start();
    await bench.write('a bad1', 'a a2', 'a a3');
    await until(() => runtime.status().waiting === 2, 'the records behind');
    const [bad, ...behind] = (await bench.letters()) as [Letter, ...Letter[]];
    await bench.ask('retry', [...behind].reverse());
    await until(() => bench.count(runtime, 'stillBehind') === 2, 'them to be passed over');
    await bench.ask('discard', [bad, bad]);
    await bench.ask('retry', behind);
    await bench.ask('retry', [bad, ...behind]);
    await until(() => bench.count(runtime, 'passedOver') === 4, 'what is done already to be passed over');
    expect(await bench.out()).toEqual({ a: 'a2 a3' });
    const [left, ...none] = await bench.letters();
    expect(none).toEqual([]);
    expect(left).toMatchObject({ state: 'discarded', code: 'ODD', original: { key: null, value: null } });
    expect(left?.discarded).toMatchObject({ by: 'ann', reason: 'seen' });
    expect(left?.place).toEqual(bad.place);
    await bench.stop();
  });

  it('stops its partition loudly where no more may be set aside, and it goes on when there is room', async () => {
    const bench = await new Bench({ parkedRecordsMax: 3 }).open();
    bench.bad.add('bad');
    const runtime = await bench.start();
    await bench.write('a bad1', 'a a2', 'a a3', 'a a4', 'b b1');
    await until(() => runtime.status().state === 'degraded', 'the stop');
    expect(runtime.status().reason).toMatchObject({
      code: 'PARKED_FULL',
      message: '3 records of this partition are set aside, and no more may be',
      where: expect.stringContaining(bench.input),
      hint: expect.stringContaining(`seam dead-letter list --stage ${bench.name}`),
    });
    expect(runtime.status()).toMatchObject({ deadLetters: 1, waiting: 2 });
    bench.bad.clear();
    await bench.ask('retry', await bench.letters());
    await until(() => runtime.status().state === 'running', 'room');
    await until(async () => (await bench.out()).a === 'bad1 a2 a3 a4', 'the rest');
    await bench.stop();
  });

  it('lets later records flow where the setting says so', async () => {
    const bench = await new Bench({ laterRecords: 'take-over' }).open();
    bench.bad.add('bad');
    const runtime = await bench.start();
    await bench.write('a bad1', 'a a2', 'a bad3');
    await until(() => bench.count(runtime, 'received') === 3, 'all');
    expect(await bench.out()).toEqual({ a: 'a2' });
    expect(await bench.states()).toEqual(['a refused 0', 'a refused 0']);
    await bench.stop();
  });
});

describe('a command about dead letters', () => {
  /** Of a table that no mapping names, so that the entity is the table's own name. */
  const input = 'raw.far.public.thing';
  const selections: Choice[] = [
    { stage: 'canonicalize' },
    { system: 'far' },
    { entity: 'public.thing' },
    { code: 'ODD' },
    { system: 'far', entity: 'public.thing', code: 'ODD' },
  ];

  it('gives the refused record up and lands the corrected one behind it, however they are chosen', async () => {
    const bench = await new Bench({ laterRecords: 'wait' }, 'canonicalize', input).open();
    bench.bad.add('bad');
    const runtime = await bench.start();
    const deployment = { kafka: { bootstrapServers: kafka.brokers.join(',') }, systems: {} } as unknown as Deployment;
    const all = [...selections, 'id', 'retry'] as const;
    for (const [index, selection] of all.entries()) {
      await bench.write(`k${index} bad`, `k${index} good`);
      await until(() => runtime.status().deadLetters === 1 && runtime.status().waiting === 1, 'both to be set aside');
      const [refused] = await openLetters(bench);
      const ids = [`canonicalize:${placeText((refused as Letter).place)}`];
      const choice = typeof selection === 'string' ? { ids } : selection;
      const plan = await planRedrive(deployment, choice);
      expect(plan.keys).toMatchObject([{ ids, waitingBehind: 1 }]);
      if (selection === 'retry') bench.bad.clear();
      const answers =
        selection === 'retry'
          ? await retryDeadLetters(deployment, plan, { patienceMs: 30_000 })
          : await discardDeadLetters(deployment, plan, choice, { patienceMs: 30_000, reason: 'corrected' });
      expect(answers).toMatchObject([
        selection === 'retry'
          ? { outcome: 'landed', detail: '2 records, in order' }
          : { outcome: 'discarded', detail: '1 behind landed' },
      ]);
      expect((await bench.out())[`k${index}`]).toBe(selection === 'retry' ? 'bad good' : 'good');
    }
    await bench.stop();
  }, 180_000);

  it('gives up what waits behind only where it is named itself', async () => {
    const letter = (id: string, state: string) =>
      ({ keyName: 'k', letter: { id, state, system: 's', entity: 'e', code: state, where: {} } }) as unknown as Found;
    const found = [letter('1', 'refused'), letter('2', 'behind')];
    const ids = (choice: Choice) => givenUp(found, choice).map((one) => one.letter.id);
    expect(ids({})).toEqual(['1']);
    expect(ids({ system: 's', entity: 'e' })).toEqual(['1']);
    expect(ids({ ids: ['2'] })).toEqual(['2']);
    expect(ids({ ids: ['1', '2'] })).toEqual(['1', '2']);
  });
});

async function openLetters(bench: Bench): Promise<Letter[]> {
  return (await bench.letters()).filter(({ state }) => state === 'refused');
}

describe('records on the lane', () => {
  it('are translated again as if they had come from their topic, and refused ones are set aside', async () => {
    const bench = await new Bench().open();
    const runtime = await bench.start();
    await bench.write('a a1', 'a a2', 'b b1');
    await until(() => bench.count(runtime, 'received') === 3, 'the records');
    bench.bad.add('b');
    const read = (await readAll(log, bench.input)).flatMap(({ partition, records }) =>
      records.map((record) => ({ place: { topic: bench.input, partition, offset: record.offset }, original: record })),
    );
    await bench.ask('translate', read as never);
    await until(() => runtime.status().deadLetters === 1, 'the refused one');
    expect(await bench.out()).toEqual({ a: 'a1 a2 a1 a2', b: 'b1' });
    const [letter] = await bench.letters();
    expect(letter).toMatchObject({ state: 'refused', code: 'ODD', place: { topic: bench.input } });
    await bench.stop();
  });

  it('that no command wrote are set aside themselves, and can be discarded', async () => {
    const bench = await new Bench().open();
    const runtime = await bench.start();
    const place = { topic: 'elsewhere', partition: 0, offset: 7n };
    const original = { key: Buffer.from('k'), value: Buffer.from('v'), headers: {} };
    await appendToLane(log, [
      { topic: redriveTopic(bench.name), partition: 0, ...original },
      redriveRecord(bench.name, 'translate', place, original, { by: 'ann', reason: '' }),
    ]);
    await until(() => runtime.status().deadLetters === 2, 'both');
    const letters = await bench.letters();
    expect(letters.map(({ code }) => code)).toEqual(['REDRIVE_REFUSED', 'REDRIVE_REFUSED']);
    expect(refused('').hint).toContain('run: seam dead-letter discard --code REDRIVE_REFUSED');
    await bench.ask('discard', letters);
    await until(() => runtime.status().deadLetters === 0, 'them to be gone');
    await bench.stop();
  });
});
