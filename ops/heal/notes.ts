/**
 * What the last reading of each table that Seam began by itself ended with, as one row in Seam's own table in the source: it outlives
 * every worker, and the next one rests as long as this one would have. The connector takes a signal of an unknown type for nothing.
 */
import { putNote, readNote } from '../resnapshot/signals.ts';
import type { SourceSession } from '../resnapshot/source-session.ts';

const ID = 'seam-heal';
/** A note that nobody needs any longer goes. */
const KEPT_MS = 3_600_000;

export type HealOutcome = {
  /** `away`: something did not answer. `failed`: refused, or it could not be read whole. `unconfirmed`: deletions need their number. */
  readonly kind: 'away' | 'failed' | 'unconfirmed';
  readonly code: string;
  readonly text: string;
  readonly next: string | undefined;
};

export type HealNote = {
  /** Of the losses that it was read for. */
  readonly lossesKey: string;
  /** Readings for these losses. */
  readonly attempts: number;
  readonly endedMs: number;
  readonly tookMs: number;
  /** undefined: all was read, and all deletions were carried out. */
  readonly outcome?: HealOutcome | undefined;
  /** Losses somewhere in the source that are healed in this table, while other tables may still wait. */
  readonly readFor?: readonly string[];
};
/** By table. */
export type HealNotes = Readonly<Record<string, HealNote>>;

export async function loadHealNotes(session: SourceSession): Promise<HealNotes> {
  return (await readNote<HealNotes>(session, ID)) ?? {};
}

/** The caller has the source's reading lock, so nobody else writes. */
export async function storeHealNotes(session: SourceSession, notes: HealNotes, nowMs: number): Promise<void> {
  const kept = Object.entries(notes).filter(
    ([, { outcome, endedMs }]) => outcome !== undefined || nowMs - endedMs < KEPT_MS,
  );
  await putNote(session, ID, Object.fromEntries(kept));
}
