/** A commit without an answer: the task finds out from the group's offsets whether it was carried out, and by whom they were moved. */
import { expect, it } from 'vitest';
import { systemClock } from '../../adapters/clock.ts';
import { TransientError } from '../../core/errors.ts';
import type { Log, TransactionalWriter } from '../../core/ports.ts';
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

it.each<[name: string, found: Offsets, outcome: 'once more' | 'carried out' | 'lost']>([
  ['not carried out', BEFORE, 'once more'],
  ['carried out', DONE, 'carried out'],
  ['another worker went on in the same topic', { ...DONE, in: 5n }, 'lost'],
  ['another worker went on in another topic', { ...BEFORE, other: 8n }, 'lost'],
  ['carried out, and another worker went on elsewhere', { ...DONE, other: 8n }, 'lost'],
])('%s', async (_, found, outcome) => {
  const { log, commits } = silentOnce(found);
  const ended = Promise.withResolvers<string>();
  const counter = new Counter();
  const task = new Task({
    ...{ stage, number: 0, log, clock: systemClock, hooks: noHooks },
    settings: ProcessorSettings.parse({ retryDelayMs: 1, transactionEveryMs: 0 }),
    counterOf: () => counter,
    onLost: (error) => ended.resolve((error as { code: string }).code),
  });
  await task.open();
  task.start(TOPICS.map((topic) => ({ topic, committed: BEFORE[topic] })));
  const records = [{ offset: 3n, key: Buffer.from('k'), value: Buffer.from('v'), headers: {}, timestampMs: 0 }];
  await task.add({ topic: 'in', partition: 0, records, nextOffset: 4n, highWatermark: 4n });
  if (outcome === 'lost') expect(await ended.promise).toBe('PRODUCER_FENCED');
  else await expect.poll(() => counter.counts.received).toBe(1);
  await task.stop();
  expect(commits).toEqual(outcome === 'once more' ? ['no answer', 'answered'] : ['no answer']);
});

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
