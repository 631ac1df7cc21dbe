/** Batches that need no plan, on both real databases: what they leave to the plan after all. */
import { expect, it } from 'vitest';
import { describeDialects } from '../support/dialect-suite.ts';
import { product } from '../support/shop-records.ts';
import { item } from '../support/shop-tables.ts';

describeDialects((suite) => {
  const rows = () => suite.rows('SELECT prod_cd, descr FROM shop.item ORDER BY prod_cd');
  const insertMine = () => suite.execute("INSERT INTO shop.item (prod_cd, descr, actv) VALUES ('1', 'mine', 1)");

  it('leaves a row alone that somebody else has made under a key which was deleted before', async () => {
    const bench = await suite.start([item]);
    await suite.write(bench, product({}, { at: 10 }));
    await suite.write(bench, product({}, { at: 20, gone: true }));
    await insertMine();
    await suite.write(bench, product({}, { at: 30, gone: true }), product({ productId: '2' }, { at: 30 }));
    expect(await rows()).toMatchObject([{ prod_cd: '1', descr: 'mine' }, { prod_cd: '2' }]);
    const ledger = await suite.rows('SELECT deleted FROM seam.applied ORDER BY position, deleted DESC');
    expect(ledger.map(({ deleted }) => Boolean(deleted))).toEqual([true, false]);
  });

  it('writes over a row that nobody knew of, after batches of new rows only', async () => {
    const bench = await suite.start([item], { settings: { batchRecordsMax: 4 } });
    await suite.write(bench, product({ productId: '2' }, { at: 10 }), product({ productId: '3' }, { at: 10 }));
    await insertMine();
    await suite.write(bench, product({}, { at: 20 }), product({ productId: '4' }, { at: 20 }));
    await suite.write(bench, product({ productId: '2', description: 'Roll' }, { at: 30 }));
    expect(await rows()).toEqual([
      { prod_cd: '1', descr: 'Bread' },
      { prod_cd: '2', descr: 'Roll' },
      { prod_cd: '3', descr: 'Bread' },
      { prod_cd: '4', descr: 'Bread' },
    ]);
    expect(bench.counts).toMatchObject({ applied: 5, parked: 0 });
  });
});
