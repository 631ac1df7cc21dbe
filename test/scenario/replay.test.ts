/**
 * Why: after an outage or a restore an operator writes records once more while the shops are open. Nothing may go back, nothing
 * may count twice, and the live records may be slowed only so much.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { partitionOf } from '../../adapters/kafka/partitioner.ts';
import { type Day, runDay } from '../../demo/day.ts';
import { type Distribution, pointsFreshness } from '../../demo/measure.ts';
import type { DayReport } from '../../demo/report.ts';
import { applyReplay } from '../../ops/operations/replay/apply.ts';
import { replayParts } from '../../ops/operations/replay/deployment.ts';
import { changedRows } from '../../ops/operations/replay/effect.ts';
import { planReplay, TRIAL_LIMITS, WINDOW_LIMITS } from '../../ops/operations/replay/plan.ts';
import type { ReplayPlan } from '../../ops/operations/replay/plan-file.ts';
import type { ReplayRecord } from '../../ops/operations/replay/record.ts';
import { selectionOf } from '../../ops/operations/replay/selection.ts';
import { systems } from '../../ops/systems.ts';
import { stopStack } from '../../stack/stack.ts';

const TRADE_SECONDS = 90;
const CALM_MS = 25_000;
/** Of the log: what was traded until then, and what followed from it. */
const REPLAYED = '25s';
const LOST_ROWS = 100;
/** Freshness is the whole chain's, on a machine that does everything; the bound is far above what is seen. */
const SLOWED_MAX = 10;

let stateDirectory: string;
let report: DayReport;
let plan: ReplayPlan;
let lostRows = 0;
let applied: ReadonlyMap<string, ReplayRecord>;
let calm: Distribution;
let beside: Distribution;

beforeAll(async () => {
  stateDirectory = await mkdtemp(path.join(tmpdir(), 'seam-replay-'));
  const { signal } = new AbortController();
  const day = { stateDirectory, tradeSeconds: TRADE_SECONDS, seed: 11, pace: 1, signal, ownerPid: process.pid };
  report = await runDay(day, { trading: replayWhileTrading });
}, 700_000);

afterAll(async () => {
  await stopStack({ stateDirectory, removeData: true });
  await rm(stateDirectory, { recursive: true, force: true });
});

async function replayWhileTrading(day: Day): Promise<void> {
  const startedMs = Date.now();
  await pause(CALM_MS);
  const replayedMs = Date.now();
  lostRows = await loseRows(day);
  const parts = await replayParts(day.deployment);
  const { signal } = new AbortController();
  const targets = systems.flatMap(({ target }) => target?.system ?? []);
  plan = await planReplay(parts, {
    selection: selectionOf({ targets, topics: [], offsets: [], keys: [], from: REPLAYED }, Date.now()),
    partitionOf: (key, partitions) => partitionOf(Buffer.from(key, 'utf8'), partitions),
    acceptMissing: false,
    rewriteEqual: false,
    rate: 1_000,
    batchRecordsMax: 200,
    reason: 'rows lost in the reporting store',
    by: 'tester',
    limits: WINDOW_LIMITS,
    trial: TRIAL_LIMITS,
    signal,
  });
  applied = await applyReplay(parts, plan, { by: 'tester', limits: WINDOW_LIMITS, signal });
  const endedMs = Date.now();
  await pause(5_000);
  calm = await freshness(day, startedMs, replayedMs);
  beside = await freshness(day, replayedMs, endedMs);
  const line = ({ count, p50, p99 }: Distribution) => `p50 ${p50} ms, p99 ${p99} ms of ${count}`;
  process.stdout.write(
    `\nreplay of ${recordsOf(plan)} records in ${(endedMs - replayedMs) / 1_000} s; freshness of points without it: ${line(calm)}; beside it: ${line(beside)}\n`,
  );
}

/** As after a restore from an older backup: rows and what Seam knew of them are gone, the offsets are not. */
async function loseRows({ sessions }: Day): Promise<number> {
  const lost = await sessions.reporting.query(
    `WITH lost AS (
       DELETE FROM seam.applied WHERE (entity, key) IN (
         SELECT entity, key FROM seam.applied WHERE entity = 'sale-line' ORDER BY applied_at DESC LIMIT ${LOST_ROWS})
       RETURNING key)
     DELETE FROM reporting.sale_line WHERE sale_id::text || '|' || line_number::text IN (SELECT key FROM lost)`,
  );
  return lost.rowCount ?? 0;
}

async function freshness({ sessions, workload }: Day, fromMs: number, toMs: number): Promise<Distribution> {
  const within = [...workload.journal].filter(([, committedMs]) => committedMs >= fromMs && committedMs < toMs);
  return (await pointsFreshness(sessions, new Map(within))).latencyMs;
}

const recordsOf = ({ targets }: ReplayPlan) => targets.reduce((sum, { predicted }) => sum + predicted.records, 0);

describe('a replay of what was traded, of every topic into every target, while trading goes on', () => {
  it('covers every target', () => {
    expect([...applied.keys()].sort()).toEqual(systems.flatMap(({ target }) => target?.system ?? []).sort());
    expect([...applied.values()].map(({ state }) => state)).toEqual([...applied].map(() => 'done'));
    for (const [target, { counted }] of applied) expect(counted.records, target).toBeGreaterThan(0);
  });

  it('brings lost rows back, and changes no other', () => {
    expect(lostRows).toBeGreaterThan(0);
    for (const { target, predicted } of plan.targets) {
      const counted = applied.get(target)?.counted;
      expect(counted?.records, target).toBe(predicted.records);
      expect(changedRows(predicted), target).toBe(target === 'reporting' ? lostRows : 0);
      expect(counted === undefined ? -1 : changedRows(counted), target).toBe(changedRows(predicted));
    }
  });

  it('leaves every target equal to its sources', () => {
    expect(report.differences).toEqual([]);
    expect(report.stockAccuracyPercent).toBe(100);
    expect(report.echoesCirculating).toBe(0);
  });

  it('slows live records by a bound', () => {
    expect(calm.count).toBeGreaterThan(100);
    expect(beside.count).toBeGreaterThan(50);
    expect(beside.p99).toBeLessThan(Math.max(2_000, calm.p99 * SLOWED_MAX));
  });
});
