import { TransientError } from '../../core/errors.ts';
import type { LogAdmin } from '../../core/ports.ts';

/**
 * Partitions of the topics written to, read once per process: with two answers, records of one key would go two ways.
 * So partitions are added to a canonical topic only while every writer is stopped, or better never.
 */
export class PartitionCounts {
  readonly #admin: () => Promise<LogAdmin>;
  readonly #counts = new Map<string, number>();

  constructor(admin: () => Promise<LogAdmin>) {
    this.#admin = admin;
  }

  async load(topics: Iterable<string>): Promise<void> {
    const missing = [...new Set(topics)].filter((topic) => !this.#counts.has(topic));
    if (missing.length === 0) return;
    const admin = await this.#admin();
    const found = await admin.partitionCounts(missing).finally(() => admin.close());
    for (const [topic, count] of found) this.#counts.set(topic, count);
    const unknown = missing.filter((topic) => !this.#counts.has(topic));
    if (unknown.length > 0) {
      throw new TransientError({
        code: 'TOPIC_MISSING',
        message: `topics to write to don't exist: ${unknown.join(', ')}`,
        hint: 'create the topics of the plan first',
      });
    }
  }

  /** Only after `load`. */
  of(topic: string): number {
    return this.#counts.get(topic) as number;
  }
}
