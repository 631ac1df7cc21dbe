/**
 * A row that an incremental snapshot reads beside the stream: as new as the moment of its window, so it heals what the log no
 * longer tells, and never takes the place of a newer change. Made-up sources; Debezium's part is modelled as seen on real servers.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DebeziumSource } from '../../core/debezium.ts';
import { epochOf, toChangeEvent } from '../../core/debezium.ts';
import { comparePositions } from '../../core/position.ts';
import { holds } from '../support/holds.ts';

const KEYS = 4;

/** Changes of one transaction, all at its commit; `lost`: the log was gone before they were read. */
type Step =
  | { readonly do: 'write'; readonly changes: readonly { readonly key: number; readonly gone: boolean }[] }
  | { readonly do: 'lose'; readonly key: number; readonly gone: boolean }
  | { readonly do: 'open' | 'read' | 'close' };

const key = fc.integer({ min: 0, max: KEYS - 1 });
const change = fc.record({ key, gone: fc.boolean() });
const write = fc.record({
  do: fc.constant('write' as const),
  changes: fc.array(change, { minLength: 1, maxLength: 3 }),
});
/** A whole snapshot, with writes anywhere between its steps: before the window, before and after its read, after it. */
const history: fc.Arbitrary<Step[]> = fc
  .tuple(
    fc.array(write, { maxLength: 6 }),
    fc.array(fc.record({ do: fc.constant('lose' as const), key, gone: fc.constant(false) }), { maxLength: 4 }),
    ...Array.from({ length: 4 }, () => fc.array(write, { maxLength: 4 })),
  )
  .map(([first, lost, before, early, late, after]) => [
    ...first,
    ...lost,
    ...(before as Step[]),
    { do: 'open' },
    ...(early as Step[]),
    { do: 'read' },
    ...(late as Step[]),
    { do: 'close' },
    ...(after as Step[]),
  ]);

type Sent = { readonly key: number; readonly value: number | null; readonly position: Uint8Array };
type Place = { at(isCommit: boolean): DebeziumSource; window(): DebeziumSource };

/** Addresses as each database gives them: every change and every commit takes one. */
function postgresLog(): Place {
  let lsn = 100n;
  let lastCommit: bigint | null = null;
  const source = (own: bigint): DebeziumSource => ({
    connector: 'postgresql',
    ts_ms: 1n,
    lsn: own,
    sequence: JSON.stringify([lastCommit?.toString() ?? null, own.toString()]),
  });
  return {
    at(isCommit) {
      lsn += 8n;
      const told = source(lsn);
      if (isCommit) lastCommit = lsn;
      return told;
    },
    window: () => ({ ...source(lastCommit ?? lsn), lsn: null, snapshot: 'incremental' }),
  };
}

function mariadbLog(): Place {
  let pos = 100n;
  const source = (): DebeziumSource => ({ connector: 'mariadb', ts_ms: 1n, file: 'binlog.000007', pos, row: 0 });
  return {
    at() {
      pos += 8n;
      return source();
    },
    window: () => ({ ...source(), snapshot: 'incremental' }),
  };
}

/** What the source holds in the end, and all that Debezium sent of it. */
function run(steps: readonly Step[], place: Place): { rows: (number | null)[]; sent: Sent[] } {
  const rows: (number | null)[] = Array.from({ length: KEYS }, () => null);
  const sent: Sent[] = [];
  let value = 0;
  let window: Map<number, number | null> | undefined;
  let isOpen = false;
  const changedInWindow = new Set<number>();
  const send = (which: number, now: number | null, source: DebeziumSource, op: string) => {
    const { position } = toChangeEvent(
      { before: null, after: null, op, source },
      { system: 'x', table: 'x.x', epoch: 0 },
    );
    sent.push({ key: which, value: now, position });
  };
  for (const step of steps) {
    switch (step.do) {
      case 'write':
        for (const { key: which, gone } of step.changes) {
          value += 1;
          rows[which] = gone ? null : value;
          if (isOpen) changedInWindow.add(which);
          send(which, rows[which] as number | null, place.at(false), gone ? 'd' : 'u');
        }
        place.at(true);
        break;
      case 'lose':
        value += 1;
        rows[step.key] = step.gone ? null : value;
        place.at(true);
        break;
      case 'open':
        place.at(false);
        place.at(true);
        isOpen = true;
        break;
      case 'read':
        window = new Map(rows.entries());
        break;
      case 'close': {
        const source = place.window();
        for (const [which, read] of window ?? []) {
          if (read !== null && !changedInWindow.has(which)) send(which, read, source, 'r');
        }
        place.at(false);
        place.at(true);
        isOpen = false;
      }
    }
  }
  return { rows, sent };
}

/** A guarded target, which gets everything in any order. */
function applied(sent: readonly Sent[]): (number | null)[] {
  const rows: (number | null)[] = Array.from({ length: KEYS }, () => null);
  const newest = new Map<number, Uint8Array>();
  for (const { key: which, value, position } of sent) {
    const known = newest.get(which);
    if (known !== undefined && comparePositions(position, known) < 0) continue;
    newest.set(which, position);
    rows[which] = value;
  }
  return rows;
}

describe.each([
  ['PostgreSQL', postgresLog],
  ['MariaDB', mariadbLog],
])('rows read again beside the stream of %s', (_, log) => {
  it('heal what the log lost, and never win against a newer change', () => {
    holds(
      fc.property(history, (steps) => {
        const { rows, sent } = run(steps, log());
        expect(applied(sent)).toEqual(rows);
      }),
      2_000,
    );
  });
});

describe('the first transaction that a connector reads, which has no commit before it', () => {
  it('is newer than what an earlier connector read of the same rows', () => {
    const position = (sequence: string, lsn: bigint) =>
      toChangeEvent(
        { before: null, after: null, op: 'u', source: { connector: 'postgresql', ts_ms: 1n, lsn, sequence } },
        { system: 'x', table: 'x.x', epoch: 0 },
      ).position;
    expect(comparePositions(position('["900","950"]', 950n), position('[null,"1200"]', 1_200n))).toBeLessThan(0);
    expect(comparePositions(position('[null,"1200"]', 1_200n), position('["1208","1300"]', 1_300n))).toBeLessThan(0);
  });
});

describe('the epoch of a raw record', () => {
  const text = (value: string) => ({ 'seam-epoch': Buffer.from(value) });

  it('is what its header says, 0 without one', () => {
    expect(epochOf({})).toBe(0);
    expect(epochOf(text('3'))).toBe(3);
  });

  it.each(['x', '-1', '1.5', '65536'])('is refused where the header says %j', (value) => {
    expect(() => epochOf(text(value))).toThrow(expect.objectContaining({ code: 'ENVELOPE_REFUSED' }));
  });
});
