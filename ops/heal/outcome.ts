/** What a reading that Seam began by itself ended with, as notes of its tables. Pure. */
import type { Sighting } from '../../core/condition.ts';
import { SeamError } from '../../core/errors.ts';
import type { SweptEntity } from '../operations/sweep-tables.ts';
import { lossesKey } from './decide.ts';
import type { HealNote, HealNotes, HealOutcome } from './notes.ts';

export type Ended = {
  /** Tables that were to be read, with what was lost in them before. */
  readonly losses: ReadonlyMap<string, readonly Sighting[]>;
  readonly endedMs: number;
  readonly tookMs: number;
};

export function notesAfter(notes: HealNotes, ended: Ended, outcomeOf: (table: string) => HealOutcome | undefined) {
  const fresh = [...ended.losses].map(([table, lost]): [string, HealNote] => {
    const before = notes[table];
    const key = lossesKey(lost);
    const outcome = outcomeOf(table);
    const ofSource = lost.filter(({ object }) => object.kind === 'source').map((one) => lossesKey([one]));
    const readFor =
      outcome === undefined ? [...(before?.readFor ?? []), ...ofSource].slice(-READ_FOR_MAX) : before?.readFor;
    const note: HealNote = {
      lossesKey: key,
      attempts: before?.lossesKey === key && before.outcome !== undefined ? before.attempts + 1 : 1,
      endedMs: ended.endedMs,
      tookMs: ended.tookMs,
      ...(outcome === undefined ? {} : { outcome }),
      ...(readFor === undefined || readFor.length === 0 ? {} : { readFor }),
    };
    return [table, note];
  });
  return { ...notes, ...Object.fromEntries(fresh) };
}

/** There is one loss of each kind that is about any table of the source. */
const READ_FOR_MAX = 8;

/** Of a sweep that deleted nothing. What was not read to its end may be away; where rows are hidden, a check of its own halts the table. */
const OUTCOMES: Readonly<Record<string, HealOutcome['kind']>> = {
  SWEEP_UNCONFIRMED: 'unconfirmed',
  SWEEP_NOT_READ: 'away',
};

export function outcomeOfSweep(swept: readonly SweptEntity[]): (table: string) => HealOutcome | undefined {
  return (table) => {
    const withheld = swept.find((one) => one.withheld !== undefined && one.tables.includes(table))?.withheld;
    if (withheld === undefined) return undefined;
    const { code, message, hint } = withheld;
    return { kind: OUTCOMES[code] ?? 'failed', code, text: message, next: hint };
  };
}

/** All was read and swept, and yet the same look says the same. */
export function stillLost(before: readonly Sighting[] = [], after: readonly Sighting[] = []): HealOutcome | undefined {
  const [lost, left] = [before.filter(isOfTable), after.filter(isOfTable)];
  if (left.length === 0 || lossesKey(lost) !== lossesKey(left)) return undefined;
  return { kind: 'failed', code: 'STILL_LOST', text: 'the same was lost again, or is still found', next: undefined };
}

/** What may be of any table of a source ends when the last one was read. */
function isOfTable({ object }: Sighting): boolean {
  return object.kind === 'table';
}

/** Ends by itself. */
const PASSING: ReadonlySet<string> = new Set(['FIRST_SNAPSHOT_RUNS', 'RESNAPSHOT_UNDER_WAY']);

/** A driver's text may hold a value: only Seam's own errors are kept. */
export function outcomeOfError(error: unknown): HealOutcome {
  if (!(error instanceof SeamError)) {
    return { kind: 'away', code: 'READING_BROKE_OFF', text: 'the database or Kafka broke off', next: undefined };
  }
  const { code, message, hint } = error;
  const isPassing = error.class === 'transient' || PASSING.has(code);
  return { kind: isPassing ? 'away' : 'failed', code, text: message, next: hint };
}
