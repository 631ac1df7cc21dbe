/**
 * Kafka's default for keyed records, bit for bit as the Java client, so that Connect, Java consumers and we agree where a
 * key lives. Computed here, not in the client: the partition of a key is known before anything is sent.
 */
const SEED = 0x9747b28c;
const MIX = 0x5bd1e995;
const SHIFT = 24;

export function murmur2(bytes: Uint8Array): number {
  const length = bytes.length;
  const tail = length & ~3;
  let hash = SEED ^ length;
  for (let index = 0; index < tail; index += 4) {
    let word = readWord(bytes, index);
    word = Math.imul(word, MIX);
    word ^= word >>> SHIFT;
    hash = Math.imul(hash, MIX) ^ Math.imul(word, MIX);
  }
  if (tail < length) hash = Math.imul(hash ^ readTail(bytes, tail), MIX);
  hash = Math.imul(hash ^ (hash >>> 13), MIX);
  return hash ^ (hash >>> 15);
}

/** A record without a key has no order to keep: partition 0. */
export function partitionOf(key: Uint8Array | null, partitionCount: number): number {
  return key === null ? 0 : (murmur2(key) & 0x7fffffff) % partitionCount;
}

function readWord(bytes: Uint8Array, index: number): number {
  return (
    byteAt(bytes, index) |
    (byteAt(bytes, index + 1) << 8) |
    (byteAt(bytes, index + 2) << 16) |
    (byteAt(bytes, index + 3) << 24)
  );
}

function readTail(bytes: Uint8Array, start: number): number {
  let word = 0;
  for (let index = bytes.length - 1; index >= start; index -= 1) word = (word << 8) | byteAt(bytes, index);
  return word;
}

function byteAt(bytes: Uint8Array, index: number): number {
  return bytes[index] as number;
}
