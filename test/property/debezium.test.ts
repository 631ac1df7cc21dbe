/** Debezium's envelope → change event, on made-up envelopes: positions order a key's history, tags tell our own writes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DebeziumSource, Envelope } from '../../core/debezium.ts';
import { toChangeEvent } from '../../core/debezium.ts';
import { comparePositions } from '../../core/position.ts';
import { holds } from '../support/holds.ts';

const context = { system: 'crm', table: 'crm.mbr', epoch: 0 };
const postgres: DebeziumSource = { connector: 'postgresql', ts_ms: 1n, snapshot: 'false', sequence: '[null,"1"]' };
const mariadb: DebeziumSource = { connector: 'mariadb', ts_ms: 1n, file: 'binlog.000001', pos: 4n, row: 0 };

const eventOf = (source: DebeziumSource, op = 'u', epoch = 0) =>
  toChangeEvent({ before: null, after: { id: 1 }, op, source } satisfies Envelope, { ...context, epoch });
const positionOf = (source: DebeziumSource, op?: string, epoch?: number) => eventOf(source, op, epoch).position;
const isOlder = (left: Uint8Array, right: Uint8Array) => comparePositions(left, right) < 0;

const sequenceOf = (lastCommit: bigint | null, lsn: bigint) =>
  JSON.stringify([lastCommit?.toString() ?? null, lsn.toString()]);

/** What PostgreSQL may do: transactions whose changes interleave in the log and which come out in the order of commits. */
type Logged = { readonly lsn: bigint; readonly lastCommit: bigint | null };
const logs: fc.Arbitrary<Logged[]> = fc
  .array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 60 })
  .map((owners) => {
    const commits = [...new Set(owners)];
    const addresses = owners.map((owner, index) => ({ owner, lsn: BigInt(100 + index) }));
    return commits.flatMap((owner, index) =>
      addresses
        .filter((address) => address.owner === owner)
        .map(({ lsn }) => ({ lsn, lastCommit: index === 0 ? null : BigInt(1000 + index) })),
    );
  });

describe('position of a PostgreSQL event', () => {
  it('follows commits where transactions interleave, also from the first, whose last commit is null', () => {
    holds(
      fc.property(logs, (log) => {
        const positions = log.map(({ lsn, lastCommit }) =>
          positionOf({ ...postgres, lsn, sequence: sequenceOf(lastCommit, lsn) }),
        );
        positions.slice(1).forEach((position, index) => {
          expect(isOlder(positions[index] as Uint8Array, position)).toBe(true);
        });
      }),
    );
  });

  it('of any streamed row is newer than that of any snapshot row, whatever their addresses', () => {
    const address = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    const word = fc.constantFrom('true', 'first', 'first_in_data_collection', 'last_in_data_collection', 'last');
    holds(
      fc.property(address, address, word, (snapshotLsn, lsn, snapshot) => {
        const read = { ...postgres, snapshot, lsn: snapshotLsn, sequence: sequenceOf(snapshotLsn, snapshotLsn) };
        const streamed = { ...postgres, lsn, sequence: sequenceOf(null, lsn) };
        expect(isOlder(positionOf(read, 'r'), positionOf(streamed))).toBe(true);
      }),
    );
  });

  it('puts the delete of a key change before its create, at one address', () => {
    const source = { ...postgres, sequence: sequenceOf(5n, 9n) };
    expect(isOlder(positionOf(source, 'd'), positionOf(source, 'c'))).toBe(true);
  });

  it('is newest in the newest epoch', () => {
    expect(isOlder(positionOf({ ...postgres, sequence: sequenceOf(9n, 9n) }), positionOf(postgres, 'c', 1))).toBe(true);
  });
});

describe('position of a MariaDB event', () => {
  const place = fc.record({
    file: fc.integer({ min: 1, max: 2_000_000 }),
    pos: fc.bigInt({ min: 4n, max: 2n ** 32n }),
    row: fc.integer({ min: 0, max: 100_000 }),
  });
  type Place = { file: number; pos: bigint; row: number };
  const positionAt = ({ file, pos, row }: Place) =>
    positionOf({ ...mariadb, file: `mysql-bin.${String(file).padStart(6, '0')}`, pos, row });

  it('follows file, then address, then row: also past the millionth file', () => {
    holds(
      fc.property(place, place, (left, right) => {
        const before =
          left.file - right.file || (left.pos < right.pos ? -1 : left.pos > right.pos ? 1 : left.row - right.row);
        expect(Math.sign(comparePositions(positionAt(left), positionAt(right)))).toBe(Math.sign(before));
      }),
      1_000,
    );
  });

  it('puts a delete before a create at one address', () => {
    expect(isOlder(positionOf(mariadb, 'd'), positionOf(mariadb, 'c'))).toBe(true);
  });
});

describe('snapshot rows', () => {
  it.each(['true', 'first', 'first_in_data_collection', 'last_in_data_collection', 'last'])('%s is one', (snapshot) => {
    expect(eventOf({ ...postgres, snapshot }, 'r').isSnapshot).toBe(true);
  });

  it.each(['false', 'incremental', null, undefined])('%s counts as streamed', (snapshot) => {
    expect(eventOf({ ...postgres, snapshot: snapshot ?? null }).isSnapshot).toBe(false);
  });
});

describe('the time that decides among systems', () => {
  it('is the commit’s own where the log tells it, and the end of the second where it tells no more', () => {
    expect(eventOf({ ...postgres, ts_ms: 5n, ts_us: 5_123n }).orderTimeUs).toBe(5_123n);
    expect(eventOf({ ...mariadb, ts_ms: 7_000n, ts_us: null })).toMatchObject({
      commitTimeUs: 7_000_000n,
      orderTimeUs: 7_999_999n,
    });
  });
});

describe('our own writes', () => {
  it.each<[string | null, boolean]>([
    ['seam_crm_0', true],
    ['seam_', true],
    ['other', false],
    ['not_seam_crm', false],
    ['', false],
    [null, false],
  ])('PostgreSQL origin %j: %s', (origin, isTagged) => {
    expect(eventOf({ ...postgres, origin }).isTagged).toBe(isTagged);
  });

  it.each<[string | null, bigint, boolean]>([
    ['7700-1-5', 1n, true],
    ['7799-7799-12345678901', 1n, true],
    ['7699-7700-5', 7700n, false],
    ['7800-7700-5', 7700n, false],
    ['0-1-5', 7701n, false],
    [null, 7701n, true],
    [null, 1n, false],
    ['00007750-b5e6-11ee-8c90-0242ac120002:23', 1n, false],
    ['3e11fa47-71ca-11e1-9e33-c80aa9429562:23', 7702n, true],
  ])('MariaDB or MySQL GTID %j of server %s: %s', (gtid, server_id, isTagged) => {
    expect(eventOf({ ...mariadb, gtid, server_id }).isTagged).toBe(isTagged);
  });

  it('are never snapshot rows, which carry the mark of whatever came last in the log', () => {
    const source = { ...mariadb, gtid: '7701-7701-5', server_id: 7701n };
    expect(eventOf({ ...source, snapshot: 'incremental' }, 'r').isTagged).toBe(false);
    expect(eventOf({ ...source, snapshot: 'last' }, 'r').isTagged).toBe(false);
  });
});

describe('change event', () => {
  it('takes the commit time in µs where the connector has it', () => {
    expect(eventOf({ ...postgres, ts_ms: 5n, ts_us: 5_123n }).commitTimeUs).toBe(5_123n);
    expect(eventOf({ ...postgres, ts_ms: 5n, ts_us: null }).commitTimeUs).toBe(5_000n);
    expect(eventOf({ ...postgres, ts_ms: 5n }).commitTimeUs).toBe(5_000n);
  });

  it.each<[string, DebeziumSource, string]>([
    ['an unknown operation', postgres, 'm'],
    ['an unknown connector', { ...postgres, connector: 'oracle' }, 'c'],
    ['an unknown snapshot state', { ...postgres, snapshot: 'maybe' }, 'c'],
  ])('is refused for %s', (_, source, op) => {
    expect(() => eventOf(source, op)).toThrow(expect.objectContaining({ code: 'ENVELOPE_REFUSED' }));
  });
});
