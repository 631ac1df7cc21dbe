/**
 * Keys that the canonical model holds of an entity while its source has no such row: their deletion was never told, so it is
 * told now. The order makes it safe beside traffic:
 *
 *   mark in the source's log → the keys of all its tables by plain SQL → keys held → a tombstone at the mark's position for each that is missing
 *
 * A row that came after the mark has a newer position: in a target it wins, and here it is passed over. One that came in
 * between and lies in front of the tombstone in the topic is found afterwards (`overtaken`), and is to be read again.
 *
 * `look` only reads, and says what would be deleted and why nothing is; `carryOut` deletes. What may be deleted: verdict.ts.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { EntityDescription } from '../../core/canonical-record.ts';
import { InvariantError, SeamError, TransientError } from '../../core/errors.ts';
import type { Log, OutputRecord } from '../../core/ports.ts';
import { CANONICALIZE } from '../../processors/canonicalize.ts';
import { type Asked, sweepRecord } from '../../processors/redrive.ts';
import { redriveTopic } from '../../processors/stage.ts';
import { rawTopic } from '../../processors/topics.ts';
import { type ReadConnection, sourceRows } from '../verify/source-rows.ts';
import { heldKeys, keysOfTopic } from './keys.ts';
import { type Feed, readPresent } from './present.ts';
import { notWholeRead, type Scope, unknownKeys, unreadRows, type Verdict, verdictOf } from './verdict.ts';
import type { Mark } from './watch.ts';

export type SweepInput = {
  readonly log: Log;
  /** Consumer group of the first stage. */
  readonly groupId: string;
  readonly system: string;
  /** Tables that were asked for. */
  readonly tables: readonly string[];
  /** Every table of the system that feeds the entity: a row of any of them keeps its key. */
  readonly feeds: readonly Feed[];
  readonly description: EntityDescription;
  readonly source: ReadConnection;
  /** Databases whose ledgers know the entity. */
  readonly targets: readonly ReadConnection[];
  readonly mark: Mark;
  /** A later mark: when it answers, all that was committed before is in the log. */
  readonly markAgain: () => Promise<Mark>;
  readonly asked: Asked;
  readonly signal: AbortSignal;
};

export type Look = Verdict & {
  readonly input: SweepInput;
  /** Keys in the source. */
  readonly present: number;
  /** Why nothing may be deleted, whatever is confirmed. */
  readonly withheld: SeamError | undefined;
};

export type CarriedOut = {
  readonly deleted: number;
  /** Of these, keys that came back meanwhile: their row must be read again to be the newest of the topic too. */
  readonly overtaken: number;
};

const DRAIN_MS_MAX = 120_000;
const DRAIN_PAUSE_MS = 100;
const RECORDS_PER_COMMIT = 1_000;

/** Whatever keeps it from reading all makes an answer that deletes nothing; only an interruption is thrown. */
export async function look(input: SweepInput): Promise<Look> {
  try {
    return await lookWhole(input);
  } catch (error) {
    input.signal.throwIfAborted();
    if (error instanceof InvariantError || error instanceof TypeError) throw error;
    const nothing = { held: 0, missing: [], excluded: 0, unknown: 0, present: 0 };
    return { input, ...nothing, withheld: notWholeRead(namesOf(input), reasonOf(error)) };
  }
}

async function lookWhole(input: SweepInput): Promise<Look> {
  const { log, description, feeds, source, targets } = input;
  const { entity, topic } = description;
  const present = await readPresent(feeds, description, (table) => sourceRows(source, table));
  const judge = async () => verdictOf(await heldKeys(log, topic, entity, targets), present, scopeOf(input));
  let verdict = await judge();
  if (verdict.unknown > 0 && verdict.missing.length > 0) {
    // perhaps they are only on their way
    await awaitAllTold(input);
    verdict = await judge();
  }
  return { input, ...verdict, present: present.keys.size, withheld: withheldFor(input, verdict, present.unread) };
}

function withheldFor(input: SweepInput, { unknown, missing }: Verdict, unread: Parameters<typeof unreadRows>[1]) {
  if (unread.length > 0) return unreadRows(namesOf(input), unread);
  return unknown > 0 && missing.length > 0 ? unknownKeys(namesOf(input), unknown) : undefined;
}

export function namesOf({ system, tables, description }: SweepInput) {
  return { system, tables, entity: description.entity };
}

function scopeOf({ system, tables, feeds, description, mark }: SweepInput): Scope {
  const keepTables = feeds.flatMap(({ table, mapping }) => (mapping.onDelete === 'keep' ? table : []));
  const isShared = description.owner === 'shared';
  return { system, entity: description.entity, isShared, tables, keepTables, mark };
}

/** A driver's text may hold a value: only its code leaves. PostgreSQL says 42501 where a policy hides rows or a right is missing. */
function reasonOf(error: unknown): { code: string; message: string } {
  if (error instanceof SeamError) return error;
  const { code, sqlState } = error as { code?: unknown; sqlState?: unknown };
  const state = String(sqlState ?? code ?? 'UNKNOWN');
  const isHidden = state === '42501';
  return {
    code: state,
    message: isHidden
      ? 'row-level security or a missing right hides rows from the capture user'
      : 'the database broke off',
  };
}

/** `look` must have found nothing against it. */
export async function carryOut({ input, missing }: Look): Promise<CarriedOut> {
  if (missing.length === 0) return { deleted: 0, overtaken: 0 };
  const { log, description, asked } = input;
  const { entity, topic } = description;
  const ends = await endsOf(log, topic);
  const lanes = (await endsOf(log, redriveTopic(CANONICALIZE))).size;
  const records = missing.map((key, index) => tombstone(key, input, index % lanes));
  await send(log, `seam-sweep-${asked.id}-${entity}`, records);
  await awaitGroup(input, [redriveTopic(CANONICALIZE)]);
  const after = await keysOfTopic(log, topic, ends);
  return { deleted: missing.length, overtaken: missing.filter((key) => after.get(key)?.isLive === true).length };
}

function tombstone(key: string, { system, description, mark, asked }: SweepInput, partition: number) {
  const position = Buffer.from(mark.position).toString('hex');
  const { entity } = description;
  const sweepOf = { entity, key, position, commitTimeUs: mark.orderTimeUs.toString(), system };
  return sweepRecord(CANONICALIZE, sweepOf, partition, asked);
}

/** Until the processors have translated every row that was there when the tables were read. */
async function awaitAllTold(input: SweepInput): Promise<void> {
  await input.markAgain();
  await awaitGroup(input, [...new Set(input.feeds.map(({ table }) => rawTopic(input.system, table)))]);
}

async function send(log: Log, transactionalId: string, records: readonly OutputRecord[]): Promise<void> {
  const writer = log.writer(transactionalId);
  await writer.open();
  try {
    for (let start = 0; start < records.length; start += RECORDS_PER_COMMIT) {
      await writer.commit({ records: records.slice(start, start + RECORDS_PER_COMMIT), groupId: '', offsets: [] });
    }
  } finally {
    await writer.close();
  }
}

/** Until the processors have done all that these topics hold now. */
async function awaitGroup({ log, groupId, signal }: SweepInput, topics: readonly string[]): Promise<void> {
  const deadlineMs = Date.now() + DRAIN_MS_MAX;
  for (const topic of topics) {
    const ends = await endsOf(log, topic);
    const admin = await log.admin();
    try {
      for (;;) {
        signal.throwIfAborted();
        const offsets = await admin.committedOffsets(groupId, [topic]);
        const done = new Map(offsets.map((one) => [one.partition, one.offset]));
        if ([...ends].every(([partition, end]) => end === 0n || (done.get(partition) ?? 0n) >= end)) break;
        if (Date.now() > deadlineMs) throw laneWaits(topic);
        await pause(DRAIN_PAUSE_MS);
      }
    } finally {
      await admin.close();
    }
  }
}

async function endsOf(log: Log, topic: string): Promise<Map<number, bigint>> {
  const admin = await log.admin();
  try {
    return new Map((await admin.bounds(topic)).map(({ partition, latest }) => [partition, latest]));
  } finally {
    await admin.close();
  }
}

function laneWaits(lane: string): TransientError {
  return new TransientError({
    code: 'SWEEP_WAITS',
    message: `the processors have not done all that this topic holds after ${DRAIN_MS_MAX / 1_000} s`,
    where: lane,
    hint: 'start them: seam run processors; once they have caught up, the same command again finishes',
  });
}
