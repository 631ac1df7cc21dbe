/** The two ways from the tills to the store: through the canonical record, and straight. */
import { entities } from '../../avro/generated/entities.ts';
import type { BenchDatabase } from '../support/bench-database.ts';
import { RAW_TOPIC } from '../support/captured-sales.ts';
import { cpuUsOf } from '../support/cpu.ts';
import type { PeerConnect } from '../support/peer-connect.ts';
import type { Servers } from '../support/servers.ts';
import type { WorkerProcess } from '../support/worker-process.ts';
import { jdbcSettings, type PeerTuning } from '../sink/contestants.ts';
import { TABLE } from '../sink/shape.ts';
import type { ProcessorOrder } from '../workers/processor.ts';
import type { SinkOrder } from '../workers/sink.ts';
import type { TargetTable } from './latency.ts';

/** One way, which may be taken up and left again; what came meanwhile is caught up. */
export type Chain = {
  readonly name: string;
  readonly role: 'ours' | 'peer';
  readonly note: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly target: TargetTable;
  start(): Promise<void>;
  check(): Promise<void>;
  release(): Promise<void>;
  /** Of its own processes: Debezium works for both. */
  cpuUs(): number;
};

export const OURS = 'Debezium → Seam';
export const PEER = 'Debezium → JDBC sink';
/** As Debezium writes the tills' table: decimals are texts there. */
export const PEER_TABLE = 'shop.tlog_ln';
export const peerTableSql = `CREATE TABLE ${PEER_TABLE} (bskt_no bigint, ln_no smallint, str_cd text, cust_no text, prod_cd text, qty text,
  net_amt text, disc_amt text, typ_cd text, sold_ts timestamp, PRIMARY KEY (bskt_no, ln_no))`;

export function ourChain(
  { stack }: Servers,
  database: BenchDatabase,
  { processor, sink }: { processor: WorkerProcess; sink: WorkerProcess },
): Chain {
  const brokers = stack.kafka.bootstrapServers;
  const registryUrl = stack.registry.url;
  const { topic } = entities['sale-line'];
  const processorOrder: ProcessorOrder = { brokers, registryUrl, groupPrefix: 'bench-chain', output: topic };
  const sinkOrder: SinkOrder = {
    ...{
      dialect: 'postgres',
      connection: database.sink,
      brokers,
      registryUrl,
      topics: [topic],
      width: 10,
      groupId: 'bench-chain',
    },
  };
  return {
    name: OURS,
    role: 'ours',
    note: 'canonical step exactly once, sink with guard, ledger and offset in the transaction; two processes, defaults',
    settings: {},
    target: { table: TABLE, basket: 'sale_id', line: 'line_number' },
    async start() {
      processor.order(processorOrder);
      sink.order(sinkOrder);
    },
    async check() {
      processor.check();
      sink.check();
    },
    async release() {
      await processor.release();
      await sink.release();
    },
    cpuUs: () => cpuUsOf([processor.pid, sink.pid]),
  };
}

const CONNECTOR = 'jdbc-chain';

export function peerChain(database: BenchDatabase, peer: PeerConnect, tuning: PeerTuning): Chain {
  const settings = jdbcSettings(database, tuning, { topic: RAW_TOPIC, table: PEER_TABLE });
  return {
    name: PEER,
    role: 'peer',
    note: `change events written as they are, no canonical step, no guard; ${tuning.note}`,
    settings: tuning.settings,
    target: { table: PEER_TABLE, basket: 'bskt_no', line: 'ln_no' },
    start: () => peer.start(CONNECTOR, settings),
    check: () => peer.check(CONNECTOR),
    release: () => peer.remove(CONNECTOR),
    cpuUs: peer.cpuUs,
  };
}
