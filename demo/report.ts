/** The day in numbers: one JSON object, and the same for people. Every figure is measured in this run. */
import type { VerifyResult } from '../ops/operations/verify.ts';
import type { WorkerView } from '../ops/workers.ts';
import type { LoadReport } from './load.ts';
import type { FlowCounts, PointsFreshness, StockAccuracy } from './measure.ts';
import type { WorkloadCounts } from './workload.ts';

export type DayReport = {
  readonly converged: boolean;
  readonly seconds: Readonly<Record<string, number>>;
  readonly stages: Readonly<Record<string, { readonly records: number; readonly seconds: number }>>;
  readonly targets: Readonly<Record<string, { readonly rows: number; readonly differences: number }>>;
  readonly stockAccuracyPercent: number;
  readonly stockPositions: number;
  readonly pointsWithin2sPercent: number;
  readonly latencyMs: PointsFreshness['latencyMs'];
  readonly flow: FlowCounts;
  readonly echoesDropped: number;
  readonly echoesCirculating: number;
  readonly canonicalTopics: Readonly<Record<string, number>>;
  readonly did: WorkloadCounts;
  readonly setAside: Readonly<Record<string, number>>;
  readonly workers: Readonly<Record<string, { readonly starts: number }>>;
  readonly differences: readonly { readonly table: string; readonly key: string; readonly kind: string }[];
};

type Parts = {
  history: LoadReport;
  seconds: Readonly<Partial<Record<string, number>>>;
  verified: VerifyResult;
  /** Canonical records written while nobody wrote into any system. */
  quietRecords: number;
  topics: Readonly<Record<string, number>>;
  workers: readonly WorkerView[];
  did: WorkloadCounts;
  stock: StockAccuracy;
  points: PointsFreshness;
  flow: FlowCounts;
};

const POINTS_GOAL_PERCENT = 99;
const DIFFERENCES_SHOWN = 50;

export function reportOf(parts: Parts): DayReport {
  const { verified, stock, points, flow, topics, quietRecords } = parts;
  const echoesDropped = counted(parts.workers, 'canonicalize.echoesDropped');
  const everyTopicFilled = Object.values(topics).every((records) => records > 0);
  const everyStageReached = Object.values(flow).every((count) => count > 0);
  return {
    converged:
      verified.equal &&
      stock.percent === 100 &&
      points.within2sPercent >= POINTS_GOAL_PERCENT &&
      everyTopicFilled &&
      everyStageReached &&
      echoesDropped > 0 &&
      quietRecords === 0,
    seconds: rounded(parts.seconds),
    stages: stagesOf(parts),
    targets: targetsOf(verified),
    stockAccuracyPercent: stock.percent,
    stockPositions: stock.positions,
    pointsWithin2sPercent: Math.round(points.within2sPercent * 100) / 100,
    latencyMs: points.latencyMs,
    flow,
    echoesDropped,
    echoesCirculating: quietRecords,
    canonicalTopics: topics,
    did: parts.did,
    setAside: { ...verified.refused, ...verified.parked },
    workers: Object.fromEntries(parts.workers.map(({ name, starts }) => [name, { starts }])),
    differences: verified.tables
      .flatMap((table) => table.differences)
      .slice(0, DIFFERENCES_SHOWN)
      .map(({ system, table, key, kind, columns }) => ({ table: `${system} ${table}`, key, kind, columns })),
  };
}

function stagesOf(parts: Parts): DayReport['stages'] {
  const busySeconds = (parts.seconds.capture ?? 0) + (parts.seconds.trade ?? 0) + (parts.seconds.settle ?? 0);
  const stages: Record<string, { records: number; seconds: number }> = {
    'history loaded': { records: parts.history.saleLines, seconds: parts.seconds.history ?? 0 },
  };
  for (const [name, counter] of [
    ['translated', 'canonicalize.received'],
    ['canonical', 'canonicalize.produced'],
    ['stepped', 'flow.produced'],
    ['applied', 'applied'],
  ] as const) {
    stages[name] = { records: counted(parts.workers, counter), seconds: Math.round(busySeconds * 10) / 10 };
  }
  return stages;
}

function targetsOf(verified: VerifyResult): DayReport['targets'] {
  const targets: Record<string, { rows: number; differences: number }> = {};
  for (const { system, rows, differences } of verified.tables) {
    const target = targets[system] ?? { rows: 0, differences: 0 };
    target.rows += rows;
    target.differences += differences.length;
    targets[system] = target;
  }
  return targets;
}

function counted(workers: readonly WorkerView[], counter: string): number {
  return workers.reduce((sum, worker) => sum + (worker.totals[counter] ?? 0), 0);
}

function rounded(seconds: Readonly<Partial<Record<string, number>>>): Record<string, number> {
  return Object.fromEntries(Object.entries(seconds).map(([name, value]) => [name, Math.round((value ?? 0) * 10) / 10]));
}
