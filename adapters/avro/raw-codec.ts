import type { Type } from 'avsc';
import { asBuffer } from '../../core/bytes.ts';
import type { ColumnValue, Row } from '../../core/change-event.ts';
import type { Envelope } from '../../core/debezium.ts';
import { ContractError, InvariantError, RecordError } from '../../core/errors.ts';
import { formerNames } from '../../core/names.ts';
import type { RawSchema } from './raw-schema.ts';
import { readRawSchema } from './raw-schema.ts';
import { compileRaw } from './raw-types.ts';
import { schemaIdOf, WIRE_HEADER_BYTES } from './wire.ts';

export type RawDecoder = {
  /** The value of a raw record. RecordError AVRO_DECODE_FAILED; ContractError RAW_SCHEMA_UNREADABLE. */
  value(bytes: Uint8Array): Envelope;
  /** The key of a raw record: the source's key columns. */
  key(bytes: Uint8Array): Row;
  /** What is to be known of a schema beside its values: see `RawSchema.nullHidingColumns`. */
  nullHidingColumns(schemaId: number): readonly string[];
  /** By column: what the connector loses of it. */
  mangledColumns(schemaId: number): ReadonlyMap<string, string>;
  columns(schemaId: number): RawSchema['columns'];
  namespace(schemaId: number): RawSchema['namespace'];
};

type Compiled = { readonly schema: RawSchema; readonly type: Type };
type Renames = ReadonlyMap<string, string>;

/** `lookupSchema` answers at once, from what was loaded before the batch (adapters/registry.ts). */
export function createRawDecoder(lookupSchema: (schemaId: number) => string | undefined): RawDecoder {
  const compiledById = new Map<number, Compiled>();
  /** By topic: what values say of their columns' names; the schema of a key says nothing. */
  const namesOfTopic = new Map<string, Renames>();
  const compiled = (schemaId: number): Compiled => {
    const known = compiledById.get(schemaId);
    if (known !== undefined) return known;
    const fresh = compile(schemaId, lookupSchema(schemaId));
    compiledById.set(schemaId, fresh);
    const { kind, namespace = '', renames } = fresh.schema;
    if (kind === 'envelope' && renames.size > 0) namesOfTopic.set(namespace, renames);
    return fresh;
  };
  const keyNames = ({ namespace = '', renames }: RawSchema): Renames => {
    const known = namesOfTopic.get(namespace);
    if (known === undefined || renames.size === 0) return renames;
    return new Map([...renames].map(([wire, guess]) => [wire, known.get(wire) ?? guess]));
  };
  const read = (bytes: Uint8Array, kind: RawSchema['kind']): { decoded: unknown; schema: RawSchema } => {
    const schemaId = schemaIdOf(bytes);
    const { schema, type } = compiled(schemaId);
    if (schema.kind !== kind) throw schemaError(schemaId, `is no ${kind}`);
    return { decoded: decode(type, bytes, schemaId), schema };
  };

  return {
    value(bytes) {
      const { decoded, schema } = read(bytes, 'envelope');
      return schema.renames.size === 0 ? (decoded as Envelope) : renamedEnvelope(decoded as Envelope, schema.renames);
    },
    key(bytes) {
      const { decoded, schema } = read(bytes, 'row');
      return renamed(decoded as Row, keyNames(schema));
    },
    nullHidingColumns: (schemaId) => compiled(schemaId).schema.nullHidingColumns,
    mangledColumns: (schemaId) => compiled(schemaId).schema.mangledColumns,
    columns: (schemaId) => {
      const { schema } = compiled(schemaId);
      if (schema.kind === 'envelope' || schema.renames.size === 0) return schema.columns;
      const names = new Map([...schema.renames].map(([wire, guess]) => [guess, keyNames(schema).get(wire) ?? guess]));
      return schema.columns.map((column) => ({ ...column, name: names.get(column.name) ?? column.name }));
    },
    namespace: (schemaId) => compiled(schemaId).schema.namespace,
  };
}

function compile(schemaId: number, text: string | undefined): Compiled {
  if (text === undefined) {
    const message = `schema ${schemaId} was not loaded before a raw record was decoded`;
    throw new InvariantError({ code: 'SCHEMA_NOT_LOADED', message });
  }
  try {
    const schema = readRawSchema(text);
    return { schema, type: compileRaw(schema.avro) };
  } catch (cause) {
    throw schemaError(schemaId, cause instanceof Error ? cause.message : String(cause));
  }
}

function schemaError(schemaId: number, reason: string): ContractError {
  return new ContractError({
    code: 'RAW_SCHEMA_UNREADABLE',
    message: `schema ${schemaId} of a raw topic can't be read: ${reason}`,
    hint: 'compare the connector with its folder in connectors/: converter, transforms and adjustment modes must be those',
  });
}

function decode(type: Type, bytes: Uint8Array, schemaId: number): unknown {
  let decoded: { value: unknown; offset: number } | undefined;
  try {
    decoded = type.decode(asBuffer(bytes), WIRE_HEADER_BYTES);
  } catch {
    // falls to the error below, which holds no value
  }
  if (decoded !== undefined && decoded.offset === bytes.length) return decoded.value;
  throw decodeError(schemaId, bytes, "doesn't read as its schema says");
}

function decodeError(schemaId: number, bytes: Uint8Array, reason: string): RecordError {
  return new RecordError({
    code: 'AVRO_DECODE_FAILED',
    message: `raw record of ${bytes.length} bytes and schema ${schemaId} ${reason}`,
    hint: 'look at the record with its schema; a time finer than a microsecond is refused too',
  });
}

function renamedEnvelope(envelope: Envelope, renames: Renames): Envelope {
  const { before, after } = envelope;
  return {
    ...envelope,
    before: before === null ? null : renamed(before, renames),
    after: after === null ? null : renamed(after, renames),
  };
}

/** By the database's own names, and by those that mappings of earlier versions say for them. */
function renamed(row: Row, renames: Renames): Row {
  if (renames.size === 0) return row;
  const own: Record<string, ColumnValue> = Object.fromEntries(
    Object.entries(row).map(([name, value]) => [renames.get(name) ?? name, value]),
  );
  for (const [former, name] of formerNames(Object.keys(own))) own[former] = own[name] as ColumnValue;
  return own;
}
