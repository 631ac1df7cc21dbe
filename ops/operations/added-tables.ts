/**
 * A table that a running MariaDB connector does not know: it notes the columns of each captured table once, with its first snapshot, and the
 * first change of a table that it captures later stops the whole source. No setting lets it note one table more, so the settings are
 * refused before they are applied; `seam connectors recover` applies them too, and reads everything.
 */
import { ContractError } from '../../core/errors.ts';
import type { ConnectorPlan } from './connectors.ts';

const LIST = 'table.include.list';
const MARIADB = /\.MariaDbConnector$/;

/** `offset`: undefined, or in the middle of a snapshot: that one covers every table. */
export function refuseAddedTables(plan: ConnectorPlan, offset: Readonly<Record<string, unknown>> | undefined): void {
  const { system, config, changes } = plan;
  if (!MARIADB.test(config['connector.class'] ?? '') || offset === undefined || 'snapshot' in offset) return;
  const change = changes.find(({ setting, from }) => setting === LIST && from !== null);
  const known = listed(change?.from);
  const added = listed(change?.to).filter((table) => !known.includes(table));
  if (added.length === 0) return;
  throw new ContractError({
    code: 'TABLE_ADDED',
    message: `the connector of ${system} runs without knowing the columns of ${added.join(', ')}: their first change would stop the whole source`,
    where: `connectors/${system}/connector.json, ${LIST}`,
    hint: `apply the settings and read everything again: seam connectors recover ${system} --yes`,
  });
}

function listed(list: string | null | undefined): string[] {
  return (list ?? '')
    .split(',')
    .map((table) => table.trim())
    .filter((table) => table !== '');
}
