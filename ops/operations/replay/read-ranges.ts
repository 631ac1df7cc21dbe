/** Reads ranges of one topic from beginning to end, as a group of its own that commits nothing. */
import type { Log, LogBatch, TopicPartition } from '../../../core/ports.ts';

export type OffsetRange = { readonly partition: number; readonly from: bigint; readonly to: bigint };

export type ReadOptions = {
  readonly log: Log;
  readonly groupId: string;
  readonly topic: string;
  readonly ranges: readonly OffsetRange[];
  /** Ends of the partitions that are not asked for. */
  readonly ends: ReadonlyMap<number, bigint>;
  readonly signal: AbortSignal;
  /** Batches of one partition one after another; `nextOffset` is the end of the range with its last one, which may be empty. */
  readonly take: (batch: LogBatch) => Promise<void>;
};

/** Resolves when every range was taken, or the signal aborted. */
export async function readRanges(options: ReadOptions): Promise<void> {
  const reading = new Reading(options);
  if (!reading.isDone) await reading.run();
}

class Reading {
  readonly #options: ReadOptions;
  readonly #next: Map<number, bigint>;
  readonly #turns = new Map<number, Promise<void>>();
  #failure: { readonly error: unknown } | undefined;
  #stop: () => void = () => undefined;

  constructor(options: ReadOptions) {
    this.#options = options;
    this.#next = new Map(options.ranges.map(({ partition, from }) => [partition, from]));
  }

  get isDone(): boolean {
    return this.#options.ranges.every(({ partition, to }) => (this.#next.get(partition) as bigint) >= to);
  }

  async run(): Promise<void> {
    const { log, groupId, topic, signal } = this.#options;
    if (signal.aborted) return;
    const consumer = log.consumer({ groupId, topics: [topic], assignment: 'spread' });
    // not waited for: it waits for the batch that is being taken
    this.#stop = () => void consumer.stop().catch(() => undefined);
    signal.addEventListener('abort', this.#stop, { once: true });
    try {
      await consumer.run({
        assigned: async (places) => places.map((place) => ({ ...place, offset: this.#startOf(place) })),
        revoked: async () => void (await Promise.all(this.#turns.values())),
        batch: (batch) => this.#inTurn(batch),
        passedOver: (place, nextOffset) => {
          void this.#inTurn({ ...place, records: [], nextOffset, highWatermark: nextOffset });
        },
      });
    } finally {
      signal.removeEventListener('abort', this.#stop);
      await Promise.all(this.#turns.values());
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #startOf({ partition }: TopicPartition): bigint {
    const range = this.#options.ranges.find((one) => one.partition === partition);
    const next = this.#next.get(partition);
    const isWanted = range !== undefined && next !== undefined && next < range.to;
    return isWanted ? next : (this.#options.ends.get(partition) ?? 0n);
  }

  /** A stretch without records is told while the batch before it may still be being taken. */
  #inTurn(batch: LogBatch): Promise<void> {
    const turn = (this.#turns.get(batch.partition) ?? Promise.resolve()).then(() => this.#take(batch));
    this.#turns.set(batch.partition, turn);
    return turn;
  }

  async #take(batch: LogBatch): Promise<void> {
    const range = this.#options.ranges.find(({ partition }) => partition === batch.partition);
    const from = this.#next.get(batch.partition);
    if (range === undefined || from === undefined || from >= range.to) return;
    if (this.#failure !== undefined || this.#options.signal.aborted) return;
    const nextOffset = batch.nextOffset < range.to ? batch.nextOffset : range.to;
    if (nextOffset <= from) return;
    const records = batch.records.filter(({ offset }) => offset >= from && offset < range.to);
    try {
      await this.#options.take({ ...batch, records, nextOffset });
      this.#next.set(batch.partition, nextOffset);
    } catch (error) {
      this.#failure = { error };
    }
    if (this.#failure !== undefined || this.isDone) this.#stop();
  }
}
