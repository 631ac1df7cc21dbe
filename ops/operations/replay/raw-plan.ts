/** `seam replay plan --raw`: raw records translated again by a corrected mapping. A trial says what comes of them. Changes nothing. */
import { randomBytes } from 'node:crypto';
import { ContractError } from '../../../core/errors.ts';
import type { LogAdmin } from '../../../core/ports.ts';
import { createStages, type ProcessorOptions, type Stages } from '../../../processors/main.ts';
import { noEffect } from './effect.ts';
import type { RawPlan, TargetScope } from './plan-file.ts';
import { TRIAL_LIMITS } from './plan.ts';
import { indexKeys, type RawRange, readRaw, translatedTo } from './raw-source.ts';
import { compareWithTopic, decodeOutputs, Translation, tryInTarget } from './raw-trial.ts';
import { openTarget, type ReplayParts, type ReplayTarget } from './target-access.ts';
import { Trial } from './trial.ts';

/** What translating needs: the sinks' side for the trial in targets, the processors' own for the translation. */
export type RawParts = { readonly replay: ReplayParts; readonly processors: ProcessorOptions };

export type RawPlanOptions = {
  readonly topic: string;
  readonly fromMs: number | undefined;
  readonly toMs: number | undefined;
  readonly offsets: ReadonlyMap<number, { readonly from: bigint; readonly to: bigint | undefined }>;
  readonly partitionOf: (key: string, partitions: number) => number;
  readonly acceptMissing: boolean;
  readonly asked: string;
  readonly reason: string;
  readonly rate: number;
  readonly batchRecordsMax: number;
  readonly by: string;
  readonly signal: AbortSignal;
};

const DAY_MS = 86_400_000;

export async function planRaw(parts: RawParts, options: RawPlanOptions): Promise<RawPlan> {
  const { topic } = options;
  const stages = await createStages(parts.processors);
  const table = stages.tables.get(topic);
  if (table === undefined) throw notMapped(topic, [...stages.tables.keys()]);
  const id = randomBytes(5).toString('hex');
  const groupId = `seam-replay-${id}`;
  const admin = await parts.replay.log.admin();
  const { ranges, notes } = await rangesOf(parts, admin, options).finally(() => admin.close());
  const reading = { parts: parts.replay, groupId, topic, signal: options.signal };
  const index = await indexKeys(reading, ranges);
  const translation = new Translation(stages);
  const marks = ranges.map((range) => ({ ...range, records: 0, oldestMs: Number.POSITIVE_INFINITY }));
  let read = 0;
  await readRaw({
    ...reading,
    ranges: ranges.map(({ partition, from, end }) => ({ partition, from, to: end })),
    take: async ({ partition, records }) => {
      read += records.length;
      const chosen = records.filter((record) => isSent(stages, topic, index, record));
      const mark = marks.find((one) => one.partition === partition);
      if (mark !== undefined) {
        mark.records += chosen.length;
        for (const { timestampMs } of chosen) mark.oldestMs = Math.min(mark.oldestMs, timestampMs);
      }
      await translation.add(topic, partition, chosen);
    },
  });
  const records = marks.reduce((sum, mark) => sum + mark.records, 0);
  if (records === 0) throw matchesNothing(options.asked);
  refuseForgottenEchoes(parts, stages, topic, Math.min(...marks.map(({ oldestMs }) => oldestMs)));
  const { outcome, targets } = await outcomes(parts, stages, translation, groupId, options);
  return {
    version: 1,
    kind: 'raw',
    id,
    createdAt: new Date(parts.replay.clock.nowMs()).toISOString(),
    createdBy: options.by,
    reason: options.reason,
    asked: options.asked,
    rate: options.rate,
    batchRecordsMax: options.batchRecordsMax,
    source: {
      topic,
      system: table.system,
      table: table.table,
      ranges: ranges.map(({ partition, from, to }) => ({
        partition,
        from: from.toString(),
        to: to.toString(),
        first: null,
        last: null,
      })),
    },
    read,
    keys: index.keys,
    records,
    outcome,
    refused: translation.refused,
    dropped: translation.dropped,
    targets,
    estimatedSeconds: records / options.rate,
    notes: [...notes, ...partialNotes(outcome), REFLOW],
  };
}

const REFLOW =
  'targets get the corrected records from their sinks, as live ones: their effect was tried here, and is counted by the sinks';

/** Of an entity that several systems write, a change that left it alone says nothing of it: then all records of a key are needed. */
export function isSent(stages: Stages, topic: string, index: Index, record: Parameters<Index['isNewest']>[0]): boolean {
  const isShared = stages.tables.get(topic)?.entities.some((entity) => entity.isShared) === true;
  return isShared ? index.isAlive(record) : index.isNewest(record) && record.value !== null;
}

type Index = Awaited<ReturnType<typeof indexKeys>>;

async function rangesOf(parts: RawParts, admin: LogAdmin, options: RawPlanOptions) {
  const { topic, fromMs, toMs, offsets, acceptMissing } = options;
  const translated = await translatedTo(admin, parts.processors.settings, topic);
  const froms = fromMs === undefined ? [] : await admin.offsetsAt(topic, fromMs);
  const tos = toMs === undefined ? [] : await admin.offsetsAt(topic, toMs);
  const ranges: RawRange[] = [];
  const notes: string[] = [];
  for (const { partition, earliest } of await admin.bounds(topic)) {
    const end = translated.get(partition);
    if (end === undefined || (offsets.size > 0 && !offsets.has(partition))) continue;
    const start = offsets.get(partition)?.from ?? froms.find((one) => one.partition === partition)?.offset;
    const from = start === undefined || start < earliest ? earliest : start;
    const asked = offsets.get(partition)?.to ?? tos.find((one) => one.partition === partition)?.offset ?? end;
    const to = asked < end ? asked : end;
    if (from >= to) continue;
    if (earliest > 0n && (start === undefined || start <= earliest)) {
      const missing = `${topic} partition ${partition} begins at offset ${earliest}: rows that did not change since are not in it`;
      if (!acceptMissing) throw rangeGone(missing);
      notes.push(missing);
    }
    ranges.push({ partition, from, to, end });
  }
  return { ranges, notes };
}

/** Contents against the canonical topics, and a trial in each target that takes one of them. */
async function outcomes(
  parts: RawParts,
  stages: Stages,
  translation: Translation,
  groupId: string,
  options: RawPlanOptions,
): Promise<Pick<RawPlan, 'outcome' | 'targets'>> {
  const { replay } = parts;
  const outcome: RawPlan['outcome'] = {};
  const decodedByTopic = new Map<string, Awaited<ReturnType<typeof decodeOutputs>>>();
  for (const [topic, outputs] of translation.outputs) {
    const partitions = stages.partitionCount(topic);
    const decoded = await decodeOutputs(replay, topic, [...outputs.values()], (key) =>
      options.partitionOf(key, partitions),
    );
    decodedByTopic.set(topic, decoded);
    const entity = decoded[0]?.record.entity;
    if (entity === undefined) continue;
    outcome[entity] = await compareWithTopic({ parts: replay, groupId, topic, decoded, signal: options.signal });
  }
  const targets: TargetScope[] = [];
  for (const of of replay.targets) targets.push(...(await tryOne(replay, of, decodedByTopic, options.signal)));
  return { outcome, targets };
}

async function tryOne(
  parts: ReplayParts,
  of: ReplayTarget,
  decodedByTopic: ReadonlyMap<string, Awaited<ReturnType<typeof decodeOutputs>>>,
  signal: AbortSignal,
): Promise<TargetScope[]> {
  const topics = of.target.tables.map(({ entity }) => parts.entities[entity]?.topic ?? '');
  const wanted = topics.filter((topic) => (decodedByTopic.get(topic)?.length ?? 0) > 0);
  if (wanted.length === 0) return [];
  const settings = { ...parts.settings, statementTimeoutMs: TRIAL_LIMITS.msMax };
  const open = await openTarget(parts, of, { owner: 'replay-plan', settings, signal });
  try {
    const trial = new Trial(parts, open, TRIAL_LIMITS);
    for (const topic of wanted) await tryInTarget(trial, decodedByTopic.get(topic) ?? []);
    await trial.flush();
    const scope = { target: open.system, topics: wanted.map((topic) => ({ topic, ranges: [] })) };
    const { effect, chunks, trialMs } = trial;
    return [
      {
        ...scope,
        read: effect.records,
        selected: effect.records,
        predicted: { ...noEffect(), ...effect },
        chunks,
        trialMs,
        readMs: 0,
      },
    ];
  } finally {
    await open.close();
  }
}

/** What Seam wrote itself is known by hashes that are kept for a time: older echoes would be taken for changes. */
function refuseForgottenEchoes(
  { replay, processors }: RawParts,
  stages: Stages,
  topic: string,
  oldestMs: number,
): void {
  const table = stages.tables.get(topic);
  const held = table === undefined ? undefined : processors.bidirectional.get(table.system);
  const isWrittenToo = table?.entities.some(({ description }) => held?.has(description.entity) === true) === true;
  const { echoRetentionDays } = replay.settings;
  if (!isWrittenToo || oldestMs >= replay.clock.nowMs() - echoRetentionDays * DAY_MS) return;
  throw new ContractError({
    code: 'ECHOES_FORGOTTEN',
    message: `some records are older than ${echoRetentionDays} days, for which Seam knows what it wrote there itself`,
    where: topic,
    hint: `begin later (--from ${echoRetentionDays - 1}d); older rows are corrected by a fresh snapshot of the table`,
  });
}

function partialNotes(outcome: RawPlan['outcome']): string[] {
  return Object.entries(outcome).flatMap(([entity, { partial }]) =>
    partial === 0
      ? []
      : [
          `${partial} records of ${entity} don't carry all fields, as a large value that did not change: those fields stay as they are`,
        ],
  );
}

function notMapped(topic: string, mapped: readonly string[]): ContractError {
  return new ContractError({
    code: 'RAW_TOPIC_UNKNOWN',
    message: `no mapping reads ${topic}`,
    hint: `mapped: ${mapped.join(', ')}`,
  });
}

function rangeGone(message: string): ContractError {
  return new ContractError({
    code: 'RANGE_GONE',
    message,
    hint: 'pass --accept-missing to translate what is left; rows that are gone from it are corrected by a fresh snapshot only',
  });
}

function matchesNothing(asked: string): ContractError {
  return new ContractError({
    code: 'REPLAY_MATCHES_NOTHING',
    message: `no record matches: ${asked}`,
    hint: 'the processors must have translated the topic before; rows deleted since are left out',
  });
}
