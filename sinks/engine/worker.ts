/**
 * A sink worker: takes leases of the partitions that Kafka assigns, decodes their batches and writes them one transaction
 * after the other over one connection. While the database works on one, the next is made ready.
 *
 * | state    | means                                                              | goes to                        |
 * |----------|--------------------------------------------------------------------|--------------------------------|
 * | running  | writes what comes                                                  | degraded, failed, paused       |
 * | degraded | the target or the registry is away; tries again, nothing is lost   | running, failed                |
 * | failed   | stopped; nothing was written past the reason                       | (a new start)                  |
 * | paused   | no partitions: stopped, or others have them all                    | running                        |
 */
import { SeamError } from '../../core/errors.ts';
import type { ConsumerCallbacks, LogBatch, LogConsumer, TopicPartition } from '../../core/ports.ts';
import { TableError } from '../dialects/dialect.ts';
import { addCounts, noCounts } from './counts.ts';
import { Decoder } from './decoder.ts';
import { makeWork } from './make-work.ts';
import { dueKeys, dueTogether, END_OF_TIME_MS } from './due-keys.ts';
import { isTruncation } from '../../core/truncation.ts';
import type { HaltedTable } from './halted-tables.ts';
import { LagDisplay, SHOW_LAG_EVERY_MS } from './lag-display.ts';
import { isStartingOver, type Lease, partitionName, startOver, takeLease } from './leases.ts';
import { type ParkedCounts, parkedCounts, warnOf, warnOfUnscoped } from './parking.ts';
import { BatchQueue, type Chunk, withoutTopics } from './queue.ts';
import { KEY_PARKED } from './record.ts';
import type { SinkState, SinkStatus } from './status.ts';
import type { WorkerOptions } from './worker-options.ts';
import type { Work, Writer } from './writer.ts';
import type { Written } from './transaction.ts';

const PRUNE_EVERY_MS = 600_000;
const PRUNED_ROWS_MAX = 1_000;
/** A retry on new rows takes at most about a tenth of the time. */
const RETRY_REST_FACTOR = 10;
const RETRY_REST_MS_MIN = 50;

export class SinkWorker implements ConsumerCallbacks {
  readonly #options: WorkerOptions;
  readonly #decoder: Decoder;
  readonly #queue = new BatchQueue();
  readonly #leases = new Map<string, Lease>();
  readonly #highWatermarks = new Map<string, bigint>();
  readonly #counts = noCounts();
  #writer: Writer | undefined;
  #consumer: LogConsumer | undefined;
  #state: SinkState = 'paused';
  #reason: string | undefined;
  #fault: SeamError | undefined;
  #parked: ParkedCounts = { waiting: 0, deadLetters: 0, behind: 0 };
  #turn: Promise<unknown> = Promise.resolve();
  #isDraining = false;
  #failure: unknown;
  #retryRestUntilMs = 0;
  readonly #lag: LagDisplay;
  #startedAtMs = 0;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#lag = new LagDisplay(options);
    this.#decoder = new Decoder({
      ...options,
      onTrouble: (error) => this.trouble(error),
      onFailure: (error) => this.fail(error),
    });
  }

  /** Before the consumer runs. */
  attach(writer: Writer, consumer: LogConsumer): void {
    this.#writer = writer;
    this.#consumer = consumer;
  }

  status(): SinkStatus {
    const partitions = [...this.#leases.entries()].map(([name, { topic, partition, nextOffset }]) => {
      const end = this.#highWatermarks.get(name) ?? nextOffset;
      return { topic, partition, nextOffset, lag: end > nextOffset ? end - nextOffset : 0n };
    });
    return {
      system: this.#options.system,
      state: this.#state,
      reason: this.#reason,
      fault: this.#fault,
      echoTag: this.#writer?.echoTag,
      counts: { ...this.#counts },
      ...this.#parked,
      partitions,
      halted: this.#options.halted.all,
    };
  }

  async assigned(partitions: readonly TopicPartition[]): Promise<readonly (TopicPartition & { offset: bigint })[]> {
    const earliest = await this.#earliest(partitions);
    const taken = await this.#exclusive(() =>
      this.#using((writer) =>
        writer.withSession(async (session) => {
          const leases: Lease[] = [];
          for (const partition of partitions) {
            const first = earliest.get(partitionName(partition)) ?? 0n;
            leases.push(await takeLease(session, partition, first, this.#options.owner));
          }
          this.#parked = await parkedCounts(session);
          return leases;
        }),
      ),
    );
    for (const lease of taken) this.#leases.set(partitionName(lease), lease);
    if (taken.length > 0) this.#enter('running');
    return taken.map(({ topic, partition, nextOffset }) => ({ topic, partition, offset: nextOffset }));
  }

  async revoked(partitions: readonly TopicPartition[]): Promise<void> {
    const names = new Set(partitions.map(partitionName));
    this.#queue.drop(names);
    await this.#exclusive(async () => {
      this.#lag.forget(names);
      for (const name of names) this.#leases.delete(name);
    });
    if (this.#leases.size === 0 && this.#state !== 'failed') this.#enter('paused', 'no partitions');
  }

  async batch(batch: LogBatch): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const name = partitionName(batch);
    const lease = this.#leases.get(name);
    if (lease === undefined) return;
    this.#highWatermarks.set(name, batch.highWatermark);
    // read again when their table goes on
    if (this.#options.halted.topics.has(batch.topic)) return;
    await new Promise<void>((resolve, reject) => {
      this.#queue.add({ batch, lease, resolve, reject });
      void this.#drain();
    });
  }

  /**
   * Until the signal: tries parked records again when their time comes, forgets old echo hashes, and notices that leases
   * were taken over while nothing came: an operator's replay moves the offsets of a sink that is up to date.
   */
  async keepUp(): Promise<void> {
    const { clock, settings, signal } = this.#options;
    let prunedAtMs = clock.elapsedMs();
    while (!signal.aborted) {
      await clock.pause(Math.min(settings.parkedRetryMs, SHOW_LAG_EVERY_MS), signal);
      this.#lag.show(this.#consumer);
      if (signal.aborted || this.#leases.size === 0 || this.#failure !== undefined) continue;
      const isPruneDue = clock.elapsedMs() - prunedAtMs >= PRUNE_EVERY_MS;
      if (isPruneDue) prunedAtMs = clock.elapsedMs();
      try {
        await this.#exclusive(() => this.#using((writer) => writer.checkLeases([...this.#leases.values()])));
        await this.#exclusive(() => this.#retryParked(true));
        if (this.#options.halted.isDue()) await this.#exclusive(() => this.#lookAtTables());
        if (isPruneDue) await this.#pruneEcho();
      } catch (error) {
        this.fail(error);
      }
    }
  }

  /** The next batch, and every waiting one, is refused with this error, which stops the consumer. */
  fail(error: unknown): void {
    this.#failure ??= error;
    this.#queue.fail(error);
    if (!isStartingOver(error)) {
      if (error instanceof SeamError) this.#fault = error;
      this.#enter('failed', error instanceof SeamError ? `${error.message} [${error.code}]` : 'an unexpected error');
    }
    void this.#consumer?.stop().catch(() => undefined);
  }

  /** What stopped the consumer, if it was this worker; a lost lease is forgotten, for a fresh start. */
  async takeFailure(): Promise<unknown> {
    await this.revoked([...this.#leases.values()]);
    const failure = this.#failure;
    if (isStartingOver(failure)) this.#failure = undefined;
    return failure;
  }

  trouble(error: SeamError | undefined): void {
    this.#fault = error;
    if (error === undefined) this.#enter('running');
    else this.#enter('degraded', `${error.message} [${error.code}]`);
  }

  async finish(): Promise<void> {
    await this.#exclusive(async () => {
      await this.#writer?.close();
    });
    if (this.#state !== 'failed') this.#enter('paused', 'stopped');
  }

  #enter(asked: SinkState, why?: string): void {
    const { halted } = this.#options;
    const isHalted = asked === 'running' && !halted.isEmpty;
    const state = isHalted ? 'degraded' : asked;
    const reason = isHalted ? halted.all.map(({ text }) => text).join('; ') : why;
    if (this.#state === state && this.#reason === reason) return;
    const { logger, system } = this.#options;
    const fields = { system, state, was: this.#state, ...(reason === undefined ? {} : { reason }) };
    this.#state = state;
    this.#reason = reason;
    if (state === 'failed') logger.error(fields, 'sink stopped');
    else if (state === 'degraded') logger.warn(fields, 'sink degraded');
    else logger.info(fields, 'sink state');
  }

  async #earliest(partitions: readonly TopicPartition[]): Promise<ReadonlyMap<string, bigint>> {
    const earliest = new Map<string, bigint>();
    for (const topic of new Set(partitions.map((partition) => partition.topic))) {
      for (const bound of await this.#options.admin.bounds(topic)) earliest.set(partitionName(bound), bound.earliest);
    }
    return earliest;
  }

  async #drain(): Promise<void> {
    if (this.#isDraining) return;
    this.#isDraining = true;
    const recordsMax = this.#options.settings.batchRecordsMax;
    try {
      while (!this.#queue.isEmpty) {
        await this.#pace();
        const chunk = this.#queue.next(recordsMax);
        if (chunk === undefined) continue;
        // outside of the turn: where the registry is away this waits, and partitions may go meanwhile
        const work = await this.#workOf(chunk);
        await this.#exclusive(async () => {
          if (this.#queue.take(chunk, recordsMax)) await this.#writeSound(chunk, work);
        });
      }
    } catch (error) {
      this.fail(error);
    } finally {
      this.#isDraining = false;
    }
  }

  /** A commit costs about the same for one row as for a hundred: what comes is gathered until a transaction is full. */
  async #pace(): Promise<void> {
    const { clock, settings, signal } = this.#options;
    const restMs = this.#startedAtMs + settings.batchEveryMs - clock.elapsedMs();
    if (restMs > 0 && this.#queue.size < settings.batchRecordsMax) await clock.pause(restMs, signal);
    this.#startedAtMs = clock.elapsedMs();
  }

  /** Decoded and made ready, once. */
  #workOf(chunk: Chunk): Promise<Work> {
    chunk.work ??= this.#using((writer) => makeWork(chunk, this.#decoder, writer, () => this.#options.clock.pause(0)));
    return chunk.work;
  }

  /** Where a table can't be written any more, it stands still, and the rest of the chunk is written without it. */
  async #writeSound(chunk: Chunk, work: Work): Promise<void> {
    let [left, made]: [Chunk | undefined, Work] = [chunk, work];
    while (left !== undefined) {
      try {
        await this.#write(made);
        return;
      } catch (error) {
        if (!(await this.#halt(error))) throw error;
      }
      left = withoutTopics(left, this.#options.halted.topics);
      if (left !== undefined) made = await this.#workOf(left);
    }
  }

  /** false: it is no error of one table alone. */
  async #halt(error: unknown): Promise<boolean> {
    const { halted, tables } = this.#options;
    if (!(error instanceof TableError)) return false;
    const faults = await this.#using((writer) => writer.withSession((session) => tables.look(session, error.table)));
    const halt = halted.add(error, faults);
    if (halt !== undefined) this.#standStill(halt);
    return halt !== undefined;
  }

  #standStill({ table, code, text, next }: HaltedTable): void {
    const { halted, logger, system } = this.#options;
    this.#queue.dropTopics(halted.topics);
    logger.error({ system, table, code, next }, text);
    this.#enter('running');
  }

  async #lookAtTables(): Promise<void> {
    const { halted, logger, system } = this.#options;
    const { altered, sound } = await this.#using((writer) => writer.withSession((session) => halted.look(session)));
    for (const halt of altered) this.#standStill(halt);
    if (sound.length === 0) return;
    logger.info({ system, tables: sound.map(({ table }) => table) }, 'tables go on');
    this.fail(startOver());
  }

  async #write(work: Work): Promise<void> {
    const written = await this.#using((writer) => writer.write(work, () => this.#lookAhead()));
    for (const { lease, nextOffset } of work.advances) lease.nextOffset = nextOffset;
    if (written !== undefined) this.#note(written);
    this.#lag.note(work.advances.map(({ lease }) => lease));
    this.#lag.show(this.#consumer);
    await this.#retryAfterWrites();
  }

  /** The database is at work: time to make the next transaction ready, if it's a full one. */
  #lookAhead(): void {
    const { batchRecordsMax } = this.#options.settings;
    const next = this.#queue.size >= batchRecordsMax ? this.#queue.next(batchRecordsMax) : undefined;
    // its error is met when its turn comes
    if (next !== undefined) this.#workOf(next).catch(() => undefined);
  }

  #note({ counts, parks, unscoped = [] }: Written): void {
    addCounts(this.#counts, counts);
    for (const one of unscoped) warnOfUnscoped(one, this.#options.logger);
    for (const write of parks) warnOf(write, this.#options);
    const added = parks.filter(({ target }) => target.parked === undefined);
    const waiting = added.filter(({ isWaiting }) => isWaiting).length;
    const behind = added.filter(({ code }) => code === KEY_PARKED).length;
    this.#parked = {
      waiting: this.#parked.waiting + waiting,
      deadLetters: this.#parked.deadLetters + added.length - waiting - behind,
      behind: this.#parked.behind + behind,
    };
  }

  async #retryAfterWrites(): Promise<void> {
    const { clock } = this.#options;
    if (this.#parked.waiting === 0 || clock.elapsedMs() < this.#retryRestUntilMs) return;
    const startedMs = clock.elapsedMs();
    await this.#retryParked(false);
    const endedMs = clock.elapsedMs();
    this.#retryRestUntilMs = endedMs + Math.max(RETRY_REST_MS_MIN, (endedMs - startedMs) * RETRY_REST_FACTOR);
  }

  /**
   * By the worker that has the oldest record's partition. A truncation is set aside in any partition it arrives in: the owners
   * of the others wait meanwhile, or what they set aside just then would wait behind nothing.
   */
  async #retryParked(isTimed: boolean): Promise<void> {
    const { settings, clock } = this.#options;
    const untilMs = isTimed ? clock.nowMs() : END_OF_TIME_MS;
    const due = await this.#using((writer) =>
      writer.withSession(async (session) => {
        this.#parked = await parkedCounts(session);
        return this.#parked.waiting + this.#parked.deadLetters === 0
          ? []
          : dueKeys(session, untilMs, settings.parkedRecordsMax);
      }),
    );
    const halted = this.#options.halted.topics;
    const own = due
      .filter((one) => this.#leases.has(partitionName(one)) && !halted.has(one.topic))
      .slice(0, settings.batchRecordsMax);
    if (own.length === 0) return;
    const others = await this.#using((writer) =>
      writer.withSession((session) => dueTogether(session, own, writer.circular, settings)),
    );
    const items = [...own, ...others].map(({ entity, key }) => ({ kind: 'key' as const, entity, key }));
    const leases = new Set(own.map((one) => this.#leases.get(partitionName(one)) as Lease));
    const advances = [...leases].map((lease) => ({ lease, nextOffset: lease.nextOffset }));
    const wholeTopics = [
      ...own.flatMap(({ key, topic, isAcross }) => (isAcross || isTruncation(key) ? [topic] : [])),
      ...others.map(({ topic }) => topic),
    ];
    const work = { items: async () => items, advances, isTimedRetry: isTimed, wholeTopics };
    let written: Written | undefined;
    try {
      written = await this.#using((writer) => writer.write(work));
    } catch (error) {
      if (!(await this.#halt(error))) throw error;
    }
    if (written === undefined) return;
    this.#note(written);
    const isChanged = written.counts.unparked > 0 || written.parks.length > 0;
    if (isChanged) this.#parked = await this.#using((writer) => writer.withSession(parkedCounts));
  }

  async #pruneEcho(): Promise<void> {
    const { echoRetentionDays } = this.#options.settings;
    await this.#exclusive(() =>
      this.#using((writer) =>
        writer.withSession((session) => session.run('pruneEcho', [echoRetentionDays, PRUNED_ROWS_MAX])),
      ),
    );
  }

  #using<T>(action: (writer: Writer) => Promise<T>): Promise<T> {
    if (this.#writer === undefined) throw new Error('the worker is not attached');
    return action(this.#writer);
  }

  /** One at a time: the connection has one transaction. */
  #exclusive<T>(action: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(action);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}
