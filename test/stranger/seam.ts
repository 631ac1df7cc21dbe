/** Seam as a person uses it: command lines, and `seam run` in a terminal of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { currentStackSettings } from '../../stack/settings.ts';

export type Answer = {
  readonly args: readonly string[];
  readonly code: number | null;
  /** All that it printed. */
  readonly out: string;
  /** What of it went to standard error: a failed command's complaint, without the plan that it printed before. */
  readonly complaint: string;
  readonly seconds: number;
};

/** On a machine that is not slow. */
export const COMMAND_MS_MAX = 150_000;
/** Workers that something stands in the way of keep trying. */
const START_MS_MAX = 25_000;

export class Seam {
  readonly #node: string;
  readonly #folder: string;
  readonly #deployment: string;
  readonly #logs: string;
  #workers: ChildProcess | undefined;
  #said = '';

  constructor(node: string, folder: string, deployment: string, logs: string) {
    this.#node = node;
    this.#folder = folder;
    this.#deployment = deployment;
    this.#logs = logs;
  }

  /** A command that does not end is ended, and says so. */
  async run(args: readonly string[], limitMs = COMMAND_MS_MAX): Promise<Answer> {
    const startedMs = Date.now();
    const child = this.#spawn(args);
    let out = '';
    child.stdout?.on('data', (chunk: Buffer) => (out += chunk));
    let complaint = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      out += chunk;
      complaint += chunk;
    });
    const timer = setTimeout(() => {
      out += `\n(still at work after ${limitMs / 1000} s: ended)`;
      child.kill('SIGINT');
      setTimeout(() => child.kill('SIGKILL'), 10_000).unref();
    }, limitMs);
    const code = await new Promise<number | null>((done) => child.once('close', done));
    clearTimeout(timer);
    return { args, code, out, complaint: code === 0 ? '' : complaint, seconds: (Date.now() - startedMs) / 1000 };
  }

  /** Workers that can't start keep trying; what they say is in their logs. */
  async startWorkers(): Promise<void> {
    await mkdir(this.#logs, { recursive: true });
    const child = this.#spawn(['run', '--log-directory', this.#logs]);
    this.#workers = child;
    const end = () => void child.kill('SIGTERM');
    process.once('exit', end);
    child.once('exit', () => process.off('exit', end));
    this.#said = '';
    await new Promise<void>((done) => {
      const listen = (chunk: Buffer) => {
        this.#said += chunk;
        if (this.#said.includes('workers run')) done();
      };
      child.stdout?.on('data', listen);
      child.stderr?.on('data', listen);
      child.once('exit', () => done());
      setTimeout(done, START_MS_MAX).unref();
    });
  }

  async stopWorkers(): Promise<void> {
    const child = this.#workers;
    this.#workers = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const ended = new Promise((done) => child.once('exit', done));
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 40_000);
    await ended;
    clearTimeout(timer);
  }

  /** What `seam run` printed, and the workers' logs, by name. */
  async words(): Promise<Map<string, string>> {
    const words = new Map([['seam run', this.#said]]);
    for (const name of await readdir(this.#logs).catch(() => []))
      words.set(name.replace(/\.log$/, ''), await readFile(path.join(this.#logs, name), 'utf8'));
    return words;
  }

  async forgetWords(): Promise<void> {
    await rm(this.#logs, { recursive: true, force: true });
  }

  #spawn(args: readonly string[]): ChildProcess {
    return spawn(this.#node, ['cli/main.ts', ...args, '--deployment', this.#deployment], {
      cwd: this.#folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: currentStackSettings().baseEnvironment,
    });
  }
}
