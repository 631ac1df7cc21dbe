/**
 * Tables that were read again and whose deletions were not carried out, as one row in Seam's own table in the source: until a later reading
 * sweeps the table, every display says so, with the command. The connector takes a signal of an unknown type for nothing.
 */
import type { Sighting } from '../../core/condition.ts';
import { putNote, readNote } from './signals.ts';
import type { SourceSession } from './source-session.ts';

const ID = 'seam-unswept';

export type Withheld = { readonly code: string; readonly message: string; readonly hint?: string | undefined };

/** By table. */
export type Unswept = Readonly<Record<string, Withheld>>;

export async function loadUnswept(session: SourceSession): Promise<Unswept> {
  return (await readNote<Unswept>(session, ID)) ?? {};
}

/** After a sweep of whole tables; the caller has the source's reading lock. `withheldOf` undefined: all was carried out. */
export async function noteSwept(
  session: SourceSession,
  tables: readonly string[],
  withheldOf: (table: string) => Withheld | undefined,
): Promise<void> {
  const before = await loadUnswept(session);
  const others = Object.entries(before).filter(([table]) => !tables.includes(table));
  const found = tables.flatMap((table): [string, Withheld][] => {
    const withheld = withheldOf(table);
    return withheld === undefined
      ? []
      : [[table, { code: withheld.code, message: withheld.message, hint: withheld.hint }]];
  });
  const after = [...others, ...found];
  if (after.length === 0 && Object.keys(before).length === 0) return;
  await putNote(session, ID, after.length === 0 ? undefined : Object.fromEntries(after));
}

/** Beside a condition that says the same of the table already there is nothing to add. Pure. */
export function withUnswept(found: readonly Sighting[], system: string, unswept: Unswept): Sighting[] {
  const isSaid = (table: string) =>
    found.some(({ object, healedBy }) => healedBy === 'reading' && object.kind === 'table' && object.table === table);
  const added = Object.entries(unswept)
    .filter(([table]) => !isSaid(table))
    .map(
      ([table, { code, message, hint }]): Sighting => ({
        id: code,
        severity: 'warning',
        object: { kind: 'table', system, table },
        text: `the last reading of it deleted nothing: ${message}`,
        next: hint ?? `seam resnapshot --system ${system} --table ${table} --yes`,
      }),
    );
  return [...found, ...added];
}
