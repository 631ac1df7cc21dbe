/**
 * What targets should hold: every source row through its mapping, the steps and the target's own declaration, without the
 * pipeline. Rows are kept as hashes; the fields themselves only for keys asked for, so memory stays small.
 */
import type { Row } from '../../core/change-event.ts';
import type { CanonicalFields, EntityDescription } from '../../core/canonical-record.ts';
import { keyText } from '../../core/canonical-record.ts';
import type { CanonicalMapping, Lookups, SourceMapping } from '../../core/mapping.ts';
import { ABSENT, Refusal } from '../../core/mapping.ts';
import type { Step } from '../../core/step.ts';
import type { SqlValue, TargetTable } from '../../core/target.ts';

export type Entities = Readonly<Record<string, EntityDescription>>;
export type CanonicalFact = {
  readonly system: string;
  readonly entity: string;
  readonly key: string;
  readonly fields: CanonicalFields;
};
export type Refused = { readonly system: string; readonly table: string; readonly code: string };

/** All canonical facts that one source row stands for, steps followed to their ends. */
export function factsOfRow(
  system: string,
  mapping: CanonicalMapping,
  row: Row,
  lookups: Lookups,
  entities: Entities,
  steps: readonly Step[],
): CanonicalFact[] {
  if (mapping.where !== undefined && !mapping.where(row)) return [];
  const fields: Record<string, unknown> = {};
  for (const [name, field] of [...Object.entries(mapping.key), ...Object.entries(mapping.fields)]) {
    const value = field.read(row, lookups);
    // a stored row has every column: what is absent in an event is present here
    if (value === ABSENT) throw new Refusal('UNAVAILABLE_IN_TABLE', `"${name}" reads as unavailable`);
    fields[name] = value;
  }
  const facts: CanonicalFact[] = [];
  follow(system, mapping.entity, fields as CanonicalFields, entities, steps, facts);
  return facts;
}

function follow(
  system: string,
  entity: string,
  fields: CanonicalFields,
  entities: Entities,
  steps: readonly Step[],
  facts: CanonicalFact[],
): void {
  const keyNames = entities[entity]?.key ?? [];
  facts.push({ system, entity, key: keyText(keyNames.map((name) => fields[name] ?? null)), fields });
  for (const step of steps) {
    if (step.from !== entity) continue;
    for (const output of step.run(fields, fields)) {
      if (output.fields === null) continue;
      follow(system, output.entity, { ...output.fields, ...output.key }, entities, steps, facts);
    }
  }
}

export type ExpectedRow = { readonly columns: Readonly<Record<string, SqlValue>> };

/** The row that a fact makes in a table; null where the target doesn't hold it. */
export function rowOfFact(table: TargetTable, fact: CanonicalFact): ExpectedRow | null {
  if (table.accepts !== undefined && !table.accepts(fact.fields)) return null;
  const columns: Record<string, SqlValue> = {};
  if (table.assignedKey === undefined) {
    for (const [name, column] of Object.entries(table.key)) columns[name] = column.write(fact.fields);
  }
  for (const [name, column] of Object.entries(table.columns)) columns[name] = column.write(fact.fields);
  return { columns };
}

/** Asserts nothing: a row of a shared entity whose fields are all null. Other systems decide then. */
export function assertsNothing(fact: CanonicalFact, description: EntityDescription): boolean {
  if (description.owner !== 'shared') return false;
  return description.fields.every((field) => description.key.includes(field.name) || fact.fields[field.name] === null);
}

export type SourceTable = {
  readonly system: string;
  readonly table: string;
  readonly mappings: readonly CanonicalMapping[];
};

/** Entities that a source table's rows stand for, directly or through steps. */
export function entitiesOf(source: SourceTable, steps: readonly Step[]): ReadonlySet<string> {
  const reached = new Set<string>(source.mappings.map(({ entity }) => entity));
  for (let size = -1; size !== reached.size; ) {
    size = reached.size;
    for (const step of steps) if (reached.has(step.from)) for (const entity of step.to) reached.add(entity);
  }
  return reached;
}

/** Source tables whose rows reach one of these target tables, directly or through steps. */
export function sourcesOf(
  targetTables: readonly TargetTable[],
  sources: readonly SourceMapping[],
  steps: readonly Step[],
): SourceTable[] {
  const wanted = new Set<string>(targetTables.map((table) => table.entity));
  for (let size = -1; size !== wanted.size; ) {
    size = wanted.size;
    for (const step of steps) if (step.to.some((entity) => wanted.has(entity))) wanted.add(step.from);
  }
  const found: SourceTable[] = [];
  for (const { system, tables } of sources) {
    for (const [table, mapping] of Object.entries(tables)) {
      if ('kind' in mapping) continue;
      const mappings = mapping.filter((candidate) => wanted.has(candidate.entity));
      if (mappings.length > 0) found.push({ system, table, mappings });
    }
  }
  return found;
}
