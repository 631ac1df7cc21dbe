/** Seam's own processes: production code throughout, its ports turned to the simulated log and databases. */
import type { CanonicalRecord } from '../../core/canonical-record.ts';
import { RecordError, TransientError } from '../../core/errors.ts';
import type { LogSlice, Logger } from '../../core/ports.ts';
import type { Random } from '../../demo/random.ts';
import { canonicalizeStage } from '../../processors/canonicalize.ts';
import { type Codecs, META_HEADER } from '../../processors/codecs.ts';
import { type EchoLedger, type LedgerEntry, ledgerKey } from '../../processors/echo.ts';
import { flowStage } from '../../processors/flow.ts';
import { ProcessorSettings } from '../../processors/settings.ts';
import type { Stage } from '../../processors/stage.ts';
import { StageSupervisor } from '../../processors/supervise.ts';
import { SinkSettings } from '../../sinks/engine/settings.ts';
import { runSink } from '../../sinks/main.ts';
import { errorOf } from '../support/memory-database.ts';
import { opaque } from './capture.ts';
import { canonicalOf, isGarbled } from './records.ts';
import type { SimProcess } from './scheduler.ts';
import { BIDIRECTIONAL, ENTITIES, HOPS_MAX, RAW_TABLES, STEPS, type SystemName, TARGETS } from './systems.ts';
import type { World } from './world.ts';

export type Worker = { readonly done: Promise<void>; readonly stop: () => Promise<void> };

/** A place where a process runs; another takes it when that one is gone. */
export type Slot = {
  readonly name: string;
  readonly start: (process: SimProcess) => Worker;
  process: SimProcess;
  worker: Worker | undefined;
  starts: number;
};

export type WorkerSettings = { readonly sink: SinkSettings; readonly processor: ProcessorSettings };

export function settingsOf(random: Random, inLargeBatches: boolean): WorkerSettings {
  return {
    sink: SinkSettings.parse({
      batchRecordsMax: inLargeBatches ? 50 : random.pick([1, 2, 5, 50]),
      batchEveryMs: random.pick([0, 0, 30]),
      retryDelayMsMax: 100,
      parkedRetryMs: random.pick([500, 2_000]),
      laterRecords: random.pick(['heal', 'wait', 'take-over']),
    }),
    processor: ProcessorSettings.parse({
      transactionRecordsMax: random.pick([1, 3, 50]),
      bufferRecordsMax: random.pick([2, 50]),
      transactionEveryMs: random.pick([0, 0, 50]),
      retryDelayMs: 10,
      retryDelayMsMax: 100,
      restartDelayMs: 10,
      hopsMax: HOPS_MAX,
      laterRecords: random.pick(['heal', 'wait', 'take-over']),
    }),
  };
}

/** Values aren't encoded: production code only hands these bytes on. */
const codecs = {
  loadSchemas: async () => undefined,
  rawValue: (bytes) => bytes as never,
  rawKey: (bytes) => JSON.parse(Buffer.from(bytes).toString('utf8')),
  valueColumns: () => undefined,
  keyColumns: () => undefined,
  schemaTopic: () => undefined,
  nullHidingColumns: () => [],
  mangledColumns: () => new Map(),
  output: ({ topic }, key, value, meta) => ({
    ...{ topic, key, value: value === null ? null : opaque(value) },
    headers: { [META_HEADER]: opaque(meta) },
  }),
  decode: (_entity, bytes) => bytes as never,
  decodeMeta: (bytes) => bytes as never,
} satisfies Codecs;

const logger: Logger = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };

export function stageOf(world: World, process: SimProcess, name: string): Stage {
  const partitionCount = (topic: string) => world.log.topic(topic).length;
  if (name === 'flow') return flowStage({ groupId: name, steps: STEPS, entities: ENTITIES, codecs, partitionCount });
  return canonicalizeStage({
    groupId: name,
    tables: RAW_TABLES,
    topics: [...RAW_TABLES.keys()],
    codecs,
    ledger: echoLedger(world, process),
    identities: { canonicalIds: async () => new Map() },
    bidirectional: BIDIRECTIONAL,
    partitionCount,
    epochs: {},
    hopsMax: HOPS_MAX,
  });
}

export function startStage(world: World, process: SimProcess, name: string, settings: WorkerSettings): Worker {
  const supervisor = new StageSupervisor({
    stage: stageOf(world, process, name),
    log: world.log.client(process),
    clock: world.scheduler.clock(process),
    logger,
    settings: settings.processor,
    hooks: { at: (point) => world.passes(process, point) },
  });
  return { done: supervisor.run(), stop: () => supervisor.stop() };
}

export function startSink(world: World, process: SimProcess, system: SystemName, settings: WorkerSettings): Worker {
  const { isReadable } = world;
  const running = runSink({
    target: TARGETS[system],
    entities: ENTITIES,
    connection: { host: 'simulated', port: 0, user: '', password: '', database: system },
    dialect: {
      name: 'postgres',
      sideSchemaSql: () => '',
      captureSettingsSql: () => undefined,
      quietLog: () => undefined,
      open: async () => world.connect(system, process, { echoTag: `seam_${system}_0`, owner: process.name }),
      errorOf,
    },
    bidirectional: [...(BIDIRECTIONAL.get(system)?.keys() ?? [])],
    log: world.log.client(process),
    groupId: `sink-${system}`,
    owner: process.name,
    decode: (batch) => decode(isReadable, batch),
    settings: settings.sink,
    clock: world.scheduler.clock(process),
    logger,
    hooks: { at: (point) => world.passes(process, point) },
  });
  return {
    done: running.then(({ done }) => done),
    stop: async () => (await running).stop(),
  };
}

async function decode(isReadable: boolean, { topic, records }: LogSlice): Promise<(CanonicalRecord | RecordError)[]> {
  return records.map((record) => {
    const canonical = canonicalOf(topic, record);
    if (isReadable || !isGarbled(canonical)) return canonical;
    return new RecordError({ code: 'AVRO_DECODE_FAILED', message: `${canonical.entity} record doesn't read` });
  });
}

/** As adapters/side-schema.ts: what was committed, in two questions. */
function echoLedger(world: World, process: SimProcess): EchoLedger {
  return {
    async lookup(system, requests) {
      const database = world.database(system as SystemName);
      const entries = new Map<string, { hashes: Map<string, number>; current: LedgerEntry['current'] }>();
      const entryOf = (name: string) => {
        const entry = entries.get(name) ?? { hashes: new Map<string, number>(), current: undefined };
        entries.set(name, entry);
        return entry;
      };
      const wanted = new Set(requests.map(({ entity, key }) => ledgerKey(entity, key)));
      await world.scheduler.mayYield(process, `asks ${system} for echoes`);
      if (world.strikes('ledger')) throw new TransientError({ code: 'LEDGER_UNREACHABLE', message: 'no answer' });
      for (const { entity, key, hash, hops } of database.rows('seam.echo')) {
        const name = ledgerKey(String(entity), String(key));
        if (wanted.has(name)) entryOf(name).hashes.set(hex(hash), Number(hops));
      }
      await world.scheduler.mayYield(process, `asks ${system} for its ledger`);
      for (const { entity, key } of requests) {
        const row = database.row('seam.applied', entity, key);
        if (row === undefined) continue;
        const { hash, hops, deleted } = row;
        entryOf(ledgerKey(entity, key)).current = { hash: hex(hash), hops: Number(hops), deleted: deleted === true };
      }
      return entries;
    },
  };
}

function hex(bytes: unknown): string {
  return Buffer.from(bytes as Uint8Array).toString('hex');
}
