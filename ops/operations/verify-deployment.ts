/** `verify` over a deployment: every system's connections and declarations joined. */
import { type PasswordName, readPassword } from '../../adapters/deployment-file.ts';
import { entities } from '../../avro/generated/entities.ts';
import type { Deployment } from '../../core/deployment.ts';
import { steps } from '../../processors/steps/index.ts';
import { systems } from '../systems.ts';
import type { ReadConnection } from '../verify/source-rows.ts';
import { accessOf, CAPTURE_USER, SINK_USER } from './setup.ts';
import { type VerifyResult, verify } from './verify.ts';

export type VerifyChoice = {
  /** Targets to check; all when empty. */
  readonly targets: readonly string[];
  readonly patienceMs: number;
  readonly onPass?: (pass: number, differing: number) => void;
};

export async function verifyDeployment(deployment: Deployment, choice: VerifyChoice): Promise<VerifyResult> {
  const sourceConnections = new Map<string, ReadConnection>();
  const targetConnections = new Map<string, ReadConnection>();
  for (const { system, source, target } of systems) {
    if (source !== null) sourceConnections.set(system, await sourceConnection(deployment, system));
    if (target !== null) targetConnections.set(system, await sinkConnection(deployment, system));
  }
  const targets = systems.flatMap(({ target }) => target ?? []);
  return verify({
    sources: systems.flatMap(({ source }) => source?.mapping ?? []),
    targets: targets.filter(({ system }) => choice.targets.length === 0 || choice.targets.includes(system)),
    steps,
    entities,
    sourceConnections,
    targetConnections,
    patienceMs: choice.patienceMs,
    ...(choice.onPass === undefined ? {} : { onPass: choice.onPass }),
  });
}

export function sourceConnection(deployment: Deployment, system: string): Promise<ReadConnection> {
  return connection(deployment, system, CAPTURE_USER, 'capture');
}

export function sinkConnection(deployment: Deployment, system: string): Promise<ReadConnection> {
  return connection(deployment, system, SINK_USER, 'sink');
}

/** Reads with the rights that Seam has anyway: sources as the capture user, targets as the sink user. */
async function connection(
  deployment: Deployment,
  system: string,
  user: string,
  password: PasswordName,
): Promise<ReadConnection> {
  const access = accessOf(deployment, system);
  const { kind, host, port, database } = access;
  return { kind, host, port, database, user, password: await readPassword(access, password) };
}
