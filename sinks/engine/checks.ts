/** What must be right before the first record: every fault is listed at once. */
import { ContractError } from '../../core/errors.ts';
import type { Target, TargetTable } from '../../core/target.ts';
import { SIDE_TABLES, type Session, type TableShape } from '../dialects/dialect.ts';
import type { Entities } from './compile.ts';
import type { SideTables } from './side-tables.ts';

export type Shapes = {
  readonly side: SideTables;
  readonly tables: ReadonlyMap<string, TableShape>;
  /** Tables that can't be written as they are now. */
  readonly halted: readonly TableFaults[];
};

/** `isHaltable`: a table that this sink wrote before; what is wrong with it stops it alone, and is answered. */
export async function describeTarget(
  session: Session,
  target: Target,
  entities: Entities,
  isHaltable: (side: SideTables, table: TargetTable) => Promise<boolean> = async () => false,
): Promise<Shapes> {
  const own = target.tables.flatMap(({ table, effects }) => [table, ...effects.map((effect) => effect.table)]);
  const side = Object.values(SIDE_TABLES);
  const shapes = await session.describe([...new Set([...own, ...side])]);
  const faults = [...sideFaults(shapes), ...declarationFaults(target, entities)];
  const sideTables = Object.entries(SIDE_TABLES).map(([name, table]) => [name, shapes.get(table)]);
  const described = { side: Object.fromEntries(sideTables) as SideTables, tables: shapes };
  const halted: TableFaults[] = [];
  for (const declaration of target.tables) {
    const found = tableFaults(declaration, shapes, entities);
    if (found.length === 0) continue;
    if (faults.length === 0 && (await isHaltable(described.side, declaration)))
      halted.push({ declaration, faults: found });
    else faults.push(...found);
  }
  if (faults.length > 0) throw mismatch(target, faults);
  return { ...described, halted };
}

export type TableFaults = { readonly declaration: TargetTable; readonly faults: readonly string[] };

/** Of a table that is not there now. */
export function emptyShape(table: string): TableShape {
  return { table, columns: new Map(), uniqueKeys: [], uniqueIndexes: [], foreignKeys: [], missingPrivileges: [] };
}

function mismatch(target: Target, faults: readonly string[]): ContractError {
  return new ContractError({
    code: 'TARGET_MISMATCH',
    message: `${faults.length} fault${faults.length === 1 ? '' : 's'} between target "${target.system}" and its database\n${faults.map((fault) => `    - ${fault}`).join('\n')}`,
    where: `sinks/targets/${target.system}/target.ts`,
    hint: `the side schema and the rights come from: seam setup apply ${target.system} --yes`,
  });
}

function sideFaults(shapes: ReadonlyMap<string, TableShape>): string[] {
  return Object.values(SIDE_TABLES).flatMap((table) => {
    const shape = shapes.get(table);
    if (shape === undefined) return [`side table ${table} is missing or hidden`];
    if (isOfEarlierVersion(shape)) return [`side table ${table} is of an earlier version of Seam`];
    return privilegeFaults(shape, ['SELECT', 'INSERT', 'UPDATE', 'DELETE']);
  });
}

/** What the newest side-schema.sql brings to tables that were there before. */
function isOfEarlierVersion(shape: TableShape): boolean {
  switch (shape.table) {
    case SIDE_TABLES.applied:
      return !shape.columns.has('source_table');
    case SIDE_TABLES.parked:
      return !isUnique(shape, ['topic', 'partition', 'offset', 'key']);
    default:
      return false;
  }
}

function privilegeFaults(shape: TableShape, needed: readonly string[]): string[] {
  const lacking = needed.filter((privilege) => shape.missingPrivileges.includes(privilege));
  return lacking.length === 0 ? [] : [`${shape.table}: the sink's user lacks ${lacking.join(', ')}`];
}

function declarationFaults({ tables }: Target, entities: Entities): string[] {
  const faults: string[] = [];
  const repeated = (names: readonly string[]) => names.filter((name, index) => names.indexOf(name) !== index);
  for (const entity of repeated(tables.map((table) => table.entity))) faults.push(`entity ${entity} is declared twice`);
  const effectNames = tables.flatMap(({ effects }) => effects.map(({ name }) => name));
  for (const name of repeated(effectNames)) faults.push(`effect "${name}" is declared twice`);
  for (const { entity } of tables) if (entities[entity] === undefined) faults.push(`entity ${entity} is unknown`);
  return faults;
}

export function tableFaults(
  declaration: TargetTable,
  shapes: ReadonlyMap<string, TableShape>,
  entities: Entities,
): string[] {
  const { table, entity, mode, onDelete, assignedKey } = declaration;
  const shape = shapes.get(table);
  if (shape === undefined)
    return [`table ${table} is missing or hidden`, ...effectFaults(declaration, shapes, entities)];
  const needed = ['SELECT', 'UPDATE'];
  if (mode === 'upsert') needed.push('INSERT');
  if (onDelete === 'delete') needed.push('DELETE');
  const setOnDelete = typeof onDelete === 'object' ? Object.keys(onDelete.set) : [];
  const keyNames = Object.keys(declaration.key);
  const written = [...keyNames, ...Object.keys(declaration.columns), ...Object.keys(declaration.onInsert)];
  if (assignedKey !== undefined) written.push(assignedKey.column);
  const faults = [...privilegeFaults(shape, needed), ...missingColumns(shape, [...written, ...setOnDelete])];
  const keyOfEntity = entities[entity]?.key ?? [];
  for (const [name, column] of Object.entries(declaration.key)) {
    const foreign = column.fields.filter((field) => !keyOfEntity.includes(field));
    if (foreign.length > 0)
      faults.push(`${table}.${name}: a key column reads ${foreign.join(', ')}, which a deletion doesn't carry`);
  }
  if (mode === 'update' && onDelete === 'delete') {
    faults.push(
      `${table}: an update of rows that another entity makes can't delete them; use onDelete: { set: … } or 'keep'`,
    );
  }
  if (mode === 'upsert') faults.push(...upsertFaults(declaration, shape, keyNames, written));
  return [...faults, ...effectFaults(declaration, shapes, entities)];
}

function upsertFaults(
  declaration: TargetTable,
  shape: TableShape,
  key: readonly string[],
  written: readonly string[],
): string[] {
  const faults: string[] = [];
  const unique = declaration.assignedKey === undefined ? key : [declaration.assignedKey.column];
  if (!isUnique(shape, unique)) faults.push(`${shape.table}: (${unique.join(', ')}) is no primary key or unique index`);
  for (const { name, nullable, hasDefault } of shape.columns.values()) {
    if (!nullable && !hasDefault && !written.includes(name)) {
      faults.push(`${shape.table}.${name} is NOT NULL without default and is not written`);
    }
  }
  return faults;
}

function effectFaults(
  { effects, entity }: TargetTable,
  shapes: ReadonlyMap<string, TableShape>,
  entities: Entities,
): string[] {
  return effects.flatMap(({ name, table, key, column, amount, whenMissing }) => {
    const shape = shapes.get(table);
    if (shape === undefined) return [`effect "${name}": table ${table} is missing or hidden`];
    const keyNames = Object.keys(key);
    const needed = whenMissing === 'insert' ? ['SELECT', 'INSERT', 'UPDATE'] : ['SELECT', 'UPDATE'];
    const faults = [...privilegeFaults(shape, needed), ...missingColumns(shape, [...keyNames, column])];
    if (!isUnique(shape, keyNames)) faults.push(`effect "${name}": (${keyNames.join(', ')}) is no key of ${table}`);
    const field = entities[entity]?.fields.find((candidate) => candidate.name === amount);
    const scale =
      field?.type === 'decimal' ? field.scale : field?.type === 'int' || field?.type === 'long' ? 0 : undefined;
    if (scale === undefined) return [...faults, `effect "${name}": field ${amount} of ${entity} is no number`];
    const held = shape.columns.get(column)?.scale;
    if (held !== undefined && held < scale)
      faults.push(`effect "${name}": ${table}.${column} would round amounts of ${scale} decimals`);
    return faults;
  });
}

function missingColumns(shape: TableShape, names: readonly string[]): string[] {
  return names.filter((name) => !shape.columns.has(name)).map((name) => `${shape.table} has no column "${name}"`);
}

function isUnique(shape: TableShape, columns: readonly string[]): boolean {
  const wanted = [...columns].sort().join('\n');
  return shape.uniqueKeys.some((key) => [...key].sort().join('\n') === wanted);
}
