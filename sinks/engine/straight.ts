/**
 * The straight way of a batch. Nearly all batches are whole records of entities that one system owns, for tables without
 * totals, and all of them are news: these need no plan. The newest record of each key goes into ledger and table, and the
 * ledger's own statement is the guard. The columns are made ready before the transaction begins, while the database is at work
 * on the one before.
 *
 * Whatever else a batch holds, or the database has of its keys (a record that isn't newer, one that is set aside, a later
 * truncation), nothing of it is written this way: the transaction is rolled back, and `transaction.ts` decides key by key.
 */
import type { CanonicalRecord } from '../../core/canonical-record.ts';
import { RecordError } from '../../core/errors.ts';
import { Refusal } from '../../core/mapping.ts';
import { comparePositions } from '../../core/position.ts';
import { isTruncation, TRUNCATE_KEY } from '../../core/truncation.ts';
import type { Session } from '../dialects/dialect.ts';
import { column, countOf } from '../dialects/values.ts';
import type { CompiledTable } from './compile.ts';
import { type Counts, noCounts } from './counts.ts';
import type { Decoded } from './decoder.ts';
import { parkedCounts } from './parking.ts';
import { type Ledger, type Part, PartMaker } from './part.ts';
import { claimRows } from './row-identity.ts';
import type { SideTables } from './side-tables.ts';

/** Parts are in the order of the target's declaration: parents before children. */
export type Straight = { readonly parts: readonly Part[]; readonly records: number; readonly superseded: number };

/** Some milliseconds of work: the database's answer to the batch before this one shall not wait longer. */
export const BREATH_RECORDS = 500;

type Tables = ReadonlyMap<string, CompiledTable>;
type Newest = Map<string, CanonicalRecord>;

/** Can a table's records go this way at all? */
function isStraight({ declaration, effects, entity, system, isBidirectional, isKept }: CompiledTable): boolean {
  const { mode, assignedKey, onDelete } = declaration;
  const isPlain = mode === 'upsert' && assignedKey === undefined && effects.length === 0 && !isKept;
  const isForeign = entity.owner !== 'shared' && entity.owner !== system;
  return isPlain && isForeign && !isBidirectional && (onDelete === 'delete' || onDelete === 'keep');
}

/** undefined: not this batch. `breathe` is called now and then: what has arrived meanwhile goes first. */
export async function makeReady(
  tables: Tables,
  decoded: Decoded,
  breathe: () => Promise<void>,
): Promise<Straight | undefined> {
  const newest = new Map<CompiledTable, Newest>();
  let superseded = 0;
  for (const record of decoded) {
    if (record instanceof RecordError) return undefined;
    if (record.meta.absent.length > 0 || isTruncation(record.key)) return undefined;
    const table = tables.get(record.entity);
    if (table === undefined) continue;
    const ofTable = newest.get(table) ?? startTable(newest, table);
    if (ofTable === undefined) return undefined;
    const known = ofTable.get(record.key);
    if (known !== undefined) superseded += 1;
    if (known === undefined || comparePositions(record.meta.position, known.meta.position) >= 0)
      ofTable.set(record.key, record);
  }
  try {
    const parts: Part[] = [];
    for (const [table, ofTable] of newest) {
      const part = await partOf(table, ofTable, breathe);
      if (part === undefined || !isOfUsualKeys(part)) return undefined;
      parts.push(part);
    }
    parts.sort((left, right) => left.table.order - right.table.order);
    return { parts, records: decoded.length, superseded };
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

/** Where several keys may be one row, a plan says whose row goes, and whose row doesn't name it. */
function isOfUsualKeys({ table, ledger, gone }: Part): boolean {
  const { identity } = table;
  if (identity.isExact) return true;
  return countOf(gone) === 0 && (ledger.key[1]?.values ?? []).every((key) => identity.isUsual(key as string));
}

function startTable(newest: Map<CompiledTable, Newest>, table: CompiledTable): Newest | undefined {
  if (!isStraight(table)) return undefined;
  const records: Newest = new Map();
  newest.set(table, records);
  return records;
}

/**
 * The hot loop: see `npm run bench -- --only sink-postgres`. Keys are sorted, so that all workers lock in one order and the
 * database walks its indexes from left to right.
 */
async function partOf(table: CompiledTable, newest: Newest, breathe: () => Promise<void>): Promise<Part | undefined> {
  const keys = [...newest.keys()].sort();
  const maker = new PartMaker(table, keys);
  for (let from = 0; from < keys.length; from += BREATH_RECORDS) {
    if (from > 0) await breathe();
    if (!addAll(maker, newest, keys, from)) return undefined;
  }
  return maker.make();
}

/** As many as there are between two breaths. A function of its own: V8 makes better code of one that doesn't wait. */
function addAll(maker: PartMaker, newest: Newest, keys: readonly string[], from: number): boolean {
  const end = Math.min(from + BREATH_RECORDS, keys.length);
  for (let index = from; index < end; index += 1) {
    if (!maker.add(index, newest.get(keys[index] as string) as CanonicalRecord)) return false;
  }
  return true;
}

/** What can be done for sending it before its transaction begins. */
export async function announce(
  session: Session,
  side: SideTables,
  { parts }: Straight,
  breathe: () => Promise<void>,
): Promise<void> {
  for (const { table, ledger, rows, gone } of parts) {
    session.makeReady(side.applied, [...ledger.key, ...ledger.columns]);
    if (countOf(ledger.key) > BREATH_RECORDS) await breathe();
    session.makeReady(table.shape, [...rows.key, ...rows.columns, ...rows.onInsert, ...gone]);
  }
}

export function isWithoutDeletions({ parts }: Straight): boolean {
  return parts.every(({ gone }) => countOf(gone) === 0);
}

type StraightOptions = {
  /** All are taken for rows that nobody has written before: cheaper where it's so, and a RecordError where it isn't. */
  readonly isFresh: boolean;
  /** Called while the database is at work. */
  readonly meanwhile: () => void;
};

/** RecordError NOT_ALL_NEWS: key by key, then. */
export async function writeStraight(
  session: Session,
  side: SideTables,
  { parts, superseded }: Straight,
  { isFresh, meanwhile }: StraightOptions,
): Promise<Counts> {
  if (await isHeldUp(session, side, parts)) throw notAllNews();
  const counts = { ...noCounts(), superseded };
  const unclaimed: Part[] = [];
  for (const part of parts) {
    const { ledger, gone, rows, table } = part;
    const answer = isFresh
      ? addToLedger(session, side, ledger)
      : session.advance(side.applied, { ...ledger, clock: CLOCK, leavesDeleted: !table.identity.isExact });
    meanwhile();
    const { written, added } = await answer;
    if (written !== countOf(ledger.key)) throw notAllNews();
    // a key that was there owns its row; so does a new one whose row could be inserted, where it is stored as it is
    if (!table.identity.isExact && added > 0 && !(isFresh && table.identity.keepsTexts)) unclaimed.push(part);
    counts.applied += countOf(rows.key);
    counts.deleted += countOf(gone);
    counts.inserted += added;
  }
  for (const { table, gone } of parts.toReversed()) {
    if (countOf(gone) > 0 && table.declaration.onDelete === 'delete') await session.remove(table.shape, gone);
  }
  for (const { table, rows } of parts) {
    if (countOf(rows.key) === 0) continue;
    if (isFresh) await session.insert(table.shape, { columns: [...rows.key, ...rows.columns, ...rows.onInsert] });
    else await session.upsert(table.shape, rows);
  }
  for (const { table, ledger, rows } of unclaimed) {
    await claimRows(session, side, { table, keys: (ledger.key[1]?.values ?? []) as string[], match: rows.key });
  }
  return counts;
}

const CLOCK = 'applied_at';

/** Answers as `advance` does where nothing was there. */
async function addToLedger(session: Session, { applied }: SideTables, { key, columns }: Ledger) {
  await session.insert(applied, { columns: [...key, ...columns], clock: CLOCK });
  return { written: countOf(key), added: countOf(key) };
}

function notAllNews(): RecordError {
  return new RecordError({ code: 'NOT_ALL_NEWS', message: 'some of these records are not news, or their keys wait' });
}

/** Something of these keys is set aside, or a later truncation took them away. */
async function isHeldUp(session: Session, side: SideTables, parts: readonly Part[]): Promise<boolean> {
  const { waiting, deadLetters, behind } = await parkedCounts(session);
  if (waiting + deadLetters + behind > 0) {
    for (const { ledger } of parts) {
      const found = await session.lookup(side.parked, { match: ledger.key, columns: [] });
      if (found.length > 0) return true;
    }
  }
  for (const { table, ledger } of parts) {
    if (table.mates.length > 0 && (await isSomeDeleted(session, side, ledger))) return true;
  }
  return isTruncatedLater(session, side, parts);
}

async function isTruncatedLater(session: Session, side: SideTables, parts: readonly Part[]): Promise<boolean> {
  const asked = parts.flatMap((part) => [TRUNCATE_KEY, ...part.truncateKeys].map((key) => ({ part, key })));
  const match = [
    column(
      'entity',
      asked.map(({ part }) => part.table.entity.entity),
    ),
    column(
      'key',
      asked.map(({ key }) => key),
    ),
  ];
  const truncations = await session.lookup(side.applied, { match, columns: ['position'] });
  return truncations.some(({ index, values }) => {
    const { oldest } = (asked[index] as (typeof asked)[number]).part;
    return oldest !== undefined && comparePositions(oldest, values[0] as Uint8Array) < 0;
  });
}

/** A row that is made again brings other entities' columns back. */
async function isSomeDeleted(session: Session, { applied }: SideTables, { key }: Ledger): Promise<boolean> {
  const rows = await session.lookup(applied, { match: key, columns: ['deleted'] });
  return rows.some(({ values }) => Boolean(values[0]));
}
