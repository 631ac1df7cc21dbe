/**
 * The local stack: Kafka, Connect, the registry and one database server per system, without Docker.
 *
 * Every call may be repeated and may die at any point: what runs is in the state file, what is missing gets started, what
 * is left over gets ended. One command at a time works on one state directory; any number of state directories may run.
 */
import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { databaseAccount, reachableDirectory } from './account.ts';
import { isDirectory } from './artifacts.ts';
import { describe, type StackDescription } from './description.ts';
import { type StackProgress, silent } from './events.ts';
import { withFileLock } from './file-lock.ts';
import { prepareEnvironment, type Run, settleState, startServices } from './run.ts';
import { readStackSettings, type StackSettings } from './settings.ts';
import { type DatabaseSpec, StateFile } from './state.ts';
import { stopRecords } from './stop.ts';
import { endStrays, stopProcess } from './supervisor.ts';
import { startWatchdog } from './watch.ts';

export type { StackDatabase, StackDescription, StackProcess } from './description.ts';
export { expectedServices, readStack } from './description.ts';
export type { StackEvent, StackProgress } from './events.ts';
export type { DatabaseKind, DatabaseSpec } from './state.ts';

export type StartOptions = {
  stateDirectory: string;
  databases: readonly DatabaseSpec[];
  progress?: StackProgress;
  /** A test names itself here: when that process dies, the stack and its files go too. */
  ownerPid?: number;
  /** Ends what this call has started, then rejects. */
  signal?: AbortSignal;
  settings?: StackSettings;
  /** The only services to start, by name (`kafka`, `postgres-erp`): for a restart, or a test that needs no more. */
  only?: readonly string[];
};

export type StopOptions = {
  stateDirectory: string;
  progress?: StackProgress;
  /** Also remove databases, topics and logs. */
  removeData?: boolean;
};

const lockWaitMsMax = 600_000;

/** Idempotent: reuses what runs and starts what is missing, also a system that was not there the first time. */
export async function startStack(options: StartOptions): Promise<StackDescription> {
  const { signal, progress = silent, settings = readStackSettings(process.env) } = options;
  const stateDirectory = path.resolve(options.stateDirectory);
  return withStackLock(stateDirectory, { progress, signal }, async () => {
    const stateFile = StateFile.readOrCreate(stateDirectory);
    const databases = [...stateFile.state.databases, ...options.databases];
    const environment = await prepareEnvironment(databases, { settings, progress, signal });
    const wasRunning = await settleState(stateFile, options.databases);
    if (options.ownerPid !== undefined && !wasRunning) await startWatchdog(stateFile, options.ownerPid, settings);
    const run: Run = { stateFile, environment, progress, signal, only: options.only, started: [] };
    try {
      await startServices(run);
    } catch (error) {
      if (signal?.aborted) await stopRecords(stateFile, run.started, progress);
      throw error;
    }
    return describe(stateFile.state);
  });
}

/** Leaves no process and no socket, whatever became of the command that started them. */
export async function stopStack(options: StopOptions): Promise<void> {
  const stateDirectory = path.resolve(options.stateDirectory);
  const progress = options.progress ?? silent;
  if (!(await isDirectory(stateDirectory))) return;
  await withStackLock(stateDirectory, { progress }, async () => {
    const stateFile = StateFile.readOrCreate(stateDirectory);
    await stopRecords(stateFile, stateFile.state.processes, progress);
    await endStrays(stateFile);
  });
  if (options.removeData !== true) return;
  const postgresFolder = await reachableDirectory(path.join(stateDirectory, 'postgres'), await databaseAccount());
  for (const folder of [postgresFolder, stateDirectory]) await rm(folder, { recursive: true, force: true });
}

/** For fault tests: `SIGKILL` for a crash, nothing for an orderly stop. Its data and its port stay. */
export async function stopService(stateDirectory: string, name: string, signal?: NodeJS.Signals): Promise<void> {
  await withStackLock(path.resolve(stateDirectory), { progress: silent }, async () => {
    const stateFile = StateFile.readOrCreate(path.resolve(stateDirectory));
    const record = stateFile.state.processes.find((process) => process.name === name);
    if (record !== undefined) await stopProcess(stateFile, record, signal);
  });
}

/** Stops the service if it runs, then starts it on the same port with the same data, and waits until it is ready. */
export async function restartService(stateDirectory: string, name: string, signal?: NodeJS.Signals): Promise<void> {
  await stopService(stateDirectory, name, signal);
  await startStack({ stateDirectory, databases: [], only: [name] });
}

function withStackLock<Result>(
  stateDirectory: string,
  { progress, signal }: { progress: StackProgress; signal?: AbortSignal | undefined },
  work: () => Promise<Result>,
): Promise<Result> {
  mkdirSync(stateDirectory, { recursive: true, mode: process.getuid?.() === 0 ? 0o711 : 0o700 });
  const onWait = () => progress({ type: 'waiting', reason: 'another seam stack command is at work here' });
  return withFileLock(path.join(stateDirectory, 'stack.lock'), { waitMsMax: lockWaitMsMax, onWait, signal }, work);
}
