/** What every kind of target database must keep: guard, rows, totals. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type DialectSuite, describeDialects } from '../support/dialect-suite.ts';
import { billed, earned, memberOf, moved, phone, product } from '../support/shop-records.ts';
import { contact, invoice, item, itemHidden, member, movement, points, price, types } from '../support/shop-tables.ts';
import { eventually } from '../support/sink-bench.ts';
import { record, truncation } from '../support/test-log.ts';

describeDialects((suite) => {
  const first = async (sql: string) => (await suite.rows(sql))[0];

  describe('guard', () => {
    it('lets an older record change nothing, in another batch and in the same', async () => {
      const bench = await suite.start([item]);
      await suite.write(bench, product({ description: 'new' }, { at: 20 }));
      await suite.write(bench, product({ description: 'old' }, { at: 10 }));
      await suite.write(
        bench,
        product({ description: 'newest' }, { at: 40 }),
        product({ description: 'between' }, { at: 30 }),
      );
      expect(await suite.rows('SELECT descr FROM shop.item')).toEqual([{ descr: 'newest' }]);
      expect(bench.counts).toMatchObject({ applied: 2, stale: 1, superseded: 1 });
    });

    it('keeps a deleted row deleted, also when its records come again', async () => {
      const bench = await suite.start([item]);
      await suite.write(bench, product({}, { at: 10 }));
      await suite.write(bench, product({}, { at: 20, gone: true }));
      await suite.write(bench, product({}, { at: 10 }), product({}, { at: 15 }));
      expect(await suite.rows('SELECT * FROM shop.item')).toEqual([]);
      expect(await suite.rows('SELECT deleted FROM seam.applied')).toHaveLength(1);
      await suite.write(bench, product({ description: 'again' }, { at: 30 }));
      expect(await suite.rows('SELECT descr FROM shop.item')).toEqual([{ descr: 'again' }]);
    });

    it('changes nothing on a replay from the first offset', async () => {
      const bench = await suite.start([item, movement]);
      const all = [
        product({}, { at: 1 }),
        moved('a', '-2.000', { at: 2 }),
        moved('b', '5.000', { at: 3 }),
        moved('b', '5.000', { at: 4, gone: true }),
        product({ description: 'x' }, { at: 5 }),
      ];
      await suite.write(bench, ...all);
      const before = await snapshot(suite);
      await bench.stop();
      await suite.execute('UPDATE seam.sink_offset SET next_offset = 0');
      const again = await suite.start([item, movement], {}, bench.log);
      await again.settled();
      expect(await snapshot(suite)).toBe(before);
      expect(again.counts).toMatchObject({ applied: 0, deleted: 0, parked: 0 });
      expect(again.counts.unchanged + again.counts.stale + again.counts.superseded).toBe(all.length);
    });

    it('lets a corrected record land at its old position', async () => {
      const bench = await suite.start([item]);
      await suite.write(bench, product({ description: 'wrong' }, { at: 10 }));
      await suite.write(bench, product({ description: 'right' }, { at: 10 }));
      expect(await suite.rows('SELECT descr FROM shop.item')).toEqual([{ descr: 'right' }]);
    });

    it('writes no row that stays the same', async () => {
      const bench = await suite.start([item, contact, member]);
      await suite.write(bench, product({}, { at: 10 }), memberOf({}, { at: 10 }));
      await suite.write(bench, phone('7', '1', { at: 11 }));
      await countWrites(suite);
      await suite.write(bench, product({}, { at: 20 }), phone('7', '1', { at: 20 }));
      expect(Number((await first('SELECT COUNT(*) AS n FROM shop.writes'))?.n)).toBe(0);
      await suite.write(bench, product({ description: 'BREAD' }, { at: 30 }), phone('7', '1 ', { at: 30 }));
      expect(Number((await first('SELECT COUNT(*) AS n FROM shop.writes'))?.n)).toBe(2);
    });

    it('does not write records that this system made itself', async () => {
      const bench = await suite.start([price], { system: 'erp' });
      await suite.write(
        bench,
        record(
          'price',
          { productId: '1', zone: 'AA', amount: '1.00', currency: 'USD', validFrom: '2020-01-01' },
          { at: 1, system: 'erp' },
        ),
      );
      expect(await suite.rows('SELECT * FROM shop.prc')).toEqual([]);
      expect(await suite.rows('SELECT * FROM seam.applied')).toEqual([]);
      expect(bench.counts).toMatchObject({ own: 1, applied: 0 });
    });
  });

  describe('rows', () => {
    it('writes on-insert columns once, and leaves them to the target then', async () => {
      const bench = await suite.start([member]);
      await suite.write(bench, memberOf({}, { at: 1 }));
      await suite.execute("UPDATE shop.cust SET note = 'by hand'");
      await suite.write(bench, memberOf({ fullName: 'Bo' }, { at: 2 }));
      expect(await suite.rows('SELECT nm, note FROM shop.cust')).toEqual([{ nm: 'Bo', note: 'by hand' }]);
    });

    it('keeps columns whose fields are absent, and takes them from older records of the batch', async () => {
      const bench = await suite.start([item]);
      await suite.write(bench, product({ specification: 'long text' }, { at: 1 }));
      await suite.write(
        bench,
        product({ description: 'two', specification: null }, { at: 2, absent: ['specification'] }),
      );
      expect(await suite.rows('SELECT descr, spec FROM shop.item')).toEqual([{ descr: 'two', spec: 'long text' }]);
      await suite.write(
        bench,
        product({ specification: 'newer text' }, { at: 3 }),
        product({ description: 'four', specification: null }, { at: 4, absent: ['specification'] }),
      );
      expect(await suite.rows('SELECT descr, spec FROM shop.item')).toEqual([{ descr: 'four', spec: 'newer text' }]);
      await suite.write(bench, product({ productId: '2', specification: null }, { at: 5, absent: ['specification'] }));
      expect(await suite.rows("SELECT descr, spec FROM shop.item WHERE prod_cd = '2'")).toEqual([
        { descr: 'Bread', spec: null },
      ]);
    });

    it('removes a row whose record this target no longer accepts, and none that it never wrote', async () => {
      await suite.execute("INSERT INTO shop.item (prod_cd, actv) VALUES ('9', 1)");
      const bench = await suite.start([item]);
      await suite.write(bench, product({}, { at: 1 }), product({ productId: '9', brand: 'PRIVATE' }, { at: 1 }));
      await suite.write(bench, product({ brand: 'PRIVATE' }, { at: 2 }));
      expect(await suite.rows('SELECT prod_cd FROM shop.item')).toEqual([{ prod_cd: '9' }]);
      await suite.write(bench, product({}, { at: 1 }));
      expect(await suite.rows('SELECT prod_cd FROM shop.item')).toHaveLength(1);
    });

    it('sets columns instead of deleting where the declaration says so', async () => {
      const bench = await suite.start([itemHidden]);
      await suite.write(bench, product({}, { at: 1 }));
      await suite.write(bench, product({}, { at: 2, gone: true }));
      expect(await suite.rows('SELECT descr, actv FROM shop.item')).toEqual([{ descr: 'Bread', actv: 0 }]);
    });

    it('finds rows by the key that the database assigned', async () => {
      const bench = await suite.start([invoice]);
      await suite.write(bench, billed('IN-1', '10.00', { at: 1 }), billed('IN-2', '20.00', { at: 1 }));
      const ids = await suite.rows('SELECT canonical_key, local_key FROM seam.identity ORDER BY 1');
      expect(ids.map(({ canonical_key }) => canonical_key)).toEqual(['IN-1', 'IN-2']);
      await suite.write(bench, billed('IN-1', '11.00', { at: 2 }), billed('IN-2', '20.00', { at: 3, gone: true }));
      expect(await suite.rows('SELECT ext, amt, stat, born FROM shop.inv ORDER BY 1')).toEqual([
        { ext: 'IN-1', amt: '11.00', stat: 'O', born: 'seam' },
        { ext: 'IN-2', amt: '20.00', stat: 'V', born: 'seam' },
      ]);
      for (const { canonical_key: key, local_key: id } of ids) {
        expect(await suite.rows(`SELECT ext FROM shop.inv WHERE inv_id = ${id}`)).toEqual([{ ext: key }]);
      }
    });

    it('deletes what a truncation deletes, once, and lets nothing older back', async () => {
      const bench = await suite.start([item, movement]);
      await suite.write(
        bench,
        ...Array.from({ length: 30 }, (_, index) => product({ productId: String(index) }, { at: 10 + index })),
      );
      await suite.write(bench, moved('m', '4.000', { at: 1 }));
      await suite.write(bench, truncation('product', 100));
      expect(await suite.rows('SELECT * FROM shop.item')).toEqual([]);
      await suite.write(
        bench,
        product({ productId: '3' }, { at: 50 }),
        product({ productId: 'new' }, { at: 60 }),
        product({ productId: '5' }, { at: 101 }),
      );
      expect(await suite.rows('SELECT prod_cd FROM shop.item')).toEqual([{ prod_cd: '5' }]);
      expect(await suite.rows('SELECT qoh FROM shop.stk')).toEqual([{ qoh: '4.000' }]);
      bench.log.append(
        product({ productId: '8' }, { at: 105 }),
        truncation('product', 110),
        product({ productId: '8' }, { at: 104 }),
        product({ productId: '9' }, { at: 111 }),
      );
      await bench.settled();
      expect(await suite.rows('SELECT prod_cd FROM shop.item')).toEqual([{ prod_cd: '9' }]);
    });
  });

  describe('values', () => {
    const textOf = (column: string) => (suite.name === 'postgres' ? `${column}::text` : `CAST(${column} AS CHAR)`);
    const hexOf = (column: string) =>
      suite.name === 'postgres' ? `encode(${column}, 'hex')` : `LOWER(HEX(${column}))`;
    const stored = () =>
      first(`SELECT ${['i64', 'num', 'd', 'zoned', 'clock'].map((column) => `${textOf(column)} AS ${column}`).join(', ')},
        txt, MD5(txt) AS md5, ${hexOf('bin')} AS bin FROM shop.typ`);
    const put = (fields: Record<string, string | bigint | Uint8Array | null>, at: number) =>
      record('member', { memberId: '1', ...fields }, { at });

    it('survive: 64 bits, 65 digits, any script, a megabyte, bytes, microseconds', async () => {
      const bench = await suite.start([types]);
      const large = `${'“é\\\'"{}😀中文,NULL%_\n\t'.repeat(60_000)}`;
      const decimal = `${'9'.repeat(45)}.${'1234567890'.repeat(2)}`;
      const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
      await suite.write(
        bench,
        put(
          {
            pointsBalance: 9_007_199_254_740_993n,
            email: decimal,
            fullName: large,
            reference: bytes,
            birthDate: '1899-12-31',
            tier: '2031-02-03 04:05:06.123456',
            status: '1970-01-01 00:00:00.000001',
          },
          1,
        ),
      );
      expect(large.length).toBeGreaterThan(900_000);
      const row = await stored();
      expect(row?.md5).toBe(createHash('md5').update(large, 'utf8').digest('hex'));
      expect(row).toMatchObject({
        i64: '9007199254740993',
        num: decimal,
        bin: Buffer.from(bytes).toString('hex'),
        d: '1899-12-31',
        clock: '1970-01-01 00:00:00.000001',
      });
      expect(String(row?.zoned)).toMatch(/^2031-02-03 04:05:06.123456/);
    });

    it.each([
      ['pointsBalance', 9_007_199_254_740_993n, 9_007_199_254_740_992n],
      ['email', '9007199254740993.00000000000000000001', '9007199254740993.00000000000000000002'],
      ['fullName', 'text', 'Text'],
      ['fullName', 'text', 'text '],
      ['fullName', '', null],
      ['tier', '2031-02-03 04:05:06.123456', '2031-02-03 04:05:06.123457'],
      ['reference', new Uint8Array([1]), new Uint8Array([1, 0])],
    ])('that differ least still differ: %s %s → %s', async (field, before, after) => {
      const bench = await suite.start([types]);
      const others = { pointsBalance: 1n, email: '1' };
      await suite.write(bench, put({ ...others, [field]: before }, 1));
      const held = await stored();
      await suite.write(bench, put({ ...others, [field]: after }, 2));
      expect(await stored()).not.toEqual(held);
      await suite.write(bench, put({ ...others, [field]: before }, 3));
      expect(await stored()).toEqual(held);
    });

    it.each([
      ['email', '0.000000000000000000001'],
      ['email', '9'.repeat(60)],
      ['pointsBalance', '1.5'],
      ['tier', '2031-02-03 04:05:06.1234567'],
      ['birthDate', '2031-02-30'],
    ])('that a column would change are refused: %s %s', async (field, value) => {
      const bench = await suite.start([types]);
      await suite.write(bench, put({ [field]: value }, 1));
      expect(await suite.count('shop.typ')).toBe(0);
      expect(await suite.count('seam.parked')).toBe(1);
    });
  });

  describe('effects', () => {
    it('keeps sums exact under correction, move, deletion and redelivery', async () => {
      await suite.execute("INSERT INTO shop.stk (loc, prod, qoh) VALUES ('000330', '1', 100)");
      const bench = await suite.start([movement]);
      await suite.write(bench, moved('a', '-2.500', { at: 1 }), moved('b', '-1.000', { at: 2 }));
      expect(await suite.rows('SELECT loc, qoh FROM shop.stk')).toEqual([{ loc: '000330', qoh: '96.500' }]);
      await suite.write(bench, moved('a', '-3.000', { at: 3 }));
      await suite.write(bench, moved('b', '-1.000', { at: 4, place: '331' }));
      await suite.write(bench, moved('a', '-2.500', { at: 1 }), moved('b', '-1.000', { at: 4, place: '331' }));
      expect(await suite.rows('SELECT loc, qoh FROM shop.stk ORDER BY loc')).toEqual([
        { loc: '000330', qoh: '97.000' },
        { loc: '000331', qoh: '-1.000' },
      ]);
      await suite.write(bench, moved('a', '0', { at: 5, gone: true }), moved('b', '0', { at: 6, gone: true }));
      expect(await suite.rows('SELECT qoh FROM shop.stk ORDER BY loc')).toEqual([{ qoh: '100.000' }, { qoh: '0.000' }]);
      expect(await suite.rows('SELECT * FROM seam.effect')).toEqual([]);
    });

    it('lets an entry wait for the row of its total, and adds it once', async () => {
      const bench = await suite.start([member, points]);
      await suite.write(bench, earned('e1', '7', 5, { at: 1 }), earned('e2', '8', 6, { at: 1 }));
      expect(await suite.rows('SELECT * FROM shop.led')).toEqual([]);
      expect(bench.sink.status()).toMatchObject({ waiting: 2, deadLetters: 0 });
      await suite.write(bench, memberOf({}, { at: 2 }), earned('e3', '7', 10, { at: 3 }));
      await eventually(
        async () => (await suite.rows('SELECT * FROM shop.led')).length === 2,
        'the waiting entry is written',
      );
      expect(await suite.rows('SELECT pts FROM shop.cust')).toEqual([{ pts: suite.name === 'postgres' ? '15' : 15n }]);
      expect(await suite.rows('SELECT entity, reason_code FROM seam.parked')).toEqual([
        { entity: 'points-entry', reason_code: 'PARENT_MISSING' },
      ]);
    });

    it('counts an amount once when two workers meet at the same total', async () => {
      const bench = await suite.start([movement]);
      const all = Array.from({ length: 200 }, (_, index) =>
        moved(`m${index}`, '1.000', { at: 1, place: String(1 + (index % 7)) }),
      );
      await suite.write(bench, ...all, ...all);
      expect((await first('SELECT SUM(qoh) AS sum FROM shop.stk'))?.sum).toBe('200.000');
    });
  });
});

/** Contents and positions of everything, to show that nothing changed. */
async function snapshot(suite: DialectSuite): Promise<string> {
  const tables = ['shop.item', 'shop.prc', 'shop.cust', 'shop.led', 'shop.mv', 'shop.stk', 'shop.inv', 'shop.ord'];
  const contents = [];
  for (const table of tables) contents.push(await suite.rows(`SELECT * FROM ${table} ORDER BY 1, 2`));
  contents.push(await suite.rows('SELECT * FROM seam.applied ORDER BY 1, 2'));
  contents.push(await suite.rows('SELECT effect, group_key, amount FROM seam.effect ORDER BY 1, 2, 3'));
  return JSON.stringify(contents, (_, value) => (typeof value === 'bigint' ? value.toString() : value));
}

/** A trigger that counts what an UPDATE really touches. */
async function countWrites(suite: DialectSuite): Promise<void> {
  const tables = ['item', 'cust'];
  if (suite.name === 'postgres') {
    await suite.execute(`CREATE TABLE shop.writes (t VARCHAR(10));
CREATE OR REPLACE FUNCTION shop.count_write() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN INSERT INTO shop.writes VALUES (TG_TABLE_NAME); RETURN NEW; END $$;
${tables.map((table) => `CREATE TRIGGER counts AFTER UPDATE ON shop.${table} FOR EACH ROW EXECUTE FUNCTION shop.count_write()`).join(';')}`);
    return;
  }
  const triggers = tables.map(
    (table) =>
      `CREATE TRIGGER shop.counts_${table} AFTER UPDATE ON shop.${table} FOR EACH ROW INSERT INTO shop.writes VALUES ('${table}')`,
  );
  await suite.execute(['CREATE TABLE shop.writes (t VARCHAR(10))', ...triggers].join('\n--;;\n'));
}
