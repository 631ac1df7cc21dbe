/**
 * Leases: which offsets this worker may write from, and under which epoch. The row in the target's database is the truth; a
 * worker whose epoch is older than the row's has lost the partition and never writes for it again.
 */
import { ContractError, SeamError, TransientError } from '../../core/errors.ts';
import type { TopicPartition } from '../../core/ports.ts';
import type { Session, Values } from '../dialects/dialect.ts';
import type { SideTables } from './side-tables.ts';

export type Lease = TopicPartition & { readonly epoch: bigint; nextOffset: bigint };

/** One partition's part in a transaction. */
export type Advance = { readonly lease: Lease; readonly nextOffset: bigint };

export const LEASE_LOST = 'LEASE_LOST';

export function partitionName({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

/** Also raised by an operator's replay, which moves the offset: then the worker starts over from there. */
export function leaseLost(lease: TopicPartition): TransientError {
  return new TransientError({
    code: LEASE_LOST,
    message: 'another worker or an operator took this partition over',
    where: `${lease.topic} partition ${lease.partition}`,
  });
}

const START_OVER = 'START_OVER';

/** A table goes on that stood still: its records are read again from the offsets that were saved. */
export function startOver(): TransientError {
  return new TransientError({ code: START_OVER, message: 'a table goes on, and its records are read again' });
}

/** The consumer joins its group again, and reads from where the leases say. */
export function isStartingOver(error: unknown): boolean {
  return error instanceof SeamError && (error.code === LEASE_LOST || error.code === START_OVER);
}

/** Offsets below `earliest` are gone from the log, so a partition never read before starts there. */
export async function takeLease(
  session: Session,
  partition: TopicPartition,
  earliest: bigint,
  owner: string,
): Promise<Lease> {
  const [row] = await session.run('takeLease', [partition.topic, partition.partition, earliest, owner]);
  const [nextOffset, epoch] = row as [bigint, bigint];
  return {
    topic: partition.topic,
    partition: partition.partition,
    nextOffset: BigInt(nextOffset),
    epoch: BigInt(epoch),
  };
}

/** Locks the rows until the transaction ends. `done`: an earlier attempt did commit, though its answer was lost. */
export async function lockLeases(
  session: Session,
  side: SideTables,
  advances: readonly Advance[],
): Promise<'ours' | 'done'> {
  const ordered = inOrder(advances);
  const rows = await session.lookup(side.sinkOffset, {
    match: leaseKey(ordered),
    columns: ['next_offset', 'epoch'],
    lock: true,
  });
  const found = new Map(rows.map(({ index, values }) => [index, values]));
  let done = 0;
  for (const [index, { lease, nextOffset }] of ordered.entries()) {
    const values = found.get(index);
    if (values === undefined || BigInt(values[1] as bigint) !== lease.epoch) throw leaseLost(lease);
    const stored = BigInt(values[0] as bigint);
    if (stored === nextOffset && nextOffset !== lease.nextOffset) done += 1;
    else if (stored !== lease.nextOffset) throw leaseLost(lease);
  }
  const advancing = ordered.filter(({ lease, nextOffset }) => nextOffset !== lease.nextOffset).length;
  return done > 0 && done === advancing ? 'done' : 'ours';
}

/**
 * Keeps the owners of these partitions from writing until the transaction ends, and takes nothing from them: how a replay works
 * beside them. Its own leases sort behind, so that everybody locks in one order.
 */
export async function holdLeases(session: Session, side: SideTables, places: readonly TopicPartition[]): Promise<void> {
  const ordered = [...places].sort((left, right) => (partitionName(left) < partitionName(right) ? -1 : 1));
  const match = placeKey(ordered);
  const rows = await session.lookup(side.sinkOffset, { match, columns: [], lock: true });
  const found = new Set(rows.map(({ index }) => index));
  const missing = ordered.find((_, index) => !found.has(index));
  if (missing === undefined) return;
  throw new ContractError({
    code: 'NEVER_READ',
    message: 'the target has no record of having read this partition',
    where: `${missing.topic} partition ${missing.partition}`,
    hint: 'start its sink first: it reads from the beginning by itself',
  });
}

/** Keeps every owner of a partition of these topics from writing until the transaction ends. */
export async function holdTopics(session: Session, side: SideTables, topics: readonly string[]): Promise<void> {
  if (topics.length === 0) return;
  await session.lookup(side.sinkOffset, { match: [{ column: 'topic', values: topics }], columns: [], lock: true });
}

export async function checkLeases(session: Session, side: SideTables, leases: readonly Lease[]): Promise<void> {
  const advances = leases.map((lease) => ({ lease, nextOffset: lease.nextOffset }));
  const rows = await session.lookup(side.sinkOffset, { match: leaseKey(advances), columns: ['next_offset', 'epoch'] });
  const found = new Map(rows.map(({ index, values }) => [index, values]));
  for (const [index, lease] of leases.entries()) {
    const [nextOffset, epoch] = found.get(index) ?? [];
    const isOurs =
      epoch !== undefined &&
      BigInt(epoch as bigint) === lease.epoch &&
      BigInt(nextOffset as bigint) === lease.nextOffset;
    if (!isOurs) throw leaseLost(lease);
  }
}

export async function saveOffsets(session: Session, side: SideTables, advances: readonly Advance[]): Promise<void> {
  const moved = inOrder(advances.filter(({ lease, nextOffset }) => nextOffset !== lease.nextOffset));
  if (moved.length === 0) return;
  const set = [{ column: 'next_offset', values: moved.map(({ nextOffset }) => nextOffset) }];
  await session.update(side.sinkOffset, { match: leaseKey(moved), set, onlyIfDifferent: false });
}

function inOrder(advances: readonly Advance[]): Advance[] {
  return [...advances].sort((left, right) => (partitionName(left.lease) < partitionName(right.lease) ? -1 : 1));
}

function leaseKey(advances: readonly Advance[]): readonly Values[] {
  return placeKey(advances.map(({ lease }) => lease));
}

export function placeKey(places: readonly TopicPartition[]): readonly Values[] {
  return [
    { column: 'topic', values: places.map(({ topic }) => topic) },
    { column: 'partition', values: places.map(({ partition }) => partition) },
  ];
}
