/**
 * One attempt to write a set of items inside an open transaction, and the way round a bad one: the set is split until the
 * failing record stands alone; it is set aside, and every other one lands.
 */
import { RecordError } from '../../core/errors.ts';
import { comparePositions } from '../../core/position.ts';
import type { SqlValue } from '../../core/target.ts';
import { isTruncation, reachOf, type Truncations } from '../../core/truncation.ts';
import type { Session } from '../dialects/dialect.ts';
import type { CompiledTable } from './compile.ts';
import { addCounts, type Counts, noCounts } from './counts.ts';
import { execute, writeParked } from './execute.ts';
import type { Hooks } from './hooks.ts';
import type { Loosening } from './loosen.ts';
import { type ParkWrite, park } from './parking.ts';
import { type Plan, plan } from './plan.ts';
import {
  type EntityKey,
  keysWritten,
  type ParkedRecords,
  readLedger,
  readParked,
  readPlanState,
  readWinners,
  WAITS_BY_ITSELF,
} from './read-state.ts';
import { type Candidate, type DecodeBatch, KEY_PARKED, samePlace, type Undecodable } from './record.ts';
import { isOwnNews, isOwnOfShared, type LaterRecords, type Outcome, reduceKey } from './reduce.ts';
import { readMates } from './row-mates.ts';
import { type Truncation, truncateKeys, truncationsBefore } from './truncations.ts';
import { claimRows, releaseRows } from './row-identity.ts';
import { entityKey, type LedgerRow, type SideTables } from './side-tables.ts';

/** `key`: a key whose parked records are tried again. */
export type Item =
  | { readonly kind: 'record'; readonly candidate: Candidate }
  | { readonly kind: 'undecodable'; readonly undecodable: Undecodable }
  | { readonly kind: 'key'; readonly entity: string; readonly key: string };

export type TransactionContext = {
  readonly session: Session;
  readonly side: SideTables;
  readonly tables: ReadonlyMap<string, CompiledTable>;
  readonly decode: DecodeBatch;
  readonly hooks: Hooks;
  readonly nowMs: number;
  readonly parkedRetryMs: number;
  readonly keysMax: number;
  readonly rewriteEqual: boolean;
  readonly isTimedRetry: boolean;
  readonly laterRecords: LaterRecords;
  /** Records of a replay are no news of what the target did lately. */
  readonly isReplay: boolean;
};

export type Written = {
  readonly counts: Counts;
  readonly parks: readonly ParkWrite[];
  /** Keys that a truncation left, since nothing says from which table they came. */
  readonly unscoped?: readonly Unscoped[];
};
export type Unscoped = EntityKey & { readonly system: string; readonly keys: number };

export async function writeWhole(context: TransactionContext, items: readonly Item[]): Promise<Written> {
  const requests = collectKeys(items);
  const removed = await writeTruncations(context, await truncationsOf(context, items));
  const undecodable = items.flatMap((item) => (item.kind === 'undecodable' ? [item.undecodable] : []));
  return joined([removed, await writeKeys(context, requests, undecodable)]);
}

export type Request = EntityKey & { readonly candidates: Candidate[] };

/** Arrival order is kept within each key. */
function collectKeys(items: readonly Item[]): Request[] {
  const requests = new Map<string, Request>();
  for (const item of items) {
    if (item.kind === 'undecodable') continue;
    const { entity, key } = item.kind === 'record' ? item.candidate.record : item;
    const name = entityKey(entity, key);
    let request = requests.get(name);
    if (request === undefined) {
      request = { entity, key, candidates: [] };
      requests.set(name, request);
    }
    if (item.kind === 'record') request.candidates.push(item.candidate);
  }
  return [...requests.values()];
}

async function truncationsOf(context: TransactionContext, items: readonly Item[]): Promise<Candidate[]> {
  const arrived = items.flatMap((item) =>
    item.kind === 'record' && isTruncation(item.candidate.record.key) ? [item.candidate] : [],
  );
  const again = items.flatMap((item) => (item.kind === 'key' && isTruncation(item.key) ? [item] : []));
  if (again.length === 0) return arrived;
  const { candidates } = await readParked(context.session, context.side, again, context.decode);
  return [...[...candidates.values()].flat(), ...arrived];
}

/**
 * A truncation deletes every key that the ledger knows, that is older and that its table said last, and what is set aside of keys
 * without a row. It arrives in every partition, and each time the ledger is gone through again: a key written between two
 * arrivals, by a worker that had not met it yet, goes then.
 */
async function writeTruncations(context: TransactionContext, truncations: readonly Candidate[]): Promise<Written> {
  const written: Written[] = [];
  for (const candidate of truncations) {
    const { entity, meta } = candidate.record;
    const table = context.tables.get(entity);
    if (table === undefined || isOwnNews(table, candidate)) continue;
    for (let after = ''; ; ) {
      const rows = await context.session.run('liveKeys', [entity, meta.position, after, context.keysMax]);
      const last = rows.at(-1);
      if (last === undefined) break;
      written.push(await takeKeys(context, candidate, rows));
      after = last[0] as string;
    }
    written.push(await passParked(context, candidate));
  }
  return joined(written);
}

/** Records set aside before the truncation are of a row that is gone: they are stale, like those that arrive late. */
async function passParked(context: TransactionContext, { record }: Candidate): Promise<Written> {
  const { entity, key: truncation, meta } = record;
  const written: Written[] = [];
  for (let after = ''; ; ) {
    const keys = (await context.session.run('parkedKeys', [entity, after, context.keysMax])).map(
      ([key]) => key as string,
    );
    const last = keys.at(-1);
    if (last === undefined) return joined(written);
    const requests = keys.filter((key) => !isTruncation(key)).map((key) => ({ entity, key, candidates: [] }));
    written.push(await writeKeys(context, requests, [], { entity, key: truncation, position: meta.position }));
    after = last;
  }
}

/** `rows`: of the ledger, as `liveKeys` answers them. */
async function takeKeys(
  context: TransactionContext,
  candidate: Candidate,
  rows: readonly (readonly SqlValue[])[],
): Promise<Written> {
  const { entity, meta, key: truncation } = candidate.record;
  const requests: Request[] = [];
  let unknown = 0;
  for (const [key, position, table] of rows) {
    const row = { position: position as Uint8Array, table: (table as string | null) ?? undefined };
    const reach = reachOf(truncation, meta, row);
    if (reach === 'unknown') unknown += 1;
    if (reach !== 'taken') continue;
    const record = { ...candidate.record, key: key as string };
    requests.push({ entity, key: key as string, candidates: [{ ...candidate, record }] });
  }
  const unscoped = unknown === 0 ? [] : [{ entity, key: truncation, system: meta.system, keys: unknown }];
  if (requests.length === 0) return { counts: noCounts(), parks: [], unscoped };
  const { counts, parks } = await writeKeys(context, requests, [], {
    entity,
    key: truncation,
    position: meta.position,
  });
  return { counts: { ...noCounts(), deleted: counts.deleted }, parks, unscoped };
}

async function writeKeys(
  context: TransactionContext,
  requests: readonly Request[],
  undecodable: readonly Undecodable[],
  truncation?: Truncation,
): Promise<Written> {
  const { outcomes, parked } = await decide(context, requests, undecodable, truncation);
  const stillUnreadable = context.isTimedRetry ? waitingOf(parked) : [];
  return carryOut(context, outcomes, [...undecodable, ...stillUnreadable]);
}

type Decided = { readonly outcomes: readonly Outcome[]; readonly parked: ParkedRecords };

/** What becomes of each key: reads only. */
export async function decide(
  context: TransactionContext,
  requests: readonly Request[],
  undecodable: readonly Undecodable[],
  truncation?: Truncation,
): Promise<Decided> {
  const { session, side } = context;
  const parked = await readParked(session, side, requests, context.decode);
  const asked = truncateKeys(requests, parked);
  const ledger = await readLedger(session, side, [...requests, ...asked]);
  const truncated = truncationsBefore(context.tables, requests, { ledger, parked, asked, truncation });
  const winners = await loadWinners(context, requests, ledger);
  const known = { ledger, parked, unreadable: unreadableOf(parked, undecodable), truncated, winners };
  return { outcomes: requests.flatMap((request) => reduceRequest(context, request, known)), parked };
}

/** `loosening`: rows that hold each other up land together. */
export async function carryOut(
  context: TransactionContext,
  outcomes: readonly Outcome[],
  undecodable: readonly Undecodable[],
  loosening?: Loosening,
): Promise<Written> {
  const { session, side, isTimedRetry } = context;
  const state = await readPlanState(session, side, outcomes);
  const mates = await readMates(context, outcomes);
  const planned = plan({ outcomes, undecodable, state, isTimedRetry, mates });
  await context.hooks.at('after-plan');
  await writeRows(context, planned, outcomes, loosening).catch((error: unknown) => {
    const [only, ...others] = outcomes;
    const isBlamed = error instanceof RecordError && only?.decided !== undefined && others.length === 0;
    throw isBlamed ? new RefusedByTarget(error, only.decided.by) : error;
  });
  return { counts: planned.counts, parks: planned.parks };
}

/** Rows first, then whose they are: the row's own index knows which keys are one. */
async function writeRows(
  context: TransactionContext,
  planned: Plan,
  outcomes: readonly Outcome[],
  loosening: Loosening | undefined,
): Promise<void> {
  const { session, side } = context;
  await execute(context, planned, loosening);
  if (outcomes.every(({ table }) => table.identity.isExact)) return;
  const done = new Set(planned.ledger.map(({ entity, key }) => entityKey(entity, key)));
  const written = outcomes.filter(({ table, key }) => done.has(entityKey(table.entity.entity, key)));
  for (const { table, keys } of keysWritten(written, 'none'))
    await releaseRows(session, side, table.entity.entity, keys);
  for (const one of keysWritten(written, 'row')) await claimRows(session, side, one);
}

function unreadableOf(
  parked: ParkedRecords,
  arrived: readonly Undecodable[],
): ReadonlyMap<string, readonly Undecodable[]> {
  if (arrived.length === 0) return parked.unreadable;
  const all = [...[...parked.unreadable.values()].flat(), ...arrived];
  return Map.groupBy(all, ({ entity, key }) => entityKey(entity, key));
}

/** One key alone was written, so it's known which record the database has refused. */
class RefusedByTarget extends RecordError {
  readonly candidate: Candidate;

  constructor(error: RecordError, candidate: Candidate) {
    const { code, message, where, hint } = error;
    const place = { ...(where === undefined ? {} : { where }), ...(hint === undefined ? {} : { hint }) };
    super({ code, message, ...place, cause: error });
    this.candidate = candidate;
  }
}

/**
 * For keys of shared entities of which the batch brings an own change older than the ledger's: it was made after the winner was
 * written. Not in a replay: that change was answered when it came live, and the row may hold a newer one by now.
 */
async function loadWinners(
  { tables, decode, isReplay }: TransactionContext,
  requests: readonly Request[],
  ledger: ReadonlyMap<string, LedgerRow>,
): Promise<ReadonlyMap<string, Candidate>> {
  if (isReplay) return NO_WINNERS;
  const overtaken = requests.flatMap(({ entity, key, candidates }) => {
    const table = tables.get(entity);
    const row = ledger.get(entityKey(entity, key));
    if (table === undefined || row?.raw === undefined) return [];
    const isOvertaken = candidates.some(
      (one) => isOwnOfShared(table, one) && comparePositions(one.record.meta.position, row.position) < 0,
    );
    return isOvertaken ? [{ entity, key, table, topic: table.entity.topic, raw: row.raw }] : [];
  });
  const [first] = overtaken;
  return first === undefined ? NO_WINNERS : readWinners(decode, overtaken);
}

const NO_WINNERS: ReadonlyMap<string, Candidate> = new Map();

const NO_TRUNCATIONS: Truncations = new Map();

type Known = {
  readonly ledger: ReadonlyMap<string, LedgerRow>;
  readonly parked: ParkedRecords;
  /** Of this batch and of those before. */
  readonly unreadable: ReadonlyMap<string, readonly Undecodable[]>;
  readonly truncated: ReadonlyMap<string, Truncations>;
  readonly winners: ReadonlyMap<string, Candidate>;
};

function reduceRequest(
  context: TransactionContext,
  { entity, key, candidates }: Request,
  { ledger, parked, unreadable, truncated, winners }: Known,
): Outcome[] {
  const table = context.tables.get(entity);
  if (table === undefined) return [];
  const name = entityKey(entity, key);
  const outcome = reduceKey({
    table,
    key,
    candidates: inArrivalOrder(parked.candidates.get(name) ?? [], candidates),
    unreadable: unreadable.get(name) ?? [],
    laterRecords: context.laterRecords,
    ledger: ledger.get(name),
    truncations: truncated.get(entity) ?? NO_TRUNCATIONS,
    rewriteEqual: context.rewriteEqual,
    winner: winners.get(name),
  });
  return [outcome];
}

/** A parked record that is read once more (a replay) is one record, and is tried again. */
function inArrivalOrder(parked: readonly Candidate[], arrived: readonly Candidate[]): readonly Candidate[] {
  if (parked.length === 0) return arrived;
  const again = new Map<Candidate, Candidate>();
  for (const one of arrived) {
    const known = parked.find(({ place }) => samePlace(place, one.place));
    if (known?.parked !== undefined)
      again.set(known, { ...one, parked: { ...known.parked, isWaiting: true, isAsked: true } });
  }
  const places = [...again.values()].map(({ place }) => place);
  const fresh = arrived.filter(({ place }) => !places.some((known) => samePlace(known, place)));
  return [...parked.map((one) => again.get(one) ?? one), ...fresh];
}

/** An operator asked to read them again, and they still can't be. */
function waitingOf({ unreadable }: ParkedRecords): Undecodable[] {
  return [...unreadable.values()].flat().filter(({ parked }) => parked?.isWaiting === true);
}

/** Halves until the failing item stands alone. */
export async function writeSplit(context: TransactionContext, items: readonly Item[]): Promise<Written> {
  const { session } = context;
  if (items.length === 0) return joined([]);
  await session.savepoint();
  try {
    const written = await writeWhole(context, items);
    await session.releaseSavepoint();
    return written;
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
    await session.rollbackToSavepoint();
    if (items.length === 1) return setAside(context, items[0] as Item, error);
    const middle = items.length >> 1;
    const first = await writeSplit(context, items.slice(0, middle));
    return joined([first, await writeSplit(context, items.slice(middle))]);
  }
}

async function setAside(context: TransactionContext, item: Item, error: RecordError): Promise<Written> {
  if (item.kind === 'undecodable') throw error;
  const { entity, key } = item.kind === 'record' ? item.candidate.record : item;
  const reason = {
    code: error.code,
    reason: error.where === undefined ? error.message : `${error.message} (${error.where})`,
    isWaiting: WAITS_BY_ITSELF.has(error.code),
  };
  const { candidates } = await readParked(context.session, context.side, [{ entity, key }], context.decode);
  const before = candidates.get(entityKey(entity, key)) ?? [];
  const blamed =
    error instanceof RefusedByTarget ? before.find(({ place }) => samePlace(place, error.candidate.place)) : undefined;
  const isLookedAt = blamed?.parked?.isWaiting === true || blamed?.parked?.reasonCode === KEY_PARKED;
  if (blamed !== undefined && isLookedAt && !reason.isWaiting) {
    // The others of its key have not been looked at yet. Each round takes one away from those that are.
    const parks = [park(blamed, entity, key, reason, context.isTimedRetry)].filter((one) => one !== undefined);
    await writeParked(context, parks);
    return joined([{ counts: noCounts(), parks }, await writeSplit(context, [item])]);
  }
  const targets = item.kind === 'record' ? [item.candidate] : before.filter(({ parked }) => parked?.isWaiting === true);
  const parks = targets.flatMap((target) => park(target, entity, key, reason, context.isTimedRetry) ?? []);
  await writeParked(context, parks);
  const isOvertaking = item.kind === 'record' && context.laterRecords !== 'wait';
  const needless = isOvertaking ? supersededBy(item.candidate, before) : [];
  if (needless.length > 0) await context.session.remove(context.side.parked, [{ column: 'id', values: needless }]);
  const added = parks.filter(({ target }) => target.parked === undefined).length;
  return { counts: { ...noCounts(), parked: added, unparked: needless.length }, parks };
}

/** A record that carries all fields makes the older ones of its key needless, or a key that stays bad would fill the table. */
function supersededBy({ record, place }: Candidate, parked: readonly Candidate[]): bigint[] {
  if (record.meta.absent.length > 0) return [];
  const older = parked.filter(
    (one) => comparePositions(one.record.meta.position, record.meta.position) <= 0 && !samePlace(one.place, place),
  );
  return older.flatMap(({ parked: state }) => (state === undefined ? [] : [state.id]));
}

export function joined(all: readonly Written[]): Written {
  const counts = noCounts();
  for (const one of all) addCounts(counts, one.counts);
  const unscoped = all.flatMap((one) => one.unscoped ?? []);
  return { counts, parks: all.flatMap(({ parks }) => parks), ...(unscoped.length === 0 ? {} : { unscoped }) };
}
