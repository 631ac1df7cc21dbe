/**
 * Reads the binary log by SQL, with the right that the capture user has for it (BINLOG MONITOR). The server holds its log while it
 * answers, so commits wait for it: few events at a time, and fewer where they are large (a statement may have megabytes).
 */
import type { SourceSession } from '../../../../resnapshot/source-session.ts';
import type { LogAddress } from './address.ts';
import type { LogEvent } from './follow.ts';

const EVENTS_MAX = 1_000;
const EVENTS_FIRST = 100;
const EVENTS_MIN = 10;
const BYTES_AT_ONCE = 4 * 1024 * 1024;

/** How many to ask for next, by the size of the last ones. */
export function eventsAtOnce(last: readonly LogEvent[] | undefined): number {
  const [first, end] = [last?.[0], last?.at(-1)];
  if (first === undefined || end === undefined || last === undefined) return EVENTS_FIRST;
  const bytesEach = Math.max(1, (end.end - first.start) / last.length);
  return Math.max(EVENTS_MIN, Math.min(EVENTS_MAX, Math.floor(BYTES_AT_ONCE / bytesEach)));
}

type EventRow = { Log_name: string; Pos: bigint; End_log_pos: bigint; Event_type: string; Info: string };

/** Events from `at` on, of one file; fewer than `count` at its end. */
export async function eventsFrom(
  session: SourceSession,
  { file, position }: LogAddress,
  count: number,
): Promise<LogEvent[]> {
  const rows = await session.query<EventRow>(
    `SHOW BINLOG EVENTS IN ? FROM ${Math.max(position, FIRST_POSITION)} LIMIT ${count}`,
    [file],
  );
  return rows.map((row) => ({
    file,
    start: Number(row.Pos),
    end: Number(row.End_log_pos),
    type: row.Event_type,
    info: row.Info,
  }));
}

export const FIRST_POSITION = 4;

/** undefined: the server writes no binary log. */
export async function endOfLog(session: SourceSession): Promise<LogAddress | undefined> {
  const [row] = await session.query<{ File: string; Position: bigint }>('SHOW MASTER STATUS');
  return row === undefined ? undefined : { file: row.File, position: Number(row.Position) };
}

/** Oldest first. */
export async function logFiles(session: SourceSession): Promise<string[]> {
  return (await session.query<{ Log_name: string }>('SHOW BINARY LOGS')).map((row) => row.Log_name);
}

/** Transactions that are prepared now, as the log names them. */
export async function preparedNow(session: SourceSession): Promise<string[]> {
  const rows = await session.query<{ data: string }>(`XA RECOVER FORMAT = 'SQL'`);
  return rows.map(({ data }) => data);
}
