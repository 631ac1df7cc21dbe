/**
 * A source system's mapping: change events of its tables → canonical records. Declarations only, no I/O; the processor
 * compiles them once and runs them per event. connectors/<system>/mapping.ts is written with these words.
 */
import type { CanonicalTypes, EntityName, KeyName } from '../avro/generated/records.ts';
import type { ColumnValue, Row, Unavailable } from './change-event.ts';
import { UNAVAILABLE, Unreadable } from './change-event.ts';
import { formerName, isPlainName, meantBy } from './names.ts';

/** The mapping refuses a value: the record is set aside with this reason. Never holds the value itself. */
export class Refusal {
  readonly code: string;
  readonly reason: string;
  constructor(code: string, reason: string) {
    this.code = code;
    this.reason = reason;
  }
}

/** "Not carried in this record: keep what you have", for a large column that did not change. */
export const ABSENT: unique symbol = Symbol('absent');
export type Absent = typeof ABSENT;

/** One column value, never UNAVAILABLE or unreadable, → one canonical value. Throws `Refusal`. */
export type Converter<T> = (value: Exclude<ColumnValue, Unavailable | Unreadable>) => T;

/** What a mapping may ask beyond the row: ids that a target database assigned itself (docs: identity map). */
export type Lookups = { canonicalId(entity: string, localKey: string): string | undefined };

export type Field<T> = {
  /** Columns read, so that a missing column is found at start and not at the first record. */
  readonly columns: readonly string[];
  /** Names of one column, of which a row has at least one. */
  readonly anyOf?: readonly string[];
  /** Set where `read` asks `lookups.canonicalId`: the processor loads these ids before it maps a batch. */
  readonly identityOf?: { readonly entity: string; readonly column: string };
  readonly read: (row: Row, lookups: Lookups) => T | Absent;
};

/** What a field does that converts the value of one column. */
export type Conversion = { readonly column: string; readonly convert: Converter<unknown> };

/** By the field's `read`: one made of another field with a `read` of its own does what that does. */
const conversions = new WeakMap<Field<unknown>['read'], Conversion>();

/** undefined: it does more than convert, or something else. */
export function conversionOf(read: Field<unknown>['read']): Conversion | undefined {
  return conversions.get(read);
}

export function from<T>(column: string, convert: Converter<T>): Field<T> {
  const read = (row: Row): T | Absent => {
    const value = columnValue(row, column);
    if (value === undefined) throw columnMissing(row, column);
    if (value === UNAVAILABLE) return ABSENT;
    if (value instanceof Unreadable) throw new Refusal(value.code, `"${column}" ${value.reason}`);
    try {
      return convert(value);
    } catch (error) {
      if (error instanceof Refusal) throw new Refusal(error.code, `"${column}" ${error.reason}`);
      throw error;
    }
  };
  conversions.set(read, { column, convert });
  return { columns: [column], read };
}

/** By the database's own spelling; records of earlier versions have the former one. */
function columnValue(row: Row, column: string): ColumnValue | undefined {
  const value = row[column];
  return value !== undefined || isPlainName(column) ? value : row[formerName(column)];
}

function columnMissing(row: Row, column: string): Refusal {
  const meant = meantBy(column, Object.keys(row)).map((name) => `"${name}"`);
  const rule = meant.length === 0 ? '' : `, but ${meant.join(', ')}: a mapping spells names as the database does`;
  return new Refusal('COLUMN_MISSING', `column "${column}" is not in the change event${rule}`);
}

/** The same row, with each of these columns under the name that the mapping says. */
function withNames(row: Row, columns: readonly string[]): Row {
  const lacking = columns.filter((column) => row[column] === undefined && columnValue(row, column) !== undefined);
  if (lacking.length === 0) return row;
  return { ...row, ...Object.fromEntries(lacking.map((column) => [column, columnValue(row, column) as ColumnValue])) };
}

/** The first of these columns that a row has: for a renamed column, while records under both names are in the log. */
export function fromFirst<T>(names: readonly string[], convert: Converter<T>): Field<T> {
  const fields = names.map((name) => from(name, convert));
  return {
    columns: [],
    anyOf: names,
    read: (row, lookups) => {
      const index = names.findIndex((name) => columnValue(row, name) !== undefined);
      return (fields[Math.max(index, 0)] as Field<T>).read(row, lookups);
    },
  };
}

/** A field computed from several columns. `compute` throws `Refusal`; with any column unavailable the field is absent. */
export function derive<T>(columns: readonly string[], compute: (row: Row) => T): Field<T> {
  return {
    columns,
    read: (asSent) => {
      const row = withNames(asSent, columns);
      for (const column of columns) {
        const value = row[column];
        if (value instanceof Unreadable) throw new Refusal(value.code, `"${column}" ${value.reason}`);
      }
      return columns.some((column) => row[column] === UNAVAILABLE) ? ABSENT : compute(row);
    },
  };
}

/** The same value in every record, e.g. a currency that the legacy table never names. */
export function constant<T>(value: T): Field<T> {
  return { columns: [], read: () => value };
}

/** A canonical id kept in the identity map, because the database assigns its own keys; `otherwise` for rows born there. */
export function identity(entity: EntityName, column: string, otherwise: Converter<string>): Field<string> {
  const fallback = from(column, otherwise);
  return {
    columns: [column],
    identityOf: { entity, column },
    read: (row, lookups) =>
      lookups.canonicalId(entity, String(columnValue(row, column))) ?? fallback.read(row, lookups),
  };
}

type FieldsOf<E extends EntityName> = {
  readonly key: { readonly [K in KeyName<E>]: Field<CanonicalTypes[E][K]> };
  readonly fields: { readonly [K in Exclude<keyof CanonicalTypes[E], KeyName<E>>]: Field<CanonicalTypes[E][K]> };
};

export type CanonicalMapping = {
  readonly kind: 'canonical';
  readonly entity: EntityName;
  readonly key: Readonly<Record<string, Field<unknown>>>;
  readonly fields: Readonly<Record<string, Field<unknown>>>;
  /** `keep`: a deleted row leaves the entity as it is, e.g. where the source purges old rows. */
  readonly onDelete: 'tombstone' | 'keep';
  /** Rows that are not this entity; a row that stops being one becomes a tombstone. */
  readonly where: ((row: Row) => boolean) | undefined;
};

export type IgnoredTable = { readonly kind: 'ignored'; readonly reason: string };
export type TableMapping = readonly CanonicalMapping[] | IgnoredTable;

/** A canonical field left out does not compile. */
export function canonical<E extends EntityName>(
  entity: E,
  declaration: FieldsOf<E> & { onDelete?: 'tombstone' | 'keep'; where?: (row: Row) => boolean },
): CanonicalMapping {
  return {
    kind: 'canonical',
    entity,
    key: declaration.key as Readonly<Record<string, Field<unknown>>>,
    fields: declaration.fields as Readonly<Record<string, Field<unknown>>>,
    onDelete: declaration.onDelete ?? 'tombstone',
    where: declaration.where,
  };
}

/** A captured table without canonical meaning. */
export function ignore(reason: string): IgnoredTable {
  return { kind: 'ignored', reason };
}

export type SourceMapping = {
  readonly system: string;
  /** By `<schema or database>.<table>`. */
  readonly tables: Readonly<Record<string, TableMapping>>;
};

export function defineSource(declaration: {
  system: string;
  tables: Record<string, CanonicalMapping | readonly CanonicalMapping[] | IgnoredTable>;
}): SourceMapping {
  const tables: Record<string, TableMapping> = {};
  for (const [table, mapping] of Object.entries(declaration.tables)) {
    tables[table] = 'kind' in mapping && mapping.kind === 'canonical' ? [mapping] : (mapping as TableMapping);
  }
  return { system: declaration.system, tables };
}
