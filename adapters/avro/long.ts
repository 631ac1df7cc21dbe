/**
 * Avro's long as bigint, always: avsc's own type throws "potential precision loss" above 2^53, on real rows.
 * An Avro long is a zigzag number in groups of 7 bits, lowest first. Below 2^53 plain arithmetic does it, above bigint.
 */
import avro from 'avsc';
import type { Internals, Tap } from './tap.ts';

const LONG_MIN = -(2n ** 63n);
const LONG_MAX = 2n ** 63n - 1n;
/** Below it plain arithmetic is exact, doubled too. */
export const PLAIN_MAX = 2 ** 52 - 1;
const SAFE = BigInt(PLAIN_MAX) + 1n;

function readLarge(bytes: Buffer): bigint {
  let zigzag = 0n;
  for (let index = bytes.length - 1; index >= 0; index -= 1) {
    zigzag = (zigzag << 7n) | BigInt((bytes[index] as number) & 0x7f);
  }
  return BigInt.asIntN(64, (zigzag >> 1n) ^ -(zigzag & 1n));
}

function writeLarge(value: bigint): Buffer {
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  const groups: number[] = [];
  while (rest >= 128n) {
    groups.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  groups.push(Number(rest));
  return Buffer.from(groups);
}

const long = avro.types.LongType.__with(
  {
    fromBuffer: readLarge,
    toBuffer: writeLarge,
    fromJSON: (value: number | string) => BigInt(value),
    toJSON: (value: bigint) => value.toString(),
    isValid: (value: unknown) => typeof value === 'bigint' && value >= LONG_MIN && value <= LONG_MAX,
    compare: (left: bigint, right: bigint) => (left < right ? -1 : left > right ? 1 : 0),
  },
  true,
);

const SAFE_GROUPS = 8;
const SAFE_ZIGZAG = 2 ** 53;

/** The next number where plain arithmetic is exact, below 2^52; NaN for any other, which is still the next then. */
export function readPlain(tap: Pick<Tap, 'buf' | 'pos'>): number {
  const start = tap.pos;
  let zigzag = 0;
  let factor = 1;
  let byte = 0;
  do {
    byte = tap.buf[tap.pos++] as number;
    zigzag += (byte & 0x7f) * factor;
    factor *= 128;
  } while (byte >= 0x80 && tap.pos - start < SAFE_GROUPS);
  if (byte < 0x80 && zigzag < SAFE_ZIGZAG) return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
  tap.pos = start;
  return Number.NaN;
}

/** Of a whole number up to `PLAIN_MAX` on either side of 0. */
export function writePlain(tap: Pick<Tap, 'buf' | 'pos'>, value: number): void {
  let rest = value < 0 ? -value * 2 - 1 : value * 2;
  for (; rest >= 128; rest = Math.floor(rest / 128)) tap.buf[tap.pos++] = (rest % 128) | 0x80;
  tap.buf[tap.pos++] = rest;
}

/**
 * avsc hands each number over in a Buffer of its own, which costs more than the number. Read and written in place below 2^53;
 * the rest, and what is refused, is left to avsc. See `npm run bench -- --only translate`.
 */
function inPlace(type: avro.Type): avro.Type {
  const { _read, _write } = type as unknown as Internals<bigint>;
  const own: Pick<Internals<bigint>, '_read' | '_write'> = {
    _read(tap) {
      const plain = readPlain(tap);
      if (!Number.isNaN(plain)) return BigInt(plain);
      return _read.call(type, tap);
    },
    _write(tap, value) {
      if (typeof value !== 'bigint' || value >= SAFE || value < -SAFE) {
        _write.call(type, tap, value);
        return;
      }
      writePlain(tap, Number(value));
    },
  };
  // avsc freezes its types
  return Object.create(type, {
    _read: { value: own._read },
    _write: { value: own._write },
  }) as avro.Type;
}

export const bigintLong = inPlace(long);
