/** Sink comparisons: our sink, the Debezium JDBC sink and the database's own ceiling, on the same rows of one target. */
import type { DialectName } from '../../core/target.ts';
import { type BenchDatabase, openBenchDatabase } from '../support/bench-database.ts';
import type { BenchContext, Comparison, Measured } from '../support/context.ts';
import { type PeerConnect, startPeerConnect } from '../support/peer-connect.ts';
import type { CaseResult, Figures, Goal, Metric } from '../support/result.ts';
import { alternate, type Contestant } from '../support/rounds.ts';
import { readSaleLines } from '../support/sale-lines.ts';
import { startServers } from '../support/servers.ts';
import { startWorker, type WorkerProcess } from '../support/worker-process.ts';
import { ledgerCeiling, makeCeilingTables, rowGuardCeiling, stage } from './ceiling.ts';
import { expectedAfter, type SinkCase, sinkCases } from './changes.ts';
import { ourRound, peerRound, peerTunings, type SinkBench } from './contestants.ts';
import { fillTopics, type Topics } from './fill.ts';
import { Answers, clear, keep, makeTable, putBack } from './state.ts';

const RECORDS = { full: 100_000, fullWide: 30_000, quick: 6_000, quickWide: 4_000 };
const OURS = 'Seam';
const LEDGER_CEILING = 'inside the database';
const ROW_CEILING = 'inside the database, guard in the row';

export const sinkMetrics: readonly Metric[] = [
  { name: 'rate', label: 'records/s', unit: '1/s', better: 'more' },
  { name: 'clientCpu', label: 'client CPU µs/record', unit: 'µs', better: 'less', digits: 1 },
  { name: 'databaseCpu', label: 'database CPU µs/record', unit: 'µs', better: 'less', digits: 1 },
];

export function sinkComparison(dialect: DialectName, title: string): Comparison {
  return {
    name: `sink-${dialect}`,
    title: `Sink into ${title}`,
    about:
      `Canonical records into ${title}, from the first row in the target to the last. Ours keeps every row behind its source position, ` +
      'with ledger, row and offset in one transaction; the JDBC sink has no guard and commits its offsets apart.',
    metrics: sinkMetrics,
    chart: { kind: 'bars', metric: 'rate' },
    goals: sinkGoals(dialect),
    run: (context) => runSinkComparison(dialect, context),
  };
}

/** Goals of the reporting store stand for a guard in its rows; it is written like every other target (docs/decisions/0011). */
function sinkGoals(dialect: DialectName): Goal[] {
  const [plain = '', ...tuned] = peerTunings(dialect).map(({ name }) => name);
  const isPostgres = dialect === 'postgres';
  return ['insert', 'update'].flatMap((name) => {
    const goal = (text: string, to: string | readonly string[], atLeast: number): Goal => {
      return { text: `${name}: ${text}`, case: name, metric: 'rate', of: OURS, to, atLeast };
    };
    return [
      goal('ours to the JDBC sink at its best', tuned, 3),
      ...(isPostgres ? [goal('ours to the JDBC sink with its defaults', plain, 5)] : []),
      goal('ours to what the database does alone', LEDGER_CEILING, 0.7),
      ...(isPostgres ? [goal('reporting store: ours to the JDBC sink at its best', tuned, 5)] : []),
      ...(isPostgres ? [goal('reporting store: ours to the database alone, guard in the row', ROW_CEILING, 0.7)] : []),
    ];
  });
}

async function runSinkComparison(dialect: DialectName, context: BenchContext): Promise<Measured> {
  const { quick, signal, say } = context;
  const lines = await readSaleLines(context.recordsOr(quick ? RECORDS.quick : RECORDS.full));
  const all = sinkCases(lines, quick ? RECORDS.quickWide : RECORDS.fullWide);
  const cases = quick ? all.filter(({ name }) => name === 'insert' || name === 'update') : all;
  const database = { name: `on${dialect}`, kind: dialect };
  const servers = await startServers(`sink-${dialect}`, { databases: [database], connect: false }, context);
  let peer: PeerConnect | undefined;
  let target: BenchDatabase | undefined;
  let worker: WorkerProcess | undefined;
  try {
    target = await openBenchDatabase(servers, database.name, dialect);
    peer = await startPeerConnect(servers, signal);
    worker = startWorker('sink', { logDirectory: servers.logDirectory, profile: context.profile });
    const bench = { servers, database: target, worker, signal };
    const results: CaseResult[] = [];
    for (const one of cases) {
      say(`${dialect} ${one.name}: ${one.changes.length} records`);
      results.push(await runCase(bench, peer, one, context));
    }
    return { cases: results, remarks: [] };
  } finally {
    await worker?.stop();
    await peer?.stop();
    await target?.close();
    await servers.stop();
  }
}

let filled = 0;

async function runCase(bench: SinkBench, peer: PeerConnect, one: SinkCase, context: BenchContext): Promise<CaseResult> {
  const { database } = bench;
  await makeTable(database, one.width);
  await clear(database);
  if (one.base.length > 0) await layBase(bench, one);
  await keep(database);
  await makeCeilingTables(database, one.base, one.width);
  await stage(database, one.changes, one.width);
  const topics = await fill(bench, one, one.changes, one.base.length + 1);
  const everybody = contestantsOf(bench, peer, one, topics);
  // a quick run has time for the extremes only
  const inQuick = [
    OURS,
    LEDGER_CEILING,
    ...peerTunings(database.dialect)
      .map(({ name }) => name)
      .slice(0, 2),
  ];
  const contestants = context.quick ? everybody.filter(({ name }) => inQuick.includes(name)) : everybody;
  return alternate(one.name, `${one.changes.length} records; ${one.about}`, contestants, context);
}

/** By our own sink, so that ledger and rows belong together. */
async function layBase(bench: SinkBench, one: SinkCase): Promise<void> {
  const topics = await fill(bench, one, one.base, 1);
  await ourRound(bench, { topics, width: one.width, records: one.base.length });
  await bench.database.query(`DELETE FROM shop.sale_line WHERE sale_id LIKE 'first-%' OR sale_id LIKE 'last-%'`);
}

function fill(
  { servers }: SinkBench,
  { width }: SinkCase,
  changes: SinkCase['changes'],
  firstPosition: number,
): Promise<Topics> {
  filled += 1;
  return fillTopics(servers, `sale-line-${filled}`, changes, { width, firstPosition });
}

function contestantsOf(bench: SinkBench, peer: PeerConnect, one: SinkCase, topics: Topics): Contestant[] {
  const { database } = bench;
  const { width, changes } = one;
  const records = changes.length;
  const answers = new Answers(expectedAfter(one));
  const fromTheSameState =
    (round: () => Promise<Figures>, isChecked = true) =>
    async () => {
      await putBack(database);
      const figures = await round();
      if (isChecked) await answers.check(database, width);
      return figures;
    };
  const peers = peerTunings(database.dialect).map(
    (tuning): Contestant => ({
      name: tuning.name,
      role: 'peer',
      settings: { ...tuning.settings, ...(tuning.url === '' ? {} : { 'connection.url': tuning.url.slice(1) }) },
      note: tuning.note,
      round: fromTheSameState(() => peerRound(bench, peer, { tuning, topics, records })),
    }),
  );
  const rowCeiling: Contestant = {
    name: ROW_CEILING,
    role: 'ceiling',
    note: 'batches of 2,000 from a table beside, one statement and one transaction each',
    round: fromTheSameState(() => rowGuardCeiling(database, records, width), false),
  };
  return [
    {
      name: OURS,
      role: 'ours',
      note: 'one worker, its defaults',
      round: fromTheSameState(() => ourRound(bench, { topics, width, records })),
      profiled: async () => {
        await fromTheSameState(() => ourRound(bench, { topics, width, records, isProfiled: true }))();
        return bench.worker.report()?.profile ?? [];
      },
    },
    ...peers,
    {
      name: LEDGER_CEILING,
      role: 'ceiling',
      note: 'batches of 2,000 from a table beside, ledger and rows in one transaction each',
      round: fromTheSameState(() => ledgerCeiling(database, records, width)),
    },
    ...(changes.some(({ gone }) => gone) ? [] : [rowCeiling]),
  ];
}
