/**
 * Keeps one stage a member of its group: a fault that may pass by itself (its place was taken, the client stalled, a server
 * is away) ends the membership, and after a pause the worker joins again. Everything else ends the worker.
 */
import { SeamError } from '../core/errors.ts';
import type { Counter } from './counter.ts';
import { type RuntimeParts, StageRuntime } from './runtime.ts';
import { type Reason, reasonOf, type StageStatus } from './stage.ts';

export class StageSupervisor {
  readonly #parts: Omit<RuntimeParts, 'counters'>;
  readonly #counters = new Map<string, Counter>();
  readonly #stopping = new AbortController();
  #runtime: StageRuntime;
  /** Why the stage is out of its group; undefined while it is in. */
  #reason: Reason | undefined;

  constructor(parts: Omit<RuntimeParts, 'counters'>) {
    this.#parts = parts;
    this.#runtime = this.#createRuntime();
  }

  /** Resolves after `stop`; rejects with what no other attempt would mend. */
  async run(): Promise<void> {
    const { clock, logger, settings, stage } = this.#parts;
    const { signal } = this.#stopping;
    let delayMs = settings.restartDelayMs;
    while (!signal.aborted) {
      const startedMs = clock.elapsedMs();
      try {
        await this.#runtime.run();
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof SeamError) || error.class !== 'transient') throw error;
        this.#reason = reasonOf(error);
        logger.warn({ stage: stage.name, ...this.#reason, delayMs }, 'stage left its group, joining again');
      }
      if (clock.elapsedMs() - startedMs > settings.retryDelayMsMax) delayMs = settings.restartDelayMs;
      await clock.pause(delayMs, signal);
      delayMs = Math.min(delayMs * 2, settings.retryDelayMsMax);
      this.#runtime = this.#createRuntime();
      this.#reason = undefined;
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#runtime.stop();
  }

  status(): StageStatus {
    const status = this.#runtime.status();
    return this.#reason === undefined ? status : { ...status, state: 'degraded', reason: this.#reason };
  }

  #createRuntime(): StageRuntime {
    return new StageRuntime({ ...this.#parts, counters: this.#counters });
  }
}
