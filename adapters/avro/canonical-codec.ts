import type { Type } from 'avsc';
import { asBuffer } from '../../core/bytes.ts';
import type { EntityName } from '../../avro/generated/records.ts';
import { schemaOf } from '../../avro/index.ts';
import type { CanonicalFields, CanonicalValue } from '../../core/canonical-record.ts';
import { ContractError, InvariantError, RecordError } from '../../core/errors.ts';
import { compileCanonical } from './canonical-types.ts';
import { refuseChangedTypes } from './evolution.ts';
import { Slab } from './slab.ts';
import { schemaIdOf, WIRE_HEADER_BYTES, writeWireHeader } from './wire.ts';

/** Answers at once, from what was loaded before the batch (adapters/registry.ts); undefined: not loaded. */
export type SchemaLookup = (schemaId: number) => string | undefined;

export type CanonicalCodec = {
  readonly entity: EntityName;
  /** RecordError AVRO_ENCODE_FAILED names the field, never the value. The bytes are a view: see `Slab`. */
  encode(value: CanonicalFields, schemaId: number): Uint8Array;
  /** The same into `bytes`, from `at`: where it ends, negative where there is no room. */
  write(value: CanonicalFields, schemaId: number, bytes: Buffer, at: number): number;
  /**
   * Reads any schema version that this one can read. RecordError AVRO_DECODE_FAILED: the bytes are wrong;
   * ContractError SCHEMA_INCOMPATIBLE: the writer's schema is.
   */
  decode(bytes: Uint8Array): CanonicalFields;
};

type Resolver = ReturnType<Type['createResolver']>;

export function createCanonicalCodec(
  entity: EntityName,
  lookupSchema: SchemaLookup = () => undefined,
  schemaText: string = schemaOf(entity),
): CanonicalCodec {
  const type = compileCanonical(schemaText);
  const slab = new Slab();
  const refusal = refusalOf(entity, type, schemaText);
  /** null: written with this very schema. */
  const resolvers = new Map<number, Resolver | null>();

  const write = (value: CanonicalFields, schemaId: number, bytes: Buffer, at: number): number => {
    const start = at + WIRE_HEADER_BYTES;
    if (start > bytes.length) return -1;
    const end = endOf(type, value, bytes, start);
    if (end === undefined) throw refusal(value);
    writeWireHeader(bytes, at, schemaId);
    return end;
  };

  return {
    entity,
    write,
    encode: (value, schemaId) => slab.cut((bytes, at) => write(value, schemaId, bytes, at)),
    decode(bytes) {
      const schemaId = schemaIdOf(bytes);
      let resolver = resolvers.get(schemaId);
      if (resolver === undefined) {
        resolver = resolverFor({ entity, type, schemaText, schemaId, writerText: lookupSchema(schemaId) });
        resolvers.set(schemaId, resolver);
      }
      return decodeOrRefuse(entity, type, resolver, asBuffer(bytes), schemaId);
    },
  };
}

/** undefined where a value isn't what its Avro type holds: avsc's own text, which would hold the value, ends here. */
function endOf(type: Type, value: CanonicalFields, bytes: Buffer, start: number): number | undefined {
  try {
    return type.encode(value, bytes, start);
  } catch {
    return undefined;
  }
}

function firstInvalidField(type: Type, value: CanonicalFields): string {
  let path = '';
  type.isValid(value, {
    errorHook: (found) => {
      if (path === '') path = found.join('.');
    },
  });
  return path;
}

function encodeError(entity: EntityName, field: string, reason: string): RecordError {
  return new RecordError({
    code: 'AVRO_ENCODE_FAILED',
    message: `${entity} record rejected: "${field}" ${reason}`,
    hint: `compare the mapping of "${field}" with its type in avro/${entity}.avsc`,
  });
}

/** Why a value can't be written: asked only where it couldn't. */
function refusalOf(entity: EntityName, type: Type, schemaText: string): (value: CanonicalFields) => RecordError {
  const { fields } = JSON.parse(schemaText) as { fields: { name: string; type: unknown }[] };
  const of = (wanted: string) =>
    fields
      .filter(({ type }) => type === wanted || (Array.isArray(type) && type.includes(wanted)))
      .map(({ name }) => name);
  const texts = of('string');
  const binaries = of('bytes');
  return (value) => {
    for (const name of texts) {
      const text = value[name];
      if (typeof text === 'string' && !text.isWellFormed()) {
        return encodeError(entity, name, 'is not well-formed Unicode');
      }
    }
    const field = firstInvalidField(type, withBuffers(value, binaries));
    return encodeError(entity, field, 'has a value that its Avro type does not hold');
  };
}

/** avsc's own check knows no other bytes. */
function withBuffers(value: CanonicalFields, names: readonly string[]): CanonicalFields {
  const copy: Record<string, CanonicalValue> = { ...value };
  for (const name of names) {
    const bytes = copy[name];
    if (bytes instanceof Uint8Array) copy[name] = asBuffer(bytes);
  }
  return copy;
}

function decodeOrRefuse(
  entity: EntityName,
  type: Type,
  resolver: Resolver | null,
  bytes: Buffer,
  schemaId: number,
): CanonicalFields {
  let decoded: { value: CanonicalFields; offset: number } | undefined;
  try {
    decoded = type.decode(bytes, WIRE_HEADER_BYTES, resolver ?? undefined);
  } catch {
    // falls to the error below, which holds no value
  }
  if (decoded !== undefined && decoded.offset === bytes.length) return decoded.value;
  throw new RecordError({
    code: 'AVRO_DECODE_FAILED',
    message: `${entity} record of ${bytes.length} bytes doesn't read as schema ${schemaId}`,
    hint: 'the record was cut or was written with another schema than the one it names',
  });
}

function resolverFor(writer: {
  entity: EntityName;
  type: Type;
  schemaText: string;
  schemaId: number;
  writerText: string | undefined;
}): Resolver | null {
  const { entity, type, schemaText, schemaId, writerText } = writer;
  if (writerText === undefined) {
    throw new InvariantError({
      code: 'SCHEMA_NOT_LOADED',
      message: `schema ${schemaId} was not loaded before a ${entity} record was decoded`,
    });
  }
  if (JSON.stringify(JSON.parse(writerText)) === JSON.stringify(JSON.parse(schemaText))) return null;
  try {
    refuseChangedTypes(writerText, schemaText);
    return type.createResolver(compileCanonical(writerText));
  } catch (error) {
    throw new ContractError({
      code: 'SCHEMA_INCOMPATIBLE',
      message: `${entity} records of schema ${schemaId} can't be read with avro/${entity}.avsc`,
      where: error instanceof Error ? error.message : String(error),
      hint: 'only add or drop nullable fields and add enum symbols; anything else is a new topic',
      cause: error,
    });
  }
}
