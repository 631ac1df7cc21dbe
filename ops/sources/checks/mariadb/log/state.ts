/**
 * How far the log was looked through and what was found in it, as one row in Seam's own table in the source: it must outlive every
 * worker, and more than one may look. The connector takes a signal of an unknown type for nothing.
 */
import type { SourceSession } from '../../../../resnapshot/source-session.ts';
import type { LogState } from './follow.ts';

const ID = 'seam-log-watch';

export type Stored = { readonly state: LogState; readonly text: string };

export async function loadState(session: SourceSession): Promise<Stored | undefined> {
  const [row] = await session.query<{ data: string }>('SELECT data FROM seam.signal WHERE id = ?', [ID]);
  return row === undefined ? undefined : { state: JSON.parse(row.data) as LogState, text: row.data };
}

/** Does nothing where another one has stored something since: what it found is in the log, and is found again. */
export async function storeState(session: SourceSession, state: LogState, before: string | undefined): Promise<void> {
  const data = JSON.stringify(state);
  if (before === undefined) {
    await session.query('INSERT IGNORE INTO seam.signal (id, type, data) VALUES (?, ?, ?)', [ID, ID, data]);
  } else {
    await session.query('UPDATE seam.signal SET data = ? WHERE id = ? AND data = ?', [data, ID, before]);
  }
}

export async function replaceState(session: SourceSession, state: LogState): Promise<void> {
  const data = JSON.stringify(state);
  const sql = 'INSERT INTO seam.signal (id, type, data) VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE data = VALUES(data)';
  await session.query(sql, [ID, ID, data]);
}
