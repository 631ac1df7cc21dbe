import type { Type } from 'avsc';
import { asBuffer } from '../../core/bytes.ts';
import { recordMetaSchema } from '../../avro/index.ts';
import type { RecordMeta } from '../../core/canonical-record.ts';
import type { Operation } from '../../core/change-event.ts';
import { RecordError } from '../../core/errors.ts';
import { compileCanonical } from './canonical-types.ts';
import { PLAIN_MAX, readPlain, writePlain } from './long.ts';
import { LastText } from './short-ascii.ts';
import { Slab } from './slab.ts';
import type { Tap } from './tap.ts';
import { SHORT_MAX, writeShortAscii } from './text.ts';

/** The Kafka header that every canonical record carries, tombstones too (docs/decisions/0004-metadata-header.md). */
export const META_HEADER = 'seam';
const VERSION = 1;
/** The record, and behind it its source table: written only where there is one to name. */
const VERSION_WITH_TABLE = 2;
const VERSION_BYTES = 1;

/** avro/record-meta.avsc as avsc reads and writes it. */
type WireMeta = {
  readonly system: string;
  readonly position: Uint8Array;
  readonly operation: Operation;
  readonly commitTime: bigint;
  readonly hops: number;
  readonly traceId: string;
  readonly absent: string[];
  readonly table?: string | undefined;
};

export type MetaCodec = {
  /** The bytes are a view: see `Slab`. */
  encode(meta: RecordMeta): Uint8Array;
  /** The same into `bytes`, from `at`: where it ends, negative where there is no room. */
  write(meta: RecordMeta, bytes: Buffer, at: number): number;
  decode(bytes: Uint8Array): RecordMeta;
};

const OPERATIONS: readonly Operation[] = ['c', 'u', 'd', 'r', 't'];
/** Three short values, the two numbers, and the marks between them. */
const SHORT_BYTES_MAX = 3 * (SHORT_MAX + 1) + 24;

export function createMetaCodec(): MetaCodec {
  const type = compileCanonical(recordMetaSchema());
  const typeWithTable = compileCanonical(withTable(recordMetaSchema()));
  const slab = new Slab();
  const write = (meta: RecordMeta, bytes: Buffer, at: number): number => {
    if (at + SHORT_BYTES_MAX > bytes.length) return -1;
    const end = isShort(meta) ? writeShort({ buf: bytes, pos: at }, meta) : undefined;
    if (end !== undefined) return end;
    const hasTable = meta.table !== undefined;
    bytes[at] = hasTable ? VERSION_WITH_TABLE : VERSION;
    return (hasTable ? typeWithTable : type).encode(toWire(meta), bytes, at + VERSION_BYTES);
  };
  return {
    write,
    encode: (meta) => slab.cut((bytes, at) => write(meta, bytes, at)),
    decode: (bytes) => readShort(asBuffer(bytes)) ?? fromWire(read(type, typeWithTable, asBuffer(bytes))),
  };
}

function withTable(schema: string): string {
  const record = JSON.parse(schema) as { fields: unknown[] };
  return JSON.stringify({ ...record, fields: [...record.fields, { name: 'table', type: 'string' }] });
}

/** Of nearly all records: whole, and seldom the work of triggers. */
function isShort({ position, hops, absent, commitTimeUs, table }: RecordMeta): boolean {
  if (table !== undefined || absent.length > 0 || hops > SHORT_MAX || hops < 0 || position.length > SHORT_MAX)
    return false;
  return Math.abs(Number(commitTimeUs)) <= PLAIN_MAX;
}

/** As avro/record-meta.avsc says, field by field: every record pays for it. See `npm run bench -- --only translate`. */
function writeShort(tap: Pick<Tap, 'buf' | 'pos'>, meta: RecordMeta): number | undefined {
  const { buf } = tap;
  const { position } = meta;
  buf[tap.pos++] = VERSION;
  if (!writeShortAscii(tap, meta.system)) return undefined;
  buf[tap.pos++] = position.length * 2;
  for (let index = 0; index < position.length; index += 1) buf[tap.pos++] = position[index] as number;
  buf[tap.pos++] = OPERATIONS.indexOf(meta.operation) * 2;
  writePlain(tap, Number(meta.commitTimeUs));
  buf[tap.pos++] = meta.hops * 2;
  if (!writeShortAscii(tap, meta.traceId)) return undefined;
  buf[tap.pos++] = 0; // nothing is absent
  return tap.pos;
}

const NOTHING_ABSENT: readonly string[] = [];
const systems = new LastText();

/** What `writeShort` writes, without the objects that avsc makes on the way; undefined for all else, and for what is damaged. */
function readShort(bytes: Buffer): RecordMeta | undefined {
  const tap = { buf: bytes, pos: VERSION_BYTES };
  const systemBytes = readShortNumber(tap);
  const system = systems.read(bytes, tap.pos, systemBytes);
  tap.pos += systemBytes;
  const positionEnd = readShortNumber(tap) + tap.pos;
  const position = bytes.subarray(tap.pos, positionEnd);
  tap.pos = positionEnd;
  const operation = OPERATIONS[readShortNumber(tap)];
  const commitTime = readPlain(tap);
  const hops = readShortNumber(tap);
  const traceEnd = readShortNumber(tap) + tap.pos;
  // where something wasn't short, or the bytes end too early, this is no place at all or another than the last
  const isWhole = bytes[0] === VERSION && traceEnd + 1 === bytes.length && bytes[traceEnd] === 0;
  if (!isWhole || operation === undefined || Number.isNaN(commitTime + hops)) return undefined;
  const traceId = bytes.toString('utf8', tap.pos, traceEnd);
  return { system, position, operation, commitTimeUs: BigInt(commitTime), hops, traceId, absent: NOTHING_ABSENT };
}

/** Of one byte: 0 to 63. NaN for any other. */
function readShortNumber(tap: Pick<Tap, 'buf' | 'pos'>): number {
  const byte = tap.buf[tap.pos++] as number;
  return (byte & 0x81) === 0 ? byte >>> 1 : Number.NaN;
}

function toWire(meta: RecordMeta): WireMeta {
  return {
    system: meta.system,
    position: meta.position,
    operation: meta.operation,
    commitTime: meta.commitTimeUs,
    hops: meta.hops,
    traceId: meta.traceId,
    absent: meta.absent as string[],
    ...(meta.table === undefined ? {} : { table: meta.table }),
  };
}

function fromWire(wire: WireMeta): RecordMeta {
  return {
    system: wire.system,
    position: wire.position,
    operation: wire.operation,
    commitTimeUs: wire.commitTime,
    hops: wire.hops,
    traceId: wire.traceId,
    absent: wire.absent,
    ...(wire.table === undefined ? {} : { table: wire.table }),
  };
}

function read(plain: Type, withTable: Type, bytes: Buffer): WireMeta {
  const version = bytes[0];
  if (version !== VERSION && version !== VERSION_WITH_TABLE) {
    throw metaError(`has version ${version ?? 'none'}, known are ${VERSION} and ${VERSION_WITH_TABLE}`);
  }
  const type = version === VERSION ? plain : withTable;
  let decoded: { value: WireMeta; offset: number } | undefined;
  try {
    decoded = type.decode(bytes, VERSION_BYTES);
  } catch {
    // falls to the error below
  }
  if (decoded === undefined || decoded.offset !== bytes.length) throw metaError(`of ${bytes.length} bytes is damaged`);
  return decoded.value;
}

function metaError(reason: string): RecordError {
  return new RecordError({
    code: 'META_DECODE_FAILED',
    message: `header "${META_HEADER}" ${reason}`,
    hint: 'only Seam writes to canonical topics; upgrade readers before writers',
  });
}
