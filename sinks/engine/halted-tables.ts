/**
 * Tables of the target that can't be written as they are now: altered, renamed, dropped, a right taken away. Such a table stands still
 * alone. Records for it stay in the log: their topics' offsets don't move, and what is set aside for it is not tried.
 *
 *     written --TableError--> halted --looked at, and nothing is missing--> written, from the offsets that were saved
 */
import type { Clock } from '../../core/ports.ts';
import { type Session, TableError } from '../dialects/dialect.ts';
import type { TargetTables } from './target-tables.ts';

export type HaltedTable = {
  readonly table: string;
  /** Their records wait in the log. */
  readonly topics: readonly string[];
  readonly code: string;
  /** Names table and columns, never a value. */
  readonly text: string;
  readonly next: string;
};

const FIRST_LOOK_MS = 1_000;
const LOOK_MS_MAX = 300_000;
/** A table that was written for so long since its last halt is a sound one. */
const SOUND_AFTER_MS = 600_000;

type Halt = HaltedTable & { readonly pauseMs: number; lookAtMs: number };

export class HaltedTables {
  readonly #tables: TargetTables;
  readonly #clock: Clock;
  readonly #lookMs: number;
  #lookAtAllMs: number;
  readonly #halts = new Map<string, Halt>();
  /** When it last went on, and after how long a pause: a table that looks sound and is not is tried more and more seldom. */
  readonly #released = new Map<string, { readonly atMs: number; readonly pauseMs: number }>();

  constructor(tables: TargetTables, clock: Clock, lookMs: number) {
    this.#tables = tables;
    this.#clock = clock;
    this.#lookMs = lookMs;
    this.#lookAtAllMs = clock.elapsedMs() + lookMs;
  }

  get all(): readonly HaltedTable[] {
    return [...this.#halts.values()];
  }

  get isEmpty(): boolean {
    return this.#halts.size === 0;
  }

  get topics(): ReadonlySet<string> {
    return new Set(this.all.flatMap(({ topics }) => topics));
  }

  /** undefined: the table stands still already, or nothing here is written to it. */
  add(error: TableError, faults: readonly string[]): HaltedTable | undefined {
    const { table, code, message, where, hint } = error;
    const topics = this.#tables.topicsOf(table);
    if (this.#halts.has(table) || topics.length === 0) return undefined;
    const released = this.#released.get(table);
    const nowMs = this.#clock.elapsedMs();
    const isAgain = released !== undefined && nowMs - released.atMs < SOUND_AFTER_MS;
    const pauseMs = isAgain ? Math.min(released.pauseMs * 2, LOOK_MS_MAX) : FIRST_LOOK_MS;
    const cause = faults.length > 0 ? faults.join('; ') : `${message} (${where ?? table})`;
    const halt: Halt = {
      table,
      topics,
      code,
      text: `table ${table} stands still: ${cause}`,
      next: hint ?? 'give the table back its columns and rights: the sink goes on by itself',
      pauseMs,
      lookAtMs: nowMs + pauseMs,
    };
    this.#halts.set(table, halt);
    return halt;
  }

  /** Tables that go on are to be read again from the offsets that were saved. */
  async look(session: Session): Promise<{ readonly altered: HaltedTable[]; readonly sound: HaltedTable[] }> {
    const altered = await this.#lookAtWritten(session);
    const nowMs = this.#clock.elapsedMs();
    const sound: HaltedTable[] = [];
    for (const halt of [...this.#halts.values()].filter(({ lookAtMs }) => lookAtMs <= nowMs)) {
      const faults = await this.#tables.look(session, halt.table);
      halt.lookAtMs = nowMs + FIRST_LOOK_MS;
      if (faults.length > 0) continue;
      this.#halts.delete(halt.table);
      this.#released.set(halt.table, { atMs: nowMs, pauseMs: halt.pauseMs });
      sound.push(halt);
    }
    return { altered, sound };
  }

  /** An index that is gone raises no error everywhere: rows would be written twice. */
  async #lookAtWritten(session: Session): Promise<HaltedTable[]> {
    const nowMs = this.#clock.elapsedMs();
    if (nowMs < this.#lookAtAllMs) return [];
    this.#lookAtAllMs = nowMs + this.#lookMs;
    const altered: HaltedTable[] = [];
    for (const table of this.#tables.names) {
      if (this.#halts.has(table)) continue;
      const faults = await this.#tables.look(session, table);
      const halt = faults.length === 0 ? undefined : this.add(alteredError(table), faults);
      if (halt !== undefined) altered.push(halt);
    }
    return altered;
  }

  isDue(): boolean {
    const nowMs = this.#clock.elapsedMs();
    return nowMs >= this.#lookAtAllMs || [...this.#halts.values()].some(({ lookAtMs }) => lookAtMs <= nowMs);
  }
}

export function alteredError(table: string): TableError {
  return new TableError({ code: 'TARGET_ALTERED', table, message: 'the table is not as target.ts says' });
}
