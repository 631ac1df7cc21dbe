/**
 * Looks at every source all the time, each by itself: a server that was restored, a table that left the publication or a right that was
 * revoked is found within seconds, wherever workers run. While a condition halts a source or a table, the processors leave
 * its topics where they are.
 */
import { systemClock } from '../../adapters/clock.ts';
import { haltOf, type Sighting } from '../../core/condition.ts';
import type { Deployment } from '../../core/deployment.ts';
import { type ContractError, TransientError } from '../../core/errors.ts';
import type { Clock } from '../../core/ports.ts';
import type { Answer, Failure } from './checks/run.ts';
import { KnownSightings } from './known.ts';
import { lookAt, rememberedOf } from './look.ts';
import { NOT_CHECKED, notChecked } from './not-checked.ts';

const LOOK_EVERY_MS = 5_000;
/** A check that fails for so long is a condition itself. */
const FAILING_MS_MAX = 60_000;
/** The processors wait so long for the first look, so that a start reads nothing that a halt holds back. */
const FIRST_LOOK_MS_MAX = 15_000;

export type WatchParts = {
  readonly names: readonly string[];
  /** null: its connector is not there yet. */
  readonly look: (system: string) => Promise<Answer | null>;
  readonly clock: Clock;
};

export function watchSources(deployment: Deployment, names: readonly string[]): SourceWatch {
  const look = async (system: string) => {
    const remembered = await rememberedOf(deployment, system);
    return remembered === null ? null : lookAt(deployment, system, remembered);
  };
  return new SourceWatch({ names, look, clock: systemClock });
}

export class SourceWatch {
  readonly #parts: WatchParts;
  readonly #known = new KnownSightings();
  /** By system, then by check: since when it fails. */
  readonly #failing = new Map<string, Map<string, number>>();
  readonly #stopping = new AbortController();
  readonly #recovered = Promise.withResolvers<never>();
  readonly #firstLooks: Promise<unknown>;

  constructor(parts: WatchParts) {
    this.#parts = parts;
    this.#recovered.promise.catch(() => {});
    this.#firstLooks = Promise.all(parts.names.map((system) => this.#watch(system)));
  }

  /** The halting condition of this table, or of its whole source. */
  readonly faultOf = (system: string, table: string): ContractError | undefined => {
    const halt = this.sightings().find(({ severity, object }) => {
      if (severity !== 'halt') return false;
      if (object.kind === 'source') return object.system === system;
      return object.kind === 'table' && object.system === system && object.table === table;
    });
    return halt === undefined ? undefined : haltOf(halt);
  };

  /** Everything that is wrong now; who shows it notes since when. */
  sightings(): readonly Sighting[] {
    return this.#known.all();
  }

  /** Every source was asked once, or does not answer soon. */
  async ready(): Promise<void> {
    const waiting = new AbortController();
    await Promise.race([this.#firstLooks, this.#parts.clock.pause(FIRST_LOOK_MS_MAX, waiting.signal)]);
    waiting.abort();
  }

  /** Rejects when what was halted may go on: it does so with a new start of its worker. */
  get recovered(): Promise<never> {
    return this.#recovered.promise;
  }

  stop(): void {
    this.#stopping.abort();
  }

  /** Resolves after the first look; the watch goes on. */
  async #watch(system: string): Promise<void> {
    await this.#look(system);
    void this.#goOn(system);
  }

  async #goOn(system: string): Promise<void> {
    const { signal } = this.#stopping;
    for (;;) {
      await this.#parts.clock.pause(LOOK_EVERY_MS, signal);
      if (signal.aborted) return;
      await this.#look(system);
    }
  }

  async #look(system: string): Promise<void> {
    try {
      const answer = await this.#parts.look(system);
      if (answer === null) this.#failing.delete(system);
      else this.#note(system, answer);
    } catch (error) {
      const failed = new Map<string, Failure>([['all checks', { error, severity: 'halt' }]]);
      this.#note(system, { found: [], asked: new Set(), lossy: new Map(), failed });
    }
  }

  #note(system: string, { found, asked, failed }: Answer): void {
    if (this.#stopping.signal.aborted) return;
    const unchecked = notChecked(system, this.#overdue(system, failed));
    const isAsked = ({ id, object }: Sighting) =>
      'system' in object && object.system === system && (id === NOT_CHECKED || asked.has(id));
    const all = unchecked === undefined ? found : [...found, unchecked];
    const [freed] = this.#known.note(all, isAsked);
    if (freed !== undefined) this.#recovered.reject(recoveredNow(freed));
  }

  #overdue(system: string, failed: ReadonlyMap<string, Failure>): Map<string, Failure> {
    const nowMs = this.#parts.clock.elapsedMs();
    const before = this.#failing.get(system);
    const since = new Map([...failed.keys()].map((check) => [check, before?.get(check) ?? nowMs]));
    this.#failing.set(system, since);
    return new Map([...failed].filter(([check]) => nowMs - (since.get(check) ?? nowMs) >= FAILING_MS_MAX));
  }
}

function recoveredNow({ object }: Sighting): TransientError {
  const system = 'system' in object ? object.system : '';
  return new TransientError({
    code: 'SOURCE_RECOVERED',
    message: `${system} can be read again, and its topics go on with a new start`,
    where: `source ${system}`,
    hint: 'nothing to do: what keeps the workers running starts this one again',
  });
}
