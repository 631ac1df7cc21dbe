/**
 * Kafka, as far as the log port shows it: partitions with records and transaction markers, transactional ids with epochs,
 * read-committed fetches that stop at the first open transaction. Groups are in `group.ts`.
 */
import { TransientError } from '../../core/errors.ts';
import type {
  ConsumerOptions,
  Log,
  LogAdmin,
  LogConsumer,
  LogRecord,
  OutputRecord,
  TopicPartition,
  TransactionalWriter,
} from '../../core/ports.ts';
import { Group, SimConsumer } from './group.ts';
import type { Scheduler, SimProcess } from './scheduler.ts';

export type LogTransaction = {
  readonly id: string;
  readonly epoch: number;
  state: 'open' | 'committed' | 'aborted';
  readonly entries: { readonly partition: SimPartition; readonly record: LogRecord }[];
  offsets: readonly (TopicPartition & { readonly offset: bigint })[];
  groupId: string;
};

/** Without a record: the end of a transaction. */
type Entry = { readonly record: LogRecord | undefined; readonly transaction: LogTransaction | undefined };

export class SimPartition {
  readonly topic: string;
  readonly number: number;
  readonly entries: Entry[] = [];
  #waiting: (() => void)[] = [];

  constructor(topic: string, number: number) {
    this.topic = topic;
    this.number = number;
  }

  append(record: Omit<LogRecord, 'offset'> | undefined, transaction?: LogTransaction): LogRecord | undefined {
    const placed = record === undefined ? undefined : { ...record, offset: BigInt(this.entries.length) };
    this.entries.push({ record: placed, transaction });
    return placed;
  }

  /** What a reader of committed records gets; undefined: nothing yet. */
  fetch(from: bigint, recordsMax: number): { records: LogRecord[]; nextOffset: bigint } | undefined {
    const records: LogRecord[] = [];
    let index = Number(from);
    for (; index < this.entries.length && records.length < recordsMax; index += 1) {
      const { record, transaction } = this.entries[index] as Entry;
      if (transaction?.state === 'open') break;
      if (record !== undefined && transaction?.state !== 'aborted') records.push(record);
    }
    return index > Number(from) ? { records, nextOffset: BigInt(index) } : undefined;
  }

  /** Committed records in [from, to). */
  between(from: bigint, to: bigint): LogRecord[] {
    const records: LogRecord[] = [];
    for (const { record, transaction } of this.entries.slice(Number(from), Number(to))) {
      if (record !== undefined && (transaction === undefined || transaction.state === 'committed'))
        records.push(record);
    }
    return records;
  }

  changed(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

/** Commands have ids of their own: a history says no more than that, and is the same each time. */
const UUID = /-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export type LogFaults = {
  /** Throws what a lost connection throws. */
  readonly strike: (process: SimProcess, what: string) => void;
  readonly fetchMax: number;
  readonly hooks: (process: SimProcess, point: 'before-commit') => void | Promise<void>;
};

export class SimLog {
  readonly scheduler: Scheduler;
  readonly faults: LogFaults;
  readonly #partitions: number;
  readonly #topics = new Map<string, SimPartition[]>();
  readonly #groups = new Map<string, Group>();
  readonly #producers = new Map<string, { epoch: number; open: LogTransaction | undefined }>();
  /** How often a writer found that another has its id. */
  #fenced = 0;
  onCommit: ((transaction: LogTransaction, before: ReadonlyMap<string, bigint>) => void) | undefined;

  constructor(scheduler: Scheduler, partitions: number, faults: LogFaults) {
    this.scheduler = scheduler;
    this.faults = faults;
    this.#partitions = partitions;
  }

  topic(topic: string): SimPartition[] {
    let found = this.#topics.get(topic);
    if (found === undefined) {
      found = Array.from({ length: this.#partitions }, (_, number) => new SimPartition(topic, number));
      this.#topics.set(topic, found);
    }
    return found;
  }

  partition({ topic, partition }: TopicPartition): SimPartition {
    return this.topic(topic)[partition] as SimPartition;
  }

  partitionOf(topic: string, key: string | null): SimPartition {
    let hash = 7;
    for (const letter of key ?? '') hash = (hash * 31 + letter.charCodeAt(0)) >>> 0;
    return this.topic(topic)[hash % this.#partitions] as SimPartition;
  }

  group(groupId: string): Group {
    let group = this.#groups.get(groupId);
    if (group === undefined) {
      group = new Group(this.scheduler, (topic) => this.topic(topic).length);
      this.#groups.set(groupId, group);
    }
    return group;
  }

  /** A writer was fenced, and no member had been expelled whose partitions another took over. */
  get hasFenced(): boolean {
    return this.#fenced > 0 && [...this.#groups.values()].every(({ expelled }) => expelled === 0);
  }

  /** Topics that this group's members read. */
  inputsOf(groupId: string): readonly string[] {
    return this.group(groupId).topics;
  }

  /** The brokers have heard nothing of this process for long. */
  processLost(process: SimProcess): void {
    for (const group of this.#groups.values()) group.expelProcess(process);
  }

  /** What one process sees. */
  client(process: SimProcess): Log {
    return {
      consumer: (options: ConsumerOptions): LogConsumer =>
        new SimConsumer(this, process, this.group(options.groupId), options.topics),
      writer: (id) => new SimWriter(this, process, id),
      admin: async () => this.#admin(process),
    };
  }

  // ---- transactions ------------------------------------------------------------------------------------------------

  fence(id: string): number {
    const producer = this.#producers.get(id) ?? { epoch: 0, open: undefined };
    this.#producers.set(id, producer);
    if (producer.open !== undefined) this.#end(producer.open, 'aborted');
    producer.open = undefined;
    producer.epoch += 1;
    return producer.epoch;
  }

  begin(id: string, epoch: number): LogTransaction {
    const producer = this.#producers.get(id);
    const transaction: LogTransaction = { id, epoch, state: 'open', entries: [], offsets: [], groupId: '' };
    this.checkFence(transaction);
    if (producer !== undefined) producer.open = transaction;
    return transaction;
  }

  checkFence({ id, epoch, state }: LogTransaction): void {
    if (this.#producers.get(id)?.epoch === epoch && state === 'open') return;
    this.#fenced += 1;
    throw new TransientError({ code: 'PRODUCER_FENCED', message: 'a newer writer has this transactional id' });
  }

  produce(transaction: LogTransaction, { topic, key, value, headers, partition }: OutputRecord): void {
    const place =
      partition === undefined
        ? this.partitionOf(topic, typeof key === 'string' ? key : null)
        : this.partition({ topic, partition });
    const bytes = typeof key === 'string' ? Buffer.from(key, 'utf8') : key;
    const record = place.append({ key: bytes, value, headers, timestampMs: 0 }, transaction);
    if (record !== undefined) transaction.entries.push({ partition: place, record });
  }

  commit(transaction: LogTransaction): void {
    this.checkFence(transaction);
    const { committed } = this.group(transaction.groupId);
    const before = new Map(committed);
    const producer = this.#producers.get(transaction.id);
    if (producer !== undefined) producer.open = undefined;
    for (const { topic, partition, offset } of transaction.offsets) committed.set(`${topic}/${partition}`, offset);
    this.#end(transaction, 'committed');
    this.onCommit?.(transaction, before);
  }

  #end(transaction: LogTransaction, state: 'committed' | 'aborted'): void {
    transaction.state = state;
    const partitions = new Set(transaction.entries.map(({ partition }) => partition));
    for (const partition of partitions) partition.append(undefined, transaction);
    for (const partition of partitions) partition.wake();
  }

  #admin(process: SimProcess): LogAdmin {
    return {
      createTopics: async () => undefined,
      raiseSetting: async () => [],
      listTopics: async () => [...this.#topics.keys()],
      partitionCounts: async (topics) => new Map(topics.map((topic) => [topic, this.topic(topic).length])),
      committedOffsets: async (groupId, topics) => {
        await this.scheduler.mayYield(process, `offsets of ${groupId}`);
        this.faults.strike(process, 'committed offsets');
        const { committed } = this.group(groupId);
        return topics.flatMap((topic) =>
          this.topic(topic).flatMap(({ number }) => {
            const offset = committed.get(`${topic}/${number}`);
            return offset === undefined ? [] : [{ topic, partition: number, offset }];
          }),
        );
      },
      bounds: async (topic) =>
        this.topic(topic).map(({ number, entries }) => ({
          topic,
          partition: number,
          earliest: 0n,
          latest: BigInt(entries.length),
        })),
      offsetsAt: async () => [],
      close: async () => undefined,
    };
  }
}

/** As adapters/kafka/writer.ts: after any failure it has to be opened again. */
class SimWriter implements TransactionalWriter {
  readonly #log: SimLog;
  readonly #process: SimProcess;
  readonly #id: string;
  #epoch: number | undefined;

  constructor(log: SimLog, process: SimProcess, id: string) {
    this.#log = log;
    this.#process = process;
    this.#id = id;
  }

  async open(): Promise<void> {
    this.#epoch = undefined;
    await this.#call('open');
    this.#epoch = this.#log.fence(this.#id);
  }

  async commit(work: Parameters<TransactionalWriter['commit']>[0]): Promise<void> {
    if (this.#epoch === undefined) throw new TransientError({ code: 'WRITER_CLOSED', message: 'not open' });
    try {
      await this.#commit(work, this.#epoch);
    } catch (error) {
      this.#epoch = undefined;
      throw error;
    }
  }

  async #commit({ records, groupId, offsets }: Parameters<TransactionalWriter['commit']>[0], epoch: number) {
    await this.#call('begin');
    const transaction = this.#log.begin(this.#id, epoch);
    transaction.groupId = groupId;
    transaction.offsets = offsets;
    const middle = records.length >> 1;
    for (const chunk of [records.slice(0, middle), records.slice(middle)]) {
      if (chunk.length === 0) continue;
      await this.#call('produce');
      this.#log.checkFence(transaction);
      for (const record of chunk) this.#log.produce(transaction, record);
    }
    await this.#log.faults.hooks(this.#process, 'before-commit');
    await this.#call('commit');
    this.#log.commit(transaction);
    await this.#call('answer to commit');
  }

  async close(): Promise<void> {
    this.#epoch = undefined;
  }

  async #call(what: string): Promise<void> {
    await this.#log.scheduler.mayYield(this.#process, `${this.#id.replace(UUID, '')} ${what}`);
    this.#log.faults.strike(this.#process, what);
  }
}
