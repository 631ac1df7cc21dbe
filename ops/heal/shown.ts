/** What every display shows of a table that lost changes: is it being read again, and what did the last reading end with? Pure. */
import type { Sighting } from '../../core/condition.ts';
import type { ReadingUnderWay } from '../resnapshot/signals.ts';
import { isForPerson, isHealedByReading, lossesByTable, lossesKey } from './decide.ts';
import type { HealNote, HealNotes } from './notes.ts';

export type Shown = {
  readonly system: string;
  readonly tables: readonly string[];
  readonly notes: HealNotes;
  /** A reading that was asked for and has not ended. */
  readonly request: ReadingUnderWay | undefined;
};

export function shown(found: readonly Sighting[], { system, tables, notes, request }: Shown): Sighting[] {
  const losses = lossesByTable({ system, tables, found, notes, nowMs: 0 });
  const noteOf = (table: string): HealNote | undefined => {
    const note = notes[table];
    return note !== undefined && note.lossesKey === lossesKey(losses.get(table) ?? []) ? note : undefined;
  };
  return found.map((one) => {
    if (!isHealedByReading(one)) return one;
    const of = one.object.kind === 'table' ? [one.object.table] : tables;
    if (isBeingRead(of, request)) return whileRead(one);
    const ended = of.flatMap((table) => noteOf(table) ?? []).find(({ outcome }) => outcome !== undefined);
    return ended === undefined ? one : afterReading(one, ended);
  });
}

function isBeingRead(tables: readonly string[], request: ReadingUnderWay | undefined): boolean {
  if (request === undefined || request.where !== undefined || !request.sweep) return false;
  return tables.every((table) => request.tables.includes(table));
}

/**
 * A table that is being read again, whole, flows meanwhile: its sweep waits until the rows that were read have arrived. Where the reading
 * ends without its deletions the condition halts the table again.
 */
function whileRead(sighting: Sighting): Sighting {
  return { ...sighting, severity: 'warning', text: `${sighting.text}; it is being read again now` };
}

function afterReading(sighting: Sighting, note: HealNote): Sighting {
  const { outcome } = note;
  if (outcome === undefined) return sighting;
  const told = `${sighting.text}; it was read again by Seam, but ${outcome.text} [${outcome.code}]`;
  if (!isForPerson(note)) return { ...sighting, text: `${told}; it is tried again` };
  return { ...sighting, text: told, next: outcome.next ?? sighting.next };
}
