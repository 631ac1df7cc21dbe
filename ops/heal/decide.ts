/**
 * Which tables Seam reads again by itself now. Pure. A table is read when each of its halts is one that a reading heals; a halt that needs
 * a person keeps it, or its whole source, waiting. What one reading ended with is noted, so that no table is read without a rest:
 *
 *   lost ──> read at once ──> healed
 *              ├── the source is away, the connector is silent ──> again, after rests that grow to ten minutes
 *              ├── refused, or deletions withheld because of a row that is refused ──> again, alone, five times in all ──> a person
 *              └── deletions that need their number ──> a person
 *   lost again ──> fresh losses: read again
 *
 * Every rest is at least as long as the last reading took.
 */
import { createHash } from 'node:crypto';
import type { Sighting } from '../../core/condition.ts';
import type { HealNote, HealNotes } from './notes.ts';

export const ATTEMPTS_MAX = 5;
export const REST_MS_MIN = 10_000;
export const REST_MS_MAX = 600_000;

export type HealInput = {
  readonly system: string;
  /** Mapped ones. */
  readonly tables: readonly string[];
  /** As the checks found them. */
  readonly found: readonly Sighting[];
  readonly notes: HealNotes;
  readonly nowMs: number;
};

export type Decision =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'rest'; readonly untilMs: number }
  /** `ids`: of the conditions that this reading is to end. */
  | { readonly kind: 'read'; readonly tables: readonly string[]; readonly ids: readonly string[] };

export function decide(input: HealInput): Decision {
  const { notes, nowMs } = input;
  const losses = lossesByTable(input);
  const due = [...losses].map(([table, lost]) => ({ table, lost, ...dueOf(notes[table], lost) }));
  const now = due.filter(({ atMs }) => atMs <= nowMs);
  const fresh = now.filter(({ isFresh }) => isFresh);
  // one that fails must not take the others along
  const chosen = fresh.length > 0 ? fresh : now.slice(0, 1);
  if (chosen.length > 0) {
    const ids = [...new Set(chosen.flatMap(({ lost }) => lost.map(({ id }) => id)))].sort();
    return { kind: 'read', tables: chosen.map(({ table }) => table), ids };
  }
  const untilMs = Math.min(...due.map(({ atMs }) => atMs));
  return Number.isFinite(untilMs) ? { kind: 'rest', untilMs } : { kind: 'nothing' };
}

/** Of each table that a reading heals: what was lost in it, or somewhere in its source. */
export function lossesByTable({ system, tables, found, notes }: HealInput): Map<string, Sighting[]> {
  const own = found.filter(({ object }) => 'system' in object && object.system === system);
  const ofTable = (table: string) => own.filter(({ object }) => object.kind === 'table' && object.table === table);
  const ofSource = own.filter(({ object }) => object.kind === 'source');
  const losses = new Map<string, Sighting[]>();
  if (ofSource.some(needsPerson)) return losses;
  for (const table of tables) {
    if (ofTable(table).some(needsPerson)) continue;
    const read = notes[table]?.readFor ?? [];
    const ofAll = ofSource.filter((one) => !read.includes(lossesKey([one])));
    const lost = [...ofTable(table), ...ofAll].filter(isHealedByReading);
    if (lost.length > 0) losses.set(table, lost);
  }
  return losses;
}

export function isHealedByReading({ healedBy }: Sighting): boolean {
  return healedBy === 'reading';
}

function needsPerson(sighting: Sighting): boolean {
  return sighting.severity === 'halt' && !isHealedByReading(sighting);
}

/** The same as long as nothing else was lost. */
export function lossesKey(lost: readonly Sighting[]): string {
  const texts = lost.map(({ id, text }) => `${id} ${text}`).sort();
  return createHash('sha256').update(texts.join('\n')).digest('hex').slice(0, 16);
}

function dueOf(note: HealNote | undefined, lost: readonly Sighting[]): { atMs: number; isFresh: boolean } {
  if (note === undefined) return { atMs: 0, isFresh: true };
  const { outcome, attempts, endedMs, tookMs } = note;
  const isFresh = outcome === undefined || note.lossesKey !== lossesKey(lost);
  if (!isFresh && isForPerson(note)) return { atMs: Number.POSITIVE_INFINITY, isFresh };
  const restMs = isFresh ? REST_MS_MIN : Math.min(REST_MS_MIN * 2 ** (attempts - 1), REST_MS_MAX);
  return { atMs: endedMs + Math.max(restMs, tookMs), isFresh };
}

/** Trying again by itself brings nothing more. */
export function isForPerson({ attempts, outcome }: HealNote): boolean {
  if (outcome?.kind === 'unconfirmed') return true;
  return outcome?.kind === 'failed' && attempts >= ATTEMPTS_MAX;
}
