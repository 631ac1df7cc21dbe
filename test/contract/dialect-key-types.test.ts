/**
 * A target's key may be of any type that its database has an index for: a row is found again by each of them, in a plan, on the fast path
 * and in a replay. A type that one statement cannot name stops every table of the target.
 */
import { describe, expect, it } from 'vitest';
import { unlimited } from '../../core/columns.ts';
import { type DialectName, to, upsert } from '../../core/target.ts';
import { type DialectSuite, describeDialects } from '../support/dialect-suite.ts';
import { product } from '../support/shop-records.ts';
import { eventually } from '../support/sink-bench.ts';

type KeyType = readonly [type: string, one: string, other: string];

const NUMBERS_AND_TIMES: readonly KeyType[] = [
  ['VARCHAR(20)', 'a', 'b'],
  ['CHAR(6)', 'a', 'b'],
  ['DECIMAL(20, 5)', '1.50000', '2.00000'],
  ['BIGINT', '9007199254740993', '9007199254740992'],
  ['DATE', '2024-02-29', '1999-12-31'],
];

const TYPES: Readonly<Record<DialectName, readonly KeyType[]>> = {
  postgres: [
    ...NUMBERS_AND_TIMES,
    ['uuid', '00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002'],
    ['inet', '10.0.0.1', '2001:db8::1'],
    ['cidr', '10.0.0.0/8', '192.168.0.0/16'],
    ['macaddr', '08:00:2b:01:02:03', '08:00:2b:01:02:04'],
    ['shop.mood', 'sad', 'glad'],
    ['shop.odd', '1', '3'],
    ['time(6)', '12:30:00.000001', '23:59:59'],
    ['timestamp(6)', '2024-02-29 12:30:00.000001', '1999-12-31 23:59:59'],
    ['interval', '1 mon', '2 days'],
    ['bit(4)', '1010', '0101'],
    ['text[]', '{a,b}', '{b}'],
    ['int4range', '[1,3)', '[3,5)'],
    ['double precision', '1.5', '2.25'],
    ['boolean', 'true', 'false'],
  ],
  mariadb: [
    ...NUMBERS_AND_TIMES,
    ['UUID', '00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002'],
    ['INET6', '2001:db8::1', '2001:db8::2'],
    ['INET4', '10.0.0.1', '10.0.0.2'],
    ["ENUM('sad', 'glad')", 'sad', 'glad'],
    ["SET('a', 'b')", 'a', 'a,b'],
    ['YEAR', '1999', '2024'],
    ['TIME(6)', '12:30:00.000001', '23:59:59.000000'],
    ['DATETIME(6)', '2024-02-29 12:30:00.000001', '1999-12-31 23:59:59.000000'],
    ['BIGINT UNSIGNED', '18446744073709551615', '1'],
    ['DOUBLE', '1.5', '2.25'],
    ['CHAR(6) CHARACTER SET latin1 COLLATE latin1_swedish_ci', 'a', 'b'],
  ],
};

const keyed = upsert('shop.keyed', 'product', {
  key: { k: to('productId', unlimited()) },
  columns: { descr: to('description', unlimited()) },
  onDelete: 'delete',
});

const TOO_LONG = 'x'.repeat(21);

describeDialects((suite) => {
  describe('a key of the type', () => {
    it.each(TYPES[suite.name])('%s finds its row again', async (type, one, other) => {
      await make(suite, type);
      const bench = await suite.start([keyed]);
      const of = (key: string, description: string, at: number) => product({ productId: key, description }, { at });
      await suite.write(bench, of(one, 'first', 1), of(other, 'first', 1));
      await suite.write(bench, of(one, 'second', 2));
      // a dead letter, then its correction: the key is looked up and planned
      await suite.write(bench, of(other, TOO_LONG, 2), of(one, 'third', 3));
      expect(await rows(suite)).toEqual(['first', 'third']);
      await suite.write(bench, of(other, 'healed', 3));
      expect(await suite.count('seam.parked')).toBe(0);
      expect(await rows(suite)).toEqual(['healed', 'third']);
      await suite.write(bench, product({ productId: one }, { at: 4, gone: true }));
      expect(await rows(suite)).toEqual(['healed']);
      await suite.write(bench, of(one, 'again', 5));
      expect(await rows(suite)).toEqual(['again', 'healed']);
      await eventually(() => bench.sink.status().state === 'running', 'the sink to be well');
    });
  });
});

async function make(suite: DialectSuite, type: string): Promise<void> {
  const types =
    suite.name === 'postgres'
      ? [
          'DROP TYPE IF EXISTS shop.mood',
          "CREATE TYPE shop.mood AS ENUM ('sad', 'glad')",
          'DROP DOMAIN IF EXISTS shop.odd',
          'CREATE DOMAIN shop.odd AS integer CHECK (VALUE % 2 = 1)',
        ]
      : [];
  await suite.execute(
    'DROP TABLE IF EXISTS shop.keyed',
    ...types,
    `CREATE TABLE shop.keyed (k ${type} NOT NULL PRIMARY KEY, descr VARCHAR(20))`,
  );
}

async function rows(suite: DialectSuite): Promise<unknown[]> {
  return (await suite.rows('SELECT descr FROM shop.keyed ORDER BY descr')).map(({ descr }) => descr);
}
