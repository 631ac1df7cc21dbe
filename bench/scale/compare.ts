/** How our sink grows: with workers, partitions, tables, and rows that are there already. */
import { fillTopics, type Topics } from '../sink/fill.ts';
import { watchRound } from '../sink/round.ts';
import { TABLE, tableNamed, tableSql } from '../sink/shape.ts';
import { clear, rowsIn } from '../sink/state.ts';
import type { Change } from '../sink/changes.ts';
import { sinkMetrics } from '../sink/compare.ts';
import { type BenchDatabase, openBenchDatabase } from '../support/bench-database.ts';
import type { BenchContext, Comparison, Measured } from '../support/context.ts';
import { cpuUsOf } from '../support/cpu.ts';
import { type HeldShare, holdToShare } from '../support/cpu-share.ts';
import type { CaseResult, Figures } from '../support/result.ts';
import { alternate, type Contestant, reasonOf } from '../support/rounds.ts';
import { mixed, readSaleLines, type SaleLine } from '../support/sale-lines.ts';
import { type Servers, startServers } from '../support/servers.ts';
import { startWorker, type WorkerProcess } from '../support/worker-process.ts';
import type { SinkOrder } from '../workers/sink.ts';
import { layRows } from './rows.ts';
import { bends } from './bends.ts';

/** Workers get more: they join one after the other, which must not be what is measured. */
const FULL = {
  records: 100_000,
  recordsOfWorkers: 400_000,
  workers: [1, 2, 4],
  heldWorkers: [1, 2, 4],
  partitions: [1, 4, 16],
  tables: [1, 10, 100],
  rows: [100, 100_000, 10_000_000],
};
const QUICK = {
  records: 5_000,
  recordsOfWorkers: 8_000,
  workers: [],
  heldWorkers: [1, 2],
  partitions: [],
  tables: [10],
  rows: [10_000],
};
const OURS = 'Seam';
const DATABASE = 'onpostgres';
const WORKER_PARTITIONS = 4;
/** Of a core, for each worker: four with their database and broker need less than two cores then. */
const SHARE = 0.2;
const WORKERS = 'workers';
const HELD_WORKERS = `workers of ${SHARE} cores`;

export const scale: Comparison = {
  name: 'scale',
  title: 'Scale of the sink into PostgreSQL',
  about:
    'New rows only, but for the last series: updates of random rows among those that are there already. Workers share four partitions; everything ' +
    `else is one worker. Client, Kafka and database share the machine’s cores; where each worker is held to ${SHARE} of one, as a small ` +
    'container is, neither the machine nor the database is what limits them.',
  metrics: sinkMetrics,
  chart: { kind: 'lines', metric: 'rate', axis: 'workers, partitions, tables, or rows that were there' },
  goals: [
    {
      text: `two workers to one, each held to ${SHARE} cores`,
      case: `${HELD_WORKERS} 2`,
      toCase: `${HELD_WORKERS} 1`,
      metric: 'rate',
      of: OURS,
      to: OURS,
      atLeast: 1.8,
    },
  ],
  run,
};

type Bench = {
  readonly servers: Servers;
  readonly database: BenchDatabase;
  readonly workers: readonly WorkerProcess[];
  readonly lines: readonly SaleLine[];
  readonly context: BenchContext;
};
type Shape = {
  readonly workers: number;
  readonly partitions: number;
  readonly tables: number;
  /** Their number is what is compared. */
  readonly isShared?: boolean;
};

async function run(context: BenchContext): Promise<Measured> {
  const sizes = context.quick ? QUICK : FULL;
  const databases = [{ name: DATABASE, kind: 'postgres' as const }];
  const servers = await startServers('scale', { databases, connect: false }, context);
  const { logDirectory } = servers;
  const workers = Array.from({ length: Math.max(...sizes.heldWorkers) }, () =>
    startWorker('sink', { logDirectory, profile: context.profile }),
  );
  try {
    const database = await openBenchDatabase(servers, DATABASE, 'postgres');
    const all = await readSaleLines(context.recordsOr(sizes.recordsOfWorkers));
    const bench: Bench = { servers, database, workers, lines: all.slice(0, sizes.records), context };
    const ofWorkers: Bench = { ...bench, lines: all };
    const cases: CaseResult[] = await moreWorkers(ofWorkers, WORKERS, sizes.workers);
    const held = await heldWorkers(ofWorkers, sizes.heldWorkers);
    cases.push(...held.cases);
    for (const count of sizes.partitions)
      cases.push(await newRows(bench, `partitions ${count}`, { workers: 1, partitions: count, tables: 1 }));
    for (const count of sizes.tables)
      cases.push(await newRows(bench, `tables ${count}`, { workers: 1, partitions: 1, tables: count }));
    for (const count of sizes.rows) cases.push(await amongRows(bench, count));
    await database.close();
    return { cases, remarks: [...held.remarks, ...bends(cases)] };
  } finally {
    for (const worker of workers) await worker.stop();
    await servers.stop();
  }
}

/** One, two, four in turn on the same topic: their ratio is the question, so that what slows one round must slow its neighbours. */
async function moreWorkers(bench: Bench, kind: string, counts: readonly number[]): Promise<CaseResult[]> {
  if (counts.length === 0) return [];
  const { records, topics } = await fillTables(bench, { partitions: WORKER_PARTITIONS, tables: 1 });
  const contestants = counts.map((workers): Contestant => {
    const shape = { workers, partitions: WORKER_PARTITIONS, tables: 1, isShared: true };
    return {
      name: `${kind} ${workers}`,
      role: 'ours',
      round: () => newRowsRound(bench, topics, { ...shape, records }),
    };
  });
  const about = `${records} new rows; ${WORKER_PARTITIONS} partitions`;
  const together = await alternate('in turn', about, contestants, bench.context);
  return together.contestants.map((one) => ({ name: one.name, about, contestants: [{ ...one, name: OURS }] }));
}

async function heldWorkers(bench: Bench, counts: readonly number[]): Promise<Measured> {
  const held: HeldShare[] = [];
  try {
    const refusal = await holdAll(bench.workers, held);
    if (refusal === undefined) return { cases: await moreWorkers(bench, HELD_WORKERS, counts), remarks: [] };
    return { cases: [], remarks: [`${HELD_WORKERS}: not measured, since the system holds no process: ${refusal}`] };
  } finally {
    for (const share of held) await share.release();
  }
}

/** Adds to `held`; why the system didn't let it, if it didn't. */
async function holdAll(workers: readonly WorkerProcess[], held: HeldShare[]): Promise<string | undefined> {
  try {
    for (const { pid } of workers) held.push(await holdToShare(pid, SHARE));
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

async function newRows(bench: Bench, name: string, shape: Shape): Promise<CaseResult> {
  const { records, topics } = await fillTables(bench, shape);
  const round = () => newRowsRound(bench, topics, { ...shape, records });
  const about = `${records} new rows; ${shape.workers} workers, ${shape.partitions} partitions a topic, ${shape.tables} tables`;
  return alternate(name, about, [{ name: OURS, role: 'ours', round }], bench.context);
}

type Filled = { readonly records: number; readonly topics: readonly Topics[] };

async function fillTables(bench: Bench, shape: Omit<Shape, 'workers'>): Promise<Filled> {
  const { lines } = bench;
  await makeTables(bench, shape.tables);
  const perTable = Math.floor(lines.length / shape.tables);
  const topics: Topics[] = [];
  for (let table = 0; table < shape.tables; table += 1) {
    const own = lines
      .slice(table * perTable, (table + 1) * perTable)
      .map((line) => ({ line, version: 0, gone: false }));
    topics.push(await fill(bench, own, shape.partitions));
  }
  return { records: perTable * shape.tables, topics };
}

async function newRowsRound(
  bench: Bench,
  topics: readonly Topics[],
  shape: Shape & { records: number },
): Promise<Figures> {
  await clear(bench.database);
  await bench.database.query('CHECKPOINT');
  return workersRound(bench, topics, { ...shape, rows: shape.records });
}

/** A round can't be put back among ten million rows: each gets changes of its own, newer than the last. */
async function amongRows(bench: Bench, rows: number): Promise<CaseResult> {
  const { lines, context, database } = bench;
  await makeTables(bench, 1);
  await clear(database);
  await layRows(database, rows);
  const shape = { workers: 1, partitions: 1, tables: 1 };
  let salt = 0;
  const round = async () => {
    salt += 1;
    const changes = lines.map((line, index): Change => {
      const basketId = `row-${mixed(index, salt) % rows}`;
      return { line: { ...line, basketId, lineNumber: 1 }, version: salt, gone: false };
    });
    await database.query(`DELETE FROM ${TABLE} WHERE sale_id LIKE 'first-%' OR sale_id LIKE 'last-%'`);
    await database.query(`DELETE FROM seam.applied WHERE key LIKE 'first-%' OR key LIKE 'last-%'`);
    const topics = [await fill(bench, changes, shape.partitions, salt * 10 * lines.length)];
    await database.query('CHECKPOINT');
    return workersRound(bench, topics, { ...shape, records: changes.length, rows });
  };
  const about = `${lines.length} updates of random rows among ${rows}`;
  return alternate(`rows there already ${rows}`, about, [{ name: OURS, role: 'ours', round }], context);
}

async function makeTables({ database }: Bench, count: number): Promise<void> {
  const old = await database.query<{ t: string }>(
    `SELECT table_name AS t FROM information_schema.tables WHERE table_schema = 'shop'`,
  );
  for (const { t } of old) await database.query(`DROP TABLE shop.${t}`);
  for (let table = 0; table < count; table += 1) await database.query(tableSql('postgres', 10, tableNamed(table)));
}

let fills = 0;

function fill({ servers }: Bench, changes: readonly Change[], partitions: number, firstPosition = 1): Promise<Topics> {
  fills += 1;
  return fillTopics(servers, `scale-${fills}`, changes, { width: 10, firstPosition, partitions, kinds: ['canonical'] });
}

let rounds = 0;

async function workersRound(
  bench: Bench,
  topics: readonly Topics[],
  shape: Shape & { records: number; rows: number },
): Promise<Figures> {
  const { servers, database, context } = bench;
  rounds += 1;
  const order: SinkOrder = {
    ...{ dialect: 'postgres', connection: database.sink, width: 10, groupId: `bench-scale-${rounds}` },
    brokers: servers.stack.kafka.bootstrapServers,
    registryUrl: servers.stack.registry.url,
    topics: topics.map(({ canonical }) => canonical),
  };
  const workers = bench.workers.slice(0, shape.workers);
  for (const worker of workers) worker.order(order);
  try {
    const figures = await watchRound({
      ...{ database, records: shape.records, partitions: shape.partitions, signal: context.signal },
      tables: topics.map((_, index) => tableNamed(index)),
      check() {
        for (const worker of workers) worker.check();
      },
      clientCpuUs: () => cpuUsOf(workers.map(({ pid }) => pid)),
      ...(shape.isShared ? { haveAllBegun: () => workers.every(hasPartitions) } : {}),
    });
    await checkRows(database, shape);
    return figures;
  } finally {
    for (const worker of workers) await worker.release();
  }
}

function hasPartitions(worker: WorkerProcess): boolean {
  return (worker.report()?.figures?.partitions ?? 0) > 0;
}

/** Nothing lost, nothing twice: keys are primary keys, so a count is enough beside the markers that were seen. */
async function checkRows(
  database: BenchDatabase,
  { tables, partitions, rows }: Shape & { rows: number },
): Promise<void> {
  const names = Array.from({ length: tables }, (_, index) => tableNamed(index));
  const found = (await rowsIn(database, names)) - 2 * partitions * tables;
  if (found !== rows) throw new Error(`wrong answer: ${found} rows of ${rows}`);
}
