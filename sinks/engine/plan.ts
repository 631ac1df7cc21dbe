/**
 * What one batch changes in the target's database. Pure: outcomes of the keys and what was read of them → a plan.
 *
 * Shared entities (several systems write them, the newest commit wins): a record of another system is written here and marks
 * the key `seam_wrote`. It may have overwritten a newer change that the target itself had made but whose record had not come
 * round yet. So when the target's own record arrives, is newest, and Seam wrote the row before, the row is written back where
 * it differs, and stays marked: what was overwritten might be newer still. Where the row equals the record, and Seam's last
 * write there was another value which no trigger turns into this one, the target wrote last and the mark goes. Unmarked, own
 * records only move the ledger. An own record that is older than the ledger's was written over the winner all the same, where
 * clocks differ or a log has whole seconds: the winner, which the ledger keeps, is written again. However the edits interleave,
 * every system ends with the newest.
 */
import type { RecordMeta } from '../../core/canonical-record.ts';
import { ROW_MISSING } from '../dialects/dialect.ts';
import type { CompiledTable } from './compile.ts';
import { addCounts, type Counts, noCounts } from './counts.ts';
import { EffectPlan, type EffectWrites } from './effect-plan.ts';
import type { NoRow, RowValues } from './evaluate.ts';
import type { ParkWrite } from './parking.ts';
import { park, parkBehind, parkUndecodable } from './parking.ts';
import {
  BEHIND_DEAD_LETTER,
  type Candidate,
  isOfLedger,
  type ParkedState,
  type RawRecord,
  type Undecodable,
} from './record.ts';
import { deadLettersBefore, isOwnOfShared, type Outcome } from './reduce.ts';
import type { Mate, Mates } from './row-mates.ts';
import { RowPlan, type RowWrites } from './row-plan.ts';
import { rowId } from './row-id.ts';
import { type EffectRow, entityKey, type LedgerRow, NO_HASH } from './side-tables.ts';

export type PlanState = {
  /** By effect name and key. */
  readonly effects: ReadonlyMap<string, EffectRow>;
  readonly identities: ReadonlyMap<string, string>;
  /** `rowId` of the rows that were asked for and are there. */
  readonly existing: ReadonlySet<string>;
  /** Of the keys that go, by `entityKey`: those whose row is another key's, and stays. */
  readonly foreign: ReadonlySet<string>;
};

export type PlanRequest = {
  readonly outcomes: readonly Outcome[];
  readonly undecodable: readonly Undecodable[];
  readonly state: PlanState;
  /** A retry whose time had come: failures count as attempts. */
  readonly isTimedRetry: boolean;
  readonly mates?: Mates;
};

export type LedgerWrite = {
  readonly entity: string;
  readonly key: string;
  readonly meta: RecordMeta;
  readonly hash: Uint8Array;
  readonly deleted: boolean;
  readonly seamWrote: boolean;
  /** Its position is a stamp: the newest commit wins. */
  readonly isShared: boolean;
  /**
   * Only of an entity that may have to be brought back: over an older change that the target made later, or in a row made again.
   * null: this target does not take it.
   */
  readonly raw: RawRecord | null | undefined;
  /** undefined: there is no row yet. */
  readonly prior: Uint8Array | undefined;
};

export type EchoWrite = {
  readonly entity: string;
  readonly key: string;
  readonly hash: Uint8Array;
  readonly hops: number;
};

export type Plan = RowWrites &
  EffectWrites & {
    readonly ledger: readonly LedgerWrite[];
    readonly echoes: readonly EchoWrite[];
    readonly parks: readonly ParkWrite[];
    readonly unparks: readonly bigint[];
    readonly counts: Counts;
  };

export function plan(request: PlanRequest): Plan {
  const planner = new Planner(request);
  const passed = new Set(request.outcomes.flatMap((outcome) => outcome.passed));
  for (const undecodable of request.undecodable) {
    if (!passed.has(undecodable)) planner.setAside(parkUndecodable(undecodable));
  }
  const outcomes = inKeyOrder(request.outcomes);
  for (const outcome of outcomes) planner.countSifted(outcome);
  // Rows that go, rows that come, then records that need a row to be there: a batch may bring both a row and what waits for it.
  for (const outcome of outcomes) if (isRemoval(outcome)) planner.apply(outcome);
  for (const outcome of outcomes) if (!isRemoval(outcome) && !needsRow(outcome)) planner.apply(outcome);
  for (const outcome of outcomes) if (!isRemoval(outcome) && needsRow(outcome)) planner.apply(outcome);
  return planner.finish();
}

function isRemoval({ decided }: Outcome): boolean {
  return decided !== undefined && decided.row !== 'ledger-only' && decided.row.kind === 'none';
}

/** Does the record wait where another row is missing? */
export function needsRow({ table }: Outcome): boolean {
  const { mode, effects } = table.declaration;
  return mode === 'update' || effects.some((effect) => effect.whenMissing === 'wait');
}

/** Two workers then lock rows in the same order. */
function inKeyOrder(outcomes: readonly Outcome[]): Outcome[] {
  return [...outcomes].sort((left, right) => {
    if (left.table.order !== right.table.order) return left.table.order - right.table.order;
    return left.key < right.key ? -1 : left.key > right.key ? 1 : 0;
  });
}

class Planner {
  readonly #state: PlanState;
  readonly #isTimedRetry: boolean;
  readonly #mates: Mates | undefined;
  readonly #rows = new RowPlan();
  readonly #effects: EffectPlan;
  readonly #present: Set<string>;
  readonly #ledger: LedgerWrite[] = [];
  readonly #echoes: EchoWrite[] = [];
  readonly #parks: ParkWrite[] = [];
  readonly #unparks: bigint[] = [];
  readonly #counts = noCounts();

  constructor({ state, isTimedRetry, mates }: PlanRequest) {
    this.#state = state;
    this.#mates = mates;
    this.#isTimedRetry = isTimedRetry;
    this.#present = new Set(state.existing);
    this.#effects = new EffectPlan(state.effects, this.#present);
  }

  finish(): Plan {
    return {
      ...this.#rows.finish(),
      ...this.#effects.finish(),
      ledger: this.#ledger,
      echoes: this.#echoes,
      parks: this.#parks,
      unparks: this.#unparks,
      counts: this.#counts,
    };
  }

  setAside(write: ParkWrite | undefined): void {
    if (write === undefined) return;
    this.#parks.push(write);
    if (write.target.parked === undefined) addCounts(this.#counts, { parked: 1 });
  }

  countSifted(outcome: Outcome): void {
    const { own, stale, isUnchanged, superseded, decided, table, key } = outcome;
    addCounts(this.#counts, { own: own.length, stale: stale.length });
    this.#setAsideRefused(outcome);
    for (const one of outcome.waiting) this.setAside(parkBehind(one, table.entity.entity, key));
    this.#release(deadLettersBefore(outcome));
    this.#release(outcome.passed);
    this.#release(own);
    this.#release(stale);
    if (decided === undefined) {
      if (isUnchanged) addCounts(this.#counts, { unchanged: superseded.length });
      this.#release(superseded);
    }
  }

  /** Newest first. Where later records take over, one that carries all fields makes the older ones needless. */
  #setAsideRefused({ table, key, refused, laterRecords }: Outcome): void {
    const entity = table.entity.entity;
    const isWhole = laterRecords !== 'wait' && refused[0]?.candidate.record.meta.absent.length === 0;
    if (isWhole) this.#supersede(refused.slice(1).map(({ candidate }) => candidate));
    // in the order in which they are to be tried again
    for (const { candidate, refusal } of (isWhole ? refused.slice(0, 1) : refused).toReversed()) {
      const reason = { code: refusal.code, reason: refusal.reason, isWaiting: false };
      this.setAside(park(candidate, entity, key, reason, this.#isTimedRetry));
    }
  }

  apply(outcome: Outcome): void {
    const { decided, table, key, ledger, superseded } = outcome;
    if (decided === undefined) return;
    const { by, row, hash } = decided;
    const missing = outcome.isBehind ? BEHIND : this.#missingRow(table, row);
    if (missing !== undefined) {
      // what was to be brought back had a row that is gone since: a new row is told of by its own records
      if (!isOfLedger(by)) this.#wait(outcome, missing);
      return;
    }

    const isOwn = isOwnOfShared(table, by);
    const isGone = by.record.value === null || (row !== 'ledger-only' && row.kind === 'none');
    if (row !== 'ledger-only') this.#write(outcome, row, isOwn);
    for (const mate of this.#mates?.get(outcome) ?? []) this.#bringBack(mate);
    this.#ledger.push({
      entity: table.entity.entity,
      key,
      meta: by.record.meta,
      hash,
      deleted: isGone,
      // The write-back itself may find the row equal: `execute.ts` then takes the mark away.
      seamWrote: !isOwn || row !== 'ledger-only',
      isShared: table.entity.owner === 'shared',
      raw: recordToKeep(table, by, row, isGone),
      prior: ledger?.position,
    });
    if (isOwn) this.#counts.own += 1;
    else if (isGone) this.#counts.deleted += 1;
    else {
      this.#counts.applied += 1;
      if (ledger === undefined || ledger.deleted) this.#counts.inserted += 1;
    }
    this.#release([by]);
    this.#supersede(superseded);
  }

  #write(outcome: Outcome, row: RowValues | NoRow, isOwn: boolean): void {
    const { table, key, ledger, decided, isOverwritten, superseded } = outcome;
    const entity = table.entity.entity;
    const localKey = this.#state.identities.get(entityKey(entity, key));
    this.#effects.change(table, key, row.kind === 'row' ? row.shares : []);
    if (row.kind === 'row') {
      const isNew = ledger === undefined || ledger.deleted;
      if (isNew && row.absent.size > 0 && table.declaration.mode === 'upsert')
        addCounts(this.#counts, { incomplete: 1 });
      const writeBack = isOwn ? { isLikeOurs: isDerived(outcome) || isLikeOurs(ledger, row) } : undefined;
      this.#rows.put(table, key, row, { localKey, wasDeleted: ledger?.deleted === true, writeBack });
      if (table.declaration.mode === 'upsert') this.#present.add(rowId(table.shape.table, table.key, row.key));
    } else {
      const isUnknown = ledger === undefined || ledger.deleted;
      const isThereAgain = isOverwritten || superseded.some((one) => isOwnOfShared(table, one));
      if (row.isForeign ? isUnknown : ledger?.deleted === true && !isThereAgain) return;
      if (this.#state.foreign.has(entityKey(entity, key))) return;
      this.#rows.takeAway(table, row.key, localKey);
      if (table.declaration.onDelete === 'delete') this.#present.delete(rowId(table.shape.table, table.key, row.key));
    }
    const hash = decided?.hash ?? NO_HASH;
    if (table.isBidirectional && (row.kind === 'none' || hash.length > 0)) {
      this.#echoes.push({ entity, key, hash, hops: decided?.by.record.meta.hops ?? 0 });
    }
  }

  #bringBack({ table, key, row, hash }: Mate): void {
    if (row === undefined || row.absent.size > 0) addCounts(this.#counts, { incomplete: 1 });
    if (row === undefined) return;
    this.#rows.bringBack(table, row);
    if (table.isBidirectional && hash.length > 0)
      this.#echoes.push({ entity: table.entity.entity, key, hash, hops: 0 });
  }

  #missingRow(table: CompiledTable, row: RowValues | NoRow | 'ledger-only'): Waiting | undefined {
    if (row === 'ledger-only' || row.kind === 'none') return undefined;
    const { mode, table: name } = table.declaration;
    if (mode === 'update' && !this.#present.has(rowId(name, table.key, row.key))) return missing(name);
    for (const { effect, groupKey } of row.shares) {
      const { whenMissing, table: total } = effect.declaration;
      if (whenMissing === 'wait' && !this.#present.has(rowId(total, effect.key, groupKey))) return missing(total);
    }
    return undefined;
  }

  /** A record without absent fields makes older ones of its key needless, also those that wait already. */
  #wait({ decided, superseded, table, key }: Outcome, reason: Waiting): void {
    const by = decided?.by as Candidate;
    const entity = table.entity.entity;
    const kept = by.record.meta.absent.length === 0 ? [] : superseded;
    for (const candidate of [...kept, by]) {
      this.setAside(park(candidate, entity, key, { ...reason, isWaiting: true }, this.#isTimedRetry));
    }
    if (kept.length === 0) this.#supersede(superseded);
  }

  #supersede(candidates: readonly Candidate[]): void {
    addCounts(this.#counts, { superseded: candidates.length });
    this.#release(candidates);
  }

  #release(candidates: readonly { readonly parked: ParkedState | undefined }[]): void {
    for (const { parked } of candidates) {
      if (parked === undefined) continue;
      this.#unparks.push(parked.id);
      addCounts(this.#counts, { unparked: 1 });
    }
  }
}

/** What this target does not take is nothing of it: its contents have no place here. */
function recordToKeep(
  table: CompiledTable,
  { raw }: Candidate,
  row: RowValues | NoRow | 'ledger-only',
  isGone: boolean,
): RawRecord | null | undefined {
  const isForeign = row !== 'ledger-only' && row.kind === 'none' && row.isForeign;
  if (table.entity.owner === 'shared') return isForeign ? null : raw;
  if (!table.isKept) return undefined;
  return isGone ? null : raw;
}

/** Made by a trigger of something written here: written once more, that makes the same value again. */
function isDerived({ decided }: Outcome): boolean {
  return decided !== undefined && decided.by.record.meta.hops > 0;
}

/** Unless both contents are known and differ. */
function isLikeOurs(ledger: LedgerRow | undefined, { hash }: RowValues): boolean {
  if (ledger === undefined || hash.length === 0) return true;
  if (ledger.deleted) return false;
  return ledger.hash.length === 0 || Buffer.compare(ledger.hash, hash) === 0;
}

type Waiting = { readonly code: string; readonly reason: string };

const BEHIND: Waiting = {
  code: BEHIND_DEAD_LETTER,
  reason: 'an earlier record of this key is set aside, and this one does not carry all fields',
};

function missing(table: string): Waiting {
  return { code: ROW_MISSING, reason: `its row in ${table} is not there yet` };
}
