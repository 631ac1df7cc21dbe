import { setImmediate as afterInput, setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../core/ports.ts';

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  elapsedMs: () => performance.now(),
  async pause(durationMs, signal) {
    if (signal?.aborted) return;
    if (durationMs <= 0) return afterInput();
    try {
      await sleep(durationMs, undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      if (!signal?.aborted) throw error;
    }
  },
};
