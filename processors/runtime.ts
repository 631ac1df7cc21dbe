/**
 * Runs a stage as a member of its group: reads, transforms, and writes outputs and offsets in one transaction.
 *
 *   stopped --run()--> joining --assigned--> running --revoked--> joining        the log tells of every change
 *   any --stop()--> stopped
 *   any --fenced, stalled, or a fault of ours--> failed: `run` rejects, nothing of the work under way is committed
 *
 * Exactly once rests on three things, in this order: a task's transactional id is opened before its committed offsets are
 * read, so that nobody can still move them; offsets and outputs are one transaction; a worker that lost its id drops its
 * work and never repeats it by itself (docs/decisions/0005-exactly-once-tasks.md).
 */
import { randomUUID } from 'node:crypto';
import { ContractError, SeamError, TransientError } from '../core/errors.ts';
import { readRange } from '../core/log-range.ts';
import type { Clock, Log, LogAdmin, LogBatch, LogConsumer, Logger, TopicPartition } from '../core/ports.ts';
import { Counter } from './counter.ts';
import type { ProcessorSettings } from './settings.ts';
import {
  type CrashHooks,
  deadLetterTopic,
  noHooks,
  type Reason,
  reasonOf,
  redriveTopic,
  type Stage,
  type StageStatus,
  type TopicStatus,
} from './stage.ts';
import { Task } from './task.ts';

type PartitionOffset = TopicPartition & { readonly offset: bigint };

export type RuntimeParts = {
  readonly stage: Stage;
  readonly log: Log;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly settings: ProcessorSettings;
  readonly sessionTimeoutMs?: number;
  readonly hooks?: CrashHooks;
  /** By topic; handed in where counts go on over several memberships. */
  readonly counters?: Map<string, Counter>;
};

export class StageRuntime {
  readonly #parts: RuntimeParts;
  readonly #counters: Map<string, Counter>;
  readonly #tasks = new Map<number, Task>();
  readonly #lost = Promise.withResolvers<never>();
  #consumer: LogConsumer | undefined;
  #failure: SeamError | undefined;
  /** Since when this worker is no member of its group; undefined while it is one. */
  #outsideSinceMs: number | undefined;
  readonly #stopping = new AbortController();

  constructor(parts: RuntimeParts) {
    this.#parts = parts;
    this.#counters = parts.counters ?? new Map();
    this.#outsideSinceMs = parts.clock.elapsedMs();
    this.#lost.promise.catch(() => {});
  }

  /** Runs once. Resolves after `stop`, rejects where this worker can't go on. */
  async run(): Promise<void> {
    const { stage, log, sessionTimeoutMs } = this.#parts;
    if (this.#stopping.signal.aborted) return;
    const consumer = log.consumer({
      groupId: stage.groupId,
      topics: this.#topics,
      assignment: 'same-number-together',
      ...(sessionTimeoutMs === undefined ? {} : { sessionTimeoutMs }),
    });
    this.#consumer = consumer;
    const running = consumer.run({
      assigned: (partitions) => this.#assigned(partitions),
      revoked: (partitions) => this.#revoked(partitions),
      batch: (batch) => this.#batch(batch),
    });
    try {
      await Promise.race([running, this.#lost.promise]);
    } catch (error) {
      if (error instanceof SeamError && error.code === 'STOPPED') return;
      if (error instanceof SeamError) this.#failure = error;
      throw error;
    } finally {
      await consumer.stop().catch(() => {});
      await running.catch(() => {});
    }
  }

  /** Finishes the transactions under way, then leaves the group. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#consumer?.stop();
  }

  get #topics(): readonly string[] {
    const { stage } = this.#parts;
    return [...stage.inputs, redriveTopic(stage.name)];
  }

  status(): StageStatus {
    const topics = this.#topics.map((topic) => this.#topicStatus(topic));
    const failure = this.#failure;
    const trouble = this.#isAway() ? AWAY : topics.find(({ state }) => state !== 'running')?.reason;
    return {
      stage: this.#parts.stage.name,
      state: failure !== undefined ? 'failed' : trouble === undefined ? 'running' : 'degraded',
      reason: failure === undefined ? trouble : reasonOf(failure),
      tasks: [...this.#tasks.keys()].sort((left, right) => left - right),
      topics,
      ...this.#parkedTotals(),
    };
  }

  #parkedTotals(): { deadLetters: number; waiting: number } {
    const totals = { deadLetters: 0, waiting: 0 };
    for (const { parked } of this.#tasks.values()) {
      const { deadLetters, waiting } = parked.totals();
      totals.deadLetters += deadLetters;
      totals.waiting += waiting;
    }
    return totals;
  }

  #isAway(): boolean {
    const { clock, settings } = this.#parts;
    const since = this.#outsideSinceMs;
    return since !== undefined && !this.#stopping.signal.aborted && clock.elapsedMs() - since > settings.joinPatienceMs;
  }

  #topicStatus(topic: string): TopicStatus {
    const tasks = [...this.#tasks.values()];
    const buffers = tasks.flatMap((task) => task.buffers.filter((buffer) => buffer.topic === topic));
    const stopped = buffers.find(({ isStopped }) => isStopped)?.fault;
    const waiting = buffers.find(({ fault }) => fault !== undefined)?.fault ?? tasks.find(({ fault }) => fault)?.fault;
    const fault = stopped ?? waiting;
    return {
      topic,
      state: stopped !== undefined ? 'failed' : fault !== undefined ? 'degraded' : 'running',
      reason: fault === undefined ? undefined : reasonOf(fault),
      counts: this.#counters.get(topic)?.counts ?? {},
    };
  }

  // ---- what the log tells ------------------------------------------------------------------------------------------

  async #assigned(partitions: readonly TopicPartition[]): Promise<readonly PartitionOffset[]> {
    const { stage, log, logger } = this.#parts;
    const byNumber = Map.groupBy(partitions, ({ partition }) => partition);
    for (const number of byNumber.keys()) this.#tasks.set(number, this.#createTask(number));
    // all to their end, or a later `stop` would close a writer that is still opening
    const opened = await Promise.allSettled([...this.#tasks.values()].map((task) => task.open()));
    for (const outcome of opened) if (outcome.status === 'rejected') throw outcome.reason;
    const admin = await log.admin();
    try {
      const committed = await admin.committedOffsets(stage.groupId, this.#topics);
      const starts = await this.#starts(admin, partitions, committed);
      await this.#loadParked(admin, [...byNumber.keys()]);
      for (const [number, ofTask] of byNumber) {
        const known = ofTask.map(({ topic }) => ({
          topic,
          committed: offsetOf(committed, { topic, partition: number }),
        }));
        this.#tasks.get(number)?.start(known);
      }
      this.#outsideSinceMs = undefined;
      logger.info({ stage: stage.name, tasks: [...byNumber.keys()] }, 'partitions assigned');
      return starts;
    } finally {
      await admin.close();
    }
  }

  #createTask(number: number): Task {
    const { stage, log, clock, settings, hooks = noHooks } = this.#parts;
    return new Task({
      stage,
      number,
      log,
      clock,
      hooks,
      settings,
      counterOf: (topic) => this.#counterOf(topic),
      onLost: (error) => this.#lost.reject(error),
    });
  }

  /**
   * After the ids were opened: nobody else can still set aside or release in these partitions, and what the last owner left
   * open has ended.
   */
  async #loadParked(admin: LogAdmin, numbers: readonly number[]): Promise<void> {
    const topic = deadLetterTopic(this.#parts.stage.name);
    const bounds = (await admin.bounds(topic)).filter(({ partition }) => numbers.includes(partition));
    await readRange(this.#parts.log, {
      groupId: `${this.#parts.stage.groupId}-parked-${randomUUID()}`,
      stretches: bounds.map(({ partition, earliest, latest }) => ({ topic, partition, from: earliest, to: latest })),
      records: ({ partition }, records) => {
        for (const record of records) this.#tasks.get(partition)?.parked.load(record);
      },
      signal: this.#stopping.signal,
    });
    // read in part, it must not be taken for the whole
    if (this.#stopping.signal.aborted) {
      throw new TransientError({ code: 'STOPPED', message: 'stopped while what is set aside was read' });
    }
  }

  /** Where a group reads for the first time it must find the beginning: what is gone already can't be said by anyone. */
  async #starts(
    admin: LogAdmin,
    partitions: readonly TopicPartition[],
    committed: readonly PartitionOffset[],
  ): Promise<PartitionOffset[]> {
    const { acceptMissingHistory } = this.#parts.settings;
    const unsure = partitions.filter((place) => acceptMissingHistory || offsetOf(committed, place) === undefined);
    const topics = new Set(unsure.map(({ topic }) => topic));
    const bounds = (await Promise.all([...topics].map((topic) => admin.bounds(topic)))).flat();
    return partitions.map((place) => {
      const known = offsetOf(committed, place);
      const bound = bounds.find(({ topic, partition }) => topic === place.topic && partition === place.partition);
      const earliest = bound?.earliest ?? 0n;
      // a place that the log no longer has is refused by the log itself, unless somebody says that it may
      const isThere = bound === undefined || (known !== undefined && known >= earliest && known <= bound.latest);
      if (known !== undefined && (isThere || !acceptMissingHistory)) return { ...place, offset: known };
      const isLane = place.topic === redriveTopic(this.#parts.stage.name);
      if (earliest > 0n && !isLane && !acceptMissingHistory) throw historyMissing(place, earliest);
      return { ...place, offset: earliest };
    });
  }

  async #revoked(partitions: readonly TopicPartition[]): Promise<void> {
    this.#outsideSinceMs = this.#parts.clock.elapsedMs();
    const numbers = new Set(partitions.map(({ partition }) => partition));
    const tasks = [...this.#tasks].filter(([number]) => numbers.has(number));
    await Promise.all(tasks.map(([, task]) => task.stop()));
    for (const [number] of tasks) this.#tasks.delete(number);
    this.#parts.logger.info({ stage: this.#parts.stage.name, tasks: [...numbers] }, 'partitions given up');
  }

  #batch(batch: LogBatch): Promise<void> {
    return this.#tasks.get(batch.partition)?.add(batch) ?? Promise.resolve();
  }

  #counterOf(topic: string): Counter {
    let counter = this.#counters.get(topic);
    if (counter === undefined) {
      counter = new Counter();
      this.#counters.set(topic, counter);
    }
    return counter;
  }
}

const AWAY: Reason = {
  code: 'GROUP_AWAY',
  message: 'not a member of its group: kafka is away, or other workers have not answered yet',
  hint: 'check the brokers; the stage joins again by itself',
};

function offsetOf(offsets: readonly PartitionOffset[], place: TopicPartition): bigint | undefined {
  return offsets.find(({ topic, partition }) => topic === place.topic && partition === place.partition)?.offset;
}

function historyMissing({ topic, partition }: TopicPartition, earliest: bigint): ContractError {
  return new ContractError({
    code: 'HISTORY_MISSING',
    message: `the log begins at ${earliest}, and this group has read nothing of it yet`,
    where: `${topic} partition ${partition}`,
    hint: 'read the source again with a fresh snapshot, then set acceptMissingHistory for the first start',
  });
}
