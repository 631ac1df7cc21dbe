/** Debezium's own bytes, captured from real databases (test/fixtures/raw): every type arrives in the domain of change-event.ts. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRawDecoder } from '../../adapters/avro/raw-codec.ts';
import { schemaIdOf, schemaIds } from '../../adapters/avro/wire.ts';
import type { ChangeEvent } from '../../core/change-event.ts';
import { UNAVAILABLE } from '../../core/change-event.ts';
import { toChangeEvent } from '../../core/debezium.ts';
import { RecordError } from '../../core/errors.ts';
import { comparePositions } from '../../core/position.ts';
import { mariadbRow, postgresRow } from '../fixtures/raw/expected-rows.ts';
import { holds } from '../support/holds.ts';

type RawRecord = { topic: string; offset: string; key: string | null; value: string | null };
type Capture = { schemas: Record<string, string>; records: RawRecord[] };

function capture(name: string) {
  const text = readFileSync(new URL(`../fixtures/raw/${name}.json`, import.meta.url), 'utf8');
  const { schemas, records } = JSON.parse(text) as Capture;
  const decoder = createRawDecoder((id) => schemas[String(id)]);
  const eventOf = (record: RawRecord): ChangeEvent =>
    toChangeEvent(decoder.value(bytesOf(record.value)), { system: 'x', table: record.topic, epoch: 0 });
  const of = (table: string) => records.filter((record) => record.topic.endsWith(`.${table}`));
  const at = (table: string, offset: number) => {
    const record = of(table).find((candidate) => candidate.offset === String(offset));
    if (record === undefined) throw new Error(`no record ${table} ${offset}`);
    return record;
  };
  return { decoder, eventOf, of, records, at, event: (table: string, offset: number) => eventOf(at(table, offset)) };
}

function bytesOf(base64: string | null): Buffer {
  return Buffer.from(base64 ?? '', 'base64');
}

/** Rows as plain objects, byte arrays as one kind. */
function plain(row: object | null): object {
  const entries = Object.entries(row ?? {});
  return Object.fromEntries(
    entries.map(([name, value]) => [name, Buffer.isBuffer(value) ? new Uint8Array(value) : value]),
  );
}

const postgres = capture('postgres');
const mariadb = capture('mariadb');

describe('every type', () => {
  it('of PostgreSQL', () => {
    expect(plain(postgres.event('kinds', 2).after)).toEqual(postgresRow);
  });

  it('of MariaDB', () => {
    expect(plain(mariadb.event('kinds', 2).after)).toEqual(mariadbRow);
  });

  it('is the same with precise decimals, and columns get back the names that Avro does not allow', () => {
    const { iv, ...rest } = postgresRow;
    const { Order_No, _2nd } = rest;
    // beside the names that Avro allows, which mappings of earlier versions say
    expect(plain(capture('postgres-precise').event('kinds', 2).after)).toEqual({
      ...rest,
      'Order No': Order_No,
      '2nd': _2nd,
      iv: 'P1Y2M3DT4H5M6.7S',
    });
    const { order_no, _2nd: second } = mariadbRow;
    expect(plain(capture('mariadb-precise').event('kinds', 2).after)).toEqual({
      ...mariadbRow,
      'order no': order_no,
      '2nd': second,
    });
  });

  it('has its limits where a database knows infinity: the converters refuse these', () => {
    expect(postgres.event('kinds', 4).after).toMatchObject({
      nfree: 'NAN',
      d: 2_146_033_979,
      ts6: 9_223_372_036_854_775_807n,
      tz: '-infinity',
    });
  });
});

describe('NULL in a column with a default', () => {
  it('arrives as the default: the converter loses it, so the decoder names the columns that can’t be trusted', () => {
    expect(postgres.event('kinds', 3).after).toMatchObject({ dflt: 'X', dfltn: '1.50' });
    for (const { decoder, at } of [postgres, mariadb]) {
      const id = schemaIdOf(bytesOf(at('kinds', 3).value));
      expect(decoder.nullHidingColumns(id)).toEqual(['dflt', 'dfltn']);
    }
  });
});

describe('large columns that did not change', () => {
  it('are unavailable, of every type', () => {
    const { id, n, ...large } = postgres.event('big', 1).after ?? {};
    expect([id, n]).toEqual([1, 2]);
    expect(Object.keys(large)).toHaveLength(8);
    for (const [name, value] of Object.entries(large)) expect(value, name).toBe(UNAVAILABLE);
    expect(postgres.event('big', 2).after).toMatchObject({ spec: 'short', img: UNAVAILABLE });
  });
});

describe.each([
  ['PostgreSQL', postgres, [2, 4, 6, 7, 8], 10],
  ['MariaDB', mariadb, [2, 3, 5], 8],
] as const)('%s', (_, captured, offsets, taggedOffset) => {
  it('changes a key by delete, tombstone and create, in the order of positions', () => {
    const events = offsets.map((offset) => captured.event('keyed', offset));
    expect(events.map((event) => event.operation).slice(0, 3)).toEqual(['c', 'd', 'c']);
    expect(events[1]?.before).toMatchObject({ a: 2, b: 'x|y' });
    expect(events[2]?.after).toMatchObject({ a: 2, b: 'moved' });
    events.slice(1).forEach((event, index) => {
      expect(comparePositions(events[index]?.position as Uint8Array, event.position)).toBeLessThan(0);
    });
  });

  it('marks what a session of ours wrote, and nothing else', () => {
    const tagged = captured.of('keyed').filter((record) => record.value !== null && captured.eventOf(record).isTagged);
    expect(tagged.map((record) => record.offset)).toEqual([String(taggedOffset)]);
  });

  it('has snapshot rows older than streamed ones', () => {
    const snapshot = captured.event('keyed', 0);
    expect([snapshot.operation, snapshot.isSnapshot]).toEqual(['r', true]);
    expect(comparePositions(snapshot.position, captured.event('keyed', 2).position)).toBeLessThan(0);
  });

  it('reads keys, schema changes on the way and incremental snapshots', () => {
    expect(captured.decoder.key(bytesOf(captured.at('keyed', 2).key))).toEqual({ a: 2, b: 'x|y' });
    const added = captured.of('keyed').filter((record) => record.value !== null && 'extra' in rowOf(record));
    expect(added.map((record) => captured.eventOf(record)).map(({ operation }) => operation)).toContain('r');
    expect(added.map((record) => captured.eventOf(record).isSnapshot)).not.toContain(true);
  });

  it('refuses damaged bytes, and nothing worse happens', () => {
    const values = captured.records.filter((record) => record.value !== null);
    holds(
      fc.property(fc.constantFrom(...values), fc.nat(), fc.integer({ min: 0, max: 255 }), (record, place, byte) => {
        const damaged = bytesOf(record.value);
        const index = 5 + (place % (damaged.length - 5));
        expect(() => captured.decoder.value(damaged.subarray(0, index))).toThrow(RecordError);
        damaged[index] = byte;
        decodeOrRefuse(() => captured.decoder.value(damaged));
      }),
      1_000,
    );
  });

  function rowOf(record: RawRecord): object {
    return captured.eventOf(record).after ?? {};
  }
});

function decodeOrRefuse(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(RecordError);
  }
}

describe('MariaDB', () => {
  it('numbers the rows of one statement', () => {
    const positions = [8, 9, 10].map((offset) => mariadb.event('kinds', offset).position);
    expect(comparePositions(positions[0] as Uint8Array, positions[1] as Uint8Array)).toBeLessThan(0);
    expect(comparePositions(positions[1] as Uint8Array, positions[2] as Uint8Array)).toBeLessThan(0);
  });
});

describe('a batch', () => {
  it('tells which schemas to load, leaving tombstones and foreign bytes to the decoder', () => {
    const values = [
      ...postgres.of('nokey').map(({ value }) => (value === null ? null : bytesOf(value))),
      Buffer.from('x'),
    ];
    expect([...schemaIds(values)]).toHaveLength(1);
    expect(() => postgres.decoder.value(Buffer.from('{"json": true}'))).toThrow(
      expect.objectContaining({ code: 'AVRO_DECODE_FAILED' }),
    );
  });

  it('crashes where a schema was not loaded, and stops the table where one can’t be read', () => {
    const bytes = bytesOf(postgres.at('keyed', 2).value);
    expect(() => createRawDecoder(() => undefined).value(bytes)).toThrow(
      expect.objectContaining({ code: 'SCHEMA_NOT_LOADED' }),
    );
    expect(() => createRawDecoder(() => '{"type":"nonsense"}').value(bytes)).toThrow(
      expect.objectContaining({ code: 'RAW_SCHEMA_UNREADABLE' }),
    );
  });
});
