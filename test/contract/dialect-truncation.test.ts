/** What a truncation takes away: the keys of its own table, each of them, whatever of it is set aside. */
import { describe, expect, it } from 'vitest';
import { dialects } from '../../sinks/dialects/index.ts';
import { type DialectSuite, describeDialects } from '../support/dialect-suite.ts';
import { ordered, product } from '../support/shop-records.ts';
import { itemHidden, order } from '../support/shop-tables.ts';
import { eventually, type SinkBench } from '../support/sink-bench.ts';
import { truncation } from '../support/test-log.ts';

const [SPRING, SUMMER] = ['shop.sales_spring', 'shop.sales_summer'];

describeDialects((suite) => {
  describe('a truncation', () => ofKeys(suite));
  describe('a truncation of an entity with one table, or with rows of unknown origin', () => ofOrigins(suite));
  upgrades(suite);
});

function ofKeys(suite: DialectSuite): void {
  // it may come late, by a partition of its own: what can't be read may be newer
  it.each([
    'heal',
    'wait',
  ] as const)('is set aside for each key that waits, and takes each of them once it is released: %s', async (laterRecords) => {
    const bench = await suite.start([order], { settings: { laterRecords } });
    const keys = await someUnreadable(suite, bench);
    const parked = `SELECT DISTINCT ${suite.name === 'postgres' ? 'key' : '`key`'} AS parked FROM seam.parked`;
    const behind = `${parked} WHERE reason_code = 'KEY_PARKED' ORDER BY 1`;
    expect(await suite.rows(behind)).toEqual(keys.map((key) => ({ parked: key })));
    await suite.execute("DELETE FROM seam.parked WHERE reason_code = 'AVRO_DECODE_FAILED'", tried(suite));
    await eventually(async () => (await suite.count('seam.parked')) === 0, 'nothing is set aside');
    expect(await ordersOf(suite)).toEqual([]);
  });

  it('takes a key whose dead letter is older', async () => {
    const bench = await suite.start([order]);
    await suite.write(bench, ordered('a', '1.000', { at: 1 }));
    await suite.write(bench, ordered('a', '5000.000', { at: 2 }));
    expect(await suite.count('seam.parked')).toBe(1);
    await suite.write(bench, truncation('sales-order', 3));
    expect(await suite.count('seam.parked')).toBe(0);
    expect(await ordersOf(suite)).toEqual([]);
  });

  it('passes what is set aside before it of a key without a row', async () => {
    const bench = await suite.start([order]);
    await suite.write(bench, ordered('never', '5000.000', { at: 1 }), ordered('later', '5000.000', { at: 4 }));
    await suite.write(bench, ordered('gone', '1.000', { at: 1 }), ordered('gone', '1.000', { at: 2, gone: true }));
    await suite.write(bench, ordered('gone', '5000.000', { at: 2 }));
    await suite.write(bench, truncation('sales-order', 3));
    expect(await suite.count('seam.parked')).toBe(1);
    await suite.write(bench, ordered('later', '1.000', { at: 5 }));
    expect(await suite.count('seam.parked')).toBe(0);
    expect(await ordersOf(suite)).toEqual(['later']);
  });

  it('takes the keys of its own table, where several feed the entity', async () => {
    const bench = await suite.start([order]);
    const of = (table: string) => (id: string, at: number) => ordered(id, `${at}.000`, { at, table });
    const [spring, summer] = [of(SPRING as string), of(SUMMER as string)];
    await suite.write(bench, spring('a', 1), spring('moved', 1), summer('b', 1), summer('moved', 2));
    await suite.write(bench, truncation('sales-order', 5, SPRING));
    expect(await ordersOf(suite)).toEqual(['b', 'moved']);
    // older than the truncation: of its table they are stale, of the other one they are news, by the fast path and by a plan
    await suite.write(bench, spring('a', 4), summer('c', 4));
    await suite.write(bench, summer('d', 4));
    await suite.write(bench, spring('e', 4));
    expect(await ordersOf(suite)).toEqual(['b', 'c', 'd', 'moved']);
    await suite.write(bench, spring('a', 6));
    expect(await ordersOf(suite)).toEqual(['a', 'b', 'c', 'd', 'moved']);
    await suite.write(bench, truncation('sales-order', 7, SUMMER));
    expect(await ordersOf(suite)).toEqual(['a']);
  });
}

/** Rows whose next record can't be read, then a truncation. */
async function someUnreadable(suite: DialectSuite, bench: SinkBench): Promise<string[]> {
  const keys = ['a', 'b', 'c', 'd'];
  await suite.write(bench, ...keys.map((key) => ordered(key, '1.000', { at: 1 })));
  for (const key of keys) bench.log.appendUnreadable('sales-order', key);
  await bench.settled();
  await suite.write(bench, truncation('sales-order', 3));
  return keys;
}

function ofOrigins(suite: DialectSuite): void {
  it('of one table alone takes every key', async () => {
    const bench = await suite.start([order]);
    await suite.write(
      bench,
      ordered('a', '1.000', { at: 1 }),
      ordered('b', '1.000', { at: 1, table: SPRING as string }),
    );
    await suite.write(bench, truncation('sales-order', 2));
    expect(await ordersOf(suite)).toEqual([]);
  });

  it('leaves keys that were written before their table was kept, and says so with the command that tells it', async () => {
    const bench = await suite.start([order]);
    await suite.write(
      bench,
      ordered('old', '1.000', { at: 1 }),
      ordered('new', '1.000', { at: 1, table: SPRING as string }),
    );
    await suite.write(bench, truncation('sales-order', 2, SPRING));
    expect(await ordersOf(suite)).toEqual(['old']);
    expect(bench.lines.map(({ fields }) => fields)).toContainEqual(
      expect.objectContaining({
        code: 'TRUNCATION_UNSCOPED',
        keys: 1,
        next: 'seam resnapshot --system elsewhere --yes',
      }),
    );
    // what that command makes of it: the row is read again, and then its table is known
    await suite.write(bench, ordered('old', '1.000', { at: 3, table: SPRING as string }));
    await suite.write(bench, truncation('sales-order', 4, SPRING));
    expect(await ordersOf(suite)).toEqual([]);
  });
}

function upgrades(suite: DialectSuite): void {
  describe('a side schema of an earlier version', () => {
    it('is refused with the command that brings it up to date, and after that goes on with what it holds', async () => {
      const before = await suite.start([order]);
      await suite.write(before, ordered('a', '1.000', { at: 1 }), ordered('bad', '5000.000', { at: 1 }));
      await suite.end();
      await suite.execute(...asOf89ec821(suite));
      await expect(suite.start([order])).rejects.toMatchObject({
        code: 'TARGET_MISMATCH',
        message: expect.stringContaining('side table seam.applied is of an earlier version of Seam'),
        hint: expect.stringContaining('seam setup apply shop'),
      });
      await suite.end();
      await suite.database.execute(dialects[suite.name].sideSchemaSql());
      await suite.database.execute(dialects[suite.name].sideSchemaSql());
      const after = await suite.start([order, itemHidden], {}, before.log);
      await suite.write(
        after,
        ordered('bad', '2.000', { at: 2 }),
        product({}, { at: 1 }),
        truncation('sales-order', 3),
      );
      await suite.execute(...checkDropped(suite), tried(suite));
      await eventually(async () => (await suite.count('seam.parked')) === 0, 'nothing is set aside');
      expect(await ordersOf(suite)).toEqual([]);
    });
  });
}

async function ordersOf(suite: DialectSuite): Promise<unknown[]> {
  return (await suite.rows('SELECT ord_no FROM shop.ord ORDER BY 1')).map(({ ord_no }) => ord_no);
}

function checkDropped({ name }: DialectSuite): string[] {
  return name === 'postgres'
    ? ['ALTER TABLE shop.ord DROP CONSTRAINT ord_qty_check']
    : ['ALTER TABLE shop.ord MODIFY qty DECIMAL(12, 3) NOT NULL'];
}

function tried({ name }: DialectSuite): string {
  return `UPDATE seam.parked SET next_try_at = ${name === 'postgres' ? 'now()' : 'UTC_TIMESTAMP(6)'}`;
}

function asOf89ec821({ name }: DialectSuite): string[] {
  const place = name === 'postgres' ? '(topic, partition, "offset")' : '(topic, `partition`, `offset`)';
  return name === 'postgres'
    ? [
        'DROP INDEX seam.parked_place',
        `ALTER TABLE seam.parked ADD CONSTRAINT parked_topic_partition_offset_key UNIQUE ${place}`,
        'ALTER TABLE seam.applied DROP COLUMN source_table',
      ]
    : [
        `ALTER TABLE seam.parked DROP INDEX parked_place, ADD UNIQUE KEY topic ${place}`,
        'ALTER TABLE seam.applied DROP COLUMN source_table',
      ];
}
