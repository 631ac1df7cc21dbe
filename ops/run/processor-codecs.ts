/** Bytes ⇄ records for the processors: the Avro codecs over one registry, everything but loading schemas at once. */
import { entities } from '../../avro/generated/entities.ts';
import type { EntityName } from '../../avro/generated/records.ts';
import type { Codecs } from '../../processors/codecs.ts';
import { type CanonicalCodec, createCanonicalCodec } from '../../adapters/avro/canonical-codec.ts';
import { createMetaCodec } from '../../adapters/avro/meta-codec.ts';
import { createRawDecoder } from '../../adapters/avro/raw-codec.ts';
import { schemaIdOf, schemaIds } from '../../adapters/avro/wire.ts';
import type { Registry } from '../../adapters/registry.ts';

/** Registers every canonical schema first: a contract that may not replace the last one is found before any record. */
export async function createProcessorCodecs(registry: Registry): Promise<Codecs> {
  const codecs = new Map<string, { codec: CanonicalCodec; schemaId: number }>();
  for (const entity of Object.keys(entities) as EntityName[]) {
    const schemaId = await registry.registerCanonical(entity);
    codecs.set(entity, { codec: createCanonicalCodec(entity, registry.lookup), schemaId });
  }
  const codecOf = (entity: string) => codecs.get(entity) as { codec: CanonicalCodec; schemaId: number };
  const raw = createRawDecoder(registry.lookup);
  const meta = createMetaCodec();
  return {
    loadSchemas: (bytes) => registry.load(schemaIds(bytes)),
    rawValue: raw.value,
    rawKey: raw.key,
    nullHidingColumns: (bytes) => raw.nullHidingColumns(schemaIdOf(bytes)),
    encode: (entity, value) => {
      const { codec, schemaId } = codecOf(entity);
      return codec.encode(value, schemaId);
    },
    decode: (entity, bytes) => codecOf(entity).codec.decode(bytes),
    encodeMeta: meta.encode,
    decodeMeta: meta.decode,
  };
}
