/** Reducing a range loses nothing that decides, and what an operator types is read as meant or refused. */
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import type { CanonicalRecord } from '../../core/canonical-record.ts';
import { comparePositions } from '../../core/position.ts';
import { KeyIndex } from '../../ops/operations/replay/raw-source.ts';
import { positionOf, selectionOf, timeOf } from '../../ops/operations/replay/selection.ts';
import { Window } from '../../ops/operations/replay/window.ts';
import { mergeAbsent } from '../../sinks/engine/evaluate.ts';
import type { Candidate } from '../../sinks/engine/record.ts';
import { holds } from '../support/holds.ts';
import { product } from '../support/shop-records.ts';
import { truncation } from '../support/test-log.ts';

const LIMITS = { keysMax: 1_000, bytesMax: 1_000_000 };
const FIELDS = ['description', 'department', 'specification'];

type Step = { readonly key: string; readonly at: number; readonly gone: boolean; readonly absent: readonly string[] };

const step: fc.Arbitrary<Step> = fc.record({
  key: fc.constantFrom('1', '2', '3'),
  at: fc.integer({ min: 1, max: 12 }),
  gone: fc.boolean(),
  absent: fc.subarray(FIELDS),
});

const recordOf = ({ key, at, gone, absent }: Step, offset: number): CanonicalRecord => {
  const fields = Object.fromEntries(FIELDS.map((name) => [name, absent.includes(name) ? null : `${name} ${offset}`]));
  return product({ productId: key, ...fields }, gone ? { at, gone } : { at, absent });
};

function candidateOf(record: CanonicalRecord, offset: number): Candidate {
  const place = { topic: 'canonical.product', partition: 0, offset: BigInt(offset) };
  return { record, place, raw: { value: null, meta: null }, parked: undefined };
}

/** By position, then by arrival: the newest of a key with its absent fields filled. */
function newest(candidates: readonly Candidate[]) {
  const ordered = [...candidates].sort((left, right) => {
    const order = comparePositions(left.record.meta.position, right.record.meta.position);
    return order !== 0 ? order : Number(left.place.offset - right.place.offset);
  });
  return mergeAbsent(ordered, ordered.length - 1);
}

function grouped(candidates: readonly Candidate[]): ReadonlyMap<string, readonly Candidate[]> {
  const window = new Window(LIMITS);
  for (const candidate of candidates)
    window.add({ offset: candidate.place.offset, item: { kind: 'record', candidate } });
  const groups = window.take();
  const firsts = groups.map(({ first }) => first);
  expect(firsts).toEqual([...firsts].sort((left, right) => Number(left - right)));
  return new Map(
    groups.map(({ first, items }) => {
      const of = items.flatMap((item) => (item.kind === 'record' ? [item.candidate] : []));
      expect(of.every(({ place }) => place.offset >= first)).toBe(true);
      return [of[0]?.record.key as string, of];
    }),
  );
}

describe('a window', () => {
  it('leaves of each key what all its records together say', () =>
    holds(
      fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), (steps) => {
        const all = steps.map((one, offset) => candidateOf(recordOf(one, offset), offset));
        const groups = grouped(all);
        for (const key of new Set(all.map(({ record }) => record.key))) {
          const ofKey = all.filter(({ record }) => record.key === key);
          expect(newest(groups.get(key) ?? [])).toEqual(newest(ofKey));
        }
      }),
    ));

  it('leaves out what a truncation made needless, and nothing newer', () => {
    const records = [
      product({ productId: '1' }, { at: 1 }),
      product({ productId: '2' }, { at: 9 }),
      truncation('product', 5),
    ];
    expect([...grouped(records.map(candidateOf)).keys()]).toEqual(['2', '\\truncate']);
  });

  it('says when it is full, by keys and by bytes', () => {
    const one = candidateOf(product({}, { at: 1 }), 0);
    const queued = { offset: 0n, item: { kind: 'record' as const, candidate: one } };
    for (const limits of [
      { ...LIMITS, keysMax: 1 },
      { ...LIMITS, bytesMax: 1 },
    ]) {
      const window = new Window(limits);
      expect(window.isFull).toBe(false);
      window.add(queued);
      expect(window.isFull).toBe(true);
      window.take();
      expect(window.isFull).toBe(false);
    }
  });
});

test('of raw records the newest of each key that was picked is sent, and none of a deleted key', () => {
  const raw = (key: string, offset: bigint, isTombstone = false) => ({
    key: Buffer.from(key),
    value: isTombstone ? null : Buffer.from('row'),
    offset,
    headers: {},
    timestampMs: 0,
  });
  const records = [raw('a', 1n), raw('b', 2n), raw('b', 3n), raw('b', 4n, true), raw('a', 5n), raw('c', 6n)];
  const index = new KeyIndex();
  for (const record of records) index.see(record, record.offset < 5n);
  expect(records.filter((record) => index.isNewest(record)).map(({ offset }) => offset)).toEqual([5n]);
  expect(index.keys).toBe(1);
  const meanwhile = new KeyIndex(true);
  for (const record of records) meanwhile.see(record, true);
  expect(records.filter((record) => meanwhile.isNewest(record)).map(({ offset }) => offset)).toEqual([3n, 5n, 6n]);
});

describe('what an operator types', () => {
  const nowMs = Date.UTC(2026, 10, 23, 12);
  const asked = { targets: ['crm'], topics: [], offsets: [], keys: [] };

  it('is a time: ago, with its zone, or of this machine', () => {
    expect(timeOf('10m', nowMs)).toBe(nowMs - 600_000);
    expect(timeOf('2d', nowMs)).toBe(nowMs - 172_800_000);
    expect(timeOf('2026-11-23T02:00:00Z', nowMs)).toBe(Date.UTC(2026, 10, 23, 2));
    expect(timeOf('2026-11-23 02:00+05:30', nowMs)).toBe(Date.UTC(2026, 10, 22, 20, 30));
    expect(timeOf('2026-11-23 02:00', nowMs)).toBe(new Date(2026, 10, 23, 2).getTime());
    expect(timeOf('2026-11-23', nowMs)).toBe(new Date(2026, 10, 23).getTime());
    for (const text of ['yesterday', '10', '2026-13-01', '10 m']) {
      expect(() => timeOf(text, nowMs), text).toThrow(expect.objectContaining({ code: 'SELECTION_WRONG' }));
    }
  });

  it('is a place in a log', () => {
    expect(positionOf('mysql-bin.000412:1234')).toBe(positionOf('412:1234'));
    expect(positionOf('0/16B3748') < positionOf('0/16B3749')).toBe(true);
    expect(positionOf('1/0') > positionOf('0/FFFFFFFF')).toBe(true);
    expect(() => positionOf('here')).toThrow(expect.objectContaining({ code: 'SELECTION_WRONG' }));
  });

  it.each([
    ['nothing', { targets: [] }],
    ['offsets without one topic', { offsets: ['0:1-2'] }],
    ['offsets and times', { topics: ['canonical.product'], offsets: ['0:1-2'], from: '10m' }],
    ['offsets backwards', { topics: ['canonical.product'], offsets: ['0:2-2'] }],
    ['a range backwards', { from: '5m', to: '10m' }],
    ['a position of nobody', { positionFrom: '1:2' }],
  ])('is refused: %s', (_what, wrong) => {
    expect(() => selectionOf({ ...asked, ...wrong }, nowMs)).toThrow(
      expect.objectContaining({ code: 'SELECTION_WRONG' }),
    );
  });
});
