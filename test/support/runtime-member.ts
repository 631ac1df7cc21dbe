/** A worker of a test stage, as a process of its own, so that it can be killed and halted. Argument: `MemberOptions` as JSON. */
import { systemClock } from '../../adapters/clock.ts';
import type { OutputRecord } from '../../core/ports.ts';
import { StageRuntime } from '../../processors/runtime.ts';
import { ProcessorSettings } from '../../processors/settings.ts';
import type { CrashPoint, Stage } from '../../processors/stage.ts';
import { quietLogger, testLog, textOf } from './kafka.ts';

export type MemberOptions = {
  readonly brokers: readonly string[];
  readonly groupId: string;
  readonly inputs: readonly string[];
  readonly output: string;
  /** Dies at this point the n-th time it comes there. */
  readonly crash?: { readonly point: CrashPoint; readonly at: number };
};

const options = JSON.parse(process.argv[2] as string) as MemberOptions;
let passed = 0;
const hooks = {
  at(point: CrashPoint) {
    if (options.crash?.point !== point) return;
    passed += 1;
    if (passed >= options.crash.at) process.kill(process.pid, 'SIGKILL');
  },
};

const stage: Stage = {
  name: 'test',
  groupId: options.groupId,
  inputs: options.inputs,
  async transform({ topic, partition, records }) {
    const outputs = records.map((record): OutputRecord => {
      const value = Buffer.from(`${topic} ${partition} ${record.offset} ${textOf(record)}`);
      return { topic: options.output, key: String(record.key), value, headers: {} };
    });
    return { outputs, rejected: [], counts: {} };
  },
};

const log = testLog(options.brokers, {
  beforeCommit: () => hooks.at('before-commit'),
  settings: { requestTimeoutMs: 5_000 },
});
// as a worker does: one that lost its place joins again
for (;;) {
  const settings = ProcessorSettings.parse({ transactionRecordsMax: 500, retryDelayMsMax: 1_000 });
  const runtime = new StageRuntime({ stage, log, clock: systemClock, logger: quietLogger, settings, hooks });
  try {
    await runtime.run();
  } catch (error) {
    process.stdout.write(`${(error as { code?: string }).code ?? String(error)}\n`);
  }
}
