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
 * What kafkajs takes for records are whole batches (fetched-batch.ts). Where the last one holds nothing to hand out, the end of
 * what was read is told as a control record: kafkajs never hands those out, yet moves on to behind them.
 */
import { FetchedBatch, FIRST_RECORD_AT } from './fetched-batch.ts';
import { WireReader } from './wire-reader.ts';

/** What kafkajs asks of a record: an offset, and whether it is a control record. The rest is handed through. */
export type FetchedEntry = FetchedBatch | EndMark;

export type EndMark = { readonly offset: bigint; readonly isControlRecord: true };

export type FetchedPartition = {
  readonly partition: number;
  readonly errorCode: number;
  readonly highWatermark: string;
  readonly abortedTransactions: readonly never[];
  readonly preferredReadReplica: number;
  readonly messages: readonly FetchedEntry[];
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
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
const ABORT_MARKER = 0;

export function readFetchResponse(bytes: Buffer): FetchResponse {
  const reader = new WireReader(bytes);
  const clientSideThrottleTime = reader.int32();
  const errorCode = reader.int16();
  const sessionId = reader.int32();
  const responses = reader.array(() => {
    const topicName = reader.string();
    return { topicName, partitions: reader.array(() => readPartition(reader)) };
  });
  // the broker has not throttled this answer: it expects the client to wait before the next request
  return { throttleTime: 0, clientSideThrottleTime, errorCode, sessionId, responses };
}

function readPartition(reader: WireReader): FetchedPartition {
  const partition = reader.int32();
  const errorCode = reader.int16();
  const highWatermark = reader.int64().toString();
  reader.skip(16); // last stable offset, first offset of the log
  const aborted = reader.array(() => ({ producerId: reader.int64(), firstOffset: reader.int64() }));
  const preferredReadReplica = reader.int32();
  const messages = readBatches(reader.bytes(Math.max(reader.int32(), 0)), aborted);
  return { partition, errorCode, highWatermark, abortedTransactions: [], preferredReadReplica, messages };
}

/** Batches in log order. The last may be cut off by the fetch's limit: it comes whole with the next fetch. */
function readBatches(bytes: Buffer, aborted: Aborted[]): FetchedEntry[] {
  const entries: FetchedEntry[] = [];
  const begun = aborted.sort((left, right) => (left.firstOffset < right.firstOffset ? -1 : 1));
  const open = new Set<bigint>();
  let nextBegun = 0;
  let lastOffset = -1n;
  for (let at = 0; at + FIRST_RECORD_AT <= bytes.length; ) {
    const end = at + BATCH_PREFIX_BYTES + bytes.readInt32BE(at + 8);
    if (end > bytes.length) break;
    const batch = new FetchedBatch(bytes.subarray(at, end));
    lastOffset = batch.offset;
    for (let next = begun[nextBegun]; next !== undefined && next.firstOffset <= lastOffset; next = begun[nextBegun]) {
      open.add(next.producerId);
      nextBegun += 1;
    }
    if ((batch.attributes & CONTROL) !== 0) {
      if (isAbortMarker(batch)) open.delete(batch.producerId);
    } else if (batch.count > 0 && !((batch.attributes & TRANSACTIONAL) !== 0 && open.has(batch.producerId))) {
      entries.push(batch);
    }
    at = end;
  }
  if (lastOffset >= 0n && entries.at(-1)?.offset !== lastOffset)
    entries.push({ offset: lastOffset, isControlRecord: true });
  return entries;
}

/** A control record's key is a version and a kind, 16 bits each. Compaction keeps the batch and may drop the record. */
function isAbortMarker(batch: FetchedBatch): boolean {
  if (batch.count === 0) return true;
  const key = batch.markerKey;
  return key !== null && key.length >= 4 && key.readInt16BE(2) === ABORT_MARKER;
}
