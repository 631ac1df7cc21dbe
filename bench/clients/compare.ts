/** Kafka clients on our own load: canonical records read, and written again exactly once, through core/ports.ts. */
import type { LogAdmin } from '../../core/ports.ts';
import { fillTopics, PARTITIONS } from '../sink/fill.ts';
import { readOutput } from '../translate/answers.ts';
import type { BenchContext, Comparison, Measured } from '../support/context.ts';
import { cpuUsOf } from '../support/cpu.ts';
import { watchGroup } from '../support/group-watch.ts';
import type { CaseResult, Figures, Goal } from '../support/result.ts';
import { alternate, type Contestant } from '../support/rounds.ts';
import { readSaleLines } from '../support/sale-lines.ts';
import { type Servers, startServers } from '../support/servers.ts';
import { startWorker, type WorkerProcess } from '../support/worker-process.ts';
import type { FloorOrder } from '../workers/floor.ts';

const RECORDS = { full: 300_000, quick: 20_000 };
const CORE = 0;
const KAFKAJS = 'kafkajs';
const PLAIN = 'kafkajs, at least once';
const PLATFORMATIC = '@platformatic/kafka';
const READ = 'read';
const REPEAT = 'read and write';

const goals: readonly Goal[] = [
  {
    text: 'the shipped client to the other, reading',
    case: READ,
    metric: 'cpu',
    of: KAFKAJS,
    to: PLATFORMATIC,
    atMost: 1,
  },
  {
    text: 'the shipped client to the other, both',
    case: REPEAT,
    metric: 'cpu',
    of: KAFKAJS,
    to: PLATFORMATIC,
    atMost: 1,
  },
];

export const clients: Comparison = {
  name: 'clients',
  title: 'Kafka clients behind our port',
  about:
    'Canonical sale lines with their metadata header, read by one process on one core; then read and written again in transactions of 10,000 that ' +
    'carry the input’s offsets. kafkajs is the client that ships, with the repairs of `adapters/kafka`; the other one is as thin as it can be.',
  metrics: [
    { name: 'rate', label: 'records/s on one core', unit: '1/s', better: 'more' },
    { name: 'cpu', label: 'CPU µs/record', unit: 'µs', better: 'less', digits: 1 },
  ],
  chart: { kind: 'bars', metric: 'cpu' },
  goals,
  run,
};

type Bench = {
  readonly servers: Servers;
  readonly admin: LogAdmin;
  readonly worker: WorkerProcess;
  readonly input: string;
  /** With the markers of its partitions. */
  readonly records: number;
  readonly signal: AbortSignal;
};

async function run(context: BenchContext): Promise<Measured> {
  const { signal, quick } = context;
  const lines = await readSaleLines(context.recordsOr(quick ? RECORDS.quick : RECORDS.full));
  const servers = await startServers('clients', { databases: [], connect: false }, context);
  let worker: WorkerProcess | undefined;
  try {
    const changes = lines.map((line) => ({ line, version: 0, gone: false }));
    const { canonical } = await fillTopics(servers, 'clients', changes, {
      ...{ width: 10, firstPosition: 1, kinds: ['canonical'] },
    });
    worker = startWorker('floor', {
      logDirectory: servers.logDirectory,
      core: CORE,
      profile: context.profile,
    });
    const admin = await servers.log.admin();
    const records = changes.length + 2 * PARTITIONS;
    const bench: Bench = { servers, admin, worker, input: canonical, records, signal };
    const cases = [await compareCase(bench, READ, context), await compareCase(bench, REPEAT, context)];
    await admin.close();
    const remark =
      '`@confluentinc/kafka-javascript` is not measured: it fetches a prebuilt binary from outside the package registry when it is installed.';
    return { cases, remarks: [remark] };
  } finally {
    await worker?.stop();
    await servers.stop();
  }
}

function compareCase(bench: Bench, name: string, context: BenchContext): Promise<CaseResult> {
  const repeats = name === REPEAT;
  const contestant = (client: string, about: Partial<FloorOrder>, note: string): Contestant => ({
    ...{ name: client, role: client === PLATFORMATIC ? 'peer' : client === PLAIN ? 'floor' : 'ours', note },
    round: () => round(bench, about, repeats),
  });
  const all = [
    contestant(KAFKAJS, { client: 'shipped' }, 'the client that ships'),
    contestant(PLATFORMATIC, { client: 'platformatic' }, 'a thin adapter to the same port'),
  ];
  if (repeats) all.push(contestant(PLAIN, { client: 'shipped', isExact: false }, 'the same without transactions'));
  const about = `${bench.records} canonical records, ${PARTITIONS} partitions${repeats ? ', transactions of 10,000' : ''}`;
  return alternate(name, about, all, context);
}

let rounds = 0;

async function round(bench: Bench, about: Partial<FloorOrder>, repeats: boolean): Promise<Figures> {
  const { servers, admin, worker, input, records, signal } = bench;
  rounds += 1;
  const groupId = `bench-${rounds}`;
  const output = `bench.repeated.${rounds}`;
  if (repeats) await admin.createTopics([{ topic: output, partitions: PARTITIONS }]);
  const brokers = servers.stack.kafka.bootstrapServers;
  const order: FloorOrder = {
    brokers,
    groupId,
    input,
    partitions: PARTITIONS,
    ...about,
    ...(repeats ? { output } : {}),
  };
  try {
    const figures = await watchGroup({
      ...{ admin, groupId, topic: input, records, signal },
      begin: () => worker.order(order),
      check: () => worker.check(),
      cpuUs: () => cpuUsOf([worker.pid]),
    });
    if (repeats) {
      const found = await readOutput(servers.log, output, { least: records, signal });
      if (found.records !== records) throw new Error(`wrong answer: ${found.records} records instead of ${records}`);
    }
    return figures;
  } finally {
    await worker.release();
  }
}
