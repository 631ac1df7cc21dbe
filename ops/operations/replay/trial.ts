/**
 * What a replay would do to a target, counted from transactions that are rolled back. A trial keeps the target's sink waiting no
 * longer than one of the sink's own transactions may: it is cut into chunks, each has a limit in time, and rests in between.
 */
import { TransientError } from '../../../core/errors.ts';
import type { TopicPartition } from '../../../core/ports.ts';
import { partitionName } from '../../../sinks/engine/leases.ts';
import { LEASES_BUSY } from '../../../sinks/engine/writer.ts';
import { addEffects, type Effect, effectOf, noEffect } from './effect.ts';
import type { OpenTarget, ReplayParts } from './target-access.ts';
import type { Portion } from './walk.ts';
import type { Group } from './window.ts';

export type TrialLimits = {
  /** Records of one transaction. */
  readonly recordsMax: number;
  /** Locks are held no longer; the statement under way may take as long again. */
  readonly msMax: number;
  /** Times to wait for a sink that is at work: each wait ends by the session's limit, or with the sink's transaction. */
  readonly waitsMax?: number;
};

type Entry = { readonly place: TopicPartition; readonly group: Group };

const RESTS_MS_MIN = 5;
const ATTEMPTS_MAX = 5;
const WAITS_MAX = 200;

export class Trial {
  readonly #parts: ReplayParts;
  readonly #open: OpenTarget;
  readonly #limits: TrialLimits;
  #pending: Entry[] = [];
  #records = 0;
  effect: Effect = noEffect();
  chunks = 0;
  /** Time in transactions. */
  trialMs = 0;

  constructor(parts: ReplayParts, open: OpenTarget, limits: TrialLimits) {
    this.#parts = parts;
    this.#open = open;
    this.#limits = limits;
  }

  async add({ topic, partition, groups }: Portion): Promise<void> {
    for (const group of groups) {
      if (this.#records > 0 && this.#records + group.items.length > this.#limits.recordsMax) await this.flush();
      this.#pending.push({ place: { topic, partition }, group });
      this.#records += group.items.length;
    }
  }

  async flush(): Promise<void> {
    const entries = this.#pending;
    this.#pending = [];
    this.#records = 0;
    if (entries.length > 0) await this.#tryChunk(entries);
  }

  /** A chunk that takes too long, or meets a row that somebody holds, gives way; then it is cut in two. */
  async #tryChunk(entries: readonly Entry[]): Promise<void> {
    const { clock } = this.#parts;
    const { waitsMax = WAITS_MAX } = this.#limits;
    for (let attempt = 1; ; attempt += 1) {
      const startedMs = clock.elapsedMs();
      try {
        await this.#tryOnce(entries);
        const workMs = clock.elapsedMs() - startedMs;
        this.trialMs += workMs;
        await clock.pause(Math.max(workMs, RESTS_MS_MIN));
        return;
      } catch (error) {
        if (!(error instanceof TransientError)) throw error;
        const isWaiting = error.code === LEASES_BUSY;
        // who waited for a sink has held nobody up
        await clock.pause(isWaiting ? RESTS_MS_MIN : Math.max(clock.elapsedMs() - startedMs, RESTS_MS_MIN));
        if (!isWaiting && entries.length > 1) break;
        if (attempt >= (isWaiting ? waitsMax : ATTEMPTS_MAX)) throw tooBusy(this.#open.system, error);
      }
    }
    const middle = entries.length >> 1;
    await this.#tryChunk(entries.slice(0, middle));
    await this.#tryChunk(entries.slice(middle));
  }

  async #tryOnce(entries: readonly Entry[]): Promise<void> {
    const items = entries.flatMap(({ group }) => group.items);
    const holds = [...new Map(entries.map(({ place }) => [partitionName(place), place])).values()];
    const work = { items: async () => items, advances: [], isTimedRetry: false, holds };
    const written = await this.#open.writer.trial(work, this.#limits.msMax);
    this.effect = addEffects(this.effect, effectOf(items.length, written));
    this.chunks += 1;
  }
}

function tooBusy(system: string, cause: TransientError): TransientError {
  return new TransientError({
    code: 'TARGET_BUSY',
    message: `not even one record could be tried: ${cause.message}`,
    where: `target ${system}`,
    hint: 'something else holds its rows: find the long transaction in that database, then plan again',
    cause,
  });
}
