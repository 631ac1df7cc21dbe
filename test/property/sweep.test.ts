/** What a sweep may delete: nothing where a reading was not whole, nothing of another table, and few without being asked. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { entities } from '../../avro/generated/entities.ts';
import type { EntityDescription } from '../../core/canonical-record.ts';
import type { Row } from '../../core/change-event.ts';
import { text, integer } from '../../core/converters.ts';
import { type CanonicalMapping, canonical, constant, derive, from, identity, Refusal } from '../../core/mapping.ts';
import { encodePosition, sharedStamp } from '../../core/position.ts';
import type { HeldKey, HeldKeys } from '../../ops/resnapshot/keys.ts';
import { type Feed, readPresent } from '../../ops/resnapshot/present.ts';
import { deletionsFree, resnapshotCommand, type Scope, verdictOf } from '../../ops/resnapshot/verdict.ts';

const LOCATION = entities.location as EntityDescription;
const CONTACT = entities['member-contact'] as EntityDescription;
const NO_LOOKUPS = { canonicalId: () => undefined };
const place = (major: number) =>
  encodePosition({ epoch: 1, phase: 'stream', major: BigInt(major), minor: 0n, isDelete: false });
const MARK = { position: place(100), orderTimeUs: 100n };

/** Only the key is looked at: whatever else the entity has is null. */
function locationOf(key: CanonicalMapping['key'], rest: Partial<CanonicalMapping> = {}): CanonicalMapping {
  const [name = ''] = LOCATION.key;
  const fields = Object.fromEntries(
    LOCATION.fields.filter((one) => one.name !== name).map((one) => [one.name, constant(null)]),
  );
  return { kind: 'canonical', entity: 'location', key, fields, onDelete: 'tombstone', where: undefined, ...rest };
}

const [KEY = ''] = LOCATION.key;
const feed = (table: string, mapping: CanonicalMapping, lookups = NO_LOOKUPS): Feed => ({ table, mapping, lookups });
const present = (feeds: readonly Feed[], tables: Readonly<Record<string, readonly Row[]>>, of = LOCATION) =>
  readPresent(feeds, of, async function* (table) {
    yield tables[table] ?? [];
  });
const heldAt = (entries: readonly (readonly [string, Partial<HeldKey>?])[]): HeldKeys =>
  new Map(
    entries.map(([key, rest = {}]) => [
      key,
      { position: place(1), isLive: true, system: 'lab', table: undefined, ...rest },
    ]),
  );
const scope = (rest: Partial<Scope> = {}): Scope => ({
  system: 'lab',
  entity: 'location',
  isShared: false,
  tables: ['lab.a'],
  keepTables: [],
  mark: MARK,
  ...rest,
});

describe('a reading of a source', () => {
  const byCode = locationOf({ [KEY]: from('code', text) });

  it.each([
    ['a column whose name the event spells in another way', { 'Co de': 'A' }, 'COLUMN_MISSING'],
    ['a key that is null', { code: null }, 'VALUE_MISSING'],
    ['a value that its converter refuses', { code: 7 }, undefined],
  ] as const)('counts a row with %s', async (_, row, code) => {
    const { keys, unread } = await present([feed('lab.a', byCode)], { 'lab.a': [{ code: 'B' }, row as Row] });
    expect([...keys.keys()]).toEqual(['B']);
    expect(unread).toEqual([{ table: 'lab.a', code: code ?? expect.any(String), rows: 1 }]);
  });

  it('counts a row on which a mapping fails, whatever it throws', async () => {
    const failing = [
      locationOf({ [KEY]: derive(['code'], () => (null as unknown as { x: string }).x) }),
      locationOf({
        [KEY]: derive(['code'], () => {
          throw new Refusal('OWN_CODE', 'is odd');
        }),
      }),
      locationOf(
        { [KEY]: from('code', text) },
        {
          where: () => {
            throw new TypeError('no');
          },
        },
      ),
      locationOf({ [KEY]: derive(['code'], () => undefined as unknown as string) }),
    ];
    const codes: string[] = [];
    for (const mapping of failing) {
      const { unread } = await present([feed('lab.a', mapping)], { 'lab.a': [{ code: 'A' }] });
      codes.push(...unread.map(({ code }) => code));
    }
    expect(codes).toEqual(['MAPPING_FAILED', 'OWN_CODE', 'MAPPING_FAILED', 'NULL_NOT_ALLOWED']);
  });

  it('keeps the key of a row that the mapping leaves out, and passes over such a row without a key', async () => {
    const onlyShops = locationOf({ [KEY]: from('code', text) }, { where: (row) => row.kind === 'SHOP' });
    const rows = [
      { code: 'A', kind: 'SHOP' },
      { code: 'B', kind: 'YARD' },
      { code: null, kind: 'YARD' },
      { kind: 'YARD' },
    ];
    const { keys, unread } = await present([feed('lab.a', onlyShops)], { 'lab.a': rows });
    expect([...keys]).toEqual([
      ['A', 'told'],
      ['B', 'excluded'],
    ]);
    // a column that is not there at all may hide a key
    expect(unread).toEqual([{ table: 'lab.a', code: 'COLUMN_MISSING', rows: 1 }]);
    expect(verdictOf(heldAt([['A'], ['B'], ['C']]), { keys, unread }, scope())).toMatchObject({
      missing: ['C'],
      excluded: 1,
    });
  });

  it('joins all tables of the entity, and all mappings of a table', async () => {
    const prefixed = (prefix: string) => locationOf({ [KEY]: derive(['id'], (row) => `${prefix}${String(row.id)}`) });
    const feeds = [feed('lab.a', prefixed('a')), feed('lab.b', prefixed('b')), feed('lab.b', prefixed('c'))];
    const { keys } = await present(feeds, { 'lab.a': [{ id: 1 }], 'lab.b': [{ id: 1 }, { id: 2 }] });
    expect([...keys.keys()].sort()).toEqual(['a1', 'b1', 'b2', 'c1', 'c2']);
  });

  it('says of a shared entity whose fields are all null that it may never have been told', async () => {
    const mapping = canonical('member-contact', {
      key: { memberId: derive(['id'], (row) => String(row.id)) },
      fields: { phone: from('tel', (value) => (value === null ? null : text(value))) },
    });
    const { keys } = await present(
      [feed('crm.mbr', mapping)],
      {
        'crm.mbr': [
          { id: 1, tel: null },
          { id: 2, tel: '1' },
        ],
      },
      CONTACT,
    );
    expect([...keys]).toEqual([
      ['1', 'quiet'],
      ['2', 'told'],
    ]);
  });
});

describe('what is missing', () => {
  const keys = (...names: string[]) => ({ keys: new Map(names.map((name) => [name, 'told' as const])), unread: [] });

  it('is held, alive, older than the mark and in no table', () => {
    const held = heldAt([['here'], ['gone'], ['dead', { isLive: false }], ['newer', { position: place(101) }]]);
    expect(verdictOf(held, keys('here'), scope())).toEqual({ held: 3, missing: ['gone'], excluded: 0, unknown: 0 });
  });

  it('is not what another table is known to have said', () => {
    const held = heldAt([
      ['a', { table: 'lab.a' }],
      ['b', { table: 'lab.b' }],
      ['old', {}],
    ]);
    expect(verdictOf(held, keys(), scope()).missing).toEqual(['a', 'old']);
    expect(verdictOf(held, keys(), scope({ tables: ['lab.a', 'lab.b'], keepTables: ['lab.b'] })).missing).toEqual([
      'a',
    ]);
  });

  it('of a shared entity is only what this system said last', () => {
    const stamped = (system: string) => ({ position: sharedStamp(system, 1n, place(1)) });
    const held = heldAt([
      ['ours', stamped('crm')],
      ['theirs', stamped('pos')],
    ]);
    expect(verdictOf(held, keys(), scope({ system: 'crm', isShared: true })).missing).toEqual(['ours']);
  });

  it('counts keys of the source that never arrived: they may be held under another spelling', () => {
    const held = heldAt([['P1D'], ['deleted before', { isLive: false }]]);
    expect(verdictOf(held, keys('1 day', 'deleted before'), scope())).toMatchObject({ missing: ['P1D'], unknown: 1 });
  });

  it('sees that the ids which a target assigned are lost, by the keys of the rows that fall back to their own', async () => {
    const mapping = locationOf({ [KEY]: identity('location', 'id', (value) => `local-${integer(value as number)}`) });
    const lost = await present([feed('lab.a', mapping)], { 'lab.a': [{ id: 5 }] });
    expect(verdictOf(heldAt([['canonical']]), lost, scope())).toMatchObject({ missing: ['canonical'], unknown: 1 });
    const known = feed('lab.a', mapping, { canonicalId: () => 'canonical' } as never);
    expect(verdictOf(heldAt([['canonical']]), await present([known], { 'lab.a': [{ id: 5 }] }), scope())).toMatchObject(
      {
        missing: [],
        unknown: 0,
      },
    );
  });

  it('never holds a key that a table has, whatever else is held', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(30)), fc.uniqueArray(fc.nat(30)), (inSource, inModel) => {
        const found = verdictOf(heldAt(inModel.map((one) => [String(one)])), keys(...inSource.map(String)), scope());
        expect(found.missing.filter((key) => inSource.includes(Number(key)))).toEqual([]);
        expect(found.missing.length + inModel.filter((one) => inSource.includes(one)).length).toBe(inModel.length);
      }),
    );
  });
});

describe('the limit', () => {
  it.each([
    [0, 0],
    [50, 0],
    [99, 0],
    [100, 1],
    [250, 2],
    [10_000, 100],
    [1_000_000, 100],
  ])('of %i keys lets %i go without their number', (held, free) => {
    expect(deletionsFree(held)).toBe(free);
  });

  it('names the command word for word', () => {
    expect(resnapshotCommand('lab', ['lab.par', 'lab.t i'], 20)).toBe(
      "seam resnapshot --system lab --table lab.par --table 'lab.t i' --delete 20 --yes",
    );
  });
});
