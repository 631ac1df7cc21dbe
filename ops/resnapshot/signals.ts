/**
 * Rows in `seam.signal` of a source. Debezium obeys those it knows, and sends every one of them into the log's own order as a
 * change event: so a row of ours that it doesn't know is a mark, whose position says where "now" is.
 *
 * The row of a request stays until all of it is done: whoever finds one goes on with it.
 */
import type { SourceSession } from './source-session.ts';

export type SnapshotRequest = {
  readonly id: string;
  readonly tables: readonly string[];
  /** SQL condition for all of them; none: whole tables. */
  readonly where: string | undefined;
  readonly sweep: boolean;
  readonly by: string;
  readonly reason: string;
  /** Of whole tables: where the reading began, as hexadecimal digits. */
  readonly readFrom?: string | undefined;
};

const REQUEST_PREFIX = 'seam-resnapshot-';
const RECOVERY_TYPE = 'seam-recovery';
const MARK_TYPE = 'seam-mark';
const WINDOW_TYPES = ['snapshot-window-open', 'snapshot-window-close'];

export function newRequestId(nowMs: number): string {
  return `${REQUEST_PREFIX}${nowMs}`;
}

export async function requestSnapshot(session: SourceSession, request: SnapshotRequest): Promise<void> {
  const { id, tables, where, sweep, by, reason, readFrom } = request;
  const data = {
    type: 'incremental',
    'data-collections': tables.map(escapedPattern),
    ...(where === undefined
      ? {}
      : {
          'additional-conditions': tables.map((table) => ({ 'data-collection': escapedPattern(table), filter: where })),
        }),
    // what the connector doesn't know it passes over
    seam: { tables, where, sweep, by, reason, readFrom },
  };
  await insert(session, id, 'execute-snapshot', JSON.stringify(data));
}

/** A request that was not carried out to its end. */
export async function openRequest(session: SourceSession): Promise<SnapshotRequest | undefined> {
  const rows = await session.query<{ id: string; data: string }>(
    `SELECT id, data FROM seam.signal WHERE id LIKE '${REQUEST_PREFIX}%' AND type = 'execute-snapshot' ORDER BY id`,
  );
  const row = rows[0];
  if (row === undefined) return undefined;
  const { seam } = JSON.parse(row.data) as { seam: Omit<SnapshotRequest, 'id'> };
  return { ...seam, where: seam.where ?? undefined, id: row.id };
}

/** The first snapshot of a new epoch reads these tables; `cleanUp` takes the note away. */
export async function noteRecovery(session: SourceSession, tables: readonly string[], nowMs: number): Promise<void> {
  await insert(session, `${REQUEST_PREFIX}recovery-${nowMs}`, RECOVERY_TYPE, JSON.stringify({ tables }));
}

export type ReadingUnderWay = Pick<SnapshotRequest, 'tables' | 'where' | 'sweep'>;

/** What is being read again, by a request or by a recovery. */
export async function readingUnderWay(session: SourceSession): Promise<ReadingUnderWay | undefined> {
  const request = await openRequest(session);
  if (request !== undefined) return request;
  const [row] = await session.query<{ data: string }>(
    `SELECT data FROM seam.signal WHERE id LIKE '${REQUEST_PREFIX}%' AND type = '${RECOVERY_TYPE}'`,
  );
  if (row === undefined) return undefined;
  const { tables } = JSON.parse(row.data) as { tables: string[] };
  return { tables, where: undefined, sweep: true };
}

/** One row of Seam's own, whose type the connector does not know. undefined: there is none. */
export async function readNote<T>(session: SourceSession, id: string): Promise<T | undefined> {
  const [row] = await session.query<{ data: string }>('SELECT data FROM seam.signal WHERE id = ?', [id]);
  return row === undefined ? undefined : (JSON.parse(row.data) as T);
}

/** The caller has the source's reading lock, so nobody else writes. `note` undefined: the row goes. */
export async function putNote(session: SourceSession, id: string, note: object | undefined): Promise<void> {
  await session.query('START TRANSACTION');
  try {
    await session.query('DELETE FROM seam.signal WHERE id = ?', [id]);
    if (note !== undefined) await insert(session, id, id, JSON.stringify(note));
    await session.query('COMMIT');
  } catch (error) {
    await session.query('ROLLBACK').catch(() => {});
    throw error;
  }
}

export async function leaveMark(session: SourceSession, id: string): Promise<void> {
  await insert(session, id, MARK_TYPE, null);
}

export async function removeMark(session: SourceSession, id: string): Promise<void> {
  await session.query('DELETE FROM seam.signal WHERE id = ?', [id]);
}

/** Takes the marks, the request and the connector's own rows away; what is known of whole tables stays. */
export async function cleanUp(session: SourceSession): Promise<void> {
  const types = [...WINDOW_TYPES, MARK_TYPE];
  await session.query(`DELETE FROM seam.signal WHERE type IN (${types.map(() => '?').join(', ')})`, types);
  await session.query(`DELETE FROM seam.signal WHERE id LIKE '${REQUEST_PREFIX}%'`);
}

async function insert(session: SourceSession, id: string, type: string, data: string | null): Promise<void> {
  await session.query('INSERT INTO seam.signal (id, type, data) VALUES (?, ?, ?)', [id, type, data]);
}

/** The connector takes these for regular expressions. */
function escapedPattern(table: string): string {
  return table.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
