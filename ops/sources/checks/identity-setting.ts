/** A connector remembers in its settings which server it reads. */
import type { ConnectorConfig } from '../../../adapters/connect-client.ts';

export const IDENTITY_SETTING = 'seam.identity';

/** The server that it read so far, if this is another one. */
export function formerServer(config: ConnectorConfig, identity: string): string | undefined {
  const known = config[IDENTITY_SETTING];
  return known === identity ? undefined : known;
}
