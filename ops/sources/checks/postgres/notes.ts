/**
 * What each table was when it was last read whole, and what it lost since, as one row in Seam's own table in the source: it must outlive
 * every worker, and more than one may look. The connector takes a signal of an unknown type for nothing.
 */
import type { SourceSession } from '../../../resnapshot/source-session.ts';
import type { TableShape } from './shapes.ts';

const ID = 'seam-tables';
const ATTEMPTS_MAX = 10;

export type TableNote = {
  readonly shape: TableShape;
  /** Why the log did not tell all changes since: the id of a condition that held. */
  readonly lacks?: string;
  /** Its shape when a reading began that is not finished yet. */
  readonly reading?: TableShape;
  /** As `lacks`, since that reading began. */
  readonly lacksAgain?: string;
};
export type Notes = Readonly<Record<string, TableNote>>;

type Stored = { readonly notes: Notes; readonly text: string };

export async function loadNotes(session: SourceSession): Promise<Notes | undefined> {
  return (await load(session))?.notes;
}

/** Tries again where another one stored something at the same time. `change` answers undefined where nothing is to be stored. */
export async function changeNotes(
  session: SourceSession,
  change: (notes: Notes | undefined) => Notes | undefined,
): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const stored = await load(session);
    const notes = change(stored?.notes);
    const text = JSON.stringify(notes);
    if (notes === undefined || text === stored?.text) return;
    if (await store(session, text, stored)) return;
  }
}

async function load(session: SourceSession): Promise<Stored | undefined> {
  const [row] = await session.query<{ data: string }>('SELECT data FROM seam.signal WHERE id = ?', [ID]);
  return row === undefined ? undefined : { notes: JSON.parse(row.data) as Notes, text: row.data };
}

async function store(session: SourceSession, text: string, before: Stored | undefined): Promise<boolean> {
  const rows =
    before === undefined
      ? await session.query(
          'INSERT INTO seam.signal (id, type, data) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING RETURNING id',
          [ID, ID, text],
        )
      : await session.query('UPDATE seam.signal SET data = ? WHERE id = ? AND data = ? RETURNING id', [
          text,
          ID,
          before.text,
        ]);
  return rows.length > 0;
}
