/** A source's mapping joined with what its entities are: made once at start, run for every change event. */
import type { EntityDescription } from '../core/canonical-record.ts';
import type { Row } from '../core/change-event.ts';
import { ConfigError } from '../core/errors.ts';
import type { CanonicalMapping, Field, SourceMapping } from '../core/mapping.ts';
import { compileWholeRow, type ReadWholeRow } from './compile-row.ts';

export type Entities = Readonly<Record<string, EntityDescription>>;

export type CompiledField = {
  readonly name: string;
  readonly read: Field<unknown>['read'];
  readonly columns: readonly string[];
  readonly anyOf: readonly string[];
  readonly isNullable: boolean;
  readonly isKey: boolean;
};

export type CompiledEntity = {
  readonly description: EntityDescription;
  readonly system: string;
  readonly table: string;
  /** In the order of the key's text. */
  readonly key: readonly CompiledField[];
  /** All fields, key included, in the order of the Avro schema. */
  readonly fields: readonly CompiledField[];
  /** All of `fields` at once. */
  readonly readWholeRow: ReadWholeRow;
  /** A value of the entity with every field null. */
  readonly blank: Readonly<Record<string, null>>;
  /** Several systems write it and the newest commit wins. */
  readonly isShared: boolean;
  /** Several tables of this system feed it: each record names its own, so that a truncation takes away no other's keys. */
  readonly isOfSeveralTables: boolean;
  readonly where: ((row: Row) => boolean) | undefined;
  readonly onDelete: CanonicalMapping['onDelete'];
};

export type IdentityColumn = { readonly entity: string; readonly column: string };

export type CompiledTable = {
  readonly system: string;
  readonly table: string;
  /** Empty: the table is ignored, with a reason in the mapping. */
  readonly entities: readonly CompiledEntity[];
  readonly identities: readonly IdentityColumn[];
  /** Columns that some entity reads. */
  readonly columns: ReadonlySet<string>;
};

/** By table name. Lists every fault of the mapping at once. */
export function compileSource(mapping: SourceMapping, entities: Entities): ReadonlyMap<string, CompiledTable> {
  const faults: string[] = [];
  const tables = new Map<string, CompiledTable>();
  const feeds = tablesByEntity(mapping);
  for (const [table, declared] of Object.entries(mapping.tables)) {
    const mappings = 'kind' in declared ? [] : declared;
    tables.set(table, {
      system: mapping.system,
      table,
      entities: mappings.map((one) => {
        const isOfSeveralTables = (feeds.get(one.entity)?.length ?? 0) > 1;
        return compileEntity({ system: mapping.system, table, mapping: one, isOfSeveralTables }, entities, faults);
      }),
      identities: mappings.flatMap(identitiesOf),
      columns: new Set(mappings.flatMap((one) => readsOf(one).flatMap((field) => field.columns))),
    });
  }
  if (faults.length > 0) throw faulty(mapping.system, faults);
  return tables;
}

/** Which tables of a system feed each entity, in the order of the mapping. */
export function tablesByEntity({ tables }: SourceMapping): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const [table, mappings] of Object.entries(tables)) {
    if ('kind' in mappings) continue;
    for (const entity of new Set(mappings.map((one) => one.entity))) {
      found.set(entity, [...(found.get(entity) ?? []), table]);
    }
  }
  return found;
}

/** Stands in for one that lacks, which is a fault of the mapping. */
const NO_FIELD = { read: undefined, columns: [] };

type Declared = {
  readonly system: string;
  readonly table: string;
  readonly mapping: CanonicalMapping;
  readonly isOfSeveralTables: boolean;
};

function compileEntity(declared: Declared, entities: Entities, faults: string[]): CompiledEntity {
  const { system, table, mapping, isOfSeveralTables } = declared;
  const description = entities[mapping.entity] as EntityDescription;
  const { owner, entity } = description;
  if (owner !== 'shared' && owner !== system) faults.push(`${table}: ${entity} belongs to ${owner}`);
  const fields = description.fields.map(({ name, nullable }): CompiledField => {
    const field = mapping.key[name] ?? mapping.fields[name];
    if (field === undefined) faults.push(`${table}: ${entity} lacks "${name}"`);
    const { read, columns, anyOf = [] } = (field ?? NO_FIELD) as Field<unknown>;
    return { name, read, columns, anyOf, isNullable: nullable, isKey: description.key.includes(name) };
  });
  return {
    description,
    system,
    table,
    key: description.key.map((name) => fields.find((field) => field.name === name) as CompiledField),
    fields,
    readWholeRow: compileWholeRow(fields),
    blank: Object.fromEntries(fields.map(({ name }) => [name, null])),
    isShared: owner === 'shared',
    isOfSeveralTables,
    where: mapping.where,
    onDelete: mapping.onDelete,
  };
}

function readsOf(mapping: CanonicalMapping): Field<unknown>[] {
  return [...Object.values(mapping.key), ...Object.values(mapping.fields)];
}

function identitiesOf(mapping: CanonicalMapping): IdentityColumn[] {
  return readsOf(mapping).flatMap(({ identityOf }) => (identityOf === undefined ? [] : [identityOf]));
}

function faulty(system: string, faults: readonly string[]): ConfigError {
  return new ConfigError({
    code: 'MAPPING_INVALID',
    message: `${faults.length} fault${faults.length === 1 ? '' : 's'} in a mapping\n${faults.map((fault) => `    - ${fault}`).join('\n')}`,
    where: `connectors/${system}/mapping.ts`,
    hint: 'an entity is mapped by its owner, with every field of its Avro schema',
  });
}
