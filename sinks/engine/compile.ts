/** A target's declaration joined with what its database says of the tables: made once at start, run for every record. */
import type { CanonicalFields, EntityDescription } from '../../core/canonical-record.ts';
import { Refusal } from '../../core/mapping.ts';
import type { Column, Effect, SqlValue, Target, TargetTable } from '../../core/target.ts';
import { heldFields } from '../../core/target.ts';
import type { TableShape } from '../dialects/dialect.ts';
import { fitOf } from './fit.ts';
import { type RowIdentity, rowIdentityOf } from './row-identity.ts';

export type CompiledColumn = {
  readonly name: string;
  readonly fields: readonly string[];
  /** Throws `Refusal`, naming the column and never the value. */
  readonly write: (fields: CanonicalFields) => SqlValue;
};

export type CompiledEffect = {
  readonly declaration: Effect;
  readonly shape: TableShape;
  readonly key: readonly CompiledColumn[];
};

export type CompiledTable = {
  /** Place in the target's declaration: parents come before children. */
  readonly order: number;
  readonly system: string;
  readonly entity: EntityDescription;
  readonly declaration: TargetTable;
  readonly shape: TableShape;
  readonly held: readonly string[];
  readonly key: readonly CompiledColumn[];
  readonly columns: readonly CompiledColumn[];
  readonly onInsert: readonly CompiledColumn[];
  readonly effects: readonly CompiledEffect[];
  readonly identity: RowIdentity;
  /** Written here and captured from here as well: hashes of what is written are kept to tell its echo. */
  readonly isBidirectional: boolean;
  /** Other entities with columns in the rows that this one makes. */
  readonly mates: readonly CompiledTable[];
  /** Another entity may make its row: the ledger keeps its newest record, to bring its columns back. */
  readonly isKept: boolean;
};

export type Entities = Readonly<Record<string, EntityDescription>>;

export function compileTarget(
  target: Target,
  entities: Entities,
  shapes: ReadonlyMap<string, TableShape>,
  bidirectional: readonly string[],
): CompiledTable[] {
  const tables = target.tables.map((declaration, order) => {
    const shape = shapeOf(shapes, declaration.table);
    const compile = (columns: Readonly<Record<string, Column>>, of: TableShape = shape) =>
      Object.entries(columns).map(([name, column]) => compileColumn(name, column, of));
    return {
      order,
      system: target.system,
      entity: entities[declaration.entity] as EntityDescription,
      declaration,
      shape,
      held: heldFields(declaration),
      key: compile(declaration.key),
      columns: compile(declaration.columns),
      onInsert: compile(declaration.onInsert),
      effects: declaration.effects.map((effect) => {
        const total = shapeOf(shapes, effect.table);
        return { declaration: effect, shape: total, key: compile(effect.key, total) };
      }),
      identity: rowIdentityOf(declaration, entities[declaration.entity] as EntityDescription, shape),
      isBidirectional: bidirectional.includes(declaration.entity),
      mates: [] as CompiledTable[],
      isKept: target.tables.some(
        (other) => other !== declaration && other.table === declaration.table && other.mode === 'upsert',
      ),
    };
  });
  for (const one of tables) {
    if (one.declaration.mode !== 'upsert') continue;
    one.mates.push(...tables.filter((other) => other !== one && other.declaration.table === one.declaration.table));
  }
  return tables;
}

function shapeOf(shapes: ReadonlyMap<string, TableShape>, table: string): TableShape {
  return shapes.get(table) as TableShape;
}

function compileColumn(name: string, column: Column, shape: TableShape): CompiledColumn {
  const found = shape.columns.get(name);
  const fits = found === undefined ? undefined : fitOf(found);
  const write = (fields: CanonicalFields): SqlValue => {
    const value = convert(name, column, fields);
    if (fits !== undefined && !fits(value)) throw new Refusal('VALUE_ROUNDED', `"${name}" would round the value`);
    return value;
  };
  return { name, fields: column.fields, write };
}

/** A converter that fails on one value must not stop the other keys; its error's text may hold the value. */
function convert(name: string, column: Column, fields: CanonicalFields): SqlValue {
  try {
    return column.write(fields);
  } catch (error) {
    if (error instanceof Refusal) throw new Refusal(error.code, `"${name}" ${error.reason}`);
    const kind = error instanceof Error ? error.name : 'an unknown error';
    throw new Refusal('CONVERTER_FAILED', `"${name}": its converter failed with ${kind}`);
  }
}
