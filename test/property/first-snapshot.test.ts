/** What an offset, or the notifications of an earlier release, prove of a first snapshot; and what a complete reading covers. */
import { describe, expect, it } from 'vitest';
import crm from '../../connectors/crm/mapping.ts';
import { integer, text } from '../../core/converters.ts';
import { canonical, constant, defineSource, from } from '../../core/mapping.ts';
import { postgresPosition } from '../../core/position.ts';
import { SnapshotTold } from '../../ops/operations/first-snapshot-proof.ts';
import {
  firstSnapshot,
  tellsOfReadings,
  withNotifications,
  withoutNotifications,
} from '../../ops/resnapshot/first-snapshot.ts';
import { snapshotNotProven, snapshotUnfinished } from '../../ops/sources/checks/snapshot-unfinished.ts';
import { CanonicalizeBench } from '../support/canonicalize-bench.ts';

describe('an offset, as seen on real servers', () => {
  it.each([
    ['none yet', undefined, 'not begun'],
    ['of a notification before the first row', {}, 'skipped'],
    [
      'PostgreSQL, in the middle',
      { lsn: 1, snapshot: 'INITIAL', snapshot_completed: false, last_snapshot_record: false },
      'running',
    ],
    ['MariaDB, in the middle', { file: 'binlog.000001', pos: 1, snapshot: 'INITIAL' }, 'running'],
    ['PostgreSQL, last row', { lsn: 1, snapshot: 'INITIAL', snapshot_completed: true }, 'finished'],
    ['PostgreSQL, streaming', { lsn: 1, lsn_proc: 1, messageType: 'COMMIT' }, 'finished'],
    ['MariaDB, streaming', { file: 'binlog.000001', pos: 1, gtids: '0-1-2' }, 'finished'],
  ] as const)('%s', (_, offset, snapshot) => {
    expect(firstSnapshot(offset)).toBe(snapshot);
  });
});

it('the channel is taken away and put back, and nothing else', () => {
  const config = { 'topic.prefix': 'raw.crm', 'notification.enabled.channels': 'sink' };
  expect(tellsOfReadings(config)).toBe(true);
  expect(withoutNotifications(withNotifications(config, 'crm'))).toEqual({ 'topic.prefix': 'raw.crm' });
  expect(tellsOfReadings(withoutNotifications(config))).toBe(false);
});

describe('notifications of an earlier release', () => {
  const initial = (type: string, table?: string, status = 'SUCCEEDED') => ({
    aggregate: 'Initial Snapshot',
    type,
    facts: table === undefined ? {} : { scanned_collection: table, status },
  });
  const tables = (...told: ReturnType<typeof initial>[]) => {
    const read = new SnapshotTold();
    for (const one of told) read.take(one);
    return [...read.tables()].sort();
  };
  const read = (table: string) => initial('TABLE_SCAN_COMPLETED', table);

  it('prove the tables they name once it was completed, also after later restarts', () => {
    const whole = [initial('STARTED'), read('crm.mbr'), read('crm.web_ord'), initial('COMPLETED'), initial('SKIPPED')];
    expect(tables(...whole)).toEqual(['crm.mbr', 'crm.web_ord']);
  });

  it('prove nothing where the end lacks, or where another one began after it', () => {
    expect(tables(initial('STARTED'), read('crm.mbr'), initial('SKIPPED'))).toEqual([]);
    expect(tables(initial('STARTED'), read('crm.mbr'), initial('COMPLETED'), initial('STARTED'))).toEqual([]);
    expect(tables()).toEqual([]);
  });

  it('do not prove a table that the snapshot did not see', () => {
    expect(tables(initial('STARTED'), read('pos.cust'), initial('COMPLETED'))).toEqual(['pos.cust']);
  });
});

describe('the checks of a source', () => {
  const streaming = { lsn: 1 };
  const source = (offset: object | undefined, stored: string[] | undefined, before?: object) => ({
    system: 'crm',
    config: {},
    offset: offset as never,
    mapping: crm,
    tables: ['crm.mbr', 'crm.web_ord'],
    session: {
      kind: 'postgres' as const,
      query: async <T>() => (stored === undefined ? [] : [{ data: JSON.stringify({ tables: stored, before }) }]) as T[],
      close: async () => {},
    },
  });

  it('halt the table that is not known to be read, and name its command', async () => {
    expect(await snapshotUnfinished.find(source(streaming, ['crm.mbr']))).toMatchObject([
      { table: 'crm.web_ord', next: 'read them: seam resnapshot --system crm --table crm.web_ord --yes' },
    ]);
    expect(await snapshotUnfinished.find(source(streaming, ['crm.mbr', 'crm.web_ord']))).toEqual([]);
  });

  it('halt the source whose snapshot was skipped', async () => {
    const [found] = await snapshotUnfinished.find(source({}, ['crm.mbr', 'crm.web_ord']));
    expect(found).toMatchObject({ next: 'read all of it again: seam connectors recover crm --yes' });
    expect(found?.table).toBeUndefined();
  });

  it('let rows flow while they are read', async () => {
    expect(await snapshotUnfinished.find(source(undefined, [], {}))).toEqual([]);
    expect(await snapshotUnfinished.find(source({ lsn: 1, snapshot: 'INITIAL' }, [], {}))).toEqual([]);
  });

  it('halt a source whose connector had streamed and begins again: its rows would count as old', async () => {
    for (const offset of [undefined, { lsn: 1, snapshot: 'INITIAL' }]) {
      const [found] = await snapshotUnfinished.find(source(offset, ['crm.mbr', 'crm.web_ord']));
      expect(found).toMatchObject({ next: 'read all of it again: seam connectors recover crm --yes' });
    }
  });

  it('only warn of a connector that an earlier release started', async () => {
    expect(await snapshotUnfinished.find(source(streaming, undefined))).toEqual([]);
    expect(await snapshotNotProven.find(source(streaming, undefined))).toMatchObject([
      { next: 'find out: seam connectors apply crm --yes' },
    ]);
    expect(await snapshotNotProven.find(source(streaming, []))).toEqual([]);
  });
});

describe('a record that the mapping can’t read', () => {
  const survey = defineSource({
    system: 'crm',
    tables: {
      's.survey': canonical('market-survey', {
        key: { week: from('wk', integer), productId: from('prod', text), competitor: from('comp', text) },
        fields: { marketUnits: constant(1n), averagePrice: constant('1.00'), surveyedOn: constant(null) },
      }),
    },
  });
  const rows = [1, 2, 3, 4].map((wk) => ({ op: 'c', after: { wk, prod: 'p', comp: 'c' } }));
  /** Its first two records say that a column was renamed. */
  const bench = (readAgainAt?: number) =>
    new CanonicalizeBench(survey, {
      renamedBefore: 2,
      ...(readAgainAt === undefined ? {} : { readAgainAt: placeOf(readAgainAt) }),
    });
  const placeOf = (offset: number) =>
    postgresPosition({ epoch: 0, snapshot: false, isDelete: true, sequence: `["${offset}","${offset}"]`, lsn: null });

  it('stops its table', async () => {
    const { stop, written } = await bench().run('s.survey', rows);
    expect(stop).toMatchObject({ at: 0, reason: { code: 'SCHEMA_CHANGED' } });
    expect(written).toEqual([]);
  });

  it('is passed over once the table was read again after it', async () => {
    const { stop, written, counts } = await bench(2).run('s.survey', rows);
    expect(stop).toBeUndefined();
    expect(written.map(({ key }) => key)).toEqual(['3|p|c', '4|p|c']);
    expect(counts).toMatchObject({ readAgain: 2, produced: 2 });
  });

  it('is not passed over when that reading began before it', async () => {
    const { stop, written } = await bench(1).run('s.survey', rows);
    expect(stop).toMatchObject({ at: 1, reason: { code: 'SCHEMA_CHANGED' } });
    expect(written).toEqual([]);
  });
});
