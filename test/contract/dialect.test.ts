/** What every kind of target database must keep, on the real one: one suite, looped over `sinks/dialects/index.ts`. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CanonicalFields } from '../../core/canonical-record.ts';
import { dialects } from '../../sinks/dialects/index.ts';
import { startDatabases, type TestDatabase, type TestDatabases } from '../support/databases.ts';
import {
  contact,
  invoice,
  item,
  itemHidden,
  member,
  movement,
  order,
  points,
  price,
  resetShop,
} from '../support/shop-tables.ts';
import { eventually, SinkBench, type BenchOptions } from '../support/sink-bench.ts';
import { record, type RecordOptions, truncation } from '../support/test-log.ts';
import type { TargetTable } from '../../core/target.ts';

let databases: TestDatabases;
let database: TestDatabase;
const benches: SinkBench[] = [];

beforeAll(async () => {
  databases = await startDatabases();
}, 240_000);
afterAll(async () => {
  await databases?.stop();
}, 60_000);

const PRODUCT = {
  productId: '1',
  description: 'Bread',
  department: 'BAKERY',
  brand: 'NATIONAL',
  unitCost: '1.5000',
  status: 'ACTIVE',
};
const product = (fields: CanonicalFields, options: RecordOptions & { gone?: boolean }) =>
  record('product', { ...PRODUCT, ...fields }, options);
const memberOf = (fields: CanonicalFields, options: RecordOptions & { gone?: boolean }) =>
  record(
    'member',
    { memberId: '7', fullName: 'Ann', tier: 'BASE', status: 'ACTIVE', pointsBalance: 0n, ...fields },
    options,
  );
const phone = (memberId: string, text: string | null, options: RecordOptions & { gone?: boolean }) =>
  record('member-contact', { memberId, phone: text }, options);
const moved = (movementId: string, quantity: string, options: RecordOptions & { gone?: boolean; place?: string }) =>
  record(
    'stock-movement',
    { movementId, productId: '1', locationId: options.place ?? '330', quantity, reason: 'SALE', movedAt: 0n },
    options,
  );
const earned = (entryId: string, memberId: string, amount: number, options: RecordOptions & { gone?: boolean }) =>
  record('points-entry', { entryId, memberId, saleId: '1', points: amount, earnedAt: 1_600_000_000_123_456n }, options);
const ordered = (orderId: string, quantity: string, options: RecordOptions & { gone?: boolean }) =>
  record(
    'sales-order',
    {
      orderId,
      memberId: '7',
      productId: '1',
      locationId: '330',
      quantity,
      unitPrice: '1.00',
      orderedAt: 0n,
      status: 'NEW',
    },
    options,
  );
const billed = (invoiceId: string, amount: string, options: RecordOptions & { gone?: boolean }) =>
  record(
    'invoice-request',
    { invoiceId, shipmentId: 'S', orderId: 'O', amount, currency: 'USD', requestedAt: 0n },
    options,
  );

async function startBench(
  tables: readonly TargetTable[],
  options: BenchOptions = {},
  log?: SinkBench['log'],
): Promise<SinkBench> {
  const bench = new SinkBench(database, tables, options, log);
  benches.push(bench);
  return bench.start();
}

async function write(bench: SinkBench, ...records: readonly ReturnType<typeof record>[]): Promise<void> {
  bench.log.append(...records);
  await bench.settled();
}

const rows = (sql: string) => database.rows(sql);
const one = async (sql: string) => (await rows(sql))[0];
/** Contents and positions of everything, to show that nothing changed. */
async function snapshot(): Promise<string> {
  const tables = ['shop.item', 'shop.prc', 'shop.cust', 'shop.led', 'shop.mv', 'shop.stk', 'shop.inv', 'shop.ord'];
  const contents = [];
  for (const table of tables) contents.push(await rows(`SELECT * FROM ${table} ORDER BY 1, 2`));
  contents.push(await rows('SELECT * FROM seam.applied ORDER BY 1, 2'));
  contents.push(await rows('SELECT effect, group_key, amount FROM seam.effect ORDER BY 1, 2, 3'));
  return JSON.stringify(contents, (_, value) => (typeof value === 'bigint' ? value.toString() : value));
}

describe.each(Object.keys(dialects))('dialect %s', (name) => {
  beforeEach(async () => {
    database = databases.all.find(({ dialect }) => dialect === name) as TestDatabase;
    await resetShop(database);
    return async () => {
      for (const bench of benches.splice(0)) await bench.stop();
    };
  });

  describe('guard', () => {
    it('lets an older record change nothing, in another batch and in the same', async () => {
      const bench = await startBench([item]);
      await write(bench, product({ description: 'new' }, { at: 20 }));
      await write(bench, product({ description: 'old' }, { at: 10 }));
      await write(
        bench,
        product({ description: 'newest' }, { at: 40 }),
        product({ description: 'between' }, { at: 30 }),
      );
      expect(await rows('SELECT descr FROM shop.item')).toEqual([{ descr: 'newest' }]);
      expect(bench.counts).toMatchObject({ applied: 2, stale: 1, superseded: 1 });
    });

    it('keeps a deleted row deleted, also when its records come again', async () => {
      const bench = await startBench([item]);
      await write(bench, product({}, { at: 10 }));
      await write(bench, product({}, { at: 20, gone: true }));
      await write(bench, product({}, { at: 10 }), product({}, { at: 15 }));
      expect(await rows('SELECT * FROM shop.item')).toEqual([]);
      expect(await rows('SELECT deleted FROM seam.applied')).toHaveLength(1);
      await write(bench, product({ description: 'again' }, { at: 30 }));
      expect(await rows('SELECT descr FROM shop.item')).toEqual([{ descr: 'again' }]);
    });

    it('changes nothing on a replay from the first offset', async () => {
      const bench = await startBench([item, movement]);
      const all = [
        product({}, { at: 1 }),
        moved('a', '-2.000', { at: 2 }),
        moved('b', '5.000', { at: 3 }),
        moved('b', '5.000', { at: 4, gone: true }),
        product({ description: 'x' }, { at: 5 }),
      ];
      await write(bench, ...all);
      const before = await snapshot();
      await bench.stop();
      await database.execute('UPDATE seam.sink_offset SET next_offset = 0');
      const again = await startBench([item, movement], {}, bench.log);
      await again.settled();
      expect(await snapshot()).toBe(before);
      expect(again.counts).toMatchObject({ applied: 0, deleted: 0, parked: 0 });
      expect(again.counts.unchanged + again.counts.stale + again.counts.superseded).toBe(all.length);
    });

    it('lets a corrected record land at its old position', async () => {
      const bench = await startBench([item]);
      await write(bench, product({ description: 'wrong' }, { at: 10 }));
      await write(bench, product({ description: 'right' }, { at: 10 }));
      expect(await rows('SELECT descr FROM shop.item')).toEqual([{ descr: 'right' }]);
    });

    it('writes no row that stays the same', async () => {
      const bench = await startBench([item, contact, member]);
      await write(bench, product({}, { at: 10 }), memberOf({}, { at: 10 }));
      await write(bench, phone('7', '1', { at: 11 }));
      await countWrites();
      await write(bench, product({}, { at: 20 }), phone('7', '1', { at: 20 }));
      expect(Number((await one('SELECT COUNT(*) AS n FROM shop.writes'))?.['n'])).toBe(0);
      await write(bench, product({ description: 'BREAD' }, { at: 30 }), phone('7', '1 ', { at: 30 }));
      expect(Number((await one('SELECT COUNT(*) AS n FROM shop.writes'))?.['n'])).toBe(2);
    });

    it('does not write records that this system made itself', async () => {
      const bench = await startBench([price], { system: 'erp' });
      await write(
        bench,
        record(
          'price',
          { productId: '1', zone: 'AA', amount: '1.00', currency: 'USD', validFrom: '2020-01-01' },
          { at: 1, system: 'erp' },
        ),
      );
      expect(await rows('SELECT * FROM shop.prc')).toEqual([]);
      expect(await rows('SELECT * FROM seam.applied')).toEqual([]);
      expect(bench.counts).toMatchObject({ own: 1, applied: 0 });
    });
  });

  describe('rows', () => {
    it('writes on-insert columns once, and leaves them to the target then', async () => {
      const bench = await startBench([member]);
      await write(bench, memberOf({}, { at: 1 }));
      await database.execute("UPDATE shop.cust SET note = 'by hand'");
      await write(bench, memberOf({ fullName: 'Bo' }, { at: 2 }));
      expect(await rows('SELECT nm, note FROM shop.cust')).toEqual([{ nm: 'Bo', note: 'by hand' }]);
    });

    it('keeps columns whose fields are absent, and takes them from older records of the batch', async () => {
      const bench = await startBench([item]);
      await write(bench, product({ specification: 'long text' }, { at: 1 }));
      await write(bench, product({ description: 'two', specification: null }, { at: 2, absent: ['specification'] }));
      expect(await rows('SELECT descr, spec FROM shop.item')).toEqual([{ descr: 'two', spec: 'long text' }]);
      await write(
        bench,
        product({ specification: 'newer text' }, { at: 3 }),
        product({ description: 'four', specification: null }, { at: 4, absent: ['specification'] }),
      );
      expect(await rows('SELECT descr, spec FROM shop.item')).toEqual([{ descr: 'four', spec: 'newer text' }]);
      await write(bench, product({ productId: '2', specification: null }, { at: 5, absent: ['specification'] }));
      expect(await rows("SELECT descr, spec FROM shop.item WHERE prod_cd = '2'")).toEqual([
        { descr: 'Bread', spec: null },
      ]);
    });

    it('removes a row whose record this target no longer accepts, and none that it never wrote', async () => {
      await database.execute("INSERT INTO shop.item (prod_cd, actv) VALUES ('9', 1)");
      const bench = await startBench([item]);
      await write(bench, product({}, { at: 1 }), product({ productId: '9', brand: 'PRIVATE' }, { at: 1 }));
      await write(bench, product({ brand: 'PRIVATE' }, { at: 2 }));
      expect(await rows('SELECT prod_cd FROM shop.item')).toEqual([{ prod_cd: '9' }]);
      await write(bench, product({}, { at: 1 }));
      expect(await rows('SELECT prod_cd FROM shop.item')).toHaveLength(1);
    });

    it('sets columns instead of deleting where the declaration says so', async () => {
      const bench = await startBench([itemHidden]);
      await write(bench, product({}, { at: 1 }));
      await write(bench, product({}, { at: 2, gone: true }));
      expect(await rows('SELECT descr, actv FROM shop.item')).toEqual([{ descr: 'Bread', actv: 0 }]);
    });

    it('finds rows by the key that the database assigned', async () => {
      const bench = await startBench([invoice]);
      await write(bench, billed('IN-1', '10.00', { at: 1 }), billed('IN-2', '20.00', { at: 1 }));
      const ids = await rows('SELECT canonical_key, local_key FROM seam.identity ORDER BY 1');
      expect(ids.map(({ canonical_key }) => canonical_key)).toEqual(['IN-1', 'IN-2']);
      await write(bench, billed('IN-1', '11.00', { at: 2 }), billed('IN-2', '20.00', { at: 3, gone: true }));
      expect(await rows('SELECT ext, amt, stat, born FROM shop.inv ORDER BY 1')).toEqual([
        { ext: 'IN-1', amt: '11.00', stat: 'O', born: 'seam' },
        { ext: 'IN-2', amt: '20.00', stat: 'V', born: 'seam' },
      ]);
      for (const { canonical_key: key, local_key: id } of ids) {
        expect(await rows(`SELECT ext FROM shop.inv WHERE inv_id = ${id}`)).toEqual([{ ext: key }]);
      }
    });

    it('deletes what a truncation deletes, once, and lets nothing older back', async () => {
      const bench = await startBench([item, movement]);
      await write(
        bench,
        ...Array.from({ length: 30 }, (_, index) => product({ productId: String(index) }, { at: 10 + index })),
      );
      await write(bench, moved('m', '4.000', { at: 1 }));
      await write(bench, truncation('product', 100));
      expect(await rows('SELECT * FROM shop.item')).toEqual([]);
      await write(
        bench,
        product({ productId: '3' }, { at: 50 }),
        product({ productId: 'new' }, { at: 60 }),
        product({ productId: '5' }, { at: 101 }),
      );
      expect(await rows('SELECT prod_cd FROM shop.item')).toEqual([{ prod_cd: '5' }]);
      expect(await rows('SELECT qoh FROM shop.stk')).toEqual([{ qoh: '4.000' }]);
      bench.log.append(
        product({ productId: '8' }, { at: 105 }),
        truncation('product', 110),
        product({ productId: '8' }, { at: 104 }),
        product({ productId: '9' }, { at: 111 }),
      );
      await bench.settled();
      expect(await rows('SELECT prod_cd FROM shop.item')).toEqual([{ prod_cd: '9' }]);
    });
  });

  describe('effects', () => {
    it('keeps sums exact under correction, move, deletion and redelivery', async () => {
      await database.execute("INSERT INTO shop.stk (loc, prod, qoh) VALUES ('000330', '1', 100)");
      const bench = await startBench([movement]);
      await write(bench, moved('a', '-2.500', { at: 1 }), moved('b', '-1.000', { at: 2 }));
      expect(await rows('SELECT loc, qoh FROM shop.stk')).toEqual([{ loc: '000330', qoh: '96.500' }]);
      await write(bench, moved('a', '-3.000', { at: 3 }));
      await write(bench, moved('b', '-1.000', { at: 4, place: '331' }));
      await write(bench, moved('a', '-2.500', { at: 1 }), moved('b', '-1.000', { at: 4, place: '331' }));
      expect(await rows('SELECT loc, qoh FROM shop.stk ORDER BY loc')).toEqual([
        { loc: '000330', qoh: '97.000' },
        { loc: '000331', qoh: '-1.000' },
      ]);
      await write(bench, moved('a', '0', { at: 5, gone: true }), moved('b', '0', { at: 6, gone: true }));
      expect(await rows('SELECT qoh FROM shop.stk ORDER BY loc')).toEqual([{ qoh: '100.000' }, { qoh: '0.000' }]);
      expect(await rows('SELECT * FROM seam.effect')).toEqual([]);
    });

    it('lets an entry wait for the row of its total, and adds it once', async () => {
      const bench = await startBench([member, points]);
      await write(bench, earned('e1', '7', 5, { at: 1 }), earned('e2', '8', 6, { at: 1 }));
      expect(await rows('SELECT * FROM shop.led')).toEqual([]);
      expect(bench.sink.status()).toMatchObject({ waiting: 2, deadLetters: 0 });
      await write(bench, memberOf({}, { at: 2 }), earned('e3', '7', 10, { at: 3 }));
      await eventually(async () => (await rows('SELECT * FROM shop.led')).length === 2, 'the waiting entry is written');
      expect(await rows('SELECT pts FROM shop.cust')).toEqual([{ pts: name === 'postgres' ? '15' : 15n }]);
      expect(await rows('SELECT entity, reason_code FROM seam.parked')).toEqual([
        { entity: 'points-entry', reason_code: 'PARENT_MISSING' },
      ]);
    });

    it('counts an amount once when two workers meet at the same total', async () => {
      const bench = await startBench([movement]);
      const all = Array.from({ length: 200 }, (_, index) =>
        moved(`m${index}`, '1.000', { at: 1, place: String(1 + (index % 7)) }),
      );
      await write(bench, ...all, ...all);
      expect((await one('SELECT SUM(qoh) AS sum FROM shop.stk'))?.['sum']).toBe('200.000');
    });
  });

  describe('records that wait or are set aside', () => {
    it('lets an update wait for the row that another entity makes', async () => {
      const bench = await startBench([member, contact]);
      await write(bench, phone('7', '111', { at: 1 }));
      await write(bench, phone('7', '222', { at: 2 }));
      expect(await rows('SELECT COUNT(*) AS n FROM seam.parked')).toEqual([{ n: name === 'postgres' ? '1' : 1n }]);
      await write(bench, memberOf({}, { at: 3 }));
      await eventually(
        async () => (await one('SELECT tel FROM shop.cust'))?.['tel'] === '222',
        'the newest phone lands',
      );
      expect(await rows('SELECT * FROM seam.parked')).toEqual([]);
    });

    it('writes a row and what waits for it in one batch', async () => {
      const bench = await startBench([member, contact, points]);
      bench.log.append(phone('7', '111', { at: 1 }), earned('e', '7', 3, { at: 1 }), memberOf({}, { at: 1 }));
      await bench.settled();
      expect(await rows('SELECT tel FROM shop.cust')).toEqual([{ tel: '111' }]);
      expect(bench.counts.parked).toBe(0);
    });

    it('lets a child wait for its parent, and all others flow', async () => {
      const bench = await startBench([itemHidden, price]);
      const priced = (productId: string, at: number) =>
        record('price', { productId, zone: 'AA', amount: '1.00', currency: 'USD', validFrom: '2020-01-01' }, { at });
      await write(bench, product({ productId: '2' }, { at: 1 }));
      await write(bench, priced('1', 1), priced('2', 1));
      expect(await rows('SELECT prod_cd FROM shop.prc')).toEqual([{ prod_cd: '2' }]);
      await write(bench, product({}, { at: 2 }));
      await eventually(async () => (await rows('SELECT * FROM shop.prc')).length === 2, 'the child lands');
      expect(await rows('SELECT * FROM seam.parked')).toEqual([]);
    });

    it('sets one bad record aside and lands the rest of its batch', async () => {
      const bench = await startBench([order]);
      const good = Array.from({ length: 50 }, (_, index) => ordered(`o${index}`, '1.000', { at: 1 }));
      await write(bench, ...good.slice(0, 25), ordered('bad', '5000.000', { at: 1 }), ...good.slice(25));
      expect((await rows('SELECT ord_no FROM shop.ord')).length).toBe(50);
      expect(await rows('SELECT entity, reason_code FROM seam.parked')).toHaveLength(1);
      expect(bench.sink.status()).toMatchObject({ state: 'running', deadLetters: 1 });
      const lines = bench.lines.filter(({ level }) => level === 'warn');
      expect(lines).toHaveLength(1);
      expect(lines[0]?.fields).toMatchObject({
        entity: 'sales-order',
        key: 'bad',
        topic: 'canonical.sales-order',
        code: 'TARGET_REFUSED',
      });
      await write(bench, ordered('bad', '7.000', { at: 2 }));
      expect(await rows("SELECT qty FROM shop.ord WHERE ord_no = 'bad'")).toEqual([{ qty: '7.000' }]);
      expect(await rows('SELECT * FROM seam.parked')).toEqual([]);
    });

    it('shows the key as it was before a record that a converter refuses', async () => {
      const bench = await startBench([member]);
      const name81 = 'x'.repeat(81);
      await write(bench, memberOf({ fullName: 'good' }, { at: 1 }), memberOf({ fullName: name81 }, { at: 2 }));
      expect(await rows('SELECT nm FROM shop.cust')).toEqual([{ nm: 'good' }]);
      expect(await rows('SELECT reason_code, next_try_at FROM seam.parked')).toEqual([
        { reason_code: 'VALUE_TOO_LONG', next_try_at: null },
      ]);
      expect(JSON.stringify(bench.lines.map(({ fields }) => fields))).not.toContain(name81);
    });

    it('sets an unreadable record aside; a partial one behind it waits, a whole one does not', async () => {
      const bench = await startBench([item]);
      bench.log.appendUnreadable('product', '1');
      await bench.settled();
      await write(bench, product({ specification: null }, { at: 2, absent: ['specification'] }));
      expect(await rows('SELECT * FROM shop.item')).toEqual([]);
      await write(bench, product({ specification: 'whole' }, { at: 3 }));
      expect(await rows('SELECT spec FROM shop.item')).toEqual([{ spec: 'whole' }]);
      expect(await rows('SELECT reason_code FROM seam.parked')).toEqual([{ reason_code: 'AVRO_DECODE_FAILED' }]);
    });

    it('tries a dead letter again on request', async () => {
      const bench = await startBench([order]);
      await write(bench, ordered('bad', '5000.000', { at: 1 }));
      await database.execute(
        name === 'postgres'
          ? 'ALTER TABLE shop.ord DROP CONSTRAINT ord_qty_check; UPDATE seam.parked SET next_try_at = now()'
          : 'ALTER TABLE shop.ord MODIFY qty DECIMAL(12, 3) NOT NULL\n--;;\nUPDATE seam.parked SET next_try_at = UTC_TIMESTAMP(6)',
      );
      await eventually(async () => (await rows('SELECT * FROM shop.ord')).length === 1, 'the dead letter lands');
      await eventually(() => bench.sink.status().deadLetters === 0, 'it is counted out');
    });

    it('stops when too many records are set aside', async () => {
      const bench = await startBench([order], { settings: { parkedRecordsMax: 2 } });
      bench.log.append(...['a', 'b', 'c'].map((id) => ordered(id, '5000.000', { at: 1 })));
      await expect(bench.sink.done).rejects.toMatchObject({ code: 'PARKED_FULL' });
      expect(bench.sink.status().state).toBe('failed');
      expect(await rows('SELECT * FROM seam.parked')).toEqual([]);
    });
  });

  describe('leases', () => {
    it('lets a worker that lost its partitions write nothing, although it is in the middle of a batch', async () => {
      const steps: string[] = [];
      let release: () => void = () => undefined;
      const gate = new Promise<void>((resolve) => {
        release = resolve;
      });
      const zombieHooks = {
        at: async (point: string) => {
          if (point === 'before-lock' && steps.includes('arm')) {
            steps.push('zombie holds a batch');
            await gate;
          }
        },
      };
      const zombie = await startBench([item], { groupId: 'zombie', hooks: zombieHooks });
      await write(zombie, product({ description: 'first' }, { at: 1 }));
      steps.push('arm');
      zombie.log.append(product({ description: 'zombie' }, { at: 3 }));
      await eventually(() => steps.length === 2, 'the zombie has read the batch');

      zombie.log.favour('heir');
      const heir = await startBench([item], { groupId: 'heir' }, zombie.log);
      await heir.settled();
      expect(await rows('SELECT descr FROM shop.item')).toEqual([{ descr: 'zombie' }]);
      await database.execute("UPDATE shop.item SET descr = 'seen'");
      const ledger = await rows('SELECT * FROM seam.applied');
      release();
      await eventually(() => zombie.sink.status().partitions.length === 0, 'the zombie notices');
      expect(await rows('SELECT descr FROM shop.item')).toEqual([{ descr: 'seen' }]);
      expect(await rows('SELECT * FROM seam.applied')).toEqual(ledger);
      expect(zombie.counts.applied).toBe(1);
      await write(heir, product({ description: 'heir' }, { at: 4 }));
      expect(await rows('SELECT descr FROM shop.item')).toEqual([{ descr: 'heir' }]);
    });

    it('starts over where an operator moved the offsets, also while nothing comes', async () => {
      const bench = await startBench([item]);
      await write(bench, product({}, { at: 1 }));
      await database.execute('UPDATE seam.sink_offset SET next_offset = 0, epoch = epoch + 1');
      await eventually(() => bench.counts.unchanged === 1, 'the record is read again');
      await bench.settled();
      expect(bench.sink.status().state).toBe('running');
    });
  });
});

/** A trigger that counts what an UPDATE really touches. */
async function countWrites(): Promise<void> {
  const tables = ['item', 'cust'];
  if (database.dialect === 'postgres') {
    await database.execute(`CREATE TABLE shop.writes (t VARCHAR(10));
CREATE OR REPLACE FUNCTION shop.count_write() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN INSERT INTO shop.writes VALUES (TG_TABLE_NAME); RETURN NEW; END $$;
${tables.map((table) => `CREATE TRIGGER counts AFTER UPDATE ON shop.${table} FOR EACH ROW EXECUTE FUNCTION shop.count_write()`).join(';')}`);
    return;
  }
  const triggers = tables.map(
    (table) =>
      `CREATE TRIGGER shop.counts_${table} AFTER UPDATE ON shop.${table} FOR EACH ROW INSERT INTO shop.writes VALUES ('${table}')`,
  );
  await database.execute(['CREATE TABLE shop.writes (t VARCHAR(10))', ...triggers].join('\n--;;\n'));
}
