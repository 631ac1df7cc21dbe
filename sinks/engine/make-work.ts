/** What was fetched → what one transaction is to write. */
import type { LogSlice } from '../../core/ports.ts';
import type { Decoded, DecodedItem, Decoder } from './decoder.ts';
import type { Chunk } from './queue.ts';
import { BREATH_RECORDS } from './straight.ts';
import type { Work, Writer } from './writer.ts';

/**
 * Goes on beside the transaction before it, so in small steps. Nothing decoded is kept where the batch is ready to be sent: what
 * waits is moved about in memory by V8, and that costs more than decoding the few once more that need a plan after all.
 */
export async function makeWork(
  { parts, advances }: Chunk,
  decoder: Decoder,
  writer: Writer,
  breathe: () => Promise<void>,
): Promise<Work> {
  const steps = parts.flatMap(({ pending, records }) =>
    stepsOf({ topic: pending.batch.topic, partition: pending.batch.partition, records }),
  );
  const decoded: Decoded[] = [];
  let sinceBreath = 0;
  for (const step of steps) {
    decoded.push(await decoder.records(step));
    sinceBreath += step.records.length;
    if (sinceBreath < BREATH_RECORDS) continue;
    sinceBreath = 0;
    await breathe();
  }
  const straight = await writer.makeReady(decoded.flat());
  const known = straight === undefined ? decoded : [];
  const items = async () => {
    const found: DecodedItem[] = [];
    for (const [index, step] of steps.entries()) {
      found.push(...decoder.itemsOf(step, known[index] ?? (await decoder.records(step))));
    }
    return found.map(({ item }) => item);
  };
  return { items, straight, advances, isTimedRetry: false };
}

function stepsOf(slice: LogSlice): LogSlice[] {
  if (slice.records.length <= BREATH_RECORDS) return [slice];
  const steps: LogSlice[] = [];
  for (let from = 0; from < slice.records.length; from += BREATH_RECORDS) {
    steps.push({ ...slice, records: slice.records.slice(from, from + BREATH_RECORDS) });
  }
  return steps;
}
