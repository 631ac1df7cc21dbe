/**
 * Invariant 6 in a target, on both real databases: a refused record stops its key, what is newer waits behind it in order,
 * through restarts and a change of worker, until an operator retries or discards it.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { ParkedRecords, type ParkedRow } from '../../adapters/parked-records.ts';
import type { CanonicalRecord } from '../../core/canonical-record.ts';
import { type DialectSuite, describeDialects } from '../support/dialect-suite.ts';
import { moved, ordered, product } from '../support/shop-records.ts';
import { item, movement, order } from '../support/shop-tables.ts';
import { eventually } from '../support/sink-bench.ts';

const KEY = [{ entity: 'sales-order', key: 'o1' }];
const bad = (at: number) => ordered('o1', '5000.000', { at });
const good = (at: number, quantity = `${at}.000`): CanonicalRecord => ordered('o1', quantity, { at });

/** Nothing heals by itself. */
const WAIT = { settings: { laterRecords: 'wait' } } as const;

class Shop {
  readonly suite: DialectSuite;
  #store: ParkedRecords | undefined;

  constructor(suite: DialectSuite) {
    this.suite = suite;
  }

  /** As a command reaches it. */
  async parked(): Promise<ParkedRecords> {
    const { database, name } = this.suite;
    this.#store ??= await ParkedRecords.open('shop', { ...database.sink, dialect: name });
    return this.#store;
  }

  async close(): Promise<void> {
    await this.#store?.close();
    this.#store = undefined;
  }

  async states(): Promise<string[]> {
    const rows = await (await this.parked()).list();
    return rows.map(({ state, code, attempts }) => `${state} ${code} ${attempts}`);
  }

  async quantities(): Promise<unknown[]> {
    return (await this.suite.rows('SELECT qty FROM shop.ord')).map(({ qty }) => qty);
  }
}

describeDialects((suite) => {
  const shop = new Shop(suite);
  afterEach(() => shop.close());
  describe('a refused record', () => {
    stopsItsKey(shop);
    isTriedWithItsOthers(shop);
    isGivenUpOrReplaced(shop);
    healsByItself(shop);
  });
  hasALimit(shop);
});

function stopsItsKey(shop: Shop): void {
  const { suite } = shop;
  const parked = () => shop.parked();
  const states = () => shop.states();
  const quantities = () => shop.quantities();
  it('stops its key and no other, through a restart and a change of worker', async () => {
    const bench = await suite.start([order], WAIT);
    await suite.write(bench, good(1), bad(2), ordered('o2', '1.000', { at: 2 }));
    await suite.write(bench, good(3));
    expect(await states()).toEqual(['refused TARGET_REFUSED 0', 'behind KEY_PARKED 0']);
    expect(bench.sink.status()).toMatchObject({ state: 'running', deadLetters: 1, behind: 1, waiting: 0 });
    await bench.stop();
    const next = await suite.start([order], { owner: 'another', ...WAIT }, bench.log);
    await suite.write(next, good(4), ordered('o2', '2.000', { at: 4 }));
    expect(await states()).toEqual(['refused TARGET_REFUSED 0', 'behind KEY_PARKED 0', 'behind KEY_PARKED 0']);
    expect((await quantities()).sort()).toEqual(['1.000', '2.000']);
    expect(next.lines.filter(({ level }) => level === 'warn')).toEqual([]);
    await (await parked()).ask(KEY, 'ann');
    await eventually(async () => (await states()).length === 0, 'the newest to decide');
    expect((await quantities()).sort()).toEqual(['2.000', '4.000']);
    await suite.write(next, good(5));
    expect((await quantities()).sort()).toEqual(['2.000', '5.000']);
  });

  it('that is refused again is counted, is not tried by itself, and says who asked', async () => {
    const bench = await suite.start([order], WAIT);
    await suite.write(bench, good(1));
    await suite.write(bench, bad(2));
    await suite.write(bench, ordered('o1', '6000.000', { at: 3 }));
    await (await parked()).ask(KEY, 'ann');
    const tried = async () => (await (await parked()).list()).filter(({ state }) => state !== 'asked');
    await eventually(async () => (await tried()).some(({ attempts }) => attempts > 0), 'the attempt');
    await eventually(async () => (await tried()).length === 2, 'all to rest');
    const rows = (await (await parked()).list()) as [ParkedRow, ParkedRow];
    expect(rows.every(({ state }) => state === 'refused')).toBe(true);
    expect(rows.map(({ askedBy }) => askedBy)).toEqual(['ann', 'ann']);
    expect(await quantities()).toEqual(['1.000']);
    await eventually(() => bench.sink.status().deadLetters === 2, 'the status to say so');
    expect(bench.sink.status().state).toBe('running');
    await suite.execute(
      suite.name === 'postgres'
        ? 'ALTER TABLE shop.ord DROP CONSTRAINT ord_qty_check'
        : 'ALTER TABLE shop.ord MODIFY qty DECIMAL(12, 3) NOT NULL',
    );
    await suite.write(bench, good(4));
    expect((await states()).at(-1)).toBe('behind KEY_PARKED 0');
    await (await parked()).ask(KEY, 'ann');
    await eventually(async () => (await states()).length === 0, 'them to land');
    expect(await quantities()).toEqual(['4.000']);
  });
}

function isTriedWithItsOthers(shop: Shop): void {
  const { suite } = shop;
  it('lands together with what waits for it in another partition', async () => {
    const bench = await suite.start([order], WAIT);
    await suite.write(bench, bad(1));
    for (const partition of [0, 1]) bench.log.appendTo(partition, good(2 + partition));
    await bench.settled();
    expect(await shop.states()).toEqual(['refused TARGET_REFUSED 0', 'behind KEY_PARKED 0', 'behind KEY_PARKED 0']);
    await (await shop.parked()).ask(KEY, 'ann');
    await eventually(async () => (await shop.states()).length === 0, 'all to land');
    expect(await shop.quantities()).toEqual(['3.000']);
  });

  it('takes no blame for a bad one that had come behind it', async () => {
    const bench = await suite.start([order], WAIT);
    for (const one of [bad(1), good(2), bad(3)]) await suite.write(bench, one);
    // asked before the last one came
    await suite.execute("UPDATE seam.parked SET next_try_at = parked_at WHERE reason_code = 'TARGET_REFUSED'");
    await eventually(async () => (await shop.states()).length === 1, 'the good one to land');
    expect(await shop.states()).toEqual(['refused TARGET_REFUSED 0']);
    expect(await shop.quantities()).toEqual(['2.000']);
  });
}

function isGivenUpOrReplaced(shop: Shop): void {
  const { suite } = shop;
  const parked = () => shop.parked();
  const states = () => shop.states();
  const quantities = () => shop.quantities();
  it('is discarded on record, and what waited goes on', async () => {
    const bench = await suite.start([order], WAIT);
    await suite.write(bench, bad(1));
    await suite.write(bench, good(2));
    await suite.write(bench, good(3));
    const [refused] = (await (await parked()).list()) as [ParkedRow];
    expect(await (await parked()).discard([refused.id, refused.id], 'ann', 'a test order')).toEqual([refused.id]);
    await eventually(async () => (await states()).length === 0, 'the rest to land');
    expect(await quantities()).toEqual(['3.000']);
    const [kept, ...others] = await (await parked()).discarded();
    expect(others).toEqual([]);
    expect(kept).toMatchObject({
      ...{ id: refused.id, entity: 'sales-order', key: 'o1', topic: refused.topic, offset: refused.offset },
      ...{
        code: 'TARGET_REFUSED',
        by: 'ann',
        why: 'a test order',
        contentsHash: expect.stringMatching(/^[0-9a-f]{64}$/),
      },
    });
    expect(Math.abs((kept?.atMs ?? 0) - Date.now())).toBeLessThan(600_000);
  });

  it('translated again at its own position takes its place', async () => {
    const bench = await suite.start([order], WAIT);
    await suite.write(bench, bad(2));
    await suite.write(bench, good(2, '7.000'));
    expect(await states()).toEqual([]);
    expect(await quantities()).toEqual(['7.000']);
  });

  it('lets an older record pass that comes late', async () => {
    const bench = await suite.start([order], WAIT);
    await suite.write(bench, bad(5));
    await suite.write(bench, good(3));
    expect(await quantities()).toEqual(['3.000']);
    expect(await states()).toEqual(['refused TARGET_REFUSED 0']);
  });

  it('that can’t be read holds back what comes after it in the log, until it is discarded', async () => {
    const bench = await suite.start([item], WAIT);
    await suite.write(bench, product({ description: 'before' }, { at: 1 }));
    bench.log.appendUnreadable('product', '1');
    bench.log.append(product({ description: 'after' }, { at: 3 }));
    await bench.settled();
    expect(await states()).toEqual(['refused AVRO_DECODE_FAILED 0', 'behind KEY_PARKED 0']);
    await (await parked()).ask([{ entity: 'product', key: '1' }], 'ann');
    await eventually(async () => (await states())[0] === 'refused AVRO_DECODE_FAILED 1', 'the attempt');
    expect(await suite.rows('SELECT descr FROM shop.item')).toEqual([{ descr: 'before' }]);
    const [unreadable] = (await (await parked()).list()) as [ParkedRow];
    await (await parked()).discard([unreadable.id], 'ann', 'cut by the network');
    await eventually(async () => (await states()).length === 0, 'the rest to land');
    expect(await suite.rows('SELECT descr FROM shop.item')).toEqual([{ descr: 'after' }]);
  });
}

function healsByItself(shop: Shop): void {
  const { suite } = shop;
  it('heals by the corrected one, in its own batch or a later one, and its total stays right', async () => {
    const bench = await suite.start([order, movement]);
    const moves = (quantity: string, at: number) => moved('m1', quantity, { at });
    await suite.write(bench, good(1), moves('1.000', 1));
    await suite.write(bench, bad(2), moves('12345678901.000', 2));
    expect((await shop.states()).sort()).toEqual(['refused DECIMAL_PRECISION 0', 'refused TARGET_REFUSED 0']);
    await suite.write(bench, good(3), moves('4.000', 3));
    expect(await shop.states()).toEqual([]);
    expect(await shop.quantities()).toEqual(['3.000']);
    expect(await suite.rows('SELECT qoh FROM shop.stk')).toEqual([{ qoh: '4.000' }]);
    await eventually(() => bench.sink.status().deadLetters === 0, 'the status to say so');
    await suite.write(bench, bad(4), good(5));
    expect(await shop.quantities()).toEqual(['5.000']);
    expect(await shop.states()).toEqual([]);
  });

  it('heals by its deletion, and where what can’t be read was followed by a whole one', async () => {
    const bench = await suite.start([order, item]);
    await suite.write(bench, good(1), product({ description: 'before' }, { at: 1 }));
    bench.log.appendUnreadable('product', '1');
    await suite.write(bench, bad(2));
    expect(await shop.states()).toHaveLength(2);
    await suite.write(
      bench,
      ordered('o1', '1.000', { at: 3, gone: true }),
      product({ description: 'after' }, { at: 3 }),
    );
    expect(await shop.states()).toEqual([]);
    expect(await suite.count('shop.ord')).toBe(0);
    expect(await suite.rows('SELECT descr FROM shop.item')).toEqual([{ descr: 'after' }]);
  });

  it('is left alone by the record of another table, which may come late: where it can’t be read its own position is unknown', async () => {
    const bench = await suite.start([item]);
    const of = (table: string, description: string, at: number) => product({ description }, { at, table });
    await suite.write(bench, of('new', 'before', 1));
    bench.log.appendUnreadable('product', '1');
    await suite.write(bench, of('old', 'late', 2));
    expect((await shop.states()).map((state) => state.split(' ')[0])).toEqual(['refused', 'behind']);
    expect(await suite.rows('SELECT descr FROM shop.item')).toEqual([{ descr: 'before' }]);
  });

  it('is left alone by a newer one that lacks fields', async () => {
    const bench = await suite.start([item]);
    await suite.write(bench, product({ description: 'good', specification: 's1' }, { at: 1 }));
    await suite.write(bench, product({ description: 'x'.repeat(21), specification: 's2' }, { at: 2 }));
    await suite.write(
      bench,
      product({ description: 'part', specification: null }, { at: 3, absent: ['specification'] }),
    );
    expect((await shop.states()).map((state) => state.split(' ')[0])).toEqual(['refused', 'behind']);
    expect(await suite.rows('SELECT descr, spec FROM shop.item')).toEqual([{ descr: 'good', spec: 's1' }]);
    await suite.write(bench, product({ description: 'whole', specification: 's4' }, { at: 4 }));
    expect(await shop.states()).toEqual([]);
    expect(await suite.rows('SELECT descr, spec FROM shop.item')).toEqual([{ descr: 'whole', spec: 's4' }]);
  });
}

function hasALimit(shop: Shop): void {
  const { suite } = shop;
  const parked = () => shop.parked();
  const quantities = () => shop.quantities();
  it('a sink stops loudly where no more may wait, and nothing of that batch is written', async () => {
    const bench = await suite.start([order], { settings: { parkedRecordsMax: 2, ...WAIT.settings } });
    await suite.write(bench, bad(1));
    await suite.write(bench, good(2));
    bench.log.append(good(3), ordered('o2', '1.000', { at: 3 }));
    await expect(bench.sink.done).rejects.toMatchObject({
      code: 'PARKED_FULL',
      message: expect.stringContaining('1 are dead letters'),
      hint: expect.stringContaining('seam dead-letter list --target shop'),
    });
    expect(bench.sink.status().state).toBe('failed');
    expect(await quantities()).toEqual([]);
    const [refused] = (await (await parked()).list()) as [ParkedRow];
    await (await parked()).discard([refused.id], 'ann', 'to make room');
    const next = await suite.start([order], { settings: { parkedRecordsMax: 2, ...WAIT.settings } }, bench.log);
    await next.settled();
    await eventually(async () => (await quantities()).length === 2, 'the rest');
    expect((await quantities()).sort()).toEqual(['1.000', '3.000']);
  });
}
