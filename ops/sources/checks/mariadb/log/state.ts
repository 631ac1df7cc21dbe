/**
 * How far the log was looked through and what was found in it, as one row in Seam's own table in the source: it must outlive every
 * worker, and more than one may look. The connector takes a signal of an unknown type for nothing.
 */
import { createHash } from 'node:crypto';
import type { SourceSession } from '../../../../resnapshot/source-session.ts';
import { decodePosition, mariadbPosition } from '../../../../../core/position.ts';
import type { LogAddress } from './address.ts';
import type { LogState, ReadAgain } from './follow.ts';

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

const READ_AGAIN = 'seam-read-again';
const POSITION_BITS = 20n;

/** As `seam resnapshot` and `seam connectors recover` leave it in the same table when they have read a table whole. */
export async function readingsOf(session: SourceSession): Promise<Map<string, ReadAgain>> {
  const rows = await session.query<{ data: string }>('SELECT data FROM seam.signal WHERE type = ?', [READ_AGAIN]);
  return new Map(
    rows.map((row) => {
      const { table, position } = JSON.parse(row.data) as { table: string; position: string };
      const { epoch, phase, major, minor } = decodePosition(Buffer.from(position, 'hex'));
      const reading = { epoch, isFirst: phase === 'snapshot', file: Number(major) };
      return [table, { ...reading, position: Number(minor >> POSITION_BITS) }];
    }),
  );
}

/** These tables were read again, whole, from this place of the log on. Their rows may be newer than the place, never older. */
export async function noteReadAgain(
  session: SourceSession,
  tables: readonly string[],
  from: LogAddress,
): Promise<void> {
  const epoch = (await loadState(session))?.state.epoch ?? 0;
  const { file, position: pos } = from;
  const position = mariadbPosition({ epoch, snapshot: false, isDelete: true, file, pos: BigInt(pos), row: 0 });
  for (const table of tables) {
    const id = `${READ_AGAIN}-${createHash('sha256').update(table).digest('hex').slice(0, 40)}`;
    const data = JSON.stringify({ table, position: Buffer.from(position).toString('hex') });
    await session.query('REPLACE INTO seam.signal (id, type, data) VALUES (?, ?, ?)', [id, READ_AGAIN, data]);
  }
}
