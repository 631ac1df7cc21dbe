/** Records that wait for others, and dead letters: one bad record stops one key, nothing else. */
import { describe, expect, it } from 'vitest';
import { describeDialects, notSupported } from '../support/dialect-suite.ts';
import { earned, memberOf, ordered, phone, product } from '../support/shop-records.ts';
import { contact, item, itemHidden, member, order, points, price } from '../support/shop-tables.ts';
import { eventually } from '../support/sink-bench.ts';
import { record } from '../support/test-log.ts';

describeDialects((suite) => {
  const first = async (sql: string) => (await suite.rows(sql))[0];

  describe('records that wait or are set aside', () => {
    it('lets an update wait for the row that another entity makes', async () => {
      const bench = await suite.start([member, contact]);
      await suite.write(bench, phone('7', '111', { at: 1 }));
      await suite.write(bench, phone('7', '222', { at: 2 }));
      expect(await suite.rows('SELECT COUNT(*) AS n FROM seam.parked')).toEqual([
        { n: suite.name === 'postgres' ? '1' : 1n },
      ]);
      await suite.write(bench, memberOf({}, { at: 3 }));
      await eventually(async () => (await first('SELECT tel FROM shop.cust'))?.tel === '222', 'the newest phone lands');
      expect(await suite.rows('SELECT * FROM seam.parked')).toEqual([]);
    });

    it('lets nothing wait for a row that is gone where an older edit in it would have given way', async () => {
      const bench = await suite.start([member, contact]);
      await suite.write(bench, memberOf({}, { at: 1 }));
      await suite.write(bench, phone('7', 'tills 10', { at: 10, system: 'pos' }));
      await suite.execute('DELETE FROM shop.cust');
      await suite.write(bench, phone('7', 'clerk 9', { at: 9, system: 'shop' }));
      expect(await suite.rows('SELECT * FROM seam.parked')).toEqual([]);
      expect(bench.sink.status()).toMatchObject({ waiting: 0, deadLetters: 0, counts: { stale: 1 } });
    });

    it('writes a row and what waits for it in one batch', async () => {
      const bench = await suite.start([member, contact, points]);
      bench.log.append(phone('7', '111', { at: 1 }), earned('e', '7', 3, { at: 1 }), memberOf({}, { at: 1 }));
      await bench.settled();
      expect(await suite.rows('SELECT tel FROM shop.cust')).toEqual([{ tel: '111' }]);
      expect(bench.counts.parked).toBe(0);
    });

    it('lets a child wait for its parent, and all others flow', async () => {
      const bench = await suite.start([itemHidden, price]);
      const priced = (productId: string, at: number) =>
        record('price', { productId, zone: 'AA', amount: '1.00', currency: 'USD', validFrom: '2020-01-01' }, { at });
      await suite.write(bench, product({ productId: '2' }, { at: 1 }));
      await suite.write(bench, priced('1', 1), priced('2', 1));
      expect(await suite.rows('SELECT prod_cd FROM shop.prc')).toEqual([{ prod_cd: '2' }]);
      await suite.write(bench, product({}, { at: 2 }));
      await eventually(async () => (await suite.rows('SELECT * FROM shop.prc')).length === 2, 'the child lands');
      expect(await suite.rows('SELECT * FROM seam.parked')).toEqual([]);
    });

    it('lets no row take the place of another that has its value of a second unique index', async () => {
      await suite.execute('CREATE UNIQUE INDEX descr_unique ON shop.item (descr)');
      const bench = await suite.start([item]);
      await suite.write(bench, product({ description: 'taken' }, { at: 1 }));
      await suite.write(
        bench,
        product({ productId: '2', description: 'taken' }, { at: 2 }),
        product({ productId: '3', description: 'free' }, { at: 2 }),
      );
      await suite.write(bench, product({ productId: '3', description: 'freed' }, { at: 3 }));
      expect(await suite.rows('SELECT prod_cd, descr FROM shop.item ORDER BY 1')).toEqual([
        { prod_cd: '1', descr: 'taken' },
        { prod_cd: '3', descr: 'freed' },
      ]);
      expect(await suite.rows('SELECT reason_code FROM seam.parked')).toEqual([{ reason_code: 'VALUE_HELD' }]);
    });

    it('finds the one record that a constraint checked at the commit refuses', async (context) => {
      if (suite.name === 'mariadb') return notSupported(context, 'MariaDB checks every constraint at once');
      await suite.execute('ALTER TABLE shop.prc ALTER CONSTRAINT prc_prod_cd_fkey DEFERRABLE INITIALLY DEFERRED');
      const bench = await suite.start([itemHidden, price]);
      const priced = (productId: string) =>
        record('price', { productId, zone: 'AA', amount: '1.00', currency: 'USD', validFrom: '2020-01-01' }, { at: 1 });
      await suite.write(bench, product({ productId: '2' }, { at: 1 }));
      await suite.write(bench, priced('1'), priced('2'));
      expect(await suite.rows('SELECT prod_cd FROM shop.prc')).toEqual([{ prod_cd: '2' }]);
      expect(await suite.rows('SELECT reason_code FROM seam.parked')).toEqual([{ reason_code: 'PARENT_MISSING' }]);
    });

    it('lets a parent wait that is deleted before its children', async () => {
      const bench = await suite.start([{ ...item, accepts: undefined }, price]);
      const priced = (gone: boolean, at: number) =>
        record(
          'price',
          { productId: '1', zone: 'AA', amount: '1.00', currency: 'USD', validFrom: '2020-01-01' },
          { at, gone },
        );
      await suite.write(bench, product({}, { at: 1 }), priced(false, 1));
      await suite.write(bench, product({}, { at: 2, gone: true }));
      expect(await suite.count('shop.item')).toBe(1);
      await suite.write(bench, priced(true, 3));
      await eventually(async () => (await suite.count('shop.item')) === 0, 'the parent goes');
      expect(await suite.count('seam.parked')).toBe(0);
    });

    it('sets one bad record aside and lands the rest of its batch', async () => {
      const bench = await suite.start([order]);
      const good = Array.from({ length: 50 }, (_, index) => ordered(`o${index}`, '1.000', { at: 1 }));
      await suite.write(bench, ...good.slice(0, 25), ordered('bad', '5000.000', { at: 1 }), ...good.slice(25));
      expect((await suite.rows('SELECT ord_no FROM shop.ord')).length).toBe(50);
      expect(await suite.rows('SELECT entity, reason_code FROM seam.parked')).toHaveLength(1);
      expect(bench.sink.status()).toMatchObject({ state: 'running', deadLetters: 1 });
      const lines = bench.lines.filter(({ level }) => level === 'warn');
      expect(lines).toHaveLength(1);
      expect(lines[0]?.fields).toMatchObject({
        entity: 'sales-order',
        key: 'bad',
        topic: 'canonical.sales-order',
        code: 'TARGET_REFUSED',
      });
    });

    it('lets a newer record take the place of a bad one where the setting says so', async () => {
      const bench = await suite.start([order], { settings: { laterRecords: 'take-over' } });
      await suite.write(bench, ordered('bad', '5000.000', { at: 1 }));
      await suite.write(bench, ordered('bad', '7.000', { at: 2 }));
      expect(await suite.rows("SELECT qty FROM shop.ord WHERE ord_no = 'bad'")).toEqual([{ qty: '7.000' }]);
      expect(await suite.rows('SELECT * FROM seam.parked')).toEqual([]);
    });

    it('shows the key as it was before a record that a converter refuses', async () => {
      const bench = await suite.start([member]);
      const name81 = 'x'.repeat(81);
      await suite.write(bench, memberOf({ fullName: 'good' }, { at: 1 }), memberOf({ fullName: name81 }, { at: 2 }));
      expect(await suite.rows('SELECT nm FROM shop.cust')).toEqual([{ nm: 'good' }]);
      expect(await suite.rows('SELECT reason_code, next_try_at FROM seam.parked')).toEqual([
        { reason_code: 'VALUE_TOO_LONG', next_try_at: null },
      ]);
      expect(JSON.stringify(bench.lines.map(({ fields }) => fields))).not.toContain(name81);
    });

    it('sets an unreadable record aside; a partial one behind it waits, a whole one does not, where it takes over', async () => {
      const bench = await suite.start([item], { settings: { laterRecords: 'take-over' } });
      bench.log.appendUnreadable('product', '1');
      await bench.settled();
      await suite.write(bench, product({ specification: null }, { at: 2, absent: ['specification'] }));
      expect(await suite.rows('SELECT * FROM shop.item')).toEqual([]);
      await suite.write(bench, product({ specification: 'whole' }, { at: 3 }));
      expect(await suite.rows('SELECT spec FROM shop.item')).toEqual([{ spec: 'whole' }]);
      expect(await suite.rows('SELECT reason_code FROM seam.parked')).toEqual([{ reason_code: 'AVRO_DECODE_FAILED' }]);
    });

    it('tries a dead letter again on request', async () => {
      const bench = await suite.start([order]);
      await suite.write(bench, ordered('bad', '5000.000', { at: 1 }));
      await suite.execute(
        suite.name === 'postgres'
          ? 'ALTER TABLE shop.ord DROP CONSTRAINT ord_qty_check; UPDATE seam.parked SET next_try_at = now()'
          : 'ALTER TABLE shop.ord MODIFY qty DECIMAL(12, 3) NOT NULL\n--;;\nUPDATE seam.parked SET next_try_at = UTC_TIMESTAMP(6)',
      );
      await eventually(async () => (await suite.rows('SELECT * FROM shop.ord')).length === 1, 'the dead letter lands');
      await eventually(() => bench.sink.status().deadLetters === 0, 'it is counted out');
    });

    it('stops when too many records are set aside', async () => {
      const bench = await suite.start([order], { settings: { parkedRecordsMax: 2 } });
      bench.log.append(...['a', 'b', 'c'].map((id) => ordered(id, '5000.000', { at: 1 })));
      await expect(bench.sink.done).rejects.toMatchObject({ code: 'PARKED_FULL' });
      expect(bench.sink.status().state).toBe('failed');
      expect(await suite.rows('SELECT * FROM seam.parked')).toEqual([]);
    });
  });
});
