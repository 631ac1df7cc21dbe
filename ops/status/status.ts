/** `seam status`: everything that is wrong, and how each flow stands. Asks sources, Kafka Connect and the workers' own reports. */
import { systemClock } from '../../adapters/clock.ts';
import { createLogger } from '../../adapters/logger.ts';
import { entities } from '../../avro/generated/entities.ts';
import { type Condition, conditionKey, sightingOf } from '../../core/condition.ts';
import type { Deployment } from '../../core/deployment.ts';
import { SeamError } from '../../core/errors.ts';
import { steps } from '../../processors/steps/index.ts';
import { openLog } from '../log.ts';
import { connectorViews } from '../operations/connector-status.ts';
import { systems } from '../systems.ts';
import { workerCommands } from '../worker-commands.ts';
import { WORKER_STARTING } from './published-worker.ts';
import { type FlowStatus, flowStatuses, flowsOf } from './flows.ts';
import { type DatedReport, readReports, SILENT_AFTER_MS } from './status-topic.ts';

export type Status = {
  readonly flows: readonly FlowStatus[];
  /** Worst first, then oldest first. */
  readonly conditions: readonly Condition[];
};

export async function readStatus(deployment: Deployment, signal?: AbortSignal): Promise<Status> {
  const nowMs = systemClock.nowMs();
  const found = await Promise.all([sourceConditions(deployment, nowMs), workerConditions(deployment, nowMs, signal)]);
  const conditions = oncePerKey(found.flat()).sort(bySeverity);
  return { flows: flowStatuses(flowsOf(systems, steps, entities), conditions), conditions };
}

async function sourceConditions(deployment: Deployment, nowMs: number): Promise<Condition[]> {
  const object = { kind: 'worker', worker: 'connectors' } as const;
  try {
    const views = await connectorViews(deployment, systems);
    return views.flatMap(({ system, fault, conditions }) => {
      const own = fault === undefined ? [] : [sightingOf(fault, { kind: 'source', system })];
      return [...conditions, ...own].map((one) => ({ ...one, sinceMs: nowMs }));
    });
  } catch (error) {
    if (!(error instanceof SeamError)) throw error;
    return [{ ...sightingOf(error, object), sinceMs: nowMs }];
  }
}

/** A worker that saw the same thing earlier knows since when it is; the newer text counts. */
function oncePerKey(conditions: readonly Condition[]): Condition[] {
  const byKey = Map.groupBy(conditions, conditionKey);
  return [...byKey.values()].map((same) => ({
    ...(same[0] as Condition),
    sinceMs: Math.min(...same.map(({ sinceMs }) => sinceMs)),
  }));
}

/** What living workers report now; nothing where Kafka is away, which other displays say. */
export async function reportedConditions(deployment: Deployment): Promise<readonly Condition[]> {
  return workerConditions(deployment, systemClock.nowMs());
}

/** What the workers report, and which of those that the project needs report nothing. */
async function workerConditions(deployment: Deployment, nowMs: number, signal?: AbortSignal): Promise<Condition[]> {
  try {
    const log = openLog(deployment, 'seam-status', createLogger('error'));
    return conditionsOf(await readReports(log, signal), workerCommands(), nowMs);
  } catch (error) {
    if (!(error instanceof SeamError)) throw error;
    return [{ ...sightingOf(error, { kind: 'worker', worker: 'kafka' }), sinceMs: nowMs }];
  }
}

/** A report of a worker that failed counts until another worker of its name runs. */
export function conditionsOf(
  reports: readonly DatedReport[],
  needed: Readonly<Record<string, readonly string[]>>,
  nowMs: number,
): Condition[] {
  const byWorker = Map.groupBy(reports, ({ worker }) => worker);
  const names = new Set([...Object.keys(needed), ...byWorker.keys()]);
  return [...names].flatMap((worker) => {
    const own = byWorker.get(worker) ?? [];
    const living = own.filter(({ state, atMs }) => state !== 'failed' && nowMs - atMs < SILENT_AFTER_MS);
    const failed = own.filter(({ state }) => state === 'failed').sort((left, right) => right.atMs - left.atMs);
    const starts = living.every(isStarting) ? failed.slice(0, 1) : [];
    const counted = [...living, ...starts].flatMap(({ conditions }) => conditions);
    if (living.length + starts.length > 0) return counted;
    return worker in needed ? [notRunning(worker, needed[worker] ?? [], own, nowMs)] : [];
  });
}

function isStarting({ conditions }: DatedReport): boolean {
  return conditions.some(({ id }) => id === WORKER_STARTING);
}

function notRunning(
  worker: string,
  command: readonly string[],
  reports: readonly DatedReport[],
  nowMs: number,
): Condition {
  const lastMs = Math.max(...reports.map(({ atMs }) => atMs), 0);
  return {
    id: 'WORKER_NOT_RUNNING',
    severity: 'halt',
    object: { kind: 'worker', worker },
    sinceMs: lastMs === 0 ? nowMs : lastMs,
    text: lastMs === 0 ? 'the worker does not run' : 'the worker has reported nothing since then',
    next: `seam run ${command.join(' ')}`,
  };
}

function bySeverity(left: Condition, right: Condition): number {
  if (left.severity !== right.severity) return left.severity === 'halt' ? -1 : 1;
  return left.sinceMs - right.sinceMs;
}
