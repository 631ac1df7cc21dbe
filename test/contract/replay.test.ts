/** What a replay promises, on every kind of target: the plan tells what will happen, and applying it does just that, once. */
import mariadb from 'mariadb';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { connectPostgres } from '../../adapters/postgres-client.ts';
import { ContractError } from '../../core/errors.ts';
import { changedRows } from '../../ops/operations/replay/effect.ts';
import { readPlan, type ReplayPlan, writePlan } from '../../ops/operations/replay/plan-file.ts';
import { cancelReplay, replayProgress } from '../../ops/operations/replay/progress.ts';
import type { CrashPoint } from '../../sinks/engine/hooks.ts';
import { type DialectSuite, describeDialects } from '../support/dialect-suite.ts';
import { ReplayBench } from '../support/replay-bench.ts';
import { earned, memberOf, moved, ordered, phone, product } from '../support/shop-records.ts';
import { contact, item, member, movement, order, points } from '../support/shop-tables.ts';
import { eventually } from '../support/sink-bench.ts';
import { TestLog, truncation } from '../support/test-log.ts';

const TABLES = [item, member, points, movement, order];
const DATA = ['shop.item', 'shop.cust', 'shop.led', 'shop.mv', 'shop.stk', 'shop.ord', 'seam.parked', 'seam.effect'];

describeDialects((suite) => {
  const rows = async () => JSON.stringify(await Promise.all(DATA.map((table) => dump(suite, table))), bigints);

  /** Everything was read by the sink, then the rows and what is known of them got lost; offsets stayed. */
  async function lost(log: TestLog): Promise<ReplayBench> {
    const bench = await suite.start(TABLES, {}, log);
    await bench.settled();
    await bench.stop();
    await suite.execute(...[...DATA, 'seam.applied', 'seam.echo'].map((table) => `DELETE FROM ${table}`));
    return new ReplayBench(suite.database, TABLES, log);
  }

  function trading(): TestLog {
    const log = new TestLog();
    log.append(memberOf({}, { at: 1 }), product({}, { at: 1 }), product({ productId: '2' }, { at: 2 }));
    for (let n = 0; n < 30; n += 1) {
      log.append(moved(`m${n}`, '-1.000', { at: 10 + n }), earned(`e${n}`, '7', 5, { at: 10 + n }));
    }
    log.append(moved('m3', '-4.000', { at: 60 }), moved('m4', '0.000', { at: 61, gone: true }));
    log.append(product({ description: 'Loaf' }, { at: 62 }), ordered('o1', '1.000', { at: 63 }));
    log.append(ordered('o2', '2000.000', { at: 64 }), earned('lost', '99', 5, { at: 65 }));
    return log;
  }

  describe('a plan', () => {
    it('tells what applying it does, and its trial changes nothing', async () => {
      const log = trading();
      const bench = await lost(log);
      const before = await rows();
      const plan = await bench.plan();
      expect(await rows()).toBe(before);
      const { predicted, chunks } = plan.targets[0] as ReplayPlan['targets'][number];
      expect(chunks).toBe(1);
      expect(predicted).toMatchObject({ records: 66, inserted: 63, updated: 0, deleted: 1, newer: 0 });
      expect(Object.values(predicted.setAside)).toEqual([1, 1]);
      const done = await bench.apply(plan);
      expect(done.counted).toEqual(predicted);
      expect(done).toMatchObject({ state: 'done', reason: 'a test', plannedBy: 'tester', appliedBy: 'tester' });
      expect(await suite.rows('SELECT qoh FROM shop.stk')).toEqual([{ qoh: '-32.000' }]);
      expect(await suite.rows('SELECT pts FROM shop.cust')).toEqual([{ pts: expect.anything() }]);
      expect(Number((await suite.rows('SELECT pts FROM shop.cust'))[0]?.pts)).toBe(150);
    });

    it('tells the same in many small transactions, and applied again changes no row', async () => {
      const bench = await lost(trading());
      const small = { batchRecordsMax: 7, trial: { recordsMax: 9, msMax: 5_000 } };
      const plan = await bench.plan({ topics: ['canonical.stock-movement', 'canonical.product'] }, small);
      expect(plan.targets[0]?.chunks).toBeGreaterThan(3);
      expect(plan.notes).toEqual([expect.stringContaining('counted in')]);
      expect((await bench.apply(plan)).counted).toEqual(plan.targets[0]?.predicted);
      const after = await rows();
      const again = await bench.plan({ topics: ['canonical.stock-movement', 'canonical.product'] }, small);
      const { counted } = await bench.apply(again);
      expect(counted).toEqual(again.targets[0]?.predicted);
      expect(changedRows(counted)).toBe(0);
      expect(counted.unchanged).toBe(counted.records);
      expect(await rows()).toBe(after);
      expect((await bench.apply(plan)).state).toBe('done');
    });

    it('counts a truncation as a deletion, and leaves out what it made needless', async () => {
      const log = new TestLog();
      log.append(product({}, { at: 1 }), product({ productId: '2' }, { at: 2 }), truncation('product', 5));
      log.append(product({ productId: '2' }, { at: 6 }));
      const bench = await lost(log);
      const plan = await bench.plan();
      expect(plan.targets[0]?.predicted).toMatchObject({ inserted: 1, deleted: 1, unchanged: 1 });
      expect((await bench.apply(plan)).counted).toEqual(plan.targets[0]?.predicted);
      expect(await suite.rows('SELECT prod_cd FROM shop.item')).toEqual([{ prod_cd: '2' }]);
    });

    it('takes what is chosen: by offsets, time, key, source and position', async () => {
      const log = new TestLog(1);
      log.append(product({}, { at: 1 }), product({ productId: '2' }, { at: 2, system: 'erp' }));
      log.append(product({ productId: '3' }, { at: 3 }), product({ productId: '4' }, { at: 4 }));
      const bench = await lost(log);
      const topics = ['canonical.product'];
      const selected = async (asked: Parameters<ReplayBench['plan']>[0]) =>
        (await bench.plan({ topics, ...asked })).targets[0]?.selected;
      expect(await selected({ offsets: ['0:1-3'] })).toBe(2);
      expect(await selected({ offsets: ['0:1-'] })).toBe(3);
      expect(await selected({ from: '1970-01-01T00:00:00.003Z' })).toBe(2);
      expect(await selected({ to: '1970-01-01T00:00:00.003Z' })).toBe(2);
      expect(await selected({ keys: ['4'] })).toBe(1);
      expect(await selected({ system: 'erp' })).toBe(1);
      expect(await selected({ system: 'elsewhere', positionFrom: '3:0', positionTo: '4:0' })).toBe(1);
      await expect(bench.plan({ topics, keys: ['5'] })).rejects.toMatchObject({ code: 'REPLAY_MATCHES_NOTHING' });
    });

    it('ends where the sink has read to, and says so of what it never read', async () => {
      const log = new TestLog(1);
      log.append(product({}, { at: 1 }));
      const bench = await lost(log);
      log.append(product({ productId: '2' }, { at: 2 }));
      expect((await bench.plan({ topics: ['canonical.product'] })).targets[0]?.topics[0]?.ranges[0]?.to).toBe('1');
      await suite.execute("DELETE FROM seam.sink_offset WHERE topic = 'canonical.product'");
      const nothing = bench.plan({ topics: ['canonical.product'] });
      await expect(nothing).rejects.toThrow('canonical.product partition 0 was never read by this target');
    });

    it('waits for a sink in the middle of a transaction, however long that takes, and is not cut up by it', async () => {
      const bench = await lost(trading());
      const release = await holdRow(
        suite,
        "UPDATE seam.sink_offset SET owner = 'busy' WHERE topic = 'canonical.product'",
      );
      const trial = { recordsMax: 100, msMax: 400 };
      const planned = bench.plan({ topics: ['canonical.product'] }, { trial: { ...trial, msMax: 20_000 } });
      const impatient = bench.plan({ topics: ['canonical.product'] }, { trial: { ...trial, waitsMax: 2 } });
      await expect(impatient).rejects.toMatchObject({ code: 'TARGET_BUSY' });
      await release();
      expect((await planned).targets[0]).toMatchObject({ chunks: 1, predicted: { records: 2 } });
    });

    it('gives way to whoever holds a row, and keeps the sink no longer than its limit', async () => {
      const log = trading();
      const bench = await lost(log);
      await bench.apply(await bench.plan({ topics: ['canonical.product'] }));
      await suite.execute("UPDATE seam.applied SET hash = position WHERE entity = 'product'");
      const live = await suite.start(TABLES, {}, log);
      await live.settled();
      const release = await holdRow(suite, "UPDATE shop.item SET descr = 'held' WHERE prod_cd = '1'");
      const trial = { recordsMax: 100, msMax: 400 };
      const planned = bench.plan({ topics: ['canonical.product'] }, { trial }).catch((error: unknown) => error);
      const waits: number[] = [];
      for (let n = 0; n < 10; n += 1) {
        const startedMs = performance.now();
        await suite.write(live, product({ productId: '2', description: `live ${n}` }, { at: 500 + n }));
        waits.push(performance.now() - startedMs);
      }
      expect(Math.max(...waits)).toBeLessThan(4_000);
      expect(await planned).toMatchObject({ code: 'TARGET_BUSY' });
      await release();
      expect((await bench.plan({ topics: ['canonical.product'] })).targets[0]?.predicted.records).toBe(2);
    });
  });

  describe('an application', () => {
    const POINTS: readonly CrashPoint[] = ['after-lock', 'after-rows', 'before-commit', 'after-commit'];

    it.each(POINTS)('that dies at %s goes on from there and counts nothing twice', async (point) => {
      const bench = await lost(trading());
      const plan = await bench.plan({}, { batchRecordsMax: 4 });
      let left = 3;
      const hooks = {
        at: (reached: CrashPoint) => {
          if (reached === point && left-- === 0) throw new ContractError({ code: 'CRASH', message: 'died' });
        },
      };
      await expect(bench.apply(plan, {}, hooks)).rejects.toMatchObject({ code: 'CRASH' });
      const half = (await replayProgress(bench.parts(), plan.id)).get('shop');
      // what dies past its commit says nothing more
      expect(half?.state).toBe(point === 'after-commit' ? 'running' : 'stopped');
      expect(half?.counted.records).toBeLessThan(plan.targets[0]?.predicted.records ?? 0);
      const done = await bench.apply(plan);
      expect(done).toMatchObject({ state: 'done', counted: plan.targets[0]?.predicted });
      expect(await suite.rows('SELECT qoh FROM shop.stk')).toEqual([{ qoh: '-32.000' }]);
    });

    it('stops when asked, and goes on', async () => {
      const bench = await lost(trading());
      const plan = await bench.plan({}, { batchRecordsMax: 4 });
      const stop = new AbortController();
      const onProgress = ({ counted }: { counted: { records: number } }) => {
        if (counted.records > 10) stop.abort();
      };
      const stopped = await bench.apply(plan, { signal: stop.signal, onProgress });
      expect(stopped.state).toBe('stopped');
      expect(stopped.counted.records).toBeLessThan(plan.targets[0]?.predicted.records ?? 0);
      expect(await bench.apply(plan)).toMatchObject({ state: 'done', counted: plan.targets[0]?.predicted });
    });

    it('gives way to a second one of the same plan, and nothing is done twice', async () => {
      const bench = await lost(trading());
      const plan = await bench.plan({}, { batchRecordsMax: 4 });
      let batches = 0;
      const gate = Promise.withResolvers<void>();
      const hooks = {
        at: async (reached: CrashPoint) => {
          if (reached === 'before-lock' && ++batches === 3) await gate.promise;
        },
      };
      const first = bench.apply(plan, {}, hooks);
      await eventually(() => batches === 3, 'the first one is in the middle');
      expect((await bench.apply(plan)).state).toBe('done');
      gate.resolve();
      const hint = `look at it with: seam replay watch ${plan.id}`;
      await expect(first).rejects.toMatchObject({ code: 'REPLAY_TAKEN_OVER', hint });
      // as `seam replay watch` asks
      const after = (await replayProgress(bench.parts(), plan.id, plan)).get('shop');
      expect(after).toMatchObject({ state: 'done', counted: plan.targets[0]?.predicted });
      expect(await suite.rows('SELECT qoh FROM shop.stk')).toEqual([{ qoh: '-32.000' }]);
    });

    it('ends at its next transaction when cancelled, and stays ended', async () => {
      const bench = await lost(trading());
      const plan = await bench.plan({}, { batchRecordsMax: 4 });
      let isCancelled = false;
      const onProgress = async () => {
        if (isCancelled) return;
        isCancelled = true;
        await cancelReplay(bench.parts(), plan.id, 'tester');
      };
      await expect(bench.apply(plan, { onProgress: () => void onProgress() })).rejects.toMatchObject({
        code: 'REPLAY_CANCELLED',
      });
      const half = await rows();
      await expect(bench.apply(plan)).rejects.toMatchObject({ code: 'REPLAY_CANCELLED' });
      expect(await rows()).toBe(half);
      const never = await bench.plan();
      await cancelReplay(bench.parts(), never.id, 'tester', never);
      await expect(bench.apply(never)).rejects.toMatchObject({ code: 'REPLAY_CANCELLED' });
      await expect(cancelReplay(bench.parts(), 'nobody-knows', 'tester')).rejects.toMatchObject({
        code: 'REPLAY_UNKNOWN',
      });
    });

    it('beside the sink writing the same keys: nothing goes back, no effect is double', async () => {
      const log = trading();
      const bench = await lost(log);
      const plan = await bench.plan({}, { batchRecordsMax: 3 });
      const live = await suite.start(TABLES, { settings: { batchRecordsMax: 3, batchEveryMs: 0 } }, log);
      const applying = bench.apply(plan);
      for (let round = 0; round < 20; round += 1) {
        const at = 1_000 + round;
        log.append(product({ description: `new ${round}` }, { at }), moved(`m${round}`, '-2.000', { at }));
        log.append(earned(`e${round}`, '7', 6, { at }));
        await live.settled();
      }
      expect((await applying).state).toBe('done');
      expect(await suite.rows("SELECT descr FROM shop.item WHERE prod_cd = '1'")).toEqual([{ descr: 'new 19' }]);
      expect(await suite.rows('SELECT qoh FROM shop.stk')).toEqual([{ qoh: '-50.000' }]);
      expect(Number((await suite.rows('SELECT pts FROM shop.cust'))[0]?.pts)).toBe(170);
      expect(live.sink.status().state).toBe('running');
    });

    it('takes no old change of the target itself for news: what somebody wrote there since stays', async () => {
      const log = new TestLog(1);
      const tables = [member, contact];
      const live = await suite.start(tables, {}, log);
      log.append(
        memberOf({}, { at: 1 }),
        phone('7', 'winner', { at: 10 }),
        phone('7', 'own', { at: 5, system: 'shop' }),
      );
      await live.settled();
      await suite.execute("UPDATE shop.cust SET tel = 'newer'");
      const bench = new ReplayBench(suite.database, tables, log);
      const plan = await bench.plan({ topics: ['canonical.member-contact'], offsets: ['0:1-2'] });
      expect(plan.targets[0]?.predicted).toMatchObject({ records: 1, newer: 1, updated: 0 });
      expect((await bench.apply(plan)).counted).toEqual(plan.targets[0]?.predicted);
      expect(await suite.rows('SELECT tel FROM shop.cust')).toEqual([{ tel: 'newer' }]);
    });

    it('lets a corrected record land at its old position', async () => {
      const log = new TestLog(1);
      log.append(product({ description: 'wrong' }, { at: 10 }));
      const live = await suite.start([item], {}, log);
      await live.settled();
      log.append(product({ description: 'right' }, { at: 10 }));
      await live.settled();
      await live.stop();
      await suite.execute("UPDATE shop.item SET descr = 'by hand'");
      const bench = new ReplayBench(suite.database, [item], log);
      expect((await bench.plan()).targets[0]?.predicted).toMatchObject({ unchanged: 1, updated: 0 });
      const plan = await bench.plan({}, { rewriteEqual: true });
      expect(plan.targets[0]?.predicted).toMatchObject({ updated: 1 });
      await bench.apply(plan);
      expect(await suite.rows('SELECT descr FROM shop.item')).toEqual([{ descr: 'right' }]);
    });

    it('refuses a plan that no longer fits', async () => {
      const log = trading();
      const bench = await lost(log);
      const plan = await bench.plan();
      await suite.execute('UPDATE seam.sink_offset SET next_offset = 0');
      const hint = 'make a new one with seam replay plan and the options of the first';
      await expect(bench.apply(plan)).rejects.toMatchObject({ code: 'PLAN_STALE', hint });
      const other = new TestLog();
      other.append(...Array.from({ length: 100 }, (_, n) => product({ productId: String(n) }, { at: 7_000 })));
      await suite.execute('UPDATE seam.sink_offset SET next_offset = 1000');
      const renewed = new ReplayBench(suite.database, [item], other);
      const ofProducts = { ...plan, targets: plan.targets.map((one) => ({ ...one, topics: one.topics.slice(0, 1) })) };
      await expect(renewed.apply(ofProducts)).rejects.toThrow('another record stands there now');
      expect(await suite.count('shop.item')).toBe(0);
      await suite.execute('UPDATE seam.sink_offset SET next_offset = 50');
      const remade = await renewed.plan();
      expect(await renewed.apply(remade)).toMatchObject({ state: 'done', counted: remade.targets[0]?.predicted });
      expect(await suite.count('shop.item')).toBe(100);
    });
  });

  it('keeps a plan in a file that reads back, and refuses another', async () => {
    const plan = await (await lost(trading())).plan({ keys: ['1'] });
    const directory = await mkdtemp(path.join(tmpdir(), 'seam-plan-'));
    const file = path.join(directory, 'plan.json');
    await writePlan(file, plan);
    expect(await readPlan(file)).toEqual(plan);
    await writePlan(file, { ...plan, version: 2 } as unknown as ReplayPlan);
    await expect(readPlan(file)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await expect(readPlan(`${file}.none`)).rejects.toMatchObject({ code: 'PLAN_UNREADABLE' });
    await rm(directory, { recursive: true });
  });
});

const bigints = (_key: string, value: unknown) => (typeof value === 'bigint' ? value.toString() : value);

/** Times and numbers of their own apart. */
async function dump(suite: DialectSuite, table: string): Promise<unknown[]> {
  const all = await suite.rows(`SELECT * FROM ${table}`);
  const kept = all.map(({ id: _id, parked_at: _at, next_try_at: _next, attempts: _attempts, ...row }) => row);
  return kept.map((row) => JSON.stringify(row, bigints)).sort();
}

/** Runs a statement in a transaction that stays open until the answer is called. */
async function holdRow(suite: DialectSuite, sql: string): Promise<() => Promise<void>> {
  const { sink } = suite.database;
  const session = suite.name === 'postgres' ? await connectPostgres(sink) : await mariadb.createConnection({ ...sink });
  const run = async (text: string): Promise<void> =>
    void (await (session as { query(text: string): Promise<unknown> }).query(text));
  await run('BEGIN');
  await run(sql);
  return async () => {
    await run('ROLLBACK');
    await session.end();
  };
}
