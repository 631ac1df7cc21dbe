import { ContractError } from '../../core/errors.ts';
import type { LogAdmin, TopicPartition } from '../../core/ports.ts';

type PartitionOffset = TopicPartition & { readonly offset: bigint };

/**
 * Where each partition is read from: as the caller says, else where the group stopped, else at the beginning. A place that
 * the log no longer has, or never had, is refused: reading on would hide that records are missing.
 */
export async function findStarts(
  admin: LogAdmin,
  groupId: string,
  partitions: readonly TopicPartition[],
  given: readonly PartitionOffset[],
): Promise<ReadonlyMap<string, bigint>> {
  const topics = [...new Set(partitions.map(({ topic }) => topic))];
  const known = byName(given);
  const isComplete = partitions.every(({ topic, partition }) => known.has(nameOf(topic, partition)));
  const committed = byName(isComplete ? [] : await admin.committedOffsets(groupId, topics));
  const bounds = new Map<string, { earliest: bigint; latest: bigint }>();
  for (const found of await Promise.all(topics.map((topic) => admin.bounds(topic)))) {
    for (const bound of found) bounds.set(nameOf(bound.topic, bound.partition), bound);
  }
  const starts = new Map<string, bigint>();
  for (const place of partitions) {
    const name = nameOf(place.topic, place.partition);
    const { earliest, latest } = bounds.get(name) ?? { earliest: 0n, latest: 0n };
    const start = known.get(name) ?? committed.get(name) ?? earliest;
    if (start < earliest) throw truncated(place, start, earliest);
    if (start > latest) throw shortened(place, start, latest);
    starts.set(name, start);
  }
  return starts;
}

function byName(offsets: readonly PartitionOffset[]): Map<string, bigint> {
  return new Map(offsets.map(({ topic, partition, offset }) => [nameOf(topic, partition), offset]));
}

export function nameOf(topic: string, partition: number): string {
  return `${topic} ${partition}`;
}

function truncated({ topic, partition }: TopicPartition, start: bigint, earliest: bigint): ContractError {
  return new ContractError({
    code: 'LOG_TRUNCATED',
    message: `records ${start} to ${earliest - 1n} were removed from the log before they were read`,
    where: `${topic} partition ${partition}, next offset ${start}, beginning of the log ${earliest}`,
    hint: 'what is missing must be read from the source again (a fresh snapshot); then move the group to the beginning',
  });
}

function shortened({ topic, partition }: TopicPartition, start: bigint, latest: bigint): ContractError {
  return new ContractError({
    code: 'LOG_SHORTENED',
    message: 'the log ends before what was read already: it was deleted and made again, or brokers lost records',
    where: `${topic} partition ${partition}, next offset ${start}, end of the log ${latest}`,
    hint: 'find out what became of the topic; after a fresh snapshot of the source move the group to the beginning',
  });
}
