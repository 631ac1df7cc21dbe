/**
 * One task: partition n of every input topic, one transactional id.
 *
 *   new --open()--> open --start()--> running --stop()--> closed
 *   running --fenced, or a fault of ours--> lost: drops everything and tells the runtime, which leaves the group
 *
 * What arrives while a transaction is under way is merged into the next one: short transactions while little happens, large
 * ones while much does. After a commit whose outcome is unknown the id is opened again, which settles it, and the group's
 * offsets say how it went: they are in the same transaction as the records.
 */
import { ContractError, InvariantError, RecordError, type SeamError, TransientError } from '../core/errors.ts';
import type { Clock, Log, LogBatch, LogRecord, OutputRecord, TransactionalWriter } from '../core/ports.ts';
import type { Counter } from './counter.ts';
import { InputBuffer, type Slice } from './input-buffer.ts';
import { workLane } from './lane-slice.ts';
import { ParkedKeys, ParkedOverlay, type ParkedView } from './parked-keys.ts';
import type { ProcessorSettings } from './settings.ts';
import { type SliceDone, workSlice } from './slice-work.ts';
import { type CrashHooks, redriveTopic, type Stage } from './stage.ts';

export type TaskParts = {
  readonly stage: Stage;
  /** The number of the partitions. */
  readonly number: number;
  readonly log: Log;
  readonly clock: Clock;
  readonly hooks: CrashHooks;
  readonly settings: ProcessorSettings;
  readonly counterOf: (topic: string) => Counter;
  /** The task is lost, and with it this worker's place in the group. */
  readonly onLost: (error: unknown) => void;
};

/** A stop that ends when the table was read again: its records come behind the one that stopped it. */
const MENDED_BY_LATER_RECORDS = new Set(['NULL_HIDDEN']);
const LOOK_AGAIN_MS = 10_000;

type Start = { readonly topic: string; readonly committed: bigint | undefined };
type Transaction = Parameters<TransactionalWriter['commit']>[0];
/** One topic's share of a transaction. */
type Done = {
  readonly buffer: InputBuffer;
  readonly worked: SliceDone;
  readonly count: number;
  readonly offset: bigint;
};

export class Task {
  readonly #parts: TaskParts;
  readonly #writer: TransactionalWriter;
  readonly #buffers: InputBuffer[] = [];
  /** What this task has set aside: to be filled between `open` and `start`. */
  readonly parked = new ParkedKeys();
  readonly #stopping = new AbortController();
  #wake = Promise.withResolvers<void>();
  #finished: Promise<void> = Promise.resolve();
  #startedAtMs = 0;
  #firstBuffer = 0;
  /** Why nothing can be committed now; undefined while it can. */
  fault: SeamError | undefined;

  constructor(parts: TaskParts) {
    this.#parts = parts;
    this.#writer = parts.log.writer(`${parts.stage.groupId}-${parts.number}`);
  }

  /** Fences whoever worked on these partitions before: committed offsets read from now on are final. */
  open(): Promise<void> {
    return this.#writer.open();
  }

  start(starts: readonly Start[]): void {
    const partition = this.#parts.number;
    for (const { topic, committed } of starts) {
      this.#buffers.push(new InputBuffer({ topic, partition, committed }, this.#parts.settings));
    }
    this.#finished = this.#run().catch((error) => {
      if (!this.#stopping.signal.aborted) this.#parts.onLost(error);
    });
  }

  /** Resolves when the topic has room for its next batch. */
  add(batch: LogBatch): Promise<void> {
    const buffer = this.#buffers.find(({ topic }) => topic === batch.topic);
    if (buffer === undefined || this.#stopping.signal.aborted) return Promise.resolve();
    const room = buffer.add(batch);
    this.#wake.resolve();
    return room;
  }

  /** Finishes the transaction under way and drops the rest. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake.resolve();
    await this.#finished;
    for (const buffer of this.#buffers) buffer.drop();
    await this.#writer.close().catch(() => {});
  }

  get buffers(): readonly InputBuffer[] {
    return this.#buffers;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const waitMs = this.#readyInMs();
      if (waitMs > 0) await this.#idle(waitMs);
      else {
        await this.#pace();
        if (!signal.aborted) await this.#step();
      }
    }
  }

  /** A transaction costs the broker about the same with one record as with a thousand: under load, what comes is gathered. */
  async #pace(): Promise<void> {
    const { clock, settings } = this.#parts;
    const restMs = this.#startedAtMs + settings.transactionEveryMs - clock.elapsedMs();
    if (restMs > 0) await clock.pause(restMs, this.#stopping.signal);
    this.#startedAtMs = clock.elapsedMs();
  }

  #readyInMs(): number {
    const nowMs = this.#parts.clock.elapsedMs();
    let soonestMs = Number.POSITIVE_INFINITY;
    for (const buffer of this.#buffers) soonestMs = Math.min(soonestMs, buffer.readyInMs(nowMs));
    return soonestMs;
  }

  async #idle(waitMs: number): Promise<void> {
    const waking = new AbortController();
    const waits: Promise<void>[] = [this.#wake.promise];
    if (Number.isFinite(waitMs)) waits.push(this.#parts.clock.pause(waitMs, waking.signal));
    await Promise.race(waits);
    waking.abort();
    this.#wake = Promise.withResolvers<void>();
    if (this.#stopping.signal.aborted) this.#wake.resolve();
  }

  async #step(): Promise<void> {
    const done = await this.#work(this.#gather());
    if (done.length === 0 || this.#stopping.signal.aborted) return;
    await this.#commit(this.#transactionOf(done));
    for (const { worked } of done) this.parked.apply(worked.changes);
    for (const { buffer, worked, count, offset } of done) {
      buffer.advance(count, offset);
      this.#count(buffer.topic, worked, count);
      if (worked.stop !== undefined) this.#stopBuffer(buffer, worked.stop.reason);
    }
    this.#goOnWhereRoom();
    await this.#parts.hooks.at('after-commit');
  }

  /**
   * The lane goes first: what it asks for is older than what the topics bring of the same key, and they meet what it leaves set aside.
   * Topics share no key, so they are worked on together.
   */
  async #work(slices: readonly [InputBuffer, Slice][]): Promise<Done[]> {
    const lane = redriveTopic(this.#parts.stage.name);
    const first = slices.find(([{ topic }]) => topic === lane);
    const asked = first === undefined ? undefined : await this.#transform(...first, this.parked);
    const changes = asked?.worked.changes ?? [];
    const parked = changes.length === 0 ? this.parked : new ParkedOverlay(this.parked, changes);
    const others = slices.filter((one) => one !== first);
    const answers = await Promise.all(others.map(([buffer, slice]) => this.#transform(buffer, slice, parked)));
    return [asked, ...answers].filter((answer) => answer !== undefined);
  }

  #stopBuffer(buffer: InputBuffer, reason: SeamError): void {
    const isMendedByLog = MENDED_BY_LATER_RECORDS.has(reason.code);
    buffer.stop(reason, isMendedByLog ? this.#parts.clock.elapsedMs() + LOOK_AGAIN_MS : undefined);
  }

  /** What was full goes on when records have landed or were discarded. */
  #goOnWhereRoom(): void {
    for (const buffer of this.#buffers) {
      const hasRoom = this.parked.count(buffer.topic) < this.#parts.settings.parkedRecordsMax;
      if (buffer.fault?.code === 'PARKED_FULL' && hasRoom) buffer.goOn();
    }
  }

  /** A fair share of every topic that has something to do: the one that comes first changes with every transaction. */
  #gather(): [InputBuffer, Slice][] {
    const { transactionRecordsMax, transactionBytesMax } = this.#parts.settings;
    const nowMs = this.#parts.clock.elapsedMs();
    const slices: [InputBuffer, Slice][] = [];
    let recordsLeft = transactionRecordsMax;
    let bytesLeft = transactionBytesMax;
    this.#firstBuffer += 1;
    for (let index = 0; index < this.#buffers.length && recordsLeft > 0 && bytesLeft > 0; index += 1) {
      const buffer = this.#buffers[(this.#firstBuffer + index) % this.#buffers.length] as InputBuffer;
      if (buffer.readyInMs(nowMs) > 0) continue;
      if (buffer.isStopped) buffer.tryAgain();
      const slice = sliceOf(buffer, recordsLeft, bytesLeft);
      if (slice === undefined) continue;
      recordsLeft -= slice.records.length;
      bytesLeft -= slice.sizeBytes;
      slices.push([buffer, slice]);
    }
    return slices;
  }

  /** undefined: nothing of this topic can be committed now. */
  async #transform(buffer: InputBuffer, slice: Slice, parked: ParkedView): Promise<Done | undefined> {
    const { stage, clock, settings } = this.#parts;
    const context = { stage, settings, parked, nowMs: clock.nowMs() };
    try {
      const { topic, partition } = buffer;
      const work = topic === redriveTopic(stage.name) ? workLane : workSlice;
      const worked = await work(context, { topic, partition, records: slice.records });
      const { stop } = worked;
      if (stop === undefined) return { buffer, worked, count: slice.records.length, offset: slice.nextOffset };
      if (stop.at > 0) {
        return { buffer, worked, count: stop.at, offset: (slice.records[stop.at] as LogRecord).offset };
      }
      this.#stopBuffer(buffer, placed(stop.reason, buffer, slice));
    } catch (error) {
      if (error instanceof TransientError) buffer.wait(error, clock.elapsedMs());
      else if (error instanceof ContractError) buffer.stop(placed(error, buffer, slice));
      else throw unexpected(error);
    }
    return undefined;
  }

  #transactionOf(done: readonly Done[]): Transaction {
    const { stage } = this.#parts;
    const records: OutputRecord[] = [];
    for (const { worked } of done) for (const output of worked.outputs) records.push(output);
    const offsets = done.map(({ buffer: { topic, partition }, offset }) => ({ topic, partition, offset }));
    return { records, groupId: stage.groupId, offsets };
  }

  #count(topic: string, { counts }: SliceDone, received: number): void {
    const counter = this.#parts.counterOf(topic);
    counter.addAll(counts);
    counter.add('received', received);
  }

  // ---- commit ------------------------------------------------------------------------------------------------------

  async #commit(transaction: Transaction): Promise<void> {
    const { hooks, clock, settings } = this.#parts;
    const { signal } = this.#stopping;
    await hooks.at('before-produce');
    let isOpen = true;
    for (let delayMs = settings.retryDelayMs; ; delayMs = Math.min(delayMs * 2, settings.retryDelayMsMax)) {
      try {
        if (isOpen || !(await this.#settle(transaction))) await this.#writer.commit(transaction);
        this.fault = undefined;
        return;
      } catch (error) {
        const isPassing = error instanceof TransientError && error.code !== 'PRODUCER_FENCED';
        if (!isPassing || signal.aborted) throw error;
        this.fault = error;
        isOpen = false;
      }
      await clock.pause(delayMs, signal);
      if (signal.aborted) throw stopped();
    }
  }

  /**
   * Was the transaction, whose commit got no answer, carried out? Opening the id again ends it either way first. It also takes the
   * id back from a worker that took over meanwhile, so all topics of the task must stand where this one left them.
   */
  async #settle({ groupId, offsets }: Transaction): Promise<boolean> {
    await this.#writer.open();
    const admin = await this.#parts.log.admin();
    const topics = this.#buffers.map(({ topic }) => topic);
    const found = await admin.committedOffsets(groupId, topics).finally(() => admin.close());
    const stands = (topic: string) =>
      found.find((one) => one.topic === topic && one.partition === this.#parts.number)?.offset;
    const moved = this.#buffers.filter(({ topic, committed }) => stands(topic) !== committed);
    if (moved.length === 0) return false;
    const isOurs = moved.every(({ topic }) =>
      offsets.some((one) => one.topic === topic && one.offset === stands(topic)),
    );
    if (isOurs && offsets.every(({ topic, offset }) => stands(topic) === offset)) return true;
    throw new TransientError({
      code: 'PRODUCER_FENCED',
      message: 'another worker took this work over and went on',
      where: `group ${groupId} partition ${this.#parts.number}`,
    });
  }
}

/** undefined: records of this topic can't be read, and it has stopped. What another fetch may mend is thrown. */
function sliceOf(buffer: InputBuffer, recordsMax: number, bytesMax: number): Slice | undefined {
  try {
    return buffer.slice(recordsMax, bytesMax);
  } catch (error) {
    if (!(error instanceof ContractError)) throw error;
    buffer.stop(error);
    return undefined;
  }
}

/** A record's error that isn't tied to a record would set aside what nobody looked at. */
function unexpected(error: unknown): unknown {
  if (!(error instanceof RecordError)) return error;
  return new InvariantError({ code: 'RECORD_ERROR_WITHOUT_RECORD', message: error.message, cause: error });
}

function placed(error: ContractError, { topic, partition }: InputBuffer, { records }: Slice): SeamError {
  const place = `${topic} partition ${partition} offset ${records[0]?.offset}`;
  const { code, message, hint, where } = error;
  return new ContractError({
    code,
    message,
    where: where === undefined ? place : `${place}, ${where}`,
    ...(hint === undefined ? {} : { hint }),
    cause: error,
  });
}

function stopped(): TransientError {
  return new TransientError({ code: 'STOPPED', message: 'stopped while a transaction was retried' });
}
