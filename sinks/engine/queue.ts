/**
 * Batches of several partitions, waiting to be written; one transaction takes what is there, up to a limit. They wait as the
 * log's own bytes and are decoded just before they are written: what is decoded early outlives V8's young space, and a third
 * of a sink's processor time went into moving it about.
 */
import type { LogBatch, LogRecord } from '../../core/ports.ts';
import { type Advance, type Lease, partitionName } from './leases.ts';
import type { Work } from './writer.ts';

export type NewBatch = {
  readonly batch: LogBatch;
  readonly lease: Lease;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
};

export type PendingBatch = NewBatch & {
  /** Those of the batch that are not written yet. */
  readonly records: readonly LogRecord[];
  /** How many of them are written, or about to be. */
  taken: number;
};

/** Of one batch. */
type Part = { readonly pending: PendingBatch; readonly records: readonly LogRecord[] };

/** What one transaction is to write. */
export type Chunk = {
  readonly parts: readonly Part[];
  readonly advances: readonly Advance[];
  /** Set when its making has begun. */
  work: Promise<Work> | undefined;
};

/** Decoded, and as parameters of a statement, each byte is in memory several times. A single record may be larger. */
const CHUNK_BYTES_MAX = 16 * 1024 * 1024;

/** What is left of it without these topics; undefined: nothing. */
export function withoutTopics({ parts, advances }: Chunk, topics: ReadonlySet<string>): Chunk | undefined {
  const left = advances.filter(({ lease }) => !topics.has(lease.topic));
  if (left.length === 0) return undefined;
  return { parts: parts.filter(({ pending }) => !topics.has(pending.lease.topic)), advances: left, work: undefined };
}

export class BatchQueue {
  #pending: PendingBatch[] = [];
  #next: Chunk | undefined;

  get isEmpty(): boolean {
    return this.#pending.length === 0;
  }

  /** Records that wait. */
  get size(): number {
    return this.#pending.reduce((sum, { records, taken }) => sum + records.length - taken, 0);
  }

  /** Throws what the log throws when the records can't be read. */
  add(added: NewBatch): void {
    this.#pending.push({ ...added, records: freshOf(added.batch, added.lease), taken: 0 });
  }

  /** What is to be written next. Asked again it is the same, unless its partitions went meanwhile. */
  next(recordsMax: number): Chunk | undefined {
    if (this.#next === undefined && !this.isEmpty) this.#next = this.#chunk(recordsMax);
    return this.#next;
  }

  /** False: its partitions went meanwhile. */
  take(chunk: Chunk, recordsMax: number): boolean {
    if (this.#next !== chunk) return false;
    this.#next = undefined;
    const over = new Set<PendingBatch>();
    for (const { pending, records } of chunk.parts) {
      pending.taken += records.length;
      if (pending.taken === pending.records.length) over.add(pending);
    }
    this.#pending = this.#pending.filter((pending) => !over.has(pending));
    // The log may bring more: that takes about as long as writing what is left here.
    const isLittleLeft = this.size <= recordsMax;
    for (const { resolve } of isLittleLeft ? [...over, ...this.#pending] : over) resolve();
    return true;
  }

  #chunk(recordsMax: number): Chunk {
    const parts: Part[] = [];
    const ends = new Map<Lease, bigint>();
    let count = 0;
    let bytes = CHUNK_BYTES_MAX;
    for (const pending of this.#pending) {
      if (count >= recordsMax) break;
      const { lease, batch, taken } = pending;
      const records = pending.records.slice(taken, taken + fitting(pending, recordsMax - count, bytes));
      if (records.length === 0) break;
      count += records.length;
      for (const record of records) bytes -= sizeOf(record);
      const isLast = taken + records.length === pending.records.length;
      ends.set(lease, isLast ? batch.nextOffset : (records.at(-1) as LogRecord).offset + 1n);
      parts.push({ pending, records });
    }
    const advances = [...ends].map(([lease, nextOffset]) => ({ lease, nextOffset }));
    return { parts, advances, work: undefined };
  }

  /** Their partitions went to another worker: what isn't written is left to it. */
  drop(partitions: ReadonlySet<string>): void {
    this.#drop(({ lease }) => partitions.has(partitionName(lease)));
  }

  /** Their table stands still: they are read again when it goes on. */
  dropTopics(topics: ReadonlySet<string>): void {
    this.#drop(({ lease }) => topics.has(lease.topic));
  }

  #drop(isDropped: (pending: PendingBatch) => boolean): void {
    this.#next = undefined;
    const dropped = this.#pending.filter(isDropped);
    this.#pending = this.#pending.filter((pending) => !dropped.includes(pending));
    for (const pending of dropped) pending.resolve();
  }

  fail(error: unknown): void {
    this.#next = undefined;
    const failed = this.#pending;
    this.#pending = [];
    for (const pending of failed) pending.reject(error);
  }
}

/** How many of its next records a chunk takes: at least one where it holds nothing yet. */
function fitting({ records, taken }: PendingBatch, recordsMax: number, bytesMax: number): number {
  const end = Math.min(records.length, taken + recordsMax);
  let bytes = 0;
  for (let at = taken; at < end; at += 1) {
    bytes += sizeOf(records[at] as LogRecord);
    if (bytes > bytesMax) return at - taken === 0 && bytesMax === CHUNK_BYTES_MAX ? 1 : at - taken;
  }
  return end - taken;
}

function sizeOf(record: LogRecord): number {
  return record.sizeBytes ?? (record.key?.length ?? 0) + (record.value?.length ?? 0);
}

/** Those that are not written yet: all, but for a batch that was fetched before the offsets were moved. */
function freshOf({ records }: LogBatch, { nextOffset }: Lease): readonly LogRecord[] {
  const first = records.findIndex(({ offset }) => offset >= nextOffset);
  return first < 0 ? [] : first === 0 ? records : records.slice(first);
}
