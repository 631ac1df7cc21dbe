/**
 * Reads Kafka's answer to a Fetch (version 11), in place of kafkajs' own reader, which hands out aborted records and stops
 * for good on compacted topics (test/contract/kafka-transactions.test.ts holds both):
 *
 * - Aborted transactions come in the order in which they ended; kafkajs takes it for the order in which they began, and
 *   starts at most one at each record. After a worker is killed several open transactions of one partition are aborted
 *   together, and records of some of them would pass as committed.
 * - Compaction may empty a whole batch of records. kafkajs sees nothing, moves on by nothing, and asks for the same
 *   offset for ever; a batch that lost its last records is walked one offset at a time.
 *
 * The end of what was read is told to kafkajs as a control record at the last offset: it never hands those out, yet moves on
 * to behind them.
 */
import type { LogRecord } from '../../core/ports.ts';
import { decompress, forgetDecompression } from './decompress.ts';
import { RecordView, type Source } from './record-view.ts';
import { WireReader } from './wire-reader.ts';

/** What kafkajs asks of a record: an offset, and whether it is a control record. The rest is handed through. */
export type FetchedRecord = LogRecord & { readonly isControlRecord?: boolean };

export type FetchedPartition = {
  readonly partition: number;
  readonly errorCode: number;
  readonly highWatermark: string;
  readonly abortedTransactions: readonly never[];
  readonly preferredReadReplica: number;
  readonly messages: readonly FetchedRecord[];
};

export type FetchResponse = {
  readonly throttleTime: number;
  readonly clientSideThrottleTime: number;
  readonly errorCode: number;
  readonly sessionId: number;
  readonly responses: readonly { readonly topicName: string; readonly partitions: readonly FetchedPartition[] }[];
};

type Aborted = { readonly producerId: bigint; readonly firstOffset: bigint };

const BATCH_PREFIX_BYTES = 12;
const FIRST_RECORD_AT = 61;
const CODEC_MASK = 0x07;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
const ABORT_MARKER = 0;

export function readFetchResponse(bytes: Buffer): FetchResponse {
  try {
    return read(bytes);
  } catch (error) {
    forgetDecompression();
    throw error;
  }
}

function read(bytes: Buffer): FetchResponse {
  const reader = new WireReader(bytes);
  const clientSideThrottleTime = reader.int32();
  const errorCode = reader.int16();
  const sessionId = reader.int32();
  const responses = reader.array(() => {
    const topicName = reader.string();
    return { topicName, partitions: reader.array(() => readPartition(reader, topicName)) };
  });
  // the broker has not throttled this answer: it expects the client to wait before the next request
  return { throttleTime: 0, clientSideThrottleTime, errorCode, sessionId, responses };
}

function readPartition(reader: WireReader, topic: string): FetchedPartition {
  const partition = reader.int32();
  const errorCode = reader.int16();
  const highWatermark = reader.int64().toString();
  reader.skip(16); // last stable offset, first offset of the log
  const aborted = reader.array(() => ({ producerId: reader.int64(), firstOffset: reader.int64() }));
  const preferredReadReplica = reader.int32();
  const batches = reader.bytes(Math.max(reader.int32(), 0));
  const messages = readBatches(batches, aborted, `${topic} partition ${partition}`);
  return { partition, errorCode, highWatermark, abortedTransactions: [], preferredReadReplica, messages };
}

/** Batches in log order. The last may be cut off by the fetch's limit: it comes whole with the next fetch. */
function readBatches(bytes: Buffer, aborted: Aborted[], place: string): FetchedRecord[] {
  const records: FetchedRecord[] = [];
  const begun = aborted.sort((left, right) => (left.firstOffset < right.firstOffset ? -1 : 1));
  const open = new Set<bigint>();
  let nextBegun = 0;
  let lastOffset = -1n;
  for (let at = 0; at + FIRST_RECORD_AT <= bytes.length; ) {
    const end = at + BATCH_PREFIX_BYTES + bytes.readInt32BE(at + 8);
    if (end > bytes.length) break;
    const batch = bytes.subarray(at, end);
    const attributes = batch.readInt16BE(21);
    const producerId = batch.readBigInt64BE(43);
    lastOffset = batch.readBigInt64BE(0) + BigInt(batch.readInt32BE(23));
    for (let next = begun[nextBegun]; next !== undefined && next.firstOffset <= lastOffset; next = begun[nextBegun]) {
      open.add(next.producerId);
      nextBegun += 1;
    }
    if ((attributes & CONTROL) !== 0) {
      if (isAbortMarker(batch)) open.delete(producerId);
    } else if ((attributes & TRANSACTIONAL) === 0 || !open.has(producerId)) {
      readRecords(batch, attributes, records, place);
    }
    at = end;
  }
  if (lastOffset >= 0n && records.at(-1)?.offset !== lastOffset) records.push(endMark(lastOffset));
  return records;
}

function endMark(offset: bigint): FetchedRecord {
  return { offset, key: null, value: null, headers: {}, timestampMs: 0, isControlRecord: true };
}

/** A control record's key is a version and a kind, 16 bits each. Compaction keeps the batch and may drop the record. */
function isAbortMarker(batch: Buffer): boolean {
  if (batch.readInt32BE(57) === 0) return true;
  const reader = new WireReader(batch, FIRST_RECORD_AT);
  reader.varint(); // length
  reader.skip(1); // attributes
  reader.varlong(); // timestamp
  reader.varint(); // offset
  const key = reader.nullableBytes();
  return key !== null && key.length >= 4 && key.readInt16BE(2) === ABORT_MARKER;
}

function readRecords(batch: Buffer, attributes: number, records: FetchedRecord[], place: string): void {
  const count = batch.readInt32BE(57);
  if (count === 0) return;
  const bytes = decompress(batch.subarray(FIRST_RECORD_AT), attributes & CODEC_MASK, place);
  const source: Source = {
    bytes,
    firstOffset: batch.readBigInt64BE(0),
    firstTimestampMs: Number(batch.readBigInt64BE(27)),
  };
  const reader = new WireReader(bytes);
  for (let index = 0; index < count; index += 1) {
    const end = reader.varint() + reader.at;
    if (end > bytes.length) throw new RangeError('the answer of the broker ends too early');
    records.push(new RecordView(source, reader));
    reader.at = end;
  }
}
