/** One transaction that holds an operator's request and a newer record of the same key: each must know what became of the other. */
import { expect, it } from 'vitest';
import { systemClock } from '../../adapters/clock.ts';
import { RecordError } from '../../core/errors.ts';
import type { Log, LogRecord, OutputRecord, TransactionalWriter } from '../../core/ports.ts';
import { Counter } from '../../processors/counter.ts';
import type { Parked } from '../../processors/dead-letter.ts';
import { redriveRecord } from '../../processors/redrive.ts';
import { ProcessorSettings } from '../../processors/settings.ts';
import { noHooks, type Stage } from '../../processors/stage.ts';
import { Task } from '../../processors/task.ts';

const LANE = 'redrive.test';
const positionOf = (offset: bigint) => Buffer.alloc(20, Number(offset));
const said = (offset: bigint) => ({ said: ['x'], position: positionOf(offset) });
const PARKED: Parked = {
  place: { topic: 'in', partition: 0, offset: 3n },
  keyId: 'k',
  state: 'refused',
  code: 'ODD',
  attempts: 0,
  setAsideAtMs: 0,
  claims: said(3n),
};

it.each([
  ['is refused again: the newer one takes its place', 'heal', false, ['dead-letter', 'dead-letter gone', 'out 4']],
  ['has landed: the newer one flows', 'heal', true, ['dead-letter gone', 'out 3', 'out 4']],
  ['is refused again: the newer one waits behind it', 'wait', false, ['dead-letter', 'dead-letter']],
  ['has landed: the newer one waits for nothing', 'wait', true, ['dead-letter gone', 'out 3', 'out 4']],
] as const)('what was asked for %s (%s)', async (_name, laterRecords, isSound, expected) => {
  const { log, commits } = noted();
  const counter = new Counter();
  const task = new Task({
    ...{ stage: stageOf(isSound), number: 0, log, clock: systemClock, hooks: noHooks },
    settings: ProcessorSettings.parse({ transactionEveryMs: 0, laterRecords }),
    counterOf: () => counter,
    onLost: () => {},
  });
  await task.open();
  task.start([LANE, 'in'].map((topic) => ({ topic, committed: undefined })));
  task.parked.apply([{ kind: 'park', parked: PARKED }]);
  const { headers } = redriveRecord('test', 'retry', PARKED.place, recordOf(3n), { by: 'ann', reason: 'mended' });
  await Promise.all([
    add(task, LANE, { ...recordOf(0n), value: recordOf(3n).value, headers }),
    add(task, 'in', recordOf(4n)),
  ]);
  await expect.poll(() => counter.counts.received).toBe(2);
  await task.stop();
  expect(commits).toHaveLength(1);
  expect(commits[0]?.map(nameOf).sort()).toEqual(expected);
  expect(task.parked.totals()).toEqual({
    deadLetters: laterRecords === 'wait' && !isSound ? 1 : 0,
    waiting: laterRecords === 'wait' && !isSound ? 1 : 0,
  });
});

function stageOf(isSound: boolean): Stage {
  const isRefused = ({ value }: LogRecord) => !isSound && String(value) === '3';
  return {
    ...{ name: 'test', groupId: 'test', inputs: ['in'] },
    transform: async ({ records }) => ({
      outputs: records
        .filter((one) => !isRefused(one))
        .map(({ key, value }) => ({ topic: 'out', key, value, headers: {} })),
      rejected: records
        .filter(isRefused)
        .map((record) => ({ record, error: new RecordError({ code: 'ODD', message: 'odd' }) })),
      counts: {},
    }),
    claims: async ({ records }) =>
      records.map(({ offset }) => ({ unsaid: said(offset), refused: said(offset), isWhole: true })),
  };
}

function recordOf(offset: bigint): LogRecord {
  return { offset, key: Buffer.from('k'), value: Buffer.from(String(offset)), headers: {}, timestampMs: 0 };
}

function add(task: Task, topic: string, record: LogRecord): Promise<void> {
  const nextOffset = record.offset + 1n;
  return task.add({ topic, partition: 0, records: [record], count: 1, nextOffset, highWatermark: nextOffset });
}

function nameOf({ topic, value }: OutputRecord): string {
  if (topic === 'out') return `out ${value}`;
  return value === null ? 'dead-letter gone' : 'dead-letter';
}

function noted(): { log: Log; commits: (readonly OutputRecord[])[] } {
  const commits: (readonly OutputRecord[])[] = [];
  const writer: TransactionalWriter = {
    open: async () => {},
    commit: async ({ records }) => {
      commits.push(records);
    },
    close: async () => {},
  };
  return { log: { writer: () => writer } as unknown as Log, commits };
}
