/** The order of things: what is prepared first, which service waits for which, and what happens when one does not come up. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError, TransientError } from '../core/errors.ts';
import { type Account, databaseAccount } from './account.ts';
import { type ArtifactOptions, type ComponentDirectories, ensureComponents } from './artifacts.ts';
import type { ComponentName } from './components.ts';
import { secretsDirectoryOf } from './description.ts';
import type { StackProgress } from './events.ts';
import { findJava } from './java.ts';
import { choosePorts } from './ports.ts';
import { isAlive } from './process-identity.ts';
import { connectService } from './services/connect.ts';
import { randomPassword, serviceNameOf } from './services/database.ts';
import { kafkaService } from './services/kafka.ts';
import { mariadbComponent, mariadbService } from './services/mariadb.ts';
import { postgresService } from './services/postgres.ts';
import { registryService } from './services/registry.ts';
import type { Service, ServiceContext } from './services/service.ts';
import { settle } from './settle.ts';
import type { StackSettings } from './settings.ts';
import type { DatabaseSpec, ProcessRecord, StateFile } from './state.ts';
import { endStrays, serviceMark, spawnService, stopProcess, waitUntilReady } from './supervisor.ts';

const fixedPorts = ['kafka', 'kafka-controller', 'connect', 'registry'];
const javaComponents: ComponentName[] = [
  'kafka',
  'avro-converter',
  'debezium-postgres',
  'debezium-mariadb',
  'registry',
];
const startAttemptsMax = 3;
const pauseMs = 1_000;

export type Environment = {
  settings: StackSettings;
  java: string;
  components: ComponentDirectories;
  account: Account | undefined;
};

export type Run = {
  stateFile: StateFile;
  environment: Environment;
  progress: StackProgress;
  signal: AbortSignal | undefined;
  only: readonly string[] | undefined;
  /** What this call has started, to be ended again when it is interrupted. */
  started: ProcessRecord[];
};

/** Everything that may be missing on a machine is found out here, before the first process starts. */
export async function prepareEnvironment(
  databases: readonly DatabaseSpec[],
  options: ArtifactOptions,
): Promise<Environment> {
  const java = await findJava(options.settings);
  const account = await databaseAccount();
  const needsMariadb = databases.some(({ kind }) => kind === 'mariadb');
  const names = needsMariadb ? [...javaComponents, mariadbComponent()] : javaComponents;
  const components = await ensureComponents(names, options);
  return { settings: options.settings, java: java.file, components, account };
}

/** Brings the state file in line with reality and with what is asked for. Resolves with whether anything was running. */
export async function settleState(stateFile: StateFile, databases: readonly DatabaseSpec[]): Promise<boolean> {
  const { state } = stateFile;
  const alive = await Promise.all(state.processes.map(isAlive));
  const running = state.processes.filter((_, index) => alive[index]);
  for (const database of databases) refuseOtherKind(state.databases, database);
  stateFile.change((state) => {
    state.processes = running;
    if (running.length === 0) state.startedAt = new Date().toISOString();
    for (const { name, kind } of databases) {
      if (state.databases.some((known) => known.name === name)) continue;
      state.databases.push({ name, kind, adminPassword: randomPassword() });
    }
  });
  await endStrays(stateFile);
  await settlePorts(stateFile);
  return running.length > 0;
}

function refuseOtherKind(known: readonly DatabaseSpec[], asked: DatabaseSpec): void {
  const same = known.find(({ name }) => name === asked.name);
  if (same === undefined || same.kind === asked.kind) return;
  throw new ConfigError({
    code: 'DATABASE_KIND_CHANGED',
    message: `the database "${asked.name}" exists here as ${same.kind}, and is asked for as ${asked.kind}`,
    where: `system ${asked.name}`,
    hint: 'use another --state-directory, or remove this one: seam stack down --remove-data --yes',
  });
}

/** A running service keeps its ports; one that does not run gets its old ones when nobody has taken them meanwhile. */
async function settlePorts(stateFile: StateFile): Promise<void> {
  const { databases, ports, processes } = stateFile.state;
  const runningPorts = processes.flatMap(({ name }) => (name === 'kafka' ? ['kafka', 'kafka-controller'] : [name]));
  const wanted = [...fixedPorts, ...databases.map(serviceNameOf)].filter((name) => !runningPorts.includes(name));
  const chosen = await choosePorts(wanted, ports);
  stateFile.change((state) => {
    state.ports = { ...state.ports, ...chosen };
  });
}

/** Kafka first; the registry and Connect when it answers. Databases wait for nobody. */
export async function startServices(run: Run): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(run);
    } catch (error) {
      run.signal?.throwIfAborted();
      if (attempt === startAttemptsMax || !(await portsWereTaken(run))) throw error;
    }
  }
}

async function startOnce(run: Run): Promise<void> {
  const context = contextOf(run);
  const { databases } = run.stateFile.state;
  const wanted = (service: Service) => run.only === undefined || run.only.includes(service.name);
  const start = async (services: Service[]) =>
    settle(services.filter(wanted).map((service) => startService(service, run)));
  const servers = await Promise.all(
    databases.map((database, index) =>
      database.kind === 'postgres' ? postgresService(context, database) : mariadbService(context, database, index),
    ),
  );
  const engine = async () => {
    await start([kafkaService(context)]);
    await start([registryService(context), connectService(context)]);
  };
  await settle([engine(), start(servers)]);
}

function contextOf(run: Run): ServiceContext {
  const { stateDirectory, state } = run.stateFile;
  const { settings } = run.environment;
  // Also on programs that only prepare something: they too outlive a starter that is killed.
  const baseEnvironment = { ...settings.baseEnvironment, [serviceMark]: stateDirectory };
  return {
    ...run.environment,
    settings: { ...settings, baseEnvironment },
    stateDirectory,
    secretsDirectory: secretsDirectoryOf(stateDirectory),
    ports: state.ports,
  };
}

async function startService(service: Service, run: Run): Promise<void> {
  const { stateFile, progress, signal } = run;
  const { probe, readyLimitMs: limitMs, name, address } = service;
  const running = stateFile.state.processes.find((record) => record.name === name);
  if (running !== undefined && (await isAlive(running))) {
    await waitUntilReady(running, { probe, limitMs, signal });
    return progress({ type: 'running', name, address });
  }
  signal?.throwIfAborted();
  const startedAtMs = Date.now();
  progress({ type: 'starting', name });
  await service.prepare();
  signal?.throwIfAborted();
  await spawnUntilReady(service, run);
  progress({ type: 'ready', name, durationMs: Date.now() - startedAtMs, address });
}

/**
 * A server that was killed may leave children that hold its memory or its files for a moment: then the next one ends at
 * once. That is worth another attempt; a port that was taken is not, it needs another port.
 */
async function spawnUntilReady(service: Service, run: Run): Promise<void> {
  const { probe, readyLimitMs: limitMs } = service;
  for (let attempt = 1; ; attempt++) {
    const record = await spawnService(run.stateFile, service.command());
    run.started.push(record);
    try {
      return await waitUntilReady(record, { probe, limitMs, signal: run.signal });
    } catch (error) {
      const endedByItself = error instanceof TransientError && error.code === 'SERVICE_ENDED';
      const portsFree = endedByItself && (await arePortsFree(service, run.stateFile));
      if (attempt === startAttemptsMax || !portsFree) throw error;
      await sleep(pauseMs, undefined, { signal: run.signal });
    }
  }
}

async function arePortsFree(service: Service, { state }: StateFile): Promise<boolean> {
  const chosen = await choosePorts(service.portNames, state.ports);
  return service.portNames.every((name) => chosen[name] === state.ports[name]);
}

/** Between choosing a port and binding it, somebody else may take it. Then, and only then, another attempt makes sense. */
async function portsWereTaken(run: Run): Promise<boolean> {
  const { stateFile } = run;
  const before = { ...stateFile.state.ports };
  await settleState(stateFile, []);
  const changed = Object.keys(before).filter((name) => before[name] !== stateFile.state.ports[name]);
  if (changed.some((name) => ['kafka', 'kafka-controller', 'registry'].includes(name))) {
    // Whoever was told the old address must hear the new one.
    const told = stateFile.state.processes.filter(({ name }) => name === 'connect' || name === 'registry');
    for (const record of told) await stopProcess(stateFile, record);
  }
  return changed.length > 0;
}
