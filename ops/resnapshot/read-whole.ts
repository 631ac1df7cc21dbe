/**
 * What is known to have been read whole, kept where the rows come from: two kinds of rows in `seam.signal`, which the connector passes over.
 *
 * - *Whole tables*: the tables whose rows of before the log are known to be read. Written when a connector starts with a first
 *   snapshot, which goes on until it is whole; a table that is captured later is added when it was read again. No row: the
 *   connector is older than this record.
 * - *Read again*: for each table the place in the source's log at which its last complete reading began, by table. What an
 *   older record says is covered by that reading, so one that the mapping can't read may be passed over.
 */
import { createHash } from 'node:crypto';
import type { Position } from '../../core/position.ts';
import type { SourceSession } from './source-session.ts';

const WHOLE = 'seam-whole';
const READ_AGAIN = 'seam-read-again';

export type WholeRecord = {
  readonly tables: ReadonlySet<string>;
  /** Of a first snapshot whose outcome nobody looked at yet: how many records each table's topic held before it. */
  readonly before: ReadonlyMap<string, bigint> | undefined;
  /** Of the positions of that connector: kept here too, since a connector that is deleted takes its settings along. */
  readonly epoch: number;
};

type StoredWhole = {
  readonly tables: string[];
  readonly before?: Record<string, string> | undefined;
  readonly epoch?: number;
};

/** undefined: nobody ever wrote it. */
export async function wholeRecord(session: SourceSession): Promise<WholeRecord | undefined> {
  const rows = await session.query<{ data: string }>('SELECT data FROM seam.signal WHERE id = ?', [WHOLE]);
  if (rows[0] === undefined) return undefined;
  const { tables, before, epoch = 0 } = JSON.parse(rows[0].data) as StoredWhole;
  const counts = before === undefined ? undefined : Object.entries(before);
  return {
    tables: new Set(tables),
    before: counts && new Map(counts.map(([table, count]) => [table, BigInt(count)])),
    epoch,
  };
}

export async function wholeTables(session: SourceSession): Promise<ReadonlySet<string> | undefined> {
  return (await wholeRecord(session))?.tables;
}

/** The outcome of a first snapshot. */
export async function noteWholeTables(session: SourceSession, tables: Iterable<string>): Promise<void> {
  const epoch = (await wholeRecord(session))?.epoch ?? 0;
  await store(session, { tables: sorted(tables), epoch });
}

/** Tables that were read again, beside what is known of the others. */
export async function addWholeTables(session: SourceSession, tables: readonly string[]): Promise<void> {
  const known = await wholeRecord(session);
  const before = [...(known?.before ?? [])].filter(([table]) => !tables.includes(table));
  await store(session, {
    tables: sorted([...(known?.tables ?? []), ...tables]),
    before: known?.before === undefined ? undefined : texts(before),
    epoch: known?.epoch ?? 0,
  });
}

/** A first snapshot of these tables begins; `before`: the records of each topic. */
export async function noteFirstSnapshot(
  session: SourceSession,
  tables: Iterable<string>,
  before: ReadonlyMap<string, bigint>,
  epoch: number,
): Promise<void> {
  await store(session, { tables: sorted(tables), before: texts(before), epoch });
}

function store(session: SourceSession, stored: StoredWhole): Promise<void> {
  return replace(session, WHOLE, WHOLE, stored);
}

function texts(counts: Iterable<readonly [string, bigint]>): Record<string, string> {
  return Object.fromEntries([...counts].map(([table, count]) => [table, String(count)]));
}

function sorted(tables: Iterable<string>): string[] {
  return [...new Set(tables)].sort();
}

export type ReadingsAgain = ReadonlyMap<string, Position>;

export async function readingsAgain(session: SourceSession): Promise<ReadingsAgain> {
  const rows = await session.query<{ data: string }>('SELECT data FROM seam.signal WHERE type = ?', [READ_AGAIN]);
  const read = rows.map(({ data }) => JSON.parse(data) as { table: string; position: string });
  return new Map(read.map(({ table, position }) => [table, Buffer.from(position, 'hex')]));
}

/** `position`: of a mark that was left before the first of the table's rows was read. */
export async function noteReadingAgain(session: SourceSession, table: string, position: Position): Promise<void> {
  const id = `${READ_AGAIN}-${createHash('sha256').update(table).digest('hex').slice(0, 40)}`;
  await replace(session, id, READ_AGAIN, { table, position: Buffer.from(position).toString('hex') });
}

/** As one step: a reader never finds the row gone. */
async function replace(session: SourceSession, id: string, type: string, data: unknown): Promise<void> {
  await session.query('START TRANSACTION');
  try {
    await session.query('DELETE FROM seam.signal WHERE id = ?', [id]);
    await session.query('INSERT INTO seam.signal (id, type, data) VALUES (?, ?, ?)', [id, type, JSON.stringify(data)]);
    await session.query('COMMIT');
  } catch (error) {
    await session.query('ROLLBACK').catch(() => {});
    throw error;
  }
}
