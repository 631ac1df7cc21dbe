/**
 * What a reader of committed records sees in the canonical topics: per key and source the positions never go back, no place
 * of the log is seen twice. Reads on from where it was.
 */
import { createMetaCodec, META_HEADER } from '../../adapters/avro/meta-codec.ts';
import { createLogger } from '../../adapters/logger.ts';
import type { Deployment } from '../../core/deployment.ts';
import { readRange } from '../../core/log-range.ts';
import type { LogRecord, TopicPartition } from '../../core/ports.ts';
import { openLog } from '../../ops/log.ts';

export type HistoryReport = {
  readonly records: number;
  readonly faults: readonly string[];
};

type Seen = { readonly position: Buffer; readonly offset: bigint };

const LIMIT_MS = 120_000;
const FAULTS_SHOWN = 20;

export class History {
  readonly #deployment: Deployment;
  readonly #meta = createMetaCodec();
  readonly #positions = new Map<string, Seen>();
  readonly #next = new Map<string, bigint>();
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
    const topics = (await admin.listTopics()).filter((topic) => topic.startsWith('canonical.'));
    const bounds = (await Promise.all(topics.map((topic) => admin.bounds(topic))).finally(() => admin.close())).flat();
    const from = (one: TopicPartition) => this.#next.get(nameOf(one)) ?? 0n;
    const patience = AbortSignal.timeout(LIMIT_MS);
    await readRange(log, {
      signal: patience,
      groupId: `faults-history-${process.pid}-${this.#looks}`,
      stretches: bounds.map(({ topic, partition, latest }) => ({
        topic,
        partition,
        from: from({ topic, partition }),
        to: latest,
      })),
      records: (place, records) => this.#look(place, records),
    });
    if (patience.aborted) this.#fault('the canonical topics could not be read to their end: a transaction is open');
    else for (const bound of bounds) this.#next.set(nameOf(bound), bound.latest);
    return { records: this.#records, repeats: this.#repeats, faults: this.#faults };
  }

  #look(place: TopicPartition, records: readonly LogRecord[]): void {
    const name = nameOf(place);
    for (const record of records) {
      if (record.offset < (this.#next.get(name) ?? 0n)) this.#fault(`${name} offset ${record.offset} was seen twice`);
      this.#next.set(name, record.offset + 1n);
      this.#lookAt(place.topic, record);
    }
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

function nameOf({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}/${partition}`;
}
