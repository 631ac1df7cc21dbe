/**
 * Position: a place in a source's own log, as bytes that compare in log order.
 *
 * Layout of a source position, 20 bytes, big-endian:
 *
 *     epoch u16 | phase u8 | major u64 | minor u64 | rank u8
 *
 * - epoch: raised by `seam connectors recover` when the source's log starts again (restore, fail-over, slot or log lost).
 * - phase: 0 snapshot row, 1 streamed row. A row of the initial snapshot is older than anything streamed after it,
 *   even when its log address is higher: a transaction open during the snapshot commits later with earlier addresses.
 *   A row of an incremental snapshot is a streamed one: docs/decisions/0008-rows-read-again.md.
 * - PostgreSQL: major = LSN of the last commit before this event (`source.sequence[0]`), minor = LSN of the event. The LSN
 *   alone is no order: two transactions interleave in the log, and commits decide. The first transaction that a connector
 *   ever reads has no commit before it (null): its own LSN stands in, which is above all commits that its rows waited for
 *   and below its own commit.
 * - MariaDB, MySQL: major = number of the binlog file, minor = address in the file << 20 | row in the event.
 * - rank: delete (0) before anything else (1) at one address: a key change is a delete and a create.
 *
 * Positions compare only within one source. A field that several systems may write (a shared entity) needs one order over
 * all of them: its records carry a stamp, `order time u64 | system, 8 bytes | source position`, so the newest commit wins
 * and ties fall to the system's name (docs/decisions/0010-order-among-systems.md). Everything that reads a position only ever compares bytes.
 */
import { asBuffer } from './bytes.ts';
import { InvariantError } from './errors.ts';

export type Position = Uint8Array;

export const POSITION_BYTES = 20;
const SYSTEM_NAME_BYTES = 8;
const ROW_BITS = 20n;
const ROWS = 2 ** 20;

export type PositionParts = {
  readonly epoch: number;
  readonly phase: 'snapshot' | 'stream';
  readonly major: bigint;
  readonly minor: bigint;
  readonly isDelete: boolean;
};

export function encodePosition({ epoch, phase, major, minor, isDelete }: PositionParts): Position {
  return write(epoch, phase === 'snapshot', major, minor, isDelete);
}

/** Without an object for its parts: every change event pays for it. */
function write(
  epoch: number,
  isSnapshot: boolean,
  major: bigint | number,
  minor: bigint | number,
  isDelete: boolean,
): Position {
  // small enough for the JavaScript heap: a third of what a Buffer costs
  const bytes = new Uint8Array(POSITION_BYTES);
  bytes[0] = epoch >>> 8;
  bytes[1] = epoch;
  bytes[2] = isSnapshot ? 0 : 1;
  writeUInt64(bytes, 3, major);
  writeUInt64(bytes, 11, minor);
  bytes[19] = isDelete ? 0 : 1;
  return bytes;
}

const WORD = 2 ** 32;
const WORD_BITS = 32n;
const WORD_MAX = 2n ** WORD_BITS - 1n;

/** By halves, and without bigint arithmetic below 2^53. */
function writeUInt64(bytes: Uint8Array, at: number, value: bigint | number): void {
  const plain = Number(value);
  const isExact = plain <= Number.MAX_SAFE_INTEGER;
  writeUInt32(bytes, at, isExact ? Math.floor(plain / WORD) : Number(BigInt(value) >> WORD_BITS));
  writeUInt32(bytes, at + 4, isExact ? plain % WORD : Number(BigInt(value) & WORD_MAX));
}

function writeUInt32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

export function decodePosition(position: Position): PositionParts {
  const bytes = asBuffer(position).subarray(-POSITION_BYTES);
  return {
    epoch: bytes.readUInt16BE(0),
    phase: bytes[2] === 0 ? 'snapshot' : 'stream',
    major: bytes.readBigUInt64BE(3),
    minor: bytes.readBigUInt64BE(11),
    isDelete: bytes[19] === 0,
  };
}

type Common = { readonly epoch: number; readonly snapshot: boolean; readonly isDelete: boolean };

/** `sequence` is Debezium's `source.sequence`: a JSON text `["<last commit LSN>"|null, "<LSN>"]`. */
export function postgresPosition(source: Common & { sequence: string | null; lsn: bigint | null }): Position {
  const [lastCommit, ownLsn] = parseSequence(source.sequence);
  const lsn = ownLsn ?? source.lsn ?? 0n;
  const major = source.snapshot ? 0n : (lastCommit ?? lsn);
  return write(source.epoch, source.snapshot, major, lsn, source.isDelete);
}

function parseSequence(sequence: string | null): [bigint | null, bigint | null] {
  if (sequence === null) return [null, null];
  const [first, second] = JSON.parse(sequence) as [string | null, string | null];
  return [first === null ? null : BigInt(first), second === null || second === undefined ? null : BigInt(second)];
}

/** `file` ends in the number of the binlog file, as in `mysql-bin.000412`. */
export function mariadbPosition(source: Common & { file: string | null; pos: bigint; row: number }): Position {
  const address = Number(source.pos);
  const isSmall = address < WORD && source.row < ROWS;
  const minor = isSmall ? address * ROWS + source.row : (source.pos << ROW_BITS) | BigInt(source.row);
  return write(source.epoch, source.snapshot, fileNumber(source.file), minor, source.isDelete);
}

let lastFile: { readonly name: string | null; readonly number: bigint } = { name: null, number: 0n };

/** What comes together is of one file. */
function fileNumber(name: string | null): bigint {
  if (lastFile.name !== name) {
    lastFile = { name, number: name === null ? 0n : BigInt(name.slice(name.lastIndexOf('.') + 1)) };
  }
  return lastFile.number;
}

/** Order over several systems: newest commit wins, then the system's name. A snapshot row says what was, not when: time 0. */
export function sharedStamp(system: string, orderTimeUs: bigint, position: Position): Position {
  const parts = decodePosition(position);
  const bytes = Buffer.alloc(8 + SYSTEM_NAME_BYTES + POSITION_BYTES);
  bytes.writeBigUInt64BE(parts.phase === 'snapshot' ? 0n : orderTimeUs, 0);
  bytes.write(system.slice(0, SYSTEM_NAME_BYTES), 8, 'latin1');
  bytes.set(position, 8 + SYSTEM_NAME_BYTES);
  return bytes;
}

/** Made by `sharedStamp`, or a place in one log? */
export function isStamp(position: Position): boolean {
  return position.length > POSITION_BYTES;
}

/** Of a stamp as `sharedStamp` makes it. */
export function stampTimeUs(stamp: Position): bigint {
  return asBuffer(stamp).readBigUInt64BE(0);
}

/** Of a stamp as `sharedStamp` makes it: the first letters of the system's name. */
export function isStampOf(stamp: Position, system: string): boolean {
  const name = Buffer.alloc(SYSTEM_NAME_BYTES);
  name.write(system.slice(0, SYSTEM_NAME_BYTES), 'latin1');
  return Buffer.compare(Buffer.from(stamp).subarray(8, 8 + SYSTEM_NAME_BYTES), name) === 0;
}

/** Negative when `left` is older. Throws where the two can't be compared: different kinds of position. */
export function comparePositions(left: Position, right: Position): number {
  if (left.length !== right.length) {
    throw new InvariantError({
      code: 'POSITION_KINDS_DIFFER',
      message: `positions of ${left.length} and ${right.length} bytes can't be compared`,
    });
  }
  return Buffer.compare(left, right);
}

/** For people: `1.stream 0/16B3748:0/16B37A0`-like text; parts stay in log order. */
export function formatPosition(position: Position): string {
  const { epoch, phase, major, minor } = decodePosition(position);
  return `${epoch}.${phase} ${major}:${minor}`;
}
