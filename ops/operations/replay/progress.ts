/** What targets keep of a replay: read, or brought to an end. */
import { ContractError } from '../../../core/errors.ts';
import { placeKey } from '../../../sinks/engine/leases.ts';
import { leaseTopic } from './apply.ts';
import type { AnyPlan } from './plan-file.ts';
import { cancelRecord, readRecord, readScope, type ReplayRecord } from './record.ts';
import { type OpenTarget, openTarget, type ReplayParts } from './target-access.ts';

/** By target. With a plan only its targets are asked, else all. */
export async function replayProgress(
  parts: ReplayParts,
  id: string,
  plan?: AnyPlan,
): Promise<ReadonlyMap<string, ReplayRecord>> {
  const found = new Map<string, ReplayRecord>();
  await inTargets(parts, plan, async (open) => {
    const record = await open.writer.withSession((session) => readRecord(session, open.replays, id));
    if (record !== undefined) found.set(open.system, record);
  });
  return found;
}

/** What was written stays. A running application stops at its next transaction. */
export async function cancelReplay(
  parts: ReplayParts,
  id: string,
  by: string,
  plan?: AnyPlan,
): Promise<ReadonlyMap<string, ReplayRecord>> {
  const ended = new Map<string, ReplayRecord>();
  await inTargets(parts, plan, async (open) => {
    const record = await cancelIn(parts, open, id, by, plan);
    if (record !== undefined) ended.set(open.system, record);
  });
  if (ended.size === 0) throw unknownReplay(id);
  return ended;
}

function cancelIn(parts: ReplayParts, open: OpenTarget, id: string, by: string, plan: AnyPlan | undefined) {
  const { replays, side } = open;
  const nowMs = parts.clock.nowMs();
  const scope = plan?.targets.find(({ target }) => target === open.system);
  const unknown = plan === undefined || scope === undefined ? undefined : { plan, scope, by, nowMs };
  return open.writer.withSession(async (session) => {
    await session.begin();
    const topics = await readScope(session, replays, id);
    const leases = topics.flatMap(({ topic, ranges }) =>
      ranges.map(({ partition }) => ({ topic: leaseTopic(id, topic), partition })),
    );
    if (leases.length > 0) await session.remove(side.sinkOffset, placeKey(leases));
    const record = await cancelRecord(session, replays, id, unknown, nowMs);
    await session.commit();
    return record;
  });
}

async function inTargets(parts: ReplayParts, plan: AnyPlan | undefined, action: (open: OpenTarget) => Promise<void>) {
  const { signal } = new AbortController();
  const names = plan?.targets.map(({ target }) => target);
  for (const of of parts.targets) {
    if (names !== undefined && !names.includes(of.target.system)) continue;
    const open = await openTarget(parts, of, { owner: 'replay-watch', settings: parts.settings, signal });
    try {
      await action(open);
    } finally {
      await open.close();
    }
  }
}

export function unknownReplay(id: string): ContractError {
  return new ContractError({
    code: 'REPLAY_UNKNOWN',
    message: `no target knows a replay ${id}`,
    hint: 'a plan that was not applied yet is known by its file only: pass the file',
  });
}
