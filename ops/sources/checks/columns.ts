/** Which columns of a table the mapping needs, and what the database calls them. */
import type { Field, SourceMapping } from '../../../core/mapping.ts';
import type { CheckedSource } from './check.ts';

/** Of every field. */
export function mappedColumns({ mapping }: CheckedSource, table: string): string[] {
  return columnsRead(mapping, table);
}

/** Of every field; none where the table is not mapped. */
export function columnsRead(mapping: SourceMapping, table: string): string[] {
  return columnsOf(mapping, table, ({ key, fields }) => [...Object.values(key), ...Object.values(fields)]);
}

/** From which a canonical key is made: a deletion must tell them. */
export function keyColumns({ mapping }: CheckedSource, table: string): string[] {
  return columnsOf(mapping, table, ({ key }) => Object.values(key));
}

type Mapped = {
  readonly key: Readonly<Record<string, Field<unknown>>>;
  readonly fields: Readonly<Record<string, Field<unknown>>>;
};

function columnsOf(
  mapping: SourceMapping,
  table: string,
  fieldsOf: (mapped: Mapped) => readonly Field<unknown>[],
): string[] {
  const declared = mapping.tables[table];
  if (declared === undefined || 'kind' in declared) return [];
  return [...new Set(declared.flatMap((one) => fieldsOf(one).flatMap(({ columns }) => columns)))];
}

/** The change events spell a name that Avro cannot hold with underscores, and the mapping spells it as they do. */
export function nameIn(names: readonly string[], mapped: string): string | undefined {
  return names.find((name) => name === mapped) ?? names.find((name) => avroName(name) === mapped);
}

function avroName(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_]/g, '_').replace(/^(?=\d)/, '_');
}
