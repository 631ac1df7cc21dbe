/** Who writes: our sink, and the Debezium JDBC sink as it comes and as its documentation tunes it. */
import type { DialectName } from '../../core/target.ts';
import type { BenchDatabase } from '../support/bench-database.ts';
import { cpuUsOf } from '../support/cpu.ts';
import type { PeerConnect } from '../support/peer-connect.ts';
import type { Figures } from '../support/result.ts';
import type { Servers } from '../support/servers.ts';
import type { WorkerProcess } from '../support/worker-process.ts';
import type { SinkOrder } from '../workers/sink.ts';
import { PARTITIONS, type Topics } from './fill.ts';
import { watchRound } from './round.ts';
import { TABLE, type Width } from './shape.ts';

export type SinkBench = {
  readonly servers: Servers;
  readonly database: BenchDatabase;
  readonly worker: WorkerProcess;
  readonly signal: AbortSignal;
};

type OurRound = {
  readonly topics: Topics;
  readonly width: Width;
  readonly records: number;
  readonly isProfiled?: boolean;
};

let runs = 0;

export async function ourRound(
  { servers, database, worker, signal }: SinkBench,
  { topics, width, records, isProfiled = false }: OurRound,
): Promise<Figures> {
  runs += 1;
  const order: SinkOrder = {
    dialect: database.dialect,
    connection: database.sink,
    brokers: servers.stack.kafka.bootstrapServers,
    registryUrl: servers.stack.registry.url,
    topics: [topics.canonical],
    width,
    groupId: `bench-sink-${runs}`,
  };
  worker.order(order, { isProfiled });
  try {
    return await watchRound({
      ...{ database, records, partitions: PARTITIONS, signal },
      check: () => worker.check(),
      clientCpuUs: () => cpuUsOf([worker.pid]),
    });
  } finally {
    await worker.release();
  }
}

export type PeerTuning = {
  readonly name: string;
  readonly note: string;
  readonly url: string;
  readonly settings: Readonly<Record<string, string>>;
  /** Reads times as text with their zone. */
  readonly zoned?: boolean;
};

const throughput = {
  'tasks.max': String(PARTITIONS),
  'batch.size': '5000',
  'consumer.override.max.poll.records': '5000',
  'consumer.override.fetch.min.bytes': '65536',
  'consumer.override.max.partition.fetch.bytes': '8388608',
};

/** `reWriteBatchedInserts` is PostgreSQL's own driver's setting for batches; MariaDB's driver has its bulk protocol on by itself. */
export function peerTunings(dialect: DialectName): readonly PeerTuning[] {
  const plain = { name: 'JDBC sink, default', note: 'Debezium JDBC sink with its own defaults', url: '', settings: {} };
  const tuned = {
    name: 'JDBC sink, tuned',
    note: 'larger batches and fetches, a task for each partition, the driver told to batch',
    url: dialect === 'postgres' ? '&reWriteBatchedInserts=true' : '',
    settings: throughput,
  };
  const reduced = {
    name: 'JDBC sink, tuned + reduction',
    note: 'as tuned, and only the last version of a key in a batch is written',
    url: tuned.url,
    settings: { ...throughput, 'use.reduction.buffer': 'true' },
  };
  const unnest = {
    name: 'JDBC sink, tuned + unnest',
    note: 'as tuned with reduction, rows sent as arrays; its times are texts with a zone, since it refuses numbers of microseconds',
    zoned: true,
    url: tuned.url,
    settings: { ...reduced.settings, 'dialect.postgres.unnest.insert.enabled': 'true' },
  };
  return dialect === 'postgres' ? [plain, tuned, reduced, unnest] : [plain, tuned, reduced];
}

export async function peerRound(
  { database, signal }: SinkBench,
  peer: PeerConnect,
  { tuning, topics, records }: { tuning: PeerTuning; topics: Topics; records: number },
): Promise<Figures> {
  runs += 1;
  const connector = `jdbc-${runs}`;
  await peer.start(
    connector,
    jdbcSettings(database, tuning, { topic: tuning.zoned ? topics.zoned : topics.flat, table: TABLE }),
  );
  try {
    return await watchRound({
      ...{ database, records, partitions: PARTITIONS, signal },
      check: () => peer.check(connector),
      clientCpuUs: peer.cpuUs,
    });
  } finally {
    await peer.remove(connector);
  }
}

export function jdbcSettings(
  { jdbcUrl, dialect, sink }: BenchDatabase,
  { settings, url }: PeerTuning,
  { topic, table }: { topic: string; table: string },
): Record<string, string> {
  return {
    'connector.class': 'io.debezium.connector.jdbc.JdbcSinkConnector',
    'tasks.max': '1',
    topics: topic,
    'connection.url': `${jdbcUrl}${url}`,
    'connection.username': sink.user,
    'connection.password': sink.password,
    'insert.mode': 'upsert',
    'delete.enabled': 'true',
    'primary.key.mode': 'record_key',
    'schema.evolution': 'none',
    'collection.name.format': dialect === 'postgres' ? table : (table.split('.')[1] as string),
    ...settings,
  };
}
