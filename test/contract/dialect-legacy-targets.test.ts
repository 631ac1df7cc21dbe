/** What legacy targets are like: names of every kind, triggers that refuse, contents that are not theirs to keep. */
import { describe, expect, it } from 'vitest';
import { unlimited } from '../../core/columns.ts';
import { to, update, upsert } from '../../core/target.ts';
import { type DialectSuite, describeDialects } from '../support/dialect-suite.ts';
import { phone, product } from '../support/shop-records.ts';
import { item } from '../support/shop-tables.ts';

describeDialects((suite) => {
  const quoted = (name: string) => (suite.name === 'postgres' ? `"${name}"` : `\`${name}\``);

  describe('names of a target, as case 13', () => {
    it.each([
      'Named 表',
      'ORDER',
      'größe-1',
      '1st',
      'dollar$',
      "it's",
    ])('%s is a table, a key and a column', async (name) => {
      const table = `shop.${quoted(name)}`;
      await suite.execute(
        `DROP TABLE IF EXISTS ${table}`,
        `CREATE TABLE ${table} (${quoted(`${name} key`)} VARCHAR(20) PRIMARY KEY, ${quoted(name)} VARCHAR(20))`,
      );
      const named = upsert(`shop.${name}`, 'product', {
        key: { [`${name} key`]: to('productId', unlimited()) },
        columns: { [name]: to('description', unlimited()) },
        onDelete: 'delete',
      });
      const bench = await suite.start([named]);
      const of = (productId: string, description: string, at: number) => product({ productId, description }, { at });
      await suite.write(bench, of('1', 'one', 1), of('2', 'two', 1));
      await suite.write(bench, of('1', 'x'.repeat(21), 2), of('2', 'three', 2));
      await suite.write(bench, of('1', 'four', 3), product({ productId: '2' }, { at: 3, gone: true }));
      const rows = await suite.rows(`SELECT ${quoted(name)} AS text FROM ${table}`);
      expect(rows).toEqual([{ text: 'four' }]);
      expect(await suite.count('seam.parked')).toBe(0);
    });
  });

  it('a trigger that refuses one row, as case 18, stops its key and no other', async () => {
    await refusing(suite);
    const bench = await suite.start([item]);
    const of = (productId: string, description: string, at: number) => product({ productId, description }, { at });
    await suite.write(bench, of('1', 'fine', 1), of('2', 'forbidden', 1), of('3', 'fine', 1));
    expect((await suite.rows('SELECT prod_cd FROM shop.item ORDER BY 1')).map(({ prod_cd: key }) => key)).toEqual([
      '1',
      '3',
    ]);
    expect(await suite.rows('SELECT reason_code FROM seam.parked')).toEqual([{ reason_code: 'TARGET_REFUSED' }]);
    await suite.write(bench, of('2', 'allowed', 2));
    expect(await suite.count('seam.parked')).toBe(0);
    expect(await suite.count('shop.item')).toBe(3);
  });

  it('nothing of a record that the target does not accept is kept beside it, as case 26', async () => {
    const told = update('shop.cust', 'member-contact', {
      key: { cust_no: to('memberId', unlimited()) },
      columns: { tel: to('phone', unlimited()) },
      accepts: ({ phone: number }) => number !== 'private',
      onDelete: { set: { tel: null } },
    });
    const bench = await suite.start([told]);
    await suite.execute("INSERT INTO shop.cust (cust_no, nm) VALUES ('7', 'Ann'), ('8', 'Ben')");
    await suite.write(bench, phone('7', 'private', { at: 1 }), phone('8', '123', { at: 1 }));
    const kept = await suite.rows(
      `SELECT record_value IS NULL AS gone FROM seam.applied WHERE entity = 'member-contact' ORDER BY ${quoted('key')}`,
    );
    expect(kept.map(({ gone }) => Boolean(gone))).toEqual([true, false]);
    expect((await suite.rows('SELECT tel FROM shop.cust ORDER BY cust_no')).map(({ tel }) => tel)).toEqual([
      null,
      '123',
    ]);
  });
});

async function refusing(suite: DialectSuite): Promise<void> {
  if (suite.name === 'mariadb') {
    await suite.execute(
      `CREATE TRIGGER shop.guard BEFORE INSERT ON shop.item FOR EACH ROW
         IF NEW.descr = 'forbidden' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not here'; END IF`,
    );
    return;
  }
  await suite.execute(
    `CREATE OR REPLACE FUNCTION shop.guard() RETURNS trigger LANGUAGE plpgsql AS
       'BEGIN IF NEW.descr = ''forbidden'' THEN RAISE EXCEPTION ''not here''; END IF; RETURN NEW; END'`,
    'CREATE TRIGGER guard BEFORE INSERT ON shop.item FOR EACH ROW EXECUTE FUNCTION shop.guard()',
  );
}
