/** A batch of a canonical topic as records: schemas are loaded once for the batch, then everything is read at once. */
import { entities } from '../avro/generated/entities.ts';
import type { EntityName } from '../avro/generated/records.ts';
import type { CanonicalRecord } from '../core/canonical-record.ts';
import { RecordError } from '../core/errors.ts';
import type { LogRecord, LogSlice } from '../core/ports.ts';
import { type CanonicalCodec, createCanonicalCodec } from './avro/canonical-codec.ts';
import { createMetaCodec, META_HEADER } from './avro/meta-codec.ts';
import { asBuffer } from '../core/bytes.ts';
import { textAt } from './avro/short-ascii.ts';
import { schemaIds } from './avro/wire.ts';
import type { Registry } from './registry.ts';

const ENTITY_OF_TOPIC = new Map<string, EntityName>(
  (Object.keys(entities) as EntityName[]).map((entity) => [entities[entity].topic, entity]),
);

/** One answer for each record, in order: the record, or the RecordError that says why it can't be read. */
export function createBatchDecoder(
  registry: Registry,
): (slice: LogSlice) => Promise<(CanonicalRecord | RecordError)[]> {
  const codecs = new Map<EntityName, CanonicalCodec>();
  const meta = createMetaCodec();
  const decodeRecord = (
    codec: CanonicalCodec,
    { key, headers }: LogRecord,
    value: Uint8Array | null,
  ): CanonicalRecord => {
    const header = headers[META_HEADER];
    if (key === null || header === undefined) {
      throw new RecordError({
        code: 'RECORD_INCOMPLETE',
        message: `${codec.entity} record without ${key === null ? 'a key' : 'its metadata header'}`,
        hint: 'only processors write canonical topics: find what else does',
      });
    }
    return {
      entity: codec.entity,
      key: textAt(asBuffer(key), 0, key.length),
      value: value === null ? null : codec.decode(value),
      meta: meta.decode(header),
    };
  };
  return async (batch) => {
    const entity = ENTITY_OF_TOPIC.get(batch.topic) as EntityName;
    // a record of the log makes its parts again each time it is asked
    const values = batch.records.map(({ value }) => value);
    await registry.load(schemaIds(values));
    const codec = codecs.get(entity) ?? createCanonicalCodec(entity, registry.lookup);
    codecs.set(entity, codec);
    return batch.records.map((record, index) => {
      try {
        return decodeRecord(codec, record, values[index] ?? null);
      } catch (error) {
        if (error instanceof RecordError) return error;
        throw error;
      }
    });
  };
}
