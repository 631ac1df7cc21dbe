/** Which captured tables a change of another table changes, by the rules of their foreign keys. */
import type { CheckedSource } from '../../check.ts';
import { changingKeys, type ForeignKey } from '../foreign-keys.ts';

export type Parent = {
  /** Tables that a deletion there changes, over any number of steps. */
  readonly byDeletion: readonly string[];
  /** Tables that a new key there changes, by the columns of the key. */
  readonly byKey: readonly { readonly columns: readonly string[]; readonly tables: readonly string[] }[];
};

export type Parents = ReadonlyMap<string, Parent>;

/** By `<database>.<table>` in small letters. */
export async function parentsOf({ session, tables }: CheckedSource): Promise<Parents> {
  const keys: ForeignKey[] = [];
  // a table that is missing or not granted is for another check
  for (const table of tables) keys.push(...(await changingKeys(session, table).catch(() => [])));
  return new Map(keys.map(({ parent }) => [parent.toLowerCase(), parentOf(parent, keys)]));
}

function parentOf(parent: string, keys: readonly ForeignKey[]): Parent {
  const own = keys.filter((key) => isSame(key.parent, parent));
  const onUpdate = own.filter((key) => key.onUpdate !== '');
  return {
    byDeletion: reached(
      own.filter((key) => key.onDelete !== ''),
      keys,
    ),
    byKey: onUpdate.map((key) => ({ columns: key.parentColumns, tables: reached([key], keys) })),
  };
}

/** Children of children are changed by the same statement. */
function reached(first: readonly ForeignKey[], keys: readonly ForeignKey[]): string[] {
  const found = new Set<string>();
  const visit = (next: readonly ForeignKey[]) => {
    for (const { child } of next) {
      if (found.has(child)) continue;
      found.add(child);
      visit(keys.filter(({ parent }) => isSame(parent, child)));
    }
  };
  visit(first);
  return [...found];
}

function isSame(left: string, right: string): boolean {
  return left.toLowerCase() === right.toLowerCase();
}
