/** Entities that several systems write: the newest commit wins, in every one of them. */
import { describe, expect, it } from 'vitest';
import { type DialectSuite, describeDialects } from '../support/dialect-suite.ts';
import { memberOf, phone } from '../support/shop-records.ts';
import { contact, member } from '../support/shop-tables.ts';

describeDialects((suite) => {
  defineWrittenOver(suite);
  defineNewest(suite);
  defineOneRow(suite);
});

function defineOneRow(suite: DialectSuite): void {
  const row = async () => (await suite.rows('SELECT nm, tel, note FROM shop.cust'))[0];

  describe('two entities in one row', () => {
    it('get both their columns back when the row goes and one of them alone makes it again', async () => {
      const bench = await suite.start([member, contact]);
      await suite.write(bench, memberOf({ fullName: 'Ann' }, { at: 1 }), phone('7', '111', { at: 1, system: 'pos' }));
      await suite.write(bench, phone('7', '222', { at: 2, system: 'pos' }));
      await suite.write(bench, memberOf({}, { at: 3, gone: true }));
      expect(await row()).toBeUndefined();
      await suite.write(bench, memberOf({ fullName: 'Anna' }, { at: 4 }));
      expect(await row()).toEqual({ nm: 'Anna', tel: '222', note: 'new' });
      expect(bench.counts.incomplete).toBe(0);
      await suite.write(bench, phone('7', null, { at: 5, gone: true, system: 'pos' }));
      await suite.write(bench, memberOf({}, { at: 6, gone: true }), memberOf({ fullName: 'Eve' }, { at: 7 }));
      await suite.write(bench, memberOf({}, { at: 8, gone: true }));
      await suite.write(bench, memberOf({ fullName: 'Eve' }, { at: 9 }));
      expect(await row()).toEqual({ nm: 'Eve', tel: null, note: 'new' });
    });

    it('take the newer of two records where both come with the row', async () => {
      const bench = await suite.start([member, contact]);
      await suite.write(bench, memberOf({}, { at: 1 }), phone('7', '111', { at: 1, system: 'pos' }));
      await suite.write(bench, memberOf({}, { at: 2, gone: true }));
      await suite.write(bench, memberOf({ fullName: 'Anna' }, { at: 3 }), phone('7', '333', { at: 3, system: 'pos' }));
      expect(await row()).toEqual({ nm: 'Anna', tel: '333', note: 'new' });
    });

    it('that both make the row bring each other back', async () => {
      const both = { ...contact, mode: 'upsert', onDelete: 'delete' } as const;
      const bench = await suite.start([member, both]);
      await suite.write(bench, memberOf({ fullName: 'Ann' }, { at: 1 }), phone('7', '111', { at: 1, system: 'pos' }));
      await suite.write(bench, phone('7', null, { at: 2, gone: true, system: 'pos' }));
      expect(await row()).toBeUndefined();
      await suite.write(bench, phone('7', '222', { at: 3, system: 'pos' }));
      expect(await row()).toEqual({ nm: 'Ann', tel: '222', note: 'new' });
      await suite.write(bench, memberOf({}, { at: 4, gone: true }));
      await suite.write(bench, memberOf({ fullName: 'Anna' }, { at: 5 }));
      expect(await row()).toEqual({ nm: 'Anna', tel: '222', note: 'new' });
    });
  });
}

/** A member without a phone, and what becomes of it. */
function phoneOf(suite: DialectSuite) {
  const first = async (sql: string) => (await suite.rows(sql))[0];
  return {
    start: async () => {
      const bench = await suite.start([member, contact]);
      await suite.write(bench, memberOf({}, { at: 1 }));
      return bench;
    },
    phoneHere: async () => (await first('SELECT tel FROM shop.cust'))?.tel,
    isMarked: async () =>
      Boolean((await first("SELECT seam_wrote FROM seam.applied WHERE entity = 'member-contact'"))?.seam_wrote),
    edit: (text: string) => suite.execute(`UPDATE shop.cust SET tel = '${text}'`),
  };
}

function defineWrittenOver(suite: DialectSuite): void {
  const { start, phoneHere, isMarked, edit } = phoneOf(suite);

  describe('a shared entity that Seam has written over', () => {
    it('gets its own newer value back, which Seam had overwritten', async () => {
      const bench = await start();
      await edit('clerk 10');
      await suite.write(bench, phone('7', 'tills 5', { at: 5, system: 'pos' }));
      expect(await phoneHere()).toBe('tills 5');
      await suite.write(bench, phone('7', 'clerk 10', { at: 10, system: 'shop' }));
      expect(await phoneHere()).toBe('clerk 10');
      expect(await isMarked()).toBe(true);
      await edit('clerk 11');
      await suite.write(bench, phone('7', 'clerk 11', { at: 11, system: 'shop' }));
      expect(await isMarked()).toBe(false);
    });

    it('gets it back too where one before it equals what Seam wrote over it', async () => {
      const bench = await start();
      await edit('both');
      await edit('clerk 11');
      await suite.write(bench, phone('7', 'both', { at: 5, system: 'pos' }));
      await suite.write(bench, phone('7', 'both', { at: 10, system: 'shop' }));
      expect(await isMarked()).toBe(true);
      await suite.write(bench, phone('7', 'clerk 11', { at: 11, system: 'shop' }));
      expect(await phoneHere()).toBe('clerk 11');
    });
  });
}

function defineNewest(suite: DialectSuite): void {
  const { start, phoneHere, edit } = phoneOf(suite);

  describe('a shared entity', () => {
    it('goes back to the winner where its own later edit counts as the older one', async () => {
      const bench = await start();
      await suite.write(bench, phone('7', 'tills 10', { at: 10, system: 'pos' }));
      await edit('clerk, whose clock is late');
      await suite.write(bench, phone('7', 'clerk, whose clock is late', { at: 9, system: 'shop' }));
      expect(await phoneHere()).toBe('tills 10');
      await edit('clerk 11');
      await suite.write(bench, phone('7', 'clerk 11', { at: 11, system: 'shop' }));
      expect(await phoneHere()).toBe('clerk 11');
      await suite.write(bench, phone('7', null, { at: 13, system: 'pos', gone: true }));
      await edit('clerk, whose clock is late');
      await suite.write(bench, phone('7', 'clerk, whose clock is late', { at: 12, system: 'shop' }));
      expect(await phoneHere()).toBe(null);
    });

    it('is deleted once more where it came back here meanwhile, told of in the same batch', async () => {
      const bench = await start();
      await suite.write(bench, phone('7', null, { at: 5, system: 'pos', gone: true }));
      await edit('clerk 6');
      await suite.write(
        bench,
        phone('7', 'clerk 6', { at: 6, system: 'shop' }),
        phone('7', null, { at: 7, system: 'pos', gone: true }),
      );
      expect(await phoneHere()).toBe(null);
    });

    it('is left alone by its own records otherwise', async () => {
      const bench = await start();
      await edit('clerk 12');
      await suite.write(bench, phone('7', 'clerk 10', { at: 10, system: 'shop' }));
      expect(await phoneHere()).toBe('clerk 12');
      expect(bench.counts).toMatchObject({ own: 1 });
      await suite.write(bench, phone('7', 'tills 9', { at: 9, system: 'pos' }));
      expect(await phoneHere()).toBe('clerk 12');
    });

    it('falls to the newest commit, ties to the system', async () => {
      const bench = await start();
      await suite.write(
        bench,
        phone('7', 'from pos', { at: 5, system: 'pos' }),
        phone('7', 'from crm', { at: 5, system: 'crm' }),
      );
      expect(await phoneHere()).toBe('from pos');
      await suite.write(bench, phone('7', null, { at: 6, system: 'crm', gone: true }));
      expect(await phoneHere()).toBe(null);
    });
  });
}
