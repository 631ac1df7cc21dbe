/** Reads ranges of one topic from beginning to end, as a group of its own that commits nothing. */
import type { Log, LogSlice, TopicPartition } from '../../../core/ports.ts';

export type OffsetRange = { readonly partition: number; readonly from: bigint; readonly to: bigint };

/** `nextOffset`: up to where the range is read with these records, which may be none. */
export type RangePart = LogSlice & { readonly nextOffset: bigint };

export type ReadOptions = {
  readonly log: Log;
  readonly groupId: string;
  readonly topic: string;
  readonly ranges: readonly OffsetRange[];
  /** Ends of the partitions that are not asked for. */
  readonly ends: ReadonlyMap<number, bigint>;
  readonly signal: AbortSignal;
  /** Parts of one partition one after another; the last one's `nextOffset` is the end of the range. */
  readonly take: (part: RangePart) => Promise<void>;
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
          void this.#inTurn({ ...place, records: [], nextOffset });
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
  #inTurn(part: RangePart): Promise<void> {
    const turn = (this.#turns.get(part.partition) ?? Promise.resolve()).then(() => this.#take(part));
    this.#turns.set(part.partition, turn);
    return turn;
  }

  async #take(part: RangePart): Promise<void> {
    const { topic, partition } = part;
    const range = this.#options.ranges.find((one) => one.partition === partition);
    const from = this.#next.get(partition);
    if (range === undefined || from === undefined || from >= range.to) return;
    if (this.#failure !== undefined || this.#options.signal.aborted) return;
    const nextOffset = part.nextOffset < range.to ? part.nextOffset : range.to;
    if (nextOffset <= from) return;
    const records = part.records.filter(({ offset }) => offset >= from && offset < range.to);
    try {
      await this.#options.take({ topic, partition, records, nextOffset });
      this.#next.set(partition, nextOffset);
    } catch (error) {
      this.#failure = { error };
    }
    if (this.#failure !== undefined || this.isDone) this.#stop();
  }
}
