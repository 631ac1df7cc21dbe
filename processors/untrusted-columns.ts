/** Mapped columns whose values can't be trusted, told from the schema: one of them stops the table. */
import { type Row, UNAVAILABLE } from '../core/change-event.ts';
import { ContractError } from '../core/errors.ts';
import { isNamed } from '../core/names.ts';
import type { Codecs } from './codecs.ts';
import type { CompiledTable } from './compile-mapping.ts';

/** ContractError COLUMN_MANGLED. Columns that nothing reads may be as they like. */
export function refuseMangled(table: CompiledTable, codecs: Codecs, value: Uint8Array): void {
  const mangled = [...codecs.mangledColumns(value)].filter(([column]) => isNamed(table.columns, column));
  if (mangled.length > 0) throw columnsMangled(table, mangled);
}

/** Mapped columns of this record's schema in which a NULL may have become the column's default. */
export function nullHiding(table: CompiledTable, codecs: Codecs, value: Uint8Array): readonly string[] {
  const hiding = codecs.nullHidingColumns(value);
  return hiding.length === 0 ? hiding : hiding.filter((column) => isNamed(table.columns, column));
}

/** Of a record that another converter wrote. Only a later record of the key can say what the row holds: said-again.ts. */
export function nullsHidden({ system, table }: CompiledTable, columns: readonly string[]): ContractError {
  return new ContractError({
    code: 'NULL_HIDDEN',
    message: `NULL and the default can't be told apart in ${columns.map((column) => `"${column}"`).join(', ')}: the record was not written by Seam's converter`,
    where: `${system} ${table}`,
    hint: `let the Connect worker use seam.connect.SeamConverter for keys and values, as deploy/connect.properties does; then read the table again, and it goes on by itself: seam resnapshot --system ${system} --table ${table} --yes`,
  });
}

/** Does this record say all of the row that the table's mapping reads? A deletion says that there is none. */
export function isWholeRow(table: CompiledTable, codecs: Codecs, value: Uint8Array): boolean {
  try {
    const { op, after } = codecs.rawValue(value);
    if (op === 'd') return true;
    if (after === null || nullHiding(table, codecs, value).length > 0) return false;
    return [...table.columns].every((column) => (after as Row)[column] !== UNAVAILABLE);
  } catch {
    // a stub, or what can't be read
    return false;
  }
}

function columnsMangled(
  { system, table }: CompiledTable,
  columns: readonly (readonly [string, string])[],
): ContractError {
  return new ContractError({
    code: 'COLUMN_MANGLED',
    message: `the connector loses a part of ${columns.map(([column, loss]) => `"${column}" (${loss})`).join(', ')}`,
    where: `${system} ${table}`,
    hint: `cure the column as said, or map another one (all types: docs/reference/value-fidelity.md); then run: seam resnapshot --system ${system} --table ${table} --yes`,
  });
}
