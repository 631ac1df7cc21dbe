/**
 * What the log does not tell of a table: that another one has its name now, that rows came or went with a partition, and what happened
 * while it was not published whole. Each is found by comparing the catalogue with what was noted when the table was last read whole, so it
 * stays until the table was read again, whatever is repaired.
 *
 *   nothing noted, or nothing read yet → noted as it is       noted → another shape, or a loss was noted → condition
 *   condition → read again, whole (`readingDone`) → noted as it was when that reading began
 */
import type { CheckedSource, Finding, ReadSource, SourceCheck } from '../check.ts';
import { readAgain } from './captured.ts';
import { changeNotes, loadNotes, type Notes, type TableNote } from './notes.ts';
import { type Shape, shapesOf, type TableShape } from './shapes.ts';

type Verdict = { readonly id: string; readonly text: string };

export const lostChanges: readonly SourceCheck[] = [
  lossCheck(
    'TABLE_REPLACED',
    'halt',
    (table) => `${table} was dropped and made again, renamed or swapped, and what it holds now was not read`,
  ),
  lossCheck(
    'PARTITION_CHANGED',
    'halt',
    (table) => `a partition of ${table} was attached, detached, truncated or exchanged: the log tells none of its rows`,
  ),
  lossCheck(
    'TABLE_NOT_READ',
    'halt',
    (table) => `${table} came to the mapping after the first snapshot, and what it held then was not read`,
  ),
  lossCheck('CHANGES_NOT_TOLD', 'halt', (table) => `the log did not tell every change of ${table} for a while`),
];

function lossCheck(id: string, severity: SourceCheck['severity'], text: (table: string) => string): SourceCheck {
  return {
    id,
    severity,
    // what heals it needs the connector as it is about to be
    passesApply: true,
    healedByReading: 'table',
    async find(source) {
      const found = await verdicts(source);
      return found.flatMap(([table, verdict]): Finding[] => {
        if (verdict.id !== id) return [];
        return [{ table, text: text(table) + verdict.text, next: `read it again: ${readAgain(source.system, table)}` }];
      });
    },
  };
}

async function verdicts(source: CheckedSource): Promise<[string, Verdict][]> {
  const shapes = await shapesOf(source);
  await noteNew(source, shapes);
  const notes = (await loadNotes(source.session)) ?? {};
  return [...shapes].flatMap(([table, shape]) => {
    const verdict = verdictOf(notes[table], shape);
    return verdict === undefined ? [] : [[table, verdict]];
  });
}

function verdictOf(note: TableNote | undefined, shape: Shape): Verdict | undefined {
  if (note === undefined) return { id: 'TABLE_NOT_READ', text: '' };
  if (note.shape.oid !== shape.oid) return { id: 'TABLE_REPLACED', text: '' };
  if (note.lacks !== undefined) return { id: 'CHANGES_NOT_TOLD', text: ` (${note.lacks})` };
  // one that is in no publication now is noted as a loss by the check that says so
  if (note.shape.entry !== shape.entry && note.shape.entry !== null && shape.entry !== null)
    return { id: 'CHANGES_NOT_TOLD', text: ': it was taken out of the publication' };
  return isSameLeaves(note.shape, shape) ? undefined : { id: 'PARTITION_CHANGED', text: '' };
}

function isSameLeaves(noted: TableShape, present: TableShape): boolean {
  const leaves = new Set([...Object.keys(noted.leaves), ...Object.keys(present.leaves)]);
  return [...leaves].every((leaf) => noted.leaves[leaf] === present.leaves[leaf]);
}

/** Before anything was read every table is as it is; later, only a partition that is new and empty is taken as it is. */
async function noteNew({ session, offset }: CheckedSource, shapes: ReadonlyMap<string, Shape>): Promise<void> {
  await changeNotes(session, (notes) => {
    if (notes === undefined || offset === undefined) {
      return Object.fromEntries([...shapes].map(([table, shape]) => [table, { shape: stored(shape) }]));
    }
    const entries = Object.entries(notes).map(([table, note]) => [table, withEmptyLeaves(note, shapes.get(table))]);
    return Object.fromEntries(entries);
  });
}

function withEmptyLeaves(note: TableNote, present: Shape | undefined): TableNote {
  if (present === undefined || note.shape.oid !== present.oid) return note;
  const fresh = present.empty.filter((leaf) => note.shape.leaves[leaf] === undefined);
  if (fresh.length === 0) return note;
  const leaves = Object.fromEntries(fresh.map((leaf) => [leaf, present.leaves[leaf] as string]));
  return { ...note, shape: { ...note.shape, leaves: { ...note.shape.leaves, ...leaves } } };
}

function stored({ oid, entry, leaves }: TableShape): TableShape {
  return { oid, entry, leaves };
}

/** A condition held in which changes get lost: its end alone brings none of them back. */
export async function noteLosses(source: CheckedSource, lossy: ReadonlyMap<string, string>): Promise<void> {
  if (source.offset === undefined || lossy.size === 0) return;
  await changeNotes(source.session, (notes: Notes = {}) => {
    const changed = [...lossy].flatMap(([table, id]) => {
      const note = notes[table];
      return note === undefined ? [] : [[table, { lacks: id, ...note, ...(note.reading && { lacksAgain: id }) }]];
    });
    return { ...notes, ...Object.fromEntries(changed) };
  });
}

/** These tables are about to be read whole. A reading that goes on keeps what it began with. */
export async function readingBegun(source: ReadSource, isResumed: boolean): Promise<void> {
  const shapes = await shapesOf(source);
  await changeNotes(source.session, (notes = {}) => {
    const begun = [...shapes].map(([table, shape]) => {
      const { lacksAgain: _, ...note }: TableNote = notes[table] ?? { shape: { ...stored(shape), oid: '' } };
      return isResumed && note.reading !== undefined
        ? [table, notes[table]]
        : [table, { ...note, reading: stored(shape) }];
    });
    return { ...notes, ...Object.fromEntries(begun) };
  });
}

/** These tables were read whole, and what they no longer have was deleted. */
export async function readingDone({ session, tables }: ReadSource): Promise<void> {
  await changeNotes(session, (notes = {}) => {
    const done = tables.flatMap((table) => {
      const { reading, lacksAgain } = notes[table] ?? {};
      if (reading === undefined) return [];
      return [[table, { shape: reading, ...(lacksAgain === undefined ? {} : { lacks: lacksAgain }) }]];
    });
    return { ...notes, ...Object.fromEntries(done) };
  });
}
