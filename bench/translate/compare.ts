/** Change events to canonical records, exactly once: our processor, Kafka Streams, and the floor below both. */
import type { LogAdmin } from '../../core/ports.ts';
import { captured, openTills, RAW_TOPIC, sell, setUpSystems, startCapture } from '../support/captured-sales.ts';
import type { BenchContext, Comparison, Measured } from '../support/context.ts';
import { cpuUsOf } from '../support/cpu.ts';
import { watchGroup } from '../support/group-watch.ts';
import type { Figures, Goal } from '../support/result.ts';
import { alternate, type Contestant } from '../support/rounds.ts';
import { readSaleLines } from '../support/sale-lines.ts';
import { type Servers, startServers } from '../support/servers.ts';
import { startWorker, type WorkerProcess } from '../support/worker-process.ts';
import type { FloorOrder } from '../workers/floor.ts';
import type { ProcessorOrder } from '../workers/processor.ts';
import { Translations } from './answers.ts';
import { type StreamsProgram, startStreams } from './streams.ts';

const RECORDS = { full: 300_000, quick: 20_000 };
const CORE = 0;
const OURS = 'Seam';
const PLAIN = 'Seam, at least once';
const CASE = 'sale lines';

const goals: readonly Goal[] = [
  {
    text: 'ours to Kafka Streams, default',
    case: CASE,
    metric: 'rate',
    of: OURS,
    to: 'Kafka Streams, default',
    atLeast: 1,
  },
  {
    text: 'ours to Kafka Streams, tuned',
    case: CASE,
    metric: 'rate',
    of: OURS,
    to: 'Kafka Streams, tuned',
    atLeast: 1,
  },
  { text: 'records/s on one core', case: CASE, metric: 'rate', of: OURS, atLeast: 60_000 },
  { text: 'CPU µs a record', case: CASE, metric: 'cpu', of: OURS, atMost: 12 },
  { text: 'exactly once to at least once, CPU a record', case: CASE, metric: 'cpu', of: OURS, to: PLAIN, atMost: 1.1 },
];

export const translate: Comparison = {
  name: 'translate',
  title: 'Translate raw to canonical, exactly once',
  about:
    'Debezium’s change events of the tills’ sale lines to canonical sale lines, Avro on both sides, input offsets and output in one transaction, ' +
    'each contestant on one core. Ours also tells echoes from news and writes position, trace and source of every record; the peer only maps.',
  metrics: [
    { name: 'rate', label: 'records/s on one core', unit: '1/s', better: 'more' },
    { name: 'cpu', label: 'CPU µs/record', unit: 'µs', better: 'less', digits: 1 },
  ],
  chart: { kind: 'bars', metric: 'rate' },
  goals,
  run,
};

type Bench = {
  readonly servers: Servers;
  readonly admin: LogAdmin;
  readonly records: number;
  readonly answers: Translations;
  readonly signal: AbortSignal;
};

async function run(context: BenchContext): Promise<Measured> {
  const { signal, say, quick } = context;
  const lines = await readSaleLines(context.recordsOr(quick ? RECORDS.quick : RECORDS.full));
  const needs = { databases: [{ name: 'pos', kind: 'mariadb' as const }], connect: true };
  const servers = await startServers('translate', needs, context);
  const started: { stop(): Promise<void> }[] = [];
  try {
    const deployment = await setUpSystems(servers, ['pos']);
    await startCapture(deployment);
    const tills = await openTills(servers);
    await sell(tills, lines);
    await tills.end();
    await captured(servers, lines.length, signal);
    say(`${lines.length} change events captured`);
    const canonicalId = await servers.registry.registerCanonical('sale-line');
    const { logDirectory } = servers;
    const processor = startWorker('processor', { logDirectory, core: CORE, profile: context.profile });
    const floor = startWorker('floor', { logDirectory, core: CORE, profile: context.profile });
    started.push(processor, floor);
    const streams = await startStreams(servers, { canonicalId, core: CORE, signal });
    started.push(streams);
    const admin = await servers.log.admin();
    const bench = { servers, admin, records: lines.length, answers: new Translations(lines.length), signal };
    const about = `${lines.length} change events, two partitions, one process on one core`;
    const result = await alternate(CASE, about, contestants(bench, { processor, floor, streams }), context);
    await admin.close();
    return { cases: [result], remarks: [] };
  } finally {
    for (const one of started) await one.stop();
    await servers.stop();
  }
}

type Programs = { processor: WorkerProcess; floor: WorkerProcess; streams: StreamsProgram };

function contestants(bench: Bench, { processor, floor, streams }: Programs): Contestant[] {
  return [
    {
      name: OURS,
      role: 'ours',
      note: 'the processor with its defaults',
      round: () => ourRound(bench, processor),
      profiled: async () => {
        await ourRound(bench, processor, { isProfiled: true });
        return processor.report()?.profile ?? [];
      },
    },
    ...[false, true].map(
      (tuned): Contestant => ({
        name: `Kafka Streams, ${tuned ? 'tuned' : 'default'}`,
        role: 'peer',
        note: tuned ? 'larger commits, polls and batches' : 'its own defaults',
        settings: {
          'processing.guarantee': 'exactly_once_v2',
          'num.stream.threads': '1',
          ...(tuned ? tunedSettings : {}),
        },
        round: () => streamsRound(bench, streams, tuned),
      }),
    ),
    {
      name: PLAIN,
      role: 'floor',
      note: 'the same without transactions, which the product has no way of',
      round: () => ourRound(bench, processor, { isExact: false }),
    },
    {
      name: 'only repeats',
      role: 'floor',
      note: 'our client, exactly once: every record written again as it is',
      round: () => floorRound(bench, floor, true),
    },
    {
      name: 'only counts',
      role: 'floor',
      note: 'our client: reads, and commits how far',
      round: () => floorRound(bench, floor, false),
    },
  ];
}

/** As translate-streams.java sets them. */
const tunedSettings = {
  'commit.interval.ms': '1000',
  'buffered.records.per.partition': '10000',
  'max.poll.records': '5000',
  'batch.size': '262144',
  'linger.ms': '100',
};

let rounds = 0;

/** With as many partitions as the input has. */
async function newOutput({ admin }: Bench): Promise<string> {
  rounds += 1;
  const output = `bench.translated.${rounds}`;
  const { size } = new Map((await admin.bounds(RAW_TOPIC)).map((one) => [one.partition, one]));
  await admin.createTopics([{ topic: output, partitions: size }]);
  return output;
}

async function ourRound(
  bench: Bench,
  worker: WorkerProcess,
  { isProfiled = false, isExact = true } = {},
): Promise<Figures> {
  const { servers, answers, signal } = bench;
  const output = await newOutput(bench);
  const groupPrefix = `bench-${rounds}`;
  const order: ProcessorOrder = {
    brokers: servers.stack.kafka.bootstrapServers,
    registryUrl: servers.stack.registry.url,
    ...{ groupPrefix, output, isExact },
  };
  const begin = () => worker.order(order, { isProfiled });
  const figures = await watch(bench, `${groupPrefix}-canonicalize`, worker, begin);
  await worker.release();
  await answers.check(servers.log, output, signal);
  return figures;
}

async function streamsRound(bench: Bench, streams: StreamsProgram, tuned: boolean): Promise<Figures> {
  const output = await newOutput(bench);
  const applicationId = `bench-${rounds}`;
  const begin = () => streams.start({ applicationId, input: RAW_TOPIC, output, tuned });
  const figures = await watch(bench, applicationId, streams, begin);
  await streams.release();
  await bench.answers.check(bench.servers.log, output, bench.signal);
  return figures;
}

async function floorRound(bench: Bench, worker: WorkerProcess, repeats: boolean): Promise<Figures> {
  const output = await newOutput(bench);
  const groupId = `bench-${rounds}`;
  const order: FloorOrder = {
    brokers: bench.servers.stack.kafka.bootstrapServers,
    ...{ groupId, input: RAW_TOPIC },
    ...(repeats ? { output } : {}),
  };
  const figures = await watch(bench, groupId, worker, () => worker.order(order));
  await worker.release();
  return figures;
}

type Client = { readonly pid: number; check(): void };

function watch({ admin, records, signal }: Bench, groupId: string, client: Client, begin: () => void) {
  return watchGroup({
    ...{ admin, records, signal, groupId, topic: RAW_TOPIC, begin },
    check: () => client.check(),
    cpuUs: () => cpuUsOf([client.pid]),
  });
}
