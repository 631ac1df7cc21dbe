/** `message.key.columns` of a connector: which columns are the key of a table's records. */
import type { ConnectorConfig } from '../../../adapters/connect-client.ts';

/** `<regular expression of the table>:<column>,<column>;…`. undefined: the table has the key that its database says. */
export function messageKey(config: ConnectorConfig, table: string): string[] | undefined {
  for (const entry of (config['message.key.columns'] ?? '').split(';')) {
    const colon = entry.lastIndexOf(':');
    if (colon < 0 || !new RegExp(`^(?:${entry.slice(0, colon).trim()})$`, 'i').test(table)) continue;
    return entry
      .slice(colon + 1)
      .split(',')
      .map((column) => column.trim());
  }
  return undefined;
}
