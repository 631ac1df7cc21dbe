/**
 * One reading of a source's tables runs at a time. The workers of every machine and a person's commands take the same lock, which is in the
 * source's own database. The lock ends with the session that holds it.
 *
 *   free ──taken──> held ──freed, or its holder died──> free
 *                    └── ended by `connectors recover`, which reads everything itself ──> lost: the reading is broken off
 */
import { setTimeout as pause } from 'node:timers/promises';
import { TransientError } from '../../core/errors.ts';
import { sourceKinds } from '../sources/checks/index.ts';
import type { ReadConnection } from '../verify/source-rows.ts';
import { openSource } from './source-session.ts';

export type ReadingLock = {
  /** Aborted when the lock is held no longer. */
  readonly lost: AbortSignal;
  free(): Promise<void>;
};

/** An idle session is ended by some servers after a minute, so it is asked more often than that. */
const ASK_EVERY_MS = 2_000;
/** A reading that lost its lock has stopped after this time. */
const LOST_MS_MAX = 5_000;
const RETRY_MS = 1_000;
const WAIT_MS_MAX = 3_600_000;

/** undefined: another reading of this source is under way. */
export async function tryReadingLock(connection: ReadConnection, system: string): Promise<ReadingLock | undefined> {
  const session = await openSource(connection);
  const { locks } = sourceKinds[session.kind];
  const name = nameOf(system);
  const isTaken = await locks.take(session, name).catch(async (error: unknown) => {
    await session.close().catch(() => {});
    throw error;
  });
  if (!isTaken) {
    await session.close();
    return undefined;
  }
  const lost = new AbortController();
  const over = new AbortController();
  const asking = (async () => {
    while (!over.signal.aborted) {
      await pause(ASK_EVERY_MS, undefined, { signal: over.signal }).catch(() => {});
      if (over.signal.aborted) return;
      const isHeld = await locks.isHeld(session, name).catch(() => false);
      if (!isHeld) return lost.abort(lockLost(system));
    }
  })();
  return {
    lost: lost.signal,
    free: async () => {
      over.abort();
      await asking;
      await locks.free(session, name).catch(() => {});
      await session.close().catch(() => {});
    },
  };
}

/** For a person's command: waits for the end of the reading that is under way, which `waits` is told once. */
export async function awaitReadingLock(
  connection: ReadConnection,
  system: string,
  waits: (text: string) => void,
  signal: AbortSignal,
): Promise<ReadingLock> {
  const deadlineMs = Date.now() + WAIT_MS_MAX;
  let isTold = false;
  for (;;) {
    const lock = await tryReadingLock(connection, system);
    if (lock !== undefined) return lock;
    signal.throwIfAborted();
    if (!isTold) waits(`tables of ${system} are being read again already; this reading follows it`);
    isTold = true;
    if (Date.now() > deadlineMs) throw stillRead(system);
    await pause(RETRY_MS);
  }
}

/** Takes the lock from the reading that holds it. That reading stops. */
export async function seizeReadingLock(
  connection: ReadConnection,
  system: string,
  signal: AbortSignal,
): Promise<ReadingLock> {
  const lock = await tryReadingLock(connection, system);
  if (lock !== undefined) return lock;
  const session = await openSource(connection);
  try {
    await sourceKinds[session.kind].locks.endHolder(session, nameOf(system));
    await pause(LOST_MS_MAX, undefined, { signal });
  } finally {
    await session.close();
  }
  return awaitReadingLock(connection, system, () => {}, signal);
}

function nameOf(system: string): string {
  return `seam-reading-${system}`.slice(0, 64);
}

function lockLost(system: string): TransientError {
  return new TransientError({
    code: 'READING_LOCK_LOST',
    message: `the reading of tables of ${system} was broken off: its lock in the source was ended`,
    where: `source ${system}`,
    hint: 'nothing to do where the source is recovered or was restarted; else run the same command again',
  });
}

function stillRead(system: string): TransientError {
  return new TransientError({
    code: 'READING_UNDER_WAY',
    message: `another reading of tables of ${system} has not ended after ${WAIT_MS_MAX / 60_000} minutes`,
    where: `source ${system}`,
    hint: 'run the same command again when it has ended',
  });
}
