/**
 * The readings that the processors know: a record that the mapping can't read is passed over when its table was read again since. They are
 * loaded when the worker starts. While a table is halted they are looked up again, so that a resnapshot frees it without a person.
 */
import { TransientError } from '../../core/errors.ts';
import type { Clock } from '../../core/ports.ts';
import type { Position } from '../../core/position.ts';
import type { ReadingsAgain } from './read-whole.ts';

const LOOK_EVERY_MS = 3_000;

export type HaltedTable = { readonly system: string; readonly table: string };

export type TableReadingsParts = {
  readonly read: (system: string) => Promise<ReadingsAgain>;
  readonly halted: () => readonly HaltedTable[];
  readonly clock: Clock;
};

export class TableReadings {
  readonly #parts: TableReadingsParts;
  readonly #known = new Map<string, ReadingsAgain>();

  constructor(parts: TableReadingsParts) {
    this.#parts = parts;
  }

  /** A source that is away is asked again when one of its tables is halted. */
  async load(systems: readonly string[]): Promise<void> {
    await Promise.all(
      systems.map(async (system) => {
        const readings = await this.#parts.read(system).catch(() => undefined);
        if (readings !== undefined) this.#known.set(system, readings);
      }),
    );
  }

  readonly at = (system: string, table: string): Position | undefined => this.#known.get(system)?.get(table);

  /** Rejects when a halted table was read again since the start: it goes on with a new start of the worker. */
  async renewed(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#parts.clock.pause(LOOK_EVERY_MS, signal);
      const halted = signal.aborted ? [] : this.#parts.halted();
      for (const { system, table } of halted) {
        const readings = await this.#parts.read(system).catch(() => undefined);
        const fresh = readings?.get(table);
        if (fresh !== undefined && !isSame(fresh, this.at(system, table))) throw readAgain(system, table);
      }
    }
  }
}

function isSame(left: Position, right: Position | undefined): boolean {
  return right !== undefined && Buffer.compare(left, right) === 0;
}

function readAgain(system: string, table: string): TransientError {
  return new TransientError({
    code: 'TABLE_READ_AGAIN',
    message: `${table} of ${system} was read again, and its topic goes on with a new start`,
    where: `source ${system}, table ${table}`,
    hint: 'nothing to do: what keeps the workers running starts this one again',
  });
}
