/**
 * Keys that the canonical model holds of a table while the source has no such row: their deletion was never told, so it is
 * told now. The order makes it safe beside traffic:
 *
 *   mark in the source's log → its keys by plain SQL → keys held → a tombstone at the mark's position for each that is missing
 *
 * A row that came after the mark has a newer position: in a target it wins, and here it is passed over. One that came in
 * between and lies in front of the tombstone in the topic is found afterwards (`overtaken`), and is to be read again.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { type EntityDescription, keyText } from '../../core/canonical-record.ts';
import { TransientError } from '../../core/errors.ts';
import { type CanonicalMapping, type Lookups, Refusal } from '../../core/mapping.ts';
import type { Log, OutputRecord } from '../../core/ports.ts';
import { comparePositions, isStampOf, type Position, sharedStamp } from '../../core/position.ts';
import { CANONICALIZE } from '../../processors/canonicalize.ts';
import { type Asked, sweepRecord } from '../../processors/redrive.ts';
import { redriveTopic } from '../../processors/stage.ts';
import { type ReadConnection, sourceRows } from '../verify/source-rows.ts';
import { type HeldKey, type HeldKeys, heldKeys, keysOfTopic } from './keys.ts';
import type { Mark } from './watch.ts';

export type SweepInput = {
  readonly log: Log;
  /** Consumer group of the first stage. */
  readonly groupId: string;
  readonly system: string;
  readonly table: string;
  readonly mapping: CanonicalMapping;
  readonly description: EntityDescription;
  readonly lookups: Lookups;
  readonly source: ReadConnection;
  /** Databases whose ledgers know the entity. */
  readonly targets: readonly ReadConnection[];
  readonly mark: Mark;
  readonly asked: Asked;
  readonly signal: AbortSignal;
};

export type Swept = {
  readonly entity: string;
  /** Keys in the source. */
  readonly present: number;
  /** Keys that lacked there. */
  readonly deleted: number;
  /** Of these, keys that came back meanwhile: their row must be read again to be the newest of the topic too. */
  readonly overtaken: number;
};

const DRAIN_MS_MAX = 120_000;
const DRAIN_PAUSE_MS = 100;
const RECORDS_PER_COMMIT = 1_000;

export async function sweep(input: SweepInput): Promise<Swept> {
  const { log, description, asked } = input;
  const { entity, topic } = description;
  const present = await sourceKeys(input);
  const held = await heldKeys(log, topic, entity, input.targets);
  const missing = missingKeys(held, present, input);
  const swept = { entity, present: present.size, deleted: missing.length };
  if (missing.length === 0) return { ...swept, overtaken: 0 };
  const ends = await endsOf(log, topic);
  const lanes = (await endsOf(log, redriveTopic(CANONICALIZE))).size;
  const records = missing.map((one, index) => tombstone(one, input, index % lanes));
  await send(log, `seam-sweep-${asked.id}-${entity}`, records);
  await awaitLane(input);
  const after = await keysOfTopic(log, topic, ends);
  return { ...swept, overtaken: missing.filter(({ key }) => after.get(key)?.isLive === true).length };
}

/** Keys that the table's rows stand for, as the pipeline would name them. */
async function sourceKeys({ source, table, mapping, description, lookups }: SweepInput): Promise<ReadonlySet<string>> {
  const keys = new Set<string>();
  for await (const rows of sourceRows(source, table)) {
    for (const row of rows) {
      if (mapping.where !== undefined && !mapping.where(row)) continue;
      try {
        keys.add(keyText(description.key.map((name) => mapping.key[name]?.read(row, lookups) as string)));
      } catch (error) {
        // a row without a key that could have been sent
        if (!(error instanceof Refusal)) throw error;
      }
    }
  }
  return keys;
}

type Missing = { readonly key: string; readonly held: HeldKey };

function missingKeys(held: HeldKeys, present: ReadonlySet<string>, input: SweepInput): Missing[] {
  const missing: Missing[] = [];
  for (const [key, one] of held) {
    if (one.isLive && !present.has(key) && isOlderThanMark(one.position, input)) missing.push({ key, held: one });
  }
  return missing;
}

/** Of a shared entity only what this system said last: what others said is theirs to take back. */
function isOlderThanMark(position: Position, { description, system, mark }: SweepInput): boolean {
  if (description.owner === 'shared') {
    const stamp = sharedStamp(system, mark.orderTimeUs, mark.position);
    return isStampOf(position, system) && comparePositions(position, stamp) < 0;
  }
  return comparePositions(position, mark.position) < 0;
}

function tombstone({ key }: Missing, { system, description, mark, asked }: SweepInput, partition: number) {
  const position = Buffer.from(mark.position).toString('hex');
  const { entity } = description;
  const sweepOf = { entity, key, position, commitTimeUs: mark.orderTimeUs.toString(), system };
  return sweepRecord(CANONICALIZE, sweepOf, partition, asked);
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

/** Until the processors have done all that is on the lane now. */
async function awaitLane({ log, groupId, signal }: SweepInput): Promise<void> {
  const lane = redriveTopic(CANONICALIZE);
  const ends = await endsOf(log, lane);
  const admin = await log.admin();
  const deadlineMs = Date.now() + DRAIN_MS_MAX;
  try {
    for (;;) {
      signal.throwIfAborted();
      const done = new Map((await admin.committedOffsets(groupId, [lane])).map((one) => [one.partition, one.offset]));
      if ([...ends].every(([partition, end]) => end === 0n || (done.get(partition) ?? 0n) >= end)) return;
      if (Date.now() > deadlineMs) throw laneWaits(lane);
      await pause(DRAIN_PAUSE_MS);
    }
  } finally {
    await admin.close();
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
    message: `the processors have not taken the deletions up after ${DRAIN_MS_MAX / 1_000} s`,
    where: lane,
    hint: 'start them: seam run processors; what is on the lane is carried out then, and the same command again finishes',
  });
}
