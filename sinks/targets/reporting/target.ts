/** The reporting store holds every fact as it is: one table for each entity, a column for each field, nothing translated. */
import type { EntityName } from '../../../avro/generated/records.ts';
import { entities } from '../../../avro/generated/entities.ts';
import type { FieldDescription } from '../../../core/canonical-record.ts';
import { decimalFits, instant, timeOfDay, unlimited } from '../../../core/columns.ts';
import type { Column, TargetTable } from '../../../core/target.ts';
import { defineTarget, to, upsert } from '../../../core/target.ts';

const facts = [
  'location',
  'product',
  'price',
  'member',
  'member-contact',
  'points-entry',
  'sale',
  'sale-line',
  'stock-movement',
  'stock-level',
  'sales-order',
  'production-plan',
  'shipment',
  'invoice',
  'market-survey',
] as const satisfies readonly EntityName[];

export default defineTarget({ system: 'reporting', dialect: 'postgres', tables: facts.map(mirror) });

function mirror(entity: EntityName): TargetTable {
  const { key, fields } = entities[entity];
  const columnsOf = (keep: (field: FieldDescription) => boolean) =>
    Object.fromEntries(fields.filter(keep).map((field) => [snakeCase(field.name), columnOf(field)]));
  return upsert(`reporting.${entity.replaceAll('-', '_')}`, entity, {
    key: columnsOf((field) => key.includes(field.name)),
    columns: columnsOf((field) => !key.includes(field.name)),
    onDelete: 'delete',
  });
}

function columnOf(field: FieldDescription): Column {
  switch (field.type) {
    case 'decimal':
      return to(field.name, decimalFits(field.precision, field.scale));
    case 'timestamp-micros':
      return to(field.name, instant());
    case 'time-micros':
      return to(field.name, timeOfDay());
    case 'string':
    case 'enum':
      return to(field.name, unlimited());
    case 'uuid':
    case 'int':
    case 'long':
    case 'double':
    case 'boolean':
    case 'bytes':
    case 'date':
      return to(field.name);
  }
}

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
