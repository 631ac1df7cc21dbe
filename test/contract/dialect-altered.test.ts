/**
 * A target's table that is altered while the sink runs: it stands still alone, the error names table and column, and when it is as it
 * was, it goes on by itself. No record is lost, and none is set aside.
 */
import { describe, expect, it } from 'vitest';
import { to, upsert } from '../../core/target.ts';
import { type DialectSuite, describeDialects } from '../support/dialect-suite.ts';
import { earned, memberOf, ordered, phone, product } from '../support/shop-records.ts';
import { contact, item, member, order, points } from '../support/shop-tables.ts';
import { eventually, type SinkBench } from '../support/sink-bench.ts';

const all = { ...item, accepts: undefined };
const SINK = { postgres: 'seam_sink', mariadb: "seam_sink@'%'" } as const;

type Damage = { readonly name: string; readonly sql: readonly string[]; readonly undo: string; readonly names: RegExp };

function damagesOf(suite: DialectSuite): Damage[] {
  const isPostgres = suite.name === 'postgres';
  return [
    {
      name: 'without a column',
      sql: ['ALTER TABLE shop.item DROP COLUMN spec'],
      undo: `ALTER TABLE shop.item ADD COLUMN spec ${isPostgres ? 'text' : 'LONGTEXT'}`,
      names: /shop\.item has no column "spec"/,
    },
    {
      name: 'with a renamed column',
      sql: ['ALTER TABLE shop.item RENAME COLUMN descr TO title'],
      undo: 'ALTER TABLE shop.item RENAME COLUMN title TO descr',
      names: /shop\.item has no column "descr"/,
    },
    {
      name: 'under another name',
      sql: [isPostgres ? 'ALTER TABLE shop.item RENAME TO goods' : 'RENAME TABLE shop.item TO shop.goods'],
      undo: isPostgres ? 'ALTER TABLE shop.goods RENAME TO item' : 'RENAME TABLE shop.goods TO shop.item',
      names: /table shop\.item is missing or hidden/,
    },
    {
      name: 'without its key',
      sql: ['DROP TABLE shop.prc', `ALTER TABLE shop.item DROP ${isPostgres ? 'CONSTRAINT item_pkey' : 'PRIMARY KEY'}`],
      undo: 'ALTER TABLE shop.item ADD PRIMARY KEY (prod_cd)',
      names: /shop\.item: \(prod_cd\) is no primary key or unique index/,
    },
  ];
}

describeDialects((suite) => {
  describe('a table that was altered while the sink ran', () => {
    isRepaired(suite);
    losesItsRight(suite);
    takesOthersWithIt(suite);
  });
});

function halted(bench: SinkBench) {
  return bench.sink.status().halted;
}

async function standsStill(bench: SinkBench, names: RegExp): Promise<void> {
  await eventually(() => halted(bench).length === 1, 'the table to stand still');
  expect(halted(bench)[0]).toMatchObject({ table: 'shop.item', topics: ['canonical.product'], code: 'TARGET_ALTERED' });
  expect(halted(bench)[0]?.text).toMatch(names);
  await eventually(() => bench.sink.status().state === 'degraded', 'the sink to say so');
  expect(bench.sink.status().reason).toBe(halted(bench)[0]?.text);
}

function isRepaired(suite: DialectSuite): void {
  const items = async () => {
    const rows = await suite.rows('SELECT prod_cd, descr FROM shop.item');
    return Object.fromEntries(rows.map(({ prod_cd: id, descr }) => [String(id), descr]));
  };
  it.each(damagesOf(suite))('stands still alone $name, and goes on by itself', async ({ name, sql, undo, names }) => {
    const bench = await suite.start([all, order, member], { settings: { tableLookMs: 500 } });
    await suite.write(
      bench,
      product({ productId: '1', description: 'a' }, { at: 1 }),
      ordered('o1', '1.000', { at: 1 }),
    );
    await suite.execute(...sql);
    // written there meanwhile, a row would come twice, which nothing refuses
    if (name === 'without its key') await standsStill(bench, names);
    bench.log.append(
      product({ productId: '1', description: 'b' }, { at: 2 }),
      product({ productId: '2', description: 'c' }, { at: 2 }),
      ordered('o2', '2.000', { at: 2 }),
      memberOf({}, { at: 2 }),
    );
    await standsStill(bench, names);
    bench.log.append(product({ productId: '3', description: 'd' }, { at: 3 }), ordered('o3', '3.000', { at: 3 }));
    await eventually(async () => (await suite.count('shop.ord')) === 3, 'the other tables to flow');
    expect(await suite.count('shop.cust')).toBe(1);
    expect(await suite.count('seam.parked')).toBe(0);
    await suite.execute(undo);
    await eventually(() => halted(bench).length === 0, 'it to go on');
    await bench.settled();
    expect(await items()).toEqual({ 1: 'b', 2: 'c', 3: 'd' });
    await eventually(() => bench.sink.status().state === 'running', 'the sink to be whole');
    expect(JSON.stringify(bench.lines.filter(({ level }) => level === 'error'))).toMatch(/shop\.item/);
  });
}

function losesItsRight(suite: DialectSuite): void {
  it.runIf(suite.name === 'postgres')('stands still where a policy hides rows, and its hint ends that', async () => {
    const bench = await suite.start([all], { settings: { tableLookMs: 500 } });
    await suite.write(bench, product({ productId: '1', description: 'a' }, { at: 1 }));
    await suite.execute(
      'ALTER TABLE shop.item ENABLE ROW LEVEL SECURITY',
      'CREATE POLICY only_new ON shop.item USING (actv IS NULL)',
    );
    bench.log.append(product({ productId: '1', description: 'b' }, { at: 2 }));
    await eventually(() => halted(bench).length === 1, 'the table to stand still');
    const [remedy] = /ALTER ROLE [^;]+/.exec(halted(bench)[0]?.next ?? '') ?? [];
    await suite.execute(remedy as string);
    await bench.settled();
    await eventually(() => halted(bench).length === 0, 'the table to go on');
    expect(await suite.rows('SELECT descr FROM shop.item')).toEqual([{ descr: 'b' }]);
    await suite.execute('ALTER ROLE seam_sink NOBYPASSRLS');
  });

  it('stands still without a right, through a restart, and goes on when it is given back', async () => {
    const user = SINK[suite.name];
    const tables = ['item', 'ord', 'cust'].map(
      (table) => `GRANT SELECT, INSERT, UPDATE, DELETE ON shop.${table} TO ${user}`,
    );
    const revoke =
      suite.name === 'postgres'
        ? [`REVOKE INSERT ON shop.item FROM ${user}`]
        : [
            ...tables.slice(1),
            `GRANT SELECT, UPDATE, DELETE ON shop.item TO ${user}`,
            `REVOKE SELECT, INSERT, UPDATE, DELETE ON shop.* FROM ${user}`,
          ];
    const give =
      suite.name === 'postgres'
        ? [`GRANT INSERT ON shop.item TO ${user}`]
        : [`GRANT SELECT, INSERT, UPDATE, DELETE ON shop.* TO ${user}`];
    const bench = await suite.start([all, order]);
    await suite.write(
      bench,
      product({ productId: '1', description: 'a' }, { at: 1 }),
      ordered('o1', '1.000', { at: 1 }),
    );
    await suite.execute(...revoke);
    try {
      bench.log.append(product({ productId: '2', description: 'b' }, { at: 2 }), ordered('o2', '2.000', { at: 2 }));
      await standsStill(bench, /shop\.item: the sink's user lacks INSERT/);
      await eventually(async () => (await suite.count('shop.ord')) === 2, 'the other table');
      await bench.stop();
      const next = await suite.start([all, order], { owner: 'next' }, bench.log);
      expect(next.sink.status().halted).toMatchObject([{ table: 'shop.item' }]);
      next.log.append(ordered('o3', '3.000', { at: 3 }));
      await eventually(async () => (await suite.count('shop.ord')) === 3, 'the other table after a restart');
      await suite.execute(...give);
      await eventually(async () => (await suite.count('shop.item')) === 2, 'the row that waited');
    } finally {
      await suite.execute(...give);
    }
  });
}

function takesOthersWithIt(suite: DialectSuite): void {
  it('takes all entities with it that are written there, also into its totals', async () => {
    const bench = await suite.start([member, contact, points, order]);
    await suite.write(bench, memberOf({}, { at: 1 }), earned('e1', '7', 1, { at: 1 }));
    await suite.execute('ALTER TABLE shop.cust DROP COLUMN pts');
    bench.log.append(earned('e2', '7', 2, { at: 2 }), ordered('o1', '1.000', { at: 2 }));
    await eventually(() => halted(bench).length === 1, 'the table to stand still');
    expect(halted(bench)[0]?.topics).toEqual(
      expect.arrayContaining(['canonical.member', 'canonical.member-contact', 'canonical.points-entry']),
    );
    expect(halted(bench)[0]?.text).toMatch(/shop\.cust has no column "pts"/);
    bench.log.append(phone('7', '111', { at: 3 }), ordered('o2', '1.000', { at: 3 }));
    await eventually(async () => (await suite.count('shop.ord')) === 2, 'the other table');
    await suite.execute('ALTER TABLE shop.cust ADD COLUMN pts BIGINT', 'UPDATE shop.cust SET pts = 1');
    await eventually(async () => (await suite.rows('SELECT tel FROM shop.cust'))[0]?.tel === '111', 'the phone');
    await bench.settled();
    expect((await suite.rows('SELECT pts FROM shop.cust')).map(({ pts }) => String(pts))).toEqual(['3']);
  });

  it('goes on with a column of another type', async () => {
    const plain = upsert('shop.ord', 'sales-order', {
      key: { ord_no: to('orderId') },
      columns: {
        qty: to('quantity'),
        stat: to('status', (value) => (value === null ? null : 'N')),
        msg: to('message'),
      },
      onDelete: 'delete',
    });
    const bench = await suite.start([plain]);
    await suite.write(bench, ordered('o1', '1.000', { at: 1 }));
    await suite.execute(
      ...(suite.name === 'postgres'
        ? [
            'ALTER TABLE shop.ord DROP CONSTRAINT ord_qty_check',
            'ALTER TABLE shop.ord ALTER COLUMN qty TYPE text USING qty::text',
          ]
        : ['ALTER TABLE shop.ord MODIFY qty VARCHAR(40) NOT NULL']),
    );
    bench.log.append(ordered('o2', '2.000', { at: 2 }));
    await eventually(async () => (await suite.count('shop.ord')) === 2, 'the row in the altered column');
  });

  it('is no error of one record: without the side schema the sink stops', async () => {
    const bench = await suite.start([order]);
    await suite.write(bench, ordered('o1', '1.000', { at: 1 }));
    await suite.execute('ALTER TABLE seam.applied RENAME COLUMN hops TO jumps');
    try {
      bench.log.append(ordered('o2', '2.000', { at: 2 }));
      await expect(bench.sink.done).rejects.toMatchObject({ code: 'TARGET_ERROR', where: 'seam.applied' });
    } finally {
      await suite.execute('ALTER TABLE seam.applied RENAME COLUMN jumps TO hops');
    }
  });
}
