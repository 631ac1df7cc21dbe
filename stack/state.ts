/** `<stateDirectory>/state.json`: what was started, written at every spawn, so that any later command can find and end it. */
import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ConfigError } from '../core/errors.ts';
import type { ProcessIdentity } from './process-identity.ts';

export type DatabaseKind = 'postgres' | 'mariadb';
export type DatabaseSpec = { name: string; kind: DatabaseKind };

export type ProcessRecord = ProcessIdentity & {
  name: string;
  startedAt: string;
  logFile: string;
  stopSignal: NodeJS.Signals;
  stopLimitMs: number;
};

export type StackState = {
  formatVersion: 1;
  stateDirectory: string;
  startedAt: string;
  databases: (DatabaseSpec & { adminPassword: string })[];
  /** Kept when the stack is down, so that connectors and clients find the same ports again. */
  ports: Record<string, number>;
  /** In the order in which they were started. */
  processes: ProcessRecord[];
};

/** All access goes through one instance per command; every change is on disk when the call returns. */
export class StateFile {
  readonly stateDirectory: string;
  state: StackState;

  private constructor(stateDirectory: string, state: StackState) {
    this.stateDirectory = stateDirectory;
    this.state = state;
  }

  static read(stateDirectory: string): StateFile | null {
    const file = stateFile(stateDirectory);
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw unreadable(file, error);
    }
    return new StateFile(stateDirectory, parse(text, file));
  }

  static readOrCreate(stateDirectory: string): StateFile {
    const existing = StateFile.read(stateDirectory);
    if (existing !== null) return existing;
    const startedAt = new Date().toISOString();
    const empty = { formatVersion: 1 as const, stateDirectory, startedAt, databases: [], ports: {}, processes: [] };
    return new StateFile(stateDirectory, empty);
  }

  /** Synchronous on purpose: between starting a process and writing it down nothing else may run. */
  change(edit: (state: StackState) => void): void {
    edit(this.state);
    const file = stateFile(this.stateDirectory);
    const temporary = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
    writeFileSync(temporary, `${JSON.stringify(this.state, null, 2)}\n`, { mode: 0o600 });
    renameSync(temporary, file);
  }
}

const stateFile = (stateDirectory: string): string => path.join(stateDirectory, 'state.json');

function parse(text: string, file: string): StackState {
  let state: StackState;
  try {
    state = JSON.parse(text) as StackState;
  } catch (error) {
    throw unreadable(file, error);
  }
  if (state.formatVersion !== 1) throw unreadable(file, new Error(`format version ${state.formatVersion}`));
  return state;
}

function unreadable(file: string, cause: unknown): ConfigError {
  return new ConfigError({
    code: 'STACK_STATE_UNREADABLE',
    message: `the state of the stack cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
    where: file,
    hint: 'use the user that started the stack, or another --state-directory',
    cause,
  });
}
