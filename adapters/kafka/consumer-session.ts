/**
 * One life of a kafkajs consumer, from joining the group until it stops or fails.
 *
 *   joining --GROUP_JOIN--> gated --assigned() answered, every start sought--> reading
 *   gated, reading --REBALANCING, or GROUP_JOIN without it--> joining        revoked() for what was held
 *   any --stop() or a failure--> ended                                      revoked(), then the group is left
 *
 * kafkajs calls us while it goes on by itself, so:
 * - everything assigned is paused within its event, before the first fetch, and resumed when the starts are known;
 * - `assigned` and `revoked` run one after another in the order in which the group decided;
 * - a batch counts only when it begins exactly where the last one ended. One of an earlier assignment doesn't, nor does
 *   one after an offset that kafkajs moved by itself: it is dropped unresolved and the right place is sought again;
 * - a batch whose callback takes long pauses its partition and lets the fetch loop go on, because kafkajs fetches from a
 *   broker again only when all batches of the last fetch are done: one slow partition would stop all, heartbeats too.
 */
import type { Consumer, EachBatchPayload } from 'kafkajs';
import { InvariantError, type SeamError, TransientError } from '../../core/errors.ts';
import type { Clock, ConsumerCallbacks, LogAdmin, TopicPartition } from '../../core/ports.ts';
import { toSeamError } from './errors.ts';
import { type FetchedBatch, type FetchedRange, partsOf } from './fetched-batch.ts';
import { findStarts, nameOf } from './starts.ts';

/** How long a fetch loop waits for a batch before it goes on without that partition. */
const BATCH_GRACE_MS = 100;
/**
 * Each fetch names every partition, so its cost grows with them and not with what it brings: under load a consumer that asks
 * at once for more spends the broker's time on near-empty answers. A record that comes alone is not held back.
 */
const FETCH_EVERY_MS = 20;
/** What another session may mend: the cluster is back, or bytes come whole. */
const MENDED_BY_ANOTHER = new Set(['KAFKA_UNREACHABLE', 'LOG_DAMAGED']);
const MISPLACED_BATCHES_MAX = 20;
const CLOCK_LOOK_MS = 1_000;
/** A slewed clock loses less than this in the life of a session that matters; a heartbeat may be late by as much. */
const SET_BACK_MS_MAX = 2_000;
const LEAVE_MS_MAX = 10_000;

export type SessionParts = {
  readonly groupId: string;
  readonly topics: readonly string[];
  readonly consumer: Consumer;
  readonly admin: () => Promise<LogAdmin>;
  readonly callbacks: ConsumerCallbacks;
  readonly clock: Clock;
  readonly partitionsMax: number;
  readonly stallMsMax: number;
  readonly joinMsMax: number;
  /** Called when records may flow: the outage, if there was one, is over. */
  readonly onReading: () => void;
};

/** The cluster was away or the client gave up: start another session. */
export class Outage extends Error {
  readonly reason: SeamError;
  constructor(reason: SeamError) {
    super(reason.message, { cause: reason });
    this.reason = reason;
  }
}

/** One assignment. `next`: where the next batch must begin; undefined until sought. */
type Held = TopicPartition & { next: bigint | undefined; misplaced: number };
type Holding = { readonly partitions: Map<string, Held>; isAnnounced: boolean; isOver: boolean };

export class ConsumerSession {
  readonly #parts: SessionParts;
  readonly #ended = Promise.withResolvers<void>();
  readonly #stopWatch = new AbortController();
  #holding: Holding = { partitions: new Map(), isAnnounced: false, isOver: true };
  #turn: Promise<void> = Promise.resolve();
  #started: Promise<void> = Promise.resolve();
  #isEnding = false;
  #isJoining = true;
  #lastSignMs = 0;

  constructor(parts: SessionParts) {
    this.#parts = parts;
  }

  /** Resolves after `stop`. Rejects with an `Outage`, or with a SeamError that another session would meet too. */
  async run(): Promise<void> {
    const { consumer, topics } = this.#parts;
    this.#sawSign();
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [...topics], fromBeginning: true });
      this.#listen();
      this.#started = consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        // one for each partition: batches must never queue up inside kafkajs, where a new assignment doesn't reach them
        partitionsConsumedConcurrently: this.#parts.partitionsMax,
        eachBatch: (payload) => this.#eachBatch(payload),
      });
      this.#started.catch((error) => this.#clientFailed(error));
    } catch (error) {
      this.#clientFailed(error);
    }
    void this.#watch();
    void this.#watchClock();
    await this.#ended.promise;
  }

  async stop(): Promise<void> {
    await this.#end(undefined);
  }

  holds({ topic, partition }: TopicPartition): boolean {
    return this.#holding.partitions.has(nameOf(topic, partition)) && !this.#isEnding;
  }

  #listen(): void {
    const { consumer } = this.#parts;
    const { events } = consumer;
    consumer.on(events.GROUP_JOIN, ({ payload }) => this.#joined(payload.memberAssignment));
    consumer.on(events.REBALANCING, () => this.#lost());
    consumer.on(events.CRASH, ({ payload }) => this.#clientFailed(payload.error));
    consumer.on(events.START_BATCH_PROCESS, ({ payload }) => {
      if (payload.batchSize === 0) this.#passedOver(payload.topic, payload.partition, payload.lastOffset);
    });
    for (const event of [events.FETCH, events.HEARTBEAT]) consumer.on(event, () => this.#sawSign());
  }

  // ---- assignments -------------------------------------------------------------------------------------------------

  #joined(assignment: Readonly<Record<string, readonly number[]>>): void {
    if (this.#isEnding) return;
    this.#lost();
    this.#isJoining = false;
    const held = Object.entries(assignment).flatMap(([topic, partitions]) =>
      partitions.map((partition): Held => ({ topic, partition, next: undefined, misplaced: 0 })),
    );
    if (held.length > 0) this.#parts.consumer.pause(grouped(held));
    const holding: Holding = {
      partitions: new Map(held.map((one) => [nameOf(one.topic, one.partition), one])),
      isAnnounced: false,
      isOver: false,
    };
    this.#holding = holding;
    this.#inTurn(() => this.#open(holding));
  }

  #lost(): void {
    const holding = this.#holding;
    holding.isOver = true;
    this.#isJoining = true;
    this.#sawSign();
    this.#inTurn(() => this.#release(holding));
  }

  async #open(holding: Holding): Promise<void> {
    const held = [...holding.partitions.values()];
    if (holding.isOver) return;
    holding.isAnnounced = true;
    const given = await this.#parts.callbacks.assigned(held.map(({ topic, partition }) => ({ topic, partition })));
    if (holding.isOver) return;
    // with nothing to read the caller still learns that it is a member
    if (held.length === 0) return this.#parts.onReading();
    const admin = await this.#parts.admin();
    const starts = await findStarts(admin, this.#parts.groupId, held, given).finally(() => admin.close());
    if (holding.isOver) return;
    for (const one of held) {
      one.next = starts.get(nameOf(one.topic, one.partition)) as bigint;
      this.#seek(one);
    }
    this.#parts.consumer.resume(grouped(held));
    this.#parts.onReading();
  }

  async #release(holding: Holding): Promise<void> {
    if (!holding.isAnnounced) return;
    holding.isAnnounced = false;
    await this.#parts.callbacks.revoked(
      [...holding.partitions.values()].map(({ topic, partition }) => ({ topic, partition })),
    );
  }

  #inTurn(work: () => Promise<void> | void): void {
    this.#turn = this.#turn.then(work).catch((error) => this.#callbackFailed(error));
  }

  // ---- batches -----------------------------------------------------------------------------------------------------

  async #eachBatch({ batch, resolveOffset }: EachBatchPayload): Promise<void> {
    const holding = this.#holding;
    const held = holding.partitions.get(nameOf(batch.topic, batch.partition));
    if (this.#isEnding || held === undefined || held.next === undefined) return;
    const { fetchedOffset } = batch as unknown as { readonly fetchedOffset: string };
    if (BigInt(fetchedOffset) !== held.next) return this.#misplaced(held, fetchedOffset);
    held.misplaced = 0;
    const lastOffset = batch.lastOffset();
    held.next = BigInt(lastOffset) + 1n;
    // where to fetch on, no more: what is done is known to whoever commits
    resolveOffset(lastOffset);
    const batches = batch.messages as unknown as readonly FetchedBatch[];
    const work = this.#handOver(batches, holding, {
      topic: batch.topic,
      partition: batch.partition,
      from: BigInt(fetchedOffset),
      nextOffset: held.next,
      highWatermark: BigInt(batch.highWatermark),
    });
    // kafkajs fetches again when every batch of the last fetch is done
    await Promise.all([this.#waitBriefly(work, holding, held), this.#parts.clock.pause(FETCH_EVERY_MS)]);
  }

  /** Part by part: what the caller has no room for stays as it was fetched. */
  async #handOver(batches: readonly FetchedBatch[], holding: Holding, range: FetchedRange): Promise<void> {
    const { callbacks } = this.#parts;
    const parts = partsOf(batches, range);
    if (parts.length === 0) callbacks.passedOver?.(range, range.nextOffset);
    for (const part of parts) {
      if (holding.isOver || this.#isEnding) return;
      await callbacks.batch(part);
    }
  }

  async #waitBriefly(work: Promise<void>, holding: Holding, held: Held): Promise<void> {
    let isDone = false;
    const finished = work.then(
      () => {
        isDone = true;
      },
      (error) => this.#callbackFailed(error),
    );
    const grace = new AbortController();
    await Promise.race([finished, this.#parts.clock.pause(BATCH_GRACE_MS, grace.signal)]);
    grace.abort();
    if (isDone || holding.isOver || this.#isEnding) return;
    const place = grouped([held]);
    this.#parts.consumer.pause(place);
    void finished.then(() => {
      if (!holding.isOver && !this.#isEnding) this.#parts.consumer.resume(place);
    });
  }

  /** Nothing but markers and aborted records: kafkajs has moved on by itself. */
  #passedOver(topic: string, partition: number, lastOffset: string): void {
    const held = this.#holding.partitions.get(nameOf(topic, partition));
    if (held?.next === undefined || BigInt(lastOffset) < held.next || this.#isEnding) return;
    held.next = BigInt(lastOffset) + 1n;
    this.#parts.callbacks.passedOver?.({ topic, partition }, held.next);
  }

  #misplaced(held: Held, fetchedOffset: string): void {
    held.misplaced += 1;
    if (held.misplaced <= MISPLACED_BATCHES_MAX) {
      this.#seek(held);
      return;
    }
    void this.#end(
      new InvariantError({
        code: 'CONSUMER_MISPLACED',
        message: `the kafka client reads from offset ${fetchedOffset} and not from ${held.next}`,
        where: `${held.topic} partition ${held.partition}`,
      }),
    );
  }

  #seek({ topic, partition, next }: Held): void {
    this.#parts.consumer.seek({ topic, partition, offset: String(next) });
  }

  // ---- the end -----------------------------------------------------------------------------------------------------

  #clientFailed(error: unknown): void {
    const reason = toSeamError(error, `group ${this.#parts.groupId}`);
    void this.#end(reason.class === 'transient' ? new Outage(reason) : reason);
  }

  /** `assigned`, `revoked` or `batch` failed, or the look-up of the starts between them. */
  #callbackFailed(error: unknown): void {
    const reason = toSeamError(error, `group ${this.#parts.groupId}`);
    void this.#end(MENDED_BY_ANOTHER.has(reason.code) ? new Outage(reason) : reason);
  }

  async #end(reason: Error | undefined): Promise<void> {
    if (this.#isEnding) return this.#ended.promise.catch(() => {});
    this.#isEnding = true;
    this.#stopWatch.abort();
    this.#lost();
    await this.#turn;
    await this.#leave();
    if (reason === undefined) this.#ended.resolve();
    else this.#ended.reject(reason);
  }

  /** kafkajs ignores a stop while it joins and then goes on as a member that nobody reads: so wait for the join first. */
  async #leave(): Promise<void> {
    const left = this.#started
      .catch(() => {})
      .then(() => this.#parts.consumer.disconnect())
      .catch(() => {});
    const patience = new AbortController();
    await Promise.race([left, this.#parts.clock.pause(LEAVE_MS_MAX, patience.signal)]);
    // what is left of the pause would keep the process
    patience.abort();
  }

  // ---- watch -------------------------------------------------------------------------------------------------------

  #sawSign(): void {
    this.#lastSignMs = this.#parts.clock.elapsedMs();
  }

  /** kafkajs can stop fetching without an error. Two looks in a row, or a process that slept would count as stalled. */
  async #watch(): Promise<void> {
    const { clock, stallMsMax, joinMsMax, groupId } = this.#parts;
    const { signal } = this.#stopWatch;
    for (let silent = 0; silent < 2; ) {
      await clock.pause(stallMsMax / 4, signal);
      if (signal.aborted) return;
      const silentMs = clock.elapsedMs() - this.#lastSignMs;
      silent = silentMs > (this.#isJoining ? joinMsMax : stallMsMax) ? silent + 1 : 0;
    }
    await this.#end(
      new TransientError({
        code: 'CONSUMER_STALLED',
        message: 'the kafka client has stopped fetching without an error',
        where: `group ${groupId}`,
        hint: 'the worker starts the consumer again by itself',
      }),
    );
  }

  /** kafkajs counts its heartbeats by the wall clock: set back by an hour, it sends none for an hour. A new client does. */
  async #watchClock(): Promise<void> {
    const { clock, groupId } = this.#parts;
    const { signal } = this.#stopWatch;
    for (let latestMs = Number.NEGATIVE_INFINITY; ; ) {
      const aheadMs = clock.nowMs() - clock.elapsedMs();
      latestMs = Math.max(latestMs, aheadMs);
      if (latestMs - aheadMs > SET_BACK_MS_MAX) return this.#end(new Outage(setBack(latestMs - aheadMs, groupId)));
      await clock.pause(CLOCK_LOOK_MS, signal);
      if (signal.aborted) return;
    }
  }
}

function setBack(byMs: number, groupId: string): TransientError {
  return new TransientError({
    code: 'CLOCK_SET_BACK',
    message: `the clock of this machine was set back by ${Math.round(byMs / 1_000)} s, and the kafka client keeps time by it`,
    where: `group ${groupId}`,
    hint: 'the worker starts the consumer again by itself; a time service that slews the clock spares it that',
  });
}

function grouped(places: readonly TopicPartition[]): { topic: string; partitions: number[] }[] {
  const topics = new Map<string, number[]>();
  for (const { topic, partition } of places) topics.set(topic, [...(topics.get(topic) ?? []), partition]);
  return [...topics].map(([topic, partitions]) => ({ topic, partitions }));
}
