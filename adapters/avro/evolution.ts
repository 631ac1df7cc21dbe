import type { AvroField, AvroLogicalType, AvroRecord } from '../../avro/schema-text.ts';

/**
 * Avro's own rules look at the bytes only: they let a decimal of scale 3 be read with scale 2, ten times too large, and a
 * timestamp in ms as µs. So a field's type may not change at all; it may become nullable.
 */
export function refuseChangedTypes(writerText: string, readerText: string): void {
  const writer = new Map((JSON.parse(writerText) as AvroRecord).fields.map((field) => [field.name, field]));
  for (const field of (JSON.parse(readerText) as AvroRecord).fields) {
    const before = writer.get(field.name);
    if (before !== undefined && typeText(before) !== typeText(field)) {
      throw new Error(`field "${field.name}" was ${typeText(before)} and is ${typeText(field)}`);
    }
  }
}

function typeText(field: AvroField): string {
  const type = (Array.isArray(field.type) ? field.type.find((branch) => branch !== 'null') : field.type) as
    | string
    | AvroLogicalType;
  if (typeof type === 'string') return type;
  const digits = type.logicalType === 'decimal' ? `(${type.precision}, ${type.scale ?? 0})` : '';
  return `${type.logicalType ?? type.type}${digits}`;
}
