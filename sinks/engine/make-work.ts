/** What was fetched → what one transaction is to write. */
import type { Decoded, DecodedItem, Decoder } from './decoder.ts';
import type { Chunk } from './queue.ts';
import type { Work, Writer } from './writer.ts';

/**
 * Nothing decoded is kept where the batch is ready to be sent: what waits is moved about in memory by V8, and that costs more
 * than decoding the few once more that need a plan after all.
 */
export async function makeWork({ parts, advances }: Chunk, decoder: Decoder, writer: Writer): Promise<Work> {
  const batches = parts.map(({ pending, records }) => ({ ...pending.batch, records }));
  const decoded: Decoded[] = [];
  for (const batch of batches) decoded.push(await decoder.records(batch));
  const straight = writer.makeReady(decoded.length === 1 ? (decoded[0] as Decoded) : decoded.flat());
  const known = straight === undefined ? decoded : [];
  const items = async () => {
    const found: DecodedItem[] = [];
    for (const [index, batch] of batches.entries()) {
      found.push(...decoder.itemsOf(batch, known[index] ?? (await decoder.records(batch))));
    }
    return found.map(({ item }) => item);
  };
  return { items, straight, advances, isTimedRetry: false };
}
