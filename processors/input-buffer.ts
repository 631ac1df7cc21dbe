/**
 * One topic of one task: what was fetched and is not committed yet.
 *
 *   ready --TransientError--> waiting --its time has come--> ready
 *   ready, waiting --ContractError, or too many attempts--> stopped        until the partition is assigned again,
 *   stopped --goOn()--> ready                                              or there is room again for what is set aside
 *   stopped --its time has come--> ready                                   where another record of the log may mend it
 *
 * A stopped or full buffer answers no more fetches, so the partition pauses and the others flow.
 */
import type { SeamError } from '../core/errors.ts';
import type { LogBatch, LogRecord } from '../core/ports.ts';

export type BufferLimits = {
  readonly bufferRecordsMax: number;
  readonly retryDelayMs: number;
  readonly retryDelayMsMax: number;
  readonly retryAttemptsMax: number;
};

/** `nextOffset`: where to go on when these records are done. */
export type Slice = { readonly records: readonly LogRecord[]; readonly nextOffset: bigint; readonly sizeBytes: number };

export class InputBuffer {
  readonly topic: string;
  readonly partition: number;
  /** Where the group stands; undefined where it never committed. */
  committed: bigint | undefined;
  /** Why nothing flows; undefined while it does. */
  fault: SeamError | undefined;
  isStopped = false;
  readonly #limits: BufferLimits;
  readonly #batches: LogBatch[] = [];
  /** Records of the first batch that are done. */
  #done = 0;
  #count = 0;
  #attempts = 0;
  #againAtMs = Number.POSITIVE_INFINITY;
  #waitUntilMs = 0;
  #roomWaiters: (() => void)[] = [];

  constructor(place: { topic: string; partition: number; committed: bigint | undefined }, limits: BufferLimits) {
    this.topic = place.topic;
    this.partition = place.partition;
    this.committed = place.committed;
    this.#limits = limits;
  }

  /** Resolves when there is room for the next batch. */
  add(batch: LogBatch): Promise<void> {
    this.#batches.push(batch);
    this.#count += batch.count;
    if (this.#count < this.#limits.bufferRecordsMax) return Promise.resolve();
    return new Promise((resolve) => this.#roomWaiters.push(resolve));
  }

  /** ms until there is something to do: 0 now, Infinity not before the next batch. */
  readyInMs(nowMs: number): number {
    if (this.#batches.length === 0) return Number.POSITIVE_INFINITY;
    if (this.isStopped) return Math.max(0, this.#againAtMs - nowMs);
    return Math.max(0, this.#waitUntilMs - nowMs);
  }

  /**
   * The oldest records, at least one; they stay until `advance`. Only while there is something to do. Throws what the log throws
   * when they can't be read.
   */
  slice(recordsMax: number, bytesMax: number): Slice {
    const first = this.#batches[0] as LogBatch;
    if (this.#batches.length === 1 && this.#done === 0 && first.count <= recordsMax) {
      const whole = bytesOf(first.records);
      if (whole <= bytesMax) return { records: first.records, nextOffset: first.nextOffset, sizeBytes: whole };
    }
    const records: LogRecord[] = [];
    let nextOffset = first.nextOffset;
    let sizeBytes = 0;
    let index = this.#done;
    for (const batch of this.#batches) {
      if (records.length >= recordsMax) break;
      const held = batch.records;
      for (; index < held.length; index += 1) {
        const record = held[index] as LogRecord;
        const recordBytes = sizeOf(record);
        const isFull = records.length >= recordsMax || sizeBytes + recordBytes > bytesMax;
        if (isFull && records.length > 0) return { records, nextOffset, sizeBytes };
        records.push(record);
        sizeBytes += recordBytes;
        nextOffset = record.offset + 1n;
      }
      nextOffset = batch.nextOffset;
      index = 0;
    }
    return { records, nextOffset, sizeBytes };
  }

  /** These records are done and committed up to here. */
  advance(count: number, committed: bigint): void {
    this.committed = committed;
    this.#attempts = 0;
    this.#waitUntilMs = 0;
    this.fault = this.isStopped ? this.fault : undefined;
    this.#count -= count;
    this.#done += count;
    while (this.#batches[0] !== undefined && this.#done >= this.#batches[0].count) {
      this.#done -= this.#batches[0].count;
      this.#batches.shift();
    }
    if (this.#count < this.#limits.bufferRecordsMax && !this.isStopped) this.#releaseRoom();
  }

  wait(fault: SeamError, nowMs: number): void {
    this.#attempts += 1;
    if (this.#attempts >= this.#limits.retryAttemptsMax) {
      this.stop(fault);
      return;
    }
    this.fault = fault;
    const delayMs = this.#limits.retryDelayMs * 2 ** Math.min(this.#attempts - 1, 20);
    this.#waitUntilMs = nowMs + Math.min(delayMs, this.#limits.retryDelayMsMax);
  }

  /** `againAtMs`: when it is tried again by itself; left out: never. */
  stop(fault: SeamError, againAtMs = Number.POSITIVE_INFINITY): void {
    this.fault = fault;
    this.isStopped = true;
    this.#againAtMs = againAtMs;
  }

  /** Its time has come. The fault is shown until records are done. */
  tryAgain(): void {
    this.isStopped = false;
  }

  goOn(): void {
    this.fault = undefined;
    this.isStopped = false;
    if (this.#count < this.#limits.bufferRecordsMax) this.#releaseRoom();
  }

  /** The partition is gone: whoever waits for room waits for nothing. */
  drop(): void {
    this.#batches.length = 0;
    this.#count = 0;
    this.#done = 0;
    this.#releaseRoom();
  }

  #releaseRoom(): void {
    const waiters = this.#roomWaiters;
    this.#roomWaiters = [];
    for (const resolve of waiters) resolve();
  }
}

function bytesOf(records: readonly LogRecord[]): number {
  let size = 0;
  for (const record of records) size += sizeOf(record);
  return size;
}

function sizeOf(record: LogRecord): number {
  return record.sizeBytes ?? (record.key?.length ?? 0) + (record.value?.length ?? 0);
}
