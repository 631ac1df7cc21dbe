import type { Operation } from './change-event.ts';
import type { Position } from './position.ts';

/**
 * A canonical field's value in TypeScript, by Avro type:
 * string, enum, uuid → string; int, double → number; long → bigint; boolean → boolean; bytes → Uint8Array;
 * decimal(p, s) → text with exactly s digits after the point, e.g. `-12.50`; date → `2017-01-31`;
 * timestamp-micros → bigint µs since 1970 UTC; time-micros → bigint µs since midnight.
 */
export type CanonicalValue = string | number | bigint | boolean | Uint8Array | null;
export type CanonicalFields = Readonly<Record<string, CanonicalValue>>;

/** What travels beside every canonical record, in the Kafka header `seam` (docs/decisions/0004-metadata-header.md). */
export type RecordMeta = {
  /** The system in which the change was made first. */
  readonly system: string;
  /** Orders all records of one key in this topic. */
  readonly position: Position;
  readonly operation: Operation;
  /** µs since 1970 UTC: when the source committed. */
  readonly commitTimeUs: bigint;
  /** How often Seam itself caused this change: 0 a person or program outside, 1 a trigger on what Seam wrote, … */
  readonly hops: number;
  /** The same for everything that follows from one source change. */
  readonly traceId: string;
  /** Fields this record doesn't carry ("keep what you have"); they are null in the value. */
  readonly absent: readonly string[];
  /** The source table, only where several tables of one system feed the entity: what a truncation of it takes away. */
  readonly table?: string | undefined;
};

/** One version of one entity. `value` null: the key is gone (a tombstone). */
export type CanonicalRecord = {
  readonly entity: string;
  /** Key fields joined by `keyText`: the Kafka key, as UTF-8. Holds no personal value. */
  readonly key: string;
  readonly value: CanonicalFields | null;
  readonly meta: RecordMeta;
};

export type FieldKind =
  | { readonly type: 'string' | 'uuid' | 'int' | 'long' | 'double' | 'boolean' | 'bytes' }
  | { readonly type: 'date' | 'timestamp-micros' | 'time-micros' }
  | { readonly type: 'enum'; readonly symbols: readonly string[] }
  | { readonly type: 'decimal'; readonly precision: number; readonly scale: number };

export type FieldDescription = FieldKind & {
  readonly name: string;
  readonly nullable: boolean;
  readonly personal: boolean;
};

/** Generated from avro/*.avsc: what engines need to know of an entity without knowing its meaning. */
export type EntityDescription = {
  readonly entity: string;
  readonly topic: string;
  readonly key: readonly string[];
  readonly fields: readonly FieldDescription[];
  /** `shared`: several systems write it and the newest commit wins; else the one system or step that owns it. */
  readonly owner: string;
};

const SEPARATOR = '|';

/** Joins key values into the Kafka key; `|` and `\` inside a value are escaped, so different keys never meet. */
export function keyText(values: readonly CanonicalValue[]): string {
  return values.map((value) => String(value).replaceAll(/[\\|]/g, '\\$&')).join(SEPARATOR);
}

/** The inverse of `keyText`. */
export function splitKeyText(key: string): string[] {
  const parts: string[] = [];
  let current = '';
  for (let index = 0; index < key.length; index += 1) {
    const character = key[index];
    if (character === '\\') {
      index += 1;
      current += key[index] ?? '';
    } else if (character === SEPARATOR) {
      parts.push(current);
      current = '';
    } else {
      current += character;
    }
  }
  parts.push(current);
  return parts;
}

/** Key fields with their types, from the Kafka key alone: all that a tombstone tells. */
export function keyFields(description: EntityDescription, key: string): CanonicalFields {
  const parts = splitKeyText(key);
  const fields: Record<string, CanonicalValue> = {};
  description.key.forEach((name, index) => {
    const field = description.fields.find((candidate) => candidate.name === name);
    const text = parts[index] ?? '';
    fields[name] = field?.type === 'int' ? Number(text) : field?.type === 'long' ? BigInt(text) : text;
  });
  return fields;
}
