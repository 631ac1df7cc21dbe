/** What a task does when the log gives no answer, or what it gave can't be read. */
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../adapters/clock.ts';
import { ContractError, type SeamError, TransientError } from '../../core/errors.ts';
import type { Log, LogBatch, TransactionalWriter } from '../../core/ports.ts';
import { Counter } from '../../processors/counter.ts';
import { ProcessorSettings } from '../../processors/settings.ts';
import { noHooks, type Stage } from '../../processors/stage.ts';
import { Task } from '../../processors/task.ts';

type Offsets = Readonly<Record<string, bigint>>;
const TOPICS = ['in', 'other'];
const BEFORE: Offsets = { in: 3n, other: 7n };
/** After the one record that the task is given. */
const DONE: Offsets = { ...BEFORE, in: 4n };

const stage: Stage = {
  name: 'test',
  groupId: 'test',
  inputs: TOPICS,
  transform: async ({ records }) => {
    const outputs = records.map(({ key, value }) => ({ topic: 'out', key, value, headers: {} }));
    return { outputs, rejected: [], counts: {} };
  },
};

describe("a commit without an answer: the group's offsets tell whether it was carried out, and by whom they were moved", () => {
  it.each<[name: string, found: Offsets, outcome: 'once more' | 'carried out' | 'lost']>([
    ['not carried out', BEFORE, 'once more'],
    ['carried out', DONE, 'carried out'],
    ['another worker went on in the same topic', { ...DONE, in: 5n }, 'lost'],
    ['another worker went on in another topic', { ...BEFORE, other: 8n }, 'lost'],
    ['carried out, and another worker went on elsewhere', { ...DONE, other: 8n }, 'lost'],
  ])('%s', async (_, found, outcome) => {
    const { log, commits } = silentOnce(found);
    const { task, counter, lost } = await started(log);
    await task.add(oneRecord('in', 3n));
    if (outcome === 'lost') expect((await lost).code).toBe('PRODUCER_FENCED');
    else await expect.poll(() => counter.counts.received).toBe(1);
    await task.stop();
    expect(commits).toEqual(outcome === 'once more' ? ['no answer', 'answered'] : ['no answer']);
  });
});

describe('records that can not be read', () => {
  it('stop their topic where no other fetch would mend them, and the others flow', async () => {
    const { log, commits } = silentOnce(BEFORE);
    const { task, counter } = await started(log);
    await task.add(unreadable('in', new ContractError({ code: 'CODEC_UNSUPPORTED', message: 'packed with lz4' })));
    await task.add(oneRecord('other', 7n));
    await expect.poll(() => counter.counts.received).toBe(1);
    expect(task.buffers.map(({ topic, fault }) => [topic, fault?.code])).toEqual([
      ['in', 'CODEC_UNSUPPORTED'],
      ['other', undefined],
    ]);
    await task.stop();
    expect(commits).toEqual(['no answer', 'answered']);
  });

  it('end the task where another fetch may mend them, and nothing is committed', async () => {
    const { log, commits } = silentOnce(BEFORE);
    const { task, lost } = await started(log);
    await task.add(unreadable('in', new TransientError({ code: 'LOG_DAMAGED', message: 'too short' })));
    expect((await lost).code).toBe('LOG_DAMAGED');
    await task.stop();
    expect(commits).toEqual([]);
  });
});

async function started(log: Log) {
  const ended = Promise.withResolvers<SeamError>();
  const counter = new Counter();
  const task = new Task({
    ...{ stage, number: 0, log, clock: systemClock, hooks: noHooks },
    settings: ProcessorSettings.parse({ retryDelayMs: 1, transactionEveryMs: 0 }),
    counterOf: () => counter,
    onLost: (error) => ended.resolve(error as SeamError),
  });
  await task.open();
  task.start(TOPICS.map((topic) => ({ topic, committed: BEFORE[topic] })));
  return { task, counter, lost: ended.promise };
}

function oneRecord(topic: string, offset: bigint): LogBatch {
  const records = [{ offset, key: Buffer.from('k'), value: Buffer.from('v'), headers: {}, timestampMs: 0 }];
  const next = offset + 1n;
  return { topic, partition: 0, records, count: 1, nextOffset: next, highWatermark: next };
}

function unreadable(topic: string, error: Error): LogBatch {
  return {
    ...oneRecord(topic, 3n),
    get records(): never {
      throw error;
    },
  };
}

/** Answers every commit but the first; then the group's offsets are these. */
function silentOnce(found: Offsets): { log: Log; commits: string[] } {
  const commits: string[] = [];
  const writer: TransactionalWriter = {
    open: async () => {},
    commit: async () => {
      commits.push(commits.length === 0 ? 'no answer' : 'answered');
      if (commits.length === 1) throw new TransientError({ code: 'NO_ANSWER', message: 'no answer' });
    },
    close: async () => {},
  };
  const committedOffsets = async (_group: string, topics: readonly string[]) =>
    topics.map((topic) => ({ topic, partition: 0, offset: found[topic] as bigint }));
  const admin = { committedOffsets, close: async () => {} };
  return { log: { writer: () => writer, admin: async () => admin } as unknown as Log, commits };
}
