/**
 * Which of the records that wait hold each other up, and nothing else does: rows that swap unique values, or that refer to each
 * other. Those that wait for a row which nobody here writes are left out, and so is everything that waits for them.
 */
import type { SqlValue } from '../../core/target.ts';
import { type Session, type UniqueIndex, VALUE_HELD } from '../dialects/dialect.ts';
import { column } from '../dialects/values.ts';
import type { CompiledTable } from './compile.ts';
import type { RowValues } from './evaluate.ts';
import type { Outcome } from './reduce.ts';
import { rowId } from './row-id.ts';

type Member = {
  readonly outcome: Outcome;
  readonly table: CompiledTable;
  readonly row: RowValues;
  /** What it writes, and what its row holds in other columns. */
  readonly values: Map<string, SqlValue>;
  /** As the database spells its key; undefined: its row is not there. */
  rowName: string | undefined;
  readonly blockers: Set<Member>;
  /** Its value is held by a row that nobody here writes. */
  isStuck: boolean;
};

export async function findRings(session: Session, outcomes: readonly Outcome[]): Promise<Outcome[][]> {
  const members = outcomes.flatMap((outcome) => memberOf(outcome) ?? []);
  for (const group of Map.groupBy(members, ({ table }) => table).values()) await readRows(session, group);
  const byRow = new Map(members.flatMap((one) => (one.rowName === undefined ? [] : [[one.rowName, one] as const])));
  for (const group of Map.groupBy(members, ({ table }) => table).values()) await noteHolders(session, group, byRow);
  noteParents(members);
  return ringsOf(closed(members));
}

function memberOf(outcome: Outcome): Member | undefined {
  const { table, decided } = outcome;
  if (decided === undefined || decided.row === 'ledger-only' || decided.row.kind === 'none') return undefined;
  const { row } = decided;
  const values = new Map<string, SqlValue>();
  for (const [index, { name }] of table.onInsert.entries()) values.set(name, row.onInsert[index] ?? null);
  for (const [index, { name }] of table.columns.entries()) {
    if (!row.absent.has(name)) values.set(name, row.columns[index] ?? null);
  }
  for (const [index, { name }] of table.key.entries()) values.set(name, row.key[index] ?? null);
  return { outcome, table, row, values, rowName: undefined, blockers: new Set(), isStuck: false };
}

/** Which rows are there, under the database's own spelling of their keys, and what they hold where nothing is written. */
async function readRows(session: Session, group: readonly Member[]): Promise<void> {
  const { table } = group[0] as Member;
  const { shape } = table;
  const indexed = [...new Set(shape.uniqueIndexes.flatMap(({ columns }) => columns))];
  const match = table.key.map(({ name }, index) =>
    column(
      name,
      group.map(({ row }) => row.key[index] ?? null),
    ),
  );
  const names = table.key.map(({ name }) => name);
  for (const { index, values } of await session.lookup(shape, { match, columns: [...names, ...indexed] })) {
    const member = group[index] as Member;
    member.rowName = rowId(shape.table, table.key, values.slice(0, names.length));
    const written = new Set([...table.columns, ...table.key].map(({ name }) => name));
    for (const [at, name] of indexed.entries()) {
      const isKept = !written.has(name) || member.row.absent.has(name);
      if (isKept) member.values.set(name, values[names.length + at] ?? null);
    }
  }
}

async function noteHolders(
  session: Session,
  group: readonly Member[],
  byRow: ReadonlyMap<string, Member>,
): Promise<void> {
  const { table } = group[0] as Member;
  for (const index of table.shape.uniqueIndexes) {
    if (!index.isPlain || isKeyOf(table, index)) continue;
    const asking = group.filter(({ values }) => index.columns.every((name) => (values.get(name) ?? null) !== null));
    if (asking.length === 0) continue;
    const match = index.columns.map((name) =>
      column(
        name,
        asking.map(({ values }) => values.get(name) ?? null),
      ),
    );
    const names = table.key.map(({ name }) => name);
    for (const { index: at, values } of await session.lookup(table.shape, { match, columns: names })) {
      const member = asking[at] as Member;
      const holderName = rowId(table.shape.table, table.key, values);
      if (holderName === member.rowName) continue;
      const holder = byRow.get(holderName);
      if (holder === undefined) member.isStuck = true;
      else member.blockers.add(holder);
    }
  }
}

function isKeyOf(table: CompiledTable, { columns }: UniqueIndex): boolean {
  return columns.length === table.key.length && table.key.every(({ name }) => columns.includes(name));
}

/** New rows that refer to new rows. */
function noteParents(members: readonly Member[]): void {
  for (const member of members) {
    for (const { parent, columns, parentColumns } of member.table.shape.foreignKeys) {
      const wanted = columns.map((name) => member.values.get(name) ?? null);
      if (wanted.includes(null)) continue;
      const found = members.find(
        (one) =>
          one.table.shape.table === parent &&
          one.rowName === undefined &&
          parentColumns.every((name, at) => String(one.values.get(name) ?? null) === String(wanted[at])),
      );
      if (found !== undefined && found !== member) member.blockers.add(found);
    }
  }
}

/** A partial index or one of an expression doesn't tell who holds a value: all such of a table are tried together. */
function isUnknown({ outcome, table, blockers }: Member): boolean {
  const isHeld = outcome.decided?.by.parked?.reasonCode === VALUE_HELD;
  return isHeld && blockers.size === 0 && table.shape.uniqueIndexes.some(({ isPlain }) => !isPlain);
}

/** Less those that are held up by somebody else, and all that wait for them. */
function closed(members: readonly Member[]): Member[] {
  let left = members.filter((one) => !one.isStuck && (one.blockers.size > 0 || isUnknown(one)));
  const isBlocker = new Set(left.flatMap(({ blockers }) => [...blockers]));
  left = members.filter((one) => left.includes(one) || (isBlocker.has(one) && !one.isStuck));
  for (;;) {
    const kept = new Set(left);
    const next = left.filter(({ blockers }) => [...blockers].every((one) => kept.has(one)));
    if (next.length === left.length) return next;
    left = next;
  }
}

function ringsOf(members: readonly Member[]): Outcome[][] {
  const rings = new Map<Member, Set<Member>>(members.map((one) => [one, new Set([one])]));
  const join = (left: Member, right: Member) => {
    const [into, from] = [rings.get(left) as Set<Member>, rings.get(right) as Set<Member>];
    if (into === from) return;
    for (const one of from) {
      into.add(one);
      rings.set(one, into);
    }
  };
  for (const one of members) for (const other of one.blockers) join(one, other);
  for (const group of Map.groupBy(members.filter(isUnknown), ({ table }) => table).values()) {
    for (const one of group) join(group[0] as Member, one);
  }
  return [...new Set(rings.values())]
    .filter((ring) => ring.size > 1)
    .map((ring) => [...ring].map(({ outcome }) => outcome));
}

/** Entities of tables that refer to each other in a circle, or to themselves: their new rows may only land together. */
export function circularEntities(tables: Iterable<CompiledTable>): ReadonlySet<string> {
  const all = [...tables];
  const parents = new Map(all.map(({ shape }) => [shape.table, shape.foreignKeys.map(({ parent }) => parent)]));
  const isCircular = (table: string) => {
    const seen = new Set<string>();
    const next = [...(parents.get(table) ?? [])];
    for (let one = next.pop(); one !== undefined; one = next.pop()) {
      if (one === table) return true;
      if (seen.has(one)) continue;
      seen.add(one);
      next.push(...(parents.get(one) ?? []));
    }
    return false;
  };
  return new Set(all.filter(({ shape }) => isCircular(shape.table)).map(({ entity }) => entity.entity));
}
