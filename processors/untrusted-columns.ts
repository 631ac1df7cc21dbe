/** Mapped columns whose values can't be trusted, told from the schema: one of them stops the table. */
import { ContractError } from '../core/errors.ts';
import type { Codecs } from './codecs.ts';
import type { CompiledTable } from './compile-mapping.ts';

/** ContractError NULL_HIDDEN or COLUMN_MANGLED. Columns that nothing reads may be as they like. */
export function refuseUntrusted(table: CompiledTable, codecs: Codecs, value: Uint8Array): void {
  const hidden = codecs.nullHidingColumns(value).filter((column) => table.columns.has(column));
  if (hidden.length > 0) throw nullsHidden(table, hidden);
  const mangled = [...codecs.mangledColumns(value)].filter(([column]) => table.columns.has(column));
  if (mangled.length > 0) throw columnsMangled(table, mangled);
}

function nullsHidden({ system, table }: CompiledTable, columns: readonly string[]): ContractError {
  return new ContractError({
    code: 'NULL_HIDDEN',
    message: `NULL and the default can't be told apart in ${columns.map((column) => `"${column}"`).join(', ')}`,
    where: `${system} ${table}`,
    hint: 'Connect writes the default in place of NULL: drop the default of the column, or make it NOT NULL',
  });
}

function columnsMangled(
  { system, table }: CompiledTable,
  columns: readonly (readonly [string, string])[],
): ContractError {
  return new ContractError({
    code: 'COLUMN_MANGLED',
    message: `the connector loses a part of ${columns.map(([column, loss]) => `"${column}" (${loss})`).join(', ')}`,
    where: `${system} ${table}`,
    hint: 'cure the column as said, or map another one; all types: docs/reference/value-fidelity.md',
  });
}
