/**
 * One trading day on the real stack, from empty servers to the proof. The demo shows it, the scenario tests disturb it.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { TransientError } from '../core/errors.ts';
import type { LogAdmin } from '../core/ports.ts';
import { canonicalTopics, openLogAdmin } from '../ops/log.ts';
import type { VerifyResult } from '../ops/operations/verify.ts';
import { verifyDeployment } from '../ops/operations/verify-deployment.ts';
import { loadHistory } from './load.ts';
import { flowCounts, pointsFreshness, stockAccuracy } from './measure.ts';
import { type DayReport, reportOf } from './report.ts';
import { readRetailData } from './retail-data.ts';
import { type Chain, type ChainOptions, closeChain, setUp, startFlow, startServers } from './chain.ts';
import type { Sessions } from './sessions.ts';
import { Workload } from './workload.ts';

export type DayOptions = ChainOptions & {
  readonly tradeSeconds: number;
  readonly seed: number;
  /** 1 is about 25 sale lines a second. */
  readonly pace: number;
  readonly signal: AbortSignal;
  /** Closes the shops early; everything after trading still happens. */
  readonly closing?: AbortSignal;
};

/** What a watcher may look at, or a test disturb, while the day goes on. */
export type Day = Chain & { readonly workload: Workload };

export type DayObserver = {
  /** A stage begins; the one before it has ended. */
  stage?(name: StageName): void;
  /** Trading has begun; runs beside it. */
  trading?(day: Day, closing: AbortSignal): Promise<void>;
};

export type StageName = 'stack' | 'set-up' | 'history' | 'capture' | 'trade' | 'settle' | 'verify';

const HISTORY_PATIENCE_MS = 240_000;
const SETTLE_PATIENCE_MS = 90_000;
const VERIFY_PATIENCE_MS = 60_000;
const QUIET_MS = 3_000;

export async function runDay(options: DayOptions, observer: DayObserver = {}): Promise<DayReport> {
  const seconds: Partial<Record<StageName, number>> = {};
  const staged = async <T>(name: StageName, work: () => Promise<T>): Promise<T> => {
    observer.stage?.(name);
    const startedMs = Date.now();
    try {
      return await work();
    } finally {
      seconds[name] = (Date.now() - startedMs) / 1000;
    }
  };

  const chain = await staged('stack', () => startServers(options));
  const { sessions, deployment } = chain;
  try {
    await staged('set-up', () => setUp(chain));
    const data = readRetailData();
    const history = await staged('history', () => loadHistory(sessions, data));
    const day: Day = { ...chain, workload: new Workload(sessions, data, options) };
    await staged('capture', () => capture(day, options.signal));
    await staged('trade', () => trade(day, options, observer));
    const quietRecords = await staged('settle', () => settle(day, options.signal));
    const verified = await staged('verify', () =>
      verifyDeployment(deployment, { targets: [], patienceMs: VERIFY_PATIENCE_MS }),
    );
    return await measure(day, { history, seconds, verified, quietRecords });
  } finally {
    await closeChain(chain);
  }
}

/** Connectors take the history as their snapshot; the chain trades only when it has arrived everywhere. */
async function capture(day: Day, signal: AbortSignal): Promise<void> {
  await startFlow(day);
  await until('the history has arrived', HISTORY_PATIENCE_MS, signal, () => historyArrived(day.sessions));
  // what followed from it, stock levels and points, is still on its way
  await withAdmin(day, (admin) => comeToRest(admin, signal));
}

export async function historyArrived(sessions: Sessions): Promise<boolean> {
  const count = async (session: Sessions['erp'], table: string) =>
    Number((await session.query(`SELECT count(*) AS n FROM ${table}`)).rows[0]?.n);
  const tills = async (table: string) =>
    Number(((await sessions.pos.query(`SELECT COUNT(*) AS n FROM ${table}`)) as { n: bigint }[])[0]?.n);
  const pairs: [Promise<number>, Promise<number>][] = [
    [tills('tlog_ln'), count(sessions.reporting, 'reporting.sale_line')],
    [tills('tlog_hdr'), count(sessions.reporting, 'reporting.sale')],
    [tills('tlog_ln'), count(sessions.erp, 'erp.stk_mvmt')],
    [tills('cust'), count(sessions.crm, 'crm.mbr')],
    [tills('prc'), count(sessions.erp, 'erp.prc')],
    [count(sessions.erp, 'erp.stk'), count(sessions.reporting, 'reporting.stock_level')],
  ];
  for (const [left, right] of pairs) if ((await left) !== (await right)) return false;
  return true;
}

async function trade(day: Day, options: DayOptions, observer: DayObserver): Promise<void> {
  const ends = [options.signal, AbortSignal.timeout(options.tradeSeconds * 1000)];
  const closing = AbortSignal.any(options.closing === undefined ? ends : [...ends, options.closing]);
  await Promise.all([day.workload.trade(closing), observer.trading?.(day, closing)]);
}

/** Open orders are finished, then nobody writes: whatever still moves in the canonical topics then goes round in circles. */
async function settle(day: Day, signal: AbortSignal): Promise<number> {
  await day.workload.finish(AbortSignal.any([signal, AbortSignal.timeout(SETTLE_PATIENCE_MS)]));
  return withAdmin(day, async (admin) => {
    const end = await comeToRest(admin, signal);
    await pause(QUIET_MS);
    return Number((await canonicalEnd(admin)) - end);
  });
}

async function withAdmin<T>({ deployment }: Day, work: (admin: LogAdmin) => Promise<T>): Promise<T> {
  const admin = await openLogAdmin(deployment);
  try {
    return await work(admin);
  } finally {
    await admin.close();
  }
}

/** Where the canonical topics end once nothing has been added for a second. */
export async function comeToRest(admin: LogAdmin, signal: AbortSignal): Promise<bigint> {
  let before = await canonicalEnd(admin);
  await until('the canonical topics come to rest', SETTLE_PATIENCE_MS, signal, async () => {
    await pause(1_000);
    const now = await canonicalEnd(admin);
    const rested = now === before;
    before = now;
    return rested;
  });
  return before;
}

export async function canonicalEnd(admin: LogAdmin): Promise<bigint> {
  let end = 0n;
  for (const topic of await canonicalTopics(admin)) for (const bound of await admin.bounds(topic)) end += bound.latest;
  return end;
}

async function measure(
  day: Day,
  parts: {
    history: Awaited<ReturnType<typeof loadHistory>>;
    seconds: Partial<Record<StageName, number>>;
    verified: VerifyResult;
    quietRecords: number;
  },
): Promise<DayReport> {
  const topics = await withAdmin(day, recordsByTopic);
  return reportOf({
    ...parts,
    topics,
    workers: day.workers.views(),
    did: day.workload.counts,
    stock: await stockAccuracy(day.sessions),
    points: await pointsFreshness(day.sessions, day.workload.journal),
    flow: await flowCounts(day.sessions),
  });
}

async function recordsByTopic(admin: LogAdmin): Promise<Record<string, number>> {
  const records: Record<string, number> = {};
  for (const topic of await canonicalTopics(admin)) {
    const bounds = await admin.bounds(topic);
    records[topic] = bounds.reduce((sum, bound) => sum + Number(bound.latest - bound.earliest), 0);
  }
  return records;
}

/** Awaits a condition; a limit that passes is an error naming the condition. */
export async function until(
  what: string,
  patienceMs: number,
  signal: AbortSignal,
  holds: () => Promise<boolean>,
): Promise<void> {
  const deadlineMs = Date.now() + patienceMs;
  while (!(await holds())) {
    signal.throwIfAborted();
    if (Date.now() > deadlineMs) {
      throw new TransientError({
        code: 'DEMO_NOT_SETTLED',
        message: `not so after ${patienceMs / 1000} s: ${what}`,
        hint: 'the logs of all workers and servers are in the folder logs of the state directory',
      });
    }
    await pause(250);
  }
}
