/** A worker in a process of its own, so that its processor time is its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import path from 'node:path';
import { HEAP_BOUNDS, MALLOC_ARENAS } from '../../ops/worker-memory.ts';
import type { TimeShare } from './time-shares.ts';
import { until } from './until.ts';

/** What is asked of a worker, and what it tells: see bench/workers. */
export type WorkerReport = {
  readonly state: string;
  readonly reason?: string;
  readonly figures?: Readonly<Record<string, number>>;
  /** Once released from a piece of work that was profiled. */
  readonly profile?: readonly TimeShare[];
};

export type WorkerProcess = {
  readonly pid: number;
  /** The next piece of work; `release` ends it and waits until it has ended. */
  order(order: object, options?: { readonly isProfiled?: boolean }): void;
  release(): Promise<void>;
  readonly report: () => WorkerReport | undefined;
  /** Throws when the process has ended or says that it failed. */
  check(): void;
  stop(): Promise<void>;
};

const STOP_PATIENCE_MS = 15_000;
/** Pinned to one core, "per core" is meant; elsewhere than on Linux the word is left out and said so. */
export const onCore = (core: number | undefined, command: readonly string[]): readonly string[] =>
  core === undefined || process.platform !== 'linux' ? command : ['taskset', '-c', String(core), ...command];

export type ProcessOptions = {
  readonly logDirectory: string;
  readonly core?: number;
  /** Also writes where its processor time went, when it ends: for the DevTools of a browser. */
  readonly profile?: boolean;
};

export function startWorker(name: string, options: ProcessOptions): WorkerProcess {
  const program = path.join(import.meta.dirname, '..', 'workers', `${name}.ts`);
  const profiling = options.profile ? ['--cpu-prof', `--cpu-prof-dir=${path.join(options.logDirectory, name)}`] : [];
  const command = ['env', `MALLOC_ARENA_MAX=${MALLOC_ARENAS}`, process.execPath, ...HEAP_BOUNDS, ...profiling, program];
  return startProgram(name, command, options);
}

export function startProgram(name: string, command: readonly string[], options: ProcessOptions): WorkerProcess {
  mkdirSync(options.logDirectory, { recursive: true });
  const logFile = path.join(options.logDirectory, `${name}.log`);
  const log = openSync(logFile, 'a');
  const [file, ...args] = onCore(options.core, command) as [string, ...string[]];
  const stdio = ['ignore', log, log, 'ipc'] as const;
  const child = spawn(file, args, { stdio: [...stdio] });
  closeSync(log);
  let report: WorkerReport | undefined;
  let failure: string | undefined;
  child.on('error', (error) => {
    failure = error.message;
  });
  child.on('message', (message) => {
    report = message as WorkerReport;
  });
  return {
    pid: child.pid ?? Number.NaN,
    report: () => report,
    order(order, options) {
      report = undefined;
      child.send({ order, ...options });
    },
    async release() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      report = undefined;
      child.send({});
      const isIdle = () => (report?.state === 'idle' || child.exitCode !== null ? true : undefined);
      await until(isIdle, `${name} to end its work`, {
        limitMs: STOP_PATIENCE_MS,
        signal: new AbortController().signal,
      });
    },
    check() {
      const ended = child.exitCode ?? child.signalCode;
      if (failure !== undefined) throw new Error(`${name} did not start: ${failure}`);
      if (ended !== null) throw new Error(`${name} ended with ${ended}; its log: ${path.basename(logFile)}`);
      if (report?.state === 'failed') throw new Error(`${name} failed: ${report.reason}`);
    },
    stop: () => stopChild(child),
  };
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_PATIENCE_MS);
  await ended;
  clearTimeout(timer);
}
