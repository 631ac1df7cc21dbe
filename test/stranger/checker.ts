/**
 * Do targets hold what their sources hold? Reads both by its own SQL and compares texts. It shares no code with the engine and
 * none with `verify`: what it expects of a value is in `types.ts`.
 */
import type { Session } from './databases.ts';
import { type Kind, type Names, named, placed, quoted, type TablePlan } from './plan.ts';
import { TARGETS } from './meanings.ts';
import { typeNamed } from './types.ts';

export type Rows = Map<string, readonly (string | null)[]>;
export type Difference = {
  readonly kind: 'missing' | 'extra' | 'different';
  readonly key: string;
  readonly columns: readonly string[];
};
export type Compared = {
  readonly source: Rows;
  readonly target: Rows;
  readonly differences: readonly Difference[];
  readonly error?: string;
};

/** Tables of one entity, which have one target. */
export async function compare(
  tables: readonly TablePlan[],
  names: Names,
  sessions: Readonly<Record<Kind, Session>>,
): Promise<Compared> {
  const first = tables[0] as TablePlan;
  const source: Rows = new Map();
  try {
    for (const table of tables)
      for (const [key, row] of await readSource(table, names, sessions[table.kind])) source.set(key, row);
    const target = await readTarget(first, names, sessions[first.target.kind]);
    return { source, target, differences: differencesOf(first, source, target) };
  } catch (error) {
    return { source, target: new Map(), differences: [], error: (error as Error).message };
  }
}

export function differencesOf(table: TablePlan, source: Rows, target: Rows): Difference[] {
  const found: Difference[] = [];
  const names = table.columns.filter(({ isKey }) => !isKey).map(({ name }) => name);
  for (const [key, row] of source) {
    const other = target.get(key);
    if (other === undefined) found.push({ kind: 'missing', key, columns: [] });
    else {
      const columns = names.filter((_, place) => row[place] !== other[place]);
      if (columns.length > 0) found.push({ kind: 'different', key, columns });
    }
  }
  for (const key of target.keys()) if (!source.has(key)) found.push({ kind: 'extra', key, columns: [] });
  return found;
}

export async function readSource(table: TablePlan, names: Names, session: Session): Promise<Rows> {
  const { kind, columns } = table;
  const keys = columns.filter(({ isKey }) => isKey);
  const others = columns.filter(({ isKey }) => !isKey);
  const text = (column: { name: string; type: string }) =>
    typeNamed(kind, column.type).text.replaceAll('?', () => quoted(kind, column.name));
  const sql = `SELECT ${[...keys, ...others].map(text).join(', ')} FROM ${named(placed(kind, table.name), names)}`;
  const rows: Rows = new Map();
  const doubles = others.map(({ type }) => typeNamed(kind, type).target === 'double');
  for (const cells of await session.rows(sql)) {
    const key = cells.slice(0, keys.length).map(plain);
    const refused = table.target.refusesKeysEndingIn;
    if (refused?.includes(`${table.tag}${key[0]}`.slice(-1))) continue;
    rows.set(
      keyText([`${table.tag}${key[0]}`, ...key.slice(1)]),
      cells.slice(keys.length).map((cell, place) => normal(cell, doubles[place] ?? false)),
    );
  }
  return rows;
}

export async function readTarget(table: TablePlan, names: Names, session: Session): Promise<Rows> {
  const { target } = table;
  const keys = table.columns.filter(({ isKey }) => isKey);
  const others = table.columns.filter(({ isKey }) => !isKey);
  const meaning = (type: string, isKey: boolean) =>
    table.tag !== '' && isKey ? 'text' : typeNamed(table.kind, type).target;
  const text = (name: string | undefined, type: string, isKey: boolean) =>
    TARGETS[target.kind][meaning(type, isKey)].text.replaceAll('?', () => quoted(target.kind, name ?? ''));
  const selected = [
    ...keys.map(({ type }, place) => text(target.keyColumns[place], type, true)),
    ...others.map(({ type }, place) => text(target.columns[place], type, false)),
  ];
  const rows: Rows = new Map();
  const doubles = others.map(({ type }) => typeNamed(table.kind, type).target === 'double');
  for (const cells of await session.rows(
    `SELECT ${selected.join(', ')} FROM ${named(placed(target.kind, target.name), names)}`,
  )) {
    rows.set(
      keyText(cells.slice(0, keys.length).map(plain)),
      cells.slice(keys.length).map((cell, place) => normal(cell, doubles[place] ?? false)),
    );
  }
  return rows;
}

const keyText = (parts: readonly (string | null)[]) => parts.join(' | ');
const plain = (cell: unknown) => (cell === null ? null : String(cell));

/** The two kinds print one double in two ways. */
function normal(cell: unknown, isDouble: boolean): string | null {
  if (cell === null || cell === undefined) return null;
  const value = Buffer.isBuffer(cell) ? cell.toString('utf8') : String(cell);
  return isDouble ? String(Number(value)) : value;
}
