/** The redrive lane from an operator's side: append requests, and read what stages have set aside. */
import { randomUUID } from 'node:crypto';
import { systemClock } from '../adapters/clock.ts';
import { TransientError } from '../core/errors.ts';
import { readRange } from '../core/log-range.ts';
import type { Clock, Log, LogRecord, OutputRecord } from '../core/ports.ts';
import { type Letter, readLetter } from '../processors/dead-letter.ts';
import { deadLetterTopic } from '../processors/stage.ts';

const APPEND_ATTEMPTS_MAX = 20;
const APPEND_PAUSE_MS = 100;

/** All or none; again where the outcome is unknown, since a request that is asked twice is carried out once. */
export async function appendToLane(
  log: Log,
  records: readonly OutputRecord[],
  clock: Clock = systemClock,
): Promise<void> {
  if (records.length === 0) return;
  const writer = log.writer(`seam-redrive-${randomUUID()}`);
  try {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await writer.open();
        await writer.commit({ records, groupId: '', offsets: [] });
        return;
      } catch (error) {
        if (!(error instanceof TransientError) || attempt >= APPEND_ATTEMPTS_MAX) throw error;
        await clock.pause(APPEND_PAUSE_MS);
      }
    }
  } finally {
    await writer.close().catch(() => {});
  }
}

/** What the stage has set aside now, and what was discarded; oldest place first within each partition. */
export async function readLetters(log: Log, stage: string): Promise<Letter[]> {
  const topic = deadLetterTopic(stage);
  const admin = await log.admin();
  const bounds = await admin.bounds(topic).finally(() => admin.close());
  const newest = new Map<string, LogRecord>();
  await readRange(log, {
    groupId: `seam-dead-letters-${randomUUID()}`,
    stretches: bounds.map(({ partition, earliest, latest }) => ({ topic, partition, from: earliest, to: latest })),
    records: (_, records) => {
      for (const record of records) {
        const name = Buffer.from(record.key ?? []).toString('utf8');
        if (record.value === null) newest.delete(name);
        else newest.set(name, record);
      }
    },
  });
  const letters = [...newest.values()].flatMap((record) => readLetter(record) ?? []);
  return letters.sort(byPlace);
}

function byPlace({ place: left }: Letter, { place: right }: Letter): number {
  if (left.topic !== right.topic) return left.topic < right.topic ? -1 : 1;
  if (left.partition !== right.partition) return left.partition - right.partition;
  return left.offset < right.offset ? -1 : 1;
}
