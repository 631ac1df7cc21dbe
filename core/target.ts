/**
 * A target system's declaration: canonical records → rows of its tables. sinks/targets/<system>/target.ts is written with
 * these words. Nothing here knows a database: the dialects do.
 */
import type { CanonicalTypes, EntityName } from '../avro/generated/records.ts';
import type { CanonicalFields, CanonicalValue } from './canonical-record.ts';

/** What a dialect can bind. Decimal, date and time values are text in the form that both databases read. */
export type SqlValue = string | number | bigint | boolean | Uint8Array | null;

/** One canonical value → one column value. Throws `Refusal` (core/mapping.ts) where the column can't hold it: never cut, never rounded. */
export type ColumnConverter = (value: CanonicalValue) => SqlValue;

export type Column = {
  /** Canonical fields read; empty for a constant. */
  readonly fields: readonly string[];
  readonly write: (fields: CanonicalFields) => SqlValue;
  /** undefined: nothing is known of which values become one. */
  readonly usual?: Usual | undefined;
};

/** Of several canonical values that a converter makes one column value of: the usual one. `7` and `007` are padded to one text. */
export type Usual = {
  readonly is: (value: CanonicalValue) => boolean;
  /** From the column's own text. */
  readonly of: (text: string) => string;
};

const ALWAYS: Usual = { is: () => true, of: (text) => text };
const usuals = new WeakMap<ColumnConverter, Usual>();

/** Without `usual`: no two values become one. */
export function keepsApart(convert: ColumnConverter, usual: Usual = ALWAYS): ColumnConverter {
  usuals.set(convert, usual);
  return convert;
}

/** Does its converter keep all values apart? */
export function isOneToOne({ usual }: Column): boolean {
  return usual === ALWAYS;
}

type FieldName<E extends EntityName> = keyof CanonicalTypes[E] & string;

/** `to('phone')`, `to('soldAt', localTime('Europe/Berlin'))` */
export function to(field: string, convert: ColumnConverter = plain): Column {
  return { fields: [field], write: (fields) => convert(fields[field] ?? null), usual: usuals.get(convert) };
}

export function fixed(value: SqlValue): Column {
  return { fields: [], write: () => value };
}

function plain(value: CanonicalValue): SqlValue {
  return value;
}
keepsApart(plain);

/**
 * A total kept beside the rows: `column` of the row of `table` named by `key` changes by exactly what the ledger says is
 * new. A corrected record adds the difference, a deleted one takes its amount back, a replay adds nothing.
 */
export type Effect = {
  /** Stable name: the ledger of amounts is kept under it. */
  readonly name: string;
  readonly table: string;
  readonly key: Readonly<Record<string, Column>>;
  readonly column: string;
  /** Canonical field holding the amount: int, long or decimal. */
  readonly amount: string;
  /** `insert`: a missing total row is made, starting from zero; `wait`: the record waits until it exists. */
  readonly whenMissing: 'insert' | 'wait';
};

export type TargetTable = {
  readonly table: string;
  readonly entity: EntityName;
  /** `upsert` makes the row; `update` waits until another entity's record has made it. */
  readonly mode: 'upsert' | 'update';
  readonly key: Readonly<Record<string, Column>>;
  readonly columns: Readonly<Record<string, Column>>;
  /** Written when the row is made and never again: the target owns them from then on. */
  readonly onInsert: Readonly<Record<string, Column>>;
  /** `delete` the row, `keep` it, or set columns (a legacy flag such as `del_fg = 'Y'`). */
  readonly onDelete: 'delete' | 'keep' | { readonly set: Readonly<Record<string, SqlValue>> };
  /** Records this target doesn't hold: a record that stops passing is removed like a deleted one. */
  readonly accepts: ((fields: CanonicalFields) => boolean) | undefined;
  readonly effects: readonly Effect[];
  /** The table's key is assigned by the database: `column` is returned on insert and kept in the identity map. */
  readonly assignedKey: { readonly column: string } | undefined;
};

type TableDeclaration<E extends EntityName> = {
  key: Record<string, Column>;
  columns: Record<string, Column>;
  onInsert?: Record<string, Column>;
  onDelete: TargetTable['onDelete'];
  accepts?: (fields: CanonicalTypes[E]) => boolean;
  effects?: readonly Effect[];
  assignedKey?: { column: string };
};

export function upsert<E extends EntityName>(table: string, entity: E, declaration: TableDeclaration<E>): TargetTable {
  return tableOf(table, entity, 'upsert', declaration);
}

export function update<E extends EntityName>(table: string, entity: E, declaration: TableDeclaration<E>): TargetTable {
  return tableOf(table, entity, 'update', declaration);
}

/** `adds({ name: 'stock', table: 'erp.stk', key: {…}, column: 'qoh', amount: 'quantity' })` */
export function adds(effect: Omit<Effect, 'whenMissing'> & { whenMissing?: Effect['whenMissing'] }): Effect {
  return { whenMissing: 'insert', ...effect };
}

function tableOf<E extends EntityName>(
  table: string,
  entity: E,
  mode: TargetTable['mode'],
  declaration: TableDeclaration<E>,
): TargetTable {
  return {
    table,
    entity,
    mode,
    key: declaration.key,
    columns: declaration.columns,
    onInsert: declaration.onInsert ?? {},
    onDelete: declaration.onDelete,
    accepts: declaration.accepts as TargetTable['accepts'],
    effects: declaration.effects ?? [],
    assignedKey: declaration.assignedKey,
  };
}

export type DialectName = 'postgres' | 'mariadb';

export type Target = {
  readonly system: string;
  readonly dialect: DialectName;
  /** At most one table for each entity. */
  readonly tables: readonly TargetTable[];
};

export function defineTarget(target: Target): Target {
  return target;
}

/** Canonical fields that this table's row holds, in a fixed order: what its ledger hash is taken over. */
export function heldFields(table: TargetTable): string[] {
  const held = new Set<string>();
  for (const column of Object.values(table.columns)) for (const field of column.fields) held.add(field);
  return [...held].sort();
}

export type { FieldName };
