import type { LogRecord } from '../../core/ports.ts';
import { LastText } from '../avro/short-ascii.ts';
import { WireReader } from './wire-reader.ts';

/** What the records of one batch have in common; `bytes` are theirs, decompressed. */
export type Source = { readonly bytes: Buffer; readonly firstOffset: bigint; readonly firstTimestampMs: number };

const NO_HEADERS: Readonly<Record<string, Uint8Array>> = Object.freeze({});
const names = new LastText();
const ABSENT = -1;
/** As a varint. */
const NONE = 0;

/**
 * A record as places in the bytes that were fetched. Thousands wait in a worker, and a record made of its parts is half a
 * dozen objects: moving those about took a third of a sink's processor time. See `npm run bench -- --only sink-postgres`.
 */
export class RecordView implements LogRecord {
  readonly #source: Source;
  readonly #offsetDelta: number;
  readonly #timestampDeltaMs: number;
  readonly #keyAt: number;
  readonly #keyBytes: number;
  readonly #valueAt: number;
  readonly #valueBytes: number;
  readonly #headersAt: number;

  /** The reader stands behind the record's length. */
  constructor(source: Source, reader: WireReader) {
    this.#source = source;
    reader.skip(1); // attributes: none in use
    this.#timestampDeltaMs = reader.varlong();
    this.#offsetDelta = reader.varint();
    this.#keyBytes = reader.varint();
    this.#keyAt = reader.at;
    if (this.#keyBytes > 0) reader.skip(this.#keyBytes);
    this.#valueBytes = reader.varint();
    this.#valueAt = reader.at;
    if (this.#valueBytes > 0) reader.skip(this.#valueBytes);
    this.#headersAt = reader.at;
  }

  get offset(): bigint {
    return this.#source.firstOffset + BigInt(this.#offsetDelta);
  }

  get timestampMs(): number {
    return this.#source.firstTimestampMs + this.#timestampDeltaMs;
  }

  get key(): Buffer | null {
    return this.#part(this.#keyAt, this.#keyBytes);
  }

  get value(): Buffer | null {
    return this.#part(this.#valueAt, this.#valueBytes);
  }

  get sizeBytes(): number {
    return Math.max(this.#keyBytes, 0) + Math.max(this.#valueBytes, 0);
  }

  get headers(): Readonly<Record<string, Uint8Array>> {
    if (this.#source.bytes[this.#headersAt] === NONE) return NO_HEADERS;
    const reader = new WireReader(this.#source.bytes, this.#headersAt);
    const count = reader.varint();
    const headers: Record<string, Uint8Array> = {};
    for (let index = 0; index < count; index += 1) {
      const length = reader.varint();
      const name = names.read(this.#source.bytes, reader.at, length);
      reader.skip(length);
      headers[name] = reader.nullableBytes() ?? Buffer.alloc(0);
    }
    return headers;
  }

  #part(at: number, length: number): Buffer | null {
    return length === ABSENT ? null : this.#source.bytes.subarray(at, at + length);
  }
}
