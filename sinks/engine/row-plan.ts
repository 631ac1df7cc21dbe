/** The target's own rows: writes collected by table, kind and column set, one array for each column. */
import type { SqlValue } from '../../core/target.ts';
import type { TableShape, Values } from '../dialects/dialect.ts';
import type { CompiledColumn, CompiledTable } from './compile.ts';
import type { RowValues } from './evaluate.ts';

export type RowGroup = {
  readonly kind: 'remove' | 'upsert' | 'update';
  readonly shape: TableShape;
  readonly key: readonly Values[];
  readonly columns: readonly Values[];
  readonly onInsert: readonly Values[];
};

/** A row whose key the database assigns. */
export type AssignedInsert = {
  readonly table: CompiledTable;
  readonly key: string;
  readonly columns: readonly Values[];
};

/** The target's own newest value, written over what Seam wrote before; an equal row is left alone. */
export type WriteBack = {
  readonly table: CompiledTable;
  readonly key: string;
  readonly group: RowGroup;
  /** What Seam wrote last may be the same: a row that holds it doesn't prove that the target wrote it. */
  readonly isLikeOurs: boolean;
};

export type RowWrites = {
  /** In the order of execution: removals from children to parents, then rows from parents to children, updates last. */
  readonly groups: readonly RowGroup[];
  readonly assigned: readonly AssignedInsert[];
  readonly writeBacks: readonly WriteBack[];
};

type PutOptions = {
  readonly localKey: string | undefined;
  readonly wasDeleted: boolean;
  readonly writeBack: { readonly isLikeOurs: boolean } | undefined;
};
type Pair = readonly [column: string, value: SqlValue];
type Building = { readonly rank: number; readonly group: RowGroup };

const ORDERS = 10_000;

export class RowPlan {
  readonly #groups = new Map<string, Building>();
  readonly #assigned: AssignedInsert[] = [];
  readonly #writeBacks: WriteBack[] = [];

  put(table: CompiledTable, key: string, row: RowValues, options: PutOptions): void {
    const { declaration, shape } = table;
    const columns = pairs(table.columns, row.columns, row.absent);
    const onInsert = pairs(table.onInsert, row.onInsert, row.absent);
    const keyPairs = pairs(table.key, row.key);
    if (options.writeBack !== undefined) {
      this.#writeBacks.push({
        table,
        key,
        group: single(shape, addressOf(table, keyPairs, options.localKey), columns),
        ...options.writeBack,
      });
    } else if (declaration.assignedKey !== undefined) {
      const isNew = options.localKey === undefined || (options.wasDeleted && declaration.onDelete === 'delete');
      if (isNew)
        this.#assigned.push({ table, key, columns: single(shape, [], [...keyPairs, ...columns, ...onInsert]).columns });
      else this.#add('update', table, addressOf(table, keyPairs, options.localKey), columns, []);
    } else {
      this.#add(declaration.mode, table, keyPairs, columns, declaration.mode === 'upsert' ? onInsert : []);
    }
  }

  takeAway(table: CompiledTable, key: readonly SqlValue[], localKey: string | undefined): void {
    const { onDelete, assignedKey } = table.declaration;
    if (onDelete === 'keep' || (assignedKey !== undefined && localKey === undefined)) return;
    const address = addressOf(table, pairs(table.key, key), localKey);
    if (onDelete === 'delete') this.#add('remove', table, address, [], []);
    else this.#add('update', table, address, Object.entries(onDelete.set), []);
  }

  /** Another entity's columns, in a row that is made again: after it is there. */
  bringBack(table: CompiledTable, row: RowValues): void {
    const made = table.declaration.mode === 'upsert' ? pairs(table.onInsert, row.onInsert, row.absent) : [];
    const columns = [...pairs(table.columns, row.columns, row.absent), ...made];
    this.#add('update', table, pairs(table.key, row.key), columns, []);
  }

  finish(): RowWrites {
    const groups = [...this.#groups.values()].sort((left, right) => left.rank - right.rank).map(({ group }) => group);
    return { groups, assigned: this.#assigned, writeBacks: this.#writeBacks };
  }

  #add(
    kind: RowGroup['kind'],
    table: CompiledTable,
    key: readonly Pair[],
    columns: readonly Pair[],
    onInsert: readonly Pair[],
  ): void {
    if (kind === 'update' && columns.length === 0) return;
    const signature = `${kind}\n${table.order}\n${[...columns, ...onInsert].map(([name]) => name).join('\n')}`;
    let building = this.#groups.get(signature);
    if (building === undefined) {
      const group = { kind, shape: table.shape, key: empty(key), columns: empty(columns), onInsert: empty(onInsert) };
      building = { rank: rankOf(kind, table.order), group };
      this.#groups.set(signature, building);
    }
    append(building.group.key, key);
    append(building.group.columns, columns);
    append(building.group.onInsert, onInsert);
  }
}

function rankOf(kind: RowGroup['kind'], order: number): number {
  switch (kind) {
    case 'remove':
      return -order;
    case 'upsert':
      return ORDERS + order;
    case 'update':
      return 2 * ORDERS + order;
  }
}

/** Rows with an assigned key are found by it, all others by their declared key. */
function addressOf(table: CompiledTable, key: readonly Pair[], localKey: string | undefined): readonly Pair[] {
  const { assignedKey } = table.declaration;
  return assignedKey === undefined || localKey === undefined ? key : [[assignedKey.column, localKey]];
}

function pairs(columns: readonly CompiledColumn[], values: readonly SqlValue[], absent?: ReadonlySet<string>): Pair[] {
  const found: Pair[] = [];
  for (let index = 0; index < columns.length; index += 1) {
    const { name } = columns[index] as CompiledColumn;
    if (absent === undefined || absent.size === 0 || !absent.has(name)) found.push([name, values[index] as SqlValue]);
  }
  return found;
}

function empty(columns: readonly Pair[]): Values[] {
  return columns.map(([column]) => ({ column, values: [] }));
}

function append(columns: readonly Values[], row: readonly Pair[]): void {
  for (let index = 0; index < row.length; index += 1) {
    ((columns[index] as Values).values as SqlValue[]).push((row[index] as Pair)[1]);
  }
}

function single(shape: TableShape, key: readonly Pair[], columns: readonly Pair[]): RowGroup {
  const group = { kind: 'update' as const, shape, key: empty(key), columns: empty(columns), onInsert: [] };
  append(group.key, key);
  append(group.columns, columns);
  return group;
}
