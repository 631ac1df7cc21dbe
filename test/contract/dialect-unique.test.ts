/**
 * Values that must be unique and move from row to row: however they move, and in whichever order their records come, the target
 * ends as the source is, without an operator. What can't land is a dead letter that names the index.
 */
import { describe, expect, it } from 'vitest';
import { ParkedRecords } from '../../adapters/parked-records.ts';
import { to, upsert } from '../../core/target.ts';
import { type DialectSuite, describeDialects, notSupported } from '../support/dialect-suite.ts';
import { ordered, product } from '../support/shop-records.ts';
import { item, price } from '../support/shop-tables.ts';
import { eventually, type SinkBench } from '../support/sink-bench.ts';
import { record, TestLog } from '../support/test-log.ts';

const all = { ...item, accepts: undefined };
const UNIQUE = 'CREATE UNIQUE INDEX descr_unique ON shop.item (descr)';

const named = (id: string, description: string, at: number, status = 'ACTIVE') =>
  product({ productId: id, description, status }, { at });
const gone = (id: string, at: number) => product({ productId: id }, { at, gone: true });

describeDialects((suite) => {
  describe('unique values that move', () => {
    movesWithinAColumn(suite);
    movesInEveryKindOfIndex(suite);
    movesInAnyOrder(suite);
  });
  describe('a unique value that does not come free', () => isADeadLetter(suite));
  describe('rows that refer to each other', () => landTogether(suite));
});

async function names(suite: DialectSuite): Promise<Record<string, unknown>> {
  const rows = await suite.rows('SELECT prod_cd, descr FROM shop.item');
  return Object.fromEntries(rows.map(({ prod_cd, descr }) => [String(prod_cd), descr]));
}

async function landed(suite: DialectSuite, bench: SinkBench, expected: Record<string, string>): Promise<void> {
  await eventually(async () => (await suite.count('seam.parked')) === 0, 'all to land');
  expect(await names(suite)).toEqual(expected);
  expect(bench.sink.status().state).not.toBe('failed');
}

function columnOf(suite: DialectSuite, type: string): string[] {
  if (suite.name === 'mariadb') return [`ALTER TABLE shop.item MODIFY descr ${type}`];
  const [name = '', ...rest] = type.split(' NOT NULL');
  const changed = [`ALTER TABLE shop.item ALTER COLUMN descr TYPE ${name}`];
  return rest.length === 0 ? changed : [...changed, 'ALTER TABLE shop.item ALTER COLUMN descr SET NOT NULL'];
}

function movesWithinAColumn(suite: DialectSuite): void {
  const digits = suite.name === 'postgres' ? "descr ~ '^[0-9]+$'" : "descr REGEXP '^[0-9]+$'";
  it.each([
    ['may be null', 'VARCHAR(20)', undefined, ['a', 'b', 'c']],
    ['may not be null', 'VARCHAR(20) NOT NULL', undefined, ['a', 'b', 'c']],
    ['is short', 'VARCHAR(3) NOT NULL', undefined, ['a', 'b', 'c']],
    ['is checked for null', 'VARCHAR(20)', 'descr IS NOT NULL', ['a', 'b', 'c']],
    ['has a form', 'VARCHAR(40) NOT NULL', "descr LIKE '%@%'", ['a@x', 'b@x', 'c@x']],
    ['has digits only', 'VARCHAR(20) NOT NULL', digits, ['1', '2', '3']],
  ])('rotate where the column %s', async (_, type, check, values) => {
    const checks = check === undefined ? [] : [`ALTER TABLE shop.item ADD CONSTRAINT form CHECK (${check})`];
    await suite.execute(...columnOf(suite, type), ...checks, UNIQUE);
    const bench = await suite.start([all]);
    const [a, b, c] = values as [string, string, string];
    await suite.write(bench, named('1', a, 1), named('2', b, 1), named('3', c, 1));
    await suite.write(bench, named('1', b, 2), named('2', c, 2), named('3', a, 2));
    await landed(suite, bench, { 1: b, 2: c, 3: a });
    await suite.write(bench, named('1', c, 3), named('2', b, 3));
    await landed(suite, bench, { 1: c, 2: b, 3: a });
    expect(bench.lines.filter(({ level }) => level === 'warn')).toEqual([]);
  });

  it('swap in columns of numbers and of dates', async () => {
    await suite.execute(
      'CREATE UNIQUE INDEX amt_unique ON shop.prc (amt)',
      'CREATE UNIQUE INDEX vld_unique ON shop.prc (vld)',
    );
    const bench = await suite.start([all, price]);
    const priced = (zone: string, amount: string, validFrom: string, at: number) =>
      record('price', { productId: '1', zone, amount, currency: 'USD', validFrom }, { at });
    await suite.write(bench, named('1', 'x', 1));
    await suite.write(bench, priced('A', '1.00', '2020-01-01', 1), priced('B', '2.00', '2020-01-02', 1));
    await suite.write(bench, priced('A', '2.00', '2020-01-02', 2), priced('B', '1.00', '2020-01-01', 2));
    await eventually(async () => (await suite.count('seam.parked')) === 0, 'both to land');
    const rows = await suite.rows('SELECT zn, amt FROM shop.prc ORDER BY zn');
    expect(rows.map(({ amt }) => amt)).toEqual(['2.00', '1.00']);
  });
}

function movesInEveryKindOfIndex(suite: DialectSuite): void {
  it('swap in an index of several columns', async () => {
    await suite.execute('CREATE UNIQUE INDEX descr_unique ON shop.item (actv, descr)');
    const bench = await suite.start([all]);
    await suite.write(bench, named('1', 'a', 1), named('2', 'b', 1), named('3', 'a', 1, 'DELISTED'));
    await suite.write(bench, named('1', 'b', 2), named('2', 'a', 2), named('3', 'b', 2, 'DELISTED'));
    await landed(suite, bench, { 1: 'b', 2: 'a', 3: 'b' });
  });

  it('swap where upper and lower case are the same', async () => {
    await suite.execute(
      ...(suite.name === 'mariadb'
        ? ['ALTER TABLE shop.item MODIFY descr VARCHAR(20) COLLATE utf8mb4_general_ci']
        : []),
      suite.name === 'mariadb' ? UNIQUE : 'CREATE UNIQUE INDEX descr_unique ON shop.item (lower(descr))',
    );
    const bench = await suite.start([all]);
    await suite.write(bench, named('1', 'ann', 1), named('2', 'BOB', 1), named('3', 'eve', 1));
    await suite.write(bench, named('1', 'Bob', 2), named('2', 'ANN', 2), named('3', 'Eve', 2));
    await landed(suite, bench, { 1: 'Bob', 2: 'ANN', 3: 'Eve' });
  });

  it('swap in an index with a condition', async (context) => {
    if (suite.name === 'mariadb') return notSupported(context, 'MariaDB has no partial indexes');
    await suite.execute('CREATE UNIQUE INDEX descr_unique ON shop.item (descr) WHERE actv = 1');
    const bench = await suite.start([all]);
    await suite.write(bench, named('1', 'a', 1), named('2', 'b', 1), named('3', 'a', 1, 'DELISTED'));
    await suite.write(bench, named('1', 'b', 2), named('2', 'a', 2));
    await landed(suite, bench, { 1: 'b', 2: 'a', 3: 'a' });
    await suite.write(bench, named('1', 'b', 3, 'DELISTED'), named('3', 'a', 3), named('2', 'b', 3));
    await landed(suite, bench, { 1: 'b', 2: 'b', 3: 'a' });
  });
}

function movesInAnyOrder(suite: DialectSuite): void {
  it('wait for the record that gives the value up, in a later batch', async () => {
    await suite.execute(UNIQUE);
    const bench = await suite.start([all]);
    await suite.write(bench, named('1', 'a', 1), named('2', 'b', 1), named('3', 'c', 1));
    await suite.write(bench, named('1', 'b', 2));
    await suite.write(bench, named('2', 'c', 3));
    expect(await names(suite)).toEqual({ 1: 'a', 2: 'b', 3: 'c' });
    expect(bench.sink.status()).toMatchObject({ waiting: 2, deadLetters: 0 });
    await suite.write(bench, named('3', 'd', 4));
    await landed(suite, bench, { 1: 'b', 2: 'c', 3: 'd' });
  });

  it('swap in two batches, and in partitions of two workers', async () => {
    await suite.execute(UNIQUE);
    const log = new TestLog();
    for (const [partition, id] of ['1', '2'].entries()) log.appendTo(partition, named(id, id === '1' ? 'a' : 'b', 1));
    const left = await suite.start([all], { owner: 'left' }, log);
    await eventually(async () => Object.keys(await names(suite)).length === 2, 'both rows');
    const right = await suite.start([all], { owner: 'right' }, log);
    log.appendTo(0, named('1', 'b', 2));
    await eventually(async () => (await suite.count('seam.parked')) === 1, 'the first to wait');
    log.appendTo(1, named('2', 'a', 3));
    await eventually(async () => (await names(suite))['1'] === 'b', 'the swap');
    await landed(suite, left, { 1: 'b', 2: 'a' });
    expect(right.sink.status().deadLetters).toBe(0);
  });

  it('land where rows go and others come with their values, whichever comes first', async () => {
    await suite.execute(UNIQUE);
    const bench = await suite.start([all]);
    const ids = Array.from({ length: 60 }, (_, index) => index + 1);
    await suite.write(bench, ...ids.map((id) => named(String(id), `v${id}`, 1)));
    const come = ids.map((id) => named(String(1_000 + id), `v${id}`, 3));
    await suite.write(bench, ...come.slice(0, 30));
    await suite.write(bench, ...come.slice(30), ...ids.map((id) => gone(String(id), 2)));
    await landed(suite, bench, Object.fromEntries(ids.map((id) => [String(1_000 + id), `v${id}`])));
  });

  it('are left to the newest record of a key that waits for one', async () => {
    await suite.execute(UNIQUE);
    const bench = await suite.start([all]);
    await suite.write(bench, named('1', 'a', 1), named('2', 'b', 1));
    await suite.write(bench, named('2', 'a', 2));
    await suite.write(bench, gone('2', 3));
    await landed(suite, bench, { 1: 'a' });
  });
}

function isADeadLetter(suite: DialectSuite): void {
  it('names the index and its columns and no value, and lands by itself when the value is free', async () => {
    await suite.execute(UNIQUE);
    const secret = 'ann@home.example';
    await suite.execute(`INSERT INTO shop.item (prod_cd, descr, actv) VALUES ('clerk', '${secret}', 1)`);
    const bench = await suite.start([all], { settings: { parkedRetryMs: 10 } });
    await suite.write(bench, named('1', secret, 1), named('2', 'other', 1));
    await eventually(() => bench.sink.status().deadLetters === 1, 'a dead letter');
    expect(bench.sink.status()).toMatchObject({ state: 'running', waiting: 0 });
    const store = await ParkedRecords.open('shop', { ...suite.database.sink, dialect: suite.name });
    const [letter] = await store.list();
    await store.close();
    expect(letter).toMatchObject({ state: 'refused', code: 'VALUE_HELD', key: '1' });
    expect(letter?.reason).toBe(
      'another row has a value that must be unique (shop.item, unique index descr_unique (descr))',
    );
    const lines = bench.lines.filter(({ level }) => level === 'warn');
    expect(lines).toHaveLength(1);
    expect(JSON.stringify(bench.lines)).not.toContain(secret);
    await suite.execute("DELETE FROM shop.item WHERE prod_cd = 'clerk'");
    await landed(suite, bench, { 1: secret, 2: 'other' });
  });

  it('leaves a swap set aside where the column takes no other value, and deletes nothing', async () => {
    const check = "ALTER TABLE shop.item ADD CONSTRAINT a_or_b CHECK (descr IN ('a', 'b'))";
    await suite.execute(...columnOf(suite, 'VARCHAR(20) NOT NULL'), check, UNIQUE);
    const bench = await suite.start([all], { settings: { parkedRetryMs: 10 } });
    await suite.write(bench, named('1', 'a', 1), named('2', 'b', 1));
    await suite.write(bench, named('1', 'b', 2), named('2', 'a', 2));
    await eventually(() => bench.sink.status().deadLetters === 2, 'both to be dead letters');
    expect(await names(suite)).toEqual({ 1: 'a', 2: 'b' });
    await suite.write(bench, named('2', 'a', 3), gone('1', 3));
    await landed(suite, bench, { 2: 'a' });
  });

  it('names the column or the constraint of every other refusal', async () => {
    const bench = await suite.start([all]);
    await suite.execute(
      ...(suite.name === 'postgres'
        ? ["ALTER TABLE shop.item ADD CONSTRAINT no_x CHECK (descr <> 'xx')"]
        : ["ALTER TABLE shop.item ADD CONSTRAINT no_x CHECK (descr <> 'xx')"]),
      ...(suite.name === 'postgres'
        ? ['ALTER TABLE shop.item ALTER COLUMN spec SET NOT NULL']
        : ['ALTER TABLE shop.item MODIFY spec LONGTEXT NOT NULL']),
    );
    const whole = { specification: 's' };
    await suite.write(
      bench,
      product({ productId: '1', description: 'xx', ...whole }, { at: 1 }),
      product({ productId: '2', specification: null }, { at: 1 }),
    );
    const rows = await suite.rows('SELECT reason FROM seam.parked ORDER BY id');
    expect(rows.map(({ reason }) => String(reason)).sort()).toEqual(
      [
        expect.stringMatching(/\(shop\.item, column spec\)$/),
        expect.stringMatching(/\(shop\.item, constraint no_x\)$/),
      ].sort(),
    );
  });
}

function landTogether(suite: DialectSuite): void {
  const drop =
    suite.name === 'postgres'
      ? ['DROP TABLE IF EXISTS shop.left_t, shop.right_t CASCADE']
      : ['SET FOREIGN_KEY_CHECKS = 0', 'DROP TABLE IF EXISTS shop.left_t, shop.right_t', 'SET FOREIGN_KEY_CHECKS = 1'];
  const left = upsert('shop.left_t', 'product', {
    key: { id: to('productId') },
    columns: { other: to('description') },
    onDelete: 'delete',
  });
  const right = upsert('shop.right_t', 'sales-order', {
    key: { id: to('orderId') },
    columns: { other: to('productId') },
    onDelete: 'delete',
  });
  const refer = (id: string, other: string | null, at: number) =>
    product({ productId: id, description: other }, { at });

  it('in two tables, in a circle, and a child before its parent', async () => {
    await suite.execute(
      ...drop,
      'CREATE TABLE shop.left_t (id VARCHAR(20) PRIMARY KEY, other VARCHAR(20))',
      'CREATE TABLE shop.right_t (id VARCHAR(20) PRIMARY KEY, other VARCHAR(20) NOT NULL, CONSTRAINT to_left FOREIGN KEY (other) REFERENCES shop.left_t (id))',
      'ALTER TABLE shop.left_t ADD CONSTRAINT to_right FOREIGN KEY (other) REFERENCES shop.right_t (id)',
    );
    const bench = await suite.start([left, right], { settings: { parkedRetryMs: 20 } });
    await suite.write(bench, ordered('b', '1.000', { at: 1 }));
    const [waiting] = await suite.rows('SELECT reason FROM seam.parked');
    expect(String(waiting?.reason)).toContain('foreign key to_left (other) to shop.left_t');
    await suite.write(bench, refer('1', 'b', 1));
    await eventually(async () => (await suite.count('seam.parked')) === 0, 'both to land');
    expect(await suite.rows('SELECT id, other FROM shop.left_t')).toEqual([{ id: '1', other: 'b' }]);
    expect(await suite.rows('SELECT id, other FROM shop.right_t')).toEqual([{ id: 'b', other: '1' }]);
    await bench.stop();
    await suite.execute(...drop);
  });

  it('in one table, in a circle', async () => {
    await suite.execute(
      ...drop,
      'CREATE TABLE shop.left_t (id VARCHAR(20) PRIMARY KEY, other VARCHAR(20), CONSTRAINT to_self FOREIGN KEY (other) REFERENCES shop.left_t (id))',
    );
    const bench = await suite.start([left], { settings: { parkedRetryMs: 20 } });
    await suite.write(bench, refer('3', '2', 1), refer('1', '2', 1), refer('2', '1', 1));
    await eventually(async () => (await suite.count('seam.parked')) === 0, 'all to land');
    const rows = await suite.rows('SELECT id, other FROM shop.left_t ORDER BY id');
    expect(rows.map(({ id, other }) => `${id}${other}`)).toEqual(['12', '21', '32']);
    await bench.stop();
    await suite.execute(...drop);
  });
}
