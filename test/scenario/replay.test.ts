/**
 * Why: after an outage or a restore an operator writes records once more while the shops are open; after a mapping was
 * corrected, what it had made wrong. Nothing may go back, nothing may count twice, and live records may be slowed only so much.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { partitionOf } from '../../adapters/kafka/partitioner.ts';
import type { CanonicalMapping, SourceMapping } from '../../core/mapping.ts';
import { type Distribution, pointsFreshness, stockAccuracy } from '../../demo/measure.ts';
import { Workload } from '../../demo/workload.ts';
import { applyReplay } from '../../ops/operations/replay/apply.ts';
import { rawParts, replayParts } from '../../ops/operations/replay/deployment.ts';
import { changedRows } from '../../ops/operations/replay/effect.ts';
import { planReplay, TRIAL_LIMITS, WINDOW_LIMITS } from '../../ops/operations/replay/plan.ts';
import type { ReplayPlan } from '../../ops/operations/replay/plan-file.ts';
import { applyRaw } from '../../ops/operations/replay/raw-apply.ts';
import { planRaw } from '../../ops/operations/replay/raw-plan.ts';
import type { ReplayRecord } from '../../ops/operations/replay/record.ts';
import { selectionOf } from '../../ops/operations/replay/selection.ts';
import { verifyDeployment } from '../../ops/operations/verify-deployment.ts';
import { systems } from '../../ops/systems.ts';
import { arrives } from '../support/running-chain.ts';
import { SmallChain } from '../support/small-chain.ts';

const CALM_MS = 20_000;
/** Everything that the chain has carried, its first snapshot too. */
const REPLAYED = '10m';
const LOST_ROWS = 100;
/** Freshness is the whole chain's, on a machine that does everything; the bound is far above what is seen. */
const SLOWED_MAX = 10;
const VERIFY_PATIENCE_MS = 60_000;
const WRONG_PRODUCTS = 40;

const { signal } = new AbortController();
const partitionOfKey = (key: string, partitions: number) => partitionOf(Buffer.from(key, 'utf8'), partitions);
const pace = {
  rate: 1_000,
  batchRecordsMax: 200,
  by: 'tester',
  acceptMissing: false,
  partitionOf: partitionOfKey,
  signal,
};

let chain: SmallChain;
beforeAll(async () => {
  chain = await SmallChain.start();
}, 800_000);
afterAll(() => chain?.stop(), 120_000);

async function differences(): Promise<number> {
  const { deployment } = chain.chain;
  return (await verifyDeployment(deployment, { targets: [], patienceMs: VERIFY_PATIENCE_MS })).differences;
}

describe('a replay of every topic into every target while the shops trade', () => {
  let workload: Workload;
  let plan: ReplayPlan;
  let lostRows = 0;
  let applied: ReadonlyMap<string, ReplayRecord>;
  let calm: Distribution;
  let beside: Distribution;

  beforeAll(async () => {
    workload = new Workload(chain.chain.sessions, chain.data, { seed: 11, pace: 1 });
    const closing = new AbortController();
    const trading = workload.trade(closing.signal);
    const startedMs = Date.now();
    await pause(CALM_MS);
    const replayedMs = Date.now();
    // what goes wrong at the tills is told, and stops the replay's wait for nothing
    await Promise.race([replay(), trading]).finally(() => closing.abort());
    await trading;
    const endedMs = Date.now();
    await workload.finish(AbortSignal.timeout(90_000));
    await chain.comeToRest();
    calm = await freshness(startedMs, replayedMs);
    beside = await freshness(replayedMs, endedMs);
    const line = ({ count, p50, p99 }: Distribution) => `p50 ${p50} ms, p99 ${p99} ms of ${count}`;
    process.stdout.write(
      `\nreplay of ${recordsOf(plan)} records in ${(endedMs - replayedMs) / 1_000} s; freshness of points without it: ${line(calm)}; beside it: ${line(beside)}\n`,
    );
  }, 800_000);

  async function replay(): Promise<void> {
    const startedMs = Date.now();
    const told = (what: string) => process.stdout.write(`${what} after ${(Date.now() - startedMs) / 1_000} s\n`);
    lostRows = await loseRows();
    const parts = await replayParts(chain.chain.deployment);
    const targets = systems.flatMap(({ target }) => target?.system ?? []);
    plan = await planReplay(parts, {
      ...pace,
      selection: selectionOf({ targets, topics: [], offsets: [], keys: [], from: REPLAYED }, Date.now()),
      rewriteEqual: false,
      reason: 'rows lost in the reporting store',
      limits: WINDOW_LIMITS,
      trial: TRIAL_LIMITS,
    });
    told(`${recordsOf(plan)} records planned in ${plan.targets.map(({ chunks }) => chunks).join('+')} transactions`);
    applied = await applyReplay(parts, plan, { by: 'tester', limits: WINDOW_LIMITS, signal });
    told('applied');
  }

  /** As after a restore from an older backup: rows and what Seam knew of them are gone, the offsets are not. */
  async function loseRows(): Promise<number> {
    const lost = await chain.chain.sessions.reporting.query(
      `WITH lost AS (
         DELETE FROM seam.applied WHERE (entity, key) IN (
           SELECT entity, key FROM seam.applied WHERE entity = 'market-survey' AND NOT deleted LIMIT ${LOST_ROWS})
         RETURNING key)
       DELETE FROM reporting.market_survey AS row USING lost
       WHERE concat_ws('|', row.week, row.product_id, row.competitor) = lost.key`,
    );
    return lost.rowCount ?? 0;
  }

  async function freshness(fromMs: number, toMs: number): Promise<Distribution> {
    const within = [...workload.journal].filter(([, committedMs]) => committedMs >= fromMs && committedMs < toMs);
    return (await pointsFreshness(chain.chain.sessions, new Map(within))).latencyMs;
  }

  const recordsOf = ({ targets }: ReplayPlan) => targets.reduce((sum, { predicted }) => sum + predicted.records, 0);

  it('covers every target', () => {
    expect([...applied.keys()].sort()).toEqual(systems.flatMap(({ target }) => target?.system ?? []).sort());
    for (const [target, { state, counted }] of applied) {
      expect(state, target).toBe('done');
      expect(counted.records, target).toBeGreaterThan(0);
    }
  });

  it('brings lost rows back, as planned, and changes no other', () => {
    expect(lostRows).toBe(LOST_ROWS);
    for (const { target, predicted } of plan.targets) {
      const counted = applied.get(target)?.counted;
      expect(counted?.records, target).toBe(predicted.records);
      expect(predicted.inserted, target).toBe(target === 'reporting' ? lostRows : 0);
      expect(counted?.inserted, target).toBe(predicted.inserted);
      // a record without all fields, as a product's large text, is written again: only the reporting store holds it
      if (target !== 'reporting') expect(counted === undefined ? -1 : changedRows(counted), target).toBe(0);
    }
  });

  it('leaves every target equal to its sources', async () => {
    expect(await differences()).toBe(0);
    expect((await stockAccuracy(chain.chain.sessions)).percent).toBe(100);
  });

  it('slows live records by a bound', () => {
    expect(calm.count).toBeGreaterThan(20);
    expect(beside.count).toBeGreaterThan(20);
    expect(beside.p99).toBeLessThan(Math.max(2_000, calm.p99 * SLOWED_MAX));
  });
});

describe('a mapping that was wrong for a while', () => {
  it('is corrected, and what it had made is translated again, into every target', async () => {
    const { erp, pos } = chain.chain.sessions;
    await chain.stopProcessors();
    await chain.startProcessors(shouting());
    await erp.query(
      `UPDATE erp.prod SET descr = 'Renamed ' || prod_no WHERE prod_no IN (SELECT prod_no FROM erp.prod WHERE del_fg = 'N' ORDER BY prod_no LIMIT ${WRONG_PRODUCTS})`,
    );
    const wrong = async () => {
      const rows = (await pos.query(`SELECT COUNT(*) AS n FROM item WHERE descr LIKE BINARY 'RENAMED %'`)) as {
        n: bigint;
      }[];
      return Number(rows[0]?.n);
    };
    await arrives(WRONG_PRODUCTS, wrong, 120_000);
    await chain.stopProcessors();
    await chain.startProcessors();

    const { parts, close } = await rawParts(chain.chain.deployment);
    try {
      const asked = { topic: 'raw.erp.erp.prod', fromMs: undefined, toMs: undefined, offsets: new Map(), asked: 'all' };
      const plan = await planRaw(parts, { ...pace, ...asked, reason: 'descriptions in capitals' });
      expect(plan.outcome.product).toMatchObject({ other: WRONG_PRODUCTS, added: 0 });
      expect(plan.outcome.product?.same).toBeGreaterThan(100);
      for (const { target, predicted } of plan.targets) {
        // and those without all fields, of which a target that holds them can't say that they are the same
        expect(predicted.updated, target).toBeGreaterThanOrEqual(WRONG_PRODUCTS);
      }
      expect(plan.targets.map(({ target }) => target).sort()).toEqual(['pos', 'reporting']);
      expect(await wrong()).toBe(WRONG_PRODUCTS);

      // live changes on the way: a price clerk renames some again
      await erp.query(
        `UPDATE erp.prod SET descr = 'Again ' || prod_no WHERE descr LIKE 'Renamed %' AND prod_no LIKE '%1'`,
      );
      const applied = await applyRaw(parts, plan, { by: 'tester', signal });
      expect(applied.state).toBe('done');
      expect(applied.sent).toBeGreaterThanOrEqual(plan.records);
      await arrives(0, wrong, 120_000);
      expect(await differences()).toBe(0);
      expect(await applyRaw(parts, plan, { by: 'tester', signal })).toMatchObject({ state: 'done', sent: 0 });
    } finally {
      await close();
    }
  }, 400_000);
});

/** The systems' mappings, of which the product's description comes out in capitals. */
function shouting(): SourceMapping[] {
  return systems.flatMap(({ source }) => {
    if (source === null) return [];
    const { mapping } = source;
    const [product] = (mapping.tables['erp.prod'] ?? []) as CanonicalMapping[];
    const description = product?.fields.description;
    if (product === undefined || description === undefined) return [mapping];
    const read: typeof description.read = (row, lookups) => String(description.read(row, lookups)).toUpperCase();
    const fields = { ...product.fields, description: { ...description, read } };
    return [{ ...mapping, tables: { ...mapping.tables, 'erp.prod': [{ ...product, fields }] } }];
  });
}
