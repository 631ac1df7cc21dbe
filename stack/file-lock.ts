/**
 * A lock between processes that the operating system drops when its owner dies, also by kill -9: an exclusive
 * transaction on an empty SQLite file. A lock file with a process id in it cannot promise that.
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { TransientError } from '../core/errors.ts';

const retryMs = 200;

export type FileLockOptions = {
  waitMsMax: number;
  /** Called once, when the lock is taken and the wait begins. */
  onWait?: () => void;
  signal?: AbortSignal | undefined;
};

export async function withFileLock<Result>(
  file: string,
  options: FileLockOptions,
  work: () => Promise<Result>,
): Promise<Result> {
  await mkdir(path.dirname(file), { recursive: true });
  const lock = new DatabaseSync(file);
  try {
    await acquire(lock, file, options);
    return await work();
  } finally {
    lock.close();
  }
}

async function acquire(lock: DatabaseSync, file: string, options: FileLockOptions): Promise<void> {
  const deadline = Date.now() + options.waitMsMax;
  for (let attempt = 0; ; attempt++) {
    if (tryAcquire(lock)) return;
    if (attempt === 0) options.onWait?.();
    if (Date.now() > deadline) {
      throw new TransientError({
        code: 'STACK_BUSY',
        message: 'another seam command is at work on the same stack or cache',
        where: file,
        hint: 'wait for it to end, or end it, then run this again',
      });
    }
    await sleep(retryMs, undefined, { signal: options.signal });
  }
}

function tryAcquire(lock: DatabaseSync): boolean {
  try {
    lock.exec('BEGIN EXCLUSIVE');
    return true;
  } catch (error) {
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return false;
    throw error;
  }
}

const SQLITE_BUSY = 5;
