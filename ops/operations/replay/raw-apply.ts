/**
 * `seam replay apply` of raw records: sends them by the redrive lane, in rounds.
 *
 *   index keys up to where the processors are ─> send ─> the lane is drained ─> sent keys that changed meanwhile ─┐
 *                                      ^                                                                          │ none: done
 *                                      └──────────────────────────────────────────────────────────────────────────┘
 *
 * A live change of a key may have been translated before the older record that was sent: that one then is the last of the key in
 * the canonical topic, which keeps the last. So the newest is sent again, until no sent key has changed while it was on its way.
 *
 * Its place is a group's offset, moved in the transaction of the records; the transactional id is the replay's, so a later
 * application of the same plan fences the earlier one.
 */
import { ContractError, SeamError, TransientError } from '../../../core/errors.ts';
import type { LogAdmin, LogRecord, OutputRecord, TransactionalWriter } from '../../../core/ports.ts';
import { canonicalizeGroup, createStages, type Stages } from '../../../processors/main.ts';
import { redriveRecord } from '../../../processors/redrive.ts';
import type { RawPlan } from './plan-file.ts';
import { indexKeys, KeyIndex, keyIdOf, readRaw, translatedTo } from './raw-source.ts';
import { isSent, type RawParts } from './raw-plan.ts';
import { beginRecord, cancelled, endRecord, readRecord } from './record.ts';
import { type OpenTarget, openTarget } from './target-access.ts';

export type RawApplyOptions = {
  readonly by: string;
  /** Aborted: stops after the transaction under way, and may be applied again. */
  readonly signal: AbortSignal;
  readonly onProgress?: (sent: number, planned: number) => void;
  /** How long the processors may stand still while something waits on the lane. */
  readonly patienceMs?: number;
};

export type RawApplied = { readonly state: 'done' | 'stopped'; readonly sent: number; readonly rounds: number };

const STAGE = 'canonicalize';
const LANE = `redrive.${STAGE}`;
const ROUNDS_MAX = 50;
const DRAIN_POLL_MS = 100;
/** Without any progress of the processors. */
const DRAIN_MS_MAX = 60_000;

export async function applyRaw(parts: RawParts, plan: RawPlan, options: RawApplyOptions): Promise<RawApplied> {
  const { replay } = parts;
  const opened: OpenTarget[] = [];
  const admin = await replay.log.admin();
  const writer = replay.log.writer(`seam-replay-${plan.id}`);
  try {
    for (const of of replay.targets) {
      if (!plan.targets.some(({ target }) => target === of.target.system)) continue;
      opened.push(
        await openTarget(replay, of, { owner: `replay-${plan.id}`, settings: replay.settings, signal: options.signal }),
      );
    }
    const stages = await createStages(parts.processors);
    await writer.open();
    return await new RawApplication({ parts, plan, options, opened, admin, writer, stages }).run();
  } finally {
    await writer.close().catch(() => undefined);
    await admin.close();
    await Promise.all(opened.map((open) => open.close()));
  }
}

type Means = {
  readonly parts: RawParts;
  readonly plan: RawPlan;
  readonly options: RawApplyOptions;
  /** Targets that keep a record of it. */
  readonly opened: readonly OpenTarget[];
  readonly admin: LogAdmin;
  readonly writer: TransactionalWriter;
  readonly stages: Stages;
};

type Places = ReadonlyMap<number, bigint>;

class RawApplication {
  readonly #means: Means;
  readonly #groupId: string;
  #sent = 0;

  constructor(means: Means) {
    this.#means = means;
    this.#groupId = `seam-replay-${means.plan.id}`;
  }

  async run(): Promise<RawApplied> {
    if (await this.#begin()) return { state: 'done', sent: 0, rounds: 0 };
    let state: RawApplied['state'] = 'stopped';
    try {
      const rounds = await this.#rounds();
      if (!this.#means.options.signal.aborted) state = 'done';
      return { state, sent: this.#sent, rounds };
    } catch (error) {
      throw error instanceof SeamError && error.code === 'PRODUCER_FENCED' ? takenOver(this.#means.plan.id) : error;
    } finally {
      await this.#end(state);
    }
  }

  async #rounds(): Promise<number> {
    const { plan, options, stages } = this.#means;
    const { topic } = plan.source;
    // what an earlier application sent last
    await this.#drained();
    let ends = await this.#translated();
    this.#refuseStale(ends);
    const ranges = plan.source.ranges.map(({ partition, from, to }) => {
      const end = ends.get(partition) ?? BigInt(to);
      return { partition, from: BigInt(from), to: BigInt(to), end };
    });
    let index = await indexKeys(this.#reading(), ranges);
    let starts: Places = await this.#progress(ranges);
    for (let round = 1; round <= ROUNDS_MAX; round += 1) {
      const isChosen = (record: LogRecord) => isSent(stages, topic, index, record);
      const sent = await this.#send(starts, ends, isChosen);
      if (options.signal.aborted || sent.size === 0) return round;
      await this.#settle(ends);
      await this.#drained();
      const now = await this.#translated();
      index = await this.#changed(sent, ends, now);
      if (index.keys === 0) return round;
      starts = ends;
      ends = now;
    }
    throw restless(topic);
  }

  /** Ids of the keys sent, with every range's progress saved in the transaction of its records. */
  async #send(starts: Places, ends: Places, isChosen: (record: LogRecord) => boolean): Promise<ReadonlySet<string>> {
    const keys = new Set<string>();
    await this.#read(starts, ends, async ({ topic, partition, records, nextOffset }) => {
      const { plan, options, parts } = this.#means;
      const chosen = records.filter(isChosen);
      for (let at = 0; at < chosen.length || at === 0; at += plan.batchRecordsMax) {
        if (options.signal.aborted) return;
        const some = chosen.slice(at, at + plan.batchRecordsMax);
        const next = chosen[at + plan.batchRecordsMax]?.offset ?? nextOffset;
        if (some.length > 0) await this.#refuseCancelled();
        const startedMs = parts.replay.clock.elapsedMs();
        const outputs = some.map((record) => this.#request(topic, partition, record));
        await this.#means.writer.commit({
          records: outputs,
          groupId: this.#groupId,
          offsets: [{ topic, partition, offset: next }],
        });
        for (const { key } of some) if (key !== null) keys.add(keyIdOf(key));
        this.#sent += some.length;
        options.onProgress?.(this.#sent, plan.records);
        const pacedMs = (1_000 * some.length) / plan.rate - (parts.replay.clock.elapsedMs() - startedMs);
        if (pacedMs > 0) await parts.replay.clock.pause(pacedMs, options.signal);
      }
    });
    return keys;
  }

  #request(topic: string, partition: number, record: LogRecord): OutputRecord {
    const { plan, options } = this.#means;
    const asked = { by: options.by, reason: plan.reason, id: plan.id };
    return redriveRecord(STAGE, 'translate', { topic, partition, offset: record.offset }, record, asked);
  }

  /** The broker begins a transaction only when the markers of the one before are in the log: then its end is known. */
  #settle(ends: Places): Promise<void> {
    const { topic } = this.#means.plan.source;
    const offsets = [...ends].map(([partition, offset]) => ({ topic, partition, offset }));
    return this.#means.writer.commit({ records: [], groupId: this.#groupId, offsets });
  }

  /** Until the processors have done all that was on the lane by now. The last offset is the transaction's own marker. */
  async #drained(): Promise<void> {
    const { admin, parts, options } = this.#means;
    const { clock } = parts.replay;
    const patienceMs = options.patienceMs ?? DRAIN_MS_MAX;
    const group = canonicalizeGroup(parts.processors.settings);
    const wanted = (await admin.bounds(LANE)).filter(({ earliest, latest }) => latest > earliest);
    let before = '';
    for (let movedMs = clock.elapsedMs(); !options.signal.aborted; ) {
      const committed = await admin.committedOffsets(group, [LANE]);
      const offsetOf = (partition: number) => committed.find((one) => one.partition === partition)?.offset ?? -1n;
      if (wanted.every(({ partition, latest }) => offsetOf(partition) >= latest - 1n)) return;
      const now = committed.map(({ partition, offset }) => `${partition}:${offset}`).join(' ');
      if (now !== before) movedMs = clock.elapsedMs();
      before = now;
      if (clock.elapsedMs() - movedMs > patienceMs) throw laneNotRead();
      await clock.pause(DRAIN_POLL_MS, options.signal);
    }
  }

  /** Of the keys just sent, those with a live record between. */
  async #changed(sent: ReadonlySet<string>, from: Places, to: Places): Promise<KeyIndex> {
    // a deletion too: what was sent may have come behind it
    const changed = new KeyIndex(true);
    await this.#read(from, to, ({ records }) => {
      for (const record of records) {
        if (record.key !== null && sent.has(keyIdOf(record.key))) changed.see(record, true);
      }
    });
    return changed;
  }

  #read(from: Places, to: Places, take: Parameters<typeof readRaw>[0]['take']): Promise<void> {
    const ranges = [...to].map(([partition, end]) => ({ partition, from: from.get(partition) ?? end, to: end }));
    return readRaw({ ...this.#reading(), ranges, take });
  }

  #reading() {
    const { parts, plan, options } = this.#means;
    return {
      parts: parts.replay,
      groupId: `${this.#groupId}-reader`,
      topic: plan.source.topic,
      signal: options.signal,
    };
  }

  #translated(): Promise<Places> {
    const { admin, parts, plan } = this.#means;
    return translatedTo(admin, parts.processors.settings, plan.source.topic);
  }

  /** Where an earlier application stopped. */
  async #progress(ranges: readonly { partition: number; from: bigint }[]): Promise<Places> {
    const { admin, plan } = this.#means;
    const known = await admin.committedOffsets(this.#groupId, [plan.source.topic]);
    const offsetOf = (partition: number) => known.find((one) => one.partition === partition)?.offset;
    return new Map(ranges.map(({ partition, from }) => [partition, offsetOf(partition) ?? from]));
  }

  #refuseStale(ends: Places): void {
    for (const { partition, to } of this.#means.plan.source.ranges) {
      if ((ends.get(partition) ?? 0n) >= BigInt(to)) continue;
      throw new ContractError({
        code: 'PLAN_STALE',
        message: 'the plan no longer fits: the processors have not translated this range',
        where: `${this.#means.plan.source.topic} partition ${partition}, up to offset ${to}`,
        hint: 'make a new one with seam replay plan and the options of the first',
      });
    }
  }

  // ---- on record ---------------------------------------------------------------------------------------------------

  /** Is it done already? */
  async #begin(): Promise<boolean> {
    const { plan, options, parts } = this.#means;
    const states: string[] = [];
    for (const { writer, replays, system } of this.#means.opened) {
      const scope = plan.targets.find(({ target }) => target === system);
      if (scope === undefined) continue;
      await writer.withSession(async (session) => {
        await session.begin();
        const record = await beginRecord(session, replays, {
          plan,
          scope,
          by: options.by,
          nowMs: parts.replay.clock.nowMs(),
        });
        await session.commit();
        states.push(record.state);
      });
    }
    return states.length > 0 && states.every((state) => state === 'done');
  }

  async #refuseCancelled(): Promise<void> {
    const [first] = this.#means.opened;
    if (first === undefined) return;
    const { id } = this.#means.plan;
    const record = await first.writer.withSession((session) => readRecord(session, first.replays, id));
    if (record?.state === 'cancelled') throw cancelled(id, first.system);
  }

  async #end(state: RawApplied['state']): Promise<void> {
    const { opened, plan, parts } = this.#means;
    for (const { writer, replays } of opened) {
      await writer.withSession(async (session) => {
        await session.begin();
        await endRecord(session, replays, plan.id, state, parts.replay.clock.nowMs());
        await session.commit();
      });
    }
  }
}

function laneNotRead(): TransientError {
  return new TransientError({
    code: 'LANE_NOT_READ',
    message: `nobody reads what was sent: ${LANE}`,
    hint: 'start the processors (seam run processors), then apply the plan again: it goes on where it stopped',
  });
}

function restless(topic: string): TransientError {
  return new TransientError({
    code: 'KEYS_RESTLESS',
    message: `some keys changed each time they were sent, ${ROUNDS_MAX} times`,
    where: topic,
    hint: 'apply it again when these rows are written less often; targets are right all the same',
  });
}

function takenOver(id: string): ContractError {
  return new ContractError({
    code: 'REPLAY_TAKEN_OVER',
    message: `another process applies replay ${id} now: this one has stopped, and nothing was sent twice`,
    hint: `look at it with: seam replay watch ${id}`,
  });
}
