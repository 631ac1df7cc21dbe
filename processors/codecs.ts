import type { CanonicalFields, EntityDescription, RecordMeta } from '../core/canonical-record.ts';
import type { Row } from '../core/change-event.ts';
import type { Envelope } from '../core/debezium.ts';
import type { OutputRecord } from '../core/ports.ts';
import type { RawColumn } from './table-schema.ts';

/** What a canonical record's metadata travels in. */
export const META_HEADER = 'seam';

/**
 * Bytes ⇄ records. Everything but `loadSchemas` answers at once. Errors name fields, never values: RecordError where the
 * bytes are wrong, ContractError where their schema is.
 */
export interface Codecs {
  /** To be awaited before any of these bytes is read. TransientError where the registry is away. */
  loadSchemas(bytes: Iterable<Uint8Array | null>): Promise<void>;
  rawValue(bytes: Uint8Array): Envelope;
  rawKey(bytes: Uint8Array): Row;
  /** Of the rows that a raw record's schema describes; undefined where there is no schema. */
  valueColumns(bytes: Uint8Array): readonly RawColumn[] | undefined;
  keyColumns(bytes: Uint8Array): readonly RawColumn[] | undefined;
  /** The topic that the schema of these bytes was registered for, where its name says so. */
  schemaTopic(bytes: Uint8Array): string | undefined;
  /** Columns of this raw record's schema in which a NULL may have been replaced by the column's default. */
  nullHidingColumns(bytes: Uint8Array): readonly string[];
  /** By column of this raw record's schema: what the connector loses of it. */
  mangledColumns(bytes: Uint8Array): ReadonlyMap<string, string>;
  /** A canonical record as it is written; `value` null: a tombstone. RecordError where a value isn't what its type holds. */
  output(entity: EntityDescription, key: string, value: CanonicalFields | null, meta: RecordMeta): OutputRecord;
  decode(entity: string, bytes: Uint8Array): CanonicalFields;
  decodeMeta(bytes: Uint8Array): RecordMeta;
}
