/** A command that waits for a mark of the connector ends soon with the reason when the connector has stopped. */
import { expect, it } from 'vitest';
import { ContractError, TransientError } from '../../core/errors.ts';
import type { Clock, Log } from '../../core/ports.ts';
import type { Registry } from '../../adapters/registry.ts';
import { awaitMark } from '../../ops/resnapshot/watch.ts';

/** A log that holds nothing. */
function silentLog(): Log {
  const stopped = Promise.withResolvers<void>();
  const consumer = { run: () => stopped.promise, stop: async () => stopped.resolve() };
  return { consumer: () => consumer } as unknown as Log;
}

/** Time passes as fast as somebody waits for it. */
function fastClock(): Clock {
  let nowMs = 0;
  return {
    nowMs: () => nowMs,
    elapsedMs: () => nowMs,
    pause: async (ms: number) => {
      nowMs += ms;
      await new Promise((resolve) => setImmediate(resolve));
    },
  } as unknown as Clock;
}

const watching = (refuse: () => Promise<void>) => {
  const clock = fastClock();
  const registry = { load: async () => {} } as unknown as Registry;
  const signal = new AbortController().signal;
  return { clock, mark: awaitMark({ log: silentLog(), registry, clock, system: 'crm', refuse, signal }, 0n, 'mark') };
};

it('a task that has failed ends the waiting with its own reason', async () => {
  const failed = new ContractError({ code: 'CONNECTOR_TASK_FAILED', message: 'connector seam-crm failed' });
  let asked = 0;
  const { clock, mark } = watching(async () => {
    asked += 1;
    if (asked === 3) throw failed;
  });
  await expect(mark).rejects.toBe(failed);
  expect(clock.nowMs()).toBeLessThan(15_000);
});

it('a connector that runs and says nothing is silent after two minutes', async () => {
  const { clock, mark } = watching(async () => {});
  await expect(mark).rejects.toMatchObject({ code: 'CONNECTOR_SILENT' });
  await expect(mark).rejects.toBeInstanceOf(TransientError);
  expect(clock.nowMs()).toBeGreaterThan(120_000);
});
