/**
 * Starts services as processes of their own, writes each down before anything else happens, and ends only those.
 *
 *   spawn ── written to state.json ── ready ── … ── stop signal ── (limit) ── SIGKILL ── removed from state.json
 *
 * A service outlives its starter; whoever comes next finds it in the state file, or by the mark in its environment.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError, TransientError } from '../core/errors.ts';
import { findByEnvironment, isAlive, type ProcessIdentity, startTokenOf } from './process-identity.ts';
import type { ProcessRecord, StateFile } from './state.ts';

/** Set in the environment of every service, with the state directory as its value. */
export const serviceMark = 'SEAM_STACK_SERVICE_OF';
const pollMs = 50;
const killWaitMsMax = 10_000;
const strayLimitMs = 10_000;

export type ServiceCommand = {
  name: string;
  file: string;
  args: readonly string[];
  env: Record<string, string>;
  cwd: string;
  account?: { uid: number; gid: number } | undefined;
  stopSignal: NodeJS.Signals;
  stopLimitMs: number;
};

/** Promises: when it returns, the process is in the state file. */
export async function spawnService(stateFile: StateFile, command: ServiceCommand): Promise<ProcessRecord> {
  const logFile = path.join(stateFile.stateDirectory, 'logs', `${command.name}.log`);
  mkdirSync(path.dirname(logFile), { recursive: true });
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn(command.file, command.args, {
    cwd: command.cwd,
    env: { ...command.env, [serviceMark]: stateFile.stateDirectory },
    detached: true,
    stdio: ['ignore', log, log],
    windowsHide: true,
    ...command.account,
  });
  closeSync(log);
  const pid = child.pid ?? (await failedSpawn(child, command));
  child.unref();
  const record: ProcessRecord = {
    name: command.name,
    pid,
    startToken: (await startTokenOf(pid)) ?? 'ended at once',
    startedAt: new Date().toISOString(),
    logFile,
    stopSignal: command.stopSignal,
    stopLimitMs: command.stopLimitMs,
  };
  stateFile.change((state) => {
    state.processes = [...state.processes.filter(({ name }) => name !== command.name), record];
  });
  return record;
}

async function failedSpawn(child: ChildProcess, command: ServiceCommand): Promise<never> {
  const cause = await new Promise<Error>((resolve) => child.once('error', resolve));
  throw new TransientError({
    code: 'SERVICE_NOT_STARTED',
    message: `${command.name} could not be started: ${cause.message}`,
    where: command.file,
    hint: 'empty the cache folder and run seam stack up again',
    cause,
  });
}

export type ReadyOptions = {
  probe: () => Promise<void>;
  limitMs: number;
  signal?: AbortSignal | undefined;
};

/** Asks until the service answers; gives up at once when its process ends, and after `limitMs` when it only stays silent. */
export async function waitUntilReady(record: ProcessRecord, options: ReadyOptions): Promise<void> {
  const deadline = Date.now() + options.limitMs;
  for (let waitMs = pollMs; ; waitMs = Math.min(waitMs * 1.3, 400)) {
    options.signal?.throwIfAborted();
    let reason: unknown;
    try {
      return await options.probe();
    } catch (error) {
      reason = error;
    }
    if (!(await isAlive(record))) throw notReady('SERVICE_ENDED', record, 'ended while starting', reason);
    if (Date.now() > deadline)
      throw notReady('SERVICE_NOT_READY', record, `was not ready within ${options.limitMs / 1000} s`, reason);
    await sleep(waitMs, undefined, { signal: options.signal });
  }
}

function notReady(code: string, record: ProcessRecord, what: string, cause: unknown): TransientError {
  return new TransientError({
    code,
    message: `${record.name} ${what}`,
    where: record.logFile,
    hint: `its last words: ${lastLogLine(record.logFile) || 'none; try: seam stack logs'}`,
    cause,
  });
}

function lastLogLine(logFile: string): string {
  const lines = readFileSync(logFile, 'utf8').trimEnd().split('\n');
  return (lines.findLast((line) => line.trim() !== '' && !/^\s+at /.test(line)) ?? '').trim().slice(0, 300);
}

/** Resolves with whether it had to be killed. The record leaves the state file only when the process is gone. */
export async function stopProcess(
  stateFile: StateFile,
  record: ProcessRecord,
  signal: NodeJS.Signals = record.stopSignal,
): Promise<boolean> {
  const killed = await endProcess(record, signal, record.stopLimitMs);
  stateFile.change((state) => {
    state.processes = state.processes.filter(({ name, pid }) => name !== record.name || pid !== record.pid);
  });
  return killed;
}

async function endProcess(identity: ProcessIdentity, signal: NodeJS.Signals, limitMs: number): Promise<boolean> {
  if (!(await send(identity, signal))) return false;
  // A stopped (frozen) process hears nothing but SIGKILL until it goes on.
  if (signal !== 'SIGKILL' && process.platform !== 'win32') await send(identity, 'SIGCONT');
  if (await waitUntilGone(identity, limitMs)) return false;
  await send(identity, 'SIGKILL');
  if (await waitUntilGone(identity, killWaitMsMax)) return true;
  throw new TransientError({
    code: 'SERVICE_NOT_STOPPED',
    message: `a process of the stack did not end, not even by SIGKILL`,
    where: `process ${identity.pid}`,
    hint: 'it waits for a disk that does not answer, or belongs to another user',
  });
}

async function send(identity: ProcessIdentity, signal: NodeJS.Signals): Promise<boolean> {
  if (!(await isAlive(identity))) return false;
  try {
    return process.kill(identity.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw new ConfigError({
      code: 'SERVICE_OF_ANOTHER_USER',
      message: 'a process of the stack may not be ended by this user',
      where: `process ${identity.pid}`,
      hint: 'run this as the user who started the stack',
      cause: error,
    });
  }
}

async function waitUntilGone(identity: ProcessIdentity, limitMs: number): Promise<boolean> {
  const deadline = Date.now() + limitMs;
  while (await isAlive(identity)) {
    if (Date.now() > deadline) return false;
    await sleep(pollMs);
  }
  return true;
}

/** Ends what carries our mark but is in no state file: a starter was killed right after starting it. */
export async function endStrays(stateFile: StateFile): Promise<number> {
  const recorded = new Set(stateFile.state.processes.map(({ pid }) => pid));
  const marked = findByEnvironment(serviceMark, stateFile.stateDirectory);
  // A database server's own children inherit the mark; they are not strays while their parent is known.
  const strays = marked.filter(({ pid, parentPid }) => !recorded.has(pid) && !recorded.has(parentPid));
  await Promise.all(strays.map((stray) => endProcess(stray, 'SIGTERM', strayLimitMs)));
  return strays.length;
}
