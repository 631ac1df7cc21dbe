/** Memory of our workers under a steady load, for as long as asked: flat, or a leak. */
import { setTimeout as pause } from 'node:timers/promises';
import { memoryMibOf } from '../support/cpu.ts';
import { openTills, setUpSystems, startCapture } from '../support/captured-sales.ts';
import { openBenchDatabase } from '../support/bench-database.ts';
import type { BenchContext, Comparison, Measured } from '../support/context.ts';
import { ourChain } from '../end-to-end/chains.ts';
import { sellSteadily } from '../end-to-end/latency.ts';
import { tableSql, TABLE } from '../sink/shape.ts';
import type { CaseResult } from '../support/result.ts';
import { endlessSaleLines } from '../support/sale-lines.ts';
import { startServers } from '../support/servers.ts';
import { startWorker, type WorkerProcess } from '../support/worker-process.ts';

const PER_SECOND = { full: 500, quick: 100 };
const SAMPLES = 60;
const SECONDS = { hour: 3_600, quick: 15 };
const WARM_SHARE = 0.2;

const last = `sample ${SAMPLES}`;

export const memory: Comparison = {
  name: 'memory',
  title: 'Memory of a worker over time',
  about:
    'The chain of tills to store under a steady load; resident memory of the processor and of the sink, sixty samples over the run.',
  onlyByName: true,
  metrics: [{ name: 'mib', label: 'resident MiB', unit: 'MiB', better: 'less' }],
  chart: { kind: 'lines', metric: 'mib', axis: 'sample, sixty over the run' },
  goals: ['processor', 'sink'].flatMap((of) => [
    { text: `${of}: MiB at the end`, case: last, metric: 'mib', of, atMost: 256 },
    {
      text: `${of}: at the end to after a fifth`,
      case: last,
      toCase: `sample ${SAMPLES * WARM_SHARE}`,
      metric: 'mib',
      of,
      to: of,
      atMost: 1.1,
    },
  ]),
  run,
};

async function run(context: BenchContext): Promise<Measured> {
  const { quick, hours, signal } = context;
  const seconds = quick ? SECONDS.quick : hours * SECONDS.hour;
  const perSecond = quick ? PER_SECOND.quick : PER_SECOND.full;
  const databases = [
    { name: 'pos', kind: 'mariadb' as const },
    { name: 'store', kind: 'postgres' as const },
  ];
  const servers = await startServers('memory', { databases, connect: true }, context);
  const { logDirectory } = servers;
  const processor = startWorker('processor', { logDirectory, profile: context.profile });
  const sink = startWorker('sink', { logDirectory, profile: context.profile });
  try {
    const database = await openBenchDatabase(servers, 'store', 'postgres');
    await database.query(tableSql('postgres', 10, TABLE));
    await startCapture(await setUpSystems(servers, ['pos']));
    const chain = ourChain(servers, database, { processor, sink });
    await chain.start();
    const lines = await endlessSaleLines(Math.ceil(seconds * perSecond));
    const sampling = sample({ processor, sink }, (seconds * 1_000) / SAMPLES, context);
    const tills = await openTills(servers);
    await sellSteadily(tills, lines, { perSecond, seconds, signal });
    const cases = await sampling;
    await chain.check();
    await tills.end();
    await chain.release();
    await database.close();
    return { cases, remarks: [`${perSecond} records/s for ${seconds / 60} minutes`] };
  } finally {
    await processor.stop();
    await sink.stop();
    await servers.stop();
  }
}

async function sample(
  workers: Readonly<Record<'processor' | 'sink', WorkerProcess>>,
  everyMs: number,
  { signal, say }: BenchContext,
): Promise<CaseResult[]> {
  const cases: CaseResult[] = [];
  for (let at = 1; at <= SAMPLES; at += 1) {
    await pause(everyMs, undefined, { signal });
    const contestants = Object.entries(workers).map(([name, worker]) => ({
      ...{ name, role: 'ours' as const, settings: {} },
      rounds: [{ mib: memoryMibOf(worker.pid) }],
    }));
    say(
      `memory ${at}/${SAMPLES}: ${contestants.map(({ name, rounds }) => `${name} ${Math.round(rounds[0]?.mib ?? 0)} MiB`).join(', ')}`,
    );
    cases.push({ name: `sample ${at}`, about: '', contestants });
  }
  return cases;
}
