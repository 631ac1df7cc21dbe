/** A selection → exact ranges of offsets, for each target: never past what its sink has read, never silently less than asked. */
import { ConfigError, ContractError } from '../../../core/errors.ts';
import type { LogAdmin } from '../../../core/ports.ts';
import type { OffsetRange } from './read-ranges.ts';
import type { Selection } from './selection.ts';
import { type OpenTarget, readLiveLeases, type ReplayTarget } from './target-access.ts';

export type TopicRanges = { readonly topic: string; readonly ranges: readonly OffsetRange[] };
export type Scope = { readonly topics: readonly TopicRanges[]; readonly notes: readonly string[] };

export type ScopeOptions = {
  readonly selection: Selection;
  /** Of a key in a topic of so many partitions. */
  readonly partitionOf: (key: string, partitions: number) => number;
  readonly acceptMissing: boolean;
};

/** Targets that take one of the topics; a target or topic that nobody knows, or that don't meet, is refused. */
export function chosenTargets(all: readonly ReplayTarget[], selection: Selection, topicOf: (entity: string) => string) {
  const unknown = selection.targets.filter((name) => !all.some(({ target }) => target.system === name));
  if (unknown.length > 0) {
    throw new ConfigError({
      code: 'TARGET_UNKNOWN',
      message: `no target ${unknown.join(', ')}`,
      hint: `targets: ${all.map(({ target }) => target.system).join(', ')}`,
    });
  }
  const named = all.filter(({ target }) => selection.targets.length === 0 || selection.targets.includes(target.system));
  const topicsOf = ({ target }: ReplayTarget) => target.tables.map(({ entity }) => topicOf(entity));
  const untaken = selection.topics.filter((topic) => !named.some((one) => topicsOf(one).includes(topic)));
  if (untaken.length > 0) {
    throw new ConfigError({
      code: 'TOPIC_NOT_TAKEN',
      message: `no chosen target takes ${untaken.join(', ')}`,
      hint: `they take: ${[...new Set(named.flatMap(topicsOf))].join(', ')}`,
    });
  }
  return named.filter(
    (one) => selection.topics.length === 0 || topicsOf(one).some((t) => selection.topics.includes(t)),
  );
}

export async function resolveScope(open: OpenTarget, admin: LogAdmin, options: ScopeOptions): Promise<Scope> {
  const { selection } = options;
  const topics: TopicRanges[] = [];
  const notes: string[] = [];
  for (const topic of open.topics.keys()) {
    if (selection.topics.length > 0 && !selection.topics.includes(topic)) continue;
    const { ranges, notes: ofTopic } = await rangesOf(open, admin, topic, options);
    if (ranges.length > 0) topics.push({ topic, ranges });
    notes.push(...ofTopic);
  }
  return { topics, notes };
}

type Bound = { readonly partition: number; readonly earliest: bigint; readonly latest: bigint };

async function rangesOf(open: OpenTarget, admin: LogAdmin, topic: string, options: ScopeOptions) {
  const { selection, acceptMissing } = options;
  const { fromMs, toMs, filter } = selection;
  const bounds = await admin.bounds(topic);
  const partitions = wantedPartitions(topic, bounds, options);
  const live = await open.writer.withSession((session) => readLiveLeases(session, open.side, topic, partitions));
  const froms = fromMs === undefined ? undefined : await admin.offsetsAt(topic, fromMs);
  const tos = toMs === undefined ? undefined : await admin.offsetsAt(topic, toMs);
  const ranges: OffsetRange[] = [];
  const notes: string[] = [];
  for (const bound of bounds.filter(({ partition }) => partitions.includes(partition))) {
    const { partition, earliest } = bound;
    const place = `${open.system}: ${topic} partition ${partition}`;
    const lease = live.get(partition);
    if (lease === undefined) {
      notes.push(`${place} was never read by this target: left out; its sink reads it from the beginning by itself`);
      continue;
    }
    refuseForeignLog(place, bound, lease.nextOffset);
    const asked = selection.offsets.get(partition);
    const start = asked?.from ?? offsetIn(froms, partition);
    const from = start === undefined || start < earliest ? earliest : start;
    const end = asked?.to ?? offsetIn(tos, partition) ?? lease.nextOffset;
    const to = end < lease.nextOffset ? end : lease.nextOffset;
    if (from >= to) continue;
    if (earliest > 0n && (start === undefined || start <= earliest)) {
      const missing = `${place} begins at offset ${earliest}: what was before is no longer in the log`;
      if (!acceptMissing) throw rangeGone(missing);
      notes.push(missing);
    }
    ranges.push({ partition, from, to });
  }
  if (filter.keys === undefined && ranges.length === 0 && partitions.length > 0 && selection.offsets.size > 0) {
    notes.push(`${open.system}: ${topic}: the offsets hold nothing that this target has read`);
  }
  return { ranges, notes };
}

function wantedPartitions(topic: string, bounds: readonly Bound[], { selection, partitionOf }: ScopeOptions): number[] {
  const { offsets, filter } = selection;
  const unknown = [...offsets.keys()].filter((partition) => !bounds.some((bound) => bound.partition === partition));
  if (unknown.length > 0) {
    throw new ConfigError({
      code: 'SELECTION_WRONG',
      message: `${topic} has no partition ${unknown.join(', ')}`,
      hint: `its partitions: ${bounds.map(({ partition }) => partition).join(', ')}`,
    });
  }
  const ofKeys = filter.keys?.map((key) => partitionOf(key, bounds.length));
  return bounds
    .map(({ partition }) => partition)
    .filter((partition) => offsets.size === 0 || offsets.has(partition))
    .filter((partition) => ofKeys === undefined || ofKeys.includes(partition));
}

function offsetIn(offsets: readonly { partition: number; offset: bigint }[] | undefined, partition: number) {
  return offsets?.find((one) => one.partition === partition)?.offset;
}

function refuseForeignLog(place: string, { earliest, latest }: Bound, nextOffset: bigint): void {
  if (nextOffset >= earliest && nextOffset <= latest) return;
  throw new ContractError({
    code: 'LEASE_OUTSIDE_LOG',
    message: `the target has read up to offset ${nextOffset}, and the log holds ${earliest} to ${latest}`,
    where: place,
    hint: 'the topic was made again, or the sink is far behind: mend that first',
  });
}

function rangeGone(message: string): ContractError {
  return new ContractError({
    code: 'RANGE_GONE',
    message,
    hint: 'begin later, or pass --accept-missing to replay what is left; what is gone comes back by a fresh snapshot only',
  });
}
