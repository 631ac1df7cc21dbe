/** What the machine says of every worker and server, every few seconds: memory, open files, threads, lag, size of the topics. */
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { canonicalEnd } from '../../demo/day.ts';
import { openLogAdmin } from '../../ops/log.ts';
import { postgresTargets, rowsOf } from '../faults/audit.ts';
import { type FaultChain, processTree } from '../faults/chain.ts';

export type ProcessSample = {
  readonly pid: number;
  readonly rssMb: number;
  readonly files: number;
  readonly threads: number;
};
export type Sample = {
  readonly atMs: number;
  /** Worker or server → its process, a server's with all it has started. */
  readonly processes: Readonly<Record<string, ProcessSample>>;
  readonly lagRecords: number;
  readonly waiting: number;
  /** Log that PostgreSQL keeps for the slots. */
  readonly slotMb: number;
  readonly topicsMb: number;
  readonly canonicalRecords: number;
};

export async function takeSample(chain: FaultChain, atMs: number): Promise<Sample> {
  const views = chain.workers.views();
  const processes: Record<string, ProcessSample> = {};
  for (const { name, pid } of views) {
    const sample = pid === null ? null : await processSample([pid]);
    if (sample !== null) processes[name] = sample;
  }
  for (const [name, pid] of await serverPids(chain)) {
    const sample = await processSample(await processTree(pid));
    if (sample !== null) processes[name] = sample;
  }
  const gauge = (name: string) => views.reduce((sum, { status }) => sum + (status?.gauges[name] ?? 0), 0);
  return {
    atMs,
    processes,
    lagRecords: gauge('lag'),
    waiting: gauge('waiting'),
    slotMb: await unlessAway(slotMb(chain)),
    topicsMb: await unlessAway(folderMb(path.join(chain.stateDirectory, 'kafka', 'log'))),
    canonicalRecords: await unlessAway(canonicalRecords(chain)),
  };
}

/** A sample is taken in the middle of a fault, too: what does not answer is not measured. */
const unlessAway = (read: Promise<number>): Promise<number> =>
  Promise.race([read, new Promise<number>((resolve) => setTimeout(resolve, 5_000, Number.NaN))]).catch(
    () => Number.NaN,
  );

async function serverPids(chain: FaultChain): Promise<[string, number][]> {
  const state = JSON.parse(await readFile(path.join(chain.stateDirectory, 'state.json'), 'utf8'));
  return (state.processes as { name: string; pid: number }[])
    .filter(({ name }) => name !== 'watchdog')
    .map(({ name, pid }) => [name, pid]);
}

async function processSample(pids: readonly number[]): Promise<ProcessSample | null> {
  const sum = { rssKb: 0, files: 0, threads: 0 };
  for (const pid of pids) {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    // memory that a server's processes share is counted once, with its first process
    const shared = pid === pids[0] ? 0 : Number(/RssShmem:\s+(\d+)/.exec(status)?.[1] ?? 0);
    sum.rssKb += Math.max(0, Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) - shared);
    sum.threads += Number(/Threads:\s+(\d+)/.exec(status)?.[1] ?? 0);
    sum.files += (await readdir(`/proc/${pid}/fd`).catch(() => [])).length;
  }
  const [pid] = pids;
  if (pid === undefined || sum.rssKb === 0) return null;
  return { pid, rssMb: Math.round(sum.rssKb / 102.4) / 10, files: sum.files, threads: sum.threads };
}

async function slotMb(chain: FaultChain): Promise<number> {
  let bytes = 0;
  for (const target of postgresTargets) {
    const rows = await rowsOf<{ n: string | null }>(
      chain.sessions,
      target,
      'SELECT max(pg_current_wal_lsn() - restart_lsn)::text AS n FROM pg_replication_slots',
    );
    bytes += Number(rows[0]?.n ?? 0);
  }
  return Math.round(bytes / 104_857.6) / 10;
}

async function folderMb(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.log')) continue;
    bytes += (await stat(path.join(entry.parentPath, entry.name)).catch(() => ({ size: 0 }))).size;
  }
  return Math.round(bytes / 104_857.6) / 10;
}

async function canonicalRecords(chain: FaultChain): Promise<number> {
  const admin = await openLogAdmin(chain.direct);
  try {
    return Number(await canonicalEnd(admin));
  } finally {
    await admin.close();
  }
}

export type Trend = {
  readonly name: string;
  readonly samples: number;
  readonly firstMb: number;
  readonly lastMb: number;
  readonly mbPerMinute: number;
  readonly filesFirst: number;
  readonly filesLast: number;
};

/** Least squares over the samples of the process that lived last, from `fromMs` on. */
export function trendsOf(samples: readonly Sample[], fromMs: number): Trend[] {
  const names = [...new Set(samples.flatMap(({ processes }) => Object.keys(processes)))].sort();
  return names.flatMap((name) => {
    const last = samples.findLast(({ processes }) => processes[name] !== undefined)?.processes[name];
    const own = samples.filter(({ atMs, processes }) => atMs >= fromMs && processes[name]?.pid === last?.pid);
    const points = own.map(({ atMs, processes }) => [atMs / 60_000, processes[name]?.rssMb ?? 0] as const);
    const [first, end] = [own[0]?.processes[name], own.at(-1)?.processes[name]];
    if (first === undefined || end === undefined || points.length < 3) return [];
    return [
      {
        name,
        samples: points.length,
        firstMb: first.rssMb,
        lastMb: end.rssMb,
        mbPerMinute: Math.round(slope(points) * 100) / 100,
        filesFirst: first.files,
        filesLast: end.files,
      },
    ];
  });
}

function slope(points: readonly (readonly [number, number])[]): number {
  const mean = (index: 0 | 1) => points.reduce((sum, point) => sum + point[index], 0) / points.length;
  const [meanX, meanY] = [mean(0), mean(1)];
  let [covariance, variance] = [0, 0];
  for (const [x, y] of points) {
    covariance += (x - meanX) * (y - meanY);
    variance += (x - meanX) ** 2;
  }
  return variance === 0 ? 0 : covariance / variance;
}
