/** A command that waits for records of a connector ends with the connector's own fault, and not with a time limit. */
import type { ConnectClient } from '../../adapters/connect-client.ts';
import { SeamError, TransientError } from '../../core/errors.ts';
import { connectorName } from '../sources/look.ts';
import { taskFailed, whenAvailable } from './connectors.ts';

/** A task that fails is started again by `seam run connectors`: only one that stays so is the end. */
const FAILED_MS_MAX = 20_000;

/** To be called again and again. Rejects with the ContractError of a task that has been FAILED for 20 s. */
export function failedTaskOf(client: ConnectClient, system: string): () => Promise<void> {
  const name = connectorName(system);
  let sinceMs: number | undefined;
  return async () => {
    const status = await whenAvailable(() => client.status(name));
    const failed = status?.tasks.find(({ state }) => state === 'FAILED');
    if (failed === undefined) {
      sinceMs = undefined;
      return;
    }
    sinceMs ??= Date.now();
    if (Date.now() - sinceMs > FAILED_MS_MAX) throw taskFailed(name, failed.trace);
  };
}

/** The same for a reading: a Connect that is away may come back, and once the connector runs the reading goes on where it stopped. */
export function readingStopped(client: ConnectClient, system: string): () => Promise<void> {
  const refuse = failedTaskOf(client, system);
  return async () => {
    const error = await refuse().catch((reason: unknown) => reason);
    if (error === undefined || error instanceof TransientError) return;
    if (!(error instanceof SeamError)) throw error;
    const { code, message, where, hint } = error;
    throw new TransientError({
      ...{ code, message, cause: error },
      ...(where === undefined ? {} : { where }),
      ...(hint === undefined ? {} : { hint }),
    });
  };
}
