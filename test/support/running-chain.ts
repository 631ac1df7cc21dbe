/** The six systems with everything running, for one scenario file; gone with the test's process. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Chain, closeChain, setUp, startFlow, startServers } from '../../demo/chain.ts';
import { writePrivateFile } from '../../adapters/private-file.ts';
import type { Deployment } from '../../core/deployment.ts';
import { workerCommands } from '../../ops/worker-commands.ts';
import { stopStack } from '../../stack/stack.ts';

export type RunningChain = Chain & { readonly stateDirectory: string; stop(): Promise<void> };

export type ChainChoice = {
  /** Most scenarios watch what waits for a person, so nothing is read again before they ask for it. */
  readonly healing?: Deployment['healing'];
  /** Of these systems, where not all are needed. */
  readonly sources?: readonly string[];
  readonly sinks?: readonly string[];
};

export async function startChain({ healing = 'by-hand', sources, sinks }: ChainChoice = {}): Promise<RunningChain> {
  const stateDirectory = await mkdtemp(path.join(tmpdir(), 'seam-chain-'));
  const started = await startServers({ stateDirectory, ownerPid: process.pid });
  const chain = { ...started, deployment: { ...started.deployment, healing } };
  await writePrivateFile(chain.deploymentFile, JSON.stringify(chain.deployment));
  await setUp(chain);
  const commands = Object.entries(workerCommands());
  const isNeeded = ([, [kind, target = '']]: (typeof commands)[number]) =>
    kind !== 'sink' || sinks === undefined || sinks.includes(target);
  await startFlow(chain, Object.fromEntries(commands.filter(isNeeded)), undefined, sources);
  return {
    ...chain,
    stateDirectory,
    stop: async () => {
      await closeChain(chain);
      await stopStack({ stateDirectory, removeData: true });
      await rm(stateDirectory, { recursive: true, force: true });
    },
  };
}

const POLL_MS = 20;

/** Awaits until `read` answers what is expected; at the limit the test fails with both. Returns the time it took, in ms. */
export async function arrives<T>(expected: T, read: () => Promise<T>, patienceMs = 30_000): Promise<number> {
  const startedMs = performance.now();
  for (;;) {
    const actual = await read();
    if (JSON.stringify(actual) === JSON.stringify(expected)) return performance.now() - startedMs;
    if (performance.now() - startedMs > patienceMs) {
      throw new Error(`not there after ${patienceMs} ms\n  expected ${brief(expected)}\n  found    ${brief(actual)}`);
    }
    await pause(POLL_MS);
  }
}

function brief(value: unknown): string {
  return (JSON.stringify(value) ?? 'undefined').slice(0, 600);
}
