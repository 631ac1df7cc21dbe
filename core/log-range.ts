/**
 * Reads a bounded stretch of the log once, with a group of its own that leaves nothing behind: what was set aside, a range to
 * be replayed. Ends where the stretch ends, also where its last records are markers, aborted, or gone by compaction.
 */
import type { ConsumerCallbacks, Log, LogBatch, LogRecord, TopicPartition } from './ports.ts';

/** `to`: not read any more. Both as `LogAdmin.bounds` gives them, or offsets between. */
export type Stretch = TopicPartition & { readonly from: bigint; readonly to: bigint };

export type RangeReading = {
  /** Names the reader; unique for each reading. */
  readonly groupId: string;
  readonly stretches: readonly Stretch[];
  /** Records of one partition in its order; partitions concurrently. Throwing ends the reading. */
  readonly records: (place: TopicPartition, records: readonly LogRecord[]) => void | Promise<void>;
  readonly signal?: AbortSignal;
};

/** Resolves at the end of every stretch, or after an abort; rejects with what the log or `records` threw. */
export async function readRange(log: Log, reading: RangeReading): Promise<void> {
  const stretches = reading.stretches.filter(({ from, to }) => from < to);
  if (stretches.length === 0 || reading.signal?.aborted) return;
  const topics = [...new Set(stretches.map(({ topic }) => topic))];
  const consumer = log.consumer({ groupId: reading.groupId, topics, assignment: 'spread' });
  const ended = Promise.withResolvers<void>();
  const range = new RangeReader(reading, stretches, await endsOf(log, topics), ended.resolve);
  reading.signal?.addEventListener('abort', () => ended.resolve(), { once: true });
  const running = consumer.run(range);
  try {
    await Promise.race([running, ended.promise]);
  } finally {
    await consumer.stop().catch(() => {});
    await running.catch(() => {});
  }
}

/** Partitions that nobody asked for are given to this group too: they are read from their end. */
async function endsOf(log: Log, topics: readonly string[]): Promise<ReadonlyMap<string, bigint>> {
  const admin = await log.admin();
  try {
    const bounds = (await Promise.all(topics.map((topic) => admin.bounds(topic)))).flat();
    return new Map(bounds.map((bound) => [nameOf(bound), bound.latest]));
  } finally {
    await admin.close();
  }
}

class RangeReader implements ConsumerCallbacks {
  readonly #reading: RangeReading;
  readonly #ends: ReadonlyMap<string, bigint>;
  readonly #open: Map<string, { readonly to: bigint; next: bigint }>;
  readonly #onEnd: () => void;

  constructor(
    reading: RangeReading,
    stretches: readonly Stretch[],
    ends: ReadonlyMap<string, bigint>,
    onEnd: () => void,
  ) {
    this.#reading = reading;
    this.#ends = ends;
    this.#open = new Map(stretches.map((stretch) => [nameOf(stretch), { to: stretch.to, next: stretch.from }]));
    this.#onEnd = onEnd;
  }

  /** Again after an outage: then where the last batch ended. */
  async assigned(partitions: readonly TopicPartition[]) {
    return partitions.map((place) => {
      const offset = this.#open.get(nameOf(place))?.next ?? this.#ends.get(nameOf(place)) ?? 0n;
      return { ...place, offset };
    });
  }

  async revoked(): Promise<void> {}

  async batch({ topic, partition, records, nextOffset }: LogBatch): Promise<void> {
    const open = this.#open.get(nameOf({ topic, partition }));
    if (open === undefined) return;
    const wanted = records.filter(({ offset }) => offset >= open.next && offset < open.to);
    if (wanted.length > 0) await this.#reading.records({ topic, partition }, wanted);
    this.passedOver({ topic, partition }, nextOffset);
  }

  passedOver(place: TopicPartition, nextOffset: bigint): void {
    const open = this.#open.get(nameOf(place));
    if (open === undefined) return;
    if (nextOffset > open.next) open.next = nextOffset;
    if (open.next >= open.to) this.#open.delete(nameOf(place));
    if (this.#open.size === 0) this.#onEnd();
  }
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
