import { setTimeout as pause } from 'node:timers/promises';

export const POLL_MS = 20;

/** Asks again until it is so; a limit says what never came. */
export async function until<T>(
  ask: () => Promise<T | undefined> | T | undefined,
  what: string,
  { limitMs, signal, everyMs = POLL_MS }: { limitMs: number; signal?: AbortSignal; everyMs?: number },
): Promise<T> {
  const endMs = Date.now() + limitMs;
  for (;;) {
    signal?.throwIfAborted();
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > endMs) throw new Error(`after ${limitMs / 1_000} s still not: ${what}`);
    await pause(everyMs);
  }
}
