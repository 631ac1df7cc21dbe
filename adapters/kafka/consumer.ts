import type { Consumer, Kafka } from 'kafkajs';
import { InvariantError, type SeamError } from '../../core/errors.ts';
import type {
  Clock,
  ConsumerCallbacks,
  ConsumerOptions,
  LogAdmin,
  LogConsumer,
  Logger,
  TopicPartition,
} from '../../core/ports.ts';
import { assignerFor } from './assigner.ts';
import { ConsumerSession, Outage } from './consumer-session.ts';
import { toSeamError } from './errors.ts';
import type { KafkaSettings } from './settings.ts';

const MAX_WAIT_MS = 100;
/**
 * What was fetched of a partition is in memory until it is written, and takes several times this: zstd shrinks raw records to a
 * tenth, decoded records are larger still. With 8 MiB a transaction of a million rows took a worker to 595 MB.
 */
const PARTITION_BYTES_MAX = 1024 * 1024;
const FETCH_BYTES_MAX = 8 * 1024 * 1024;
const REBALANCE_MS_MAX = 60_000;
const FIRST_RETRY_DELAY_MS = 500;

/** What the worker shows: an outage of the cluster is waited out, and never only in the log. */
export type ConsumerHealth =
  | { readonly state: 'running'; readonly groupId: string }
  | { readonly state: 'degraded'; readonly groupId: string; readonly reason: SeamError };

export type ConsumerParts = {
  readonly options: ConsumerOptions;
  readonly settings: KafkaSettings;
  /** A client of its own for every session: kafkajs shares a cache of offsets between all that one client made. */
  readonly createClient: () => Kafka;
  readonly admin: () => Promise<LogAdmin>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onHealth: (health: ConsumerHealth) => void;
};

export class KafkaLogConsumer implements LogConsumer {
  readonly #parts: ConsumerParts;
  readonly #stopped = new AbortController();
  #session: ConsumerSession | undefined;
  #client: Consumer | undefined;
  #isRunning = false;
  #finished: Promise<void> = Promise.resolve();

  constructor(parts: ConsumerParts) {
    this.#parts = parts;
  }

  async run(callbacks: ConsumerCallbacks): Promise<void> {
    if (this.#isRunning) throw new InvariantError({ code: 'CONSUMER_RUNS_TWICE', message: 'a consumer runs once' });
    this.#isRunning = true;
    const running = this.#runSessions(callbacks);
    this.#finished = running.catch(() => {});
    return running;
  }

  async commit(offsets: readonly (TopicPartition & { readonly offset: bigint })[]): Promise<void> {
    const held = offsets.filter((offset) => this.#session?.holds(offset));
    if (held.length === 0 || this.#client === undefined) return;
    try {
      await this.#client.commitOffsets(held.map((one) => ({ ...one, offset: one.offset.toString() })));
    } catch (error) {
      throw toSeamError(error, `group ${this.#parts.options.groupId}`);
    }
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#session?.stop();
    await this.#finished;
  }

  /** Outages have no limit in time: they end when the cluster is back, and are shown until then. */
  async #runSessions(callbacks: ConsumerCallbacks): Promise<void> {
    const { clock, logger, onHealth, options, settings } = this.#parts;
    const { groupId } = options;
    const { signal } = this.#stopped;
    let delayMs = FIRST_RETRY_DELAY_MS;
    const onReading = () => {
      delayMs = FIRST_RETRY_DELAY_MS;
      onHealth({ state: 'running', groupId });
    };
    while (!signal.aborted) {
      try {
        return await this.#runSession(callbacks, onReading);
      } catch (error) {
        if (!(error instanceof Outage)) throw error;
        const { code, message } = error.reason;
        logger.warn({ groupId, code, reason: message, delayMs }, 'kafka is away, trying again');
        onHealth({ state: 'degraded', groupId, reason: error.reason });
      }
      await clock.pause(delayMs, signal);
      delayMs = Math.min(delayMs * 2, settings.retryDelayMsMax);
    }
  }

  async #runSession(callbacks: ConsumerCallbacks, onReading: () => void): Promise<void> {
    const { options, settings, clock, admin } = this.#parts;
    const client = this.#createConsumer();
    this.#client = client;
    this.#session = new ConsumerSession({
      groupId: options.groupId,
      topics: options.topics,
      consumer: client,
      admin,
      callbacks,
      clock,
      partitionsMax: await this.#countPartitions(),
      stallMsMax: settings.stallMsMax,
      joinMsMax: REBALANCE_MS_MAX + this.#sessionTimeoutMs + settings.requestTimeoutMs,
      onReading,
    });
    if (this.#stopped.signal.aborted) return;
    await this.#session.run();
  }

  async #countPartitions(): Promise<number> {
    try {
      const admin = await this.#parts.admin();
      const counts = await admin.partitionCounts(this.#parts.options.topics).finally(() => admin.close());
      return Math.max(
        1,
        [...counts.values()].reduce((sum, count) => sum + count, 0),
      );
    } catch (error) {
      const reason = toSeamError(error, `group ${this.#parts.options.groupId}`);
      throw reason.class === 'transient' ? new Outage(reason) : reason;
    }
  }

  #createConsumer(): Consumer {
    const { options } = this.#parts;
    return this.#parts.createClient().consumer({
      groupId: options.groupId,
      partitionAssigners: [assignerFor(options.assignment)],
      allowAutoTopicCreation: false,
      readUncommitted: false,
      sessionTimeout: this.#sessionTimeoutMs,
      heartbeatInterval: Math.min(3_000, Math.floor(this.#sessionTimeoutMs / 3)),
      rebalanceTimeout: REBALANCE_MS_MAX,
      minBytes: 1,
      maxBytes: FETCH_BYTES_MAX,
      maxBytesPerPartition: PARTITION_BYTES_MAX,
      maxWaitTimeInMs: MAX_WAIT_MS,
      // kafkajs starting itself again would hide the outage; sessions are started here
      retry: { retries: 5, initialRetryTime: 100, maxRetryTime: 2_000, restartOnFailure: async () => false },
    });
  }

  get #sessionTimeoutMs(): number {
    return this.#parts.options.sessionTimeoutMs ?? this.#parts.settings.sessionTimeoutMs;
  }
}
