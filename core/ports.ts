/**
 * What engines need from the world. Adapters implement these; tests hand in their own clock and log.
 * Offsets are bigint; a partition is named by topic and number.
 */
export type TopicPartition = { readonly topic: string; readonly partition: number };

/** May be a view of what was fetched: a part is made when it is asked for, and `{ ...record }` copies nothing. */
export type LogRecord = {
  readonly offset: bigint;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, Uint8Array>>;
  /** Of key and value together, where that is known without making them. */
  readonly sizeBytes?: number;
  /** ms since 1970 as Kafka holds it: for display, never for order. */
  readonly timestampMs: number;
};

/** Records of one partition, one after another. */
export type LogSlice = TopicPartition & { readonly records: readonly LogRecord[] };

/** May be kept as it was fetched: its records are made when they are asked for, and a failure to read them is thrown then. */
export type LogBatch = LogSlice & {
  /** Of `records`, known without making them. At least one. */
  readonly count: number;
  /** Where the next fetch would start. Above the last record's offset + 1 where the log holds transaction markers. */
  readonly nextOffset: bigint;
  /** End of the partition when the batch was fetched: lag = highWatermark - nextOffset. */
  readonly highWatermark: bigint;
};

export interface ConsumerCallbacks {
  /**
   * Called before the first record of newly assigned partitions. Returns where to start each; a partition left out starts
   * at the group's committed offset, or at the beginning where there is none. A start below the log's beginning is an
   * `InvariantError`-grade gap: the consumer throws ContractError LOG_TRUNCATED instead of reading on.
   */
  assigned(partitions: readonly TopicPartition[]): Promise<readonly (TopicPartition & { readonly offset: bigint })[]>;
  /** Partitions taken away or the consumer stopping: finish or drop what is in work for them, then return. */
  revoked(partitions: readonly TopicPartition[]): Promise<void>;
  /** Batches of one partition come one at a time and in order; different partitions come concurrently. Throwing stops the consumer. */
  batch(batch: LogBatch): Promise<void>;
  /** Everything before this offset holds no record that could be handed out: removed by compaction, aborted, or markers. */
  passedOver?(place: TopicPartition, nextOffset: bigint): void;
}

export interface LogConsumer {
  /** Resolves when stopped; rejects with a SeamError when it can't go on. Reads committed records only. */
  run(callbacks: ConsumerCallbacks): Promise<void>;
  /** For lag display only; never what decides where work resumes in a sink. */
  commit(offsets: readonly (TopicPartition & { readonly offset: bigint })[]): Promise<void>;
  stop(): Promise<void>;
}

export type ConsumerOptions = {
  readonly groupId: string;
  readonly topics: readonly string[];
  /** `range-by-number`: partition n of every topic goes to the same member, so that one transaction can cover them. */
  readonly assignment: 'spread' | 'same-number-together';
  readonly sessionTimeoutMs?: number;
};

export type OutputRecord = {
  readonly topic: string;
  /** Text is written as UTF-8. */
  readonly key: string | Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, Uint8Array>>;
  /** Set where the key doesn't decide: a truncate goes to every partition, what is set aside to that of its task. */
  readonly partition?: number;
};

/** One transactional id. Opening it fences whoever held the id before and aborts what they left open. */
export interface TransactionalWriter {
  open(): Promise<void>;
  /** All records and the input offsets become visible together or not at all. No offsets: the records follow from no input. */
  commit(transaction: {
    readonly records: readonly OutputRecord[];
    readonly groupId: string;
    readonly offsets: readonly (TopicPartition & { readonly offset: bigint })[];
  }): Promise<void>;
  close(): Promise<void>;
}

export interface LogAdmin {
  createTopics(
    topics: readonly {
      readonly topic: string;
      readonly partitions: number;
      /** Copies of every partition; the broker's default when left out. */
      readonly replicationFactor?: number;
      readonly config?: Record<string, string>;
    }[],
  ): Promise<void>;
  /** Of topics that exist and have less; their other settings stay. Resolves with the topics that were changed. */
  raiseSetting(topics: readonly string[], setting: string, atLeast: number): Promise<readonly string[]>;
  listTopics(): Promise<readonly string[]>;
  partitionCounts(topics: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** Committed offset of a group by `topic` and partition; absent where nothing was committed. */
  committedOffsets(
    groupId: string,
    topics: readonly string[],
  ): Promise<readonly (TopicPartition & { readonly offset: bigint })[]>;
  /** Beginning and end of every partition. */
  bounds(topic: string): Promise<readonly (TopicPartition & { readonly earliest: bigint; readonly latest: bigint })[]>;
  /** Per partition the first offset whose record is of that time (ms since 1970) or later; the end where there is none. */
  offsetsAt(topic: string, timeMs: number): Promise<readonly (TopicPartition & { readonly offset: bigint })[]>;
  close(): Promise<void>;
}

export interface Log {
  consumer(options: ConsumerOptions): LogConsumer;
  writer(transactionalId: string): TransactionalWriter;
  admin(): Promise<LogAdmin>;
}

export interface Clock {
  /** Wall clock, ms since 1970: for what people read. It may be wrong, and may be set back. */
  nowMs(): number;
  /** ms since some moment, never set: for durations. */
  elapsedMs(): number;
  /** Resolves early when the signal aborts. Of 0 ms: what has arrived meanwhile goes first. */
  pause(durationMs: number, signal?: AbortSignal): Promise<void>;
}

export interface Logger {
  error(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  info(fields: object, message: string): void;
  debug(fields: object, message: string): void;
}
