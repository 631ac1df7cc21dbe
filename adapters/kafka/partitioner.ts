/**
 * Kafka's default for keyed records, bit for bit as the Java client, so that Connect, Java consumers and we agree where a
 * key lives. Computed here, not in the client: the partition of a key is known before anything is sent.
 */
const SEED = 0x9747b28c;
const MIX = 0x5bd1e995;
const SHIFT = 24;

/** Of the bytes between the two places. */
export function murmur2(bytes: Uint8Array, from = 0, to = bytes.length): number {
  const tail = from + ((to - from) & ~3);
  let hash = SEED ^ (to - from);
  for (let index = from; index < tail; index += 4) {
    let word = readWord(bytes, index);
    word = Math.imul(word, MIX);
    word ^= word >>> SHIFT;
    hash = Math.imul(hash, MIX) ^ Math.imul(word, MIX);
  }
  if (tail < to) hash = Math.imul(hash ^ readTail(bytes, tail, to), MIX);
  hash = Math.imul(hash ^ (hash >>> 13), MIX);
  return hash ^ (hash >>> 15);
}

/** A record without a key has no order to keep: partition 0. */
export function partitionOf(key: Uint8Array | null, partitionCount: number, from?: number, to?: number): number {
  return key === null ? 0 : (murmur2(key, from, to) & 0x7fffffff) % partitionCount;
}

function readWord(bytes: Uint8Array, index: number): number {
  return (
    byteAt(bytes, index) |
    (byteAt(bytes, index + 1) << 8) |
    (byteAt(bytes, index + 2) << 16) |
    (byteAt(bytes, index + 3) << 24)
  );
}

function readTail(bytes: Uint8Array, start: number, end: number): number {
  let word = 0;
  for (let index = end - 1; index >= start; index -= 1) word = (word << 8) | byteAt(bytes, index);
  return word;
}

function byteAt(bytes: Uint8Array, index: number): number {
  return bytes[index] as number;
}
