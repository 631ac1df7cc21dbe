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
  taken: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
};

export type Chunk = { readonly work: Work; readonly finished: readonly PendingBatch[] };

export class BatchQueue {
  #pending: PendingBatch[] = [];

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

  take(recordsMax: number): Chunk | undefined {
    if (this.isEmpty) return undefined;
    const items: Item[] = [];
    const advances = [];
    const finished: PendingBatch[] = [];
    for (const pending of this.#pending) {
      if (items.length >= recordsMax) break;
      const slice = pending.items.slice(pending.taken, pending.taken + recordsMax - items.length);
      for (const { item } of slice) items.push(item);
      pending.taken += slice.length;
      const isFinished = pending.taken === pending.items.length;
      if (isFinished) finished.push(pending);
      advances.push({ lease: pending.lease, nextOffset: isFinished ? pending.batch.nextOffset : offsetAfter(slice) });
    }
    this.#pending = this.#pending.filter((pending) => !finished.includes(pending));
    return { work: { items, advances, isTimedRetry: false }, finished };
  }

  /** Their partitions went to another worker: what isn't written is left to it. */
  drop(partitions: ReadonlySet<string>): void {
    const dropped = this.#pending.filter(({ lease }) => partitions.has(partitionName(lease)));
    this.#pending = this.#pending.filter((pending) => !dropped.includes(pending));
    for (const pending of dropped) pending.resolve();
  }

  fail(error: unknown): void {
    const failed = this.#pending;
    this.#pending = [];
    for (const pending of failed) pending.reject(error);
  }
}

function offsetAfter(slice: readonly QueuedItem[]): bigint {
  return (slice.at(-1) as QueuedItem).offset + 1n;
}
