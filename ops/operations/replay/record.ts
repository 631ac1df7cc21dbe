/**
 * What every target keeps of a replay: `seam.replay`.
 *
 * | state     | means                                            | goes to                             |
 * |-----------|--------------------------------------------------|-------------------------------------|
 * | running   | somebody applies it, or did until the process died | running, stopped, cancelled, done |
 * | stopped   | may go on where it stopped                       | running, cancelled                  |
 * | cancelled | never goes on; what was written stays            |                                     |
 * | done      | every range was written                          |                                     |
 */
import { ContractError } from '../../../core/errors.ts';
import { timeText } from '../../../sinks/engine/execute.ts';
import type { SqlValue } from '../../../core/target.ts';
import type { Session, TableShape, Values } from '../../../sinks/dialects/dialect.ts';
import { addEffects, Effect, noEffect } from './effect.ts';
import type { AnyPlan, ScopeTopic, TargetScope } from './plan-file.ts';

export type ReplayState = 'running' | 'stopped' | 'cancelled' | 'done';

export type ReplayRecord = {
  readonly id: string;
  readonly state: ReplayState;
  readonly reason: string;
  readonly plannedBy: string;
  readonly appliedBy: string;
  readonly predicted: Effect;
  readonly counted: Effect;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly changedAt: string;
  readonly endedAt: string | null;
};

export const REPLAY_CANCELLED = 'REPLAY_CANCELLED';

const COLUMNS = [
  'id',
  'state',
  'reason',
  'planned_by',
  'applied_by',
  'predicted',
  'counted',
  'started_at',
  'changed_at',
  'ended_at',
];

export async function readRecord(
  session: Session,
  replays: TableShape,
  id: string,
  lock = false,
): Promise<ReplayRecord | undefined> {
  const [row] = await session.lookup(replays, { match: [one('id', id)], columns: COLUMNS, lock });
  if (row === undefined) return undefined;
  const [, state, reason, plannedBy, appliedBy, predicted, counted, startedAt, changedAt, endedAt] = row.values;
  return {
    id,
    state: state as ReplayState,
    reason: reason as string,
    plannedBy: plannedBy as string,
    appliedBy: appliedBy as string,
    predicted: Effect.parse(JSON.parse(predicted as string)),
    counted: Effect.parse(JSON.parse(counted as string)),
    startedAt: isoTime(startedAt),
    changedAt: isoTime(changedAt),
    endedAt: endedAt === null || endedAt === undefined ? null : isoTime(endedAt),
  };
}

export type Begin = {
  readonly plan: AnyPlan;
  readonly scope: TargetScope;
  readonly by: string;
  readonly nowMs: number;
};

/** Of a plan that was never applied here, too: it never will be. Undefined: nothing is known of it, and `unknown` was not given. */
export async function cancelRecord(
  session: Session,
  replays: TableShape,
  id: string,
  unknown: Begin | undefined,
  nowMs: number,
): Promise<ReplayRecord | undefined> {
  const known = await readRecord(session, replays, id, true);
  if (known === undefined) {
    if (unknown === undefined) return undefined;
    await beginRecord(session, replays, unknown);
  }
  await endRecord(session, replays, id, 'cancelled', nowMs);
  return readRecord(session, replays, id);
}

/** Inside a transaction. Refuses a cancelled one; one that is done stays so. */
export async function beginRecord(session: Session, replays: TableShape, begin: Begin): Promise<ReplayRecord> {
  const { plan, scope, by, nowMs } = begin;
  const known = await readRecord(session, replays, plan.id, true);
  if (known?.state === 'cancelled') throw cancelled(plan.id, scope.target);
  if (known?.state === 'done') return known;
  const now = timeText(nowMs);
  if (known === undefined) {
    await session.insert(replays, {
      columns: [
        one('id', plan.id),
        one('state', 'running'),
        one('reason', plan.reason),
        one('planned_by', plan.createdBy),
        one('applied_by', by),
        one('scope', JSON.stringify({ kind: plan.kind, asked: plan.asked, topics: scope.topics })),
        one('predicted', JSON.stringify(scope.predicted)),
        one('counted', JSON.stringify(noEffect())),
        one('started_at', now),
        one('changed_at', now),
        one('ended_at', null),
      ],
    });
  } else {
    await change(session, replays, plan.id, [one('state', 'running'), one('applied_by', by), one('changed_at', now)]);
  }
  return (await readRecord(session, replays, plan.id)) as ReplayRecord;
}

/** Topics and partitions of the replay's own leases. */
export async function readScope(session: Session, replays: TableShape, id: string): Promise<readonly ScopeTopic[]> {
  const [row] = await session.lookup(replays, { match: [one('id', id)], columns: ['scope'] });
  if (row === undefined) return [];
  return (JSON.parse(row.values[0] as string) as { topics: ScopeTopic[] }).topics;
}

/** In the transaction of the rows it counts; so a replay that was cancelled meanwhile writes nothing more. */
export async function addToRecord(
  session: Session,
  replays: TableShape,
  place: { readonly id: string; readonly target: string },
  effect: Effect,
  nowMs: number,
): Promise<Effect> {
  const known = await readRecord(session, replays, place.id, true);
  if (known === undefined || known.state === 'cancelled') throw cancelled(place.id, place.target);
  const counted = addEffects(known.counted, effect);
  await change(session, replays, place.id, [
    one('counted', JSON.stringify(counted)),
    one('changed_at', timeText(nowMs)),
  ]);
  return counted;
}

/** Changes nothing where it is cancelled or done already. */
export async function endRecord(
  session: Session,
  replays: TableShape,
  id: string,
  state: Exclude<ReplayState, 'running'>,
  nowMs: number,
): Promise<void> {
  const now = timeText(nowMs);
  const known = await readRecord(session, replays, id, true);
  if (known === undefined || known.state === 'cancelled' || known.state === 'done') return;
  await change(session, replays, id, [
    one('state', state),
    one('changed_at', now),
    one('ended_at', state === 'stopped' ? null : now),
  ]);
}

async function change(session: Session, replays: TableShape, id: string, set: readonly Values[]): Promise<void> {
  await session.update(replays, { match: [one('id', id)], set, onlyIfDifferent: false });
}

/** Both databases answer in UTC, each in its own spelling. */
function isoTime(value: SqlValue | undefined): string {
  const text = String(value)
    .replace(' ', 'T')
    .replace(/[+-]00(:?00)?$/, '');
  return new Date(text.endsWith('Z') ? text : `${text}Z`).toISOString();
}

function one(column: string, value: SqlValue): Values {
  return { column, values: [value] };
}

export function cancelled(id: string, target: string): ContractError {
  return new ContractError({
    code: REPLAY_CANCELLED,
    message: `replay ${id} was cancelled: what it had written by then stays, the rest is not written`,
    where: `target ${target}`,
    hint: 'make a new plan to go on',
  });
}
