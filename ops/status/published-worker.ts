/**
 * A worker whose conditions everybody can read: from before it starts until it has stopped, or has failed with its reason. They reach
 * the status topic, the worker's log (each change once) and, by `report`, its supervisor.
 */
import { systemClock } from '../../adapters/clock.ts';
import { createLogger } from '../../adapters/logger.ts';
import { type Condition, type Sighting, sightingOf } from '../../core/condition.ts';
import type { Deployment } from '../../core/deployment.ts';
import { SeamError } from '../../core/errors.ts';
import { openLog } from '../log.ts';
import type { RunningWorker } from '../run/sink.ts';
import type { WorkerReport } from '../workers.ts';
import { ConditionBook } from './condition-book.ts';
import { StatusPublisher } from './status-topic.ts';

export const WORKER_STARTING = 'WORKER_STARTING';

export class PublishedWorker {
  readonly #worker: string;
  readonly #book: ConditionBook;
  readonly #publisher: StatusPublisher;
  #running: RunningWorker | undefined;
  #failure: Sighting | undefined;
  readonly #starting: Condition;

  constructor(deployment: Deployment, worker: string) {
    const logger = createLogger('info', { worker });
    this.#worker = worker;
    this.#starting = starting(worker, systemClock.nowMs());
    this.#book = new ConditionBook(systemClock, logger);
    this.#publisher = new StatusPublisher({
      log: openLog(deployment, 'seam-status', createLogger('error')),
      clock: systemClock,
      logger,
      worker,
      replicationFactor: deployment.kafka.replicationFactor,
      report: () => this.report(),
    });
  }

  runs(running: RunningWorker): void {
    this.#running = running;
  }

  async stopped(): Promise<void> {
    await this.#publisher.stop({ hasFailed: false });
  }

  /** What it failed of stays published: the process that could say it ends now. */
  async failed(error: unknown): Promise<Condition> {
    this.#failure = failureOf(error, this.#worker);
    const [condition] = this.report().conditions;
    await this.#publisher.stop({ hasFailed: true });
    return condition as Condition;
  }

  report(): WorkerReport {
    if (this.#failure !== undefined) {
      const conditions = this.#book.note([this.#failure]);
      return { state: 'failed', reason: this.#failure.text, conditions, counters: {}, gauges: {} };
    }
    // every start passes through this state, so nobody is told of it by the log
    if (this.#running === undefined) {
      return { state: 'paused', conditions: [this.#starting], counters: {}, gauges: {} };
    }
    const { sightings = [], ...status } = this.#running.status();
    return { ...status, conditions: this.#book.note(sightings) };
  }
}

/** A fault of ours is named by its kind alone: its text may hold what a record held. The worker's log has the whole of it. */
function failureOf(error: unknown, worker: string): Sighting {
  const object = { kind: 'worker', worker } as const;
  if (error instanceof SeamError) return sightingOf(error, object);
  const kind = error instanceof Error ? error.name : 'unknown error';
  const next = `read the log of worker ${worker}, then start it again`;
  return { id: 'WORKER_CRASHED', severity: 'halt', object, text: `the worker crashed: ${kind}`, next };
}

function starting(worker: string, sinceMs: number): Condition {
  const object = { kind: 'worker', worker } as const;
  return { id: WORKER_STARTING, severity: 'warning', object, sinceMs, text: 'the worker is starting', next: undefined };
}
