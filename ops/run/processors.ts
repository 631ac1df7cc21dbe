/** Joins the processors: every source's mapping, the steps, Kafka, the registry and the ledgers beside the sources. */
import { systemClock } from '../../adapters/clock.ts';
import { readPassword } from '../../adapters/deployment-file.ts';
import { createLogger } from '../../adapters/logger.ts';
import { Registry } from '../../adapters/registry.ts';
import { type SideSchemaAccess, SideSchemas } from '../../adapters/side-schema.ts';
import { entities } from '../../avro/generated/entities.ts';
import { parseConfig } from '../../core/config.ts';
import type { Deployment } from '../../core/deployment.ts';
import type { SourceMapping } from '../../core/mapping.ts';
import { heldFields } from '../../core/target.ts';
import {
  type ProcessorOptions,
  ProcessorSettings,
  type RunningProcessors,
  runProcessors,
} from '../../processors/main.ts';
import { steps } from '../../processors/steps/index.ts';
import { openLog } from '../log.ts';
import { settleFirstSnapshots } from '../operations/first-snapshot-proof.ts';
import { raiseRecordLimitsOf } from '../operations/topics.ts';
import { accessOf, CAPTURE_USER } from '../operations/setup.ts';
import { readingsAgain } from '../resnapshot/read-whole.ts';
import { type HaltedTable, TableReadings } from '../resnapshot/table-readings.ts';
import { withSource } from '../sources/with-source.ts';
import { watchSources } from '../sources/watch.ts';
import { processorConditions } from '../status/worker-conditions.ts';
import { systems } from '../systems.ts';
import type { CrashPoints } from './crash-points.ts';
import type { WorkerStatus } from '../workers.ts';
import { bidirectionalEntities, type RunningWorker } from './sink.ts';

export type ProcessorChoice = {
  readonly crash?: CrashPoints | undefined;
  /** Others than those of the systems: for a test of a mapping that is corrected later. */
  readonly mappings?: readonly SourceMapping[] | undefined;
};

/** What the processors of a deployment are made of. `close` ends the connections to the sources' databases. */
export async function processorOptions(deployment: Deployment, { crash, mappings }: ProcessorChoice = {}) {
  const settings = parseConfig(ProcessorSettings, deployment.processors, 'processors of the deployment file');
  const logger = createLogger('info', { worker: 'processors' });
  const sideSchemas = new SideSchemas(await sideSchemaAccess(deployment));
  const options: ProcessorOptions = {
    log: openLog(deployment, 'seam-processors', logger, () => crash?.at('before-commit')),
    registry: new Registry({ url: deployment.registry.url }, systemClock),
    mappings: mappings ?? systems.flatMap(({ source }) => source?.mapping ?? []),
    steps,
    entities,
    sideSchemas,
    bidirectional: heldByTargets(),
    settings,
    clock: systemClock,
    logger,
    ...(crash === undefined ? {} : { hooks: crash }),
  };
  return { options, close: () => sideSchemas.close() };
}

export async function startProcessors(
  deployment: Deployment,
  crash?: CrashPoints,
  mappings?: readonly SourceMapping[],
): Promise<RunningWorker> {
  const { options, close } = await processorOptions(deployment, { crash, mappings });
  await raiseRecordLimitsOf(deployment, options.logger);
  const sources = systems.flatMap(({ system, source }) => (source === null ? [] : system));
  const watch = watchSources(deployment, sources);
  await watch.ready();
  const readings = new TableReadings({
    read: (system) => withSource(deployment, system, readingsAgain),
    halted: () => haltedTables(running),
    clock: options.clock,
  });
  await readings.load(sources);
  const stopping = new AbortController();
  // a start that is refused must leave nothing that keeps the process
  const running = await runProcessors({ ...options, faultOf: watch.faultOf, readAgainAt: readings.at }).catch(
    (error: unknown) => {
      watch.stop();
      throw error;
    },
  );
  const tell = (text: string) => options.logger.warn({ reason: text }, 'first snapshot');
  void settleFirstSnapshots(deployment, sources, tell, stopping.signal);
  const done = Promise.race([running.done, watch.recovered, readings.renewed(stopping.signal)]).finally(async () => {
    stopping.abort();
    watch.stop();
    await running.stop();
    await close();
  });
  return {
    done,
    status: () => statusOf(running),
    stop: running.stop,
  };
}

/** Tables whose raw topic has stopped, for whatever reason. */
function haltedTables(running: RunningProcessors): HaltedTable[] {
  const topics = running.status().stages.flatMap(({ topics: all }) => all);
  return topics.flatMap(({ topic, state }) => {
    const [kind, system, ...table] = topic.split('.');
    return state === 'failed' && kind === 'raw' && system !== undefined ? { system, table: table.join('.') } : [];
  });
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

function statusOf(running: RunningProcessors): WorkerStatus {
  const status = running.status();
  const { state, reason, counts, stages } = status;
  const sum = (of: 'deadLetters' | 'waiting') => stages.reduce((total, stage) => total + stage[of], 0);
  return {
    state,
    ...(reason === undefined ? {} : { reason: `${reason.message} [${reason.code}]` }),
    counters: counts,
    gauges: { deadLetters: sum('deadLetters'), behind: sum('waiting') },
    sightings: processorConditions(status),
  };
}
