/**
 * Looks at every source every few seconds, so that a server that was restored or replaced is not read on silently: while it has a
 * fault, the processors leave its topics where they are.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { ConnectClient } from '../../adapters/connect-client.ts';
import type { Deployment } from '../../core/deployment.ts';
import { type ContractError, TransientError } from '../../core/errors.ts';
import type { Logger } from '../../core/ports.ts';
import { sourceConnection } from '../operations/verify-deployment.ts';
import { checkSource, type SourceState } from './check.ts';

const LOOK_EVERY_MS = 5_000;

export async function sourceState(deployment: Deployment, system: string): Promise<SourceState | undefined> {
  const client = new ConnectClient(deployment.connect.url);
  const name = connectorName(system);
  // offsets first: a source that goes on is never behind them
  const offset = (await client.offsets(name).catch(() => []))[0];
  const config = await client.config(name);
  if (config === null) return undefined;
  return checkSource(system, await sourceConnection(deployment, system), { config, offset });
}

export function connectorName(system: string): string {
  return `seam-${system}`;
}

export class SourceWatch {
  readonly #faults = new Map<string, ContractError>();
  readonly #stopping = new AbortController();
  readonly #recovered = Promise.withResolvers<never>();

  constructor(deployment: Deployment, names: readonly string[], logger: Logger) {
    this.#recovered.promise.catch(() => {});
    void this.#watch(deployment, names, logger);
  }

  readonly faultOf = (system: string): ContractError | undefined => this.#faults.get(system);

  /** Rejects when a source that had a fault is well again: what was stopped for it starts with a new worker. */
  get recovered(): Promise<never> {
    return this.#recovered.promise;
  }

  stop(): void {
    this.#stopping.abort();
  }

  async #watch(deployment: Deployment, names: readonly string[], logger: Logger): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      for (const system of names) {
        if (signal.aborted) return;
        // away, or just starting: nothing is known, so nothing changes
        const state = await sourceState(deployment, system).catch(() => undefined);
        if (state !== undefined) this.#note(system, state, logger);
      }
      await pause(LOOK_EVERY_MS, undefined, { signal }).catch(() => {});
    }
  }

  #note(system: string, { fault }: SourceState, logger: Logger): void {
    const known = this.#faults.get(system);
    if (fault === undefined) {
      if (known !== undefined) this.#recovered.reject(recoveredNow(system));
      this.#faults.delete(system);
    } else {
      if (known === undefined) logger.error({ system, code: fault.code, reason: fault.message }, 'source stopped');
      this.#faults.set(system, fault);
    }
  }
}

function recoveredNow(system: string): TransientError {
  return new TransientError({
    code: 'SOURCE_RECOVERED',
    message: `${system} can be read again, and its topics go on with a new start`,
    where: `source ${system}`,
    hint: 'nothing to do: what keeps the workers running starts this one again',
  });
}
