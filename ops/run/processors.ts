/** Joins the processors: every source's mapping, the steps, Kafka, the registry and the ledgers beside the sources. */
import { systemClock } from '../../adapters/clock.ts';
import { readPassword } from '../../adapters/deployment-file.ts';
import { createLogger } from '../../adapters/logger.ts';
import { Registry } from '../../adapters/registry.ts';
import { type SideSchemaAccess, SideSchemas } from '../../adapters/side-schema.ts';
import { entities } from '../../avro/generated/entities.ts';
import { parseConfig } from '../../core/config.ts';
import type { Deployment } from '../../core/deployment.ts';
import { heldFields } from '../../core/target.ts';
import { canonicalizeStage } from '../../processors/canonicalize.ts';
import { type CompiledTable, compileSource } from '../../processors/compile-mapping.ts';
import { flowStage } from '../../processors/flow.ts';
import { StageRuntime } from '../../processors/runtime.ts';
import { ProcessorSettings } from '../../processors/settings.ts';
import type { Stage } from '../../processors/stage.ts';
import { steps } from '../../processors/steps/index.ts';
import { rawTopic } from '../../processors/topics.ts';
import { openLog } from '../log.ts';
import { accessOf, CAPTURE_USER } from '../operations/setup.ts';
import { systems } from '../systems.ts';
import type { WorkerStatus } from '../workers.ts';
import { createProcessorCodecs } from './processor-codecs.ts';
import { bidirectionalEntities, type RunningWorker } from './sink.ts';

export async function startProcessors(deployment: Deployment): Promise<RunningWorker> {
  const settings = parseConfig(ProcessorSettings, deployment.processors, 'processors of the deployment file');
  const logger = createLogger('info', { worker: 'processors' });
  const log = openLog(deployment, 'seam-processors', logger);
  const codecs = await createProcessorCodecs(new Registry({ url: deployment.registry.url }, systemClock));
  const sideSchemas = new SideSchemas(await sideSchemaAccess(deployment));
  const tables = new Map<string, CompiledTable>();
  for (const { source } of systems) {
    if (source === null) continue;
    for (const [table, compiled] of compileSource(source.mapping, entities)) {
      tables.set(rawTopic(source.mapping.system, table), compiled);
    }
  }
  const partitionCount = () => deployment.kafka.partitions;
  const stages: Stage[] = [
    canonicalizeStage({
      groupId: `${settings.groupPrefix}-canonicalize`,
      tables,
      topics: [...tables.keys()],
      codecs,
      ledger: sideSchemas,
      identities: sideSchemas,
      bidirectional: heldByTargets(),
      partitionCount,
      epochs: settings.positionEpochs,
      hopsMax: settings.hopsMax,
    }),
    flowStage({ groupId: `${settings.groupPrefix}-flow`, steps, entities, codecs, partitionCount }),
  ];
  const runtimes = stages.map((stage) => new StageRuntime({ stage, log, clock: systemClock, logger, settings }));
  const done = Promise.all(runtimes.map((runtime) => runtime.run())).then(() => sideSchemas.close());
  return {
    done,
    status: () => statusOf(runtimes),
    stop: async () => {
      await Promise.all(runtimes.map((runtime) => runtime.stop()));
    },
  };
}

/** By system and entity: fields that the system's target writes and its source reads again. */
function heldByTargets(): Map<string, Map<string, string[]>> {
  const held = new Map<string, Map<string, string[]>>();
  for (const system of systems) {
    const entitiesOfSystem = new Map<string, string[]>();
    for (const entity of bidirectionalEntities(system)) {
      const table = system.target?.tables.find((candidate) => candidate.entity === entity);
      if (table !== undefined) entitiesOfSystem.set(entity, heldFields(table));
    }
    held.set(system.system, entitiesOfSystem);
  }
  return held;
}

async function sideSchemaAccess(deployment: Deployment): Promise<Map<string, SideSchemaAccess>> {
  const access = new Map<string, SideSchemaAccess>();
  for (const { system, source, target } of systems) {
    if (source === null || target === null) continue;
    const { kind, host, port, database } = accessOf(deployment, system);
    const password = await readPassword(accessOf(deployment, system), 'capture');
    access.set(system, { dialect: kind, host, port, database, user: CAPTURE_USER, password });
  }
  return access;
}

function statusOf(runtimes: readonly StageRuntime[]): WorkerStatus {
  const counters: Record<string, number> = {};
  const statuses = runtimes.map((runtime) => runtime.status());
  for (const { stage, topics } of statuses) {
    for (const { counts } of topics) {
      for (const [name, count] of Object.entries(counts)) {
        for (const counter of [`${stage}.${name}`, name]) counters[counter] = (counters[counter] ?? 0) + count;
      }
    }
  }
  const unwell = statuses.find(({ state }) => state !== 'running');
  const reason = unwell?.reason;
  return {
    state: unwell?.state ?? 'running',
    ...(reason === undefined ? {} : { reason: `${reason.message} [${reason.code}]` }),
    counters,
    gauges: {},
  };
}
