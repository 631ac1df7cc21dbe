/**
 * One transactional id on one kafkajs producer after another.
 *
 *   closed --open()--> ready --commit()--> ready
 *   ready --any failure of commit()--> closed
 *
 * A producer that failed once is never used again: kafkajs takes its sequence numbers back when a request fails, also one
 * that the broker carried out, so the next records would be taken for repeats and dropped. `open` makes a new one; Kafka
 * then ends what the old one left open, either way, before it answers.
 *
 * Offsets go into the transaction first. Adding them is what meets the broker still busy with the last transaction, and it
 * may be asked again without harm; kafkajs' own second try of a produce request repeats records that arrived elsewhere, so
 * it is switched off.
 */
import type { Producer, Transaction } from 'kafkajs';
import { TransientError } from '../../core/errors.ts';
import type { Clock, TransactionalWriter } from '../../core/ports.ts';
import { forgetCoordinators } from './client-repairs.ts';
import { kafkaTypeOf, toSeamError } from './errors.ts';
import type { PartitionCounts } from './partition-counts.ts';
import { produceChunks } from './produce-chunks.ts';

/** Asked again: nothing was done yet. kafkajs knows some of these by other names and gives up on them. */
const BUSY = new Set<string | undefined>([
  'CONCURRENT_TRANSACTIONS',
  'COORDINATOR_LOAD_IN_PROGRESS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'GROUP_LOAD_IN_PROGRESS',
  'NOT_COORDINATOR_FOR_GROUP',
]);
const BUSY_PAUSE_MS = 5;
const BUSY_PAUSE_MS_MAX = 100;
const BUSY_MS_MAX = 20_000;
const OPEN_ATTEMPTS_MAX = 5;
const OPEN_PAUSE_MS = 100;

type Work = Parameters<TransactionalWriter['commit']>[0];

export type WriterParts = {
  readonly transactionalId: string;
  readonly createProducer: () => Producer;
  readonly partitionCounts: PartitionCounts;
  readonly clock: Clock;
  /** For fault tests: after everything was produced, before the transaction is ended. */
  readonly beforeCommit: () => void | Promise<void>;
};

export class KafkaTransactionalWriter implements TransactionalWriter {
  readonly #parts: WriterParts;
  readonly #where: string;
  #producer: Producer | undefined;

  constructor(parts: WriterParts) {
    this.#parts = parts;
    this.#where = `transactional id ${parts.transactionalId}`;
  }

  async open(): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#openOnce();
      } catch (error) {
        this.#discard();
        const failure = toSeamError(error, this.#where);
        if (failure.class !== 'transient' || attempt >= OPEN_ATTEMPTS_MAX) throw failure;
        await this.#parts.clock.pause(OPEN_PAUSE_MS * 2 ** attempt);
      }
    }
  }

  async #openOnce(): Promise<void> {
    this.#discard();
    this.#producer = this.#parts.createProducer();
    await this.#producer.connect();
    // the first transaction asks for the producer id, which fences; one without records costs nothing more
    await (await this.#producer.transaction()).abort();
  }

  async commit(work: Work): Promise<void> {
    const producer = this.#producer;
    if (producer === undefined) {
      throw new TransientError({ code: 'WRITER_CLOSED', message: 'the writer is not open', where: this.#where });
    }
    await this.#parts.partitionCounts.load(new Set(work.records.map((record) => record.topic)));
    try {
      const transaction = await producer.transaction();
      if (work.offsets.length > 0) await this.#addOffsets(transaction, work);
      for (const topicMessages of produceChunks(work.records, (topic) => this.#parts.partitionCounts.of(topic))) {
        await transaction.sendBatch({ acks: -1, topicMessages });
      }
      await this.#parts.beforeCommit();
      await transaction.commit();
    } catch (error) {
      this.#discard();
      throw toSeamError(error, this.#where);
    }
  }

  async #addOffsets(transaction: Transaction, work: Work): Promise<void> {
    const offsets = { consumerGroupId: work.groupId, topics: topicOffsets(work.offsets) };
    const { clock } = this.#parts;
    const startedMs = clock.elapsedMs();
    for (let pauseMs = BUSY_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, BUSY_PAUSE_MS_MAX)) {
      try {
        return await transaction.sendOffsets(offsets);
      } catch (error) {
        const type = kafkaTypeOf(error);
        if (!BUSY.has(type) || clock.elapsedMs() - startedMs > BUSY_MS_MAX) throw error;
        if (type !== 'CONCURRENT_TRANSACTIONS') forgetCoordinators();
        await clock.pause(pauseMs);
      }
    }
  }

  async close(): Promise<void> {
    const producer = this.#producer;
    this.#producer = undefined;
    await producer?.disconnect();
  }

  /** Not waited for: its connections may be what failed. */
  #discard(): void {
    const producer = this.#producer;
    this.#producer = undefined;
    producer?.disconnect().catch(() => {});
  }
}

function topicOffsets(offsets: Work['offsets']) {
  const topics = new Map<string, { partition: number; offset: string }[]>();
  for (const { topic, partition, offset } of offsets) {
    const partitions = topics.get(topic) ?? [];
    partitions.push({ partition, offset: offset.toString() });
    topics.set(topic, partitions);
  }
  return [...topics].map(([topic, partitions]) => ({ topic, partitions }));
}
