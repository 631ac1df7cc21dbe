/** What is still to be done before all has come to rest. */
import type { MemoryDatabase } from '../support/memory-database.ts';
import type { Capture } from './capture.ts';
import { STAGES } from './letters.ts';
import type { SimLog } from './log.ts';
import type { SourceName, SystemName } from './systems.ts';

export type Chain = {
  readonly captures: ReadonlyMap<SourceName, Capture>;
  readonly log: SimLog;
  readonly databases: ReadonlyMap<SystemName, MemoryDatabase>;
  /** Those that have a sink. */
  readonly targets: readonly SystemName[];
  /** By target and id: attempts of waiting records when the calm began. */
  readonly attempts: ReadonlyMap<string, number>;
};

/** undefined: nothing. */
export function unrestOf(chain: Chain): string | undefined {
  for (const [system, capture] of chain.captures) if (!capture.isCaughtUp) return `capture of ${system}`;
  for (const group of STAGES) {
    const { committed } = chain.log.group(group);
    const unread = unreadBy(chain, group, (topic, partition) => committed.get(`${topic}/${partition}`));
    if (unread !== undefined) return unread;
  }
  for (const system of chain.targets) {
    const unrest = unrestIn(chain, system);
    if (unrest !== undefined) return unrest;
  }
  return undefined;
}

function unrestIn(chain: Chain, system: SystemName): string | undefined {
  const database = chain.databases.get(system) as MemoryDatabase;
  const unread = unreadBy(chain, `sink-${system}`, (topic, partition) => {
    return database.row('seam.sink_offset', topic, partition)?.next_offset as bigint | undefined;
  });
  const due = database.rows('seam.parked').find(({ id, next_try_at, attempts }) => {
    return next_try_at !== null && Number(attempts) <= (chain.attempts.get(`${system} ${id}`) ?? 0);
  });
  return unread ?? (due === undefined ? undefined : `sink ${system} has ${due.entity} "${due.key}" waiting`);
}

function unreadBy(
  { log }: Chain,
  group: string,
  nextOf: (topic: string, partition: number) => bigint | undefined,
): string | undefined {
  if (log.inputsOf(group).length === 0) return `${group} has not joined yet`;
  for (const topic of log.inputsOf(group)) {
    for (const partition of log.topic(topic)) {
      const next = nextOf(topic, partition.number) ?? 0n;
      if ((partition.fetch(next, 1)?.records.length ?? 0) > 0) return `${group} at ${topic} ${next}`;
    }
  }
  return undefined;
}

/** Members whose phone is set aside while it goes round: each system holds another stage, until somebody edits it. */
export function loopingIn(databases: ReadonlyMap<SystemName, MemoryDatabase>): ReadonlySet<string> {
  const rows = [...(databases.get('crm')?.rows('crm.mbr') ?? []), ...(databases.get('pos')?.rows('pos.cust') ?? [])];
  const looping = rows.filter(({ tel }) => String(tel).startsWith('loop:'));
  return new Set(looping.map(({ id, no }) => String(id ?? no)));
}
