/** Raw records → canonical records with the production code: decoder, mapping language, Avro codec. */
import type { EntityName } from '../../../avro/generated/records.ts';
import { createCanonicalCodec } from '../../../adapters/avro/canonical-codec.ts';
import type { CanonicalFields, CanonicalRecord, CanonicalValue } from '../../../core/canonical-record.ts';
import { toChangeEvent } from '../../../core/debezium.ts';
import { RecordError } from '../../../core/errors.ts';
import { type CanonicalMapping, constant, from, type SourceMapping } from '../../../core/mapping.ts';
import { isBlank, optional, text } from '../../../core/converters.ts';
import type { DialectName } from '../../../core/target.ts';
import { compileSource } from '../../../processors/compile-mapping.ts';
import { mapEvent } from '../../../processors/map-event.ts';
import { ENTITY, entity, fieldNames, schemaText } from './entity.ts';
import { type RawRecord, SYSTEM } from './sources.ts';
import type { SourceCases, TypeCase } from './words.ts';

export type Translated =
  | { readonly kind: 'record'; readonly record: CanonicalRecord; readonly value: CanonicalValue }
  | { readonly kind: 'refused'; readonly code: string; readonly reason: string };

const SCHEMA_ID = 1;
const TABLE = 'fid.types';
const codec = createCanonicalCodec(ENTITY as EntityName, () => schemaText, schemaText);

/** One mapping for each column; `kind` says which one a row is about. */
export function translator(dialect: DialectName, { types }: SourceCases): (raw: RawRecord) => Translated {
  const system = SYSTEM[dialect];
  const mapping: SourceMapping = { system, tables: { [TABLE]: types.map((type) => mappingOf(type)) } };
  const description = { ...entity, owner: system };
  const table = compileSource(mapping, { [ENTITY]: description }).get(TABLE);
  if (table === undefined) throw new Error('no table');
  return (raw) => {
    const type = types.find(({ column }) => column === raw.column);
    const loss = type === undefined ? undefined : raw.mangled.get(type.column);
    if (loss !== undefined) return { kind: 'refused', code: 'COLUMN_MANGLED', reason: loss };
    try {
      const event = toChangeEvent(raw.read(), { system, table: TABLE, epoch: 0 });
      const { mapped, refused } = mapEvent(event, null, table, { canonicalId: () => undefined });
      const [refusal] = refused;
      if (refusal !== undefined) return { kind: 'refused', ...refusal.refusal };
      // without the row before, an update takes it for possible that the row was another column's
      const one = mapped.find(({ value }) => value !== null);
      if (one?.value === undefined || one.value === null || type === undefined)
        throw new Error(`nothing said of ${raw.id}`);
      if (one.absent.length > 0)
        return { kind: 'refused', code: 'ABSENT', reason: 'is taken for an unchanged large value' };
      const value = throughAvro(one.value);
      const meta = { system, position: event.position, operation: one.operation, commitTimeUs: event.commitTimeUs };
      const record = {
        entity: ENTITY,
        key: one.key,
        value,
        meta: { ...meta, hops: 0, traceId: '0123456789abcdef', absent: [] },
      };
      return { kind: 'record', record, value: value[type.field] ?? null };
    } catch (error) {
      if (error instanceof RecordError) return { kind: 'refused', code: error.code, reason: error.message };
      throw error;
    }
  };
}

function throughAvro(value: CanonicalFields): CanonicalFields {
  return codec.decode(codec.encode(value, SCHEMA_ID));
}

export function mappingOf({ column, field, convert }: TypeCase, id = from('id', text)): CanonicalMapping {
  const others = fieldNames.filter((name) => name !== field).map((name) => [name, constant(null)]);
  return {
    kind: 'canonical',
    entity: ENTITY as EntityName,
    key: { id },
    fields: { ...Object.fromEntries(others), [field]: from(column, optional(convert)) },
    onDelete: 'tombstone',
    where: (row) => !isBlank(row.kind) && row.kind === column,
  };
}

/** The canonical value as text, the way a database would print it. */
export function canonicalText(value: CanonicalValue, field: string): string | null {
  if (value === null) return null;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (typeof value !== 'bigint') return Object.is(value, -0) ? '-0' : String(value);
  if (field === 'instant' || field === 'clock' || field === 'berlin') return `${wholeSecond(value)}.${fraction(value)}`;
  if (field === 'time') return `${wholeSecond(value).slice(11)}.${fraction(value)}`;
  return value.toString();
}

const MILLION = 1_000_000n;
const fraction = (micros: bigint): string => (((micros % MILLION) + MILLION) % MILLION).toString().padStart(6, '0');

function wholeSecond(micros: bigint): string {
  const seconds = (micros - BigInt(fraction(micros))) / MILLION;
  return new Date(Number(seconds) * 1000).toISOString().slice(0, 19).replace('T', ' ');
}
