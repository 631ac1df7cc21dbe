/**
 * A value of 16 MiB arrives in a target of each kind, in a new row and in a changed one. One that the target's server does not take is set aside
 * by name, and every other key goes on.
 */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type DialectSuite, describeDialects } from '../support/dialect-suite.ts';
import { ordered, product } from '../support/shop-records.ts';
import { item, order } from '../support/shop-tables.ts';
import { eventually } from '../support/sink-bench.ts';

const MEBIBYTE = 1_048_576;
const text = (bytes: number, letter: string) => letter.repeat(bytes);
const md5 = (value: string | Uint8Array) => createHash('md5').update(value).digest('hex');

describeDialects((suite) => {
  describe('a value of 16 MiB', () => {
    it('arrives as a text and as bytes, by insert and by update', async () => {
      const bench = await suite.start([item]);
      const image = Buffer.alloc(16 * MEBIBYTE, 0xfe);
      await suite.write(bench, product({ specification: text(16 * MEBIBYTE, 'a') }, { at: 1 }));
      expect(await specifications(suite)).toEqual([md5(text(16 * MEBIBYTE, 'a'))]);
      await suite.write(bench, product({ specification: text(16 * MEBIBYTE, 'ü').slice(0, 8 * MEBIBYTE) }, { at: 2 }));
      expect(await specifications(suite)).toEqual([md5(text(8 * MEBIBYTE, 'ü'))]);
      await suite.write(bench, product({ specification: null, image }, { at: 3 }));
      expect(await suite.rows('SELECT MD5(img) AS sum FROM shop.item')).toEqual([{ sum: md5(image) }]);
      await suite.write(
        bench,
        product({ specification: 'small', image: null }, { at: 4 }),
        product({ productId: '2' }, { at: 4 }),
      );
      expect(await suite.count('shop.item')).toBe(2);
      expect(await suite.count('seam.parked')).toBe(0);
    });
  });
});

describeDialects((suite) => {
  it.runIf(suite.name === 'mariadb')(
    'a server that takes less at once: batches fit, and a larger record stops its table with what to set',
    async () => {
      const before = await limit(suite);
      await suite.execute('SET GLOBAL max_allowed_packet = 1048576');
      const bench = await suite.start([item, order]);
      const many = Array.from({ length: 60 }, (_, key) =>
        product({ productId: `k${key}`, specification: text(MEBIBYTE / 32, 'b') }, { at: 1 }),
      );
      await suite.write(bench, ...many);
      expect(await suite.count('shop.item')).toBe(60);
      bench.log.append(
        product({ specification: text(2 * MEBIBYTE, 'c') }, { at: 1 }),
        ordered('o1', '1.000', { at: 1 }),
      );
      await eventually(() => bench.sink.status().halted.length > 0, 'the table to stand still');
      expect(bench.sink.status().halted).toMatchObject([{ table: 'shop.item', code: 'TARGET_PACKET_TOO_SMALL' }]);
      await eventually(async () => (await suite.count('shop.ord')) === 1, 'the other table to go on');
      await suite.execute(`SET GLOBAL max_allowed_packet = ${before}`);
      await eventually(async () => (await suite.count('shop.item')) === 61, 'the record to land');
      expect(await suite.count('seam.parked')).toBe(0);
    },
  );
});

async function limit(suite: DialectSuite): Promise<string> {
  const [row] = await suite.rows('SELECT @@global.max_allowed_packet AS bytes');
  return String(row?.bytes);
}

async function specifications(suite: DialectSuite): Promise<unknown[]> {
  return (await suite.rows('SELECT MD5(spec) AS sum FROM shop.item')).map(({ sum }) => sum);
}
