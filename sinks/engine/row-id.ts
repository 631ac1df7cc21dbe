import type { SqlValue } from '../../core/target.ts';

/** Names a row across declarations: `pos.cust` is written by members and by their contacts. */
export function rowId(
  table: string,
  columns: readonly { readonly name: string }[],
  values: readonly SqlValue[],
): string {
  const parts = columns.map(({ name }, index) => `${name}=${String(values[index])}`);
  return `${table}\n${parts.sort().join('\n')}`;
}
