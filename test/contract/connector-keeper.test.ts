/** A connector task that failed is started again; one that fails time after time is shown as failed, and not hammered. */
import { expect, test } from 'vitest';
import type { ConnectorStatus } from '../../adapters/connect-client.ts';
import { TransientError } from '../../core/errors.ts';
import { ConnectorKeeper } from '../../ops/run/connectors.ts';
import { quietLogger } from '../support/kafka.ts';

const TRACE =
  'org.apache.kafka.connect.errors.ConnectException: failed\n\tat some.Class\nCaused by: java.io.IOException: gone\n\t... 14 more';

/** Kafka Connect's answers by script, and a clock that a test moves. */
function scripted(stateOf: (restarts: number) => 'RUNNING' | 'FAILED' | 'PAUSED' | 'AWAY') {
  const world = { nowMs: 0, restarts: [] as number[] };
  const client = {
    async status(name: string): Promise<ConnectorStatus> {
      const state = stateOf(world.restarts.length);
      if (state === 'AWAY') throw new TransientError({ code: 'CONNECT_UNREACHABLE', message: 'does not answer' });
      return {
        name,
        connector: { state: state === 'PAUSED' ? state : 'RUNNING' },
        tasks: [{ id: 0, state, ...(state === 'FAILED' ? { trace: TRACE } : {}) }],
      };
    },
    async restartFailed() {
      world.restarts.push(world.nowMs);
    },
  };
  const clock = { nowMs: () => world.nowMs, elapsedMs: () => world.nowMs, pause: async () => {} };
  const keeper = new ConnectorKeeper({ client, names: ['seam-pos'], clock, logger: quietLogger });
  const lookFor = async (seconds: number) => {
    for (let second = 0; second < seconds; second += 1) {
      await keeper.look();
      world.nowMs += 1_000;
    }
  };
  return { world, keeper, lookFor };
}

test('a failed task is started again at once, and after a while nobody speaks of it', async () => {
  const { world, keeper, lookFor } = scripted((restarts) => (restarts === 0 ? 'FAILED' : 'RUNNING'));
  await lookFor(1);
  expect(world.restarts).toEqual([0]);
  expect(keeper.status()).toMatchObject({ state: 'degraded', counters: { restarts: 1 } });
  expect(keeper.status().reason).toContain('seam-pos');
  expect(keeper.status().reason).toContain('java.io.IOException: gone');
  await lookFor(40);
  expect(keeper.status()).toMatchObject({ state: 'running', counters: { restarts: 1 }, gauges: { failed: 0 } });
});

test('one that fails time after time is started ever more seldom, and shown as failed', async () => {
  const { world, keeper, lookFor } = scripted(() => 'FAILED');
  await lookFor(300);
  const pauses = world.restarts.slice(1).map((at, index) => at - (world.restarts[index] ?? 0));
  expect(pauses.slice(0, 6)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000]);
  expect(Math.max(...pauses)).toBe(60_000);
  expect(keeper.status().state).toBe('failed');
});

test('a Connect that does not answer is waited for', async () => {
  let isAway = true;
  const { keeper, lookFor } = scripted(() => (isAway ? 'AWAY' : 'RUNNING'));
  await lookFor(3);
  expect(keeper.status()).toMatchObject({ state: 'degraded', reason: 'does not answer [CONNECT_UNREACHABLE]' });
  isAway = false;
  await lookFor(1);
  expect(keeper.status().state).toBe('running');
});

test('a connector that stays paused is shown with the command that starts it, and no longer once it runs', async () => {
  let state: 'PAUSED' | 'RUNNING' = 'PAUSED';
  const { world, keeper, lookFor } = scripted(() => state);
  await lookFor(20);
  expect(keeper.status().sightings).toEqual([]);
  await lookFor(20);
  expect(keeper.status().sightings).toMatchObject([
    {
      id: 'CONNECTOR_NOT_RUNNING',
      object: { kind: 'source', system: 'pos' },
      text: 'connector seam-pos is paused, and nothing of pos is read',
      next: 'run: seam connectors apply pos --yes',
    },
  ]);
  expect(world.restarts).toEqual([]);
  state = 'RUNNING';
  await lookFor(1);
  expect(keeper.status().sightings).toEqual([]);
});
