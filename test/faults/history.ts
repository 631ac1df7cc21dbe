/**
 * What a reader of committed records sees in the canonical topics: per key and source the positions never go back, no place
 * of the log is seen twice. Reads on from where it was; also gathers the dead letters of the processors.
 */
import { systemClock } from '../../adapters/clock.ts';
import { createMetaCodec, META_HEADER } from '../../adapters/avro/meta-codec.ts';
import { createLogger } from '../../adapters/logger.ts';
import type { Deployment } from '../../core/deployment.ts';
import type { LogAdmin, LogBatch, LogRecord } from '../../core/ports.ts';
import { openLog } from '../../ops/log.ts';
import { DEAD_LETTER_HEADERS } from '../../processors/dead-letter.ts';

export type HistoryReport = {
  readonly records: number;
  readonly faults: readonly string[];
  /** `topic/partition/offset` of what was set aside. */
  readonly deadLetters: readonly string[];
};

type Seen = { readonly position: Buffer; readonly offset: bigint };

const QUIET_MS = 2_000;
const LIMIT_MS = 90_000;
const FAULTS_SHOWN = 20;

export class History {
  readonly #deployment: Deployment;
  readonly #meta = createMetaCodec();
  readonly #positions = new Map<string, Seen>();
  readonly #next = new Map<string, bigint>();
  readonly deadLetters: string[] = [];
  #looks = 0;
  #records = 0;
  #repeats = 0;
  #faults: string[] = [];

  constructor(deployment: Deployment) {
    this.#deployment = deployment;
  }

  /** Up to what is committed now. `repeats`: versions may come again, as after a rewind; they still may not end lower. */
  async readOn(): Promise<HistoryReport & { readonly repeats: number }> {
    this.#looks += 1;
    this.#records = 0;
    this.#repeats = 0;
    this.#faults = [];
    const log = openLog(this.#deployment, 'faults-history', createLogger('error'));
    const admin = await log.admin();
    try {
      const topics = (await admin.listTopics()).filter((topic) => /^(canonical|dead-letter)\./.test(topic));
      const groupId = `faults-history-${process.pid}-${this.#looks}`;
      const consumer = log.consumer({ groupId, topics, assignment: 'spread' });
      let seenAtMs = performance.now();
      const running = consumer.run({
        assigned: async (partitions) => {
          seenAtMs = performance.now();
          return partitions.map((one) => ({ ...one, offset: this.#next.get(nameOf(one)) ?? 0n }));
        },
        revoked: async () => {},
        batch: async (batch) => {
          seenAtMs = performance.now();
          this.#look(batch);
        },
      });
      await this.#untilRead(admin, topics, () => performance.now() - seenAtMs);
      await consumer.stop();
      await running;
    } finally {
      await admin.close();
    }
    const { deadLetters } = this;
    return { records: this.#records, repeats: this.#repeats, faults: this.#faults, deadLetters: [...deadLetters] };
  }

  /** Every partition to its end; one that ends in markers alone is never told to be read to the end, so quiet ends it too. */
  async #untilRead(admin: LogAdmin, topics: readonly string[], quietMs: () => number): Promise<void> {
    const ends = (await Promise.all(topics.map((topic) => admin.bounds(topic)))).flat();
    const endMs = performance.now() + LIMIT_MS;
    const isRead = () => ends.every((one) => (this.#next.get(nameOf(one)) ?? 0n) >= one.latest);
    while (performance.now() < endMs) {
      if (isRead() || (quietMs() > QUIET_MS && this.#behind(ends) < ends.length * 4)) return;
      await systemClock.pause(50);
    }
    this.#faults.push(`the canonical topics could not be read to their end: ${this.#behind(ends)} records are left`);
  }

  #behind(ends: readonly { topic: string; partition: number; latest: bigint }[]): number {
    return ends.reduce((sum, one) => sum + Math.max(0, Number(one.latest - (this.#next.get(nameOf(one)) ?? 0n))), 0);
  }

  #look(batch: LogBatch): void {
    const name = nameOf(batch);
    const next = this.#next.get(name) ?? 0n;
    for (const record of batch.records) {
      if (record.offset < next) this.#fault(`${name} offset ${record.offset} was seen twice`);
      if (batch.topic.startsWith('dead-letter.')) this.deadLetters.push(letterOf(record));
      else this.#lookAt(batch.topic, record);
    }
    this.#next.set(name, batch.nextOffset);
  }

  #lookAt(topic: string, record: LogRecord): void {
    this.#records += 1;
    const header = record.headers[META_HEADER];
    if (header === undefined || record.key === null) {
      this.#fault(`${topic} ${record.offset}: not a canonical record`);
      return;
    }
    const { system, position } = this.#meta.decode(header);
    const key = `${topic} ${Buffer.from(record.key).toString('utf8')} of ${system}`;
    const seen = this.#positions.get(key);
    const order = seen === undefined ? 1 : Buffer.compare(position, seen.position);
    if (order < 0) this.#fault(`${key}: offset ${record.offset} goes back behind offset ${seen?.offset}`);
    if (order === 0) this.#repeats += 1;
    this.#positions.set(key, { position: Buffer.from(position), offset: record.offset });
  }

  #fault(what: string): void {
    if (this.#faults.length < FAULTS_SHOWN) this.#faults.push(what);
  }
}

function letterOf({ headers }: LogRecord): string {
  const text = (name: keyof typeof DEAD_LETTER_HEADERS) =>
    Buffer.from(headers[DEAD_LETTER_HEADERS[name]] ?? []).toString('utf8');
  return `${text('topic')}/${text('partition')}/${text('offset')}`;
}

function nameOf({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}/${partition}`;
}
