/**
 * Keeps the workers of one machine running: one process for the processors and one for each target, so that a fault in one
 * system stops no other. A worker that dies is started again; a worker whose supervisor dies stops by itself.
 *
 *     starting → running → (died) → waiting → starting …      stopping → stopped
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fchmodSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Condition, Sighting } from '../core/condition.ts';
import { boundedEnvironment, type Environment, heapBounds } from './worker-memory.ts';

/** What a worker tells about itself, twice a second. */
export type WorkerStatus = {
  readonly state: 'running' | 'degraded' | 'failed' | 'paused';
  readonly reason?: string;
  /** Totals since the process started; names are the worker's own. */
  readonly counters: Readonly<Record<string, number>>;
  /** As it stands now: lag in records, records set aside. */
  readonly gauges: Readonly<Record<string, number>>;
  /** What is wrong with its topics or its target. */
  readonly sightings?: readonly Sighting[];
};

/** The same as its supervisor gets it: with the time since when each condition holds. */
export type WorkerReport = Omit<WorkerStatus, 'sightings'> & { readonly conditions: readonly Condition[] };

/** A worker's last word: why its process ends. */
export type WorkerFailure = { readonly failure: Condition };

export type WorkerView = {
  readonly name: string;
  readonly pid: number | null;
  readonly starts: number;
  /** null while the process starts, and after its end. */
  readonly status: WorkerReport | null;
  /** What it failed of last; undefined while it runs. */
  readonly failure: Condition | undefined;
  /** Counters summed over all starts, so that a restart does not lose what was counted. */
  readonly totals: Readonly<Record<string, number>>;
};

const RESTART_PAUSE_MS_MIN = 200;
const RESTART_PAUSE_MS_MAX = 5_000;
const STEADY_MS = 10_000;
/** A machine that is busy with other work starts processes slowly. */
const START_PATIENCE_MS = 180_000;
const STOP_PATIENCE_MS = 15_000;
const CONFIG_EXIT_CODE = 2;

export type WorkerOptions = {
  readonly deploymentFile: string;
  readonly logDirectory: string;
  /** The workers', with bounds of their memory where it says nothing of them. */
  readonly environment: Environment;
  /** For Node itself, before the program: a fault test shifts a worker's clock with it. */
  readonly nodeArguments?: readonly string[];
};

export class WorkerSupervisor {
  readonly #options: WorkerOptions;
  readonly #workers = new Map<string, Worker>();

  constructor(options: WorkerOptions) {
    this.#options = options;
    mkdirSync(options.logDirectory, { recursive: true, mode: 0o700 });
  }

  /** `commands`: worker name → arguments of `seam run`. Resolves when every worker has reported for the first time. */
  async start(commands: Readonly<Record<string, readonly string[]>>, timeoutMs = START_PATIENCE_MS): Promise<void> {
    for (const [name, args] of Object.entries(commands)) {
      const worker = new Worker(name, args, this.#options);
      this.#workers.set(name, worker);
      worker.start();
    }
    const deadlineMs = Date.now() + timeoutMs;
    while (this.views().some((view) => view.status === null)) {
      if (Date.now() > deadlineMs) {
        const silent = this.views().filter((view) => view.status === null);
        throw new Error(
          `workers did not start: ${silent.map(({ name, failure }) => `${name}${failure === undefined ? '' : `: ${failure.text} [${failure.id}]`}`).join(', ')}; see ${this.#options.logDirectory}`,
        );
      }
      await pause(50);
    }
  }

  views(): WorkerView[] {
    return [...this.#workers.values()].map((worker) => worker.view());
  }

  /** For fault tests: SIGKILL, as a crash would. Returns the killed process id. */
  kill(name: string): number | null {
    return this.#workers.get(name)?.kill() ?? null;
  }

  /** One worker, which stays down until it is started again. */
  async halt(name: string): Promise<void> {
    await this.#workers.get(name)?.stop();
    this.#workers.delete(name);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#workers.values()].map((worker) => worker.stop()));
  }
}

class Worker {
  readonly #name: string;
  readonly #args: readonly string[];
  readonly #options: WorkerOptions;
  readonly #before: Record<string, number> = {};
  #child: ChildProcess | null = null;
  #status: WorkerReport | null = null;
  #failure: Condition | undefined;
  #starts = 0;
  #stopping = false;
  #pauseMs = RESTART_PAUSE_MS_MIN;

  constructor(name: string, args: readonly string[], options: WorkerOptions) {
    this.#name = name;
    this.#args = args;
    this.#options = options;
  }

  start(): void {
    const log = openSync(join(this.#options.logDirectory, `${this.#name}.log`), 'a', 0o600);
    fchmodSync(log, 0o600); // a log of an earlier version was open to everybody
    const program = join(import.meta.dirname, '..', 'cli', 'main.ts');
    const startedMs = Date.now();
    this.#starts += 1;
    const child = spawn(
      process.execPath,
      [
        ...heapBounds(this.#options.environment),
        ...(this.#options.nodeArguments ?? []),
        program,
        'run',
        ...this.#args,
        '--deployment',
        this.#options.deploymentFile,
      ],
      { stdio: ['ignore', log, log, 'ipc'], env: boundedEnvironment(this.#options.environment) },
    );
    child.on('message', (message) => {
      this.#heard(message as WorkerReport | WorkerFailure);
    });
    child.on('exit', (code) => this.#exited(code, Date.now() - startedMs));
    this.#child = child;
  }

  #heard(message: WorkerReport | WorkerFailure): void {
    if ('failure' in message) this.#failure = message.failure;
    else {
      this.#status = message;
      this.#failure = undefined;
    }
  }

  #exited(code: number | null, livedMs: number): void {
    for (const [name, count] of Object.entries(this.#status?.counters ?? {})) {
      this.#before[name] = (this.#before[name] ?? 0) + count;
    }
    this.#child = null;
    this.#status = null;
    if (this.#stopping || code === CONFIG_EXIT_CODE) return;
    this.#pauseMs = livedMs > STEADY_MS ? RESTART_PAUSE_MS_MIN : Math.min(this.#pauseMs * 2, RESTART_PAUSE_MS_MAX);
    setTimeout(() => {
      if (!this.#stopping) this.start();
    }, this.#pauseMs);
  }

  view(): WorkerView {
    const totals: Record<string, number> = { ...this.#before };
    for (const [name, count] of Object.entries(this.#status?.counters ?? {}))
      totals[name] = (totals[name] ?? 0) + count;
    return {
      name: this.#name,
      pid: this.#child?.pid ?? null,
      starts: this.#starts,
      status: this.#status,
      failure: this.#failure,
      totals,
    };
  }

  kill(): number | null {
    const pid = this.#child?.pid ?? null;
    this.#child?.kill('SIGKILL');
    return pid;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    const child = this.#child;
    if (child === null) return;
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_PATIENCE_MS);
    await exited;
    clearTimeout(timer);
  }
}
