/** `seam replay plan`: a selection becomes exact ranges, and a trial tells what they would do. Changes nothing. */
import { randomBytes } from 'node:crypto';
import { ConfigError, ContractError } from '../../../core/errors.ts';
import type { LogAdmin, LogRecord } from '../../../core/ports.ts';
import { addEffects, noEffect } from './effect.ts';
import type { ReplayPlan, ScopeTopic, TargetScope } from './plan-file.ts';
import { chosenTargets, resolveScope, type TopicRanges } from './scope.ts';
import type { Selection } from './selection.ts';
import { type OpenTarget, openTarget, type ReplayParts, type ReplayTarget } from './target-access.ts';
import { Trial, type TrialLimits } from './trial.ts';
import { walk } from './walk.ts';
import type { WindowLimits } from './window.ts';

export type PlanOptions = {
  readonly selection: Selection;
  readonly partitionOf: (key: string, partitions: number) => number;
  readonly acceptMissing: boolean;
  readonly rewriteEqual: boolean;
  readonly rate: number;
  readonly batchRecordsMax: number;
  readonly reason: string;
  readonly by: string;
  readonly limits: WindowLimits;
  readonly trial: TrialLimits;
  readonly signal: AbortSignal;
  readonly onTarget?: (system: string) => void;
};

export const WINDOW_LIMITS: WindowLimits = { keysMax: 200_000, bytesMax: 128 * 1024 * 1024 };
export const TRIAL_LIMITS: TrialLimits = { recordsMax: 2_000, msMax: 2_000 };

export async function planReplay(parts: ReplayParts, options: PlanOptions): Promise<ReplayPlan> {
  if (options.reason.trim() === '') {
    throw new ConfigError({
      code: 'REASON_MISSING',
      message: 'a replay needs a reason, which every target keeps',
      hint: 'pass --reason "outage of finance, INC-31"',
    });
  }
  const id = randomBytes(5).toString('hex');
  const topicOf = (entity: string) => parts.entities[entity]?.topic ?? entity;
  const targets: TargetScope[] = [];
  const notes: string[] = [];
  const admin = await parts.log.admin();
  try {
    for (const of of chosenTargets(parts.targets, options.selection, topicOf)) {
      options.onTarget?.(of.target.system);
      const found = await planTarget(parts, of, admin, id, options);
      if (found.scope !== undefined) targets.push(found.scope);
      notes.push(...found.notes);
    }
  } finally {
    await admin.close();
  }
  options.signal.throwIfAborted();
  if (!targets.some(({ selected }) => selected > 0)) throw matchesNothing(options.selection, notes);
  return {
    version: 1,
    kind: 'canonical',
    id,
    createdAt: new Date(parts.clock.nowMs()).toISOString(),
    createdBy: options.by,
    reason: options.reason,
    asked: options.selection.inWords,
    filter: options.selection.filter,
    rewriteEqual: options.rewriteEqual,
    rate: options.rate,
    batchRecordsMax: options.batchRecordsMax,
    targets,
    estimatedSeconds: estimate(targets, options.rate),
    notes,
  };
}

async function planTarget(
  parts: ReplayParts,
  of: ReplayTarget,
  admin: LogAdmin,
  id: string,
  options: PlanOptions,
): Promise<{ scope: TargetScope | undefined; notes: readonly string[] }> {
  const { trial: limits, rewriteEqual, signal } = options;
  const settings = { ...parts.settings, rewriteEqual, statementTimeoutMs: limits.msMax };
  const open = await openTarget(parts, of, { owner: `replay-plan-${id}`, settings, signal });
  try {
    const { topics, notes } = await resolveScope(open, admin, options);
    if (topics.length === 0) return { scope: undefined, notes };
    const scope = await tryScope(parts, open, id, topics, options);
    return { scope, notes: scope.chunks > 1 ? [...notes, chunksNote(scope)] : notes };
  } finally {
    await open.close();
  }
}

async function tryScope(
  parts: ReplayParts,
  open: OpenTarget,
  id: string,
  topics: readonly TopicRanges[],
  options: PlanOptions,
): Promise<TargetScope> {
  const startedMs = parts.clock.elapsedMs();
  const trial = new Trial(parts, open, options.trial);
  const marks = new Marks();
  let [read, selected] = [0, 0];
  await walk(parts, open, {
    groupId: `seam-replay-${id}-${open.system}`,
    topics,
    filter: options.selection.filter,
    limits: options.limits,
    signal: options.signal,
    onRecord: (topic, partition, record) => marks.see(topic, partition, record),
    onPortion: async (portion) => {
      read += portion.read;
      selected += portion.selected;
      await trial.add(portion);
    },
  });
  await trial.flush();
  return {
    target: open.system,
    topics: topics.map((topic) => marks.scopeOf(topic)),
    read,
    selected,
    predicted: trial.effect,
    chunks: trial.chunks,
    trialMs: trial.trialMs,
    readMs: Math.max(0, parts.clock.elapsedMs() - startedMs - 2 * trial.trialMs),
  };
}

type Mark = { offset: string; timestampMs: number };

/** First and last record of each range: by them a topic that was made again is known. */
class Marks {
  readonly #seen = new Map<string, { first: Mark; last: Mark }>();

  see(topic: string, partition: number, { offset, timestampMs }: LogRecord): void {
    const mark = { offset: offset.toString(), timestampMs };
    const known = this.#seen.get(`${topic}/${partition}`);
    if (known === undefined) this.#seen.set(`${topic}/${partition}`, { first: mark, last: mark });
    else known.last = mark;
  }

  scopeOf({ topic, ranges }: TopicRanges): ScopeTopic {
    return {
      topic,
      ranges: ranges.map(({ partition, from, to }) => {
        const seen = this.#seen.get(`${topic}/${partition}`);
        return {
          partition,
          from: from.toString(),
          to: to.toString(),
          first: seen?.first ?? null,
          last: seen?.last ?? null,
        };
      }),
    };
  }
}

/** The ranges are read as for the plan; a replay rests at least as long as it works. */
function estimate(targets: readonly TargetScope[], rate: number): number {
  const ofTarget = ({ predicted, trialMs, readMs }: TargetScope) =>
    readMs / 1_000 + Math.max(predicted.records / rate, (2 * trialMs) / 1_000);
  return targets.reduce((sum, target) => sum + ofTarget(target), 0);
}

function chunksNote({ target, chunks }: TargetScope): string {
  return `${target}: counted in ${chunks} transactions, each rolled back: a record that needs a row of another one may be counted as waiting`;
}

function matchesNothing({ inWords }: Selection, notes: readonly string[]): ContractError {
  return new ContractError({
    code: 'REPLAY_MATCHES_NOTHING',
    message: [`no record matches: ${inWords}`, ...notes.map((note) => `    - ${note}`)].join('\n'),
    hint: 'look for the key, time or position in the topic first; targets write nothing that they have not read yet',
  });
}

export function totalPredicted({ targets }: ReplayPlan) {
  return targets.reduce((sum, { predicted }) => addEffects(sum, predicted), noEffect());
}
