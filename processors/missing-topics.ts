/**
 * Topics that are not there stop what reads or writes them, and nothing else: a table that was mapped before `seam connectors apply` could
 * make its topics waits alone. When they come, the worker starts again and reads it.
 */
import { ConfigError, TransientError } from '../core/errors.ts';
import type { Clock, Log } from '../core/ports.ts';
import type { Step } from '../core/step.ts';
import type { CompiledTable, Entities } from './compile-mapping.ts';
import type { StageStatus, TopicStatus } from './stage.ts';

export type Present = {
  /** By raw topic. */
  readonly tables: ReadonlyMap<string, CompiledTable>;
  readonly steps: readonly Step[];
  /** Inputs of each stage that are left out, with the topics that they lack. */
  readonly left: { readonly raw: LeftOut; readonly canonical: LeftOut };
};

type LeftOut = ReadonlyMap<string, readonly string[]>;

type Wanted = {
  readonly tables: ReadonlyMap<string, CompiledTable>;
  readonly steps: readonly Step[];
  readonly entities: Entities;
};

/** What can be worked on without these topics. Pure. ConfigError TOPICS_MISSING where no table is left. */
export function withoutTopics({ tables, steps, entities }: Wanted, missing: ReadonlySet<string>): Present {
  const lacking = (topics: readonly string[]) => topics.filter((topic) => missing.has(topic));
  const ofTable = (topic: string, table: CompiledTable) =>
    lacking([topic, ...table.entities.map(({ description }) => description.topic)]);
  const topicOf = (entity: string) => entities[entity]?.topic ?? entity;
  const ofStep = ({ from, to }: Step) => lacking([from, ...to].map(topicOf));
  const left = {
    raw: new Map([...tables].map(([topic, table]) => [topic, ofTable(topic, table)] as const).filter(isLacking)),
    canonical: new Map(steps.map((step) => [topicOf(step.from), ofStep(step)] as const).filter(isLacking)),
  };
  const kept = new Map([...tables].filter(([topic]) => !left.raw.has(topic)));
  if (kept.size === 0 && missing.size > 0) throw topicsMissing([...missing]);
  return { tables: kept, steps: steps.filter((step) => ofStep(step).length === 0), left };
}

function isLacking([, topics]: readonly [string, readonly string[]]): boolean {
  return topics.length > 0;
}

export function topicsMissing(topics: readonly string[]): ConfigError {
  return new ConfigError({
    code: 'TOPICS_MISSING',
    message: `${topics.length} topics don't exist: ${topics.join(', ')}`,
    hint: 'run: seam connectors apply --yes, then start the processors again',
  });
}

/** The stage's own topics, and those that it had to leave out. */
export function withLeftOut(status: StageStatus, left: LeftOut): StageStatus {
  if (left.size === 0) return status;
  const added = [...left].map(([topic, lacking]): TopicStatus => {
    const { code, message } = topicsMissing(lacking);
    const reason = {
      code,
      message,
      where: topic,
      hint: 'run: seam connectors apply --yes; the processors go on by themselves',
    };
    return { topic, state: 'failed', reason, counts: {} };
  });
  // a topic that other steps read as well is there once already
  const topics = [...status.topics.filter(({ topic }) => !left.has(topic)), ...added];
  if (status.state !== 'running') return { ...status, topics };
  return { ...status, topics, state: 'degraded', reason: added[0]?.reason };
}

const LOOK_EVERY_MS = 5_000;

/** Rejects when one of them has come: the worker is to start again. */
export async function topicsCome(
  { log, clock }: { readonly log: Log; readonly clock: Clock },
  topics: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted && topics.length > 0) {
    await clock.pause(LOOK_EVERY_MS, signal);
    if (signal.aborted) return;
    const came = await partitionsOf(log, topics).catch(() => []);
    if (came.length > 0) throw topicCame(came);
  }
}

async function partitionsOf(log: Log, topics: readonly string[]): Promise<string[]> {
  const admin = await log.admin();
  try {
    return [...(await admin.partitionCounts(topics)).keys()];
  } finally {
    await admin.close();
  }
}

function topicCame(topics: readonly string[]): TransientError {
  return new TransientError({
    code: 'TOPICS_CAME',
    message: `${topics.join(', ')} has come, and is read from now on`,
    hint: 'nothing to do: what keeps the workers running starts this one again',
  });
}
