import type { CanonicalFields, RecordMeta } from '../../core/canonical-record.ts';
import { RecordError } from '../../core/errors.ts';
import { CANONICAL_BYTES_MAX } from '../../core/record-limits.ts';
import { PackedRecord } from '../packed-record.ts';
import type { CanonicalCodec } from './canonical-codec.ts';
import { createMetaCodec } from './meta-codec.ts';
import { Slab } from './slab.ts';

/** Of a character of UTF-16, as UTF-8. */
const CHARACTER_BYTES_MAX = 3;
const SHORT_KEY_MAX = 64;
const ASCII_MAX = 127;

/** Canonical records on their way out, whole, one after the other into a slab. */
export class RecordPacker {
  readonly #meta = createMetaCodec();
  readonly #slab = new Slab();

  /** `value` null: a tombstone. RecordError AVRO_ENCODE_FAILED as `CanonicalCodec.encode`, or RECORD_OVERSIZE. */
  pack(
    topic: string,
    key: string,
    { codec, schemaId }: { readonly codec: CanonicalCodec; readonly schemaId: number },
    value: CanonicalFields | null,
    meta: RecordMeta,
  ): PackedRecord {
    const slab = this.#slab;
    for (let attempt = 0; ; attempt += 1) {
      const { bytes, used: keyAt } = slab;
      const valueAt = writeKey(bytes, keyAt, key);
      const metaAt = valueAt < 0 || value === null ? valueAt : codec.write(value, schemaId, bytes, valueAt);
      const end = metaAt < 0 ? metaAt : this.#meta.write(meta, bytes, metaAt);
      if (end >= 0) {
        if (end - keyAt > CANONICAL_BYTES_MAX) throw tooLarge(topic, end - keyAt);
        slab.used = end;
        return new PackedRecord(topic, bytes, { keyAt, valueAt, metaAt, end, isTombstone: value === null });
      }
      slab.renew(attempt);
    }
  }
}

function tooLarge(topic: string, bytes: number): RecordError {
  return new RecordError({
    code: 'RECORD_OVERSIZE',
    message: `a record for ${topic} has ${bytes} bytes, and at most ${CANONICAL_BYTES_MAX} can be sent`,
    hint: 'make the row smaller in the source, or leave its large column out of the mapping; its records: seam dead-letter list --code RECORD_OVERSIZE',
  });
}

/** Where it ends; negative: there is no room. */
function writeKey(bytes: Buffer, at: number, key: string): number {
  if (at + key.length * CHARACTER_BYTES_MAX > bytes.length) return -1;
  if (key.length > SHORT_KEY_MAX) return at + bytes.write(key, at, 'utf8');
  for (let index = 0; index < key.length; index += 1) {
    const unit = key.charCodeAt(index);
    if (unit > ASCII_MAX) return at + bytes.write(key, at, 'utf8');
    bytes[at + index] = unit;
  }
  return at + key.length;
}
