/**
 * One outcome for each key of a batch. Pure.
 *
 * Candidates are the key's parked records and the batch's, in arrival order. Older than the ledger or than the entity's last
 * truncation: stale. Of the rest the newest by position decides; equal positions fall to the later arrival. A record that
 * a column refuses is set aside, and the next older one decides: the target shows the key as it was before the bad record.
 *
 * Dead letters don't decide until an operator asks for them. Until then, with `laterRecords: wait`, whatever is newer is set
 * aside behind the oldest of them; it decides when none is left, or when it is asked for together with them. A record that
 * comes at the very position of a dead letter is that change, translated again: it takes the dead letter's place.
 *
 * With `laterRecords: heal` a newer record that carries the whole row takes the place of all dead letters before it, since nothing of
 * them would be left anyway: the row was corrected at its source. One that lacks fields waits, as above, unless a whole one
 * came between.
 */
import { comparePositions } from '../../core/position.ts';
import { Refusal } from '../../core/mapping.ts';
import { isTruncated, isTruncation, type Truncations } from '../../core/truncation.ts';
import type { CompiledTable } from './compile.ts';
import { evaluate, hashOf, mergeAbsent, type NoRow, type RowValues } from './evaluate.ts';
import { type Candidate, KEY_PARKED, type Place, type Undecodable } from './record.ts';
import { type LedgerRow, NO_HASH } from './side-tables.ts';

export type KeyRequest = {
  readonly table: CompiledTable;
  readonly key: string;
  readonly candidates: readonly Candidate[];
  /** Records of this key, parked or of this batch, whose contents can't be read. */
  readonly unreadable: readonly Undecodable[];
  readonly laterRecords: LaterRecords;
  readonly ledger: LedgerRow | undefined;
  /** The entity's newest truncations. */
  readonly truncations: Truncations;
  readonly rewriteEqual: boolean;
  /** Of a shared entity: the ledger's own record, where another system made it. */
  readonly winner?: Candidate | undefined;
};

export type LaterRecords = 'heal' | 'wait' | 'take-over';

export type Refused = { readonly candidate: Candidate; readonly refusal: Refusal };

export type Outcome = {
  readonly table: CompiledTable;
  readonly key: string;
  readonly ledger: LedgerRow | undefined;
  /** The record that decides, and what it makes of the row. undefined: nothing is to be written. */
  readonly decided:
    | { readonly by: Candidate; readonly row: RowValues | NoRow | 'ledger-only'; readonly hash: Uint8Array }
    | undefined;
  /** The deciding record waits: a record before it can't be read, and it doesn't carry all fields itself. */
  readonly isBehind: boolean;
  /** Older than the deciding one. */
  readonly superseded: readonly Candidate[];
  readonly refused: readonly Refused[];
  /** Parked, and neither stale nor older than the deciding record. */
  readonly deadLetters: readonly Candidate[];
  /** To be set aside behind a dead letter; oldest first. */
  readonly waiting: readonly Candidate[];
  readonly laterRecords: LaterRecords;
  readonly stale: readonly Candidate[];
  readonly own: readonly Candidate[];
  readonly isUnchanged: boolean;
  /** Can't be read, and a newer record that carries the whole row came behind them. */
  readonly passed: readonly Undecodable[];
  /** Of a shared entity: the target changed the row after the ledger's record was written there, and counts as older. */
  readonly isOverwritten: boolean;
};

export function reduceKey(request: KeyRequest): Outcome {
  const { own, stale, fresh, waiting, passed } = holdBack(request, sift(request));
  const refused: Refused[] = [];
  const isOverwritten = request.winner !== undefined && stale.some((one) => isOwnOfShared(request.table, one));
  const outcome = (rest: Partial<Outcome>): Outcome => ({
    deadLetters: fresh.slice(rest.superseded?.length ?? 0).filter(isDeadLetter),
    table: request.table,
    key: request.key,
    ledger: request.ledger,
    decided: undefined,
    isBehind: false,
    superseded: [],
    isUnchanged: false,
    passed,
    laterRecords: request.laterRecords,
    refused,
    waiting,
    stale,
    own,
    isOverwritten,
    ...rest,
  });
  for (let index = fresh.length - 1; index >= 0; index -= 1) {
    const by = fresh[index] as Candidate;
    if (isDeadLetter(by)) continue;
    try {
      const { row, hash } = evaluateCandidate(request, fresh, index);
      if (!isOverwritten && isSameAsLedger(request, by, row, hash))
        return outcome({ isUnchanged: true, superseded: fresh.slice(0, index + 1) });
      const isBehind = row !== 'ledger-only' && isBehindUnreadable(request.unreadable, fresh, index);
      return outcome({ decided: { by, row, hash }, isBehind, superseded: fresh.slice(0, index) });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      refused.push({ candidate: by, refusal: error });
    }
  }
  return outcome(isOverwritten ? { decided: restored(request) } : {});
}

/** Lacks fields that a record which can't be read may have carried. Older records don't stand in for it. */
function isBehindUnreadable(unreadable: readonly Undecodable[], fresh: readonly Candidate[], index: number): boolean {
  const by = fresh[index] as Candidate;
  if (by.record.meta.absent.length === 0) return false;
  const before = unreadable.filter((one) => isBefore(one.place, by.place));
  if (before.length === 0) return false;
  const since = fresh.slice(0, index + 1).filter((one) => before.every(({ place }) => isBefore(place, one.place)));
  return mergeAbsent(since, since.length - 1).absent.length > 0;
}

/** Their positions are unknown, so the log's order decides; over two partitions there is none. */
function isBefore(left: Place, right: Place): boolean {
  return left.topic !== right.topic || left.partition !== right.partition || left.offset < right.offset;
}

/** What was overwritten returns. */
function restored({ table, key, winner, ledger }: KeyRequest): Outcome['decided'] {
  if (winner === undefined || ledger === undefined) return undefined;
  const { value, meta } = winner.record;
  const row = evaluate(table, key, { fields: value, absent: meta.absent });
  return { by: winner, row, hash: ledger.hash };
}

/** Tried again only on request; until then it is there for newer records that lack its fields. */
function isDeadLetter({ parked }: Candidate): boolean {
  return parked !== undefined && !parked.isWaiting && parked.reasonCode !== KEY_PARKED;
}

type Sifted = { readonly own: Candidate[]; readonly stale: Candidate[]; readonly fresh: Candidate[] };

type HeldBack = Sifted & { readonly waiting: Candidate[]; readonly passed: readonly Undecodable[] };

/** What is newer than a dead letter waits: it is neither looked at nor kept from being looked at later. */
function holdBack(request: KeyRequest, { own, stale, fresh }: Sifted): HeldBack {
  const { laterRecords, unreadable } = request;
  if (laterRecords === 'take-over') return { own, stale, fresh, waiting: [], passed: [] };
  const letters = fresh.filter(isDeadLetter);
  if (letters.length === 0 && unreadable.length === 0) return { own, stale, fresh, waiting: [], passed: [] };
  const healed = laterRecords === 'heal' ? heal(request, { own, stale, fresh }) : undefined;
  if (healed !== undefined) return healed;
  const arrived = fresh.filter(({ parked }) => parked === undefined);
  const replaced = letters.filter((letter) => arrived.some((one) => isSameChange(letter, one)));
  const barrier = letters.find((letter) => !replaced.includes(letter))?.record.meta.position;
  const waits = (one: Candidate) =>
    !isDeadLetter(one) &&
    ((barrier !== undefined && comparePositions(one.record.meta.position, barrier) > 0) ||
      unreadable.some(({ place }) => isBefore(place, one.place)));
  return {
    own,
    stale: [...stale, ...replaced],
    fresh: fresh.filter((one) => !waits(one) && !replaced.includes(one)),
    waiting: fresh.filter(waits),
    passed: [],
  };
}

/**
 * The oldest sound record that carries the whole row and is newer than everything bad of its key takes the place of that, and of what waited
 * behind it. Where all of them are refused, what waited is still needed: it waits on.
 */
function heal(request: KeyRequest, { own, stale, fresh }: Sifted): HeldBack | undefined {
  const { unreadable } = request;
  const healers = healersOf(request, fresh);
  const [first] = healers;
  if (first === undefined) return undefined;
  const sound = healers.find((one) => isSound(request, fresh, one));
  const at = fresh.indexOf(sound ?? first);
  const letters = fresh.filter(isDeadLetter);
  const isBetween = (one: Candidate, index: number) => index < at && isBehindBad(one, letters, unreadable);
  const between = fresh.filter(isBetween);
  if (sound === undefined && between.length > 0) return undefined;
  const rest = fresh.filter((one, index) => !isBetween(one, index));
  return { own, stale: [...stale, ...between], fresh: rest, waiting: [], passed: unreadable };
}

function healersOf({ table, unreadable }: KeyRequest, fresh: readonly Candidate[]): readonly Candidate[] {
  const lastLetter = fresh.findLastIndex(isDeadLetter);
  const newest = fresh[lastLetter]?.record.meta.position;
  return fresh.filter(
    (one, index) =>
      index > lastLetter &&
      one.record.meta.absent.length === 0 &&
      (newest === undefined || comparePositions(one.record.meta.position, newest) > 0) &&
      unreadable.every(({ place }) => isInLogOrder(table, one) && isBeforeInPartition(place, one.place)),
  );
}

function isSound(request: KeyRequest, fresh: readonly Candidate[], one: Candidate): boolean {
  try {
    evaluateCandidate(request, fresh, fresh.indexOf(one));
    return true;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}

/**
 * Of a record that can't be read only the place is known. The log's order is the source's order only for rows of one table: another
 * table's records, another system's and a truncation come by a raw partition of their own, and may be late.
 */
function isInLogOrder({ entity }: CompiledTable, { record: { meta } }: Candidate): boolean {
  return entity.owner !== 'shared' && meta.table === undefined && meta.operation !== 't';
}

function isBeforeInPartition(left: Place, right: Place): boolean {
  return left.topic === right.topic && left.partition === right.partition && left.offset < right.offset;
}

/** It waited behind something bad, and a whole one makes it needless. */
function isBehindBad(one: Candidate, letters: readonly Candidate[], unreadable: readonly Undecodable[]): boolean {
  if (isDeadLetter(one)) return false;
  const oldest = letters[0]?.record.meta.position;
  const isNewer = oldest !== undefined && comparePositions(one.record.meta.position, oldest) > 0;
  return isNewer || unreadable.some(({ place }) => isBefore(place, one.place));
}

function isSameChange(left: Candidate, right: Candidate): boolean {
  return comparePositions(left.record.meta.position, right.record.meta.position) === 0;
}

/** Parked before, and made needless by a newer record that carries all fields, though that one is refused as well. */
export function deadLettersBefore({ refused, deadLetters, laterRecords }: Outcome): readonly Candidate[] {
  if (laterRecords === 'wait') return [];
  const newest = refused[0]?.candidate.record.meta;
  if (newest === undefined || newest.absent.length > 0) return [];
  return deadLetters.filter(({ record }) => comparePositions(record.meta.position, newest.position) <= 0);
}

function sift({ table, ledger, truncations, candidates, key }: KeyRequest): Sifted {
  const own: Candidate[] = [];
  const stale: Candidate[] = [];
  const fresh: Candidate[] = [];
  for (const candidate of candidates) {
    const { position } = candidate.record.meta;
    if (isOwnNews(table, candidate)) own.push(candidate);
    else if (ledger !== undefined && comparePositions(position, ledger.position) < 0) stale.push(candidate);
    else if (!isTruncation(key) && isTruncated(truncations, candidate.record.meta)) stale.push(candidate);
    else fresh.push(candidate);
  }
  if (fresh.length > 1)
    fresh.sort((left, right) => comparePositions(left.record.meta.position, right.record.meta.position));
  return { own, stale, fresh };
}

/** The target owns this entity and made the change itself: its tables have it already. */
export function isOwnNews(table: CompiledTable, { record }: Candidate): boolean {
  return record.meta.system === table.system && table.entity.owner === table.system;
}

/** A shared entity's record that the target itself made: see `plan.ts` for when it is written back. */
export function isOwnOfShared(table: CompiledTable, candidate: Candidate): boolean {
  return table.entity.owner === 'shared' && candidate.record.meta.system === table.system;
}

function evaluateCandidate(request: KeyRequest, fresh: readonly Candidate[], index: number) {
  const { table, key, ledger } = request;
  const candidate = fresh[index] as Candidate;
  if (isTruncation(key)) return { row: 'ledger-only' as const, hash: NO_HASH };
  const merged = mergeAbsent(fresh, index);
  if (isOwnOfShared(table, candidate) && ledger?.seamWrote !== true) {
    return { row: 'ledger-only' as const, hash: hashOf(table, merged) };
  }
  const row = evaluate(table, key, merged);
  if (row.kind === 'none') return { row, hash: NO_HASH };
  // Read once more, without the record that filled its absent fields: what was known of the contents still holds.
  const isLedgers = ledger !== undefined && comparePositions(candidate.record.meta.position, ledger.position) === 0;
  return { row, hash: isLedgers && row.hash.length === 0 ? ledger.hash : row.hash };
}

function isSameAsLedger(
  { ledger, rewriteEqual, key }: KeyRequest,
  by: Candidate,
  row: RowValues | NoRow | 'ledger-only',
  hash: Uint8Array,
): boolean {
  if (ledger === undefined || comparePositions(by.record.meta.position, ledger.position) !== 0) return false;
  if (isTruncation(key)) return true;
  if (by.record.value === null || (row !== 'ledger-only' && row.kind === 'none')) return ledger.deleted;
  if (ledger.deleted || rewriteEqual) return false;
  // A partial record may be a corrected one in the fields that it does carry.
  if (row !== 'ledger-only' && row.kind === 'row' && row.hash.length === 0) return false;
  return Buffer.compare(hash, ledger.hash) === 0;
}
