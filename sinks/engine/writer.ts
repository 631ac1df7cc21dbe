/**
 * Writes work into the target, each in one transaction, and again after a failure that passes.
 *
 * ```
 *        RecordError: again, split        TransientError: again after a pause, leases checked again
 *            ┌───────┐                           ┌────────────┐
 *            v       │                           v            │
 *   begin ─> lock leases ─> read ─> plan ─> execute ─> offsets ─> commit ─> done
 *                 └─> LEASE_LOST: nothing written, the worker starts over
 * ```
 * The answer to COMMIT may get lost: the next attempt then finds the new offsets in the leases and is done.
 */
import { ContractError, type SeamError, TransientError } from '../../core/errors.ts';
import type { Clock, TopicPartition } from '../../core/ports.ts';
import { isTruncation } from '../../core/truncation.ts';
import type { Dialect, Session } from '../dialects/dialect.ts';
import type { CompiledTable } from './compile.ts';
import { addCounts } from './counts.ts';
import type { Decoded } from './decoder.ts';
import type { Hooks } from './hooks.ts';
import {
  type Advance,
  checkLeases,
  holdLeases,
  holdTopics,
  LEASE_LOST,
  type Lease,
  lockLeases,
  saveOffsets,
} from './leases.ts';
import { limited } from './limited-session.ts';
import { parkedCounts } from './parking.ts';
import type { DecodeBatch } from './record.ts';
import { circularEntities } from './rings.ts';
import type { SinkSettings } from './settings.ts';
import type { SideTables } from './side-tables.ts';
import { announce, isWithoutDeletions, makeReady, type Straight, writeStraight } from './straight.ts';
import { writeApart } from './settle.ts';
import { type Item, type TransactionContext, type Written, writeSplit, writeWhole } from './transaction.ts';

export type Work = {
  /** Asked for where a plan is needed: most batches need none. */
  readonly items: () => Promise<readonly Item[]>;
  /** What `Writer.makeReady` made of them. */
  readonly straight?: Straight | undefined;
  /** Every partition that the items belong to. */
  readonly advances: readonly Advance[];
  readonly isTimedRetry: boolean;
  /** Of these no other owner may write meanwhile: keys with parked records in several partitions. */
  readonly wholeTopics?: readonly string[];
  /** Of a replay: partitions of the sinks beside it, which wait while its transaction runs. */
  readonly holds?: readonly TopicPartition[];
  /** Written in the same transaction, last. */
  readonly alongside?: (session: Session, written: Written) => Promise<void>;
};

export type WriterOptions = {
  readonly dialect: Dialect;
  readonly openSession: () => Promise<Session>;
  readonly side: SideTables;
  readonly tables: ReadonlyMap<string, CompiledTable>;
  readonly decode: DecodeBatch;
  readonly settings: SinkSettings;
  readonly clock: Clock;
  readonly hooks: Hooks;
  readonly signal: AbortSignal;
  /** undefined: writing goes well again. */
  readonly onTrouble: (error: SeamError | undefined) => void;
};

/** Each is tried where the one before it met a record that is none of its kind. */
const WAYS = ['fresh', 'straight', 'whole', 'split'] as const;
type Way = (typeof WAYS)[number];
/** `items`: none where there is no plan. */
type Attempt = { readonly way: Way; readonly items: readonly Item[]; readonly meanwhile: () => void };
/** Of the largest batch: in less there is little to gain, and what came last says little of what comes next. */
const FRESH_SHARE_MIN = 0.25;

const FIRST_PAUSE_MS = 20;
export const LEASES_BUSY = 'LEASES_BUSY';

export class Writer {
  readonly #options: WriterOptions;
  #session: Session | undefined;
  /** The last batch: it had no key that was there before. */
  #wasAllNew = false;

  constructor(options: WriterOptions, session: Session) {
    this.#options = options;
    this.#session = session;
  }

  get echoTag(): string | undefined {
    return this.#session?.echoTag;
  }

  /** Entities whose new rows may only land together with others. */
  get circular(): ReadonlySet<string> {
    return circularEntities(this.#options.tables.values());
  }

  /** Done before the transaction begins, so that the database need not wait for it. undefined: they need a plan. */
  async makeReady(decoded: Decoded): Promise<Straight | undefined> {
    const { settings, tables, side, clock } = this.#options;
    if (settings.rewriteEqual || decoded.length === 0) return undefined;
    const breathe = () => clock.pause(0);
    const straight = await makeReady(tables, decoded, breathe);
    if (straight !== undefined && this.#session !== undefined) await announce(this.#session, side, straight, breathe);
    return straight;
  }

  /**
   * `meanwhile` is called while the database is at work, if there is such a moment. undefined: an earlier attempt had committed,
   * and what it counted is unknown.
   */
  async write(work: Work, meanwhile: () => void = () => undefined): Promise<Written | undefined> {
    const startedMs = this.#options.clock.elapsedMs();
    let way = this.#firstWay(work);
    const written = await this.withSession(async (session) => {
      for (;;) {
        try {
          const items = isPlanned(way) ? await work.items() : [];
          return await this.#transaction(session, work, { way, items, meanwhile });
        } catch (error) {
          if (way === 'split' || this.#options.dialect.errorOf(error).class !== 'record') throw error;
          way = WAYS[WAYS.indexOf(way) + 1] as Way;
          await session.rollback();
        }
      }
    });
    this.#wasAllNew = written !== undefined && !isPlanned(way) && isAllNew(written.counts);
    const batchMs = this.#options.clock.elapsedMs() - startedMs;
    if (written !== undefined) addCounts(written.counts, { batches: 1, batchMs });
    return written;
  }

  /**
   * What `write` would do and count, done and rolled back. The sinks beside it wait meanwhile, so past `msMax`, or where a
   * statement or a lock takes longer than the session allows, it gives way with a TransientError. LEASES_BUSY: a sink is at work
   * on these partitions, and nothing was held yet.
   */
  async trial(work: Work, msMax: number): Promise<Written> {
    try {
      return await this.#tryOut(await this.#open(), work, msMax);
    } catch (cause) {
      throw this.#options.dialect.errorOf(cause);
    } finally {
      await this.#recover();
    }
  }

  async #tryOut(session: Session, work: Work, msMax: number): Promise<Written> {
    const { dialect, clock } = this.#options;
    for (let isSplit = false; ; isSplit = true) {
      const items = await work.items();
      await session.begin({ checkAtOnce: isSplit });
      await this.#holdForTrial(session, work.holds ?? []);
      const endMs = clock.elapsedMs() + msMax;
      const inTime = limited(session, () => clock.elapsedMs() > endMs);
      const context = this.#context(inTime, work);
      try {
        const written = await (isSplit ? writeSplit(context, items) : writeWhole(context, items));
        // what a commit would find
        await inTime.run('checkConstraints', []);
        return written;
      } catch (error) {
        if (isSplit || dialect.errorOf(error).class !== 'record') throw error;
        await session.rollback();
      }
    }
  }

  async #holdForTrial(session: Session, places: readonly TopicPartition[]): Promise<void> {
    try {
      await holdLeases(session, this.#options.side, places);
    } catch (cause) {
      const error = this.#options.dialect.errorOf(cause);
      if (!(error instanceof TransientError)) throw error;
      throw new TransientError({ code: LEASES_BUSY, message: 'a sink is at work on these partitions', cause });
    }
  }

  /** Runs `action` with an open session, again after each failure that passes. */
  async withSession<T>(action: (session: Session) => Promise<T>): Promise<T> {
    const { settings, clock, signal, onTrouble } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      try {
        const result = await action(await this.#open());
        if (attempt > 1) onTrouble(undefined);
        return result;
      } catch (cause) {
        const error = this.#options.dialect.errorOf(cause);
        await this.#recover();
        const isOver = attempt >= settings.retryAttemptsMax || signal.aborted;
        if (!(error instanceof TransientError) || error.code === LEASE_LOST || isOver) throw error;
        onTrouble(error);
        const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** (attempt - 1), settings.retryDelayMsMax);
        await clock.pause(pauseMs, signal);
      }
    }
  }

  /** Reads only. */
  async checkLeases(leases: readonly Lease[]): Promise<void> {
    await this.withSession((session) => checkLeases(session, this.#options.side, leases));
  }

  async close(): Promise<void> {
    await this.#session?.close();
    this.#session = undefined;
  }

  async #open(): Promise<Session> {
    if (this.#session?.isOpen === true) return this.#session;
    await this.close().catch(() => undefined);
    this.#session = await this.#options.openSession();
    return this.#session;
  }

  /** The session is kept where it can still roll back. */
  async #recover(): Promise<void> {
    try {
      if (this.#session?.isOpen === true) await this.#session.rollback();
    } catch {
      await this.close().catch(() => undefined);
    }
  }

  async #transaction(session: Session, work: Work, attempt: Attempt): Promise<Written | undefined> {
    const { hooks, side } = this.#options;
    await hooks.at('before-lock');
    await session.begin({ checkAtOnce: attempt.way === 'split' });
    if (work.holds !== undefined) await holdLeases(session, side, work.holds);
    await holdTopics(session, side, this.#wholeTopics(work, attempt.items));
    if ((await lockLeases(session, side, work.advances)) === 'done') {
      await session.rollback();
      return undefined;
    }
    await hooks.at('after-lock');
    const written = await this.#rows(session, work, attempt);
    await hooks.at('after-rows');
    await this.#refuseTooManyParked(session, written);
    await saveOffsets(session, side, work.advances);
    await work.alongside?.(session, written);
    await hooks.at('before-commit');
    await session.commit();
    await hooks.at('after-commit');
    return written;
  }

  /** A batch of rows that were never there before is mostly followed by another. */
  #firstWay({ straight }: Work): Way {
    if (straight === undefined) return 'whole';
    const isLarge = straight.records >= this.#options.settings.batchRecordsMax * FRESH_SHARE_MIN;
    return this.#wasAllNew && isLarge && isWithoutDeletions(straight) ? 'fresh' : 'straight';
  }

  async #rows(session: Session, work: Work, { way, items, meanwhile }: Attempt): Promise<Written> {
    if (!isPlanned(way) && work.straight !== undefined) {
      const { hooks, side } = this.#options;
      await hooks.at('after-plan');
      const options = { isFresh: way === 'fresh', meanwhile };
      return { counts: await writeStraight(session, side, work.straight, options), parks: [] };
    }
    const context = this.#context(session, work);
    return way === 'split' ? writeApart(context, items) : writeWhole(context, items);
  }

  /** A truncation goes through the keys of every partition, and through what is parked of them. */
  #wholeTopics({ wholeTopics = [] }: Work, items: readonly Item[]): readonly string[] {
    const topics = new Set(wholeTopics);
    for (const item of items) {
      if (item.kind === 'record' && isTruncation(item.candidate.record.key)) topics.add(item.candidate.place.topic);
    }
    return [...topics].sort();
  }

  #context(session: Session, { isTimedRetry, holds }: Work): TransactionContext {
    const { side, tables, decode, settings, clock, hooks } = this.#options;
    return {
      hooks,
      session,
      side,
      tables,
      decode,
      nowMs: clock.nowMs(),
      parkedRetryMs: settings.parkedRetryMs,
      keysMax: settings.batchRecordsMax,
      rewriteEqual: settings.rewriteEqual,
      isTimedRetry,
      laterRecords: settings.laterRecords,
      isReplay: holds !== undefined,
    };
  }

  async #refuseTooManyParked(session: Session, { counts }: Written): Promise<void> {
    if (counts.parked === 0) return;
    const { parkedRecordsMax } = this.#options.settings;
    const { waiting, deadLetters, behind } = await parkedCounts(session);
    if (waiting + deadLetters + behind <= parkedRecordsMax) return;
    const [table] = this.#options.tables.values();
    throw new ContractError({
      code: 'PARKED_FULL',
      message: `more than ${parkedRecordsMax} records are set aside: ${waiting} wait for rows, ${deadLetters} are dead letters, ${behind} wait behind those`,
      hint: `look at them with: seam dead-letter list --target ${table?.system}; discard what is given up, or raise parkedRecordsMax, and start the sink again`,
    });
  }
}

function isPlanned(way: Way): boolean {
  return way === 'whole' || way === 'split';
}

function isAllNew({ applied, inserted, deleted }: Written['counts']): boolean {
  return applied > 0 && inserted === applied && deleted === 0;
}
