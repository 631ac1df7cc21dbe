import { asBuffer } from '../../core/bytes.ts';
import { RecordError } from '../../core/errors.ts';

/** Confluent's wire format: a zero byte, the schema's id as u32 big-endian, then the Avro body. */
export const WIRE_HEADER_BYTES = 5;
const MAGIC = 0;

export function writeWireHeader(bytes: Buffer, offset: number, schemaId: number): void {
  bytes[offset] = MAGIC;
  bytes.writeUInt32BE(schemaId, offset + 1);
}

/** undefined where the bytes are not in the wire format: `schemaIdOf` says so as an error. */
function peekSchemaId(bytes: Uint8Array): number | undefined {
  if (bytes.length < WIRE_HEADER_BYTES || bytes[0] !== MAGIC) return undefined;
  return asBuffer(bytes).readUInt32BE(1);
}

export function schemaIdOf(bytes: Uint8Array): number {
  const id = peekSchemaId(bytes);
  if (id !== undefined) return id;
  throw new RecordError({
    code: 'AVRO_DECODE_FAILED',
    message: `record of ${bytes.length} bytes doesn't start with the registry's wire header`,
    hint: 'check that the connector writes with the Avro converter and `as-confluent`',
  });
}

/** The schema ids of a batch, to be loaded before it is decoded. Records in no wire format are left to `decode`. */
export function schemaIds(records: Iterable<Uint8Array | null>): Set<number> {
  const ids = new Set<number>();
  for (const bytes of records) {
    const id = bytes === null ? undefined : peekSchemaId(bytes);
    if (id !== undefined) ids.add(id);
  }
  return ids;
}
