/** What a translator wrote, record by record: key → value, compared with what the first one wrote. */
import type { Log } from '../../core/ports.ts';
import { until } from '../support/until.ts';

const READ_LIMIT_MS = 180_000;
let readers = 0;

/** Later records of a key replace earlier ones; `records` counts all. */
export async function readOutput(
  log: Log,
  topic: string,
  { least, signal }: { least: number; signal: AbortSignal },
): Promise<{ records: number; values: Map<string, string> }> {
  readers += 1;
  const consumer = log.consumer({ groupId: `bench-reader-${readers}`, topics: [topic], assignment: 'spread' });
  const found = { records: 0, values: new Map<string, string>() };
  const running = consumer.run({
    assigned: async () => [],
    revoked: async () => {},
    async batch({ records }) {
      found.records += records.length;
      for (const { key, value } of records) {
        found.values.set(Buffer.from(key ?? []).toString('utf8'), Buffer.from(value ?? []).toString('latin1'));
      }
    },
  });
  await until(() => (found.records >= least ? true : undefined), `${least} records in ${topic}`, {
    limitMs: READ_LIMIT_MS,
    signal,
  });
  await consumer.stop();
  await running;
  return found;
}

export class Translations {
  readonly #expected: number;
  #first: ReadonlyMap<string, string> | undefined;

  constructor(expected: number) {
    this.#expected = expected;
  }

  async check(log: Log, topic: string, signal: AbortSignal): Promise<void> {
    const { records, values } = await readOutput(log, topic, { least: this.#expected, signal });
    if (records !== this.#expected) throw new Error(`wrong answer: ${records} records instead of ${this.#expected}`);
    this.#first ??= values;
    let different = 0;
    for (const [key, value] of this.#first) if (values.get(key) !== value) different += 1;
    if (different > 0 || values.size !== this.#first.size) {
      throw new Error(`wrong answer: ${different} of ${this.#first.size} records differ from those that others wrote`);
    }
  }
}
