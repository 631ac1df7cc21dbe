/**
 * A row → all fields of an entity, where nothing stands in the way: every column is there and readable, every field gets what
 * it may hold. Any other row is read field by field (map-event.ts), which knows why.
 *
 * The function is written for its entity, a line for each field. In one loop over the fields, each call meets the converters of
 * all columns and V8 can neither inline nor foresee any; and an object filled name by name costs more than one that is written
 * down. See `npm run bench -- --only translate`.
 */
import type { CanonicalFields } from '../core/canonical-record.ts';
import { type Row, Unreadable } from '../core/change-event.ts';
import { conversionOf, type Lookups } from '../core/mapping.ts';
import type { CompiledField } from './compile-mapping.ts';

/** undefined: something stands in the way. */
export type ReadWholeRow = (row: Row, lookups: Lookups) => CanonicalFields | undefined;

/** Of fields with a mapping: what lacks one is a fault that ends the compiling. */
export function compileWholeRow(fields: readonly CompiledField[]): ReadWholeRow {
  const conversions = fields.map(({ read }) => conversionOf(read));
  const lines = fields.map(({ isNullable, isKey }, index) => {
    const conversion = conversions[index];
    const column = `column${index}`;
    const value = `value${index}`;
    const isHeld = isNullable && !isKey ? `isHeldOrNull(${value})` : `isHeld(${value})`;
    if (conversion === undefined)
      return `const ${value} = read${index}(row, lookups); if (!${isHeld}) return undefined;`;
    return (
      `const ${column} = row[${JSON.stringify(conversion.column)}]; if (!isReadable(${column})) return undefined; ` +
      `const ${value} = read${index}(${column}); if (!${isHeld}) return undefined;`
    );
  });
  const source = [
    'return function readWholeRow(row, lookups) {',
    'try {',
    ...lines,
    `return { ${fields.map(({ name }, index) => `${JSON.stringify(name)}: value${index}`).join(', ')} };`,
    '} catch { return undefined; }',
    '};',
  ].join('\n');
  const names = ['isReadable', 'isHeld', 'isHeldOrNull', ...fields.map((_, index) => `read${index}`)];
  const values = [
    isReadable,
    isHeld,
    isHeldOrNull,
    ...fields.map(({ read }, index) => conversions[index]?.convert ?? read),
  ];
  return new Function(...names, source)(...values) as ReadWholeRow;
}

/** Symbols stand for what was not sent. */
function isReadable(value: unknown): boolean {
  return value !== undefined && typeof value !== 'symbol' && !(value instanceof Unreadable);
}

function isHeld(value: unknown): boolean {
  return value !== null && isHeldOrNull(value);
}

function isHeldOrNull(value: unknown): boolean {
  return value !== undefined && typeof value !== 'symbol';
}
