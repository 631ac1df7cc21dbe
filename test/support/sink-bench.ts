/** A sink on a real database, fed from a log in memory. */
import { entities } from '../../avro/generated/entities.ts';
import { systemClock } from '../../adapters/clock.ts';
import type { Logger } from '../../core/ports.ts';
import type { Target, TargetTable } from '../../core/target.ts';
import type { Hooks } from '../../sinks/engine/hooks.ts';
import type { DecodeBatch } from '../../sinks/engine/record.ts';
import { SinkSettings } from '../../sinks/engine/settings.ts';
import type { Counts } from '../../sinks/engine/counts.ts';
import { type RunningSink, runSink } from '../../sinks/main.ts';
import type { TestDatabase } from './databases.ts';
import { decodeTestBatch, TestLog } from './test-log.ts';

export type LogLine = { readonly level: string; readonly fields: Record<string, unknown>; readonly message: string };

export type BenchOptions = {
  readonly system?: string;
  readonly settings?: Partial<SinkSettings>;
  readonly bidirectional?: readonly string[];
  readonly hooks?: Hooks;
  readonly owner?: string;
  readonly groupId?: string;
  readonly decode?: DecodeBatch;
};

const SETTLE_LIMIT_MS = 20_000;

export class SinkBench {
  readonly log: TestLog;
  readonly lines: LogLine[] = [];
  readonly #database: TestDatabase;
  readonly #target: Target;
  readonly #options: BenchOptions;
  #sink: RunningSink | undefined;

  constructor(database: TestDatabase, tables: readonly TargetTable[], options: BenchOptions = {}, log = new TestLog()) {
    this.#database = database;
    this.#target = { system: options.system ?? 'shop', dialect: database.dialect, tables };
    this.#options = options;
    this.log = log;
  }

  get sink(): RunningSink {
    if (this.#sink === undefined) throw new Error('the sink is not started');
    return this.#sink;
  }

  get counts(): Readonly<Counts> {
    return this.sink.status().counts;
  }

  async start(): Promise<this> {
    this.#sink = await runSink({
      target: this.#target,
      entities,
      connection: this.#database.sink,
      bidirectional: this.#options.bidirectional ?? [],
      log: this.log,
      groupId: this.#options.groupId ?? 'test',
      owner: this.#options.owner ?? 'test-worker',
      decode: this.#options.decode ?? decodeTestBatch,
      settings: SinkSettings.parse({ parkedRetryMs: 100, ...this.#options.settings }),
      clock: systemClock,
      logger: this.#logger(),
      ...(this.#options.hooks === undefined ? {} : { hooks: this.#options.hooks }),
    });
    this.#sink.done.catch(() => undefined);
    return this;
  }

  /** Until every record (of these partitions) was read and the offsets are saved. */
  async settled(numbers?: readonly number[]): Promise<void> {
    const deadlineMs = Date.now() + SETTLE_LIMIT_MS;
    const topics = this.#target.tables.map(({ entity }) => entities[entity].topic);
    const partitions = this.log.partitionsOf(topics).filter(({ partition }) => numbers?.includes(partition) ?? true);
    for (;;) {
      const { partitions: leased, state, reason } = this.sink.status();
      const isRead = partitions.every((partition) => {
        const lease = leased.find(
          ({ topic, partition: number }) => topic === partition.topic && number === partition.partition,
        );
        return lease !== undefined && lease.nextOffset === BigInt(this.log.read(partition).length);
      });
      if (isRead) return;
      if (state === 'failed') throw new Error(`the sink failed: ${reason}`);
      if (Date.now() > deadlineMs) throw new Error(`the sink did not settle: ${state} ${reason}`);
      await systemClock.pause(5);
    }
  }

  async stop(): Promise<void> {
    await this.#sink?.stop();
    this.#sink = undefined;
  }

  #logger(): Logger {
    const write = (level: string) => (fields: object, message: string) => {
      this.lines.push({ level, fields: fields as Record<string, unknown>, message });
    };
    return { error: write('error'), warn: write('warn'), info: write('info'), debug: write('debug') };
  }
}

export async function eventually(check: () => Promise<boolean> | boolean, what: string): Promise<void> {
  const deadlineMs = Date.now() + SETTLE_LIMIT_MS;
  while (!(await check())) {
    if (Date.now() > deadlineMs) throw new Error(`never happened: ${what}`);
    await systemClock.pause(10);
  }
}
