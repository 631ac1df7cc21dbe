/** Source commit to target commit: latency at fixed shares of the highest rate, and how fast a backlog drains. */
import type { Connection } from 'mariadb';
import { peerTunings } from '../sink/contestants.ts';
import { tableSql, TABLE } from '../sink/shape.ts';
import { type BenchDatabase, openBenchDatabase } from '../support/bench-database.ts';
import { openTills, sell, setUpSystems, startCapture } from '../support/captured-sales.ts';
import type { BenchContext, Comparison, Measured } from '../support/context.ts';
import { startPeerConnect } from '../support/peer-connect.ts';
import type { CaseResult, ContestantResult, Figures, Goal } from '../support/result.ts';
import { alternate } from '../support/rounds.ts';
import { endlessSaleLines, type SaleLine } from '../support/sale-lines.ts';
import { type Servers, startServers } from '../support/servers.ts';
import { median } from '../support/stats.ts';
import { until } from '../support/until.ts';
import { startWorker } from '../support/worker-process.ts';
import { type Chain, OURS, ourChain, PEER, PEER_TABLE, peerChain, peerTableSql } from './chains.ts';
import { type CommitTimes, watchCommits } from './commit-times.ts';
import { distribution, type Journal, latencies, sellSteadily } from './latency.ts';

const SIZES = {
  full: { backlog: 1_000_000, backlogRounds: 2, seconds: 15, lines: 1_500_000 },
  quick: { backlog: 10_000, backlogRounds: 1, seconds: 3, lines: 100_000 },
};
const SHARES = { full: [0.1, 0.5, 0.8], quick: [0.5] };
const IDLE_PER_SECOND = 4;
const BACKLOG = 'backlog';
const caseAt = (share: number): string => `at ${share * 100} %`;
const IDLE = 'idle, single changes';
const CATCH_UP_LIMIT_MS = 900_000;

const goals: readonly Goal[] = [
  { text: 'idle, one change: p50 ms', case: IDLE, metric: 'p50', of: OURS, atMost: 60 },
  { text: 'at half the highest rate: p50 ms', case: caseAt(0.5), metric: 'p50', of: OURS, atMost: 100 },
  { text: 'at half the highest rate: p99 ms', case: caseAt(0.5), metric: 'p99', of: OURS, atMost: 400 },
  {
    text: 'at half the highest rate: p99, ours to the peer',
    case: caseAt(0.5),
    metric: 'p99',
    of: OURS,
    to: PEER,
    atMost: 1,
  },
];

export const endToEnd: Comparison = {
  name: 'end-to-end',
  title: 'End to end, source commit to target commit',
  about:
    'Sale lines committed in the tills’ MariaDB until they are committed in a PostgreSQL store. The clock starts just before the commit is sent ' +
    'and stops when the target tells that it has committed. Shares are of the rate at which our chain drained its backlog. The peer writes Debezium’s events as ' +
    'they are: it has no canonical step and less to do.',
  metrics: [
    { name: 'p50', label: 'p50 ms', unit: 'ms', better: 'less' },
    { name: 'p95', label: 'p95 ms', unit: 'ms', better: 'less' },
    { name: 'p99', label: 'p99 ms', unit: 'ms', better: 'less' },
    { name: 'p999', label: 'p99.9 ms', unit: 'ms', better: 'less' },
    { name: 'max', label: 'max ms', unit: 'ms', better: 'less' },
    { name: 'rate', label: 'records/s', unit: '1/s', better: 'more' },
    { name: 'cpu', label: 'CPU µs/record', unit: 'µs', better: 'less', digits: 1 },
  ],
  chart: { kind: 'bars', metric: 'p99' },
  goals,
  run,
};

type Bench = {
  readonly servers: Servers;
  readonly database: BenchDatabase;
  readonly commits: CommitTimes;
  readonly tills: Connection;
  readonly lines: Iterator<SaleLine, never>;
  readonly signal: AbortSignal;
};

async function run(context: BenchContext): Promise<Measured> {
  const { signal, quick, say } = context;
  const sizes = quick ? SIZES.quick : SIZES.full;
  const databases = [
    { name: 'pos', kind: 'mariadb' as const },
    { name: 'store', kind: 'postgres' as const },
  ];
  const servers = await startServers('end-to-end', { databases, connect: true }, context);
  const started: { stop(): Promise<void> }[] = [];
  try {
    const database = await openStore(servers);
    const commits = await watchCommits(database, [TABLE, PEER_TABLE]);
    const deployment = await setUpSystems(servers, ['pos']);
    await startCapture(deployment);
    const { logDirectory } = servers;
    const processor = startWorker('processor', { logDirectory, profile: context.profile });
    const sink = startWorker('sink', { logDirectory, profile: context.profile });
    const peer = await startPeerConnect(servers, signal);
    started.push(processor, sink, peer);
    const tuning = peerTunings('postgres')[1];
    if (tuning === undefined) throw new Error('the peer has no tuned settings');
    const chains = [ourChain(servers, database, { processor, sink }), peerChain(database, peer, tuning)];
    const tills = await openTills(servers);
    const lines = await endlessSaleLines(sizes.lines);
    const bench: Bench = { servers, database, commits, tills, lines, signal };
    const drained = await drain(bench, chains, context.recordsOr(sizes.backlog), {
      ...context,
      rounds: sizes.backlogRounds,
      warmUps: 0,
    });
    const highest = median(drained.contestants[0]?.rounds.map(({ rate }) => rate ?? Number.NaN) ?? []);
    say(`highest sustained rate of our chain: ${Math.round(highest)} records/s`);
    const cases = await atRates(bench, chains, highest, sizes.seconds, { ...context, warmUps: quick ? 0 : 1 });
    await tills.end();
    await commits.close();
    await database.close();
    return { cases: [...cases, drained], remarks: [] };
  } finally {
    for (const one of started) await one.stop();
    await servers.stop();
  }
}

async function openStore(servers: Servers): Promise<BenchDatabase> {
  const database = await openBenchDatabase(servers, 'store', 'postgres');
  await database.query(tableSql('postgres', 10, TABLE));
  await database.query(peerTableSql);
  return database;
}

async function atRates(
  bench: Bench,
  chains: readonly Chain[],
  highest: number,
  seconds: number,
  context: BenchContext,
) {
  const loads = (context.quick ? SHARES.quick : SHARES.full).map((share) => ({
    name: caseAt(share),
    perSecond: Math.max(20, Math.round(highest * share)),
  }));
  const cases: CaseResult[] = [];
  for (const { name, perSecond } of [{ name: IDLE, perSecond: IDLE_PER_SECOND }, ...loads]) {
    const contestants = chains.map((chain) => ({
      ...described(chain),
      round: () => withChain(bench, chain, () => atRate(bench, chain, { perSecond, seconds })),
    }));
    cases.push(await alternate(name, `${perSecond} records/s for ${seconds} s`, contestants, context));
  }
  return cases;
}

const described = ({ name, role, note, settings }: Chain): Omit<ContestantResult, 'rounds'> => ({
  ...{ name, role, note, settings },
});

/** Takes the way up, waits until it has caught up what the other one's rounds left, measures, and leaves it. */
async function withChain(bench: Bench, chain: Chain, measure: () => Promise<Figures>): Promise<Figures> {
  await chain.start();
  try {
    await arrived(bench, chain, await sellSteadily(bench.tills, bench.lines, { perSecond: 50, seconds: 1, ...bench }));
    await bench.database.query(`TRUNCATE ${chain.target.table}`);
    bench.commits.forget();
    return await measure();
  } finally {
    await chain.release();
  }
}

async function atRate(bench: Bench, chain: Chain, load: { perSecond: number; seconds: number }): Promise<Figures> {
  const fromUs = chain.cpuUs();
  const journal = await sellSteadily(bench.tills, bench.lines, { ...load, signal: bench.signal });
  await arrived(bench, chain, journal);
  const cpu = (chain.cpuUs() - fromUs) / journal.size;
  const values = await latencies(bench.database, bench.commits, chain.target, journal);
  return { ...distribution(values), rate: journal.size / load.seconds, cpu };
}

const LAST_ROWS = 50;

/** Order is kept in each partition, and the last rows lie in all of them. */
async function arrived({ database, signal }: Bench, chain: Chain, journal: Journal): Promise<void> {
  const { table, basket, line } = chain.target;
  const last = [...journal.keys()].slice(-LAST_ROWS).map((key) => key.split('|'));
  const keys = last.map(([b, l]) => `('${b}', ${l})`).join(', ');
  let asked = 0;
  const ask = async () => {
    asked += 1;
    if (asked % 10 === 0) await chain.check();
    const rows = await database.query(`SELECT 1 FROM ${table} WHERE (${basket}::text, ${line}) IN (${keys})`);
    return rows.length === last.length ? true : undefined;
  };
  const limits = { limitMs: CATCH_UP_LIMIT_MS, signal, everyMs: 100 };
  await until(ask, `the last rows of ${chain.name}`, limits);
}

/** All written while Debezium stands still; then everything starts at once. */
function drain(bench: Bench, chains: readonly Chain[], records: number, context: BenchContext): Promise<CaseResult> {
  const contestants = chains.map((chain) => ({ ...described(chain), round: () => drainOnce(bench, chain, records) }));
  return alternate(BACKLOG, `${records} changes written while Debezium was stopped`, contestants, context);
}

async function drainOnce(bench: Bench, chain: Chain, records: number): Promise<Figures> {
  const { servers, database, commits, tills, lines } = bench;
  const capture = `${servers.stack.connect.url}/connectors/seam-pos`;
  const order = async (word: 'stop' | 'resume') => void (await fetch(`${capture}/${word}`, { method: 'PUT' }));
  await order('stop');
  await database.query(`TRUNCATE ${chain.target.table}`);
  const backlog = Array.from({ length: records }, () => lines.next().value);
  await sell(tills, backlog);
  const journal: Journal = new Map(backlog.map(({ basketId, lineNumber }) => [`${basketId}|${lineNumber}`, 0]));
  await chain.start();
  try {
    const fromUs = chain.cpuUs();
    const fromMs = performance.now();
    await order('resume');
    await arrived(bench, chain, journal);
    const rate = (records * 1_000) / (performance.now() - fromMs);
    const cpu = (chain.cpuUs() - fromUs) / records;
    await latencies(database, commits, chain.target, journal);
    return { rate, cpu };
  } finally {
    await chain.release();
  }
}
