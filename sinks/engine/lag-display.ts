/**
 * The group's offsets are for lag displays alone: sent at most once a second, not awaited, and a failure changes nothing.
 */
import type { Clock, LogConsumer, Logger } from '../../core/ports.ts';
import { type Lease, partitionName } from './leases.ts';

export const SHOW_LAG_EVERY_MS = 1_000;

export class LagDisplay {
  readonly #options: { readonly system: string; readonly clock: Clock; readonly logger: Logger };
  readonly #unshown = new Set<Lease>();
  #shownAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: { readonly system: string; readonly clock: Clock; readonly logger: Logger }) {
    this.#options = options;
  }

  note(leases: readonly Lease[]): void {
    for (const lease of leases) this.#unshown.add(lease);
  }

  /** By name of the partition: they went to another worker. */
  forget(names: ReadonlySet<string>): void {
    for (const lease of this.#unshown) if (names.has(partitionName(lease))) this.#unshown.delete(lease);
  }

  show(consumer: LogConsumer | undefined): void {
    const { clock, logger, system } = this.#options;
    const nowMs = clock.elapsedMs();
    if (this.#unshown.size === 0 || nowMs - this.#shownAtMs < SHOW_LAG_EVERY_MS) return;
    const offsets = [...this.#unshown].map(({ topic, partition, nextOffset }) => ({
      topic,
      partition,
      offset: nextOffset,
    }));
    this.#unshown.clear();
    this.#shownAtMs = nowMs;
    consumer?.commit(offsets).catch((error: unknown) => {
      logger.debug({ system, error }, 'lag not shown');
    });
  }
}
