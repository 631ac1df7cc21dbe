/** Joins one sink: a deployment's target, its database, Kafka and the registry. */
import { hostname } from 'node:os';
import { createBatchDecoder } from '../../adapters/canonical-batch.ts';
import { systemClock } from '../../adapters/clock.ts';
import { readPassword } from '../../adapters/deployment-file.ts';
import { createLogger } from '../../adapters/logger.ts';
import { Registry } from '../../adapters/registry.ts';
import { entities } from '../../avro/generated/entities.ts';
import { parseConfig } from '../../core/config.ts';
import type { Deployment } from '../../core/deployment.ts';
import { ConfigError } from '../../core/errors.ts';
import { steps } from '../../processors/steps/index.ts';
import { SinkSettings } from '../../sinks/engine/settings.ts';
import { runSink } from '../../sinks/main.ts';
import { openLog } from '../log.ts';
import { accessOf, SINK_USER } from '../operations/setup.ts';
import { flowsOf } from '../status/flows.ts';
import { sinkConditions } from '../status/worker-conditions.ts';
import { type System, systemNamed, systems } from '../systems.ts';
import type { CrashPoints } from './crash-points.ts';
import { refuseOwnEntities } from './own-entities.ts';
import type { WorkerStatus } from '../workers.ts';

export type RunningWorker = {
  readonly done: Promise<void>;
  readonly status: () => WorkerStatus;
  readonly stop: () => Promise<void>;
};

export async function startSink(deployment: Deployment, name: string, crash?: CrashPoints): Promise<RunningWorker> {
  const system = systemNamed(name);
  if (system?.target == null) {
    throw new ConfigError({ code: 'TARGET_UNKNOWN', message: `no target ${name}`, hint: 'targets: sinks/index.ts' });
  }
  refuseOwnEntities(name, flowsOf(systems, steps, entities), entities);
  const access = accessOf(deployment, name);
  const { host, port, database } = access;
  const logger = createLogger('info', { worker: `sink-${name}` });
  const sink = await runSink({
    target: system.target,
    entities,
    connection: { host, port, database, user: SINK_USER, password: await readPassword(access, 'sink') },
    bidirectional: bidirectionalEntities(system),
    log: openLog(deployment, `seam-sink-${name}`, logger),
    groupId: `seam-sink-${name}`,
    owner: `${hostname()}-${process.pid}`,
    decode: createBatchDecoder(new Registry({ url: deployment.registry.url }, systemClock)),
    settings: parseConfig(SinkSettings, deployment.sinks, 'sinks of the deployment file'),
    clock: systemClock,
    logger,
    ...(crash === undefined ? {} : { hooks: crash }),
  });
  return {
    done: sink.done,
    stop: sink.stop,
    status: () => {
      const status = sink.status();
      const { state, reason, counts, waiting, deadLetters, behind, partitions } = status;
      const lag = partitions.reduce((sum, partition) => sum + Number(partition.lag), 0);
      return {
        state,
        ...(reason === undefined ? {} : { reason }),
        counters: { ...counts },
        gauges: { lag, waiting, deadLetters, behind },
        sightings: sinkConditions(status),
      };
    },
  };
}

/** Entities that are both written into this system and captured from it: their echoes must be told from news. */
export function bidirectionalEntities({ source, target }: System): string[] {
  const captured = new Set<string>();
  for (const mapping of Object.values(source?.mapping.tables ?? {})) {
    if (!('kind' in mapping)) for (const { entity } of mapping) captured.add(entity);
  }
  return (target?.tables ?? []).map(({ entity }) => entity as string).filter((entity) => captured.has(entity));
}
