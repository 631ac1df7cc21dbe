/** One record → the values that its table's row and totals shall have. Pure; throws `Refusal` where a column can't hold one. */
import { canonicalHash } from '../../core/canonical-hash.ts';
import type { CanonicalFields, CanonicalValue } from '../../core/canonical-record.ts';
import { keyFields } from '../../core/canonical-record.ts';
import { Refusal } from '../../core/mapping.ts';
import type { SqlValue } from '../../core/target.ts';
import type { CompiledColumn, CompiledEffect, CompiledTable } from './compile.ts';
import { groupText } from './effects.ts';
import type { Candidate } from './record.ts';
import { NO_HASH } from './side-tables.ts';

/** The values to write; `absent` columns are left as they are. */
export type RowValues = {
  readonly kind: 'row';
  readonly hash: Uint8Array;
  readonly key: readonly SqlValue[];
  readonly columns: readonly SqlValue[];
  readonly onInsert: readonly SqlValue[];
  /** Columns and on-insert columns whose fields this record doesn't carry. */
  readonly absent: ReadonlySet<string>;
  readonly shares: readonly Share[];
};

/** No row: the key is gone, or this target doesn't hold it (`isForeign`: then a row that Seam never wrote stays). */
export type NoRow = { readonly kind: 'none'; readonly key: readonly SqlValue[]; readonly isForeign: boolean };

/** What one key adds to one total. */
export type Share = {
  readonly effect: CompiledEffect;
  readonly groupKey: readonly SqlValue[];
  readonly groupText: string;
  /** undefined: the record doesn't carry it, the earlier amount stays. */
  readonly amount: string | undefined;
};

export type Merged = { readonly fields: CanonicalFields | null; readonly absent: readonly string[] };

/** The record at `index` with its absent fields filled from older records of the key, back to the last deletion. */
export function mergeAbsent(candidates: readonly Candidate[], index: number): Merged {
  const { value, meta } = (candidates[index] as Candidate).record;
  if (value === null || meta.absent.length === 0) return { fields: value, absent: [] };
  const fields: Record<string, CanonicalValue> = { ...value };
  let missing = meta.absent;
  for (let older = index - 1; older >= 0 && missing.length > 0; older -= 1) {
    const { record } = candidates[older] as Candidate;
    if (record.value === null) break;
    const { value: carried, meta: olderMeta } = record;
    for (const name of missing) if (!olderMeta.absent.includes(name)) fields[name] = carried[name] ?? null;
    missing = missing.filter((name) => olderMeta.absent.includes(name));
  }
  return { fields, absent: missing };
}

export function evaluate(table: CompiledTable, key: string, merged: Merged): RowValues | NoRow {
  const { fields } = merged;
  const { accepts } = table.declaration;
  if (fields === null || (accepts !== undefined && !accepts(fields as never))) {
    const values = writeAll(table.key, keyFields(table.entity, key));
    return { kind: 'none', key: values, isForeign: fields !== null };
  }
  const absent = merged.absent.length === 0 ? NONE : absentColumns(table, merged.absent);
  return {
    kind: 'row',
    hash: hashOf(table, merged),
    key: writeAll(table.key, fields),
    columns: writeAll(table.columns, fields, absent),
    onInsert: writeAll(table.onInsert, fields, absent),
    absent,
    shares:
      table.effects.length === 0 ? NO_SHARES : table.effects.map((effect) => share(effect, fields, merged.absent)),
  };
}

/** Empty where the contents aren't wholly known. */
export function hashOf(table: CompiledTable, { fields, absent }: Merged): Uint8Array {
  if (fields === null || absent.some((name) => table.held.includes(name))) return NO_HASH;
  return canonicalHash(fields, table.held);
}

const NONE: ReadonlySet<string> = new Set();
const NO_VALUES: readonly SqlValue[] = [];
const NO_SHARES: readonly Share[] = [];

function absentColumns(table: CompiledTable, names: readonly string[]): ReadonlySet<string> {
  const columns = [...table.columns, ...table.onInsert];
  return new Set(columns.filter(({ fields }) => fields.some((field) => names.includes(field))).map(({ name }) => name));
}

function writeAll(
  columns: readonly CompiledColumn[],
  fields: CanonicalFields,
  absent: ReadonlySet<string> = NONE,
): readonly SqlValue[] {
  if (columns.length === 0) return NO_VALUES;
  // an array that is pushed to has room for sixteen more
  const values = new Array<SqlValue>(columns.length);
  for (let index = 0; index < columns.length; index += 1) {
    const { name, write } = columns[index] as CompiledColumn;
    values[index] = absent.size > 0 && absent.has(name) ? null : write(fields);
  }
  return values;
}

function share(effect: CompiledEffect, fields: CanonicalFields, absent: readonly string[]): Share {
  const { key, declaration } = effect;
  if (key.some((column) => column.fields.some((field) => absent.includes(field)))) {
    throw new Refusal('TOTAL_UNKNOWN', `the record doesn't carry the key of the total "${declaration.name}"`);
  }
  const groupKey = writeAll(key, fields);
  return { effect, groupKey, groupText: groupText(groupKey), amount: amountOf(effect, fields, absent) };
}

function amountOf(effect: CompiledEffect, fields: CanonicalFields, absent: readonly string[]): string | undefined {
  const name = effect.declaration.amount;
  if (absent.includes(name)) return undefined;
  return String(fields[name] ?? 0);
}
