/**
 * `seam replay apply`: writes what a plan names once more, through the sink's own engine and guard, beside the running sink.
 *
 * Each transaction locks the sink's leases of its partitions, so both never write at one moment, and moves a lease of its own
 * (`replay/<id>/<topic>` in seam.sink_offset): a replay resumes exactly, and of two that apply one plan the later takes over.
 */
import type { Session } from '../../../sinks/dialects/dialect.ts';
import { ContractError, SeamError } from '../../../core/errors.ts';
import type { LogAdmin, LogRecord } from '../../../core/ports.ts';
import {
  type Lease,
  LEASE_LOST,
  lockLeases,
  partitionName,
  placeKey,
  takeLease,
} from '../../../sinks/engine/leases.ts';
import { type Effect, effectOf } from './effect.ts';
import type { ReplayPlan, ScopeRange, TargetScope } from './plan-file.ts';
import { addToRecord, beginRecord, cancelled, endRecord, readRecord, type ReplayRecord } from './record.ts';
import { type OpenTarget, openTarget, readLiveLeases, type ReplayParts, type ReplayTarget } from './target-access.ts';
import { type Portion, walk } from './walk.ts';
import type { Group, WindowLimits } from './window.ts';

export type ApplyProgress = {
  readonly target: string;
  readonly topic: string;
  /** Of this target, since its first application. */
  readonly counted: Effect;
  readonly predicted: Effect;
};

export type ApplyOptions = {
  readonly by: string;
  readonly limits: WindowLimits;
  /** Aborted: stops after the transaction under way, and may be applied again. */
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: ApplyProgress) => void;
  readonly onTrouble?: (target: string, error: SeamError | undefined) => void;
};

export async function applyReplay(
  parts: ReplayParts,
  plan: ReplayPlan,
  options: ApplyOptions,
): Promise<ReadonlyMap<string, ReplayRecord>> {
  const records = new Map<string, ReplayRecord>();
  for (const scope of plan.targets) {
    const of = parts.targets.find(({ target }) => target.system === scope.target);
    if (of === undefined) throw stale(`there is no target ${scope.target} any more`, scope.target);
    records.set(scope.target, await applyTarget(parts, of, plan, scope, options));
  }
  return records;
}

async function applyTarget(
  parts: ReplayParts,
  of: ReplayTarget,
  plan: ReplayPlan,
  scope: TargetScope,
  options: ApplyOptions,
): Promise<ReplayRecord> {
  const { signal } = options;
  const settings = { ...parts.settings, rewriteEqual: plan.rewriteEqual, batchRecordsMax: plan.batchRecordsMax };
  const onTrouble = (error: SeamError | undefined) => options.onTrouble?.(scope.target, error);
  const open = await openTarget(parts, of, { owner: `replay-${plan.id}`, settings, signal, onTrouble });
  try {
    await refuseStale(parts, open, scope);
    const application = new Application(parts, open, plan, scope, options);
    return await application.run();
  } finally {
    await open.close();
  }
}

class Application {
  readonly #parts: ReplayParts;
  readonly #open: OpenTarget;
  readonly #plan: ReplayPlan;
  readonly #scope: TargetScope;
  readonly #options: ApplyOptions;
  readonly #leases = new Map<string, Lease>();

  constructor(parts: ReplayParts, open: OpenTarget, plan: ReplayPlan, scope: TargetScope, options: ApplyOptions) {
    this.#parts = parts;
    this.#open = open;
    this.#plan = plan;
    this.#scope = scope;
    this.#options = options;
  }

  async run(): Promise<ReplayRecord> {
    const begun = await this.#begin();
    if (begun.state === 'done') return begun;
    try {
      await this.#walk();
    } catch (error) {
      if (!isLeaseLost(error)) await this.#end('stopped').catch(() => undefined);
      throw isLeaseLost(error) ? await this.#whyLost() : error;
    }
    const isWhole = [...this.#leases.values()].every((lease) => lease.nextOffset >= this.#endOf(lease));
    return this.#end(isWhole ? 'done' : 'stopped').catch(async (error: unknown) => {
      throw isLeaseLost(error) ? await this.#whyLost() : error;
    });
  }

  async #whyLost(): Promise<ContractError> {
    const { id } = this.#plan;
    const record = await this.#readRecord();
    return record?.state === 'cancelled' ? cancelled(id, this.#scope.target) : takenOver(id, this.#scope.target);
  }

  /** Leases first, then the record: every transaction of a replay locks in this order. */
  #begin(): Promise<ReplayRecord> {
    const { replays, writer } = this.#open;
    return writer.withSession(async (session) => {
      await session.begin();
      await this.#takeLeases(session);
      const begin = { plan: this.#plan, scope: this.#scope, by: this.#options.by, nowMs: this.#parts.clock.nowMs() };
      const record = await beginRecord(session, replays, begin);
      if (record.state === 'running') await session.commit();
      else await session.rollback();
      return record;
    });
  }

  async #takeLeases(session: Session): Promise<void> {
    for (const { topic, ranges } of this.#scope.topics) {
      for (const { partition, from } of ranges) {
        const place = { topic: leaseTopic(this.#plan.id, topic), partition };
        const lease = await takeLease(session, place, BigInt(from), `replay-${this.#plan.id}`);
        this.#leases.set(partitionName({ topic, partition }), lease);
      }
    }
  }

  async #walk(): Promise<void> {
    const marks = new MarkCheck(this.#scope);
    const topics = this.#scope.topics.map(({ topic, ranges }) => ({
      topic,
      ranges: ranges.map(({ partition, to }) => ({
        partition,
        from: this.#leaseOf(topic, partition).nextOffset,
        to: BigInt(to),
      })),
    }));
    await walk(this.#parts, this.#open, {
      groupId: `seam-replay-${this.#plan.id}-${this.#scope.target}`,
      topics,
      filter: this.#plan.filter,
      limits: this.#options.limits,
      signal: this.#options.signal,
      onRecord: (topic, partition, record) => marks.see(topic, partition, record),
      onPortion: (portion) => this.#write(portion),
    });
  }

  async #write(portion: Portion): Promise<void> {
    const { topic, partition, groups, to } = portion;
    const { batchRecordsMax } = this.#plan;
    for (let index = 0; index < groups.length || index === 0; ) {
      if (this.#options.signal.aborted) return;
      const end = batchEnd(groups, index, batchRecordsMax);
      await this.#writeBatch({ topic, partition }, groups.slice(index, end), groups[end]?.first ?? to);
      index = Math.max(end, 1);
    }
  }

  async #writeBatch(place: { topic: string; partition: number }, groups: readonly Group[], nextOffset: bigint) {
    const { clock } = this.#parts;
    const { writer, replays, system } = this.#open;
    const items = groups.flatMap((group) => group.items);
    const lease = this.#leaseOf(place.topic, place.partition);
    const startedMs = clock.elapsedMs();
    let counted: Effect | undefined;
    const written = await writer.write({
      items: async () => items,
      advances: [{ lease, nextOffset }],
      isTimedRetry: false,
      holds: [place],
      alongside: async (session, done) => {
        const record = { id: this.#plan.id, target: system };
        counted = await addToRecord(session, replays, record, effectOf(items.length, done), clock.nowMs());
      },
    });
    lease.nextOffset = nextOffset;
    // an earlier attempt had committed: the target knows what it counted
    if (written === undefined) counted = (await this.#readRecord())?.counted;
    if (counted !== undefined) this.#tell(place.topic, counted);
    await this.#rest(items.length, clock.elapsedMs() - startedMs);
  }

  /** As the rate says, and at least as long as the work took: half of the time belongs to the live sink. */
  async #rest(records: number, workMs: number): Promise<void> {
    const pacedMs = (1_000 * records) / this.#plan.rate - workMs;
    await this.#parts.clock.pause(Math.max(workMs, pacedMs), this.#options.signal);
  }

  #tell(topic: string, counted: Effect): void {
    const { target, predicted } = this.#scope;
    this.#options.onProgress?.({ target, topic, counted, predicted });
  }

  async #end(state: 'stopped' | 'done'): Promise<ReplayRecord> {
    const { replays, writer, side } = this.#open;
    const leases = [...this.#leases.values()];
    return writer.withSession(async (session) => {
      await session.begin();
      await lockLeases(
        session,
        side,
        leases.map((lease) => ({ lease, nextOffset: lease.nextOffset })),
      );
      await endRecord(session, replays, this.#plan.id, state, this.#parts.clock.nowMs());
      if (state === 'done') await session.remove(side.sinkOffset, placeKey(leases));
      await session.commit();
      return (await readRecord(session, replays, this.#plan.id)) as ReplayRecord;
    });
  }

  #readRecord(): Promise<ReplayRecord | undefined> {
    const { replays, writer } = this.#open;
    return writer.withSession((session) => readRecord(session, replays, this.#plan.id));
  }

  #leaseOf(topic: string, partition: number): Lease {
    return this.#leases.get(partitionName({ topic, partition })) as Lease;
  }

  #endOf(lease: Lease): bigint {
    const found = this.#scope.topics.find(({ topic }) => leaseTopic(this.#plan.id, topic) === lease.topic);
    return BigInt(found?.ranges.find(({ partition }) => partition === lease.partition)?.to ?? 0n);
  }
}

/** Of a replay's own leases. */
export function leaseTopic(id: string, topic: string): string {
  return `replay/${id}/${topic}`;
}

/** A key's records stay in one transaction. */
function batchEnd(groups: readonly Group[], start: number, recordsMax: number): number {
  let end = start;
  for (let records = 0; end < groups.length; end += 1) {
    records += groups[end]?.items.length ?? 0;
    if (end > start && records > recordsMax) break;
  }
  return end;
}

/** The log and the target must still be those that were planned for. */
async function refuseStale(parts: ReplayParts, open: OpenTarget, scope: TargetScope): Promise<void> {
  const admin = await parts.log.admin();
  try {
    for (const { topic, ranges } of scope.topics) await refuseStaleTopic(open, admin, topic, ranges);
  } finally {
    await admin.close();
  }
}

async function refuseStaleTopic(open: OpenTarget, admin: LogAdmin, topic: string, ranges: readonly ScopeRange[]) {
  if (!open.topics.has(topic)) throw stale(`${open.system} takes ${topic} no more`, open.system);
  const bounds = await admin.bounds(topic);
  const partitions = ranges.map(({ partition }) => partition);
  const live = await open.writer.withSession((session) => readLiveLeases(session, open.side, topic, partitions));
  for (const { partition, from, to } of ranges) {
    const where = `target ${open.system}, ${topic} partition ${partition}, offsets ${from} to ${to}`;
    const bound = bounds.find((one) => one.partition === partition);
    if (bound === undefined || bound.latest < BigInt(to)) throw stale('the log ends before the plan does', where);
    if (bound.earliest > BigInt(from)) throw stale(`the log now begins at offset ${bound.earliest}`, where);
    const lease = live.get(partition);
    if (lease === undefined || lease.nextOffset < BigInt(to))
      throw stale('the target was reset: it has not read this', where);
  }
}

class MarkCheck {
  readonly #marks = new Map<string, { readonly timestampMs: number; readonly where: string }>();

  constructor({ target, topics }: TargetScope) {
    for (const { topic, ranges } of topics) {
      for (const { partition, first, last } of ranges) {
        for (const mark of [first, last]) {
          if (mark === null) continue;
          const where = `target ${target}, ${topic} partition ${partition} offset ${mark.offset}`;
          this.#marks.set(`${topic}/${partition}/${mark.offset}`, { timestampMs: mark.timestampMs, where });
        }
      }
    }
  }

  see(topic: string, partition: number, { offset, timestampMs }: LogRecord): void {
    const mark = this.#marks.get(`${topic}/${partition}/${offset}`);
    if (mark !== undefined && mark.timestampMs !== timestampMs)
      throw stale('another record stands there now', mark.where);
  }
}

function stale(message: string, where: string): ContractError {
  return new ContractError({
    code: 'PLAN_STALE',
    message: `the plan no longer fits: ${message}`,
    where,
    hint: 'make a new one with seam replay plan and the options of the first',
  });
}

function isLeaseLost(error: unknown): boolean {
  return error instanceof SeamError && error.code === LEASE_LOST;
}

function takenOver(id: string, target: string): ContractError {
  return new ContractError({
    code: 'REPLAY_TAKEN_OVER',
    message: `another process applies replay ${id} now: this one has stopped, and nothing was done twice`,
    where: `target ${target}`,
    hint: `look at it with: seam replay watch ${id}`,
  });
}
