/** What others may know about a running stack: addresses, accounts and processes. */
import path from 'node:path';
import { host } from './ports.ts';
import { isAlive } from './process-identity.ts';
import { mariadbAdmin } from './services/mariadb.ts';
import { postgresAdmin } from './services/postgres.ts';
import { serviceNameOf } from './services/database.ts';
import { type DatabaseKind, StateFile, type StackState } from './state.ts';

export type StackDatabase = {
  name: string;
  kind: DatabaseKind;
  host: string;
  port: number;
  adminUser: string;
  adminPassword: string;
  /** `postgres://…` or `mariadb://…`, to the database `name`. */
  adminUrl: string;
};

export type StackProcess = { name: string; pid: number; startedAt: string; logFile: string };

export type StackDescription = {
  stateDirectory: string;
  startedAt: string;
  kafka: { bootstrapServers: string };
  connect: { url: string };
  /** Confluent-compatible base, `…/apis/ccompat/v7`. */
  registry: { url: string };
  /** The only folder that Connect may read secrets from: `${dir:<secretsDirectory>:<file>}`. */
  secretsDirectory: string;
  databases: Record<string, StackDatabase>;
  processes: StackProcess[];
};

export const watchdogName = 'watchdog';

/** Null when no service of it runs. A stack of which one service is down is still described: look at `processes`. */
export async function readStack(stateDirectory: string): Promise<StackDescription | null> {
  const file = StateFile.read(path.resolve(stateDirectory));
  if (file === null) return null;
  const description = await describe(file.state);
  return description.processes.length === 0 ? null : description;
}

export async function describe(state: StackState): Promise<StackDescription> {
  const { stateDirectory, startedAt, ports } = state;
  const alive = await Promise.all(state.processes.map(isAlive));
  const running = state.processes.filter(({ name }, index) => alive[index] && name !== watchdogName);
  return {
    stateDirectory,
    startedAt,
    kafka: { bootstrapServers: `${host}:${ports.kafka}` },
    connect: { url: `http://${host}:${ports.connect}` },
    registry: { url: `http://${host}:${ports.registry}/apis/ccompat/v7` },
    secretsDirectory: secretsDirectoryOf(stateDirectory),
    databases: Object.fromEntries(
      state.databases.map((database) => [database.name, describeDatabase(database, ports)]),
    ),
    processes: running.map(({ name, pid, startedAt, logFile }) => ({ name, pid, startedAt, logFile })),
  };
}

export const secretsDirectoryOf = (stateDirectory: string): string => path.join(stateDirectory, 'secrets');

function describeDatabase(
  database: StackState['databases'][number],
  ports: Readonly<Record<string, number>>,
): StackDatabase {
  const { name, kind, adminPassword } = database;
  const port = ports[serviceNameOf(database)] ?? 0;
  const adminUser = kind === 'postgres' ? postgresAdmin : mariadbAdmin;
  const adminUrl = `${kind}://${adminUser}:${adminPassword}@${host}:${port}/${name}`;
  return { name, kind, host, port, adminUser, adminPassword, adminUrl };
}

/** Every service that a complete stack has, in the order in which people look for them. */
export function expectedServices(description: StackDescription): { name: string; address: string }[] {
  const databases = Object.values(description.databases).map((database) => ({
    name: serviceNameOf(database),
    address: `${database.kind}://${database.host}:${database.port}/${database.name}`,
  }));
  return [
    { name: 'kafka', address: description.kafka.bootstrapServers },
    { name: 'registry', address: description.registry.url },
    { name: 'connect', address: description.connect.url },
    ...databases,
  ];
}
