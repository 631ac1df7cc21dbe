/** Batches of several partitions, waiting to be written; one transaction takes what is there, up to a limit. */
import type { LogBatch } from '../../core/ports.ts';
import { type Lease, partitionName } from './leases.ts';
import type { Item } from './transaction.ts';
import type { Work } from './writer.ts';

/** `offset` of the record from which the item was made. */
export type QueuedItem = { readonly offset: bigint; readonly item: Item };

export type PendingBatch = {
  readonly batch: LogBatch;
  readonly lease: Lease;
  readonly items: readonly QueuedItem[];
  /** How many of them are written, or about to be. */
  taken: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
};

export type Chunk = {
  readonly work: Work;
  readonly parts: readonly { readonly pending: PendingBatch; readonly count: number }[];
};

export class BatchQueue {
  #pending: PendingBatch[] = [];
  #ahead: Chunk | undefined;

  get isEmpty(): boolean {
    return this.#pending.length === 0;
  }

  /** Records that wait. */
  get size(): number {
    return this.#pending.reduce((sum, { items, taken }) => sum + items.length - taken, 0);
  }

  add(pending: PendingBatch): void {
    this.#pending.push(pending);
  }

  /** The next full transaction, to be made ready while another one runs. It stays the next, unless its partitions go. */
  ahead(recordsMax: number): Chunk | undefined {
    if (this.#ahead === undefined && this.size >= recordsMax) this.#ahead = this.#next(recordsMax);
    return this.#ahead;
  }

  take(recordsMax: number): Chunk | undefined {
    if (this.isEmpty) return undefined;
    const chunk = this.#ahead ?? this.#next(recordsMax);
    this.#ahead = undefined;
    for (const { pending, count } of chunk.parts) pending.taken += count;
    const isOver = ({ pending: { taken, items } }: Chunk['parts'][number]) => taken === items.length;
    const over = new Set(chunk.parts.filter(isOver).map(({ pending }) => pending));
    this.#pending = this.#pending.filter((pending) => !over.has(pending));
    // The log may bring more: it takes as long as what is left here.
    if (this.size <= recordsMax) for (const { resolve } of [...over, ...this.#pending]) resolve();
    else for (const { resolve } of over) resolve();
    return chunk;
  }

  #next(recordsMax: number): Chunk {
    const items: Item[] = [];
    const ends = new Map<Lease, bigint>();
    const parts = [];
    for (const pending of this.#pending) {
      if (items.length >= recordsMax) break;
      const { lease, batch, taken } = pending;
      const slice = pending.items.slice(taken, taken + recordsMax - items.length);
      for (const { item } of slice) items.push(item);
      const isLast = taken + slice.length === pending.items.length;
      ends.set(lease, isLast ? batch.nextOffset : offsetAfter(slice));
      parts.push({ pending, count: slice.length });
    }
    const advances = [...ends].map(([lease, nextOffset]) => ({ lease, nextOffset }));
    return { work: { items, advances, isTimedRetry: false }, parts };
  }

  /** Their partitions went to another worker: what isn't written is left to it. */
  drop(partitions: ReadonlySet<string>): void {
    this.#ahead = undefined;
    const dropped = this.#pending.filter(({ lease }) => partitions.has(partitionName(lease)));
    this.#pending = this.#pending.filter((pending) => !dropped.includes(pending));
    for (const pending of dropped) pending.resolve();
  }

  fail(error: unknown): void {
    this.#ahead = undefined;
    const failed = this.#pending;
    this.#pending = [];
    for (const pending of failed) pending.reject(error);
  }
}

function offsetAfter(slice: readonly QueuedItem[]): bigint {
  return (slice.at(-1) as QueuedItem).offset + 1n;
}
