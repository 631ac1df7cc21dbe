import type { OutputRecord } from '../core/ports.ts';
import { META_HEADER } from './avro/meta-codec.ts';

/**
 * A canonical record on its way out, as places in a slab: its key, its value and its metadata, one after the other. Thousands
 * wait for the end of their transaction, and a record made of its parts is half a dozen objects: moving those about was what
 * the collector did most. See `npm run bench -- --only translate`.
 */
export class PackedRecord implements OutputRecord {
  readonly topic: string;
  readonly bytes: Buffer;
  readonly keyAt: number;
  readonly valueAt: number;
  readonly metaAt: number;
  readonly end: number;
  readonly isTombstone: boolean;

  constructor(topic: string, bytes: Buffer, places: Places) {
    this.topic = topic;
    this.bytes = bytes;
    this.keyAt = places.keyAt;
    this.valueAt = places.valueAt;
    this.metaAt = places.metaAt;
    this.end = places.end;
    this.isTombstone = places.isTombstone;
  }

  get key(): string {
    return this.bytes.toString('utf8', this.keyAt, this.valueAt);
  }

  get value(): Buffer | null {
    return this.isTombstone ? null : this.bytes.subarray(this.valueAt, this.metaAt);
  }

  get headers(): { readonly [META_HEADER]: Buffer } {
    return { [META_HEADER]: this.bytes.subarray(this.metaAt, this.end) };
  }
}

type Places = Pick<PackedRecord, 'keyAt' | 'valueAt' | 'metaAt' | 'end' | 'isTombstone'>;
