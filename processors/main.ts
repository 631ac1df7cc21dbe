/** The processors: both stages in one worker. Joins the stages with Avro and the registry; reads no environment. */
import { type CanonicalCodec, createCanonicalCodec } from '../adapters/avro/canonical-codec.ts';
import { createMetaCodec } from '../adapters/avro/meta-codec.ts';
import { createRawDecoder } from '../adapters/avro/raw-codec.ts';
import { RecordPacker } from '../adapters/avro/record-packer.ts';
import { schemaIdOf, schemaIds } from '../adapters/avro/wire.ts';
import type { Registry } from '../adapters/registry.ts';
import type { EntityName } from '../avro/generated/records.ts';
import { ConfigError, type ContractError } from '../core/errors.ts';
import type { SourceMapping } from '../core/mapping.ts';
import type { Clock, Log, Logger } from '../core/ports.ts';
import type { Position } from '../core/position.ts';
import type { Step } from '../core/step.ts';
import { CANONICALIZE, canonicalizeStage } from './canonicalize.ts';
import type { Codecs } from './codecs.ts';
import { type CompiledTable, compileSource, type Entities } from './compile-mapping.ts';
import type { EchoLedger, IdentityLookup } from './echo.ts';
import { checkSteps, FLOW, flowStage } from './flow.ts';
import { type Present, topicsCome, topicsMissing, withLeftOut, withoutTopics } from './missing-topics.ts';
import { saidAgainIn } from './said-again.ts';
import type { ProcessorSettings } from './settings.ts';
import {
  type CrashHooks,
  deadLetterTopic,
  type Reason,
  redriveTopic,
  type Stage,
  type StageStatus,
  type WorkState,
} from './stage.ts';
import { StageSupervisor } from './supervise.ts';
import { rawTopic, SIGNAL_TABLE } from './topics.ts';

export { ProcessorSettings, TopicSettings } from './settings.ts';
export type { StageStatus } from './stage.ts';
export { notificationTopic, type PlannedTopic, rawTopic, SIGNAL_TABLE, topicPlan } from './topics.ts';

export type ProcessorOptions = {
  readonly log: Log;
  readonly registry: Registry;
  readonly mappings: readonly SourceMapping[];
  readonly steps: readonly Step[];
  readonly entities: Entities;
  /** adapters/side-schema.ts, with access to every system whose target writes what is also captured, or assigns keys. */
  readonly sideSchemas: EchoLedger & IdentityLookup;
  /** By system and entity: what its target writes and captures as well, with the fields held (core/target.ts `heldFields`). */
  readonly bidirectional: ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>;
  readonly settings: ProcessorSettings;
  /** See CanonicalizeParts. */
  readonly faultOf?: (system: string, table: string) => ContractError | undefined;
  readonly readAgainAt?: (system: string, table: string) => Position | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly sessionTimeoutMs?: number;
  readonly hooks?: CrashHooks;
};

export type ProcessorStatus = {
  readonly state: WorkState;
  readonly reason: Reason | undefined;
  /** Summed over all topics, by `<stage>.<name>`. */
  readonly counts: Readonly<Record<string, number>>;
  readonly stages: readonly StageStatus[];
};

export type RunningProcessors = {
  /** Resolves when stopped; rejects with the error that stopped it. */
  readonly done: Promise<void>;
  readonly status: () => ProcessorStatus;
  readonly stop: () => Promise<void>;
};

const TOPIC_PAUSE_MS = 500;
const OTHERS_WAIT_MS = 5_000;

/** Checks mappings, steps, schemas and topics first: rejects with every fault before anything is read. */
export async function runProcessors(options: ProcessorOptions): Promise<RunningProcessors> {
  const { stages, left } = await createStages(options);
  const supervisors = stages.map((stage) => new StageSupervisor({ ...options, stage }));
  const lacking = [...left.raw.values(), ...left.canonical.values()].flat();
  const stopping = new AbortController();
  const running = start(supervisors, left, topicsCome(options, [...new Set(lacking)], stopping.signal));
  running.done.catch(() => {}).finally(() => stopping.abort());
  return running;
}

export type Stages = {
  readonly stages: readonly Stage[];
  /** By raw topic, of mapped tables. */
  readonly tables: ReadonlyMap<string, CompiledTable>;
  readonly partitionCount: (topic: string) => number;
  /** What cannot be read, since topics lack. */
  readonly left: Present['left'];
};

/** The stages as they run; by themselves they only answer. Rejects with every fault of mappings, steps, schemas and topics. */
export async function createStages(options: ProcessorOptions): Promise<Stages> {
  const wanted = tablesByTopic(options);
  checkSteps(options.steps, options.entities);
  const codecs = await createCodecs(options.registry, Object.keys(options.entities) as EntityName[]);
  const partitionCounts = await waitForTopics(options, [...wanted.keys()]);
  const missing = new Set(topicsOf(options, [...wanted.keys()]).filter((topic) => !partitionCounts.has(topic)));
  const { tables, steps, left } = withoutTopics({ ...options, tables: wanted }, missing);
  const partitionCount = (topic: string) => partitionCounts.get(topic) as number;
  const stages = [
    canonicalizeStage({
      groupId: canonicalizeGroup(options.settings),
      tables,
      topics: [...tables.keys(), ...(await unmappedTopics(options))],
      codecs,
      ledger: options.sideSchemas,
      identities: options.sideSchemas,
      bidirectional: options.bidirectional,
      partitionCount,
      epochs: options.settings.positionEpochs,
      hopsMax: options.settings.hopsMax,
      faultOf: options.faultOf,
      saidAgain: saidAgainIn(options.log),
      readAgainAt: options.readAgainAt,
    }),
    ...(steps.length === 0
      ? []
      : [flowStage({ ...options, steps, groupId: `${options.settings.groupPrefix}-${FLOW}`, codecs, partitionCount })]),
  ];
  return { stages, tables, partitionCount, left };
}

/** Its committed offsets say how far raw topics, and the lane, have been translated. */
export function canonicalizeGroup({ groupPrefix }: Pick<ProcessorSettings, 'groupPrefix'>): string {
  return `${groupPrefix}-${CANONICALIZE}`;
}

function start(supervisors: readonly StageSupervisor[], left: Present['left'], came: Promise<void>): RunningProcessors {
  const stop = async () => {
    await Promise.all(supervisors.map((supervisor) => supervisor.stop()));
  };
  const running = supervisors.map(async (supervisor) => {
    try {
      await supervisor.run();
    } catch (error) {
      // half a chain is none: what feeds the other stage is gone
      await stop();
      throw error;
    }
  });
  const ended = Promise.allSettled(running).then((outcomes) => {
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  });
  const done = Promise.race([ended, came.then(() => ended)]);
  done.catch(() => {});
  const stages = () =>
    supervisors.map((supervisor) => {
      const status = supervisor.status();
      return withLeftOut(status, status.stage === CANONICALIZE ? left.raw : left.canonical);
    });
  return { done, stop, status: () => statusOf(stages()) };
}

function statusOf(stages: readonly StageStatus[]): ProcessorStatus {
  const unwell = stages.find(({ state }) => state === 'failed') ?? stages.find(({ state }) => state !== 'running');
  const counts: Record<string, number> = {};
  for (const { stage, topics } of stages) {
    for (const [name, count] of topics.flatMap((topic) => Object.entries(topic.counts))) {
      counts[`${stage}.${name}`] = (counts[`${stage}.${name}`] ?? 0) + count;
    }
  }
  return { state: unwell?.state ?? 'running', reason: unwell?.reason, counts, stages };
}

/** Of mapped tables; an ignored one is not read at all. */
function tablesByTopic({ mappings, entities }: ProcessorOptions): Map<string, CompiledTable> {
  const tables = new Map<string, CompiledTable>();
  const writers = new Map<string, string>();
  for (const mapping of mappings) {
    for (const [name, table] of compileSource(mapping, entities)) {
      if (table.entities.length > 0) tables.set(rawTopic(mapping.system, name), table);
      for (const { description, isShared } of table.entities) {
        const other = writers.get(description.entity);
        if (!isShared && other !== undefined && other !== mapping.system) throw twoWriters(description.entity);
        writers.set(description.entity, mapping.system);
      }
    }
  }
  return tables;
}

/** Captured tables that nobody mapped are read too: their topic stops with what to do, instead of filling up unseen. */
async function unmappedTopics({ log, mappings }: ProcessorOptions): Promise<string[]> {
  const admin = await log.admin();
  const topics = await admin.listTopics().finally(() => admin.close());
  const known = new Set(
    mappings.flatMap(({ system, tables }) => Object.keys(tables).map((table) => rawTopic(system, table))),
  );
  const systems = new Set(mappings.map(({ system }) => system));
  return topics.filter((topic) => {
    const [raw, system, ...table] = topic.split('.');
    if (raw !== 'raw' || !systems.has(system ?? '') || table.join('.') === SIGNAL_TABLE) return false;
    return table.length >= 2 && !known.has(topic);
  });
}

function topicsOf({ entities }: ProcessorOptions, inputs: readonly string[]): string[] {
  return [...inputs, ...Object.values(entities).map(({ topic }) => topic)];
}

/** Of the topics that are there when all are, or the wait is over; rejects where a stage cannot work without what lacks. */
async function waitForTopics(
  options: ProcessorOptions,
  inputs: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const { log, clock, settings } = options;
  const beside = [CANONICALIZE, FLOW].flatMap((stage) => [deadLetterTopic(stage), redriveTopic(stage)]);
  const needed = [...topicsOf(options, inputs), ...beside];
  const startMs = clock.elapsedMs();
  // beside topics that are there, those that come later may wait alone
  const waitMs = (isAny: boolean) => Math.min(settings.topicWaitMsMax, isAny ? OTHERS_WAIT_MS : Infinity);
  const admin = await log.admin();
  try {
    for (;;) {
      const counts = await admin.partitionCounts(needed);
      const missing = needed.filter((topic) => !counts.has(topic));
      const isUsable = !missing.some((topic) => beside.includes(topic)) && inputs.some((topic) => counts.has(topic));
      if (missing.length === 0 || clock.elapsedMs() - startMs >= waitMs(isUsable)) {
        if (missing.some((topic) => beside.includes(topic))) throw topicsMissing(missing);
        refuseNarrow(counts, beside);
        return counts;
      }
      await clock.pause(TOPIC_PAUSE_MS);
    }
  } finally {
    await admin.close();
  }
}

async function createCodecs(registry: Registry, names: readonly EntityName[]): Promise<Codecs> {
  const raw = createRawDecoder(registry.lookup);
  const meta = createMetaCodec();
  const packer = new RecordPacker();
  const canonical = new Map<string, { readonly codec: CanonicalCodec; readonly schemaId: number }>();
  for (const name of names) {
    const schemaId = await registry.registerCanonical(name);
    canonical.set(name, { codec: createCanonicalCodec(name, registry.lookup), schemaId });
  }
  const of = (entity: string) => canonical.get(entity) as { codec: CanonicalCodec; schemaId: number };
  return {
    loadSchemas: (bytes) => registry.load(schemaIds(bytes)),
    rawValue: (bytes) => raw.value(bytes),
    rawKey: (bytes) => raw.key(bytes),
    valueColumns: (bytes) => raw.columns(schemaIdOf(bytes)),
    keyColumns: (bytes) => raw.columns(schemaIdOf(bytes)),
    schemaTopic: (bytes) => raw.namespace(schemaIdOf(bytes)),
    nullHidingColumns: (bytes) => raw.nullHidingColumns(schemaIdOf(bytes)),
    mangledColumns: (bytes) => raw.mangledColumns(schemaIdOf(bytes)),
    output: ({ entity, topic }, key, value, about) => packer.pack(topic, key, of(entity), value, about),
    decode: (entity, bytes) => of(entity).codec.decode(bytes),
    decodeMeta: (bytes) => meta.decode(bytes),
  };
}

function twoWriters(entity: string): ConfigError {
  return new ConfigError({
    code: 'ENTITY_HAS_TWO_WRITERS',
    message: `${entity} is mapped by two systems: their positions don't compare`,
    where: 'connectors',
    hint: `declare ${entity} shared in its Avro schema, or map it in its owner alone`,
  });
}

/** What is set aside, and what is asked of it, lies in the partition of its task. */
function refuseNarrow(counts: ReadonlyMap<string, number>, beside: readonly string[]): void {
  const widest = Math.max(...counts.values());
  const narrow = beside.filter((topic) => (counts.get(topic) as number) < widest);
  if (narrow.length === 0) return;
  throw new ConfigError({
    code: 'TOPICS_NARROW',
    message: `${narrow.join(', ')} must have as many partitions as the topics that are read: ${widest}`,
    hint: 'add partitions to them, which moves nothing: each task writes to the partition of its number',
  });
}
