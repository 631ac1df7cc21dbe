/**
 * When Seam reads a table again by itself: never where a person is needed, never without a rest, never for ever, and always where a reading
 * is all that it takes. A small world stands in for sources, in which readings succeed, fail and are refused at random.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Sighting } from '../../core/condition.ts';
import { ContractError, TransientError } from '../../core/errors.ts';
import type { Clock, Logger } from '../../core/ports.ts';
import { ATTEMPTS_MAX, type Decision, decide, lossesByTable, REST_MS_MAX, REST_MS_MIN } from '../../ops/heal/decide.ts';
import { keepHealing } from '../../ops/heal/healer.ts';
import type { HealNotes, HealOutcome } from '../../ops/heal/notes.ts';
import { notesAfter, outcomeOfError, outcomeOfSweep, stillLost } from '../../ops/heal/outcome.ts';
import { sourceKinds } from '../../ops/sources/checks/index.ts';
import { shown } from '../../ops/heal/shown.ts';

const SYSTEM = 'shop';
const TABLES = ['shop.item', 'shop.sale', 'shop.card'];

const ofTable = (table: string, text = 'at 7', id = 'CASCADE_LOST'): Sighting => ({
  id,
  severity: 'halt',
  object: { kind: 'table', system: SYSTEM, table },
  text,
  next: `read it again: seam resnapshot --system shop --table ${table} --yes`,
  healedBy: 'reading',
});
const ofSource: Sighting = { ...ofTable('', 'at 9', 'LOG_INCOMPLETE'), object: { kind: 'source', system: SYSTEM } };
const { healedBy: _, ...needsOwner } = ofTable('shop.item', 'not published', 'TABLE_NOT_PUBLISHED');
const sourceGone: Sighting = { ...needsOwner, object: { kind: 'source', system: SYSTEM } };

const decided = (found: readonly Sighting[], notes: HealNotes = {}, nowMs = 1_000_000): Decision =>
  decide({ system: SYSTEM, tables: TABLES, found, notes, nowMs });

/** A reading of these losses that began and ended at `nowMs`. */
function noted(found: readonly Sighting[], outcome: HealOutcome | undefined, notes: HealNotes = {}, nowMs = 1_000_000) {
  const losses = lossesByTable({ system: SYSTEM, tables: TABLES, found, notes, nowMs });
  return notesAfter(notes, { losses, endedMs: nowMs, tookMs: 0 }, () => outcome);
}

const away: HealOutcome = { kind: 'away', code: 'CONNECTOR_SILENT', text: 'silent', next: undefined };
const failed: HealOutcome = { kind: 'failed', code: 'SWEEP_PARTIAL', text: 'a row is refused', next: 'correct it' };
const unconfirmed: HealOutcome = {
  kind: 'unconfirmed',
  code: 'SWEEP_UNCONFIRMED',
  text: 'the source lacks 30 of 900 keys',
  next: 'run: seam resnapshot --system shop --table shop.sale --delete 30 --yes',
};

describe('which tables are read', () => {
  it.each([
    [
      'mariadb',
      'LOG_STATEMENT PARTITION_CHANGED TABLE_REPLACED TWO_PHASE_LOST CASCADE_LOST LOG_INCOMPLETE SNAPSHOT_UNFINISHED',
    ],
    ['postgres', 'SNAPSHOT_UNFINISHED TABLE_REPLACED PARTITION_CHANGED TABLE_NOT_READ CHANGES_NOT_TOLD'],
  ] as const)('those with a finding of these checks alone, %s', (kind, ids) => {
    const healing = sourceKinds[kind].checks.filter(({ healedByReading }) => healedByReading !== undefined);
    expect(healing.map(({ id }) => id)).toEqual(ids.split(' '));
    expect(healing.every(({ severity }) => severity === 'halt')).toBe(true);
  });

  it('all that lost something, at once and in one reading', () => {
    const read = decided([ofTable('shop.item'), ofTable('shop.sale', 'at 8', 'LOG_STATEMENT')]);
    expect(read).toEqual({ kind: 'read', tables: ['shop.item', 'shop.sale'], ids: ['CASCADE_LOST', 'LOG_STATEMENT'] });
  });

  it('every table, where the loss may be of any', () => {
    expect(decided([ofSource])).toMatchObject({ kind: 'read', tables: TABLES });
  });

  it('none whose halt needs a person, and none of a source that does', () => {
    expect(decided([ofTable('shop.item'), needsOwner])).toEqual({ kind: 'nothing' });
    expect(decided([ofTable('shop.item'), needsOwner, ofTable('shop.sale')])).toMatchObject({ tables: ['shop.sale'] });
    expect(decided([ofTable('shop.item'), sourceGone])).toEqual({ kind: 'nothing' });
  });

  it('none for a warning, and none of another source', () => {
    expect(decided([{ ...needsOwner, severity: 'warning' }])).toEqual({ kind: 'nothing' });
    const other: Sighting = { ...ofTable(''), object: { kind: 'table', system: 'till', table: 'shop.item' } };
    expect(decided([other])).toEqual({ kind: 'nothing' });
  });

  it('a loss of the whole source is read for in each table once, also where another table cannot be read', () => {
    const found = [ofSource, needsOwner];
    const notes = noted(found, undefined);
    expect(Object.keys(notes)).toEqual(['shop.sale', 'shop.card']);
    expect(decided(found, notes, 9_000_000)).toEqual({ kind: 'nothing' });
    expect(decided([ofSource], notes, 9_000_000)).toMatchObject({ kind: 'read', tables: ['shop.item'] });
  });
});

describe('how often', () => {
  it('deletions that need their number wait for a person until something else is lost', () => {
    const notes = noted([ofTable('shop.sale')], unconfirmed);
    expect(decided([ofTable('shop.sale')], notes, 9e12)).toEqual({ kind: 'nothing' });
    expect(decided([ofTable('shop.sale', 'at 7 to 12')], notes, 9e12)).toMatchObject({ kind: 'read' });
  });

  it('a refusal is tried five times, an outage as long as it lasts, both with rests that grow', () => {
    for (const [outcome, times] of [
      [failed, ATTEMPTS_MAX],
      [away, 50],
    ] as const) {
      const found = [ofTable('shop.sale')];
      let notes: HealNotes = {};
      let nowMs = 1_000_000;
      const rests: number[] = [];
      for (let count = 0; count < times; count += 1) {
        const decision = decided(found, notes, nowMs);
        if (decision.kind === 'rest') {
          rests.push(decision.untilMs - nowMs);
          nowMs = decision.untilMs;
        }
        expect(decided(found, notes, nowMs).kind).toBe('read');
        notes = noted(found, outcome, notes, nowMs);
      }
      expect(rests).toEqual([...rests].sort((left, right) => left - right));
      expect(rests[0]).toBe(REST_MS_MIN);
      expect(Math.max(...rests)).toBeLessThanOrEqual(REST_MS_MAX);
      expect(decided(found, notes, nowMs).kind).toBe(outcome === failed ? 'nothing' : 'rest');
    }
  });

  it('tables that failed are read alone, behind those that did not', () => {
    const found = [ofTable('shop.item'), ofTable('shop.sale')];
    const notes = noted(found, failed);
    expect(decided(found, notes, 9e12)).toMatchObject({ tables: ['shop.item'] });
    expect(decided([...found, ofTable('shop.card')], notes, 9e12)).toMatchObject({ tables: ['shop.card'] });
  });

  it('what was healed and is lost again in the same way is read again', () => {
    let notes: HealNotes = {};
    for (let nowMs = 1e6; nowMs < 1e8; nowMs += 1e6) {
      expect(decided([ofTable('shop.sale')], notes, nowMs).kind).toBe('read');
      notes = noted([ofTable('shop.sale')], undefined, notes, nowMs);
    }
  });

  it('between two readings of a table is a rest as long as the one before, whatever happens', () => {
    const step = fc.record({
      waitMs: fc.integer({ min: 0, max: 60_000 }),
      lost: fc.array(fc.tuple(fc.constantFrom(...TABLES), fc.constantFrom('at 1', 'at 2', 'at 3'))),
      tookMs: fc.integer({ min: 0, max: 100_000 }),
      outcome: fc.constantFrom(undefined, away, failed, unconfirmed),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        let notes: HealNotes = {};
        let nowMs = 1_000_000;
        for (const { waitMs, lost, tookMs, outcome } of steps) {
          nowMs += waitMs;
          const found = lost.map(([table, text]) => ofTable(table, text));
          const input = { system: SYSTEM, tables: TABLES, found, notes, nowMs };
          const decision = decide(input);
          if (decision.kind !== 'read') continue;
          for (const table of decision.tables) {
            const note = notes[table];
            if (note === undefined) continue;
            expect(nowMs - note.endedMs).toBeGreaterThanOrEqual(REST_MS_MIN);
            expect(nowMs - note.endedMs).toBeGreaterThanOrEqual(note.tookMs);
          }
          const losses = new Map([...lossesByTable(input)].filter(([table]) => decision.tables.includes(table)));
          nowMs += tookMs;
          notes = notesAfter(notes, { losses, endedMs: nowMs, tookMs }, () => outcome);
        }
      }),
    );
  });

  it('every loss that a reading heals is read for in the end, while readings succeed', () => {
    const losses = fc.array(
      fc.constantFrom(ofTable('shop.item'), ofTable('shop.sale'), ofTable('shop.card'), ofSource),
    );
    const outcomes = fc.array(fc.constantFrom(away, failed), { maxLength: ATTEMPTS_MAX - 1 });
    fc.assert(
      fc.property(losses, outcomes, (found, before) => {
        let left = [...new Set(found)];
        let notes: HealNotes = {};
        let nowMs = 1_000_000;
        for (let round = 0; left.length > 0; round += 1) {
          expect(round).toBeLessThan(60);
          const input = { system: SYSTEM, tables: TABLES, found: left, notes, nowMs };
          const decision = decide(input);
          expect(decision.kind).not.toBe('nothing');
          if (decision.kind === 'rest') nowMs = decision.untilMs;
          if (decision.kind !== 'read') continue;
          const lost = new Map([...lossesByTable(input)].filter(([table]) => decision.tables.includes(table)));
          const outcome = before[round];
          notes = notesAfter(notes, { losses: lost, endedMs: nowMs, tookMs: 0 }, () => outcome);
          if (outcome !== undefined) continue;
          const read = decision.tables;
          left = left.filter(({ object }) => object.kind !== 'table' || !read.includes(object.table));
          if (TABLES.every((table) => notes[table]?.readFor !== undefined))
            left = left.filter((one) => one !== ofSource);
        }
      }),
    );
  });
});

describe('what a reading ended with', () => {
  it('an outage is tried on, a refusal is not; no text of a driver is kept', () => {
    const details = { code: 'X', message: 'm', hint: 'h' };
    expect(outcomeOfError(new TransientError(details))).toMatchObject({ kind: 'away', code: 'X' });
    expect(outcomeOfError(new ContractError(details))).toMatchObject({ kind: 'failed', code: 'X', next: 'h' });
    expect(outcomeOfError(new ContractError({ ...details, code: 'FIRST_SNAPSHOT_RUNS' })).kind).toBe('away');
    expect(JSON.stringify(outcomeOfError(new Error('value 4711')))).not.toContain('4711');
  });

  it('a table is healed where none of its entities was withheld', () => {
    const swept = { present: 1, held: 1, missing: 0, deleted: 0, overtaken: 0, excluded: 0 };
    const withheld = new ContractError({ code: 'SWEEP_UNCONFIRMED', message: '30 of 900', hint: 'run it' });
    const outcomeOf = outcomeOfSweep([
      { ...swept, entity: 'sale', tables: ['shop.sale'], withheld },
      { ...swept, entity: 'item', tables: ['shop.item', 'shop.sale'], withheld: undefined },
    ]);
    expect(outcomeOf('shop.item')).toBeUndefined();
    expect(outcomeOf('shop.sale')).toEqual({
      kind: 'unconfirmed',
      code: 'SWEEP_UNCONFIRMED',
      text: '30 of 900',
      next: 'run it',
    });
  });

  it('the same loss of a table after a whole reading counts as a failure; a newer one does not', () => {
    expect(stillLost([ofTable('shop.sale')], [ofTable('shop.sale')])).toMatchObject({ kind: 'failed' });
    expect(stillLost([ofTable('shop.sale')], [ofTable('shop.sale', 'at 9')])).toBeUndefined();
    expect(stillLost([ofSource], [ofSource])).toBeUndefined();
  });
});

describe('what is shown', () => {
  const request = { id: '1', tables: TABLES, where: undefined, sweep: true, by: 'seam', reason: '' };
  const show = (found: readonly Sighting[], notes: HealNotes = {}, asked?: typeof request) =>
    shown(found, { system: SYSTEM, tables: TABLES, notes, request: asked });

  it('a table that is being read flows, and a source when all its tables are', () => {
    expect(show([ofTable('shop.sale'), ofSource], {}, request).map(({ severity }) => severity)).toEqual([
      'warning',
      'warning',
    ]);
    const part = { ...request, tables: ['shop.sale'] };
    expect(show([ofTable('shop.sale'), ofSource], {}, part).map(({ severity }) => severity)).toEqual([
      'warning',
      'halt',
    ]);
    expect(show([needsOwner], {}, request)).toEqual([needsOwner]);
  });

  it('deletions that were withheld, with their command', () => {
    const found = [ofTable('shop.sale')];
    expect(show(found, noted(found, unconfirmed))).toEqual([
      {
        ...found[0],
        text: 'at 7; it was read again by Seam, but the source lacks 30 of 900 keys [SWEEP_UNCONFIRMED]',
        next: unconfirmed.next,
      },
    ]);
  });

  it('nothing of a reading that was for other losses', () => {
    const notes = noted([ofTable('shop.sale')], unconfirmed);
    const found = [ofTable('shop.sale', 'at 12')];
    expect(show(found, notes)).toEqual(found);
  });
});

describe('the loop', () => {
  it('asks only for a source that lost something, one reading at a time, and ends with its signal', async () => {
    const asked: string[] = [];
    let running = 0;
    const stopping = new AbortController();
    const silent = () => {};
    const logger: Logger = { error: silent, warn: silent, info: silent, debug: silent };
    let pauses = 0;
    const clock: Clock = {
      nowMs: () => 0,
      elapsedMs: () => 0,
      pause: async () => {
        pauses += 1;
        if (pauses > 20) stopping.abort();
      },
    };
    const heal = async (system: string) => {
      running += 1;
      expect(running).toBe(1);
      asked.push(system);
      await Promise.resolve();
      running -= 1;
      if (asked.length % 2 === 0) throw new Error('away');
      return 0;
    };
    const sightings = () => [
      ofTable('shop.sale'),
      { ...needsOwner, object: { kind: 'source' as const, system: 'till' } },
    ];
    await keepHealing({ names: ['shop', 'till'], sightings, heal, clock, logger }, stopping.signal);
    expect(new Set(asked)).toEqual(new Set(['shop']));
    expect(asked.length).toBeGreaterThan(3);
  });
});
