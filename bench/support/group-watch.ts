/** How far a consumer group is, from its committed offsets: one measure for every client that commits what it has done. */
import type { LogAdmin } from '../../core/ports.ts';
import type { Figures } from './result.ts';
import { until } from './until.ts';

const POLL_MS = 50;
const ROUND_LIMIT_MS = 600_000;
const CHECK_EVERY = 20;
/** Of a round's records: of fewer no rate is told. */
export const LEAST_SHARE = 0.2;

export type WatchedGroup = {
  readonly admin: LogAdmin;
  readonly groupId: string;
  readonly topic: string;
  /** In the topic; its offsets also count transaction markers. */
  readonly records: number;
  readonly signal: AbortSignal;
  /** Gives the client its order. */
  readonly begin: () => void;
  readonly check: () => void;
  readonly cpuUs: () => number;
};

/**
 * The rate from the first commit to the last; what was done before the first is left out, on either side of the division.
 * Processor time from the order to the last commit, over all records: a client reads ahead of what it commits.
 */
export async function watchGroup(watched: WatchedGroup): Promise<Figures> {
  const { admin, groupId, topic, signal, begin, check, cpuUs, records } = watched;
  const end = total((await admin.bounds(topic)).map(({ latest }) => latest));
  const beforeUs = cpuUs();
  begin();
  let asked = 0;
  const progress = async () => {
    asked += 1;
    if (asked % CHECK_EVERY === 0) check();
    return total((await admin.committedOffsets(groupId, [topic])).map(({ offset }) => offset));
  };
  const reached = (offset: number) => async () => {
    const done = await progress();
    return done >= offset ? { done, atMs: performance.now() } : undefined;
  };
  const limits = { limitMs: ROUND_LIMIT_MS, signal, everyMs: POLL_MS };
  const from = await until(reached(1), `the first commit of ${groupId}`, limits);
  const to = await until(reached(end), `the last commit of ${groupId}`, limits);
  const share = (to.done - from.done) / end;
  const cpu = (cpuUs() - beforeUs) / records;
  if (share < LEAST_SHARE) return { cpu };
  return { rate: (records * share * 1_000) / (to.atMs - from.atMs), cpu };
}

const total = (offsets: readonly bigint[]): number => Number(offsets.reduce((sum, offset) => sum + offset, 0n));
