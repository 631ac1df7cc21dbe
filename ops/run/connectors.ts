/**
 * Watches the connectors: Kafka Connect leaves a task that failed as it is until somebody restarts it, also where a broker or a
 * database was away for a moment. Here it is started again, after pauses that grow.
 *
 *   running ── a task failed ──> degraded: started again ── runs for a while ──> running
 *                                    └── fails time after time ──> failed: shown with its cause, tried on once a minute
 *
 * A cause that a person must remove (a slot that is gone, a log that was purged) is not removed by trying: the connector fails
 * again each time, and reads nothing. What is wrong with a source itself is watched next to it.
 */
import { ConnectClient, type ConnectorStatus } from '../../adapters/connect-client.ts';
import { systemClock } from '../../adapters/clock.ts';
import { createLogger } from '../../adapters/logger.ts';
import type { Deployment } from '../../core/deployment.ts';
import { SeamError } from '../../core/errors.ts';
import type { Clock, Logger } from '../../core/ports.ts';
import { healingOf, keepHealing } from '../heal/healer.ts';
import { knownFailure } from '../sources/connector-failure.ts';
import { haltedFault } from '../operations/connectors.ts';
import { watchSources } from '../sources/watch.ts';
import { systems } from '../systems.ts';
import { type Sighting, sightingOf } from '../../core/condition.ts';
import type { WorkerStatus } from '../workers.ts';
import type { RunningWorker } from './sink.ts';

const LOOK_EVERY_MS = 1_000;
const RESTART_PAUSE_MS_MIN = 1_000;
const RESTART_PAUSE_MS_MAX = 60_000;
/** A task that ran for so long has got over what it failed of. */
const STEADY_MS = 30_000;
/** So many restarts in a row: a person should look. */
const RESTARTS_IN_A_ROW_MAX = 6;
/** Seam itself stops a connector for a moment, where it reads a source again. */
const HALTED_MS = 30_000;

type Trouble = { restarts: number; nextAtMs: number; failedAtMs: number; cause: string };
type Client = Pick<ConnectClient, 'status' | 'restartFailed'>;
export type KeeperParts = {
  readonly client: Client;
  readonly names: readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
};

export async function startConnectors(deployment: Deployment): Promise<RunningWorker> {
  const sources = systems.flatMap(({ system, source }) => (source === null ? [] : system));
  const logger = createLogger('info', { worker: 'connectors' });
  const keeper = new ConnectorKeeper({
    client: new ConnectClient(deployment.connect.url),
    names: sources.map((system) => `seam-${system}`),
    clock: systemClock,
    logger,
  });
  const stopping = new AbortController();
  const watch = watchSources(deployment, sources);
  const heals = deployment.healing === 'automatic' ? sources : [];
  const healing = { names: heals, sightings: () => watch.sightings(), clock: systemClock, logger };
  const done = Promise.all([
    keeper.run(stopping.signal),
    keepHealing(healingOf(deployment, healing), stopping.signal),
  ]).then(() => {});
  return {
    done,
    status: () => {
      const status = keeper.status();
      return { ...status, sightings: [...(status.sightings ?? []), ...watch.sightings()] };
    },
    stop: async () => {
      stopping.abort();
      watch.stop();
      await done;
    },
  };
}

export class ConnectorKeeper {
  readonly #parts: KeeperParts;
  readonly #troubles = new Map<string, Trouble>();
  /** Stopped or paused connectors, which nobody restarts. */
  readonly #halted = new Map<string, { readonly fault: SeamError; readonly sinceMs: number }>();
  #away: string | undefined;
  #awayError: SeamError | undefined;
  #restarts = 0;

  constructor(parts: KeeperParts) {
    this.#parts = parts;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.look();
      await this.#parts.clock.pause(LOOK_EVERY_MS, signal);
    }
  }

  status(): WorkerStatus {
    const [name, worst] = [...this.#troubles].sort(([, left], [, right]) => right.restarts - left.restarts)[0] ?? [];
    const counters = { restarts: this.#restarts };
    const gauges = { failed: this.#troubles.size };
    const sightings = this.#sightings();
    if (this.#away !== undefined) return { state: 'degraded', reason: this.#away, counters, gauges, sightings };
    if (worst === undefined) return { state: 'running', counters, gauges, sightings };
    const state = worst.restarts > RESTARTS_IN_A_ROW_MAX ? 'failed' : 'degraded';
    return { state, reason: reasonOf(name as string, worst), counters, gauges, sightings };
  }

  #sightings(): Sighting[] {
    const failed = [...this.#troubles].map(([name, trouble]) => connectorFailed(name, trouble));
    for (const [name, { fault, sinceMs }] of this.#halted) {
      if (this.#parts.clock.elapsedMs() - sinceMs < HALTED_MS) continue;
      failed.push({ ...sightingOf(fault, { kind: 'source', system: systemOf(name) }), severity: 'warning' });
    }
    if (this.#awayError === undefined) return failed;
    return [...failed, sightingOf(this.#awayError, { kind: 'worker', worker: 'connectors' })];
  }

  /** One look at every connector; a Connect that does not answer is waited for. */
  async look(): Promise<void> {
    try {
      for (const name of this.#parts.names) await this.#lookAt(name);
      this.#away = undefined;
      this.#awayError = undefined;
    } catch (error) {
      if (!(error instanceof SeamError)) throw error;
      this.#away = `${error.message} [${error.code}]`;
      this.#awayError = error;
    }
  }

  async #lookAt(name: string): Promise<void> {
    const { client, clock, logger } = this.#parts;
    const status = await client.status(name);
    const trouble = this.#troubles.get(name);
    const nowMs = clock.elapsedMs();
    const fault = haltedFault(systemOf(name), status);
    if (fault === undefined) this.#halted.delete(name);
    else if (!this.#halted.has(name)) this.#halted.set(name, { fault, sinceMs: nowMs });
    const cause = status === null ? undefined : causeOf(status);
    if (cause === undefined) {
      if (trouble !== undefined && nowMs - trouble.failedAtMs > STEADY_MS) {
        this.#troubles.delete(name);
        logger.info({ connector: name, restarts: trouble.restarts }, 'connector runs again');
      }
      return;
    }
    const current = trouble ?? { restarts: 0, nextAtMs: nowMs, failedAtMs: nowMs, cause };
    this.#troubles.set(name, Object.assign(current, { failedAtMs: nowMs, cause }));
    if (nowMs < current.nextAtMs) return;
    logger.warn({ connector: name, cause, restarts: current.restarts }, 'connector failed, starting it again');
    current.nextAtMs = nowMs + Math.min(RESTART_PAUSE_MS_MIN * 2 ** current.restarts, RESTART_PAUSE_MS_MAX);
    current.restarts += 1;
    this.#restarts += 1;
    await client.restartFailed(name);
  }
}

function reasonOf(name: string, { restarts, cause }: Trouble): string {
  return `connector ${name} failed, started again ${restarts} times: ${cause}`;
}

/** Connectors are named `seam-<system>`. */
function systemOf(name: string): string {
  return name.replace(/^seam-/, '');
}

/** One that comes back at the first restart is no reason to wake anyone. */
function connectorFailed(name: string, trouble: Trouble): Sighting {
  const system = systemOf(name);
  return {
    id: 'CONNECTOR_TASK_FAILED',
    severity: trouble.restarts > RESTARTS_IN_A_ROW_MAX ? 'halt' : 'warning',
    object: { kind: 'source', system },
    text: reasonOf(name, trouble),
    next: `seam connectors status ${system}`,
  };
}

/** The last cause that Connect tells; undefined while nothing has failed. Debezium's own texts hold no values of rows. */
function causeOf({ name, connector, tasks }: ConnectorStatus): string | undefined {
  const failed = [connector, ...tasks].find(({ state }) => state === 'FAILED');
  if (failed === undefined) return undefined;
  const known = knownFailure(name, failed.trace ?? '');
  if (known !== undefined) return `${known.message} [${known.code}]`;
  const lines = (failed.trace ?? '')
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^\s+at |^\s+\.\.\. /.test(line));
  return (lines.at(-1) ?? 'no cause given').replace('Caused by: ', '').slice(0, 300);
}
