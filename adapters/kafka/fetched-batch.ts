/**
 * What was fetched waits as it was fetched, and becomes records when they are asked for. A fetch brings up to 1 MiB of zstd,
 * which is ten times that in some 70,000 records: made at once they outlived V8's young space, and moving them about took a
 * sixth of a processor's time. See `npm run bench -- --only translate`.
 */
import { SeamError, TransientError } from '../../core/errors.ts';
import type { LogBatch, LogRecord, TopicPartition } from '../../core/ports.ts';
import { decompress, forgetDecompression } from './decompress.ts';
import { RecordView, type Source } from './record-view.ts';
import { WireReader } from './wire-reader.ts';

export const FIRST_RECORD_AT = 61;
const CODEC_MASK = 0x07;
/** As many make a part, in whole record batches: about what a sink writes in one transaction. */
const PART_RECORDS = 2_000;

/** One record batch of the log, its header read in place. kafkajs takes it for a record at the batch's last offset. */
export class FetchedBatch {
  readonly offset: bigint;
  readonly count: number;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.offset = this.firstOffset + BigInt(bytes.readInt32BE(23));
    this.count = bytes.readInt32BE(57);
  }

  get firstOffset(): bigint {
    return this.#bytes.readBigInt64BE(0);
  }

  get attributes(): number {
    return this.#bytes.readInt16BE(21);
  }

  get producerId(): bigint {
    return this.#bytes.readBigInt64BE(43);
  }

  /** Of a control batch, whose records are never compressed: the key of its one record. */
  get markerKey(): Buffer | null {
    const reader = new WireReader(this.#bytes, FIRST_RECORD_AT);
    reader.varint(); // length
    return new RecordView(this.#source(this.#bytes), reader).key;
  }

  /** Adds this batch's records. Throws where the bytes are damaged, and a ContractError CODEC_UNSUPPORTED. */
  readInto(records: LogRecord[], place: string): void {
    const bytes = decompress(this.#bytes.subarray(FIRST_RECORD_AT), this.attributes & CODEC_MASK, place);
    const source = this.#source(bytes);
    const reader = new WireReader(bytes);
    for (let index = 0; index < this.count; index += 1) {
      const end = reader.varint() + reader.at;
      if (end > bytes.length) throw new RangeError('the answer of the broker ends too early');
      records.push(new RecordView(source, reader));
      reader.at = end;
    }
  }

  #source(bytes: Buffer): Source {
    return { bytes, firstOffset: this.firstOffset, firstTimestampMs: Number(this.#bytes.readBigInt64BE(27)) };
  }
}

/** From where to where in the partition, and its end: all that its parts tell but for the records. */
export type FetchedRange = TopicPartition & {
  readonly from: bigint;
  readonly nextOffset: bigint;
  readonly highWatermark: bigint;
};

/** None where all records lie before `from`. Throws what reading the first records throws, where some of them lie before it. */
export function partsOf(batches: readonly FetchedBatch[], range: FetchedRange): LogBatch[] {
  const { topic, partition, from, nextOffset, highWatermark } = range;
  const parts: LogBatch[] = [];
  for (let at = 0; at < batches.length; ) {
    const start = at;
    for (let count = 0; at < batches.length && count < PART_RECORDS; at += 1)
      count += (batches[at] as FetchedBatch).count;
    const isLast = at === batches.length;
    const next = isLast ? nextOffset : (batches[at - 1] as FetchedBatch).offset + 1n;
    const part = new FetchedPart({ topic, partition, nextOffset: next, highWatermark }, batches.slice(start, at));
    // a broker answers with whole batches, so the first may begin before the offset that was asked for
    if (start === 0 && (batches[0] as FetchedBatch).firstOffset < from) part.skipTo(from);
    if (part.count > 0) parts.push(part);
  }
  return parts;
}

type Place = Pick<LogBatch, 'topic' | 'partition' | 'nextOffset' | 'highWatermark'>;

class FetchedPart implements LogBatch {
  readonly topic: string;
  readonly partition: number;
  readonly nextOffset: bigint;
  readonly highWatermark: bigint;
  #count: number;
  /** undefined: read already. */
  #batches: readonly FetchedBatch[] | undefined;
  #records: readonly LogRecord[] = [];

  constructor({ topic, partition, nextOffset, highWatermark }: Place, batches: readonly FetchedBatch[]) {
    this.topic = topic;
    this.partition = partition;
    this.nextOffset = nextOffset;
    this.highWatermark = highWatermark;
    this.#count = batches.reduce((sum, { count }) => sum + count, 0);
    this.#batches = batches;
  }

  get count(): number {
    return this.#count;
  }

  /**
   * Once read they stay, for whoever takes a part of them now and the rest later. Throws a TransientError
   * LOG_DAMAGED, and a ContractError CODEC_UNSUPPORTED.
   */
  get records(): readonly LogRecord[] {
    if (this.#batches !== undefined) this.#records = this.#read(this.#batches);
    this.#batches = undefined;
    return this.#records;
  }

  skipTo(offset: bigint): void {
    this.#records = this.records.filter((record) => record.offset >= offset);
    this.#count = this.#records.length;
  }

  #read(batches: readonly FetchedBatch[]): LogRecord[] {
    const place = `${this.topic} partition ${this.partition}`;
    const records: LogRecord[] = [];
    try {
      for (const batch of batches) batch.readInto(records, place);
    } catch (error) {
      forgetDecompression();
      throw error instanceof SeamError ? error : damaged(error as Error, place, batches);
    }
    return records;
  }
}

function damaged(cause: Error, place: string, batches: readonly FetchedBatch[]): TransientError {
  return new TransientError({
    code: 'LOG_DAMAGED',
    message: `records of the log can't be read: ${cause.message}`,
    where: `${place} offsets ${batches[0]?.firstOffset} to ${batches.at(-1)?.offset}`,
    hint: 'they are fetched again by itself; if it stays, compare the replicas of the partition: kafka-dump-log names the damaged batch',
    cause,
  });
}
