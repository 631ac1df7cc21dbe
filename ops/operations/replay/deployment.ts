/** Replays over a deployment: every target's connection, its declaration, Kafka and the registry joined. */
import { hostname, userInfo } from 'node:os';
import { createBatchDecoder } from '../../../adapters/canonical-batch.ts';
import { systemClock } from '../../../adapters/clock.ts';
import { readPassword } from '../../../adapters/deployment-file.ts';
import { createLogger } from '../../../adapters/logger.ts';
import { Registry } from '../../../adapters/registry.ts';
import { entities } from '../../../avro/generated/entities.ts';
import { parseConfig } from '../../../core/config.ts';
import type { Deployment } from '../../../core/deployment.ts';
import { SinkSettings } from '../../../sinks/engine/settings.ts';
import { openLog } from '../../log.ts';
import { processorOptions } from '../../run/processors.ts';
import { bidirectionalEntities } from '../../run/sink.ts';
import { systems } from '../../systems.ts';
import type { SourceMapping } from '../../../core/mapping.ts';
import { accessOf, SINK_USER } from '../setup.ts';
import type { RawParts } from './raw-plan.ts';
import type { ReplayParts, ReplayTarget } from './target-access.ts';

export async function replayParts(deployment: Deployment): Promise<ReplayParts> {
  const logger = createLogger('warn', { worker: 'replay' });
  const targets: ReplayTarget[] = [];
  for (const system of systems) {
    if (system.target === null) continue;
    const access = accessOf(deployment, system.system);
    const { host, port, database } = access;
    const connection = { host, port, database, user: SINK_USER, password: await readPassword(access, 'sink') };
    targets.push({ target: system.target, connection, bidirectional: bidirectionalEntities(system) });
  }
  return {
    targets,
    entities,
    log: openLog(deployment, 'seam-replay', logger),
    decode: createBatchDecoder(new Registry({ url: deployment.registry.url }, systemClock)),
    settings: parseConfig(SinkSettings, deployment.sinks, 'sinks of the deployment file'),
    clock: systemClock,
    logger,
  };
}

/** The same, with what translates raw records. `mappings`: others than those of the systems, for tests. */
export async function rawParts(deployment: Deployment, mappings?: readonly SourceMapping[]) {
  const { options, close } = await processorOptions(deployment, { mappings });
  const parts: RawParts = { replay: await replayParts(deployment), processors: options };
  return { parts, close };
}

/** Who asks, as this machine knows them: kept with the replay. */
export function operatorName(): string {
  return `${userInfo().username}@${hostname()}`;
}
