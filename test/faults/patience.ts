/** Waiting with a limit: every wait of a fault row names what it waited for. */
import { setTimeout as pause } from 'node:timers/promises';

const POLL_MS = 100;
/** Between looks that cost a connection or a group of their own. */
export const DEAR_POLL_MS = 1_000;
const INSIST_MS = 60_000;

/** Resolves with how long it took. */
export async function awaits(
  what: string,
  limitMs: number,
  holds: () => Promise<boolean> | boolean,
  everyMs = POLL_MS,
): Promise<number> {
  const startedMs = performance.now();
  let reason = '';
  for (;;) {
    try {
      const leftMs = Math.max(POLL_MS, limitMs - (performance.now() - startedMs));
      if (await answered(holds, leftMs)) return performance.now() - startedMs;
    } catch (error) {
      reason = `: ${error instanceof Error ? error.message : String(error)}`;
    }
    if (performance.now() - startedMs > limitMs) throw new Error(`not so after ${limitMs / 1000} s: ${what}${reason}`);
    await pause(everyMs);
  }
}

/** A server that hangs must not hang the row. */
async function answered(holds: () => Promise<boolean> | boolean, limitMs: number): Promise<boolean> {
  const waiting = new AbortController();
  const silence = pause(limitMs, undefined, { signal: waiting.signal }).then(() => {
    throw new Error('no answer');
  });
  silence.catch(() => {});
  try {
    return await Promise.race([holds(), silence]);
  } finally {
    waiting.abort();
  }
}

/** A connection of ours that broke with its server is not what is tested. */
export async function insist<T>(what: string, act: () => Promise<T>, limitMs = INSIST_MS): Promise<T> {
  let answer: { readonly value: T } | undefined;
  await awaits(what, limitMs, async () => {
    answer = { value: await act() };
    return true;
  });
  return (answer as { readonly value: T }).value;
}
