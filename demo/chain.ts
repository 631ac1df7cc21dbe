/** The chain of six systems on the local stack: servers, set-up, topics; connectors and workers when asked. */
import { join } from 'node:path';
import type { Deployment } from '../core/deployment.ts';
import { writeLocalDeployment } from '../ops/local-deployment.ts';
import { applyConnectors, planConnectors } from '../ops/operations/connectors.ts';
import { applySetup, planSetup } from '../ops/operations/setup.ts';
import { createTopics } from '../ops/operations/topics.ts';
import { systems } from '../ops/systems.ts';
import { workerCommands } from '../ops/worker-commands.ts';
import { WorkerSupervisor } from '../ops/workers.ts';
import { currentStackSettings } from '../stack/settings.ts';
import { type StackDescription, type StackProgress, startStack } from '../stack/stack.ts';
import { openSessions, type Sessions } from './sessions.ts';

export type Chain = {
  readonly stack: StackDescription;
  readonly deployment: Deployment;
  readonly deploymentFile: string;
  readonly sessions: Sessions;
  readonly workers: WorkerSupervisor;
};

export type ChainOptions = {
  readonly stateDirectory: string;
  readonly signal?: AbortSignal;
  readonly stackProgress?: StackProgress;
  /** The stack goes when this process dies: for tests. */
  readonly ownerPid?: number;
};

export async function startServers(options: ChainOptions): Promise<Chain> {
  const stack = await startStack({
    stateDirectory: options.stateDirectory,
    databases: systems.map(({ system, database }) => ({ name: system, kind: database })),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.stackProgress === undefined ? {} : { progress: options.stackProgress }),
    ...(options.ownerPid === undefined ? {} : { ownerPid: options.ownerPid }),
  });
  const { file: deploymentFile, deployment } = await writeLocalDeployment(stack);
  const workers = new WorkerSupervisor({
    deploymentFile,
    logDirectory: join(options.stateDirectory, 'logs'),
    environment: currentStackSettings().baseEnvironment,
  });
  return { stack, deployment, deploymentFile, sessions: openSessions(stack), workers };
}

/** The legacy applications' tables, what Seam asks beside them, and every topic. */
export async function setUp({ deployment }: Chain): Promise<void> {
  await Promise.all(
    systems.map(async (system) => applySetup(deployment, system, await planSetup(deployment, system, true))),
  );
  await createTopics(deployment);
}

/** Workers first, so that the snapshot flows through as it is read. */
export async function startFlow(
  { deployment, workers }: Chain,
  commands = workerCommands(),
  startLimitMs?: number,
  sources: readonly string[] = systems.map(({ system }) => system),
): Promise<void> {
  await workers.start(commands, startLimitMs);
  const files = systems.flatMap(({ system, source }) =>
    source === null || !sources.includes(system) ? [] : [{ system, file: source.connectorFile }],
  );
  await applyConnectors(deployment, await planConnectors(deployment, files));
}

/** The servers stay: `stopStack` ends them. */
export async function closeChain({ workers, sessions }: Chain): Promise<void> {
  await workers.stop();
  await sessions.close();
}
